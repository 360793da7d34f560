//! Reading the tars of [`crate::sandbox::archive`] back, with the real server's blind spots: a segment
//! without `segment.json` breaks the shard, one without id tracker or `version.info` is dropped in
//! silence (both measured on 1.18.3).

use crate::sandbox::answer::Refusal;
use crate::sandbox::world::{PointKey, StoredPoint};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// The data of one shard.
#[derive(Default)]
pub(super) struct UnpackedShard {
    /// Points of all its segments.
    pub points: BTreeMap<PointKey, StoredPoint>,
    /// Filler bytes.
    pub filler: u64,
    /// A segment cannot be loaded.
    pub broken: bool,
    /// It carries a partial manifest.
    pub partial: bool,
    /// The newest version of its segments.
    pub version: u64,
}

/// A collection snapshot (`config` is there) or a shard snapshot (shard 0 alone).
#[derive(Default)]
pub(super) struct Unpacked {
    /// `config.json`
    pub config: Option<Value>,
    /// `payload_index.json`
    pub schema: BTreeMap<String, Value>,
    /// Shards with data.
    pub shards: BTreeMap<u32, UnpackedShard>,
}

#[derive(Default)]
struct Segment {
    points: BTreeMap<PointKey, StoredPoint>,
    filler: u64,
    has_json: bool,
    version: u64,
    has_tracker: bool,
    has_version: bool,
    is_ours: bool,
}

#[derive(Deserialize)]
struct Line {
    id: PointKey,
    #[serde(flatten)]
    point: StoredPoint,
}

fn malformed(error: impl std::fmt::Display) -> Refusal {
    Refusal::internal(format!("File IO error: failed to unpack snapshot: {error}"))
}

/// Reads a whole snapshot.
pub(super) fn unpack(path: &Path) -> Result<Unpacked, Refusal> {
    let file = File::open(path)?;
    let mut archive = tar::Archive::new(BufReader::new(file));
    let mut unpacked = Unpacked::default();
    let mut loose: BTreeMap<(u32, String), Segment> = BTreeMap::new();
    let mut entries = 0;
    for entry in archive.entries().map_err(malformed)? {
        let mut entry = entry.map_err(malformed)?;
        let name = entry.path().map_err(malformed)?.to_string_lossy().into_owned();
        entries += 1;
        match name.as_str() {
            "config.json" => unpacked.config = Some(serde_json::from_reader(&mut entry).map_err(malformed)?),
            "payload_index.json" => {
                let value: Value = serde_json::from_reader(&mut entry).map_err(malformed)?;
                let schema = value.get("schema").and_then(Value::as_object).cloned().unwrap_or_default();
                unpacked.schema = schema.into_iter().collect();
            }
            _ => shard_entry(&mut unpacked, &mut loose, &name, &mut entry)?,
        }
    }
    if entries == 0 {
        return Err(Refusal::internal("File IO error: Malformed tar archive, reached unknown entry"));
    }
    for ((shard, _), segment) in loose {
        keep(unpacked.shards.entry(shard).or_default(), segment)?;
    }
    Ok(unpacked)
}

fn shard_entry(
    unpacked: &mut Unpacked,
    loose: &mut BTreeMap<(u32, String), Segment>,
    name: &str,
    entry: &mut impl Read,
) -> Result<(), Refusal> {
    let first = name.split('/').next().unwrap_or_default();
    let (shard, rest) = match first.parse::<u32>() {
        Ok(shard) => (shard, name[first.len()..].trim_start_matches('/')),
        Err(_) => (0, name),
    };
    let Some(inside) = rest.strip_prefix("segments/") else { return Ok(()) };
    let target = unpacked.shards.entry(shard).or_default();
    if inside.ends_with(".tar") {
        let mut segment = Segment::default();
        let mut nested = tar::Archive::new(entry);
        for inner in nested.entries().map_err(malformed)? {
            let mut inner = inner.map_err(malformed)?;
            let path = inner.path().map_err(malformed)?.to_string_lossy().into_owned();
            read_file(&mut segment, path.trim_start_matches("snapshot/files/"), &mut inner)?;
        }
        return keep(target, segment);
    }
    let Some((id, file)) = inside.split_once('/') else { return Ok(()) };
    let file = file.strip_prefix("files/").unwrap_or(file);
    if file == "segment_manifest.json" {
        target.partial = true;
        return Ok(());
    }
    read_file(loose.entry((shard, id.to_owned())).or_default(), file, entry)
}

fn read_file(segment: &mut Segment, name: &str, content: &mut impl Read) -> Result<(), Refusal> {
    match name {
        "segment.json" => {
            let json = serde_json::from_reader::<_, Value>(&mut *content).ok();
            segment.version = json.as_ref().and_then(|json| json["version"].as_u64()).unwrap_or(0);
            segment.has_json = json.is_some();
        }
        "mutable_id_tracker.mappings" => segment.has_tracker = true,
        "version.info" => segment.has_version = true,
        "payload_storage/points.ndjson" => {
            segment.is_ours = true;
            for line in BufReader::new(&mut *content).lines() {
                let line: Line = serde_json::from_str(&line.map_err(malformed)?).map_err(malformed)?;
                segment.points.insert(line.id, line.point);
            }
        }
        _ if name.starts_with("vector_storage") && name.ends_with("/vectors/chunk_0.mmap") => {
            segment.filler += std::io::copy(content, &mut std::io::sink()).map_err(malformed)?;
        }
        _ => {}
    }
    // What is left must be read too: a cut archive shows only at its end.
    std::io::copy(content, &mut std::io::sink()).map(drop).map_err(malformed)
}

fn keep(shard: &mut UnpackedShard, segment: Segment) -> Result<(), Refusal> {
    if !segment.is_ours && segment.has_json {
        return Err(Refusal::internal("this sandbox reads only snapshots that a sandbox made; use a real Qdrant for this one"));
    }
    if !segment.has_json {
        shard.broken = true;
    } else if segment.has_tracker && segment.has_version {
        shard.points.extend(segment.points);
        shard.filler += segment.filler;
        shard.version = shard.version.max(segment.version);
    }
    Ok(())
}
