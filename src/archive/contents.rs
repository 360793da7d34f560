//! What a snapshot told about itself.

use crate::archive::companions::Companions;
use crate::archive::damage::{Damage, Severity};
use crate::archive::layout::Purpose;
use crate::archive::shape::{SegmentShape, Shape};
use crate::archive::sizes::Sizes;
use crate::archive::tree::Tree;
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Which kind of snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Of a collection.
    Collection,
    /// Of a shard, as Qdrant keeps it.
    Shard,
    /// Of a shard, as Qdrant streams it.
    ShardStream,
    /// Changed files of a shard only: restores on top of what it was made against, and nowhere else.
    Partial,
    /// Of all collections of a node.
    Full,
    /// No snapshot that is known.
    Unknown,
}

impl Kind {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Collection => "collection snapshot",
            Self::Shard => "shard snapshot",
            Self::ShardStream => "streamed shard snapshot",
            Self::Partial => "partial shard snapshot",
            Self::Full => "full snapshot",
            Self::Unknown => "not a Qdrant snapshot",
        }
    }
}

/// How much of it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Every header, from the first byte to the last.
    Whole,
    /// The last entries only: the configuration, without the segments.
    End,
}

/// What a map holds, as a list: the keys stand in the values too.
fn values<K, V: Serialize, S: serde::Serializer>(map: &BTreeMap<K, V>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(map.values())
}

/// Something that is wrong with a file of a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SegmentFlaw {
    /// How bad.
    pub severity: Severity,
    /// Path within the segment.
    pub file: String,
    /// What.
    pub what: String,
    /// What follows from it.
    pub advice: String,
}

/// A segment.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Segment {
    /// Its id, which is its name.
    pub id: String,
    /// Offset of its first header in the file.
    pub offset: u64,
    /// Files.
    pub files: u64,
    /// Sizes by purpose.
    pub sizes: BTreeMap<Purpose, Sizes>,
    /// Vectors whose storage has files; the unnamed one is "".
    pub vectors_stored: BTreeSet<String>,
    /// `segment.json`, where it is there and can be read.
    pub shape: Option<Arc<SegmentShape>>,
    /// Why `segment.json` cannot be read.
    pub shape_problem: Option<String>,
    /// `segment.json` is there.
    pub has_shape: bool,
    /// `version.info` is there.
    pub has_version: bool,
    /// The id tracker's mappings are there.
    pub has_mappings: bool,
    /// The id tracker's versions are there.
    pub has_versions: bool,
    /// It has files that are only written once there are points.
    pub has_points: bool,
    /// It is of a partial snapshot.
    pub has_manifest: bool,
    /// A dump of RocksDB with the data of the segment, and not only of its payload index.
    pub has_rocks_dump: bool,
    /// Versions of points that it keeps, one for each id.
    pub versions: Option<u64>,
    /// Its archive is damaged so that nothing behind that could be read.
    pub broken_off: bool,
    /// Files that are wrong or missing.
    pub flaws: Vec<SegmentFlaw>,
    /// Which files of its storages were seen, while it is read.
    #[serde(skip)]
    pub companions: Companions,
}

impl Segment {
    /// Whether RocksDB holds its ids, and perhaps its vectors and payloads.
    pub fn has_rocks(&self) -> bool {
        self.has_rocks_dump
    }

    /// Whether a server needs RocksDB to read it: it has a dump, or storages of a kind that only RocksDB keeps.
    pub fn needs_rocks(&self) -> bool {
        let kept_there = |shape: &Arc<SegmentShape>| {
            matches!(shape.payload.as_str(), "in_memory" | "on_disk")
                || shape.vectors.iter().any(|vector| matches!(vector.storage.as_str(), "Memory" | "on_disk"))
        };
        self.has_rocks_dump || self.shape.as_ref().is_some_and(kept_there)
    }

    /// Whether nothing was ever put into it: it has no id tracker then.
    pub fn is_empty(&self) -> bool {
        let tracked = self.has_mappings || self.has_versions || self.has_rocks_dump;
        !tracked && !self.has_points
    }

    /// Points at most, deleted ones included: not a count. Unknown where RocksDB has the ids.
    pub fn ids(&self) -> Option<u64> {
        if self.is_empty() { Some(0) } else { self.versions }
    }
}

/// A shard.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Shard {
    /// Number; a shard snapshot does not tell it.
    pub id: Option<u32>,
    /// Segments by id.
    #[serde(serialize_with = "values")]
    pub segments: BTreeMap<String, Segment>,
    /// The write-ahead log.
    pub wal: Sizes,
    /// There is a log.
    pub has_wal: bool,
    /// `shard_config.json` is there.
    pub has_config: bool,
    /// `replica_state.json` is there.
    pub has_state: bool,
    /// Whether the node held a replica of its own.
    pub is_local: Option<bool>,
    /// Peers and the state of their replicas, at that time.
    pub replicas: BTreeMap<String, String>,
    /// Small files that tell of versions.
    pub hints: Vec<String>,
    /// What is wrong with its state and configuration: file and words.
    pub state_flaws: Vec<(String, String)>,
}

impl Shard {
    /// A shard that another node holds: only its description is here.
    pub fn is_stub(&self) -> bool {
        self.segments.is_empty() && !self.has_wal && self.is_local == Some(false)
    }

    /// Points at most, deleted ones included; unknown where a segment does not tell.
    pub fn ids(&self) -> Option<u64> {
        self.segments.values().map(Segment::ids).sum()
    }
}

/// Which shards a key names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShardKey {
    /// The key, sanitised.
    pub key: String,
    /// As it is sent to a server: a text, or a number.
    #[serde(skip)]
    pub raw: Value,
    /// Its shards.
    pub shards: Vec<u32>,
}

impl ShardKey {
    /// A key as a server spells it, with its shards.
    pub fn new(raw: Value, shards: Vec<u32>) -> Self {
        let key = raw.as_str().map_or_else(|| raw.to_string(), str::to_owned);
        Self { key: crate::domain::text::one_line(&key, 120), raw, shards }
    }
}

/// A collection.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Collection {
    /// From the file's name; renamed files have none.
    pub name: Option<String>,
    /// Peer that made it, from the file's name.
    pub peer: Option<u64>,
    /// When, from the file's name. RFC 3339.
    pub taken_at: Option<String>,
    /// What `config.json` says.
    pub shape: Option<Shape>,
    /// All of `config.json`, for comparing.
    pub config: Value,
    /// Why `config.json` cannot be read.
    pub config_problem: Option<String>,
    /// What else is wrong with it, so that no server takes it.
    pub config_flaws: Vec<String>,
    /// File of its snapshot inside a full one.
    pub file: Option<String>,
    /// Shard keys; none for automatic sharding.
    pub keys: Vec<ShardKey>,
    /// Indexed payload fields and their types.
    pub payload_schema: BTreeMap<String, String>,
    /// The same as it stands there, to make the indexes again.
    #[serde(skip)]
    pub payload_schema_raw: serde_json::Map<String, Value>,
    /// `shard_key_mapping.json` was written as a map, as before 1.13.
    pub keys_as_map: bool,
    /// `shard_key_mapping.json` is there.
    pub has_keys: bool,
    /// `shard_key_mapping.json` cannot be read.
    pub keys_unreadable: bool,
    /// `payload_index.json` is there.
    pub has_payload_index: bool,
    /// `version.info` is there.
    pub has_version: bool,
    /// Shards by number.
    #[serde(serialize_with = "values")]
    pub shards: BTreeMap<Option<u32>, Shard>,
    /// Directories were written, as before 1.12.
    pub has_directories: bool,
    /// Some entry has holes.
    pub has_holes: bool,
    /// Its archive is damaged so that nothing behind that could be read.
    pub broken_off: bool,
}

impl Collection {
    /// Sizes by purpose, of all shards.
    pub fn sizes(&self) -> BTreeMap<Purpose, Sizes> {
        let mut sums: BTreeMap<Purpose, Sizes> = BTreeMap::new();
        for shard in self.shards.values() {
            for segment in shard.segments.values() {
                for (purpose, sizes) in &segment.sizes {
                    sums.entry(*purpose).or_default().add(*sizes);
                }
            }
            if shard.has_wal {
                sums.entry(Purpose::Wal).or_default().add(shard.wal);
            }
        }
        sums
    }

    /// Points at most, deleted ones included.
    pub fn ids(&self) -> Option<u64> {
        let present = self.shards.values().filter(|shard| !shard.is_stub());
        present.map(Shard::ids).sum()
    }
}

/// A snapshot.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Contents {
    /// Which kind.
    pub kind: Kind,
    /// How much was read.
    pub scope: Scope,
    /// Bytes of the file, where that is known.
    pub size: Option<u64>,
    /// Entries that were seen, nested ones included.
    pub entries: u64,
    /// All that is in it, with holes filled in.
    pub sizes: Sizes,
    /// One, or those of a full snapshot.
    pub collections: Vec<Collection>,
    /// Aliases; only a full snapshot has them.
    pub aliases: BTreeMap<String, String>,
    /// Where it is damaged, in the order of the file.
    pub damage: Vec<Damage>,
    /// Bytes that follow its end and are no padding.
    pub behind: u64,
    /// Entries by folder.
    #[serde(skip)]
    pub tree: Tree,
}
