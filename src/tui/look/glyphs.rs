//! Signs. The screen is drawn with box drawing and a few signs; where the terminal cannot show them, the
//! finished buffer is translated to ASCII, so that no component needs two versions.

use ratatui::buffer::Buffer;

/// Spinner.
pub const SPINNER: [&str; 8] = ["⠋", "⠙", "⠸", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// The ASCII character for a sign of ours; `?` for anything else that is not ASCII.
fn ascii(symbol: &str) -> &'static str {
    match symbol {
        "─" | "–" | "·" => "-",
        "│" | "▏" | "▕" => "|",
        "┌" | "┐" | "└" | "┘" | "├" | "┤" | "┬" | "┴" | "┼" => "+",
        "▸" | "→" => ">",
        "←" => "<",
        "↑" => "^",
        "↓" => "v",
        "●" => "*",
        "○" => "o",
        "✓" => "v",
        "✗" => "x",
        "⚑" => "!",
        "…" => "~",
        "█" | "▉" | "▊" | "▋" | "▌" => "#",
        "▍" | "▎" | "▁" => ".",
        "▂" | "▃" => "-",
        "▄" | "▅" => "=",
        "▆" | "▇" => "#",
        "⠋" | "⠴" | "⠇" => "|",
        "⠙" | "⠦" | "⠏" => "/",
        "⠸" | "⠧" => "-",
        _ => "?",
    }
}

/// Translates a finished buffer: the drawing, and the letters too where they cannot be shown either.
pub fn to_ascii(buffer: &mut Buffer, letters: bool) {
    for cell in &mut buffer.content {
        if cell.symbol().is_ascii() {
            continue;
        }
        match ascii(cell.symbol()) {
            "?" if letters => {}
            drawn => {
                cell.set_symbol(drawn);
            }
        }
    }
}

/// A bar of `columns` for a share of `done` in `total`, in eighths.
pub fn bar(done: u64, total: u64, columns: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (u128::from(done.min(total)) * columns as u128 * 8 / u128::from(total.max(1))) as usize;
    let mut text = "█".repeat(eighths / 8);
    text.push_str(EIGHTHS[eighths % 8]);
    let used = eighths.div_ceil(8);
    text.push_str(&" ".repeat(columns.saturating_sub(used)));
    text
}

/// A line of small bars for the last values, the largest as high as it gets; as many as fit.
pub fn sparkline(values: &[u64], columns: usize) -> String {
    const HEIGHTS: [&str; 7] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇"];
    let values = &values[values.len().saturating_sub(columns)..];
    let top = values.iter().max().copied().unwrap_or(0).max(1);
    values.iter().map(|value| HEIGHTS[(u128::from(*value) * 6 / u128::from(top)) as usize]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    #[test]
    fn bars_have_their_width_at_any_share() {
        for done in 0..=40 {
            assert_eq!(bar(done, 40, 7).chars().count(), 7, "{done}");
        }
        assert_eq!(bar(9, 0, 3), "   ");
        assert_eq!(bar(u64::MAX, u64::MAX, 2), "██");
    }

    #[test]
    fn sparklines_show_the_last_values_by_their_share_of_the_largest() {
        assert_eq!(sparkline(&[9, 0, 5, 10], 3), "▁▄▇");
        assert_eq!(sparkline(&[0, 0], 5), "▁▁");
        assert_eq!(sparkline(&[u64::MAX], 5), "▇");
        assert_eq!(sparkline(&[], 5), "");
    }

    #[test]
    fn a_translated_buffer_is_ascii() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 12, 1));
        buffer.set_string(0, 0, "┌●▸✓…日⠋é", Style::new());
        let mut kept = buffer.clone();
        to_ascii(&mut buffer, false);
        assert!(buffer.content.iter().all(|cell| cell.symbol().is_ascii()));
        to_ascii(&mut kept, true);
        let text: String = kept.content.iter().map(|cell| cell.symbol()).collect();
        assert_eq!(text.trim_end(), "+*>v~日 |é", "names stay");
    }
}
