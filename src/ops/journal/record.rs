//! The open record of one operation: one file, one JSON object a line, each synced before the step that it announces, locked as
//! long as the operation lives.

use crate::domain::problem::{Problem, ProblemKind};
use crate::ops::journal::event::{Event, Line, Made, Part, TakenUp, Taking};
use jiff::Timestamp;
use serde_json::Value;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// What an operation is about, as its record begins.
#[derive(Debug, Clone)]
pub struct Opening {
    /// The verb.
    pub operation: &'static str,
    /// From where.
    pub source: String,
    /// To where.
    pub target: String,
    /// The same on the command line.
    pub command: String,
    /// What was asked for, for operations that can be taken up again.
    pub request: Value,
    /// The operation that this is a part of, by its id.
    pub part_of: Option<String>,
}

impl Opening {
    /// One that cannot be taken up again, and is no part of another.
    pub fn new(operation: &'static str, source: &str, target: &str) -> Self {
        Self {
            operation,
            source: source.to_owned(),
            target: target.to_owned(),
            command: String::new(),
            request: Value::Null,
            part_of: None,
        }
    }
}

/// The open record of one operation. Clones write to the same file.
#[derive(Debug, Clone)]
pub struct Record(Arc<Open>);

#[derive(Debug)]
struct Open {
    file: Mutex<Sink>,
    path: PathBuf,
}

#[derive(Debug)]
struct Sink {
    /// `None` writes nowhere.
    file: Option<File>,
    /// The line before was not written whole.
    broken: bool,
}

impl Record {
    /// Makes the file, and whatever folders it needs.
    ///
    /// # Errors
    /// When it cannot be made, or is there already.
    pub(in crate::ops) fn create(path: PathBuf) -> Result<Self, Problem> {
        let open = || -> std::io::Result<File> {
            path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
            let file = OpenOptions::new().create_new(true).append(true).open(&path)?;
            // The lock tells a reader that the operation lives; readers hold theirs for a moment only. Where files
            // cannot be locked it reads as broken off while it runs; plans then find the server busy.
            let _ = file.lock();
            Ok(file)
        };
        let file = open().map_err(|error| unwritable(&path, &error))?;
        Ok(Self(Arc::new(Open { file: Mutex::new(Sink { file: Some(file), broken: false }), path })))
    }

    /// A record that is kept nowhere, for what only reads: that must be possible where nothing can be written.
    pub fn nowhere() -> Self {
        Self(Arc::new(Open { file: Mutex::new(Sink { file: None, broken: false }), path: PathBuf::new() }))
    }

    /// Names the operation: the file's name without its ending.
    pub fn id(&self) -> String {
        self.0.path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// What it consists of, before any of it begins.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn parts(&self, at: Timestamp, parts: &[Part]) -> Result<(), Problem> {
        self.write(at, Event::Parts { parts: parts.to_vec() })
    }

    /// A step is about to happen.
    ///
    /// # Errors
    /// When it cannot be written; so for all that follow.
    pub fn step_begins(&self, at: Timestamp, step: &str, detail: &str) -> Result<(), Problem> {
        self.write(at, Event::Step { step: step.to_owned(), detail: detail.to_owned() })
    }

    /// A step is over.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn step_ends(&self, at: Timestamp, step: &str, result: &str) -> Result<(), Problem> {
        self.write(at, Event::StepEnd { step: step.to_owned(), result: result.to_owned() })
    }

    /// Something is about to exist that was not there before.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn made(&self, at: Timestamp, kind: Made, thing: &str) -> Result<(), Problem> {
        self.write(at, Event::Made { kind, thing: thing.to_owned() })
    }

    /// From here on the server may replace data, whether anybody listens or not.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn handed_over(&self, at: Timestamp) -> Result<(), Problem> {
        self.write(at, Event::HandedOver)
    }

    /// The server refused what was handed over, before it touched anything.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn handed_back(&self, at: Timestamp) -> Result<(), Problem> {
        self.write(at, Event::HandedBack)
    }

    /// A snapshot is about to be taken of a collection that has these: a server that is asked goes on when its client dies.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn taking(&self, at: Timestamp, kind: Made, collection: &str, known: &[&str]) -> Result<(), Problem> {
        let known = known.iter().map(|name| (*name).to_owned()).collect();
        self.write(at, Event::Taking(Taking { kind, collection: collection.to_owned(), known, at: None }))
    }

    /// It was not taken after all, or is gone again.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn not_taken(&self, at: Timestamp, collection: &str) -> Result<(), Problem> {
        self.write(at, Event::NotTaken { collection: collection.to_owned() })
    }

    /// It goes on with an operation that broke off, and what that left is its own from now on: all in one line, so that at
    /// every moment exactly one of the two has it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn takes_up(&self, at: Timestamp, taken: &TakenUp) -> Result<(), Problem> {
        self.write(at, Event::TakesUp(taken.clone()))
    }

    /// It is gone again.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn gone(&self, at: Timestamp, thing: &str) -> Result<(), Problem> {
        self.write(at, Event::Gone { thing: thing.to_owned() })
    }

    /// The operation is over; `report` is all that a later reader wants to know.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn end(&self, at: Timestamp, result: &str, report: Value) -> Result<(), Problem> {
        self.write(at, Event::End { result: result.to_owned(), report })
    }

    pub(in crate::ops) fn write(&self, at: Timestamp, event: Event) -> Result<(), Problem> {
        let mut open = self.0.file.lock().unwrap_or_else(PoisonError::into_inner);
        // What a full disk cut off must not swallow this line too.
        let line = format!("{}{}", if open.broken { "\n" } else { "" }, text(at, event));
        let Some(file) = &mut open.file else { return Ok(()) };
        let written = file.write_all(line.as_bytes()).and_then(|()| file.sync_data());
        open.broken = written.is_err();
        written.map_err(|error| unwritable(&self.0.path, &error))
    }
}

/// Adds an event to a record that another process wrote.
///
/// # Errors
/// When it cannot be written.
pub(in crate::ops) fn append(path: &Path, at: Timestamp, event: Event) -> Result<(), Problem> {
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().append(true).open(path)?;
        // A killed process may have left half a line.
        file.write_all(format!("\n{}", text(at, event)).as_bytes())?;
        file.sync_data()
    };
    write().map_err(|error| unwritable(path, &error))
}

fn text(at: Timestamp, event: Event) -> String {
    // Every event is a map of plain values: it can be written.
    format!("{}\n", serde_json::to_string(&Line { at, event }).unwrap_or_default())
}

pub(in crate::ops) fn unwritable(path: &Path, error: &std::io::Error) -> Problem {
    Problem::new(ProblemKind::Failed, format!("the journal cannot be written: {error}"), path.display().to_string())
        .advise("free some space or set XDG_STATE_HOME to a folder that can be written; without a journal nothing is started")
}
