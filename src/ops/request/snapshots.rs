//! What is asked for of snapshots: to take, download, discard and delete them.

use crate::domain::address::{SnapshotsOf, Which};
use crate::domain::ids::SnapshotName;
use std::path::PathBuf;

/// What to take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateRequest {
    /// Of what.
    pub of: SnapshotsOf,
}

/// What to download, and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DownloadRequest {
    /// Of what.
    pub of: SnapshotsOf,
    /// Which of the snapshots.
    pub which: Which,
    /// A folder, or the file itself.
    pub target: PathBuf,
    /// Whether an existing file may be replaced.
    pub overwrite: bool,
}

/// What to discard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiscardRequest {
    /// The file that the download would have become; its `.part` is removed.
    pub file: PathBuf,
}

/// What to delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteRequest {
    /// Of what.
    pub of: SnapshotsOf,
    /// Which of the snapshots.
    pub names: Vec<SnapshotName>,
}
