//! Which versions of Qdrant can have written a snapshot. It does not say so itself: these are bounds from what was
//! added or removed over time (read in the sources of 1.0 to 1.19).

use crate::archive::contents::{Collection, Contents, Kind, Scope};
use crate::archive::layout::Purpose;
use serde::Serialize;

/// Bounds, each with what tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Bounds {
    /// This one or newer.
    pub at_least: Option<Bound>,
    /// This one or older.
    pub at_most: Option<Bound>,
}

/// A bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Bound {
    /// Major and minor.
    pub version: (u32, u32),
    /// What tells it.
    pub because: &'static str,
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{} ({})", self.version.0, self.version.1, self.because)
    }
}

/// Finds the bounds.
pub fn bounds(contents: &Contents) -> Bounds {
    let mut bounds = Bounds::default();
    let mut at_least = |minor: u32, because: &'static str| {
        if bounds.at_least.is_none_or(|known| known.version.1 < minor) {
            bounds.at_least = Some(Bound { version: (1, minor), because });
        }
    };
    match contents.kind {
        Kind::Partial => at_least(14, "partial snapshots"),
        Kind::ShardStream => at_least(12, "streamed shard snapshots"),
        _ => {}
    }
    for collection in &contents.collections {
        let hint = |name: &str| collection.shards.values().any(|shard| shard.hints.iter().any(|hint| hint == name));
        if collection.has_keys || collection.has_payload_index {
            at_least(7, "payload_index.json");
        }
        if hint("newest_clocks.json") || hint("oldest_clocks.json") {
            at_least(8, "clocks");
        }
        if collection.has_holes {
            at_least(12, "holes in files");
        }
        if collection.has_keys && !collection.keys_as_map && !collection.keys.is_empty() {
            at_least(13, "shard keys as a list");
        }
        if collection.shape.as_ref().is_some_and(|shape| shape.metadata) {
            at_least(16, "metadata in the config");
        }
        if hint("applied_seq.json") {
            at_least(17, "applied_seq.json");
        }
        if hint("segments_manifest.json") {
            at_least(19, "segments_manifest.json");
        }
    }
    if contents.scope == Scope::Whole {
        bounds.at_most = contents.collections.iter().filter_map(newest).min_by_key(|bound| bound.version);
    }
    bounds
}

fn newest(collection: &Collection) -> Option<Bound> {
    if collection.has_directories {
        return Some(Bound { version: (1, 11), because: "folders as entries" });
    }
    let rocks = collection.sizes().contains_key(&Purpose::RocksDb);
    rocks.then_some(Bound { version: (1, 17), because: "RocksDB data" })
}
