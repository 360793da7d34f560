//! Whether the data of a node can have been replaced since.
//!
//! A version of a shard tells nothing after a restore: the counters of the restored data go on from where they were then, and
//! reach the same values again with other content (measured on 1.16.3: after a roll-back and as many writes the server says
//! "nothing changed"). What tells is the process: since when it runs, and how often something was restored on it. A restore is
//! counted when it ends, also when its client went away before that (1.16.3); where nobody waits for the end, when it begins.

use serde::{Deserialize, Serialize};

/// A node at one moment. Two that are equal have no restore, no rebuilt replica and no restart between them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lineage {
    /// When its process began, by its own clock.
    pub started: String,
    /// Calls since then that replace data: restores of collections and shards, and those of other nodes that rebuild a replica.
    pub restores: u64,
    /// Those of shards that were answered before they were done (`wait=false`): when they ended nothing tells.
    #[serde(default)]
    pub unwaited: u64,
}
