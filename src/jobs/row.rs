//! What is seen of a job: where it stands, how it ended, and what a cancel would do.

use crate::domain::problem::Problem;
use crate::jobs::progress::Sample;
use std::time::Duration;

/// Identifies a job within the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It did what it should; `good` is false when the result needs a look (a verdict that is no match).
    Succeeded {
        /// One line for the row.
        headline: String,
        /// Whether all is well.
        good: bool,
    },
    /// It failed.
    Failed(Problem),
    /// It was canceled; `cleaned` is false when something stayed behind.
    Canceled {
        /// Whether every cleanup succeeded.
        cleaned: bool,
        /// What was kept on purpose, and how to go on with it.
        kept: Option<String>,
    },
}

/// Where a job stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobState {
    /// Waiting, and for what.
    Queued(String),
    /// Working.
    Running,
    /// Canceled, cleaning up.
    Canceling,
    /// Over.
    Finished(Outcome),
}

/// One job as a row.
#[derive(Debug, Clone)]
pub struct JobRow {
    /// Which.
    pub id: JobId,
    /// What it does, in words.
    pub title: String,
    /// Where it stands.
    pub state: JobState,
    /// How far it is.
    pub sample: Sample,
    /// Since it was started, or how long it took.
    pub elapsed: Duration,
    /// Its name in the journal, once it is written down there.
    pub record: Option<String>,
    /// What a cancel would do now.
    pub on_cancel: OnCancel,
}

/// What a cancel of a job would do now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OnCancel {
    /// It would have to wait: what the server does cannot be stopped.
    pub waits: bool,
    /// It would cancel the parts, each of which is a job of its own.
    pub conducts: bool,
    /// What would be removed.
    pub removes: Vec<String>,
    /// What would be kept on purpose, and what was not touched.
    pub keeps: Option<String>,
}

impl JobRow {
    /// Whether it is over.
    pub fn is_finished(&self) -> bool {
        matches!(self.state, JobState::Finished(_))
    }
}

/// Something changed that must not be missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobEvent {
    /// A job entered another state.
    Changed(JobId),
    /// A job is over.
    Finished(JobId),
}

/// What the result of a job says in its row.
pub trait JobOutput: Send + 'static {
    /// One line, and whether all is well.
    fn headline(&self) -> (String, bool);
}
