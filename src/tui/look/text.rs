//! Lines of text: wrapped to a width, scrolled inside a box.

use crate::domain::text::{shorten_end, width};
use crate::tui::look::caps::Look;
use crate::tui::look::layout;
use crate::tui::look::theme::Role;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear};

/// A line with a role, and how far its continuations are indented.
#[derive(Debug, Clone)]
pub struct Row {
    /// The text.
    pub text: String,
    /// What it means.
    pub role: Role,
    /// Columns before continuations.
    pub indent: usize,
}

impl Row {
    /// A line that is not indented.
    pub fn new(role: Role, text: impl Into<String>) -> Self {
        Self { text: text.into(), role, indent: 0 }
    }

    /// Indents continuations.
    #[must_use]
    pub fn indented(mut self, columns: usize) -> Self {
        self.indent = columns;
        self
    }

    /// An empty line.
    pub fn gap() -> Self {
        Self::new(Role::Text, "")
    }
}

/// Wraps at spaces; a word that is too long is cut where the line ends. Spaces inside a line stay.
pub fn wrap(rows: &[Row], columns: usize) -> Vec<Row> {
    let columns = columns.max(8);
    let mut out = Vec::new();
    for row in rows {
        let indent = row.indent.min(columns / 2);
        let mut rest = row.text.as_str();
        let mut margin = 0;
        while width(rest) > columns - margin {
            let limit = cut_at(rest, columns - margin);
            // A space right behind the limit ends a word that just fits.
            let end = if rest[limit..].starts_with(' ') {
                limit
            } else {
                // A word that would not fit on a line of its own is cut here, beside its label.
                let fits = |at: &usize| rest[at + 1..].split(' ').next().is_some_and(|word| width(word) <= columns - indent);
                rest[..limit].rfind(' ').filter(|at| !rest[..*at].trim().is_empty()).filter(fits).unwrap_or(limit)
            };
            push(&mut out, row, margin, rest[..end].trim_end());
            rest = rest[end..].trim_start();
            margin = indent;
        }
        push(&mut out, row, margin, rest);
    }
    out
}

fn push(out: &mut Vec<Row>, row: &Row, margin: usize, text: &str) {
    out.push(Row { text: format!("{}{text}", " ".repeat(margin)), role: row.role, indent: 0 });
}

/// The byte where at most `columns` of the word end; at least one character, so that wrapping ends.
fn cut_at(word: &str, columns: usize) -> usize {
    let mut used = 0;
    for (at, c) in word.char_indices() {
        used += unicode_width::UnicodeWidthChar::width(c).unwrap_or(0);
        if used > columns && at > 0 {
            return at;
        }
    }
    word.len()
}

/// Styles by role.
pub fn style(look: Look, role: Role) -> Style {
    look.theme.style(role, look.color)
}

/// A framed box over what is below; gives the inside.
pub fn frame_box(look: Look, frame: &mut Frame<'_>, columns: u16, rows: u16, title: &str) -> Rect {
    let area = frame.area();
    let usable = Rect { height: area.height.saturating_sub(1), ..area };
    let place = layout::dialog(usable, columns, rows);
    // A wide character that the box's left edge cuts in two would swallow the edge.
    if let Some(left) = place.x.checked_sub(1) {
        for y in place.y..place.bottom() {
            let cell = &mut frame.buffer_mut()[(left, y)];
            if width(cell.symbol()) > 1 {
                cell.set_symbol(" ");
            }
        }
    }
    frame_at(look, frame, place, title)
}

/// A framed box at a place; gives the inside.
pub fn frame_at(look: Look, frame: &mut Frame<'_>, place: Rect, title: &str) -> Rect {
    frame.render_widget(Clear, place);
    let room = usize::from(place.width.saturating_sub(4));
    let title = Span::styled(format!(" {} ", shorten_end(title, room.saturating_sub(2))), style(look, Role::Title));
    let block = Block::bordered().border_style(style(look, Role::Focus)).title(title);
    let inner = block.inner(place);
    frame.render_widget(block, place);
    Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner }
}

/// Draws wrapped rows from `scroll` on, held inside; says when there is more.
pub fn scrolled(look: Look, frame: &mut Frame<'_>, area: Rect, rows: &[Row], scroll: usize) {
    let height = usize::from(area.height);
    if height == 0 {
        return;
    }
    // One line is for the text.
    let more = rows.len() > height && height > 1;
    let visible = if more { height - 1 } else { height };
    let start = scroll.min(rows.len().saturating_sub(visible));
    for (line, row) in rows.iter().skip(start).take(visible).enumerate() {
        put(frame, area, line as u16, Line::styled(row.text.clone(), style(look, row.role)));
    }
    if more {
        let last = (start + visible).min(rows.len());
        let words = format!("↑↓ lines {}–{last} of {}", start + 1, rows.len());
        put(frame, area, area.height - 1, Line::styled(words, style(look, Role::Muted)));
    }
}

/// Draws one line of an area.
pub fn put<'a>(frame: &mut Frame<'_>, area: Rect, line: u16, content: impl Into<Line<'a>>) {
    if line < area.height && area.width > 0 {
        frame.render_widget(content.into(), Rect { y: area.y + line, height: 1, ..area });
    }
}

/// Columns of a page over the panes: a line of text is read well up to some length, and no longer.
pub fn page_columns(frame: &Frame<'_>) -> u16 {
    let window = frame.area().width;
    window.saturating_sub(20).clamp(78, 110).min(window.saturating_sub(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str, indent: usize, columns: usize) -> Vec<String> {
        wrap(&[Row::new(Role::Text, text).indented(indent)], columns).into_iter().map(|row| row.text).collect()
    }

    #[test]
    fn lines_wrap_at_words_with_an_indent() {
        assert_eq!(texts("one two three four", 2, 9), ["one two", "  three", "  four"]);
        assert_eq!(texts("  ! careful", 4, 20), ["  ! careful"]);
        assert_eq!(texts("", 0, 20), [""]);
    }

    #[test]
    fn no_line_is_wider_than_asked() {
        for columns in 8..40 {
            for text in ["a very-long-name-without-any-space-in-it-at-all ends", "日本語のコレクション の名前", "x"]
            {
                for line in texts(text, 6, columns) {
                    assert!(width(&line) <= columns, "{columns}: {line:?}");
                }
            }
        }
    }
}
