//! How far a job is. Adding bytes is one atomic add; the front ends sample it.

use crate::domain::size::Unit;
use crate::domain::text::one_line;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Stands for an unknown total in the atomic.
const UNKNOWN: u64 = u64::MAX;

#[derive(Debug)]
struct Phase {
    name: String,
    note: String,
    unit: Unit,
    since: Instant,
}

/// The steps that a job means to do, and the one that it is at.
#[derive(Debug, Default)]
struct Planned {
    names: Vec<&'static str>,
    at: usize,
}

/// Where in its plan a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepAt {
    /// The step that runs, from 1.
    pub at: usize,
    /// How many there are.
    pub of: usize,
}

#[derive(Debug)]
struct Inner {
    done: AtomicU64,
    total: AtomicU64,
    moved: AtomicU64,
    phase: Mutex<Phase>,
    planned: Mutex<Planned>,
}

/// Shared between the work and the front end.
#[derive(Debug, Clone)]
pub struct Progress(Arc<Inner>);

/// One look at a [`Progress`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// What this phase counts.
    pub unit: Unit,
    /// How much of it is done.
    pub done: u64,
    /// Of how many, where that is known.
    pub total: Option<u64>,
    /// Bytes of all phases together.
    pub moved: u64,
    /// What is being done, such as `downloading`.
    pub phase: String,
    /// More about it, such as `retry 2, in 4 s`; may be empty.
    pub note: String,
    /// How long this phase has taken so far.
    pub phase_time: Duration,
    /// Where in its plan it is, once the first planned step began; a plan of one step has no place worth a word.
    pub step: Option<StepAt>,
}

impl Default for Progress {
    fn default() -> Self {
        let phase = Phase { name: String::new(), note: String::new(), unit: Unit::Bytes, since: now() };
        Self(Arc::new(Inner {
            done: AtomicU64::new(0),
            total: AtomicU64::new(UNKNOWN),
            moved: AtomicU64::new(0),
            phase: Mutex::new(phase),
            planned: Mutex::default(),
        }))
    }
}

/// The monotonic clock of progress.
pub fn now() -> Instant {
    Instant::now()
}

impl Progress {
    /// Begins a phase; `total` is in bytes, `None` when it is unknown.
    pub fn phase(&self, name: &str, total: Option<u64>) {
        self.counting(name, total, Unit::Bytes);
    }

    /// Begins a phase that counts something else than bytes.
    pub fn counting(&self, name: &str, total: Option<u64>, unit: Unit) {
        let mut phase = self.0.phase.lock().unwrap_or_else(PoisonError::into_inner);
        *phase = Phase { name: one_line(name, 60), note: String::new(), unit, since: now() };
        self.0.done.store(0, Ordering::Relaxed);
        self.0.total.store(total.unwrap_or(UNKNOWN), Ordering::Relaxed);
    }

    /// Says which steps are planned, by the names that [`Self::step`] is told.
    pub fn plan(&self, names: Vec<&'static str>) {
        *self.planned() = Planned { names, at: 0 };
    }

    /// Begins a step, which is a phase of its own. One that is not in the plan keeps the place of the last one that is.
    pub fn step(&self, name: &str) {
        self.phase(name, None);
        let mut planned = self.planned();
        let from = planned.at;
        if let Some(next) = planned.names.iter().skip(from).position(|planned| *planned == name) {
            planned.at = from + next + 1;
        }
    }

    fn planned(&self) -> MutexGuard<'_, Planned> {
        self.0.planned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says more about the phase.
    pub fn note(&self, note: &str) {
        self.0.phase.lock().unwrap_or_else(PoisonError::into_inner).note = one_line(note, 120);
    }

    /// Counts bytes that moved.
    pub fn add(&self, n: u64) {
        self.0.done.fetch_add(n, Ordering::Relaxed);
        self.0.moved.fetch_add(n, Ordering::Relaxed);
    }

    /// Counts what was looked through but did not move, such as a local file that is hashed.
    pub fn look_through(&self, n: u64) {
        self.0.done.fetch_add(n, Ordering::Relaxed);
    }

    /// Says that `n` bytes of this phase were there before it began.
    pub fn resume(&self, n: u64) {
        self.0.done.store(n, Ordering::Relaxed);
    }

    /// A look at it.
    pub fn sample(&self) -> Sample {
        let phase = self.0.phase.lock().unwrap_or_else(PoisonError::into_inner);
        let total = self.0.total.load(Ordering::Relaxed);
        let planned = self.planned();
        let step = (planned.at > 0 && planned.names.len() > 1).then(|| StepAt { at: planned.at, of: planned.names.len() });
        Sample {
            unit: phase.unit,
            done: self.0.done.load(Ordering::Relaxed),
            total: (total != UNKNOWN).then_some(total),
            moved: self.0.moved.load(Ordering::Relaxed),
            phase: phase.name.clone(),
            note: phase.note.clone(),
            phase_time: phase.since.elapsed(),
            step,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_start_from_zero_and_bytes_add_up() {
        let progress = Progress::default();
        progress.phase("downloading", Some(10));
        progress.add(4);
        progress.phase("restoring", None);
        let sample = progress.sample();
        assert_eq!((sample.done, sample.total, sample.moved), (0, None, 4));
        assert_eq!(sample.phase, "restoring");
    }

    #[test]
    fn steps_are_counted_by_the_plan_and_what_is_not_in_it_moves_nothing() {
        let progress = Progress::default();
        progress.plan(vec!["hash", "restore", "verify"]);
        let at = |name: &str| {
            progress.step(name);
            progress.sample().step.map(|step| (step.at, step.of))
        };
        assert_eq!(progress.sample().step, None);
        assert_eq!(at("restore"), Some((2, 3)));
        assert_eq!(at("put settings back"), Some((2, 3)));
        assert_eq!(at("verify"), Some((3, 3)));
        assert_eq!(at("verify"), Some((3, 3)), "once more is no further");
    }
}
