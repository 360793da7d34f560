//! Data that the panes share. Components keep only what they show, never copies of this.

use crate::domain::address::CollectionAddress;
use crate::domain::ids::{CollectionName, InstanceName};
use crate::domain::instance::{Instance, Protection};
use crate::domain::problem::Problem;
use crate::ops::list::{CollectionView, InstanceView, Listing, RecoveryPoint};
use crate::tui::event::{Now, Ticket};
use crate::tui::jobs::Jobs;
use crate::tui::surroundings::Surroundings;
use std::collections::BTreeMap;

/// Something that is asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Loadable<T> {
    /// Not asked yet.
    Never,
    /// Asked; what was known before is still shown.
    Loading {
        /// Which question.
        ticket: Ticket,
        /// What was known.
        stale: Option<T>,
    },
    /// Known.
    Ready {
        /// What.
        value: T,
    },
    /// The question failed; what was known before is still shown.
    Failed {
        /// Why.
        problem: Problem,
        /// When.
        at: Now,
        /// What was known.
        stale: Option<T>,
    },
}

impl<T> Loadable<T> {
    /// What is known, however old.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Never => None,
            Self::Loading { stale, .. } | Self::Failed { stale, .. } => stale.as_ref(),
            Self::Ready { value } => Some(value),
        }
    }

    /// Why the last question failed.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Failed { problem, .. } => Some(problem),
            _ => None,
        }
    }

    /// Whether an answer is awaited.
    pub fn is_loading(&self) -> bool {
        matches!(self, Self::Loading { .. })
    }

    /// Begins a question.
    pub fn ask(&mut self, ticket: Ticket) {
        let stale = match std::mem::replace(self, Self::Never) {
            Self::Never => None,
            Self::Loading { stale, .. } | Self::Failed { stale, .. } => stale,
            Self::Ready { value } => Some(value),
        };
        *self = Self::Loading { ticket, stale };
    }

    /// Takes an answer, if it is the one that is awaited.
    pub fn answer(&mut self, ticket: Ticket, result: Result<T, Problem>, at: Now) {
        let Self::Loading { ticket: awaited, stale } = self else { return };
        if *awaited != ticket {
            return;
        }
        let stale = stale.take();
        *self = match result {
            Ok(value) => Self::Ready { value },
            Err(problem) => Self::Failed { problem, at, stale },
        };
    }
}

/// One instance and what is known of it.
#[derive(Debug)]
pub struct InstanceState {
    /// Name.
    pub name: InstanceName,
    /// How careful to be.
    pub protection: Protection,
    /// Limit of its transfers, in bytes per second.
    pub limit_rate: Option<u64>,
    /// Whether it answers.
    pub view: Loadable<InstanceView>,
    /// Its collections.
    pub collections: Loadable<Listing<CollectionView>>,
    /// Recovery points by collection.
    pub points: BTreeMap<CollectionName, Loadable<Listing<RecoveryPoint>>>,
}

/// Everything the panes show.
#[derive(Debug)]
pub struct Model {
    /// All instances, in the order of the configuration.
    pub instances: Vec<InstanceState>,
    /// The one that is shown.
    pub current: usize,
    /// Jobs.
    pub jobs: Jobs,
    /// Where the program runs.
    pub surroundings: Surroundings,
    /// The time of the last event.
    pub now: Now,
    next_ticket: u64,
}

impl Model {
    /// Nothing known yet.
    pub fn new(instances: &[Instance], now: Now) -> Self {
        let states = instances.iter().map(|instance| InstanceState {
            name: instance.name.clone(),
            protection: instance.protection,
            limit_rate: instance.transfers.limit_rate,
            view: Loadable::Never,
            collections: Loadable::Never,
            points: BTreeMap::new(),
        });
        Self {
            instances: states.collect(),
            current: 0,
            jobs: Jobs::default(),
            surroundings: Surroundings::default(),
            now,
            next_ticket: 1,
        }
    }

    /// A ticket that was never used.
    pub fn ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        Ticket(self.next_ticket)
    }

    /// The instance that is shown.
    pub fn instance(&self) -> Option<&InstanceState> {
        self.instances.get(self.current)
    }

    /// An instance by name.
    pub fn instance_mut(&mut self, name: &InstanceName) -> Option<&mut InstanceState> {
        self.instances.iter_mut().find(|state| &state.name == name)
    }

    /// Collections of the instance that is shown.
    pub fn collections(&self) -> &[CollectionView] {
        self.instance().and_then(|state| state.collections.value()).map_or(&[], |listing| &listing.items)
    }

    /// Recovery points of a collection.
    pub fn points(&self, address: &CollectionAddress) -> Option<&Loadable<Listing<RecoveryPoint>>> {
        let state = self.instances.iter().find(|state| state.name == address.instance)?;
        state.points.get(&address.collection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::problem::ProblemKind;
    use std::time::Duration;

    fn now() -> Now {
        Now { mono: Duration::ZERO, wall: jiff::Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn late_answers_are_dropped_and_old_data_stays() {
        let mut list = Loadable::Never;
        list.ask(Ticket(1));
        list.ask(Ticket(2));
        list.answer(Ticket(1), Ok("old"), now());
        assert_eq!(list.value(), None);
        list.answer(Ticket(2), Ok("new"), now());
        assert_eq!(list.value(), Some(&"new"));
        list.ask(Ticket(3));
        assert_eq!(list.value(), Some(&"new"));
        list.answer(Ticket(3), Err(Problem::new(ProblemKind::Unreachable, "x", "")), now());
        assert_eq!((list.value(), list.problem().is_some()), (Some(&"new"), true));
    }
}
