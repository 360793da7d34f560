//! Snapshots on nodes, and what their names tell.

use crate::domain::ids::{CollectionName, PeerId, ShardId, SnapshotName};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// What a snapshot is a snapshot of; it decides the REST path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SnapshotScope {
    /// One collection, as far as this node holds it.
    Collection(CollectionName),
    /// One shard.
    Shard(CollectionName, ShardId),
    /// All collections and aliases of the node.
    Storage,
}

impl SnapshotScope {
    /// The segments of the path to its snapshots.
    pub fn segments(&self) -> Vec<String> {
        let mut segments = match self {
            Self::Collection(name) => vec!["collections".to_owned(), name.raw().to_owned()],
            Self::Shard(name, shard) => {
                vec!["collections".to_owned(), name.raw().to_owned(), "shards".to_owned(), shard.to_string()]
            }
            Self::Storage => Vec::new(),
        };
        segments.push("snapshots".to_owned());
        segments
    }
}

/// One entry of a listing. `size`, `taken_at` and `sha256` are hints of the server, not proof: two
/// creates within one second share one file (measured, 1.18.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotInfo {
    /// File name.
    pub name: SnapshotName,
    /// Bytes.
    pub size: u64,
    /// When it was taken: from the name where that has a time, else what the listing says.
    pub taken_at: Option<Timestamp>,
    /// Lower-case hex; absent for uploads, for S3 storage and before 1.8.
    pub sha256: Option<String>,
}

/// What Qdrant writes into a collection snapshot's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedName {
    /// The collection it was made of.
    pub collection: String,
    /// The peer that made it.
    pub peer: PeerId,
    /// When, UTC.
    pub taken_at: Timestamp,
}

/// Parses `<collection>-<peer>-<YYYY-MM-DD-HH-MM-SS>.snapshot` from the right: the collection's name
/// may contain dashes itself.
pub fn parse_name(name: &SnapshotName) -> Option<ParsedName> {
    let (before, taken_at) = split_time(name.raw())?;
    let (collection, peer) = before.strip_suffix('-')?.rsplit_once('-')?;
    Some(ParsedName { collection: collection.to_owned(), peer: peer.parse().ok()?, taken_at })
}

/// The time in any snapshot's name: collection, shard or full.
pub fn time_in_name(name: &SnapshotName) -> Option<Timestamp> {
    split_time(name.raw()).map(|(_, at)| at)
}

fn split_time(name: &str) -> Option<(&str, Timestamp)> {
    let stem = name.strip_suffix(".snapshot")?;
    let at = stem.len().checked_sub(19)?;
    let (before, time_text) = (stem.get(..at)?, stem.get(at..)?);
    let time = jiff::civil::DateTime::strptime("%Y-%m-%d-%H-%M-%S", time_text).ok()?;
    Some((before, time.to_zoned(TimeZone::UTC).ok()?.timestamp()))
}

/// The moment in a local file's name, for lists.
pub fn taken_at_of_file(path: &std::path::Path) -> Option<jiff::Timestamp> {
    time_in_name(&SnapshotName::new(path.file_name()?.to_str()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_from_the_right() {
        let parsed = parse_name(&SnapshotName::new("my-coll-18446744073709551615-2026-11-22-03-00-05.snapshot")).unwrap();
        assert_eq!(parsed.collection, "my-coll");
        assert_eq!(parsed.peer, u64::MAX);
        assert_eq!(parsed.taken_at.to_string(), "2026-11-22T03:00:05Z");
        assert!(time_in_name(&SnapshotName::new("full-snapshot-2026-11-22-03-00-05.snapshot")).is_some());
    }

    #[test]
    fn other_names_are_not_guessed() {
        for name in ["x.snapshot", "up-2026-13-45-99-99-99.snapshot", "日本語日本語日本語日.snapshot", "", ".snapshot"]
        {
            assert!(time_in_name(&SnapshotName::new(name)).is_none(), "{name}");
            assert!(parse_name(&SnapshotName::new(name)).is_none(), "{name}");
        }
    }
}
