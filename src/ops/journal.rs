//! An append-only record of each operation on disk: every step before and after it happens, so that
//! after a crash it can be said what was done and what was left behind.
//!
//! One file an operation, `journal/<time>-<id>.ndjson`, one JSON object a line, synced line by line.

use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::time::compact;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The folder of all records.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    next: AtomicU64,
}

/// The open record of one operation.
#[derive(Debug)]
pub struct Record {
    file: File,
    path: PathBuf,
}

impl Journal {
    /// Records go to `<state>/journal`.
    pub fn new(state_dir: &Path) -> Self {
        Self { folder: state_dir.join("journal"), next: AtomicU64::new(0) }
    }

    /// Begins a record. An operation whose journal cannot be written does not start.
    pub fn begin(&self, at: Timestamp, operation: &str, source: &str, target: &str) -> Result<Record, Problem> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.join(format!("{}-{:x}-{number}.ndjson", compact(at), std::process::id()));
        let open = || -> std::io::Result<File> {
            std::fs::create_dir_all(&self.folder)?;
            OpenOptions::new().create_new(true).append(true).open(&path)
        };
        let file = open().map_err(|error| problem(&path, &error))?;
        let mut record = Record { file, path };
        record.write(at, json!({"event": "begin", "operation": operation, "source": source, "target": target}))?;
        Ok(record)
    }
}

impl Record {
    /// A step is about to happen.
    pub fn step_begins(&mut self, at: Timestamp, step: &str, detail: &str) -> Result<(), Problem> {
        self.write(at, json!({"event": "step", "step": step, "detail": detail}))
    }

    /// A step is over.
    pub fn step_ends(&mut self, at: Timestamp, step: &str, result: &str) -> Result<(), Problem> {
        self.write(at, json!({"event": "step-end", "step": step, "result": result}))
    }

    /// Something exists now that should not stay for ever.
    pub fn left_behind(&mut self, at: Timestamp, thing: &str) -> Result<(), Problem> {
        self.write(at, json!({"event": "left-behind", "thing": thing}))
    }

    /// The operation is over.
    pub fn end(&mut self, at: Timestamp, result: &str) -> Result<(), Problem> {
        self.write(at, json!({"event": "end", "result": result}))
    }

    fn write(&mut self, at: Timestamp, mut event: Value) -> Result<(), Problem> {
        event["at"] = json!(at.to_string());
        let line = format!("{event}\n");
        let written = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data());
        written.map_err(|error| problem(&self.path, &error))
    }
}

fn problem(path: &Path, error: &std::io::Error) -> Problem {
    Problem::new(ProblemKind::Failed, format!("the journal cannot be written: {error}"), path.display().to_string())
        .advise("free some space or set XDG_STATE_HOME to a folder that can be written; without a journal nothing is started")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_is_on_disk_before_it_happens() {
        let dir = tempfile::tempdir().unwrap();
        let at: Timestamp = "2026-11-22T03:00:00Z".parse().unwrap();
        let mut record = Journal::new(dir.path()).begin(at, "copy", "a/x", "b/x").unwrap();
        record.step_begins(at, "snapshot", "take it").unwrap();
        let text = std::fs::read_to_string(&record.path).unwrap();
        let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!(
            (&last["event"], &last["step"], &last["at"]),
            (&json!("step"), &json!("snapshot"), &json!("2026-11-22T03:00:00Z"))
        );
    }

    #[test]
    fn no_journal_no_operation() {
        let journal = Journal::new(Path::new("/proc/no-such-place"));
        let problem = journal.begin(Timestamp::UNIX_EPOCH, "copy", "a", "b").unwrap_err();
        assert!(problem.advice.contains("XDG_STATE_HOME"));
    }
}
