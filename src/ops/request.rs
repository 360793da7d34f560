//! What is asked for: plain values that can be compared and written down. No verb does anything here; what one does is in
//! [`crate::ops::verbs`]. [`command`] writes each as a command line.

pub mod backups;
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
    /// Restore all collections of a set.
    RestoreAll(restore::RestoreAllRequest),
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
    /// Back up a collection.
    Backup(backups::BackupRequest),
    /// Back up several.
    BackupSeveral(backups::BackupSeveralRequest),
    /// Remove what the retention rules do not keep.
    Prune(backups::PruneRequest),
    /// Read every byte of backups.
    Verify(backups::VerifyRequest),
    /// Rehearse the restore of a backup.
    Drill(backups::DrillRequest),
    /// Delete backups.
    DeleteBackups(backups::DeleteBackupsRequest),
    /// Save the files of a backup.
    Save(backups::SaveRequest),
    /// Say something of a backup.
    Annotate(backups::AnnotateRequest),
}

impl Request {
    /// Its verb.
    pub fn verb(&self) -> Verb {
        match self {
            Self::Create(_) => Verb::Create,
            Self::Download(_) => Verb::Download,
            Self::Discard(_) => Verb::Discard,
            Self::Delete(_) => Verb::Delete,
            Self::Restore(_) | Self::RestoreAll(_) => Verb::Restore,
            Self::Copy(_) | Self::Fleet(_) => Verb::Copy,
            Self::Switch(_) => Verb::Switch,
            Self::Drop(_) => Verb::Drop,
            Self::Revive(_) => Verb::Revive,
            Self::Settle(request) => request.way.verb(),
            Self::Compare(_) => Verb::Compare,
            Self::Backup(_) | Self::BackupSeveral(_) => Verb::Backup,
            Self::Prune(_) => Verb::Prune,
            Self::Verify(_) => Verb::Verify,
            Self::Drill(_) => Verb::Drill,
            Self::DeleteBackups(_) => Verb::Delete,
            Self::Save(_) => Verb::Download,
            Self::Annotate(_) => Verb::Annotate,
        }
    }

    /// Names of the instances that it changes or takes a snapshot on: what is listed of them may be another afterwards.
    pub fn touches(&self) -> Vec<InstanceName> {
        match self {
            Self::Create(request) => vec![request.of.instance().clone()],
            Self::Download(_) | Self::Discard(_) | Self::Compare(_) => vec![],
            Self::Delete(request) => vec![request.of.instance().clone()],
            Self::Restore(request) => match &request.source {
                RecoveryPoint::Snapshot(address, _) => vec![address.instance.clone(), request.target.instance.clone()],
                _ => vec![request.target.instance.clone()],
            },
            Self::RestoreAll(request) => vec![request.to.clone()],
            Self::Copy(request) => vec![request.source.instance.clone(), request.target.instance.clone()],
            Self::Fleet(request) => vec![request.from.clone(), request.to.clone()],
            Self::Switch(request) => vec![request.to.instance.clone()],
            Self::Drop(request) => vec![request.address.instance.clone()],
            Self::Revive(request) => vec![request.address.instance.clone()],
            Self::Backup(request) => vec![request.address.instance.clone()],
            Self::BackupSeveral(backups::BackupSeveralRequest { of, .. }) | Self::Prune(backups::PruneRequest { of, .. }) => {
                of.instances()
            }
            Self::Drill(request) => vec![request.on.clone(), request.backup.collection.instance.clone()],
            Self::DeleteBackups(request) => vec![request.collection.instance.clone()],
            Self::Annotate(request) => vec![request.backup.collection.instance.clone()],
            Self::Verify(backups::VerifyRequest { which: backups::Verifying::One(backup) }) => {
                vec![backup.collection.instance.clone()]
            }
            Self::Verify(_) | Self::Save(_) => vec![],
            // Which instances it concerns stands in the journal only.
            Self::Settle(_) => vec![],
        }
    }
}
