//! What is asked for: plain values that can be compared and written down. No verb does anything here; what one does is in
//! [`crate::ops::verbs`]. [`command`] writes each as a command line.

pub mod collections;
pub mod command;
pub mod copy;
pub mod inspect;
pub mod recovery_point;
pub mod restore;
pub mod route;
pub mod settle;
pub mod skips;
pub mod snapshots;
pub mod verb;

use crate::ops::request::verb::Verb;

/// What the user asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Take a snapshot.
    Create(snapshots::CreateRequest),
    /// Download one.
    Download(snapshots::DownloadRequest),
    /// Remove what an interrupted download left.
    Discard(snapshots::DiscardRequest),
    /// Delete some.
    Delete(snapshots::DeleteRequest),
    /// Restore from a snapshot or file.
    Restore(restore::RestoreRequest),
    /// Copy a collection to another instance.
    Copy(copy::CopyRequest),
    /// Copy several collections.
    Fleet(copy::FleetRequest),
    /// Point an alias at another collection.
    Switch(collections::SwitchRequest),
    /// Delete a collection.
    Drop(collections::DropRequest),
    /// Bring back a collection that was deleted, from a snapshot that its node still keeps.
    Revive(collections::ReviveRequest),
    /// Continue, roll back or clean up an operation that did not end well.
    Settle(settle::SettleRequest),
    /// Compare two collections.
    Compare(collections::CompareRequest),
}

impl Request {
    /// Its verb.
    pub fn verb(&self) -> Verb {
        match self {
            Self::Create(_) => Verb::Create,
            Self::Download(_) => Verb::Download,
            Self::Discard(_) => Verb::Discard,
            Self::Delete(_) => Verb::Delete,
            Self::Restore(_) => Verb::Restore,
            Self::Copy(_) | Self::Fleet(_) => Verb::Copy,
            Self::Switch(_) => Verb::Switch,
            Self::Drop(_) => Verb::Drop,
            Self::Revive(_) => Verb::Revive,
            Self::Settle(request) => request.way.verb(),
            Self::Compare(_) => Verb::Compare,
        }
    }
}
