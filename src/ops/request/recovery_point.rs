//! A recovery point: anything that data can be restored from, or looked into.

use crate::domain::address::{Address, BackupAddress, CollectionAddress, SnapshotsOf, Which, encode};
use crate::domain::ids::{CollectionName, InstanceName};
use crate::domain::secret::SafeUrl;
use crate::domain::text::sanitise;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Where the data is. Where a snapshot lies on its instance, and whether the point exists at all, is for
/// [`crate::ops::survey`] to find.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecoveryPoint {
    /// A snapshot on a node.
    Snapshot(CollectionAddress, Which),
    /// A backup in a repository.
    Backup(BackupAddress),
    /// A snapshot of the full storage of a node.
    Storage(InstanceName, Which),
    /// One collection in a snapshot of the full storage, which is on a node or a local file.
    Member(Box<RecoveryPoint>, CollectionName),
    /// A local file.
    File(PathBuf),
    /// A file behind a link, such as a presigned one of a bucket. Records do not keep links: they may hold a secret.
    #[serde(skip)]
    Link(SafeUrl),
    /// Standard input, read once from its first byte to its last.
    #[serde(skip)]
    Stdin,
}

impl RecoveryPoint {
    /// The collection that it is of, where its address says that.
    pub fn collection(&self) -> Option<&CollectionAddress> {
        match self {
            Self::Snapshot(address, _) => Some(address),
            Self::Backup(address) => Some(&address.collection),
            Self::Storage(..) | Self::Member(..) | Self::File(_) | Self::Link(_) | Self::Stdin => None,
        }
    }

    /// A snapshot on a node.
    pub fn snapshot(of: &SnapshotsOf, which: Which) -> Self {
        match of {
            SnapshotsOf::Collection(address) => Self::Snapshot(address.clone(), which),
            SnapshotsOf::Storage(instance) => Self::Storage(instance.clone(), which),
        }
    }

    /// Of what it is a snapshot or a backup, where its address says that.
    pub fn snapshots_of(&self) -> Option<SnapshotsOf> {
        match self {
            Self::Storage(instance, _) => Some(SnapshotsOf::Storage(instance.clone())),
            other => other.collection().cloned().map(SnapshotsOf::Collection),
        }
    }

    /// The instance that it is of, where its address says that.
    pub fn instance(&self) -> Option<&InstanceName> {
        match self {
            Self::Storage(instance, _) => Some(instance),
            Self::Member(whole, _) => whole.instance(),
            other => other.collection().map(|address| &address.instance),
        }
    }

    /// One collection in it.
    pub fn member(&self, collection: &CollectionName) -> Self {
        Self::Member(Box::new(self.clone()), collection.clone())
    }

    /// The recovery point that an address names; `None` where it names something else.
    pub fn of(address: Address) -> Option<Self> {
        Some(match address {
            Address::File(path) => Self::File(path),
            Address::Snapshot(address, which) => Self::Snapshot(address, which),
            Address::Backup(address) => Self::Backup(address),
            Address::Storage(instance, which) => Self::Storage(instance, which),
            Address::Member(whole, collection) => Self::of(*whole)?.member(&collection),
            Address::Instance(_) | Address::Collection(_) => return None,
        })
    }
}

impl std::fmt::Display for RecoveryPoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => f.write_str(&sanitise(&path.display().to_string())),
            Self::Snapshot(address, which) => write!(f, "{}", Address::Snapshot(address.clone(), which.clone())),
            Self::Backup(address) => write!(f, "{address}"),
            Self::Storage(instance, which) => write!(f, "{}", Address::Storage(instance.clone(), which.clone())),
            Self::Member(whole, collection) => write!(f, "{whole}#{}", encode(collection.raw())),
            Self::Link(url) => write!(f, "{url}"),
            Self::Stdin => f.write_str("standard input"),
        }
    }
}
