//! Snapshots as tars in the real layout (Qdrant 1.12 and newer), with segment content of our own.
//!
//! Filler makes a snapshot as large as wished. It is written sparse: 4 KiB that depend on the
//! position in every 256 KiB, holes between, so that a gigabyte costs little disk and a block in the
//! wrong place still changes the hash.

use crate::sandbox::config;
use crate::sandbox::options::Layout;
use crate::sandbox::world::{Cluster, Collection, Replica, mix};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

const STRIDE: u64 = 256 << 10;
const SOLID: usize = 4 << 10;

/// One shard as a node sees it.
pub(super) struct ShardPicture {
    /// Shard id.
    pub id: u32,
    /// Segment id.
    pub segment: String,
    /// The local data; `None` for a stub.
    pub replica: Option<Replica>,
    replica_state: Value,
    /// What `segment.json` says of vectors: dense and sparse ones by name, the unnamed one as "".
    vectors: Vectors,
}

#[derive(Clone, Default)]
struct Vectors {
    dense: Map<String, Value>,
    sparse: Map<String, Value>,
}

impl Vectors {
    fn of(config: &Value) -> Self {
        let params = &config["params"];
        let stored = |vector: &Value| {
            json!({"size": vector["size"], "distance": vector["distance"], "storage_type": "InRamChunkedMmap",
                "index": {"type": "plain", "options": {}}, "quantization_config": null})
        };
        let dense = match &params["vectors"] {
            one if one["size"].is_u64() => Map::from_iter([(String::new(), stored(one))]),
            Value::Object(named) => named.iter().map(|(name, vector)| (name.clone(), stored(vector))).collect(),
            _ => Map::new(),
        };
        let sparse = params["sparse_vectors"].as_object().into_iter().flatten();
        let sparse =
            sparse.map(|(name, _)| (name.clone(), json!({"index": {"index_type": "MutableRam"}, "storage_type": "mmap"})));
        Self { dense, sparse: sparse.collect() }
    }

    /// Dimensions of the vectors of a folder; 1 for sparse ones.
    fn dim(&self, folder: &str) -> u64 {
        let name = folder.strip_prefix("vector_storage-").unwrap_or_default();
        self.dense.get(name).and_then(|vector| vector["size"].as_u64()).unwrap_or(1)
    }

    /// Folders of their storages; the first takes the filler.
    fn folders(&self) -> Vec<String> {
        let folder = |name: &String| if name.is_empty() { "vector_storage".to_owned() } else { format!("vector_storage-{name}") };
        let folders: Vec<String> = self.dense.keys().chain(self.sparse.keys()).map(folder).collect();
        if folders.is_empty() { vec!["vector_storage".to_owned()] } else { folders }
    }

    fn filler(&self) -> String {
        format!("{}/{FILLER}", self.folders()[0])
    }
}

/// A collection as a node sees it at one moment.
pub(super) struct Picture {
    /// Config.
    pub config: Value,
    /// Payload indexes.
    pub schema: Map<String, Value>,
    /// All shards.
    pub shards: Vec<ShardPicture>,
    /// Numbers of the shards of each key.
    pub keys: Vec<(Value, Vec<u32>)>,
}

impl Picture {
    /// Takes the picture; cheap, points are shared.
    pub(super) fn take(cluster: &Cluster, collection: &Collection, node: usize) -> Self {
        let vectors = Vectors::of(&collection.config);
        let shards = collection.shards.iter().map(|(id, shard)| {
            let state = |(node, replica): (&usize, &Replica)| (cluster.nodes[*node].peer.to_string(), json!(replica.state.name()));
            let peers: Map<String, Value> = shard.replicas.iter().map(state).collect();
            ShardPicture {
                id: *id,
                segment: shard.segment.clone(),
                replica: shard.replicas.get(&node).cloned(),
                replica_state: json!({"is_local": shard.replicas.contains_key(&node), "this_peer_id": cluster.nodes[node].peer, "peers": peers}),
                vectors: vectors.clone(),
            }
        });
        Self {
            config: config::shown(&collection.config),
            schema: collection.payload_schema.clone().into_iter().collect(),
            shards: shards.collect(),
            keys: collection.keys(),
        }
    }
}

/// What of a shard is written, and how.
#[derive(Clone)]
pub(super) enum ShardLayout {
    /// Segments as nested tars.
    Stored,
    /// Segments unpacked.
    Streamed(Layout),
    /// The same with the manifest of each segment, and of the files only those that are newer than the versions in this manifest.
    Changes(Layout, Value),
}

/// Writes a collection snapshot.
pub(super) fn write_collection(path: &Path, picture: &Picture) -> std::io::Result<()> {
    let mut tar = tar::Builder::new(File::create(path)?);
    for shard in &picture.shards {
        write_shard(&mut tar, shard, &format!("{}/", shard.id), &ShardLayout::Stored, false)?;
    }
    append(&mut tar, "version.info", b"0.4.2")?;
    let mut config = picture.config.clone();
    config["uuid"] = Value::Null;
    append(&mut tar, "config.json", config.to_string().as_bytes())?;
    let keys: Value = picture.keys.iter().map(|(key, shards)| json!({"key": key, "shard_ids": shards})).collect();
    append(&mut tar, "shard_key_mapping.json", keys.to_string().as_bytes())?;
    append(&mut tar, "payload_index.json", json!({"schema": picture.schema}).to_string().as_bytes())?;
    tar.into_inner()?.sync_data()
}

/// Writes a shard snapshot.
pub(super) fn write_shard_snapshot(path: &Path, shard: &ShardPicture, layout: ShardLayout) -> std::io::Result<()> {
    let mut tar = tar::Builder::new(File::create(path)?);
    write_shard(&mut tar, shard, "", &layout, true)?;
    tar.into_inner().map(drop)
}

/// Writes a full snapshot out of collection snapshots.
pub(super) fn write_full(path: &Path, parts: &[(String, std::path::PathBuf)], config: &Value) -> std::io::Result<()> {
    let mut tar = tar::Builder::new(File::create(path)?);
    for (name, part) in parts {
        tar.append_path_with_name(part, name)?;
    }
    append(&mut tar, "config.json", config.to_string().as_bytes())?;
    tar.into_inner().map(drop)
}

fn write_shard(
    tar: &mut tar::Builder<File>,
    shard: &ShardPicture,
    prefix: &str,
    layout: &ShardLayout,
    wal_dir: bool,
) -> std::io::Result<()> {
    if let Some(replica) = &shard.replica {
        let inside = format!("{prefix}segments/{}", shard.segment);
        match layout {
            ShardLayout::Stored => append_nested(tar, &format!("{inside}.tar"), shard, replica)?,
            ShardLayout::Streamed(form) => append_segment(tar, &within(&inside, *form), shard, replica, None)?,
            ShardLayout::Changes(form, known) => {
                append_segment(tar, &within(&inside, *form), shard, replica, Some((*form, known)))?;
            }
        }
        if let ShardLayout::Streamed(Layout::With119) | ShardLayout::Changes(Layout::With119, _) = layout {
            append(tar, &format!("{prefix}segments_manifest.json"), json!({"segments": [shard.segment]}).to_string().as_bytes())?;
        }
        if wal_dir {
            let mut header = tar::Header::new_ustar();
            header.set_entry_type(tar::EntryType::Directory);
            header.set_mode(0o755);
            header.set_size(0);
            tar.append_data(&mut header, format!("{prefix}wal/"), std::io::empty())?;
        }
        let mut log = [0; 4096];
        log[..3].copy_from_slice(b"wal");
        append(tar, &format!("{prefix}wal/open-1"), &log)?;
    }
    append(tar, &format!("{prefix}replica_state.json"), shard.replica_state.to_string().as_bytes())?;
    append(tar, &format!("{prefix}shard_config.json"), br#"{"type":"ReplicaSet"}"#)
}

/// The folder of the files of a segment.
fn within(segment: &str, layout: Layout) -> String {
    if layout == Layout::With119 { format!("{segment}/") } else { format!("{segment}/files/") }
}

/// `{segment_id, segment_version, file_versions}` of the partial API. Of files that change with the segment no version is told.
pub(super) fn segment_manifest(shard: &ShardPicture, replica: &Replica, layout: Layout) -> Value {
    let listed = |name: &String| !ALWAYS.contains(&name.as_str());
    let names = segment_files(shard, replica).into_iter().map(|(name, _)| name).filter(listed);
    let version = |name: String| {
        let told = if name.ends_with("config.json") { json!(0) } else { Value::Null };
        (name, told)
    };
    let mut versions: Map<String, Value> = names.map(version).collect();
    // The filler never changes.
    versions.insert(shard.vectors.filler(), json!(replica.version.min(1)));
    if layout == Layout::With116 {
        versions.extend(["::ROCKS_DB", "::PAYLOAD_INDEX_ROCKS_DB"].map(|name| (name.to_owned(), Value::Null)));
    }
    json!({"segment_id": shard.segment, "segment_version": replica.version, "file_versions": versions})
}

/// Files that are in no manifest.
const ALWAYS: [&str; 2] = ["segment.json", "version.info"];

/// Whether a file goes into a stream of changes: 1.16.3 `lib/segment/src/segment/snapshot.rs:395`.
fn is_newer(known: &Value, now: &Value, name: &str) -> bool {
    if ALWAYS.contains(&name) {
        return true;
    }
    let version =
        |manifest: &Value| manifest["file_versions"][name].as_u64().or(manifest["segment_version"].as_u64()).unwrap_or(0);
    let before = known["file_versions"].get(name).map(|_| version(known));
    let now = version(now);
    before.is_none_or(|before| before < now || (before == 0 && now == 0))
}

/// The large file of a vector storage.
const FILLER: &str = "vectors/chunk_0.mmap";

/// The files of a segment but for the filler.
fn segment_files(shard: &ShardPicture, replica: &Replica) -> Vec<(String, Vec<u8>)> {
    let mut lines = Vec::new();
    for (key, point) in replica.points.iter() {
        let line = json!({"id": key, "vector": point.vector, "payload": point.payload});
        lines.extend_from_slice(line.to_string().as_bytes());
        lines.push(b'\n');
    }
    let segment = json!({"initial_version": null, "version": replica.version,
        "config": {"vector_data": shard.vectors.dense, "sparse_vector_data": shard.vectors.sparse,
            "payload_storage_type": {"type": "mmap"}}});
    let mut files: Vec<(String, Vec<u8>)> = shard
        .vectors
        .folders()
        .into_iter()
        .map(|folder| {
            let dim = shard.vectors.dim(&folder);
            let config = json!({"chunk_size_bytes": 4096 * dim, "chunk_size_vectors": 1024, "dim": dim});
            (format!("{folder}/vectors/config.json"), config.to_string().into_bytes())
        })
        .collect();
    // How many vectors there are in the chunks, of which only the first storage has one, and only with filler.
    let first = shard.vectors.folders().into_iter().next();
    files.extend(shard.vectors.folders().into_iter().map(|folder| {
        let filled = replica.filler > 0 && first.as_ref() == Some(&folder);
        let count = if filled { replica.points.len() as u64 } else { 0 };
        (format!("{folder}/vectors/status.dat"), count.to_le_bytes().to_vec())
    }));
    files.extend([
        ("payload_storage/points.ndjson".into(), lines),
        ("mutable_id_tracker.mappings".into(), mappings(replica.points.len())),
        ("mutable_id_tracker.versions".into(), vec![0; replica.points.len() * 8]),
        ("segment.json".into(), segment.to_string().into_bytes()),
        ("version.info".into(), b"0.6.0".to_vec()),
    ]);
    files
}

/// An insertion for each point, in the form of 1.16.3.
fn mappings(points: usize) -> Vec<u8> {
    let insertion = |n: u32| [&[1][..], &u64::from(n).to_le_bytes(), &n.to_le_bytes()].concat();
    (0..points as u32).flat_map(insertion).collect()
}

fn append_segment(
    tar: &mut tar::Builder<File>,
    prefix: &str,
    shard: &ShardPicture,
    replica: &Replica,
    changes: Option<(Layout, &Value)>,
) -> std::io::Result<()> {
    let now = changes.map(|(layout, known)| (segment_manifest(shard, replica, layout), &known[&shard.segment]));
    let goes = |name: &str| now.as_ref().is_none_or(|(now, known)| is_newer(known, now, name));
    if let Some((now, _)) = &now {
        append(tar, &format!("{prefix}segment_manifest.json"), now.to_string().as_bytes())?;
    }
    let filler = shard.vectors.filler();
    if goes(&filler) {
        tar.get_mut().write_all(filler_header(&format!("{prefix}{filler}"), replica.filler)?.as_bytes())?;
        write_filler(tar.get_mut(), replica.filler)?;
    }
    for (name, content) in segment_files(shard, replica).into_iter().filter(|(name, _)| goes(name)) {
        append(tar, &format!("{prefix}{name}"), &content)?;
    }
    Ok(())
}

fn append_nested(tar: &mut tar::Builder<File>, name: &str, shard: &ShardPicture, replica: &Replica) -> std::io::Result<()> {
    let mut rest = tar::Builder::new(Vec::new());
    for (file, content) in segment_files(shard, replica) {
        append(&mut rest, &format!("snapshot/files/{file}"), &content)?;
    }
    let rest = rest.into_inner()?;
    let inner = filler_header(&format!("snapshot/files/{}", shard.vectors.filler()), replica.filler)?;
    let total = 512 + padded(replica.filler) + rest.len() as u64;
    let out = tar.get_mut();
    out.write_all(filler_header(name, total)?.as_bytes())?;
    out.write_all(inner.as_bytes())?;
    write_filler(out, replica.filler)?;
    out.write_all(&rest)
}

fn filler_header(name: &str, size: u64) -> std::io::Result<tar::Header> {
    let mut header = tar::Header::new_gnu();
    header.set_path(name)?;
    header.set_mode(0o644);
    header.set_size(size);
    header.set_cksum();
    Ok(header)
}

fn padded(size: u64) -> u64 {
    size.div_ceil(512) * 512
}

fn write_filler(out: &mut File, size: u64) -> std::io::Result<()> {
    let start = out.stream_position()?;
    for at in (0..size).step_by(STRIDE as usize) {
        let mut block = [0_u8; SOLID];
        for (word, bytes) in block.chunks_exact_mut(8).enumerate() {
            bytes.copy_from_slice(&mix(at + word as u64).to_le_bytes());
        }
        let solid = block.len().min((size - at) as usize);
        out.seek(SeekFrom::Start(start + at))?;
        out.write_all(&block[..solid])?;
    }
    let end = start + padded(size);
    if end > start {
        out.set_len(end)?;
    }
    out.seek(SeekFrom::Start(end)).map(drop)
}

fn append<W: Write>(tar: &mut tar::Builder<W>, name: &str, content: &[u8]) -> std::io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(content.len() as u64);
    tar.append_data(&mut header, name, content)
}

/// sha256 of a file, in hex.
pub(super) fn sha256_of(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hasher.finalize())),
            n => hasher.update(&buffer[..n]),
        }
    }
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
