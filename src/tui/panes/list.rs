//! Selection, scrolling and filter of a list. Selection is by identity: a refresh never moves the cursor
//! to another thing.

use crate::domain::ids::{CollectionName, SnapshotName};
use crate::ops::request::recovery_point::RecoveryPoint;
use crate::tui::keys::action::Motion;
use crate::tui::look::layout::scroll;

/// The panes of the base screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pane {
    /// Pane 1.
    Collections,
    /// Pane 2.
    Points,
    /// Pane 3.
    Jobs,
}

impl Pane {
    /// The pane after this one.
    pub fn next(self) -> Self {
        match self {
            Self::Collections => Self::Points,
            Self::Points => Self::Jobs,
            Self::Jobs => Self::Collections,
        }
    }

    /// The pane before this one.
    pub fn previous(self) -> Self {
        self.next().next()
    }
}

/// Identity of a row among the collections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CollectionKey {
    /// A collection.
    Named(CollectionName),
    /// All of the instance: snapshots of its full storage.
    Storage,
}

/// A row that was marked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MarkedRow {
    /// A collection of the shown instance.
    Collection(CollectionName),
    /// A recovery point.
    Point(RecoveryPoint),
}

/// What the row of the whole instance is called; no collection can have such a name (it may not hold `<`).
pub const EVERYTHING: &str = "<everything>";

/// Identity of a recovery point within its collection.
pub type PointKey = (usize, SnapshotName);

/// A list as it is looked at.
#[derive(Debug, Clone)]
pub struct ListState<K> {
    selected: Option<K>,
    index: usize,
    /// First row shown.
    pub offset: usize,
    /// Only rows that contain this are shown.
    pub filter: String,
    /// Whether the filter is being typed.
    pub typing: bool,
}

impl<K> Default for ListState<K> {
    fn default() -> Self {
        Self { selected: None, index: 0, offset: 0, filter: String::new(), typing: false }
    }
}

impl<K: Clone + PartialEq> ListState<K> {
    /// The selected row among `keys`. When the selected thing is gone, its neighbour at the same place.
    pub fn position(&self, keys: &[K]) -> Option<usize> {
        // Most often it is where it was.
        let here = self.selected.is_some() && keys.get(self.index) == self.selected.as_ref();
        let search = || self.selected.as_ref().and_then(|selected| keys.iter().position(|key| key == selected));
        let found = if here { Some(self.index) } else { search() };
        found.or_else(|| (!keys.is_empty()).then(|| self.index.min(keys.len() - 1)))
    }

    /// The selected thing.
    pub fn current<'a>(&self, keys: &'a [K]) -> Option<&'a K> {
        self.position(keys).and_then(|at| keys.get(at))
    }

    /// Moves, in a list of which `height` rows are visible.
    pub fn go(&mut self, motion: Motion, keys: &[K], height: usize) {
        let Some(at) = self.position(keys) else { return };
        let last = keys.len() - 1;
        let page = height.saturating_sub(1).max(1);
        let to = match motion {
            Motion::Up => at.saturating_sub(1),
            Motion::Down => (at + 1).min(last),
            Motion::PageUp => at.saturating_sub(page),
            Motion::PageDown => (at + page).min(last),
            Motion::Home => 0,
            Motion::End => last,
        };
        self.select(keys, to, height);
    }

    /// Selects a row.
    pub fn select(&mut self, keys: &[K], to: usize, height: usize) {
        if let Some(key) = keys.get(to) {
            self.selected = Some(key.clone());
            self.index = to;
            self.offset = scroll(to, self.offset, height, keys.len());
        }
    }

    /// Selects a visible line; says whether it was selected already.
    pub fn click(&mut self, keys: &[K], line: usize, height: usize) -> bool {
        let at = self.offset + line;
        if at >= keys.len() {
            return false;
        }
        let already = self.position(keys) == Some(at);
        self.select(keys, at, height);
        already
    }

    /// After the list or the window changed: keeps the selection where it is, and visible.
    pub fn settle(&mut self, keys: &[K], height: usize) {
        match self.position(keys) {
            Some(at) => self.select(keys, at, height),
            None => self.offset = 0,
        }
    }

    /// Whether a row with these texts passes the filter: contains it, smart-case.
    pub fn passes(&self, texts: &[&str]) -> bool {
        if self.filter.is_empty() {
            return true;
        }
        let exact = self.filter.chars().any(char::is_uppercase);
        texts.iter().any(|text| if exact { text.contains(&self.filter) } else { text.to_lowercase().contains(&self.filter) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_keeps_the_thing_not_the_row() {
        let mut list = ListState::default();
        list.select(&["a", "b", "c"], 1, 5);
        assert_eq!(list.current(&["0", "a", "b", "c"]), Some(&"b"));
        assert_eq!(list.current(&["a", "c"]), Some(&"c"));
        assert_eq!(list.current(&["a"]), Some(&"a"));
        assert_eq!(list.current(&[]), None);
    }

    #[test]
    fn motions_stay_inside() {
        let keys: Vec<u32> = (0..20).collect();
        let mut list = ListState::default();
        for motion in [Motion::Up, Motion::PageUp, Motion::Home] {
            list.go(motion, &keys, 5);
            assert_eq!(list.current(&keys), Some(&0));
        }
        list.go(Motion::PageDown, &keys, 5);
        assert_eq!((list.current(&keys), list.offset), (Some(&4), 0));
        list.go(Motion::End, &keys, 5);
        list.go(Motion::Down, &keys, 5);
        assert_eq!((list.current(&keys), list.offset), (Some(&19), 15));
        list.go(Motion::Up, &[], 5);
    }

    #[test]
    fn filters_are_smart_case() {
        let mut list = ListState::<u8> { filter: "prod".into(), ..ListState::default() };
        assert!(list.passes(&["Products"]) && !list.passes(&["users"]));
        list.filter = "Prod".into();
        assert!(list.passes(&["Products"]) && !list.passes(&["products"]));
    }
}
