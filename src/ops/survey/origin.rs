//! A recovery point that was found: where its bytes are. What was asked for is a [`RecoveryPoint`].

use crate::domain::address::{BackupAddress, CollectionAddress, Which};
use crate::domain::proof::Proof;
use crate::domain::snapshot::SnapshotInfo;
use crate::ops::request::recovery_point::RecoveryPoint;
use crate::ops::services::{Connection, OpenRepository};
use crate::ops::survey::live_shards::LiveShards;
use crate::ops::survey::shard_backup::ShardBackup;
use crate::ops::survey::storage::Member;
use crate::repository::index::Backup;
use crate::repository::manifest::Object;
use std::path::PathBuf;
use std::sync::Arc;

/// Where the bytes are.
#[derive(Clone)]
pub(in crate::ops) enum Origin {
    /// On a node.
    Node { connection: Arc<Connection>, node: usize, address: CollectionAddress, snapshot: SnapshotInfo },
    /// In a repository.
    Backup { open: Arc<OpenRepository>, address: BackupAddress, backup: Arc<Backup>, object: Object, proof: Option<Box<Proof>> },
    /// In a repository, shard by shard.
    Shards(Arc<ShardBackup>),
    /// A live collection, shard by shard.
    Live(Arc<LiveShards>),
    /// In a snapshot of the full storage.
    Member(Arc<Member>),
    /// In a local file; with the hash of its bytes once they were read.
    File { path: PathBuf, size: u64, sha256: Option<String> },
}

impl Origin {
    /// The recovery point by its own name: `latest` may mean another one later. A live collection is none.
    pub(in crate::ops) fn point(&self) -> Option<RecoveryPoint> {
        Some(match self {
            Self::Node { address, snapshot, .. } => RecoveryPoint::Snapshot(address.clone(), Which::Named(snapshot.name.clone())),
            Self::Backup { address, .. } => RecoveryPoint::Backup(address.clone()),
            Self::Shards(shards) => RecoveryPoint::Backup(shards.address.clone()),
            Self::Member(member) => member.point(),
            Self::File { path, .. } => RecoveryPoint::File(path.clone()),
            Self::Live(_) => return None,
        })
    }

    /// Whether each shard is restored by itself.
    pub(in crate::ops) fn by_shards(&self) -> bool {
        matches!(self, Self::Shards(_) | Self::Live(_))
    }
}

impl std::fmt::Debug for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.point(), self) {
            (Some(point), _) => write!(f, "{point}"),
            (None, Self::Live(live)) => write!(f, "{}", live.address),
            (None, _) => f.write_str("a recovery point"),
        }
    }
}
