//! Names to pick from below a form's text field. What is typed filters them; typing a name of one's own stays possible.

use crate::domain::address::encode;
use crate::ops::survey::remembered::Remembered;
use crate::tui::keys::action::Motion;
use crate::tui::keys::motion::moved;
use crate::tui::messages::event::Ticket;
use crate::tui::panes::model::Model;

/// The names that a form offers.
#[derive(Debug, Default)]
pub struct Offers {
    awaits: Option<Ticket>,
    all: Vec<Remembered>,
    /// What was typed: picking one does not change the filter.
    typed: String,
    /// The one that was picked.
    picked: Option<usize>,
    /// Whether the names are there.
    pub ready: bool,
}

impl Offers {
    /// Waits for the answer of this question.
    pub fn asked(&mut self, ticket: Ticket) {
        self.awaits = Some(ticket);
    }

    /// Whether this form offers names at all.
    pub fn wanted(&self) -> bool {
        self.awaits.is_some()
    }

    /// Takes the names.
    pub fn answer(&mut self, ticket: Ticket, all: Vec<Remembered>) {
        if self.awaits == Some(ticket) {
            (self.all, self.ready) = (all, true);
        }
    }

    /// Filters by what is typed now.
    pub fn filter(&mut self, typed: &str) {
        (self.typed, self.picked) = (typed.trim().to_owned(), None);
    }

    /// Those that fit the instance and the filter, and that do not exist there as far as is known.
    pub fn shown(&self, instance: &str, model: &Model) -> Vec<&Remembered> {
        let state = model.instances.iter().find(|state| state.name.as_str() == instance);
        let listing = state.and_then(|state| state.collections.value());
        let exists =
            |one: &Remembered| listing.is_some_and(|listing| listing.items.iter().any(|view| view.address == one.address));
        let typed = self.typed.to_lowercase();
        let fits = |one: &&Remembered| {
            one.address.instance.as_str() == instance
                && encode(one.address.collection.raw()).to_lowercase().contains(&typed)
                && !exists(one)
        };
        self.all.iter().filter(fits).collect()
    }

    /// The picked one among those that are shown.
    pub fn picked(&self) -> Option<usize> {
        self.picked
    }

    /// Picks another one; gives its name.
    pub fn pick(&mut self, motion: Motion, instance: &str, model: &Model) -> Option<String> {
        let names: Vec<String> = self.shown(instance, model).iter().map(|one| encode(one.address.collection.raw())).collect();
        let at = match self.picked {
            Some(at) => moved(at, motion, names.len()),
            None => 0,
        };
        let name = names.into_iter().nth(at)?;
        self.picked = Some(at);
        Some(name)
    }
}
