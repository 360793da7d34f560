//! What is kept on disk about operations: one record each, `journal/<id>.ndjson`, with every step before and after it happens
//! and everything that was made on the way, so that after a crash it can be said what was done and what was left behind.
//!
//! [`event`] has the lines, [`record`] writes them, [`past`] folds them to what one operation amounts to, [`history`] finds
//! records. Beside them: who works on what ([`claim`]), recorded proofs ([`proofs`]), interrupted downloads ([`downloads`]).
//! What is decided about an operation that broke off is for the verb `settle`.

pub mod claim;
mod closed;
mod done;
pub mod downloads;
pub mod event;
pub mod history;
pub mod incident;
mod marks;
mod parts;
pub mod past;
pub mod proofs;
pub mod reading;
pub mod record;
mod retire;
pub(in crate::ops) mod safeties;
pub(in crate::ops) mod step_names;
pub mod ways;

use crate::domain::problem::{Problem, ProblemKind};
use crate::ops::journal::closed::Closed;
use crate::ops::journal::event::{Begin, Event};
use crate::ops::journal::record::{Opening, Record, append, unwritable};
use crate::ops::journal::safeties::beyond_instance;
use jiff::Timestamp;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The folder of all records.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    operator: String,
    /// The guard in whose command this runs, by its snapshot.
    inside: Option<String>,
    next: AtomicU64,
    /// How long records of what is done are kept; for ever without it.
    keeps: Option<Duration>,
    /// What was read of records that will hardly change any more.
    pub(in crate::ops) closed: Closed,
}

impl Journal {
    /// Records go to `<state>/journal`; `operator` is who works here, such as `ada@bastion`.
    pub fn new(state_dir: &Path, operator: &str) -> Self {
        Self {
            folder: state_dir.join("journal"),
            operator: operator.to_owned(),
            inside: None,
            next: AtomicU64::new(0),
            keeps: None,
            closed: Closed::default(),
        }
    }

    /// The same, for what runs in a guarded command.
    pub fn inside(self, guard: Option<String>) -> Self {
        Self { inside: guard, ..self }
    }

    /// The same, which forgets what was done longer ago.
    pub fn keeping(self, keeps: Duration) -> Self {
        Self { keeps: Some(keeps), ..self }
    }

    /// Where the records are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where records lie of operations that are over and done.
    pub fn done_folder(&self) -> PathBuf {
        self.folder.join(done::DONE)
    }

    /// Where it is written who works on what.
    pub(in crate::ops) fn claims(&self) -> PathBuf {
        self.folder.join("claims")
    }

    /// Who works here.
    pub(in crate::ops) fn operator(&self) -> &str {
        &self.operator
    }

    /// The file of a record, wherever it lies.
    pub(in crate::ops) fn path_of(&self, id: &str) -> PathBuf {
        done::find(&self.done_folder(), id).unwrap_or_else(|| self.folder.join(format!("{id}.ndjson")))
    }

    /// Whether records can be written, as far as rights tell. Makes nothing.
    ///
    /// # Errors
    /// When they cannot: then no operation can start.
    pub fn check(&self) -> Result<(), Problem> {
        use rustix::fs::Access;
        // Of a folder that is not there yet, the one that it would be made in.
        let there = self.folder.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
        let allowed = rustix::fs::access(there, Access::WRITE_OK | Access::EXEC_OK).map_err(std::io::Error::from);
        let is_folder = if there.is_dir() { Ok(()) } else { Err(std::io::Error::from(rustix::io::Errno::NOTDIR)) };
        is_folder.and(allowed).map_err(|error| unwritable(there, &error))
    }

    /// Begins a record. An operation whose journal cannot be written does not start.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn begin(&self, at: Timestamp, opening: &Opening) -> Result<Record, Problem> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{:x}-{number}.ndjson", to_the_millisecond(at), std::process::id());
        let record = Record::create(self.folder.join(name))?;
        let begin = Begin {
            operation: opening.operation.to_owned(),
            source: opening.source.clone(),
            target: opening.target.clone(),
            command: opening.command.clone(),
            who: self.operator.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            request: opening.request.clone(),
            part_of: opening.part_of.clone(),
            inside: self.inside.clone(),
        };
        record.write(at, Event::Begin(Box::new(begin)))?;
        self.forget_old(at);
        Ok(record)
    }

    /// Keeps an older record to oneself, as long as what is given lives.
    ///
    /// # Errors
    /// When another process has it.
    pub fn hold(&self, id: &str) -> Result<File, Problem> {
        let path = self.path_of(id);
        let file = OpenOptions::new().append(true).open(&path).map_err(|error| unwritable(&path, &error))?;
        // Readers hold theirs for a moment.
        for _ in 0..5 {
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => std::thread::sleep(std::time::Duration::from_millis(40)),
                _ => return Ok(file),
            }
        }
        let words = "another process works on it, or settles it";
        Err(Problem::new(ProblemKind::Refused, words, id).advise("wait for it; `qsnap history` shows how it ended"))
    }

    /// Notes on an older record that another operation settled what it had left open.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub fn settle(&self, at: Timestamp, id: &str, how: &str, by: &str) -> Result<(), Problem> {
        append(&self.path_of(id), at, Event::Settled { how: how.to_owned(), by: by.to_owned() })
    }

    /// Notes on an older record that something it made is gone.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub fn gone(&self, at: Timestamp, id: &str, thing: &str) -> Result<(), Problem> {
        append(&self.path_of(id), at, Event::Gone { thing: thing.to_owned() })?;
        // Its record may have moved, and its mark with it.
        let index = marks::path(&self.folder);
        if index.exists() {
            marks::write(&self.folder, &[('-', beyond_instance(thing))]).map_err(|error| unwritable(&index, &error))?;
        }
        Ok(())
    }
}

/// Sorts by time, also within a second.
fn to_the_millisecond(at: Timestamp) -> String {
    at.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y%m%dT%H%M%S%3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn opening() -> Opening {
        Opening::new("copy", "a/x", "b/x")
    }

    #[test]
    fn whether_records_can_be_written_is_known_without_making_anything() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("a/b");
        assert_eq!(Journal::new(&state, "ada").check(), Ok(()));
        assert!(!dir.path().join("a").exists(), "nothing is made by asking");
        std::fs::write(dir.path().join("a"), "a file").unwrap();
        let problem = Journal::new(&state, "ada").check().unwrap_err();
        assert!(problem.on.ends_with("/a") && problem.message.contains("cannot be written"), "{problem:?}");
    }

    #[test]
    fn each_step_is_on_disk_before_it_happens() {
        let dir = tempfile::tempdir().unwrap();
        let at: Timestamp = "2026-11-22T03:00:00Z".parse().unwrap();
        let record = Journal::new(dir.path(), "ada@bastion").begin(at, &opening()).unwrap();
        record.step_begins(at, "snapshot", "take it").unwrap();
        let text = std::fs::read_to_string(dir.path().join(format!("journal/{}.ndjson", record.id()))).unwrap();
        let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!(
            (&last["event"], &last["step"], &last["at"]),
            (&json!("step"), &json!("snapshot"), &json!("2026-11-22T03:00:00Z"))
        );
    }

    #[test]
    fn no_journal_no_operation() {
        let journal = Journal::new(Path::new("/proc/no-such-place"), "");
        let problem = journal.begin(Timestamp::UNIX_EPOCH, &opening()).unwrap_err();
        assert!(problem.advice.contains("XDG_STATE_HOME"));
    }
}
