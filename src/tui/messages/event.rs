//! Everything that may wake the app.

use crate::domain::address::{CollectionAddress, SnapshotsOf};
use crate::domain::ids::InstanceName;
use crate::domain::problem::Problem;
use crate::domain::request_log::Exchange;
use crate::jobs::row::{JobId, JobRow};
use crate::ops::journal::downloads::Interrupted;
use crate::ops::journal::past::Past;
use crate::ops::plan::Plan;
use crate::ops::report::Report;
use crate::ops::survey::inspect::Inspected;
use crate::ops::survey::listing::{CollectionView, InstanceView, Listing, RecoveryPointView};
use crate::ops::survey::remembered::Remembered;
use crate::ops::survey::shard_map::ShardMap;
use crate::ops::survey::watch::Watch;
use crate::tui::keys::action::Motion;
use crossterm::event::KeyEvent;
use jiff::Timestamp;
use std::time::Duration;

/// The time of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Since the program started.
    pub mono: Duration,
    /// UTC.
    pub wall: Timestamp,
}

/// Tells answers of this request from those of an older one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// A key was pressed.
    Key(KeyEvent),
    /// Text was pasted.
    Paste(String),
    /// The window is looked at from now on, or not.
    Focus(bool),
    /// A click on a cell: column and row, from 0.
    Click((u16, u16)),
    /// The wheel, as a motion.
    Wheel(Motion),
    /// The window has another size, in columns and rows.
    Resize(u16, u16),
    /// The state of all jobs.
    Jobs(Vec<JobRow>),
    /// A job is over.
    Finished(JobId, Box<Result<Report, Problem>>),
    /// An answer to a request.
    Data(Ticket, Data),
    /// Time passed while something moves.
    Tick,
    /// The program was stopped and goes on.
    Resumed,
}

/// One request to a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRow {
    /// When it was sent, UTC.
    pub at: Timestamp,
    /// What was sent, and what came of it.
    pub exchange: Exchange,
}

/// An answer.
#[derive(Debug)]
pub enum Data {
    /// To `Effect::Instance`.
    Instance(InstanceName, Box<Result<InstanceView, Problem>>),
    /// To `Effect::Collections`.
    Collections(InstanceName, Result<Listing<CollectionView>, Problem>),
    /// To `Effect::Views`.
    Views(InstanceName, Result<Listing<CollectionView>, Problem>),
    /// To `Effect::Points`.
    Points(SnapshotsOf, Result<Listing<RecoveryPointView>, Problem>),
    /// To `Effect::Shards`.
    Shards(CollectionAddress, Result<ShardMap, Problem>),
    /// To `Effect::Watch`.
    Watch(Box<Watch>),
    /// To `Effect::Plan`.
    Plan(Box<Result<Plan, Problem>>),
    /// To `Effect::Inspect`.
    Inspected(Box<Result<Inspected, Problem>>),
    /// To `Effect::Start`.
    Started(Box<Result<JobId, Problem>>),
    /// To `Effect::Interrupted`.
    Interrupted(Vec<Interrupted>, Vec<Past>),
    /// To `Effect::Remembered`.
    Remembered(Vec<Remembered>),
    /// To `Effect::CheckState`: why it cannot be written.
    State(Option<String>),
    /// To `Effect::History`.
    History(Vec<Past>),
    /// To `Effect::WriteReport`: the file.
    Wrote(Result<String, String>),
    /// To `Effect::Requests`, the newest first.
    Requests(Vec<RequestRow>),
    /// To `Effect::Copy`.
    Copied(Result<(), String>),
}
