//! An operation of several, such as the copy of all collections: each part is an operation with a record of its own. The
//! record of the whole names them all before any begins, so that after a kill it can be said which never did.

use crate::domain::text::{one_line, sanitise};
use crate::ops::history::Past;
use serde::{Deserialize, Serialize};

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

/// Tells the wholes among records what their parts became.
pub(in crate::ops) fn attach(all: &mut [Past]) {
    let records: Vec<(String, String, PartRecord)> = all
        .iter()
        .filter_map(|past| {
            let record = PartRecord { id: past.id.clone(), outcome: past.outcome() };
            Some((past.part_of.clone()?, past.target.clone(), record))
        })
        .collect();
    for whole in all.iter_mut().filter(|past| !past.parts.is_empty()) {
        for part in &mut whole.parts {
            let own = records.iter().find(|(of, target, _)| *of == whole.id && *target == part.target);
            part.record = own.map(|(.., record)| record.clone());
        }
    }
}
