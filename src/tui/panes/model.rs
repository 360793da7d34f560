//! Data that the panes share. Components keep only what they show, never copies of this.

use crate::domain::address::{CollectionAddress, SnapshotsOf};
use crate::domain::ids::InstanceName;
use crate::domain::instance::{Instance, Protection};
use crate::domain::problem::Problem;
use crate::ops::survey::listing::{CollectionView, InstanceView, Listing, RecoveryPointView};
use crate::ops::survey::shard_map::ShardMap;
use crate::ops::survey::watch::{Watch, Watched};
use crate::tui::messages::event::{Now, Ticket};
use crate::tui::messages::surroundings::Surroundings;
use crate::tui::panes::jobs::Jobs;
use std::collections::BTreeMap;
use std::time::Duration;

/// An answer, and when it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Known<T> {
    /// What.
    pub value: T,
    /// Since the program started.
    pub at: Duration,
}

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
        stale: Option<Known<T>>,
        /// Why the question before failed.
        failed: Option<Problem>,
    },
    /// Known.
    Ready(Known<T>),
    /// The question failed; what was known before is still shown.
    Failed {
        /// Why.
        problem: Problem,
        /// When.
        at: Now,
        /// What was known.
        stale: Option<Known<T>>,
    },
}

impl<T> Loadable<T> {
    /// What is known, however old.
    pub fn value(&self) -> Option<&T> {
        self.known().map(|known| &known.value)
    }

    /// The same, to put it in another order.
    pub fn value_mut(&mut self) -> Option<&mut T> {
        match self {
            Self::Never => None,
            Self::Loading { stale, .. } | Self::Failed { stale, .. } => stale.as_mut(),
            Self::Ready(known) => Some(known),
        }
        .map(|known| &mut known.value)
    }

    fn known(&self) -> Option<&Known<T>> {
        match self {
            Self::Never => None,
            Self::Loading { stale, .. } | Self::Failed { stale, .. } => stale.as_ref(),
            Self::Ready(known) => Some(known),
        }
    }

    /// How old what is known is.
    pub fn age(&self, now: Duration) -> Option<Duration> {
        self.known().map(|known| now.saturating_sub(known.at))
    }

    /// When the last question was answered, or failed.
    pub fn answered(&self) -> Option<Duration> {
        match self {
            Self::Ready(known) => Some(known.at),
            Self::Failed { at, .. } => Some(at.mono),
            Self::Never | Self::Loading { .. } => None,
        }
    }

    /// Why the last question that was answered failed.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Failed { problem, .. } => Some(problem),
            Self::Loading { failed, .. } => failed.as_ref(),
            _ => None,
        }
    }

    /// Whether an answer is awaited.
    pub fn is_loading(&self) -> bool {
        matches!(self, Self::Loading { .. })
    }

    /// Begins a question. What is shown stays as it is until the answer is there.
    pub fn ask(&mut self, ticket: Ticket) {
        let (stale, failed) = match std::mem::replace(self, Self::Never) {
            Self::Never => (None, None),
            Self::Loading { stale, failed, .. } => (stale, failed),
            Self::Failed { stale, problem, .. } => (stale, Some(problem)),
            Self::Ready(known) => (Some(known), None),
        };
        *self = Self::Loading { ticket, stale, failed };
    }
}

impl<T: PartialEq> Loadable<T> {
    /// Takes an answer, if it is the one that is awaited. Says whether it changes what is shown.
    pub fn answer(&mut self, ticket: Ticket, result: Result<T, Problem>, at: Now) -> bool {
        let Self::Loading { ticket: awaited, stale, failed } = self else { return false };
        if *awaited != ticket {
            return false;
        }
        let (stale, failed) = (stale.take(), failed.take());
        let changed = match &result {
            Ok(value) => failed.is_some() || stale.as_ref().is_none_or(|known| known.value != *value),
            Err(problem) => failed.as_ref() != Some(problem),
        };
        *self = match result {
            Ok(value) => Self::Ready(Known { value, at: at.mono }),
            Err(problem) => Self::Failed { problem, at, stale },
        };
        changed
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
    /// Counts changes of what its list holds, and of its order.
    pub version: u64,
    /// Some of its collections are being read.
    pub reading: bool,
    /// A job that moves bytes from or to it alone gets no answer now.
    pub retrying: bool,
    /// Recovery points by collection, and of the full storage.
    pub points: BTreeMap<SnapshotsOf, Loadable<Listing<RecoveryPointView>>>,
    /// Where the shards of the collection are whose page was opened last.
    pub shards: Option<(CollectionAddress, Loadable<ShardMap>)>,
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
    /// How old the last good backup of each collection is.
    pub watch: Loadable<Watch>,
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
            version: 0,
            reading: false,
            retrying: false,
            points: BTreeMap::new(),
            shards: None,
        });
        Self {
            instances: states.collect(),
            current: 0,
            jobs: Jobs::default(),
            watch: Loadable::Never,
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

    /// What the watch says of a collection.
    pub fn watched(&self, address: &CollectionAddress) -> Option<&Watched> {
        self.watch.value()?.items.iter().find(|item| item.address == *address)
    }

    /// Collections of the instance that is shown.
    pub fn collections(&self) -> &[CollectionView] {
        self.instance().and_then(|state| state.collections.value()).map_or(&[], |listing| &listing.items)
    }

    /// Recovery points of a collection, or of the full storage.
    pub fn points(&self, of: &SnapshotsOf) -> Option<&Loadable<Listing<RecoveryPointView>>> {
        let state = self.instances.iter().find(|state| state.name == *of.instance())?;
        state.points.get(of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::problem::ProblemKind;

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

    #[test]
    fn an_answer_that_changes_nothing_says_so_and_age_counts_from_the_last_good_one() {
        let later = |seconds| Now { mono: Duration::from_secs(seconds), ..now() };
        let refused = || Problem::new(ProblemKind::Unreachable, "x", "");
        let mut list = Loadable::Never;
        let mut turn = |result, seconds| {
            list.ask(Ticket(seconds));
            (list.answer(Ticket(seconds), result, later(seconds)), list.age(Duration::from_secs(100)).map(|age| age.as_secs()))
        };
        assert_eq!(turn(Ok("a"), 10), (true, Some(90)));
        assert_eq!(turn(Ok("a"), 20), (false, Some(80)));
        assert_eq!(turn(Err(refused()), 30), (true, Some(80)));
        assert_eq!(turn(Err(refused()), 40), (false, Some(80)), "the same again");
        assert_eq!(turn(Ok("a"), 50), (true, Some(50)), "it answers again");
        assert_eq!(turn(Ok("b"), 60), (true, Some(40)));
    }
}
