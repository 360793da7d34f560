//! The bytes that make a terminal tell somebody who looks elsewhere.

use crate::config::terminal::Notify;
use crate::domain::text::one_line;

/// Longest text of a notification, in characters.
const LONGEST: usize = 200;

/// What is written; nothing where nothing is wanted.
pub fn notification(how: Notify, words: &str) -> Vec<u8> {
    // A `;` parts the fields of OSC 777.
    let words = one_line(words, LONGEST).replace(';', ",");
    match how {
        Notify::Off => Vec::new(),
        Notify::Bell => b"\x07".to_vec(),
        Notify::Osc9 => format!("\x1b]9;{words}\x1b\\").into_bytes(),
        Notify::Osc777 => format!("\x1b]777;notify;qsnap;{words}\x1b\\").into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_the_words_ends_the_sequence() {
        let hostile = "a;b\u{1b}]0;x\u{7}\nc";
        assert!(notification(Notify::Off, hostile).is_empty());
        assert_eq!(notification(Notify::Bell, hostile), b"\x07");
        for how in [Notify::Osc9, Notify::Osc777] {
            let bytes = notification(how, hostile);
            let inside = &bytes[2..bytes.len() - 2];
            assert!(inside.iter().all(|byte| !byte.is_ascii_control()), "{}", String::from_utf8_lossy(&bytes));
        }
    }
}
