//! What is asked for of a look into a snapshot.

use crate::ops::request::recovery_point::RecoveryPoint;

/// How much is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// What the end tells: the configuration. A local file is read whole, which costs nothing.
    End,
    /// Every header, by ranges.
    Headers,
    /// Every byte, with its hash.
    Bytes,
}

/// What to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InspectRequest {
    /// Where it is.
    pub point: RecoveryPoint,
    /// How much of it.
    pub depth: Depth,
}
