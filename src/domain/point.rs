//! Points, as far as proof needs them: an id and everything else.

use serde::{Deserialize, Serialize};
use serde_json::Value;
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

/// A point with payload and vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Its id.
    pub id: PointId,
    /// Its payload; `Null` when it has none.
    pub payload: Value,
    /// Its vector or vectors.
    pub vector: Value,
}
