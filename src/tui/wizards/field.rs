//! Fields of a form: a text with a proposal, and a choice of one of several values.

use crate::domain::text::sanitise;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::path::PathBuf;
use tui_input::{Input, InputRequest};

/// What a field looks like.
#[derive(Debug, Clone, Copy)]
pub enum Shown<'a> {
    /// A text; `proposed` when the first key replaces it.
    Text {
        /// The text, with its cursor.
        input: &'a Input,
        /// It is a proposal.
        proposed: bool,
    },
    /// A choice.
    Choice {
        /// The chosen word.
        word: &'a str,
        /// What it means.
        meaning: &'a str,
        /// There are others.
        several: bool,
    },
}

/// A field of a form.
pub trait Field {
    /// What it is.
    fn label(&self) -> &'static str;

    /// How it looks.
    fn shown(&self) -> Shown<'_>;

    /// Applies a key. Returns whether it was one for a text.
    fn type_key(&mut self, _: &KeyEvent) -> bool {
        false
    }

    /// Takes pasted text. Returns whether it is a field for text.
    fn paste(&mut self, _: &str) -> bool {
        false
    }

    /// Goes to the next or the previous choice, around the end.
    fn turn(&mut self, _forward: bool) {}
}

/// A text.
#[derive(Debug, Clone)]
pub struct TextField {
    label: &'static str,
    input: Input,
    proposed: bool,
}

impl TextField {
    /// With a proposal, which may be empty.
    pub fn new(label: &'static str, value: &str) -> Self {
        Self { label, input: Input::new(value.to_owned()), proposed: !value.is_empty() }
    }

    /// What was typed, without blanks around it.
    pub fn value(&self) -> &str {
        self.input.value().trim()
    }

    /// Proposes another text, unless the user edited it.
    pub fn propose(&mut self, value: &str) {
        if self.proposed {
            self.input = Input::new(value.to_owned());
        }
    }

    /// Takes a text that the user chose.
    pub fn choose(&mut self, value: &str) {
        (self.input, self.proposed) = (Input::new(value.to_owned()), false);
    }
}

impl Field for TextField {
    fn label(&self) -> &'static str {
        self.label
    }

    fn shown(&self) -> Shown<'_> {
        Shown::Text { input: &self.input, proposed: self.proposed }
    }

    fn type_key(&mut self, key: &KeyEvent) -> bool {
        let kept = self.input.clone();
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        // As with a marked text: what is typed replaces it, a cursor key keeps it.
        if self.proposed && !ctrl && matches!(key.code, KeyCode::Char(_) | KeyCode::Backspace | KeyCode::Delete) {
            self.input.reset();
        }
        let used = edit(&mut self.input, key);
        if used {
            self.proposed = false;
        } else {
            self.input = kept;
        }
        used
    }

    fn paste(&mut self, text: &str) -> bool {
        if std::mem::take(&mut self.proposed) {
            self.input.reset();
        }
        paste(&mut self.input, text);
        true
    }
}

/// One of several values, each with a word and what it means.
#[derive(Debug, Clone)]
pub struct ChoiceField<T> {
    label: &'static str,
    options: Vec<(T, String, String)>,
    at: usize,
}

impl<T> ChoiceField<T> {
    /// With the first one chosen, unless it has no such place.
    pub fn new(label: &'static str, options: Vec<(T, String, String)>, at: usize) -> Self {
        let at = at.min(options.len().saturating_sub(1));
        Self { label, options, at }
    }

    /// Of fixed words.
    pub fn words<const N: usize>(label: &'static str, options: [(T, &str, &str); N]) -> Self {
        let owned = options.into_iter().map(|(value, word, meaning)| (value, word.to_owned(), meaning.to_owned()));
        Self::new(label, owned.collect(), 0)
    }

    /// The chosen value; `None` where there is nothing to choose from.
    pub fn value(&self) -> Option<&T> {
        self.options.get(self.at).map(|(value, ..)| value)
    }
}

impl<T> Field for ChoiceField<T> {
    fn label(&self) -> &'static str {
        self.label
    }

    fn shown(&self) -> Shown<'_> {
        let (word, meaning) = self.options.get(self.at).map_or(("", ""), |(_, word, meaning)| (word, meaning));
        Shown::Choice { word, meaning, several: self.options.len() > 1 }
    }

    fn turn(&mut self, forward: bool) {
        let count = self.options.len();
        if count > 0 {
            self.at = if forward { (self.at + 1) % count } else { (self.at + count - 1) % count };
        }
    }
}

/// Applies a key to a line of text. Returns whether the key was one for text.
pub fn edit(input: &mut Input, key: &KeyEvent) -> bool {
    let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
    let change = match key.code {
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
    let _ = input.handle(change);
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
            let mut field = TextField::new("to", "/home/ada");
            for code in codes {
                field.type_key(&key(*code));
            }
            field.value().to_owned()
        };
        assert_eq!(typed(&[KeyCode::Char('/'), KeyCode::Char('b')]), "/b");
        assert_eq!(typed(&[KeyCode::End, KeyCode::Char('x')]), "/home/adax");
        assert_eq!(typed(&[KeyCode::Backspace]), "");
        assert_eq!(typed(&[KeyCode::Tab]), "/home/ada", "a key that is none for texts changes nothing");
        let mut field = TextField::new("to", "/home/ada");
        field.paste("/backups\n");
        assert_eq!((field.value(), field.proposed), ("/backups", false));
        field.propose("/other");
        assert_eq!(field.value(), "/backups", "what was edited stays");
    }

    #[test]
    fn choices_go_round() {
        let options = vec![('a', "a".to_owned(), String::new()), ('b', "b".to_owned(), String::new())];
        let mut field = ChoiceField::new("mode", options, 9);
        assert_eq!(field.value(), Some(&'b'));
        field.turn(true);
        assert_eq!(field.value(), Some(&'a'));
        field.turn(false);
        assert_eq!(field.value(), Some(&'b'));
    }
}
