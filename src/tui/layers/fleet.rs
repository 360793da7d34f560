//! The fleet: every collection of every instance, the worst first. A list with a mark that stays on its collection.

use crate::domain::address::CollectionAddress;
use crate::ops::survey::watch::Watch;
use crate::tui::keys::action::Motion;
use crate::tui::keys::motion::moved;

/// Which line is marked.
#[derive(Debug, Default)]
pub struct Fleet {
    marked: Option<CollectionAddress>,
}

impl Fleet {
    /// The marked line; the first where what was marked is gone.
    pub fn selected(&self, watch: &Watch) -> usize {
        let marked = self.marked.as_ref();
        marked.and_then(|marked| watch.items.iter().position(|item| item.address == *marked)).unwrap_or(0)
    }

    /// The marked collection.
    pub fn collection(&self, watch: &Watch) -> Option<CollectionAddress> {
        watch.items.get(self.selected(watch)).map(|item| item.address.clone())
    }

    /// Moves the mark.
    pub fn go(&mut self, motion: Motion, watch: &Watch) {
        let at = moved(self.selected(watch), motion, watch.items.len());
        self.marked = watch.items.get(at).map(|item| item.address.clone());
    }
}
