//! Names as validated or at least bounded newtypes.
//!
//! A collection or snapshot name comes from a server and is hostile text: the raw value is kept only
//! to be sent back to that server, and everything that is shown goes through [`std::fmt::Display`],
//! which sanitises.

use crate::domain::text::sanitise;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Longest collection name that Qdrant accepts, in characters (REST validation, 1.7 to 1.19).
pub const MAX_COLLECTION_NAME: usize = 255;

/// Name of a configured instance: letters, digits, `.`, `_` and `-`, at most 64.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct InstanceName(String);

impl From<InstanceName> for String {
    fn from(name: InstanceName) -> Self {
        name.0
    }
}

impl TryFrom<String> for InstanceName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::new(&text)
    }
}

impl InstanceName {
    /// Accepts a name, or says why not.
    pub fn new(name: &str) -> Result<Self, String> {
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if name.is_empty() || name.len() > 64 {
            return Err("an instance name has 1 to 64 characters".into());
        }
        if !name.chars().all(legal) {
            return Err(format!("`{}` is not an instance name: letters, digits, `.`, `_` and `-` only", sanitise(name)));
        }
        Ok(Self(name.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InstanceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Name of a collection, as the server spells it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CollectionName(String);

impl CollectionName {
    /// Takes a name as it came; the server is the judge of what it accepts.
    pub fn new(raw: impl Into<String>) -> Self {
        Self(raw.into())
    }

    /// The name to send to a server. Never print this: use `Display`.
    pub fn raw(&self) -> &str {
        &self.0
    }

    /// Why Qdrant would refuse to create a collection of this name, if it would.
    pub fn creation_problem(&self) -> Option<String> {
        if self.0.is_empty() {
            return Some("a collection name cannot be empty".into());
        }
        if self.0.chars().count() > MAX_COLLECTION_NAME {
            return Some(format!("a collection name has at most {MAX_COLLECTION_NAME} characters"));
        }
        let illegal = |c: &char| "<>:\"/\\|?*".contains(*c) || c.is_control();
        match self.0.chars().find(illegal) {
            Some(c) => Some(format!("a collection name cannot contain `{}`", sanitise(&c.to_string()))),
            None if self.0 == "." || self.0 == ".." => Some("a collection cannot be called `.` or `..`".into()),
            None => None,
        }
    }
}

impl fmt::Display for CollectionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&sanitise(&self.0))
    }
}

/// Name of a snapshot file on a node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SnapshotName(String);

impl SnapshotName {
    /// Takes a name as it came.
    pub fn new(raw: impl Into<String>) -> Self {
        Self(raw.into())
    }

    /// The name to send to a server. Never print this: use `Display`.
    pub fn raw(&self) -> &str {
        &self.0
    }

    /// A name that is safe inside a local folder: no separators, no control or bidirectional
    /// characters, no leading dot, at most 200 bytes, ending as the original does.
    ///
    /// A server could send `../../.bashrc`; such a name must not leave the chosen folder.
    pub fn local_file_name(&self) -> String {
        let mut safe: String =
            sanitise(&self.0).chars().map(|c| if matches!(c, '/' | '\\' | ':' | '\u{FFFD}') { '_' } else { c }).collect();
        while safe.starts_with('.') {
            safe.remove(0);
        }
        while safe.len() > 200 {
            safe.remove(0);
        }
        if safe.is_empty() { "unnamed.snapshot".into() } else { safe }
    }
}

impl fmt::Display for SnapshotName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&sanitise(&self.0))
    }
}

/// Raft peer id. It may exceed 2^53, so it never passes through a float.
pub type PeerId = u64;

/// Shard id inside a collection.
pub type ShardId = u32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instance_names_are_strict() {
        assert!(InstanceName::new("prod-eu.1_a").is_ok());
        for bad in ["", "a/b", "a b", "ä", &"x".repeat(65)] {
            assert!(InstanceName::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn local_file_names_stay_in_their_folder() {
        for (raw, safe) in [
            ("../../etc/passwd", "_.._etc_passwd"),
            ("a\\b.snapshot", "a_b.snapshot"),
            ("..", "unnamed.snapshot"),
            ("x\u{1b}[2J.snapshot", "x_[2J.snapshot"),
            ("\u{202e}gpj.snapshot", "_gpj.snapshot"),
            ("good-1.snapshot", "good-1.snapshot"),
        ] {
            assert_eq!(SnapshotName::new(raw).local_file_name(), safe);
        }
        let long = SnapshotName::new(format!("{}.snapshot", "x".repeat(400))).local_file_name();
        assert!(long.len() <= 200 && long.ends_with(".snapshot"));
    }

    #[test]
    fn names_that_qdrant_refuses_are_known() {
        assert!(CollectionName::new("a/b").creation_problem().is_some());
        assert!(CollectionName::new("").creation_problem().is_some());
        assert!(CollectionName::new("x".repeat(256)).creation_problem().is_some());
        assert!(CollectionName::new("日本").creation_problem().is_none());
    }
}
