//! Long lists: of the collections of an instance that has many, those are read that are seen, a screen at a time.

use crate::domain::ids::InstanceName;
use crate::domain::problem::Problem;
use crate::ops::survey::listing::{CollectionView, Listing};
use crate::tui::app::state::App;
use crate::tui::messages::effect::Effect;
use crate::tui::panes::list::Pane;
use std::collections::BTreeMap;

impl App {
    /// Asks for the rows that are seen and not read, one screen at a time.
    pub(super) fn read_what_is_seen(&mut self) {
        let offset = self.collections.get(self.model.current).map_or(0, |list| list.offset);
        let Some(state) = self.model.instance() else { return };
        if state.reading || state.collections.value().is_none() || state.collections.is_loading() {
            return;
        }
        let rows = self.visible_collections().into_iter().skip(offset).take(self.pane_height(Pane::Collections));
        let unread: Vec<CollectionView> = rows.filter(|view| !view.read).cloned().collect();
        if unread.is_empty() {
            return;
        }
        let name = state.name.clone();
        if let Some(state) = self.model.instance_mut(&name) {
            state.reading = true;
            self.effects.push(Effect::Views(name, unread));
        }
    }

    /// They are read: their rows are filled in where they are, whatever the order is.
    pub(super) fn views_read(&mut self, name: &InstanceName, result: Result<Listing<CollectionView>, Problem>) {
        let Some(state) = self.model.instance_mut(name) else { return };
        // It does not answer: nothing is asked until the list is read again, which says so.
        let Ok(read) = result else { return };
        state.reading = false;
        let Some(known) = state.collections.value_mut() else { return };
        let mut read: BTreeMap<_, _> = read.items.into_iter().map(|view| (view.address.clone(), view)).collect();
        for view in &mut known.items {
            if let Some(new) = read.remove(&view.address) {
                *view = new;
            }
        }
        self.dirty = true;
    }

    /// Of a list that came with names alone, what was known before stays seen until it is read again.
    pub(super) fn keep_what_was_read(&self, name: &InstanceName, listing: &mut Listing<CollectionView>) {
        let state = self.model.instances.iter().find(|state| state.name == *name);
        let Some(before) = state.and_then(|state| state.collections.value()) else { return };
        if !listing.has_unread() {
            return;
        }
        let known: BTreeMap<_, _> =
            before.items.iter().filter(|view| view.status.is_some()).map(|view| (&view.address, view)).collect();
        for view in listing.items.iter_mut().filter(|view| !view.read) {
            if let Some(old) = known.get(&view.address) {
                *view = CollectionView { aliases: std::mem::take(&mut view.aliases), read: false, ..(*old).clone() };
            }
        }
    }
}
