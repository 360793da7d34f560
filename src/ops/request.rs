//! What is asked for: plain values that can be compared and written down. No verb does anything here; what one does is in
//! [`crate::ops::verbs`]. [`command`] writes each as a command line.

pub mod collections;
pub mod command;
pub mod copy;
pub mod guard;
pub mod inspect;
pub mod recovery_point;
pub mod restore;
pub mod route;
pub mod settle;
pub mod skips;
pub mod snapshots;
pub mod verb;

use crate::domain::ids::InstanceName;
use crate::ops::request::recovery_point::RecoveryPoint;
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

    /// Names of the instances that it changes or takes a snapshot on: what is listed of them may be another afterwards.
    pub fn touches(&self) -> Vec<InstanceName> {
        match self {
            Self::Create(request) => vec![request.address.instance.clone()],
            Self::Download(_) | Self::Discard(_) | Self::Compare(_) => vec![],
            Self::Delete(request) => vec![request.address.instance.clone()],
            Self::Restore(request) => match &request.source {
                RecoveryPoint::Snapshot(address, _) => vec![address.instance.clone(), request.target.instance.clone()],
                _ => vec![request.target.instance.clone()],
            },
            Self::Copy(request) => vec![request.source.instance.clone(), request.target.instance.clone()],
            Self::Fleet(request) => vec![request.from.clone(), request.to.clone()],
            Self::Switch(request) => vec![request.to.instance.clone()],
            Self::Drop(request) => vec![request.address.instance.clone()],
            Self::Revive(request) => vec![request.address.instance.clone()],
            // Which instances it concerns stands in the journal only.
            Self::Settle(_) => vec![],
        }
    }
}
