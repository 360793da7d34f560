//! Another order for a list. What is selected, marked and filtered stays so.

use crate::ops::survey::listing::Listing;
use crate::ops::survey::watch::Watch;
use crate::tui::app::state::App;
use crate::tui::panes::list::Pane;
use crate::tui::panes::model::Model;
use crate::tui::panes::order::CollectionOrder;

impl App {
    /// Shows the list of the focused pane in its next order.
    pub(super) fn reorder(&mut self) {
        match self.focus {
            Pane::Collections => self.reorder_collections(),
            Pane::Points => {
                self.point_order = self.point_order.next();
                self.say(&format!("sorted: {}", self.point_order.words()), false);
            }
            Pane::Jobs => self.say("jobs have one order: what runs, what waits for you, then the newest", false),
        }
    }

    /// Puts all lists of collections in the order that is shown.
    pub(super) fn sort_collections(&mut self) {
        let Model { instances, watch, .. } = &mut self.model;
        let stored = watch.value().map(Watch::newest).unwrap_or_default();
        for state in instances {
            state.version += 1;
            if let Some(listing) = state.collections.value_mut() {
                self.collection_order.sort(&mut listing.items, &stored);
            }
        }
    }

    fn reorder_collections(&mut self) {
        self.collection_order = self.collection_order.next();
        self.sort_collections();
        let unread = self.model.instance().and_then(|state| state.collections.value()).is_some_and(Listing::has_unread);
        // Names are all there; of the rest only what was seen.
        let note = match self.collection_order {
            CollectionOrder::Points | CollectionOrder::Age if unread => ", as far as they were seen: there are many",
            _ => "",
        };
        self.say(&format!("sorted: {}{note}", self.collection_order.words()), false);
    }
}
