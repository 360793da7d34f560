//! Which entry is what, by its path alone (layouts of 1.0 to 1.19; `Regular` and `Streamable` in Qdrant's words).

use serde::Serialize;

/// What bytes are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Dense, multi and sparse vectors.
    Vectors,
    /// Quantized copies of them.
    Quantized,
    /// HNSW graphs and sparse indexes.
    VectorIndex,
    /// Payload.
    Payload,
    /// Indexes over payload fields.
    PayloadIndex,
    /// Which point is where, and its version.
    IdTracker,
    /// Dumps of RocksDB, which 1.15 and older wrote and 1.18 cannot read.
    RocksDb,
    /// The write-ahead log.
    Wal,
    /// Configuration and state.
    Meta,
    /// Anything else.
    Other,
}

impl Purpose {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Vectors => "vectors",
            Self::Quantized => "quantized vectors",
            Self::VectorIndex => "vector index",
            Self::Payload => "payload",
            Self::PayloadIndex => "payload index",
            Self::IdTracker => "id tracker",
            Self::RocksDb => "RocksDB",
            Self::Wal => "WAL",
            Self::Meta => "configuration",
            Self::Other => "other",
        }
    }
}

/// A place in an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    /// `config.json` of a collection, or of a full snapshot.
    Config,
    /// `shard_key_mapping.json`
    Keys,
    /// `payload_index.json`
    PayloadIndex,
    /// `version.info` of a collection.
    Version,
    /// A collection's snapshot inside a full one.
    Collection(&'a str),
    /// Something of a shard; its number is not in the path of a shard snapshot.
    Shard(Option<u32>, InShard<'a>),
    /// A directory above all that, or what nothing here knows.
    Other,
}

/// A place in a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InShard<'a> {
    /// `replica_state.json`
    ReplicaState,
    /// `shard_config.json`
    ShardConfig,
    /// A nested archive that is a segment.
    Archive(&'a str),
    /// A file of a segment that is not nested.
    File(&'a str, &'a str),
    /// The log or a file of it.
    Wal,
    /// A small file that tells of the version that wrote it.
    Hint(&'a str),
    /// Anything else.
    Other,
}

/// Finds the place of a path.
pub fn place(path: &str) -> Place<'_> {
    match path {
        "config.json" => return Place::Config,
        "shard_key_mapping.json" => return Place::Keys,
        "payload_index.json" => return Place::PayloadIndex,
        "version.info" => return Place::Version,
        _ => {}
    }
    if let Some(name) = path.strip_suffix(".snapshot").filter(|_| !path.contains('/')) {
        return Place::Collection(name);
    }
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    // Only as a server writes it: `007` is no shard to it.
    match first.parse::<u32>().ok().filter(|shard| shard.to_string() == first) {
        Some(shard) => Place::Shard(Some(shard), in_shard(rest)),
        None => match in_shard(path) {
            InShard::Other => Place::Other,
            inside => Place::Shard(None, inside),
        },
    }
}

fn in_shard(path: &str) -> InShard<'_> {
    match path {
        "replica_state.json" => return InShard::ReplicaState,
        "shard_config.json" => return InShard::ShardConfig,
        "newest_clocks.json" | "oldest_clocks.json" | "applied_seq.json" | "segments_manifest.json" => {
            return InShard::Hint(path);
        }
        "wal" => return InShard::Wal,
        _ => {}
    }
    if path.starts_with("wal/") {
        return InShard::Wal;
    }
    let Some(rest) = path.strip_prefix("segments/") else { return InShard::Other };
    match rest.split_once('/') {
        Some((segment, file)) => InShard::File(segment, file.strip_prefix("files/").unwrap_or(file)),
        None => rest.strip_suffix(".tar").map_or(InShard::Other, InShard::Archive),
    }
}

/// The path of a file within a nested segment, without what stands before it in every one.
pub fn in_segment(path: &str) -> &str {
    let path = path.strip_prefix("snapshot/").unwrap_or(path);
    path.strip_prefix("files/").unwrap_or(path)
}

/// What a file of a segment is for.
pub fn purpose(file: &str) -> Purpose {
    let (first, _) = file.split_once('/').unwrap_or((file, ""));
    let last = file.rsplit('/').next().unwrap_or(file);
    match first {
        "db_backup" | "payload_index_db_backup" => Purpose::RocksDb,
        "payload_storage" => Purpose::Payload,
        "payload_index" => Purpose::PayloadIndex,
        "segment.json" | "version.info" | "segment_manifest.json" => Purpose::Meta,
        _ if first.starts_with("vector_storage") && last.starts_with("quantized") => Purpose::Quantized,
        _ if first.starts_with("vector_storage") => Purpose::Vectors,
        _ if first.starts_with("vector_index") => Purpose::VectorIndex,
        _ if first.starts_with("id_tracker") || first.starts_with("mutable_id_tracker") => Purpose::IdTracker,
        _ => Purpose::Other,
    }
}

/// The vectors that a file can belong to the storage of: `vector_storage/…` is that of the unnamed one, and
/// `vector_storage-a/b/…` that of `a`, or of `a/b`, because a name may have slashes (1.16.3).
pub fn vectors_of(file: &str) -> Vec<&str> {
    let Some(rest) = file.strip_prefix("vector_storage") else { return Vec::new() };
    match rest.strip_prefix('-') {
        Some(named) => named.match_indices('/').take(16).map(|(at, _)| &named[..at]).collect(),
        None if rest.starts_with('/') => vec![""],
        None => Vec::new(),
    }
}

/// Whether a file is only written once there are points: measured on 1.16.3, where an empty segment has neither
/// these nor an id tracker. `holes` says that the file has holes, `stored` what is left of it.
pub fn tells_of_points(file: &str, stored: u64, holes: bool) -> bool {
    let name = file.rsplit('/').next().unwrap_or(file);
    stored > 0
        && match purpose(file) {
            Purpose::Vectors => name.starts_with("chunk_") || name.starts_with("matrix") || (name.starts_with("page_") && holes),
            Purpose::VectorIndex => name.starts_with("graph"),
            Purpose::Payload => name.starts_with("page_") && holes,
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layout_finds_its_place() {
        for (path, expected) in [
            ("config.json", Place::Config),
            ("a-1.snapshot", Place::Collection("a-1")),
            ("0/segments/x.tar", Place::Shard(Some(0), InShard::Archive("x"))),
            ("12/segments/x/files/segment.json", Place::Shard(Some(12), InShard::File("x", "segment.json"))),
            ("segments/x/files/vector_storage/a", Place::Shard(None, InShard::File("x", "vector_storage/a"))),
            ("segments/x/segment.json", Place::Shard(None, InShard::File("x", "segment.json"))),
            ("wal/open-1", Place::Shard(None, InShard::Wal)),
            ("3/wal", Place::Shard(Some(3), InShard::Wal)),
            ("0/applied_seq.json", Place::Shard(Some(0), InShard::Hint("applied_seq.json"))),
            ("0", Place::Shard(Some(0), InShard::Other)),
            ("segments", Place::Other),
            ("readme", Place::Other),
            ("007/segments/x.tar", Place::Other),
            ("", Place::Other),
        ] {
            assert_eq!(place(path), expected, "{path}");
        }
    }

    #[test]
    fn files_of_a_segment_have_a_purpose() {
        for (path, expected) in [
            ("snapshot/files/vector_storage-text/vectors/chunk_0.mmap", Purpose::Vectors),
            ("snapshot/files/vector_storage/quantized.data", Purpose::Quantized),
            ("snapshot/files/vector_index/graph.bin", Purpose::VectorIndex),
            ("snapshot/db_backup/meta/1", Purpose::RocksDb),
            ("snapshot/files/mutable_id_tracker.versions", Purpose::IdTracker),
            ("snapshot/files/version.info", Purpose::Meta),
        ] {
            assert_eq!(purpose(in_segment(path)), expected, "{path}");
        }
        assert_eq!(vectors_of("vector_storage-a-b/x"), ["a-b"]);
        assert_eq!(vectors_of("vector_storage-a b/c/vectors/x"), ["a b", "a b/c", "a b/c/vectors"]);
        assert_eq!(vectors_of("vector_storage/x"), [""]);
        assert!(vectors_of("vector_index/x").is_empty());
    }
}
