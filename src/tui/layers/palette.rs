//! The command palette: every command and everything that can be gone to, found by a few letters.

use crate::domain::address::CollectionAddress;
use crate::tui::keys::action::{Action, Motion};
use crate::tui::keys::motion::moved;
use crate::tui::panes::list::{Pane, PointKey};
use crate::tui::wizards::field;
use crossterm::event::KeyEvent;
use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use tui_input::Input;

/// What an entry leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Goal {
    /// An action of a pane.
    Act(Pane, Action),
    /// An instance, by its place in the list.
    Instance(usize),
    /// A collection.
    Collection(CollectionAddress),
    /// A recovery point of the list that is shown.
    Point(PointKey),
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name: letters of it in their order find it.
    pub name: String,
    /// What it is for, in a sentence; a part of that finds it, too.
    pub about: String,
    /// Its key, or what it is.
    pub key: String,
    /// Why it cannot be done now.
    pub why_not: Option<String>,
    /// What it leads to.
    pub goal: Goal,
}

/// The palette.
#[derive(Debug)]
pub struct Palette {
    /// What is typed.
    pub input: Input,
    /// The marked one of those that are found.
    pub selected: usize,
    entries: Vec<Entry>,
    found: Vec<usize>,
}

impl Palette {
    /// With all there is; nothing is typed yet.
    pub fn new(entries: Vec<Entry>) -> Self {
        let found = (0..entries.len()).collect();
        Self { input: Input::default(), selected: 0, entries, found }
    }

    /// What is found, the best first.
    pub fn found(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.found.iter().map(|at| &self.entries[*at])
    }

    /// The marked one.
    pub fn chosen(&self) -> Option<&Entry> {
        self.found.get(self.selected).map(|at| &self.entries[*at])
    }

    /// Types a key. Returns whether it was one for the text.
    pub fn type_key(&mut self, key: &KeyEvent) -> bool {
        let used = field::edit(&mut self.input, key);
        if used {
            self.search();
        }
        used
    }

    /// Takes pasted text.
    pub fn paste(&mut self, text: &str) {
        field::paste(&mut self.input, text);
        self.search();
    }

    /// Moves the mark.
    pub fn go(&mut self, motion: Motion) {
        self.selected = moved(self.selected, motion, self.found.len());
    }

    fn search(&mut self) {
        self.selected = 0;
        let typed = self.input.value().trim();
        if typed.is_empty() {
            self.found = (0..self.entries.len()).collect();
            return;
        }
        let mut matcher = Matcher::new(Config::DEFAULT);
        let pattern = Pattern::parse(typed, CaseMatching::Smart, Normalization::Smart);
        let mut buffer = Vec::new();
        let part = typed.to_lowercase();
        let scored = self.entries.iter().enumerate().filter_map(|(at, entry)| {
            let score = pattern.score(Utf32Str::new(&entry.name, &mut buffer), &mut matcher);
            score.or_else(|| entry.about.to_lowercase().contains(&part).then_some(0)).map(|score| (at, score))
        });
        let mut scored: Vec<(usize, u32)> = scored.collect();
        // Of equal ones what can be done comes before what cannot, and the order of the list stays.
        scored.sort_by_key(|(at, score)| (std::cmp::Reverse(*score), self.entries[*at].why_not.is_some(), *at));
        self.found = scored.into_iter().map(|(at, _)| at).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossterm::event::{KeyCode, KeyModifiers};

    fn entry(name: &str, about: &str, why_not: Option<&str>) -> Entry {
        let (name, about) = (name.to_owned(), about.to_owned());
        Entry { name, about, key: String::new(), why_not: why_not.map(str::to_owned), goal: Goal::Instance(0) }
    }

    fn found(palette: &Palette) -> Vec<&str> {
        palette.found().map(|entry| entry.name.as_str()).collect()
    }

    #[test]
    fn letters_of_the_name_find_it_before_words_about_it() {
        let all = [
            entry("restore", "restore the recovery point, and verify it", None),
            entry("verify", "read every byte of the backup", Some("no backup is selected")),
            entry("prod-eu/products", "", None),
            entry("prod-eu/ünïcode", "", None),
        ];
        let search = |text: &str| {
            let mut palette = Palette::new(all.to_vec());
            palette.paste(text);
            palette
        };
        assert_eq!(search("").found().len(), 4);
        assert_eq!(found(&search("veri")), ["verify", "restore"]);
        assert_eq!(found(&search("rstr")), ["restore"]);
        assert_eq!(found(&search("every byte")), ["verify"]);
        assert_eq!(found(&search("unicode")), ["prod-eu/ünïcode"]);
        let mut palette = search("zzz");
        assert!(palette.chosen().is_none());
        let clear = KeyEvent::new(KeyCode::Char('u'), KeyModifiers::CONTROL);
        assert!(palette.type_key(&clear) && palette.found().len() == 4);
        palette.go(Motion::Down);
        assert_eq!(palette.chosen().unwrap().name, "verify");
    }
}
