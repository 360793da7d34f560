//! What a listing of a repository tells.

use crate::domain::problem::Problem;
use jiff::Timestamp;

/// One object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its key below the root of the repository.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// When it was written, by the clock of the store.
    pub modified: Timestamp,
    /// Tells one version from another.
    pub version: String,
}

/// All that is there.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// Objects that can be read.
    pub entries: Vec<Entry>,
    /// Keys that are not ours and cannot even be named to the store.
    pub strange: Vec<String>,
    /// What could not be listed: at or below which key, and why.
    pub problems: Vec<(String, Problem)>,
}
