//! A recovery point: anything that data can be restored from, or looked into.

use crate::domain::address::{Address, CollectionAddress, Which};
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
    /// A local file.
    File(PathBuf),
    /// A file behind a link, such as a presigned one of a bucket. Records do not keep links: they may hold a secret.
    #[serde(skip)]
    Link(SafeUrl),
    /// Standard input, read once from its first byte to its last.
    #[serde(skip)]
    Stdin,
}

impl std::fmt::Display for RecoveryPoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => f.write_str(&sanitise(&path.display().to_string())),
            Self::Snapshot(address, which) => write!(f, "{}", Address::Snapshot(address.clone(), which.clone())),
            Self::Link(url) => write!(f, "{url}"),
            Self::Stdin => f.write_str("standard input"),
        }
    }
}
