//! What is asked for of backups in repositories.

use crate::domain::address::{BackupAddress, CollectionAddress};
use crate::domain::backup::{BackupId, RepositoryName};
use crate::domain::ids::InstanceName;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// How data is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KindChoice {
    /// What fits: shards on a cluster, else a snapshot.
    #[default]
    Auto,
    /// A snapshot on every node that holds shards.
    Snapshot,
    /// A stream of one replica of each shard.
    Shards,
}

/// How a backup is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct How {
    /// The snapshots stay on their nodes.
    #[serde(default)]
    pub keep_snapshot: bool,
    /// The kind of copy.
    #[serde(default)]
    pub kind: KindChoice,
    /// Shards are streamed as a whole, and not only what changed.
    #[serde(default)]
    pub full: bool,
    /// How long it waits for the optimizer before it streams shards; `None` for the usual time.
    #[serde(default)]
    pub optimizer_wait: Option<Duration>,
}

/// Back up one collection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupRequest {
    /// Which.
    pub address: CollectionAddress,
    /// Where to; `None` for the usual repository.
    pub repository: Option<RepositoryName>,
    /// How.
    #[serde(flatten)]
    pub how: How,
}

/// Which collections are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Of {
    /// These.
    Collections(Vec<CollectionAddress>),
    /// All of these instances; of every instance when there are none.
    Instances(Vec<InstanceName>),
}

impl Of {
    /// Whether a collection is one of them.
    pub fn covers(&self, address: &CollectionAddress) -> bool {
        match self {
            Self::Collections(all) => all.contains(address),
            Self::Instances(all) => all.is_empty() || all.contains(&address.instance),
        }
    }

    /// The instances that are named.
    pub fn instances(&self) -> Vec<InstanceName> {
        match self {
            Self::Collections(all) => {
                let mut names: Vec<InstanceName> = all.iter().map(|address| address.instance.clone()).collect();
                names.sort();
                names.dedup();
                names
            }
            Self::Instances(all) => all.clone(),
        }
    }

    /// The only collection, where it is one.
    pub fn one(&self) -> Option<&CollectionAddress> {
        match self {
            Self::Collections(all) if all.len() == 1 => all.first(),
            _ => None,
        }
    }
}

impl std::fmt::Display for Of {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words: Vec<String> = match self {
            Self::Collections(all) => all.iter().map(ToString::to_string).collect(),
            Self::Instances(all) => all.iter().map(ToString::to_string).collect(),
        };
        if words.is_empty() { f.write_str("all instances") } else { f.write_str(&words.join(" ")) }
    }
}

/// Back up several collections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupSeveralRequest {
    /// Which.
    pub of: Of,
    /// Where to; `None` for the usual repository.
    pub repository: Option<RepositoryName>,
    /// How.
    pub how: How,
    /// Remove afterwards what the retention rules do not keep.
    pub prune: bool,
}

/// Where the retention rules are applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PruneIn {
    /// In a repository; `None` for the usual one.
    Repository(Option<RepositoryName>),
    /// To the snapshots on the nodes.
    Nodes,
}

/// Remove what the retention rules do not keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PruneRequest {
    /// Where.
    pub place: PruneIn,
    /// Of which collections.
    pub of: Of,
}

/// Which backups are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verifying {
    /// One.
    One(BackupAddress),
    /// So many of a hundred, those first that were proven longest ago.
    Sample {
        /// Of a hundred, 1 to 100.
        percent: u8,
        /// Of which collections.
        of: Of,
        /// In which repository; `None` for the usual one.
        repository: Option<RepositoryName>,
    },
}

/// Read every byte of backups, and compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyRequest {
    /// Which.
    pub which: Verifying,
}

/// Restore a backup to a scratch name, verify and remove it: a rehearsal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrillRequest {
    /// Which.
    pub backup: BackupAddress,
    /// Where.
    pub on: InstanceName,
    /// Compare every point with the live collection too.
    pub deep: bool,
}

/// Delete backups of one collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteBackupsRequest {
    /// In which repository.
    pub repository: RepositoryName,
    /// Of what.
    pub collection: CollectionAddress,
    /// Which.
    pub ids: Vec<BackupId>,
}

/// Save the files of a backup in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaveRequest {
    /// Which.
    pub backup: BackupAddress,
    /// A folder, or the file itself where the backup is one file.
    pub target: PathBuf,
    /// Whether an existing file may be replaced.
    pub overwrite: bool,
}

/// What is said of a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Annotation {
    /// Words; none remove the note that is there.
    Note(String),
    /// It must not be removed, and why.
    Hold(String),
    /// It may be removed again.
    Release,
}

/// Say something of a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnnotateRequest {
    /// Which.
    pub backup: BackupAddress,
    /// What.
    pub says: Annotation,
}
