//! Recovering a collection or a shard from a file, in the real server's order (1.18.3): checksum, unpack,
//! create the collection if it is missing, compare, then replace the shards one by one.

use crate::sandbox::answer::Refusal;
use crate::sandbox::config;
use crate::sandbox::faults::{Kind, Route};
use crate::sandbox::files::Pace;
use crate::sandbox::unpack::{self, Unpacked};
use crate::sandbox::world::{Collection, Node, Replica, ReplicaState};
use axum::extract::multipart::Field;
use futures_util::StreamExt;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::{AsyncSeekExt, AsyncWriteExt};

/// A file that was received, with its hash.
pub(super) struct Spooled {
    /// Where it lies.
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
    /// sha256 in hex.
    pub sha256: String,
}

struct Spool {
    file: tokio::fs::File,
    path: PathBuf,
    size: u64,
    hasher: Sha256,
    pace: Pace,
}

impl Spool {
    async fn open(node: &Node) -> Result<Self, Refusal> {
        let path = node.world.fresh_path();
        let file = tokio::fs::File::create(&path).await?;
        Ok(Self { file, path, size: 0, hasher: Sha256::new(), pace: Pace::new(node.world.options.rate) })
    }

    async fn write(&mut self, chunk: &[u8]) -> Result<(), Refusal> {
        self.size += chunk.len() as u64;
        self.hasher.update(chunk);
        if chunk.iter().all(|byte| *byte == 0) {
            self.file.seek(std::io::SeekFrom::Current(chunk.len() as i64)).await?;
        } else {
            self.file.write_all(chunk).await?;
        }
        self.pace.wait_for(self.size).await;
        Ok(())
    }

    async fn close(mut self) -> Result<Spooled, Refusal> {
        self.file.flush().await?;
        self.file.set_len(self.size).await?;
        Ok(Spooled { path: self.path, size: self.size, sha256: crate::sandbox::archive::hex(&self.hasher.finalize()) })
    }
}

/// Writes an uploaded field to disk.
pub(super) async fn spool_field(node: &Node, mut field: Field<'_>) -> Result<Spooled, Refusal> {
    let faults = &node.world.options.faults;
    let reset = faults.take(Route::Upload, |kind| if let Kind::Reset(at) = kind { Some(at) } else { None });
    let stall = faults.take(Route::Upload, |kind| if let Kind::Stall(at) = kind { Some(at) } else { None });
    let mut spool = Spool::open(node).await?;
    loop {
        let chunk = match field.chunk().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => break,
            Err(error) => {
                let _ = tokio::fs::remove_file(&spool.path).await;
                return Err(Refusal::new(400, format!("An error occurred processing field: {error}")));
            }
        };
        spool.write(&chunk).await?;
        if reset.is_some_and(|at| spool.size >= at) {
            let _ = tokio::fs::remove_file(&spool.path).await;
            return Err(Refusal::new(BROKEN_CONNECTION, "the connection breaks here"));
        }
        if stall.is_some_and(|at| spool.size >= at) {
            std::future::pending::<()>().await;
        }
    }
    spool.close().await
}

/// Stands for a connection that breaks: the route turns it into one.
pub(super) const BROKEN_CONNECTION: u16 = 599;

/// Fetches an http(s) location to disk.
pub(super) async fn fetch(node: &Node, location: &url::Url, api_key: Option<&str>) -> Result<Spooled, Refusal> {
    if !node.world.options.url_recovery {
        return Err(Refusal::new(403, "Forbidden: Snapshot recovery from remote URLs is disabled in the configuration"));
    }
    let mut request = node.world.client.get(location.clone()).header("accept-encoding", "identity");
    if let Some(key) = api_key {
        request = request.header("api-key", key);
    }
    let unreachable = |_| Refusal::internal(format!("Http request error: error sending request for url ({location})"));
    let response = request.send().await.map_err(unreachable)?;
    if !response.status().is_success() {
        return Err(Refusal::new(
            400,
            format!("Wrong input: Failed to download tar from {location}: status - {}", response.status()),
        ));
    }
    let mut spool = Spool::open(node).await?;
    let mut body = response.bytes_stream();
    while let Some(chunk) = body.next().await {
        let chunk = chunk
            .map_err(|_| Refusal::internal(format!("Http request error: error decoding response body for url ({location})")))?;
        spool.write(&chunk).await?;
    }
    spool.close().await
}

/// Counts the recovery in telemetry as long as it lives.
pub(super) struct Recovering {
    node: Node,
    name: String,
}

impl Recovering {
    /// Begins.
    pub(super) fn begin(node: &Node, name: &str) -> Self {
        let mut cluster = node.world.cluster();
        cluster.nodes[node.index].activity.entry(name.to_owned()).or_default().recovering += 1;
        // The other replicas are rebuilt from this one, which their nodes count as well.
        if !node.world.options.faults.meets(Route::Recover, Kind::Uncounted) {
            cluster.nodes.iter_mut().for_each(|node| node.restores += 1);
        }
        drop(cluster);
        Self { node: node.clone(), name: name.to_owned() }
    }
}

impl Drop for Recovering {
    fn drop(&mut self) {
        if let Some(activity) = self.node.world.cluster().nodes[self.node.index].activity.get_mut(&self.name) {
            activity.recovering = activity.recovering.saturating_sub(1);
        }
    }
}

/// Recovers a collection; `name` may be an alias.
pub(super) async fn collection(node: &Node, name: &str, path: &Path) -> Result<(), Refusal> {
    let unpacked = read(path).await?;
    let Some(mut config) = unpacked.config.clone() else {
        return Err(Refusal::internal("File IO error: config.json: No such file or directory"));
    };
    config.as_object_mut().map(|map| map.remove("uuid"));
    let mut cluster = node.world.cluster();
    let real = cluster.aliases.get(name).cloned().unwrap_or_else(|| name.to_owned());
    if !cluster.collections.contains_key(&real) {
        cluster.agree()?;
        cluster.create(&real, config::with_server_default(config.clone(), node.world.options.strict_mode.as_ref()));
    }
    let standalone = !node.world.is_cluster(&cluster);
    let stopped = cluster.stopped.clone();
    let target = cluster.collection_mut(&real)?;
    compatible(&target.config, &config)?;
    if standalone && unpacked.shards.len() < target.shards.len() {
        return Err(Refusal::internal("Can't restore snapshot in local mode with missing data at shard"));
    }
    // The configuration of a collection that was there stays, and so do its indexes; those of the snapshot come with its
    // data, and win where both have one for a field (1.16.3).
    target.payload_schema.extend(unpacked.schema);
    // An upload is recovered from its own file, so that it is met as well.
    let breaks = node.world.options.faults.meets(Route::Recover, Kind::Break);
    for (shard, mut data) in unpacked.shards {
        // Data finds its shard by the number, whatever key that has; without such a shard it is dropped in silence (1.16.3).
        if target.is_keyed() && !target.shards.contains_key(&shard) {
            continue;
        }
        data.broken |= breaks;
        replace(target, node.index, &stopped, shard, data)?;
    }
    Ok(())
}

/// Recovers one shard; nothing is compared, as on the real server.
pub(super) async fn shard(node: &Node, name: &str, shard: u32, path: &Path) -> Result<(), Refusal> {
    let mut unpacked = read(path).await?;
    if unpacked.config.is_some() {
        return Err(Refusal::internal("Can't restore snapshot in local mode with missing data at shard"));
    }
    let data =
        unpacked.shards.remove(&0).ok_or_else(|| Refusal::internal("File IO error: segments: No such file or directory"))?;
    if data.partial {
        return Err(Refusal::new(
            400,
            "Wrong input: Validation failed: invalid shard snapshot: segment contains segment manifest; \
             ensure you are not recovering partial snapshot on shard snapshot endpoint",
        ));
    }
    let mut cluster = node.world.cluster();
    let stopped = cluster.stopped.clone();
    let target = cluster.collection_mut(name)?;
    replace(target, node.index, &stopped, shard, data)
}

async fn read(path: &Path) -> Result<Unpacked, Refusal> {
    let path = path.to_owned();
    let read = tokio::task::spawn_blocking(move || unpack::unpack(&path)).await;
    read.map_err(Refusal::internal)?
}

fn compatible(target: &Value, snapshot: &Value) -> Result<(), Refusal> {
    let refuse = |what: &str, key: &str| {
        let (there, here) = (&target["params"][key], &snapshot["params"][key]);
        Refusal::new(
            400,
            format!(
                "Wrong input: Snapshot is not compatible with existing collection: Collection {what}: {there} Snapshot {what}: {here}"
            ),
        )
    };
    for (what, key) in [("vectors", "vectors"), ("shard number", "shard_number")] {
        if target["params"][key] != snapshot["params"][key] {
            return Err(refuse(what, key));
        }
    }
    Ok(())
}

/// `priority=snapshot`: this node's replica takes the data, the others are rebuilt from it, those of stopped nodes when
/// these come back. Rate limits start anew.
fn replace(
    target: &mut Collection,
    node: usize,
    stopped: &BTreeSet<usize>,
    shard: u32,
    data: unpack::UnpackedShard,
) -> Result<(), Refusal> {
    let empty = Replica::empty(&target.config);
    let shard = target.shards.get_mut(&shard).ok_or_else(|| Refusal::no_shard(shard))?;
    // Versions go on from where they were when the snapshot was taken, as on the real server.
    let version = data.version;
    if data.broken {
        shard.replicas.insert(node, Replica { broken: true, version, ..empty });
        return Err(Refusal::internal("Failed to load segment: segment.json: No such file or directory"));
    }
    let restored = Replica { points: Arc::new(data.points), filler: data.filler, version, ..empty };
    for (other, replica) in &mut shard.replicas {
        if stopped.contains(other) {
            replica.state = ReplicaState::Dead;
        } else {
            *replica = restored.clone();
        }
    }
    shard.replicas.insert(node, restored);
    Ok(())
}
