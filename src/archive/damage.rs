//! What is wrong with an archive, and how bad that is.

use serde::Serialize;
use std::io;

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(usize)]
pub enum Severity {
    /// It restores, with something to know.
    Look,
    /// Whether it restores could not be judged.
    Doubt,
    /// It does not restore, or not whole.
    Damage,
}

/// The first place where an archive is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// Which entry, as a path through the archives; empty when it is none.
    pub entry: String,
    /// Offset in the file where that entry, or what should be one, starts.
    pub offset: u64,
    /// What is wrong, in words.
    pub what: String,
    /// Nothing is wrong with it, as far as it was read: it is larger than what is judged here.
    pub limit: bool,
}

/// Why a walk stopped.
#[derive(Debug)]
pub enum Stop {
    /// The archive is damaged, or none, or larger than anything sane.
    Damage(Damage),
    /// The bytes could not be had: this says nothing about the archive.
    Source(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Source(error)
    }
}

/// Shorthand of a walk.
pub type Walked<T> = Result<T, Stop>;
