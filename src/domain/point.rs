//! Points, as far as proof needs them: an id and everything else.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Id of a point: an unsigned number or a UUID.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PointId {
    /// A number.
    Number(u64),
    /// A UUID, as the server spells it.
    Uuid(String),
}

impl fmt::Display for PointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Uuid(text) => f.write_str(&crate::domain::text::one_line(text, 40)),
        }
    }
}

/// A point that was read: its id, and a digest of everything else. Payload and vectors are not kept: a page of points with
/// 600 kB each would not fit into memory as parsed JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// Its id.
    pub id: PointId,
    /// sha256 over the canonical JSON of payload and vectors, in hex; of nothing where only ids were read.
    pub digest: String,
    /// A vector has a number that JSON cannot say (an infinite float16 arrives as `null`): others may differ from it
    /// unseen.
    pub vague: bool,
}
