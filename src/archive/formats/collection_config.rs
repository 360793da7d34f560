//! `config.json` of a collection and `replica_state.json` of a shard, parsed as strictly as a server parses them.

use crate::archive::formats::documents::parse;
use crate::archive::formats::quantized::Quantization;
use serde::de::{Error, IgnoredAny};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroU64};

#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct Config {
    params: Params,
    hnsw_config: Hnsw,
    optimizer_config: Optimizer,
    wal_config: Wal,
    #[serde(default)]
    quantization_config: Option<Quantization>,
    #[serde(default)]
    strict_mode_config: Option<BTreeMap<String, IgnoredAny>>,
    #[serde(default)]
    uuid: Option<Uuid>,
    #[serde(default)]
    metadata: Option<BTreeMap<String, IgnoredAny>>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct Params {
    #[serde(default)]
    vectors: Option<Vectors>,
    #[serde(default)]
    shard_number: Option<NonZeroU32>,
    #[serde(default)]
    sharding_method: Option<Sharding>,
    #[serde(default)]
    replication_factor: Option<NonZeroU32>,
    #[serde(default)]
    write_consistency_factor: Option<NonZeroU32>,
    #[serde(default)]
    read_fan_out_factor: Option<u32>,
    #[serde(default)]
    on_disk_payload: Option<bool>,
    #[serde(default)]
    sparse_vectors: Option<BTreeMap<String, Sparse>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Sharding {
    Auto,
    Custom,
}

#[derive(Deserialize)]
#[serde(untagged)]
#[expect(dead_code, reason = "only whether it can be read matters")]
enum Vectors {
    Single(Box<Vector>),
    Named(BTreeMap<String, Vector>),
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct Vector {
    size: NonZeroU64,
    distance: Distance,
    #[serde(default)]
    hnsw_config: Option<HnswChanges>,
    #[serde(default, alias = "quantization")]
    quantization_config: Option<Quantization>,
    #[serde(default)]
    on_disk: Option<bool>,
    #[serde(default)]
    datatype: Option<Datatype>,
    #[serde(default)]
    multivector_config: Option<Multivector>,
}

#[derive(Deserialize)]
enum Distance {
    Cosine,
    Euclid,
    Dot,
    Manhattan,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Datatype {
    Float32,
    Float16,
    Uint8,
    /// Of 1.19.
    Turbo4,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct Multivector {
    comparator: Comparator,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Comparator {
    MaxSim,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct Sparse {
    #[serde(default)]
    index: Option<SparseIndex>,
    #[serde(default)]
    modifier: Option<Modifier>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct SparseIndex {
    full_scan_threshold: Option<u64>,
    on_disk: Option<bool>,
    #[serde(default)]
    datatype: Option<Datatype>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Modifier {
    None,
    Idf,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct Hnsw {
    m: u64,
    ef_construct: u64,
    #[serde(alias = "full_scan_threshold_kb")]
    full_scan_threshold: u64,
    #[serde(default)]
    max_indexing_threads: u64,
    #[serde(default)]
    on_disk: Option<bool>,
    #[serde(default)]
    payload_m: Option<u64>,
    #[serde(default)]
    inline_storage: Option<bool>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct HnswChanges {
    m: Option<u64>,
    ef_construct: Option<u64>,
    #[serde(alias = "full_scan_threshold_kb")]
    full_scan_threshold: Option<u64>,
    max_indexing_threads: Option<u64>,
    on_disk: Option<bool>,
    payload_m: Option<u64>,
    inline_storage: Option<bool>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct Optimizer {
    deleted_threshold: f64,
    vacuum_min_vector_number: u64,
    default_segment_number: u64,
    #[serde(default, alias = "max_segment_size_kb")]
    max_segment_size: Option<u64>,
    #[serde(default, alias = "memmap_threshold_kb")]
    memmap_threshold: Option<u64>,
    #[serde(default, alias = "indexing_threshold_kb")]
    indexing_threshold: Option<u64>,
    flush_interval_sec: u64,
    #[serde(default)]
    max_optimization_threads: Option<u64>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct Wal {
    wal_capacity_mb: u64,
    wal_segments_ahead: u64,
    #[serde(default)]
    wal_retain_closed: Option<u64>,
}

/// A UUID: 32 hexadecimal digits, mostly with hyphens between some.
struct Uuid;

impl<'de> Deserialize<'de> for Uuid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let sound = |length: usize| text.len() == length && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
        let groups: Vec<usize> = text.split('-').map(str::len).collect();
        match (groups.as_slice(), sound(36) || sound(32)) {
            ([8, 4, 4, 4, 12] | [32], true) => Ok(Self),
            _ => Err(D::Error::custom("a UUID is none")),
        }
    }
}

/// What is wrong with a `config.json`.
pub fn config(text: &[u8]) -> Option<String> {
    parse::<Config>(text).err()
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct ReplicaState {
    is_local: bool,
    this_peer_id: u64,
    peers: BTreeMap<u64, String>,
}

/// What is wrong with a `replica_state.json`. The words for states are judged elsewhere.
pub fn replica_state(text: &[u8]) -> Option<String> {
    parse::<ReplicaState>(text).err()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"params":{"vectors":{"a":{"size":8,"distance":"Dot"}},"shard_number":1,"replication_factor":1,
        "write_consistency_factor":1,"on_disk_payload":true,"sparse_vectors":{"s":{"index":{"datatype":"float16"},"modifier":"idf"}}},
        "hnsw_config":{"m":16,"ef_construct":100,"full_scan_threshold":10000,"max_indexing_threads":0,"on_disk":false},
        "optimizer_config":{"deleted_threshold":0.2,"vacuum_min_vector_number":1000,"default_segment_number":0,
        "max_segment_size":null,"memmap_threshold":null,"indexing_threshold":10000,"flush_interval_sec":5},
        "wal_config":{"wal_capacity_mb":32,"wal_segments_ahead":0},"quantization_config":{"scalar":{"type":"int8"}},
        "uuid":"d5b9f2fa-5b7c-4d39-9b36-1c1a8c3d5e11"}"#;

    #[test]
    fn a_configuration_is_read_as_a_server_reads_it() {
        assert_eq!(config(GOOD.as_bytes()), None);
        for (from, to) in [
            ("float16", "floet16"),
            ("flush_interval_sec", "flush_interval_see"),
            ("wal_segments_ahead", "wal_segments_aheae"),
            ("\"size\":8", "\"size\":0"),
            ("\"Dot\"", "\"Dox\""),
            ("\"idf\"", "\"idg\""),
            ("-9b36-", "-9b3-6"),
            ("d5b9", "d5bx"),
            ("shard_number\":1", "shard_number\":0"),
            ("\"int8\"", "\"int9\""),
        ] {
            assert!(config(GOOD.replace(from, to).as_bytes()).is_some(), "{from} {to}");
        }
    }

    #[test]
    fn peers_are_numbers() {
        assert_eq!(replica_state(br#"{"is_local":true,"this_peer_id":7,"peers":{"7":"Active"}}"#), None);
        for bad in [r#"{"is_local":true,"this_peer_id":7,"peers":{"r7":"Active"}}"#, r#"{"is_local":true,"peers":{}}"#] {
            assert!(replica_state(bad.as_bytes()).is_some(), "{bad}");
        }
    }
}
