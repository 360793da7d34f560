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
        /// The text was proposed and not edited yet: the first key replaces it, and it may follow another field.
        proposed: bool,
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
    /// A text with a proposal, which may be empty.
    pub fn text(label: &'static str, value: &str) -> Self {
        Self::Text { label, input: Input::new(value.to_owned()), proposed: !value.is_empty() }
    }

    /// A text that the user chose.
    pub fn edited(label: &'static str, value: &str) -> Self {
        Self::Text { label, input: Input::new(value.to_owned()), proposed: false }
    }

    /// Proposes another text, unless the user edited it.
    pub fn propose(&mut self, value: &str) {
        if let Self::Text { input, proposed: true, .. } = self {
            *input = Input::new(value.to_owned());
        }
    }

    /// Whether the text is a proposal that the first key replaces.
    pub fn is_proposed(&self) -> bool {
        matches!(self, Self::Text { proposed: true, .. })
    }

    /// Applies a key. Returns whether it was one for a text.
    pub fn type_key(&mut self, key: &KeyEvent) -> bool {
        let Self::Text { input, proposed, .. } = self else { return false };
        let kept = input.clone();
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        // As with a marked text: what is typed replaces it, a cursor key keeps it.
        if *proposed && !ctrl && matches!(key.code, KeyCode::Char(_) | KeyCode::Backspace | KeyCode::Delete) {
            input.reset();
        }
        let used = edit(input, key);
        if used {
            *proposed = false;
        } else {
            *input = kept;
        }
        used
    }

    /// Takes pasted text. Returns whether it is a field for text.
    pub fn paste(&mut self, text: &str) -> bool {
        let Self::Text { input, proposed, .. } = self else { return false };
        if std::mem::take(proposed) {
            input.reset();
        }
        paste(input, text);
        true
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
    fn the_first_key_replaces_a_proposal_and_a_cursor_key_keeps_it() {
        let key = |code| KeyEvent::new(code, KeyModifiers::NONE);
        let typed = |codes: &[KeyCode]| {
            let mut field = Field::text("to", "/home/ada");
            for code in codes {
                field.type_key(&key(*code));
            }
            field.value().to_owned()
        };
        assert_eq!(typed(&[KeyCode::Char('/'), KeyCode::Char('b')]), "/b");
        assert_eq!(typed(&[KeyCode::End, KeyCode::Char('x')]), "/home/adax");
        assert_eq!(typed(&[KeyCode::Backspace]), "");
        assert_eq!(typed(&[KeyCode::Tab]), "/home/ada", "a key that is none for texts changes nothing");
        let mut field = Field::text("to", "/home/ada");
        field.paste("/backups\n");
        assert_eq!((field.value(), field.is_proposed()), ("/backups", false));
        field.propose("/other");
        assert_eq!(field.value(), "/backups", "what was edited stays");
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
