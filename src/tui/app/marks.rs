//! Marks: what an operation takes together. They are of what is seen, and go when it goes.

use crate::domain::address::CollectionAddress;
use crate::ops::survey::listing::RecoveryPointView;
use crate::tui::app::state::App;
use crate::tui::keys::action::Motion;
use crate::tui::panes::list::{MarkedRow, Pane};

impl App {
    /// Marks or unmarks what is selected, and goes on to the next.
    pub(super) fn mark(&mut self) {
        let Some(row) = self.selected_row() else { return };
        self.set_mark(&row, !self.is_marked(&row));
        self.mark_from = Some(row);
        self.go(Motion::Down);
        self.tell_marks();
    }

    /// Marks all between the one that was marked last and what is selected.
    pub(super) fn mark_range(&mut self) {
        let rows = self.markable_rows();
        let place = |row: &MarkedRow| rows.iter().position(|other| other == row);
        let here = self.selected_row().as_ref().and_then(place);
        let from = self.mark_from.as_ref().and_then(place);
        let (Some(here), Some(from)) = (here, from) else {
            return self.say("mark the first of them with Space, go to the last one, then press M", true);
        };
        for row in &rows[from.min(here)..=from.max(here)] {
            self.set_mark(row, true);
        }
        self.tell_marks();
    }

    /// Marks what is seen and not marked, and unmarks the others.
    pub(super) fn mark_invert(&mut self) {
        for row in self.markable_rows() {
            self.set_mark(&row, !self.is_marked(&row));
        }
        self.tell_marks();
    }

    /// The marked collections, in the order of the list.
    pub(super) fn marked_addresses(&self) -> Vec<CollectionAddress> {
        let listed = self.model.collections().iter().map(|view| &view.address);
        listed.filter(|address| self.marked_collections.contains(&address.collection)).cloned().collect()
    }

    fn selected_row(&self) -> Option<MarkedRow> {
        match self.focus {
            Pane::Collections => self.collection().map(|view| MarkedRow::Collection(view.address.collection.clone())),
            Pane::Points => self.point().map(|point| MarkedRow::Point(point.point())),
            Pane::Jobs => None,
        }
    }

    fn markable_rows(&self) -> Vec<MarkedRow> {
        let collections = || self.visible_collections().into_iter().map(|view| view.address.collection.clone());
        match self.focus {
            Pane::Collections => collections().map(MarkedRow::Collection).collect(),
            Pane::Points => self.visible_points().into_iter().map(RecoveryPointView::point).map(MarkedRow::Point).collect(),
            Pane::Jobs => Vec::new(),
        }
    }

    fn is_marked(&self, row: &MarkedRow) -> bool {
        match row {
            MarkedRow::Collection(name) => self.marked_collections.contains(name),
            MarkedRow::Point(point) => self.marked.contains(point),
        }
    }

    fn set_mark(&mut self, row: &MarkedRow, on: bool) {
        match row {
            MarkedRow::Collection(name) => set(&mut self.marked_collections, name, on),
            MarkedRow::Point(point) => set(&mut self.marked, point, on),
        }
    }

    /// Says how many are marked, and what can be done with them.
    fn tell_marks(&mut self) {
        let words = match (self.focus, self.marked_collections.len(), self.marked.len()) {
            (Pane::Collections, 0, _) | (Pane::Points, _, 0) => "none is marked".to_owned(),
            (Pane::Collections, 2, _) => {
                "2 marked: m migrates, b backs up, p prunes both, c compares them; Esc unmarks".to_owned()
            }
            (Pane::Collections, n, _) => format!("{n} marked: m migrates, b backs up, p prunes all of them; Esc unmarks"),
            (_, _, 1) => "1 marked: mark another one to compare the two (i); X deletes it, Esc unmarks it".to_owned(),
            (_, _, 2) => "2 marked: i compares them, X deletes them, Esc unmarks them".to_owned(),
            (_, _, n) => format!("{n} marked: X deletes them, Esc unmarks them"),
        };
        self.say(&words, false);
    }
}

fn set<T: Clone + PartialEq>(marks: &mut Vec<T>, thing: &T, on: bool) {
    match (on, marks.iter().position(|marked| marked == thing)) {
        (true, None) => marks.push(thing.clone()),
        (false, Some(at)) => drop(marks.remove(at)),
        _ => {}
    }
}
