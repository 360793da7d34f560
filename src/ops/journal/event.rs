//! What a record of the journal is made of: one list of events, for the writer and for the reader. Records are read by later
//! versions: events and fields are added, never renamed.

use crate::domain::text::{one_line, sanitise};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What kind of thing an operation made: it decides what becomes of it when the operation breaks off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Made {
    /// A collection for proof only; it can always go.
    Scratch,
    /// A collection under a name that was free before; it goes when the operation failed.
    Collection,
    /// An empty collection that makes the snapshots of a deleted one visible; it goes only while it is empty, and those
    /// snapshots never go with it.
    Empty,
    /// A snapshot of what was about to be overwritten: the way back. It stays.
    Safety,
    /// A snapshot that was taken before a guarded command: the way back, and a recovery point like others.
    Before,
    /// A snapshot that was taken to move data; it can go.
    Snapshot,
    /// A file that a server keeps after an upload; it can go.
    Upload,
    /// The folder of a backup that is not finished; it can go.
    Backup,
}

impl Made {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Scratch => "scratch collection",
            Self::Collection => "collection",
            Self::Empty => "empty collection",
            Self::Safety => "safety snapshot",
            Self::Before => "snapshot of before",
            Self::Snapshot => "temporary snapshot",
            Self::Upload => "uploaded file",
            Self::Backup => "unfinished backup",
        }
    }
}

/// What an operation takes over from one that broke off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenUp {
    /// The one that broke off.
    pub id: String,
    /// It may have left live data between old and new.
    #[serde(default)]
    pub between: bool,
    /// What was asked for then.
    #[serde(default, rename = "spec")]
    pub request: Value,
    /// What it made and was not removed.
    #[serde(default)]
    pub things: Vec<Thing>,
}

/// Something that an operation made and that is still there, as far as the journal knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thing {
    /// What kind of thing.
    pub kind: Made,
    /// Its address.
    pub thing: String,
}

/// A snapshot that a server was asked for, before it answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taking {
    /// What it is for.
    pub kind: Made,
    /// Of which collection, as `instance/collection`.
    pub collection: String,
    /// Snapshots that were there before, by name as the server spells it.
    #[serde(default)]
    pub known: Vec<String>,
    /// When it was asked for; `None` in what was not read from a record.
    #[serde(skip)]
    pub at: Option<Timestamp>,
}

impl Taking {
    /// As it may be shown: records may be written by hand.
    pub(in crate::ops) fn sanitised(self) -> Self {
        Self { collection: crate::domain::text::sanitise(&self.collection), ..self }
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(in crate::ops) enum Event {
    /// The operation begins.
    Begin(Box<Begin>),
    /// What it consists of, before any of it begins.
    Parts { parts: Vec<Part> },
    /// A step is about to happen.
    Step {
        step: String,
        #[serde(default)]
        detail: String,
    },
    /// A step is over.
    StepEnd { step: String, result: String },
    /// Something is about to exist that was not there before.
    Made { kind: Made, thing: String },
    /// It is gone again.
    Gone { thing: String },
    /// A snapshot is about to be taken: a server that is asked goes on when its client dies.
    Taking(Taking),
    /// It was not taken after all, or is gone again.
    NotTaken { collection: String },
    /// From here on the server may replace data, whether anybody listens or not.
    HandedOver,
    /// The server refused what was handed over, before it touched anything.
    HandedBack,
    /// It goes on with an operation that broke off, and what that left is its own from now on: all in one line, so that at every
    /// moment exactly one of the two has it.
    TakesUp(TakenUp),
    /// The operation is over.
    End {
        result: String,
        #[serde(default)]
        report: Value,
    },
    /// Another operation settled what this one had left open.
    Settled {
        how: String,
        #[serde(default)]
        by: String,
    },
}

/// How a record begins.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::ops) struct Begin {
    pub operation: String,
    pub source: String,
    pub target: String,
    /// The same on the command line.
    pub command: String,
    pub who: String,
    /// Of qsnap.
    pub version: String,
    /// What was asked for, for operations that can be taken up again.
    #[serde(rename = "spec")]
    pub request: Value,
    /// The operation that this is a part of, by its id.
    pub part_of: Option<String>,
    /// The guard in whose command this runs, by its snapshot.
    pub inside: Option<String>,
}

/// One line of a record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::ops) struct Line {
    pub at: Timestamp,
    #[serde(flatten)]
    pub event: Event,
}

/// One part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its target.
    pub target: String,
    /// It alone, on the command line.
    pub command: String,
    /// Its own record; `None` when it never began.
    #[serde(skip_deserializing)]
    pub record: Option<PartRecord>,
}

/// What its own record says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartRecord {
    /// Its id.
    pub id: String,
    /// How it stands.
    pub outcome: String,
}

impl Part {
    /// One that did not begin yet.
    pub fn new(target: impl Into<String>, command: impl Into<String>) -> Self {
        Self { target: target.into(), command: command.into(), record: None }
    }

    /// As it may be shown: records may be written by hand.
    pub(in crate::ops) fn sanitised(self) -> Self {
        Self { target: sanitise(&self.target), command: one_line(&self.command, 2_000), record: None }
    }

    /// How it stands, in words.
    pub fn words(&self) -> String {
        match &self.record {
            Some(record) => format!("{}: {} ({})", self.target, record.outcome, record.id),
            None => format!("{}: not begun; `{}`", self.target, self.command),
        }
    }
}
