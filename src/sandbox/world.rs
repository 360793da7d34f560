//! The state behind all nodes: collections of real points, aliases, and each node's files.

use crate::domain::time::{Clock, SystemClock};
use crate::sandbox::answer::Refusal;
use crate::sandbox::limiter::{Buckets, Side};
use crate::sandbox::options::SandboxOptions;
use crate::sandbox::seen_size::SeenSize;
use axum::http::HeaderValue;
use axum::http::header::AUTHORIZATION;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Id of a point.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PointKey {
    /// Number.
    Number(u64),
    /// UUID.
    Uuid(String),
}

/// Points of one replica. Shared until written: a snapshot takes a reference, not a copy.
pub(super) type Points = Arc<BTreeMap<PointKey, StoredPoint>>;

/// What is kept of a point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredPoint {
    /// Vector or named vectors.
    pub vector: Value,
    /// Payload.
    #[serde(default)]
    pub payload: Value,
}

/// One replica of a shard.
#[derive(Debug, Clone, Default)]
pub struct Replica {
    /// The points.
    pub points: Points,
    /// Bytes without meaning that a snapshot carries besides, to make it as large as wished.
    pub filler: u64,
    /// Whether the last load failed: everything then answers 500, as a dummy shard does.
    pub broken: bool,
    /// Counts changes; the partial manifest shows it.
    pub version: u64,
    /// What the cluster thinks of it.
    pub state: ReplicaState,
    /// Its rate limits.
    pub buckets: Buckets,
}

/// What a cluster thinks of a replica.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ReplicaState {
    /// It has all data.
    #[default]
    Active,
    /// It missed a change.
    Dead,
    /// Its node was stopped when it was made.
    Initializing,
}

impl ReplicaState {
    /// As the API spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Dead => "Dead",
            Self::Initializing => "Initializing",
        }
    }
}

impl Replica {
    /// One without points, with the rate limits of a configuration.
    pub fn empty(config: &Value) -> Self {
        Self { buckets: Buckets::of_new_replica(config), ..Self::default() }
    }
}

/// One shard: its replicas by node.
#[derive(Debug, Clone, Default)]
pub struct Shard {
    /// Node index to replica.
    pub replicas: BTreeMap<usize, Replica>,
    /// Id of its one segment.
    pub segment: String,
    /// The key that it belongs to, where the collection is sharded by keys.
    pub key: Option<Value>,
}

/// One collection.
#[derive(Debug, Clone)]
pub struct Collection {
    /// The config, as info shows it.
    pub config: Value,
    /// Indexed fields: the name of a kind, or its parameters.
    pub payload_schema: BTreeMap<String, Value>,
    /// The shards by number: from 0, or from 1 where they are made with their keys (1.16.3).
    pub shards: BTreeMap<u32, Shard>,
    /// Its size, as strict mode sees it.
    pub seen_size: SeenSize,
}

/// A file that a node keeps.
#[derive(Debug, Clone)]
pub struct KeptFile {
    /// Where it is.
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
    /// When it appeared, for the listing.
    pub created: jiff::Timestamp,
    /// sha256; absent for uploads.
    pub sha256: Option<String>,
}

/// Counters of telemetry.
#[derive(Debug, Clone, Copy, Default)]
pub struct Activity {
    /// Snapshots being made.
    pub creating: u64,
    /// Recoveries under way.
    pub recovering: u64,
    /// Snapshots made since the start.
    pub created: u64,
}

/// One node's own things.
#[derive(Debug, Default)]
pub struct NodeState {
    /// Peer id.
    pub peer: u64,
    /// Files by folder (`collection`, `collection/shards/0`, or empty for full snapshots) and name.
    pub files: BTreeMap<(String, String), KeptFile>,
    /// Telemetry by the name used in the call.
    pub activity: BTreeMap<String, Activity>,
    /// When it was started.
    pub started: jiff::Timestamp,
    /// Calls since then that replace data.
    pub restores: u64,
    /// Those of shards that nobody waited for.
    pub unwaited: u64,
}

/// Everything that requests change.
#[derive(Debug, Default)]
pub struct Cluster {
    /// Collections by name.
    pub collections: BTreeMap<String, Collection>,
    /// Aliases to collections.
    pub aliases: BTreeMap<String, String>,
    /// The nodes.
    pub nodes: Vec<NodeState>,
    /// Nodes that are stopped.
    pub stopped: BTreeSet<usize>,
    /// For ids that only need to differ.
    pub counter: u64,
}

/// The sandbox's state and options.
pub struct World {
    /// As started.
    pub options: SandboxOptions,
    /// Fetches for `recover`.
    pub client: reqwest::Client,
    /// The `Authorization` that a proxy asks for.
    pub basic_auth: Option<HeaderValue>,
    /// Counts how often all files were replaced.
    pub generation: AtomicI64,
    home: PathBuf,
    cluster: Mutex<Cluster>,
}

/// A node as handlers see it.
#[derive(Clone)]
pub(super) struct Node {
    /// The shared state.
    pub world: Arc<World>,
    /// Which node this is.
    pub index: usize,
}

impl World {
    /// An empty cluster.
    pub fn new(options: SandboxOptions, nodes: usize) -> std::io::Result<Self> {
        let nodes = (0..nodes).map(|i| NodeState {
            peer: 7_462_152_614_201_081 + i as u64 * 1_009_777,
            started: SystemClock.now(),
            ..NodeState::default()
        });
        let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().map_err(std::io::Error::other)?;
        let basic_auth = match &options.basic_auth {
            Some((user, password)) => {
                let request = client.get("http://localhost/").basic_auth(user, Some(password)).build();
                request.map_err(std::io::Error::other)?.headers_mut().remove(AUTHORIZATION)
            }
            None => None,
        };
        Ok(Self {
            options,
            client,
            basic_auth,
            generation: AtomicI64::new(0),
            // The sandbox removes it when it is dropped: its tasks may outlive it by a moment.
            home: tempfile::Builder::new().prefix("qsnap-sandbox-").tempdir()?.keep(),
            cluster: Mutex::new(Cluster { nodes: nodes.collect(), ..Cluster::default() }),
        })
    }

    /// Whether it is a cluster, be it of one node: only there shard keys can be made.
    pub fn is_cluster(&self, cluster: &Cluster) -> bool {
        self.options.cluster || cluster.nodes.len() > 1
    }

    /// The state, locked. Never held across an await.
    pub fn cluster(&self) -> MutexGuard<'_, Cluster> {
        self.cluster.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A file name that nothing else uses.
    pub fn fresh_path(&self) -> PathBuf {
        let mut cluster = self.cluster();
        cluster.counter += 1;
        self.home.join(format!("file-{}", cluster.counter))
    }

    /// The folder that the real server would name in its refusals.
    pub fn snapshots_dir(&self) -> PathBuf {
        self.home.join("snapshots")
    }

    /// Removes all files.
    pub fn remove_files(&self) {
        let _ = std::fs::remove_dir_all(&self.home);
    }
}

impl Cluster {
    /// The collection's real name behind a name or alias.
    pub fn resolve(&self, name: &str) -> Result<String, Refusal> {
        let real = self.aliases.get(name).map_or(name, String::as_str);
        if self.collections.contains_key(real) { Ok(real.to_owned()) } else { Err(Refusal::no_collection(name)) }
    }

    /// The collection behind a name or alias.
    pub fn collection(&self, name: &str) -> Result<&Collection, Refusal> {
        let real = self.resolve(name)?;
        self.collections.get(&real).ok_or_else(|| Refusal::no_collection(name))
    }

    /// The same, to be changed.
    pub fn collection_mut(&mut self, name: &str) -> Result<&mut Collection, Refusal> {
        let real = self.resolve(name)?;
        self.collections.get_mut(&real).ok_or_else(|| Refusal::no_collection(name))
    }

    /// Creates an empty collection from a config. One that is sharded by keys has no shards until it has keys.
    pub fn create(&mut self, name: &str, config: Value) {
        let empty = (BTreeMap::new(), BTreeMap::new(), SeenSize::default());
        let mut collection = Collection { config, payload_schema: empty.0, shards: empty.1, seen_size: empty.2 };
        let count = if collection.is_keyed() { 0 } else { collection.parameter("shard_number") };
        for number in 0..count {
            collection.shards.insert(number, self.empty_shard(&collection, number, None));
        }
        self.collections.insert(name.to_owned(), collection);
    }

    /// A shard without points, on the nodes that it falls to.
    pub fn empty_shard(&mut self, collection: &Collection, number: u32, key: Option<Value>) -> Shard {
        let nodes = self.nodes.len();
        let copies = (collection.parameter("replication_factor") as usize).min(nodes);
        let replica = |node| {
            let state = if self.stopped.contains(&node) { ReplicaState::Initializing } else { ReplicaState::Active };
            (node, Replica { state, ..Replica::empty(&collection.config) })
        };
        let replicas = (0..copies).map(|copy| replica((number as usize + copy) % nodes)).collect();
        Shard { replicas, segment: self.fresh_uuid(), key }
    }

    /// A UUID that differs from all before.
    pub fn fresh_uuid(&mut self) -> String {
        self.counter += 1;
        let mixed = mix(self.counter);
        let high = (mixed >> 48) & 0xfff;
        format!("{:08x}-{:04x}-4{high:03x}-9abc-{:012x}", mixed as u32, (mixed >> 32) as u16, mix(mixed) >> 16)
    }
}

impl Shard {
    /// Replicas that have all data, on nodes that run.
    fn reachable(&self, stopped: &BTreeSet<usize>) -> impl Iterator<Item = &Replica> {
        let within_reach =
            move |(node, replica): &(&usize, &Replica)| replica.state == ReplicaState::Active && !stopped.contains(*node);
        self.replicas.iter().filter(within_reach).map(|(_, replica)| replica)
    }

    /// The points of a replica that can be read.
    fn points(&self, stopped: &BTreeSet<usize>) -> Result<&Points, Refusal> {
        self.reachable(stopped).next().ok_or_else(|| unreachable(self))?;
        let whole = self.reachable(stopped).find(|replica| !replica.broken);
        whole.map(|replica| &replica.points).ok_or_else(broken_replica)
    }
}

fn broken_replica() -> Refusal {
    Refusal::internal("Service internal error: Failed to restore local replica")
}

/// The error for a shard whose replicas are all on stopped nodes.
fn unreachable(shard: &Shard) -> Refusal {
    let count = shard.replicas.len();
    let each =
        "\n  Service internal error: Tonic status error: status: Unavailable, message: \"tcp connect error: Connection refused\"";
    Refusal::internal(format!("{count} of {count} read operations failed:{}", each.repeat(count)))
}

impl Collection {
    /// A number of the config; at least 1.
    pub fn parameter(&self, name: &str) -> u32 {
        self.config["params"][name].as_u64().and_then(|number| u32::try_from(number).ok()).unwrap_or(1).max(1)
    }

    /// Whether it is sharded by keys.
    pub fn is_keyed(&self) -> bool {
        self.config["params"]["sharding_method"] == "custom"
    }

    /// Numbers of the shards of each key, in the order of the keys' text, as a snapshot lists them (1.16.3).
    pub fn keys(&self) -> Vec<(Value, Vec<u32>)> {
        let mut keys: BTreeMap<String, (Value, Vec<u32>)> = BTreeMap::new();
        for (number, shard) in &self.shards {
            if let Some(key) = &shard.key {
                keys.entry(key.to_string()).or_insert_with(|| (key.clone(), Vec::new())).1.push(*number);
            }
        }
        keys.into_values().collect()
    }

    /// Which shard a point goes to; one that is sharded by keys wants to be told the key.
    pub fn shard_of(&self, point: &PointKey, key: Option<&Value>) -> Result<u32, Refusal> {
        let hash = match point {
            PointKey::Number(number) => mix(*number),
            PointKey::Uuid(text) => text.bytes().fold(7, |hash, byte| mix(hash ^ u64::from(byte))),
        };
        if self.is_keyed() && key.is_none() {
            return Err(Refusal::new(400, "Wrong input: Shard key not specified"));
        }
        let numbers: Vec<u32> = self.shards.iter().filter(|(_, shard)| shard.key.as_ref() == key).map(|(n, _)| *n).collect();
        let missing = || Refusal::new(400, format!("Wrong input: Shard key {} not found", key.unwrap_or(&Value::Null)));
        let at = (hash % numbers.len().max(1) as u64) as usize;
        numbers.get(at).copied().ok_or_else(missing)
    }

    /// The shards of one key, or all shards.
    pub fn asked(&self, key: Option<&Value>) -> Result<impl Iterator<Item = (&u32, &Shard)>, Refusal> {
        if let Some(key) = key
            && !self.shards.values().any(|shard| shard.key.as_ref() == Some(key))
        {
            return Err(Refusal::new(400, format!("Bad request: Shard key {key} not found")));
        }
        let key = key.cloned();
        Ok(self.shards.iter().filter(move |(_, shard)| key.is_none() || shard.key == key))
    }

    /// One readable replica of every shard, of one key or of all; fails as the real server does when a shard is broken or
    /// has no live replica.
    pub fn readable(&self, key: Option<&Value>, stopped: &BTreeSet<usize>) -> Result<Vec<(&Shard, &Points)>, Refusal> {
        self.asked(key)?.map(|(_, shard)| Ok((shard, shard.points(stopped)?))).collect()
    }

    /// Fails when a replica on this node is broken: such a node cannot take a snapshot.
    pub fn whole_on(&self, node: usize) -> Result<(), Refusal> {
        let broken = self.shards.values().filter_map(|shard| shard.replicas.get(&node)).any(|replica| replica.broken);
        if broken { Err(broken_replica()) } else { Ok(()) }
    }

    /// Takes read tokens from every shard that the request reads.
    pub fn pay_for_reading(&mut self, key: Option<&Value>, cost: u64) -> Result<(), Refusal> {
        let asked: Vec<u32> = self.asked(key)?.map(|(number, _)| *number).collect();
        asked.into_iter().try_for_each(|number| self.pay(number, Side::Read, cost))
    }

    /// Takes tokens from a shard: from one replica for a read, from all replicas for a write.
    pub fn pay(&mut self, number: u32, side: Side, cost: u64) -> Result<(), Refusal> {
        let replicas = self.shards.get_mut(&number).into_iter().flat_map(|shard| shard.replicas.values_mut());
        let paying = if side == Side::Read { 1 } else { usize::MAX };
        replicas.take(paying).try_for_each(|replica| replica.buckets.take(side, cost))
    }

    /// Changes the points of a shard on all live replicas; those on stopped nodes become dead.
    pub fn write(
        &mut self,
        shard: u32,
        stopped: &BTreeSet<usize>,
        mut change: impl FnMut(&mut BTreeMap<PointKey, StoredPoint>),
    ) -> Result<(), Refusal> {
        let Some(shard) = self.shards.get_mut(&shard) else { return Ok(()) };
        shard.reachable(stopped).next().ok_or_else(|| unreachable(shard))?;
        for (node, replica) in &mut shard.replicas {
            if stopped.contains(node) {
                replica.state = ReplicaState::Dead;
                continue;
            }
            change(Arc::make_mut(&mut replica.points));
            replica.version += 1;
        }
        Ok(())
    }

    /// Size of the only, unnamed vector.
    pub fn vector_size(&self) -> Option<usize> {
        self.config["params"]["vectors"]["size"].as_u64().map(|size| size as usize)
    }
}

/// SplitMix64: spreads bits, and is a generator when fed a counter.
pub(super) fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
