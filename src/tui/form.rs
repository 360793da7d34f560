//! Fields of a wizard: texts and choices.

use crate::domain::text::sanitise;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::path::PathBuf;
use tui_input::{Input, InputRequest};

/// One field.
#[derive(Debug, Clone)]
pub enum Field {
    /// A line of text.
    Text {
        /// What it is.
        label: &'static str,
        /// The text.
        input: Input,
    },
    /// One of several words.
    Choice {
        /// What it is.
        label: &'static str,
        /// The words, each with what it means.
        options: Vec<(String, String)>,
        /// Which one.
        at: usize,
    },
}

impl Field {
    /// A text with a beginning.
    pub fn text(label: &'static str, value: &str) -> Self {
        Self::Text { label, input: Input::new(value.to_owned()) }
    }

    /// A choice.
    pub fn choice(label: &'static str, options: Vec<(String, String)>, at: usize) -> Self {
        let at = at.min(options.len().saturating_sub(1));
        Self::Choice { label, options, at }
    }

    /// What it is.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Text { label, .. } | Self::Choice { label, .. } => label,
        }
    }

    /// The text or the chosen word.
    pub fn value(&self) -> &str {
        match self {
            Self::Text { input, .. } => input.value(),
            Self::Choice { options, at, .. } => options.get(*at).map_or("", |(word, _)| word),
        }
    }

    /// Goes to the next or the previous choice, around the end.
    pub fn turn(&mut self, forward: bool) {
        if let Self::Choice { options, at, .. } = self
            && !options.is_empty()
        {
            *at = if forward { (*at + 1) % options.len() } else { (*at + options.len() - 1) % options.len() };
        }
    }
}

/// Applies a key to a line of text. Returns whether the key was one for text.
pub fn edit(input: &mut Input, key: &KeyEvent) -> bool {
    let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
    let request = match key.code {
        KeyCode::Char(c) if !ctrl && !key.modifiers.contains(KeyModifiers::ALT) => InputRequest::InsertChar(c),
        KeyCode::Char('u') if ctrl => InputRequest::DeleteLine,
        KeyCode::Char('w') if ctrl => InputRequest::DeletePrevWord,
        KeyCode::Char('a') if ctrl => InputRequest::GoToStart,
        KeyCode::Char('e') if ctrl => InputRequest::GoToEnd,
        KeyCode::Backspace => InputRequest::DeletePrevChar,
        KeyCode::Delete => InputRequest::DeleteNextChar,
        KeyCode::Left => InputRequest::GoToPrevChar,
        KeyCode::Right => InputRequest::GoToNextChar,
        KeyCode::Home => InputRequest::GoToStart,
        KeyCode::End => InputRequest::GoToEnd,
        _ => return false,
    };
    let _ = input.handle(request);
    true
}

/// Inserts pasted text into a line: a trailing newline is dropped, others become spaces, control
/// characters vanish. A paste never confirms anything.
pub fn paste(input: &mut Input, text: &str) {
    let trimmed = text.trim_end_matches(['\r', '\n']);
    let one_line = trimmed.replace("\r\n", " ").replace(['\r', '\n', '\t'], " ");
    for c in sanitise(&one_line).chars().filter(|c| *c != '\u{FFFD}').take(4_096) {
        let _ = input.handle(InputRequest::InsertChar(c));
    }
}

/// A path as typed, with `~/` for the home folder.
pub fn typed_path(text: &str) -> PathBuf {
    match (text.strip_prefix("~/"), directories::BaseDirs::new()) {
        (Some(rest), Some(dirs)) => dirs.home_dir().join(rest),
        _ => PathBuf::from(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paste_is_one_line_and_harmless() {
        let mut input = Input::default();
        paste(&mut input, "staging/\u{1b}[2Jx\ny\n");
        assert_eq!(input.value(), "staging/[2Jx y");
    }

    #[test]
    fn choices_go_round() {
        let mut field = Field::choice("mode", vec![("a".into(), String::new()), ("b".into(), String::new())], 9);
        assert_eq!(field.value(), "b");
        field.turn(true);
        assert_eq!(field.value(), "a");
        field.turn(false);
        assert_eq!(field.value(), "b");
    }
}
