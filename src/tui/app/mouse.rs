//! Clicks and the wheel: the same as keys that move, where somebody wants a mouse. Nothing is started by one.

use crate::tui::app::state::App;
use crate::tui::keys::action::{Action, Motion, View};
use crate::tui::panes::keys::point_keys;
use crate::tui::panes::list::Pane;
use ratatui::layout::{Position, Rect};

impl App {
    /// A click selects; one on what is selected already opens it.
    pub(super) fn click(&mut self, (column, row): (u16, u16)) {
        self.dirty = true;
        if !self.layers.is_empty() {
            return;
        }
        let areas = self.areas(Rect::new(0, 0, self.size.0, self.size.1));
        let place = Position::new(column, row);
        let panes = match areas.narrow {
            true => vec![(self.focus, areas.collections)],
            false => {
                vec![(Pane::Collections, areas.collections), (Pane::Points, areas.points), (Pane::Jobs, areas.jobs)]
            }
        };
        let Some((pane, area)) = panes.into_iter().find(|(_, area)| area.contains(place)) else { return };
        let was = self.focus;
        self.focus = pane;
        // The frame, and in the lists a heading.
        let above = if pane == Pane::Jobs { 1 } else { 2 };
        let Some(line) = row.checked_sub(area.y + above).map(usize::from) else { return };
        if line < self.pane_height(pane) && self.select_line(pane, line) && was == pane {
            self.act(Action::View(View::Enter));
        }
    }

    /// The wheel moves what is on top, three lines at a time.
    pub(super) fn turn_wheel(&mut self, motion: Motion) {
        self.dirty = true;
        for _ in 0..3 {
            self.act(Action::Move(motion));
        }
    }

    /// Selects a visible line; says whether it was selected already.
    fn select_line(&mut self, pane: Pane, line: usize) -> bool {
        let height = self.pane_height(pane);
        match pane {
            Pane::Collections => {
                let rows = self.collection_rows();
                self.collections.get_mut(self.model.current).is_some_and(|list| list.click(&rows.keys, line, height))
            }
            Pane::Points => {
                let keys = point_keys(&self.visible_points());
                self.points.click(&keys, line, height)
            }
            Pane::Jobs => {
                let keys = self.model.jobs.keys();
                self.job_list.click(&keys, line, height)
            }
        }
    }
}
