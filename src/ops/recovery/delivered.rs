//! How a delivery went, and what a failed one can have done to its target.

use crate::domain::ids::{ShardId, SnapshotName};
use crate::domain::problem::Problem;
use crate::domain::proof::Proof;
use crate::jobs::context::CleanupId;
use crate::ops::request::route::Route;
use crate::qdrant::error::{ApiError, ApiErrorKind};

/// How it went.
#[derive(Debug)]
pub(in crate::ops) struct Delivered {
    pub route: Route,
    pub reason: Option<String>,
    pub bytes: u64,
    /// The file that the target keeps after an upload, and the cleanup that would remove it.
    pub uploaded: Option<(SnapshotName, CleanupId)>,
    /// The connection was lost: that the server restored is not known but from verification.
    pub looked: bool,
    /// Which replicas did not become Active in time, in words.
    pub replicas_late: Option<String>,
    /// Live shards whose node optimized something while they streamed: their latest deletions may be missing.
    pub unsettled: Vec<ShardId>,
    /// What a live source looked like while its shards were streamed.
    pub proof: Option<Box<Proof>>,
}

impl Delivered {
    /// One file, by this route.
    pub(in crate::ops) fn by(route: Route, bytes: u64, looked: bool) -> Self {
        let (reason, uploaded, proof) = (None, None, None);
        Self { route, reason, bytes, uploaded, looked, replicas_late: None, unsettled: Vec::new(), proof }
    }
}

/// What a failed delivery can have done to its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ops) enum Impact {
    /// Nothing, and not even a file can be there: it never got all of it.
    NotSent,
    /// Nothing: the server refused.
    No,
    /// It may have replaced something, and it is over.
    Maybe,
    /// Unknown whether the server is still at work: nothing may be started beside it.
    Unknown,
}

impl Impact {
    /// Whether the target is as it was.
    pub(in crate::ops) fn nothing(self) -> bool {
        matches!(self, Self::NotSent | Self::No)
    }
}

/// Why a delivery failed, and whether the target can be another one now.
#[derive(Debug)]
pub(in crate::ops) struct Broken {
    pub problem: Problem,
    pub impact: Impact,
}

impl Broken {
    /// Nothing reached the target.
    pub(in crate::ops) fn before(problem: Problem) -> Self {
        Self { problem, impact: Impact::NotSent }
    }
}

impl From<Problem> for Broken {
    fn from(problem: Problem) -> Self {
        Self::before(problem)
    }
}

/// What the server refuses it refuses before it touches anything: key, checksum, shape, a source that cannot be
/// fetched (1.16.3, 1.18.3). After its own errors, and when how it ended is unknown, live data may be gone.
pub(in crate::ops) fn impact_of(error: &ApiError) -> Impact {
    match error.kind {
        ApiErrorKind::Unreachable
        | ApiErrorKind::Unauthorized
        | ApiErrorKind::Forbidden
        | ApiErrorKind::Conflict
        | ApiErrorKind::Rejected
        | ApiErrorKind::RateLimited => Impact::No,
        ApiErrorKind::NotFound if error.by_qdrant => Impact::No,
        ApiErrorKind::OutcomeUnknown | ApiErrorKind::Vanished | ApiErrorKind::Timeout => Impact::Unknown,
        _ => Impact::Maybe,
    }
}
