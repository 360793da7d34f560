//! Small JSON files of a segment, parsed as strictly as a server parses them: a missing, doubled or mistyped field is
//! an error, a field more is none.

use crate::archive::facts::{Fact, Facts};
use crate::archive::formats::wrong::{Checked, Wrong};
use crate::domain::text::one_line;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

/// Parses a document. What it lacks is said in the parser's words.
pub(in crate::archive) fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, String> {
    serde_json::from_slice(text).map_err(|error| format!("it cannot be read: {}", one_line(&error.to_string(), 120)))
}

fn needed<T: DeserializeOwned>(text: &[u8]) -> Result<T, Wrong> {
    parse(text).map_err(Wrong::damage)
}

fn mendable<T: DeserializeOwned>(text: &[u8]) -> Result<T, Wrong> {
    parse(text).map_err(Wrong::mendable)
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct Hnsw {
    m: u64,
    m0: u64,
    ef_construct: u64,
    ef: u64,
    #[serde(alias = "indexing_threshold")]
    full_scan_threshold: u64,
    #[serde(default)]
    max_indexing_threads: u64,
    #[serde(default)]
    payload_m: Option<u64>,
    #[serde(default)]
    payload_m0: Option<u64>,
    #[serde(default)]
    indexed_vector_count: Option<u64>,
}

/// Checks a `hnsw_config.json`.
///
/// # Errors
/// What is wrong with it.
pub fn hnsw(text: &[u8]) -> Checked {
    needed::<Hnsw>(text).map(drop)
}

#[derive(Deserialize)]
struct Pages {
    page_size_bytes: u64,
    block_size_bytes: u64,
    region_size_blocks: u64,
    #[serde(default)]
    compression: Option<Compression>,
    /// Of 1.19: a storage that is only appended to has other numbers.
    #[serde(default)]
    mode: Option<String>,
}

#[derive(Deserialize)]
enum Compression {
    None,
    LZ4,
}

/// Checks the `config.json` of a page storage.
///
/// # Errors
/// What is wrong with it.
pub fn pages(text: &[u8], of_payloads: bool, facts: &mut Facts) -> Checked {
    let config: Pages = needed(text)?;
    if config.mode.is_some_and(|mode| mode != "mutable") {
        return Ok(());
    }
    if config.compression.is_none() && !of_payloads {
        return Err(Wrong::damage("it does not say whether its values are compressed"));
    }
    facts.insert(Fact::PageSize, config.page_size_bytes);
    facts.insert(Fact::BlockSize, config.block_size_bytes);
    facts.insert(Fact::RegionBlocks, config.region_size_blocks);
    Ok(())
}

#[derive(Deserialize)]
struct Chunks {
    chunk_size_bytes: u64,
    chunk_size_vectors: u64,
    dim: u64,
    #[serde(default)]
    #[expect(dead_code, reason = "only whether it can be read matters")]
    populate: Option<bool>,
}

/// Checks the `config.json` of a chunked storage, which a server writes anew where it cannot be read.
///
/// # Errors
/// What is wrong with it.
pub fn chunks(text: &[u8], facts: &mut Facts) -> Checked {
    let config: Chunks = mendable(text)?;
    facts.insert(Fact::ChunkDim, config.dim);
    facts.insert(Fact::ChunkSize, config.chunk_size_bytes);
    facts.insert(Fact::ChunkVectors, config.chunk_size_vectors);
    Ok(())
}

/// Documents of one payload index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfIndex {
    /// `mmap_field_index_config.json`, of numbers or of anything else.
    Values,
    /// `mmap_field_index_stats.json`
    Geo,
    /// `histogram_config.json`
    Histogram,
}

#[derive(Deserialize)]
#[serde(untagged)]
#[expect(dead_code, reason = "only whether it can be read matters")]
enum Values {
    Numbers { max_values_per_point: u64 },
    Map { total_key_value_pairs: u64 },
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct Geo {
    points_values_count: u64,
    max_values_per_point: u64,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct Histogram {
    max_bucket_size: u64,
    precision: f64,
    total_count: u64,
}

/// Checks a document of one payload index, which a server builds anew where it cannot be read.
///
/// # Errors
/// What is wrong with it.
pub fn of_index(kind: OfIndex, text: &[u8]) -> Checked {
    match kind {
        OfIndex::Values => mendable::<Values>(text).map(drop),
        OfIndex::Geo => mendable::<Geo>(text).map(drop),
        OfIndex::Histogram => mendable::<Histogram>(text).map(drop),
    }
}

/// The version of a sparse index that is loaded: any other is built anew.
const SPARSE_VERSION: &[u8] = b"0.2.0";

/// Documents of a sparse index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfSparse {
    /// `version.info`
    Version,
    /// `sparse_index_config.json`
    Config,
    /// `indices_tracker.json`
    Dimensions,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct SparseConfig {
    full_scan_threshold: Option<u64>,
    index_type: SparseKind,
    #[serde(default)]
    datatype: Option<Datatype>,
}

#[derive(Deserialize)]
enum SparseKind {
    MutableRam,
    ImmutableRam,
    Mmap,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Datatype {
    Float32,
    Float16,
    Uint8,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct Dimensions {
    map: BTreeMap<u32, u32>,
}

/// Checks a document of a sparse index, which a server builds anew where it cannot be read.
///
/// # Errors
/// What is wrong with it.
pub fn of_sparse(kind: OfSparse, text: &[u8], facts: &mut Facts) -> Checked {
    match kind {
        OfSparse::Version => {
            if text != SPARSE_VERSION {
                facts.insert(Fact::OtherVersion, 1);
            }
            if is_version(text) { Ok(()) } else { Err(Wrong::mendable("it is no version")) }
        }
        OfSparse::Config => mendable::<SparseConfig>(text).map(drop),
        OfSparse::Dimensions => mendable::<Dimensions>(text).map(drop),
    }
}

#[derive(Deserialize)]
struct PostingConfig {
    posting_count: u64,
    #[expect(dead_code, reason = "only whether it can be read matters")]
    vector_count: u64,
    #[expect(dead_code, reason = "only whether it can be read matters")]
    total_sparse_size: Option<u64>,
}

/// Checks an `inverted_index_config.json`.
///
/// # Errors
/// What is wrong with it.
pub fn posting_config(text: &[u8], facts: &mut Facts) -> Checked {
    let config: PostingConfig = mendable(text)?;
    facts.insert(Fact::PostingLists, config.posting_count);
    Ok(())
}

/// Whether a text is a version as a server reads one: three numbers, without anything around them.
pub fn is_version(text: &[u8]) -> bool {
    let text = std::str::from_utf8(text).unwrap_or_default();
    let parts: Vec<&str> = text.split('.').collect();
    let is_number = |part: &&str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) && (part.len() == 1 || !part.starts_with('0'))
    };
    parts.len() == 3 && parts.iter().all(is_number)
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct Clocks {
    clocks: Vec<Clock>,
    #[serde(default)]
    snapshot: Option<Vec<Clock>>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct Clock {
    peer_id: u64,
    clock_id: u32,
    current_tick: u64,
    token: u64,
}

/// Checks the clocks of a shard.
///
/// # Errors
/// What is wrong with them.
pub fn clocks(text: &[u8]) -> Checked {
    needed::<Clocks>(text).map(drop)
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct ShardConfig {
    r#type: ShardType,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
enum ShardType {
    Local,
    Remote { peer_id: u64 },
    Temporary,
    ReplicaSet,
}

/// Checks a `shard_config.json`.
///
/// # Errors
/// What is wrong with it.
pub fn shard_config(text: &[u8]) -> Checked {
    needed::<ShardConfig>(text).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_a_server_reads_them() {
        assert!(is_version(b"0.6.0") && is_version(b"0.4.2"));
        for bad in [&b""[..], b"zzzzz", b"0.6", b"0.6.x", b"\xff", b"0.6.0\n", b" 0.6.0", b"00.6.0", b"0.6.0.1"] {
            assert!(!is_version(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_document_lacks_nothing_and_has_nothing_twice() {
        let good = r#"{"m":16,"m0":32,"ef_construct":100,"ef":100,"full_scan_threshold":10000,"later":[1]}"#;
        assert!(hnsw(good.as_bytes()).is_ok());
        for (from, to) in [("\"m0\"", "\"m1\""), ("\"m0\"", "\"m\""), (":100,", ":1.5,"), (":16", ":-16"), ("}", "")] {
            assert!(hnsw(good.replacen(from, to, 1).as_bytes()).is_err(), "{from} {to}");
        }
        let clocks_with = |clock: &str| clocks(format!(r#"{{"clocks":[{clock}]}}"#).as_bytes());
        assert!(clocks_with(r#"{"peer_id":1,"clock_id":0,"current_tick":3,"token":9}"#).is_ok());
        assert!(clocks_with(r#"{"peer_id":1,"clock_id":0,"current_tick":3}"#).is_err());
        assert!(shard_config(br#"{"type":"ReplicaSet"}"#).is_ok() && shard_config(br#"{"type":"RdplicaSet"}"#).is_err());
        let mended = chunks(b"{", &mut Facts::new()).unwrap_err();
        assert_eq!(mended.severity, crate::archive::damage::Severity::Look);
    }
}
