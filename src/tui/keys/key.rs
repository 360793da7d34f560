//! One key: how it is written in a file and in hints, and which press it is.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A key with or without Ctrl.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// A character as typed.
    Char(char),
    /// Ctrl and a letter.
    Ctrl(char),
    /// Another key.
    Code(KeyCode),
}

/// Names of keys that are no character: in files and in hints.
const NAMES: [(&str, &str, KeyCode); 14] = [
    ("enter", "Enter", KeyCode::Enter),
    ("esc", "Esc", KeyCode::Esc),
    ("tab", "Tab", KeyCode::Tab),
    ("shift-tab", "Shift-Tab", KeyCode::BackTab),
    ("up", "↑", KeyCode::Up),
    ("down", "↓", KeyCode::Down),
    ("left", "←", KeyCode::Left),
    ("right", "→", KeyCode::Right),
    ("pageup", "PgUp", KeyCode::PageUp),
    ("pagedown", "PgDn", KeyCode::PageDown),
    ("home", "Home", KeyCode::Home),
    ("end", "End", KeyCode::End),
    ("delete", "Del", KeyCode::Delete),
    ("backspace", "Backspace", KeyCode::Backspace),
];

impl Key {
    /// Whether a press is this key.
    pub fn is(self, event: &KeyEvent) -> bool {
        let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
        let alt = event.modifiers.contains(KeyModifiers::ALT);
        match self {
            Self::Char(c) => event.code == KeyCode::Char(c) && !ctrl && !alt,
            Self::Ctrl(c) => event.code == KeyCode::Char(c) && ctrl,
            Self::Code(code) => event.code == code && !alt,
        }
    }

    /// As a file writes it: `b`, `S`, `space`, `ctrl-p`, `f1`, `pagedown`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(only), None) if !only.is_control() && only != ' ' => return Some(Self::Char(only)),
            (None, _) => return None,
            _ => {}
        }
        let lower = text.to_lowercase();
        if lower == "space" {
            return Some(Self::Char(' '));
        }
        if let Some(letter) = lower.strip_prefix("ctrl-") {
            let mut letters = letter.chars();
            return letters.next().filter(|c| c.is_ascii_lowercase() && letters.next().is_none()).map(Self::Ctrl);
        }
        if let Some(number) = lower.strip_prefix('f').and_then(|number| number.parse::<u8>().ok()) {
            return (1..=12).contains(&number).then_some(Self::Code(KeyCode::F(number)));
        }
        NAMES.iter().find(|(name, ..)| *name == lower).map(|(.., code)| Self::Code(*code))
    }

    /// As [`Self::parse`] reads it.
    pub fn name(self) -> String {
        match self {
            Self::Char(' ') => "space".to_owned(),
            Self::Char(c) => c.to_string(),
            Self::Ctrl(c) => format!("ctrl-{c}"),
            Self::Code(KeyCode::F(number)) => format!("f{number}"),
            Self::Code(code) => named(code).0.to_owned(),
        }
    }

    /// As hints write it.
    pub fn label(self) -> String {
        match self {
            Self::Char(' ') => "Space".to_owned(),
            Self::Char(c) => c.to_string(),
            Self::Ctrl(c) => format!("Ctrl-{}", c.to_ascii_uppercase()),
            Self::Code(KeyCode::F(number)) => format!("F{number}"),
            Self::Code(code) => named(code).1.to_owned(),
        }
    }
}

fn named(code: KeyCode) -> (&'static str, &'static str) {
    NAMES.iter().find(|(.., known)| *known == code).map_or(("?", "?"), |(name, label, _)| (name, label))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_are_written() {
        let codes = NAMES.iter().map(|(.., code)| Key::Code(*code)).chain([Key::Code(KeyCode::F(12))]);
        for key in codes.chain([Key::Char('b'), Key::Char('S'), Key::Char(' '), Key::Char('-'), Key::Char('ß'), Key::Ctrl('p')])
        {
            assert_eq!(Key::parse(&key.name()), Some(key));
        }
        for wrong in ["", " ", "ctrl-", "ctrl-pp", "ctrl-1", "f0", "f13", "enterr", "\u{1b}"] {
            assert_eq!(Key::parse(wrong), None, "{wrong:?}");
        }
    }
}
