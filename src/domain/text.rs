//! Text for a terminal: sanitised, measured, shortened.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Replaces everything that could steer a terminal or hide its meaning by `U+FFFD`: control characters
/// (C0, C1), bidirectional marks, zero-width characters and line separators.
pub fn sanitise(raw: &str) -> String {
    raw.chars().map(|c| if is_hostile(c) { '\u{FFFD}' } else { c }).collect()
}

/// Like [`sanitise`], for texts of several lines: newlines stay.
pub fn sanitise_lines(raw: &str) -> String {
    raw.lines().map(sanitise).collect::<Vec<_>>().join("\n")
}

/// A message of a server on one line: newlines become spaces, and it is cut at `limit` characters.
pub fn one_line(raw: &str, limit: usize) -> String {
    let joined = raw.split_whitespace().collect::<Vec<_>>().join(" ");
    let clean = sanitise(&joined);
    if clean.chars().count() <= limit {
        return clean;
    }
    let mut cut: String = clean.chars().take(limit.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// Whether a character must not reach a terminal as it is.
pub fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}'
            | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{00AD}' | '\u{061C}' | '\u{180E}'
            | '\u{E0000}'..='\u{E007F}' | '\u{FE00}'..='\u{FE0F}')
}

/// Columns that the text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// Shortens to `columns` by cutting the end.
pub fn shorten_end(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut kept = take_columns(text.graphemes(true), columns.saturating_sub(1));
    if columns > 0 {
        kept.push('…');
    }
    kept
}

/// Shortens to `columns` by cutting the middle, so that a suffix that tells two names apart stays.
pub fn shorten_middle(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    if columns < 3 {
        return shorten_end(text, columns);
    }
    let tail_columns = (columns - 1) / 2;
    let head = take_columns(text.graphemes(true), columns - 1 - tail_columns);
    let tail_reversed: Vec<&str> = take_graphemes(text.graphemes(true).rev(), tail_columns);
    let tail: String = tail_reversed.into_iter().rev().collect();
    format!("{head}…{tail}")
}

/// Pads with spaces on the right to exactly `columns`, shortening in the middle when too long.
pub fn fit_left(text: &str, columns: usize) -> String {
    let mut fitted = shorten_middle(text, columns);
    let missing = columns.saturating_sub(width(&fitted));
    fitted.extend(std::iter::repeat_n(' ', missing));
    fitted
}

/// Pads with spaces on the left to exactly `columns`.
pub fn fit_right(text: &str, columns: usize) -> String {
    let fitted = shorten_end(text, columns);
    let missing = columns.saturating_sub(width(&fitted));
    format!("{}{fitted}", " ".repeat(missing))
}

fn take_columns<'a>(graphemes: impl Iterator<Item = &'a str>, columns: usize) -> String {
    take_graphemes(graphemes, columns).concat()
}

fn take_graphemes<'a>(graphemes: impl Iterator<Item = &'a str>, columns: usize) -> Vec<&'a str> {
    let mut used = 0;
    graphemes
        .take_while(|grapheme| {
            used += width(grapheme);
            used <= columns
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_survives() {
        assert_eq!(sanitise("a\u{1b}[31mb\u{9b}c\u{202e}d\u{200b}e\n"), "a�[31mb�c�d�e�");
        assert_eq!(sanitise("日本 ñ"), "日本 ñ");
    }

    #[test]
    fn long_names_keep_both_ends() {
        assert_eq!(shorten_middle("products-2026-11-22", 11), "produ…11-22");
        assert_eq!(shorten_middle("short", 11), "short");
        assert_eq!(shorten_end("abcdef", 4), "abc…");
        assert_eq!(shorten_end("abcdef", 0), "");
    }

    #[test]
    fn wide_characters_never_exceed_the_columns() {
        for columns in 0..12 {
            for text in ["日本語のコレクション", "aüöé̈bcdefghijkl", "🇩🇪🇫🇷🇮🇹"] {
                assert!(width(&shorten_middle(text, columns)) <= columns);
                assert_eq!(width(&fit_left(text, columns)), columns);
                assert_eq!(width(&fit_right(text, columns)), columns);
            }
        }
    }

    #[test]
    fn server_messages_become_one_bounded_line() {
        assert_eq!(one_line("a\n b\t c", 80), "a b c");
        assert_eq!(one_line("abcdef", 3), "ab…");
    }
}
