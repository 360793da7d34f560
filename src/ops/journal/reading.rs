//! Reading one record, whatever is in its file.

use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::text::{one_line, sanitise};
use crate::ops::journal::past::{Past, fold};
use std::fs::{File, TryLockError};
use std::io::Read;
use std::path::Path;

/// A record has some dozens of short lines; more is not ours.
const MAX_RECORD: u64 = 4 << 20;

/// A record that is there and cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Its id, from the file's name.
    pub id: String,
    /// Where it is.
    pub path: String,
    /// Why not.
    pub why: String,
    /// Safety snapshots that what can be read of it names.
    pub safeties: Vec<String>,
}

impl Unreadable {
    /// In words.
    pub fn words(&self) -> String {
        format!("the record {} cannot be read: {}", self.id, self.why)
    }

    /// As a problem, with what it may mean.
    pub fn problem(&self) -> Problem {
        let message = format!("a record cannot be read: {}", self.why);
        Problem::new(ProblemKind::Failed, message, &self.path).advise(
            "what it was of is not known: an operation may be open, and a safety snapshot unmarked. Mend it from a backup, or move it \
             away once you know",
        )
    }
}

/// Reads one. An empty one is of an operation that did not begin.
pub(super) fn read_record(path: &Path) -> Result<Option<Past>, Unreadable> {
    let id = one_line(&path.file_stem().unwrap_or_default().to_string_lossy(), 60);
    let unreadable = |why: String, safeties: Vec<String>| Unreadable {
        id: id.clone(),
        path: sanitise(&path.display().to_string()),
        why,
        safeties,
    };
    let failed = |error: std::io::Error| unreadable(error.to_string(), Vec::new());
    match path.metadata() {
        // Opening a FIFO would block.
        Ok(meta) if !meta.is_file() => return Err(unreadable("it is not a file".into(), Vec::new())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        _ => {}
    }
    let file = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(failed)?,
    };
    // A shared lock: a writer holds an exclusive one as long as it lives.
    let running = matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
    let mut bytes = Vec::new();
    (&file).take(MAX_RECORD).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    // Half a character of a line that was cut costs that line, and no other.
    let text = String::from_utf8_lossy(&bytes);
    let folded = fold(&id, &text, running);
    match folded.past {
        Some(_) if folded.damaged => Err(unreadable("a part of it is damaged".into(), folded.safeties)),
        Some(past) => Ok(Some(past)),
        // Killed while its first line was written: nothing was begun.
        None if text.starts_with('{') && !text.contains('\n') => Ok(None),
        None => Err(unreadable("its beginning is damaged".into(), folded.safeties)),
    }
}
