//! What is recorded of a collection when a copy of it is taken, so that a restore can be proven.

use crate::domain::point::PointId;
use crate::domain::settings::Settings;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What is remembered of a snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proof {
    /// Of which collection, as `instance/collection`.
    pub source: String,
    /// When.
    pub taken_at: Timestamp,
    /// Fewest points it can have: writes may have gone on.
    pub points_min: u64,
    /// Most points it can have.
    pub points_max: u64,
    /// Indexed payload fields and their types.
    pub payload_schema: Vec<(String, String)>,
    /// Its configuration and payload indexes; older records have none.
    #[serde(default)]
    pub settings: Option<Settings>,
    /// Version of the server that took it: a snapshot does not hold it.
    #[serde(default)]
    pub qdrant_version: Option<String>,
    /// Digests by point.
    pub samples: Vec<(PointId, String)>,
    /// When a restore of it was last proven.
    #[serde(default)]
    pub proven_at: Option<Timestamp>,
    /// Whether nothing was written while it was taken; older records do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet: Option<bool>,
    /// Name of the snapshot: a file of that name with other bytes is damaged.
    #[serde(default)]
    pub snapshot: Option<String>,
}

impl Proof {
    /// Whether somebody wrote while it was taken: then the count can have been anything in between.
    pub fn was_written(&self) -> bool {
        self.quiet.map_or(self.points_min < self.points_max, |quiet| !quiet)
    }
}
