//! What a wizard is for, as keys, the guide and lists of choices say it.

use crate::domain::address::{CollectionAddress, Which};
use crate::domain::ids::{CollectionName, InstanceName, SnapshotName};
use crate::ops::request::Request;
use crate::ops::request::recovery_point::RecoveryPoint;
use crate::ops::request::snapshots::{CreateRequest, DeleteRequest, DiscardRequest, DownloadRequest};
use std::path::PathBuf;

/// What a wizard is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Download a recovery point.
    Download(CollectionAddress, SnapshotName),
    /// Upload a file and restore it; the collection that it is for, where that is known.
    Upload(Option<CollectionAddress>),
    /// Restore a recovery point.
    Restore(CollectionAddress, Which),
    /// Copy a collection.
    Migrate(CollectionAddress),
    /// Compare a collection with another one, which may be chosen already.
    Compare(CollectionAddress, Option<CollectionAddress>),
    /// Copy several collections of an instance.
    Fleet(InstanceName, Vec<CollectionName>),
    /// Bring back a deleted collection; the instance that is shown.
    Revive(Option<InstanceName>),
    /// Something that is asked for already: nothing is left to fill in.
    Ready(Box<Request>),
}

impl Kind {
    /// Take a snapshot.
    pub fn snapshot(address: CollectionAddress) -> Self {
        Self::ready(Request::Create(CreateRequest { address }))
    }

    /// Delete recovery points.
    pub fn delete(address: CollectionAddress, names: Vec<SnapshotName>) -> Self {
        Self::ready(Request::Delete(DeleteRequest { address, names }))
    }

    /// Go on with an interrupted download.
    pub fn resume(request: DownloadRequest) -> Self {
        Self::ready(Request::Download(request))
    }

    /// Remove what an interrupted download left: the file it would have become.
    pub fn discard(file: PathBuf) -> Self {
        Self::ready(Request::Discard(DiscardRequest { file }))
    }

    /// A request as it stands.
    pub fn ready(request: Request) -> Self {
        Self::Ready(Box::new(request))
    }

    /// What a wizard would be for, to plan a request again.
    pub fn of(request: &Request) -> Self {
        match request {
            Request::Download(DownloadRequest { address, which: Which::Named(name), .. }) => {
                Self::Download(address.clone(), name.clone())
            }
            Request::Restore(request) => match &request.source {
                RecoveryPoint::Snapshot(address, which) => Self::Restore(address.clone(), which.clone()),
                _ => Self::Upload(Some(request.target.clone())),
            },
            Request::Copy(request) => Self::Migrate(request.source.clone()),
            Request::Compare(request) => Self::Compare(request.first.clone(), Some(request.second.clone())),
            request => Self::ready(request.clone()),
        }
    }
}
