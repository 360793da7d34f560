//! What a wizard is for, as keys, the guide and lists of choices say it.

use crate::domain::address::{BackupAddress, CollectionAddress, SnapshotsOf, Which, WhichBackup};
use crate::domain::ids::{CollectionName, InstanceName};
use crate::ops::request::Request;
use crate::ops::request::backups::{Annotation, DeleteBackupsRequest, VerifyRequest, Verifying};
use crate::ops::request::recovery_point::RecoveryPoint;
use crate::ops::request::restore::Set;
use crate::ops::request::snapshots::{CreateRequest, DeleteRequest, DiscardRequest, DownloadRequest};
use std::path::PathBuf;

/// What a wizard is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Download a recovery point.
    Download(RecoveryPoint),
    /// Back up a collection, or several of one instance.
    Backup(Vec<CollectionAddress>),
    /// Say something of a backup; the words that are proposed.
    Annotate(BackupAddress, Annotation),
    /// Upload a file and restore it; the collection that it is for, where that is known.
    Upload(Option<CollectionAddress>),
    /// Restore a recovery point.
    Restore(RecoveryPoint),
    /// Restore all collections of a set.
    RestoreAll(Set),
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
    pub fn snapshot(of: SnapshotsOf) -> Self {
        Self::ready(Request::Create(CreateRequest { of }))
    }

    /// Read every byte of a backup.
    pub fn verify(address: BackupAddress) -> Self {
        Self::ready(Request::Verify(VerifyRequest { which: Verifying::One(address) }))
    }

    /// Delete recovery points of one collection, all on nodes or all in one repository; `None` where they are mixed.
    pub fn delete(points: &[RecoveryPoint]) -> Option<Self> {
        let (mut names, mut stored) = (Vec::new(), Vec::new());
        for point in points {
            match point {
                RecoveryPoint::Snapshot(_, Which::Named(name)) | RecoveryPoint::Storage(_, Which::Named(name)) => {
                    names.push((point.snapshots_of()?, name.clone()));
                }
                RecoveryPoint::Backup(BackupAddress { repository, collection, which: WhichBackup::Id(id) }) => {
                    stored.push((repository.clone(), collection.clone(), id.clone()));
                }
                _ => return None,
            }
        }
        match (names.as_slice(), stored.as_slice()) {
            ([(of, _), ..], []) if names.iter().all(|(other, _)| other == of) => {
                let of = of.clone();
                let names = names.into_iter().map(|(_, name)| name).collect();
                Some(Self::ready(Request::Delete(DeleteRequest { of, names })))
            }
            ([], [(repository, collection, _), ..]) if stored.iter().all(|(r, c, _)| r == repository && c == collection) => {
                let (repository, collection) = (repository.clone(), collection.clone());
                let ids = stored.into_iter().map(|(_, _, id)| id).collect();
                Some(Self::ready(Request::DeleteBackups(DeleteBackupsRequest { repository, collection, ids })))
            }
            _ => None,
        }
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
            Request::Download(DownloadRequest { of, which: which @ Which::Named(_), .. }) => {
                Self::Download(RecoveryPoint::snapshot(of, which.clone()))
            }
            Request::Save(request) => Self::Download(RecoveryPoint::Backup(request.backup.clone())),
            Request::Annotate(request) => Self::Annotate(request.backup.clone(), request.says.clone()),
            Request::Restore(request) => match &request.source {
                source @ (RecoveryPoint::Snapshot(..) | RecoveryPoint::Backup(_)) => Self::Restore(source.clone()),
                _ => Self::Upload(Some(request.target.clone())),
            },
            Request::RestoreAll(request) => Self::RestoreAll(request.set.clone()),
            Request::Copy(request) => Self::Migrate(request.source.clone()),
            Request::Compare(request) => Self::Compare(request.first.clone(), Some(request.second.clone())),
            request => Self::ready(request.clone()),
        }
    }
}
