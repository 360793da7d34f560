//! An append-only record of each operation on disk: every step before and after it happens, and everything that
//! was made on the way, so that after a crash it can be said what was done and what was left behind.
//!
//! One file an operation, `journal/<id>.ndjson`, one JSON object a line, synced line by line, locked as long as
//! the operation lives. [`crate::ops::records`] reads them.

use crate::domain::problem::{Problem, ProblemKind};
use crate::ops::parts::Part;
use crate::ops::records::Closed;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The folder of records that are done, in that of all.
pub(in crate::ops) const DONE: &str = "done";

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
        }
    }
}

/// What an operation is about, as its record begins.
#[derive(Debug, Clone)]
pub struct Opening<'a> {
    /// The verb.
    pub operation: &'a str,
    /// From where.
    pub source: &'a str,
    /// To where.
    pub target: &'a str,
    /// The same on the command line.
    pub command: &'a str,
    /// What was asked for, for operations that can be taken up again.
    pub spec: Value,
    /// The operation that this is a part of, by its id.
    pub part_of: Option<&'a str>,
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
    #[serde(default)]
    pub spec: Value,
    /// What it made and nobody removed.
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

/// The folder of all records.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    operator: String,
    /// The guard in whose command this runs, by its snapshot.
    inside: Option<String>,
    next: AtomicU64,
    /// What was read of records that will hardly change any more.
    pub(in crate::ops) closed: Closed,
}

/// The open record of one operation. Clones write to the same file.
#[derive(Debug, Clone)]
pub struct Record(Arc<Open>);

#[derive(Debug)]
struct Open {
    file: Mutex<Line>,
    path: PathBuf,
}

#[derive(Debug)]
struct Line {
    /// `None` writes nowhere.
    file: Option<File>,
    /// The line before was not written whole.
    broken: bool,
}

impl Journal {
    /// Records go to `<state>/journal`; `operator` is who works here, such as `ada@bastion`.
    pub fn new(state_dir: &Path, operator: &str) -> Self {
        Self {
            folder: state_dir.join("journal"),
            operator: operator.to_owned(),
            inside: None,
            next: AtomicU64::new(0),
            closed: Closed::default(),
        }
    }

    /// The same, for what runs in a guarded command.
    pub fn inside(self, guard: Option<String>) -> Self {
        Self { inside: guard, ..self }
    }

    /// Where the records are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where records lie of operations that are over and done.
    pub fn done_folder(&self) -> PathBuf {
        self.folder.join(DONE)
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
        let name = format!("{id}.ndjson");
        let done = self.done_folder().join(&name);
        if done.is_file() { done } else { self.folder.join(name) }
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
        is_folder.and(allowed).map_err(|error| problem(there, &error))
    }

    /// Begins a record. An operation whose journal cannot be written does not start.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn begin(&self, at: Timestamp, opening: &Opening<'_>) -> Result<Record, Problem> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.join(format!("{}-{:x}-{number}.ndjson", to_the_millisecond(at), std::process::id()));
        let open = || -> std::io::Result<File> {
            std::fs::create_dir_all(&self.folder)?;
            let file = OpenOptions::new().create_new(true).append(true).open(&path)?;
            // Whoever reads it sees by the lock that the operation lives; readers hold theirs for a moment only. Where files
            // cannot be locked it reads as broken off while it runs; plans then find the server busy.
            let _ = file.lock();
            Ok(file)
        };
        let file = open().map_err(|error| problem(&path, &error))?;
        let record = Record(Arc::new(Open { file: Mutex::new(Line { file: Some(file), broken: false }), path }));
        record.write(
            at,
            json!({"event": "begin", "operation": opening.operation, "source": opening.source, "target": opening.target,
                "command": opening.command, "who": self.operator, "version": env!("CARGO_PKG_VERSION"), "spec": opening.spec,
                "part_of": opening.part_of, "inside": self.inside}),
        )?;
        Ok(record)
    }

    /// A record that is kept nowhere, for what only reads: that must be possible where nothing can be written.
    pub fn nowhere() -> Record {
        Record(Arc::new(Open { file: Mutex::new(Line { file: None, broken: false }), path: PathBuf::new() }))
    }

    /// Keeps an older record to oneself, as long as what is given lives.
    ///
    /// # Errors
    /// When another process has it.
    pub fn hold(&self, id: &str) -> Result<File, Problem> {
        let path = self.path_of(id);
        let file = OpenOptions::new().append(true).open(&path).map_err(|error| problem(&path, &error))?;
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
        self.append(at, id, json!({"event": "settled", "how": how, "by": by}))
    }

    /// Notes on an older record that something it made is gone.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub fn gone(&self, at: Timestamp, id: &str, thing: &str) -> Result<(), Problem> {
        self.append(at, id, json!({"event": "gone", "thing": thing}))
    }

    fn append(&self, at: Timestamp, id: &str, mut line: Value) -> Result<(), Problem> {
        let path = self.path_of(id);
        line["at"] = json!(at.to_string());
        let write = || -> std::io::Result<()> {
            let mut file = OpenOptions::new().append(true).open(&path)?;
            // A killed process may have left half a line.
            file.write_all(format!("\n{line}\n").as_bytes())?;
            file.sync_data()
        };
        write().map_err(|error| problem(&path, &error))
    }
}

/// Sorts by time, also within a second.
fn to_the_millisecond(at: Timestamp) -> String {
    at.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y%m%dT%H%M%S%3fZ").to_string()
}

impl Record {
    /// Names the operation: the file's name without its ending.
    pub fn id(&self) -> String {
        self.0.path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// What it consists of, before any of it begins.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn parts(&self, at: Timestamp, parts: &[Part]) -> Result<(), Problem> {
        self.write(at, json!({"event": "parts", "parts": parts}))
    }

    /// A step is about to happen.
    ///
    /// # Errors
    /// When it cannot be written; so for all that follow.
    pub fn step_begins(&self, at: Timestamp, step: &str, detail: &str) -> Result<(), Problem> {
        self.write(at, json!({"event": "step", "step": step, "detail": detail}))
    }

    /// A step is over.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn step_ends(&self, at: Timestamp, step: &str, result: &str) -> Result<(), Problem> {
        self.write(at, json!({"event": "step-end", "step": step, "result": result}))
    }

    /// Something is about to exist that was not there before.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn made(&self, at: Timestamp, kind: Made, thing: &str) -> Result<(), Problem> {
        self.write(at, json!({"event": "made", "kind": kind, "thing": thing}))
    }

    /// From here on the server may replace data, whether anybody listens or not.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn handed_over(&self, at: Timestamp) -> Result<(), Problem> {
        self.write(at, json!({"event": "handed-over"}))
    }

    /// The server refused what was handed over, before it touched anything.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn handed_back(&self, at: Timestamp) -> Result<(), Problem> {
        self.write(at, json!({"event": "handed-back"}))
    }

    /// A snapshot is about to be taken of a collection that has these: a server that is asked goes on when its client dies.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn taking(&self, at: Timestamp, kind: Made, collection: &str, known: &[&str]) -> Result<(), Problem> {
        self.write(at, json!({"event": "taking", "kind": kind, "collection": collection, "known": known}))
    }

    /// It was not taken after all, or is gone again.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn not_taken(&self, at: Timestamp, collection: &str) -> Result<(), Problem> {
        self.write(at, json!({"event": "not-taken", "collection": collection}))
    }

    /// It goes on with an operation that broke off, and what that left is its own from now on: all in one line, so that at
    /// every moment exactly one of the two has it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn takes_up(&self, at: Timestamp, taken: &TakenUp) -> Result<(), Problem> {
        let mut event = json!(taken);
        event["event"] = json!("takes-up");
        self.write(at, event)
    }

    /// It is gone again.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn gone(&self, at: Timestamp, thing: &str) -> Result<(), Problem> {
        self.write(at, json!({"event": "gone", "thing": thing}))
    }

    /// The operation is over; `report` is all that a later reader wants to know.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn end(&self, at: Timestamp, result: &str, report: Value) -> Result<(), Problem> {
        self.write(at, json!({"event": "end", "result": result, "report": report}))
    }

    fn write(&self, at: Timestamp, mut event: Value) -> Result<(), Problem> {
        event["at"] = json!(at.to_string());
        let mut open = self.0.file.lock().unwrap_or_else(PoisonError::into_inner);
        // What a full disk cut off must not swallow this line too.
        let line = format!("{}{event}\n", if open.broken { "\n" } else { "" });
        let Some(file) = &mut open.file else { return Ok(()) };
        let written = file.write_all(line.as_bytes()).and_then(|()| file.sync_data());
        open.broken = written.is_err();
        written.map_err(|error| problem(&self.0.path, &error))
    }
}

fn problem(path: &Path, error: &std::io::Error) -> Problem {
    Problem::new(ProblemKind::Failed, format!("the journal cannot be written: {error}"), path.display().to_string())
        .advise("free some space or set XDG_STATE_HOME to a folder that can be written; without a journal nothing is started")
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPENING: Opening<'_> =
        Opening { operation: "copy", source: "a/x", target: "b/x", command: "", spec: Value::Null, part_of: None };

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
        let record = Journal::new(dir.path(), "ada@bastion").begin(at, &OPENING).unwrap();
        record.step_begins(at, "snapshot", "take it").unwrap();
        let text = std::fs::read_to_string(&record.0.path).unwrap();
        let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!(
            (&last["event"], &last["step"], &last["at"]),
            (&json!("step"), &json!("snapshot"), &json!("2026-11-22T03:00:00Z"))
        );
    }

    #[test]
    fn no_journal_no_operation() {
        let journal = Journal::new(Path::new("/proc/no-such-place"), "");
        let problem = journal.begin(Timestamp::UNIX_EPOCH, &OPENING).unwrap_err();
        assert!(problem.advice.contains("XDG_STATE_HOME"));
    }
}
