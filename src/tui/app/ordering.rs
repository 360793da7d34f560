//! Another order for a list. What is selected, marked and filtered stays so.

use crate::tui::app::state::App;
use crate::tui::panes::list::Pane;
use crate::tui::panes::order::CollectionOrder;

impl App {
    /// Shows the list of the focused pane in its next order.
    pub(super) fn reorder(&mut self) {
        let words = match self.focus {
            Pane::Collections => {
                self.collection_order = self.collection_order.next();
                for state in &mut self.model.instances {
                    state.version += 1;
                    if let Some(listing) = state.collections.value_mut() {
                        self.collection_order.sort(&mut listing.items);
                    }
                }
                self.collection_order.words()
            }
            Pane::Points => {
                self.point_order = self.point_order.next();
                self.point_order.words()
            }
            Pane::Jobs => return self.say("jobs have one order: what runs, what waits for you, then the newest", false),
        };
        let unread = self.focus == Pane::Collections && self.model.collections().iter().any(|view| !view.read);
        let note = if unread && self.collection_order != CollectionOrder::Name {
            ", as far as they were seen: there are many"
        } else {
            ""
        };
        self.say(&format!("sorted: {words}{note}"), false);
    }
}
