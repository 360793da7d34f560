//! L4: an embedded server that behaves like Qdrant 1.18.3 for everything qsnap uses.
//!
//! It exists for the demo, for tests and for trying things without risk. It is written from recorded
//! answers of a real server and shares no types with the client: a mistake made there must not be
//! repeated here. `tests/it/exchanges.rs` replays the recorded answers against it.

mod access;
mod answer;
mod archive;
mod body;
mod collections;
mod config;
pub mod faults;
mod files;
mod filter;
mod indexes;
mod limiter;
mod nodes;
mod path;
mod points;
mod proxy;
mod reads;
mod recover;
mod routes;
pub mod seed;
mod seen_size;
mod shards;
mod snapshots;
mod strict;
mod unpack;
mod world;

use faults::Faults;
use nodes::Nodes;
use std::net::SocketAddr;
use std::sync::Arc;
use world::World;

/// The version it claims, and behaves like.
pub const VERSION: &str = "1.18.3";

/// How to start a sandbox.
#[derive(Debug, Clone)]
pub struct SandboxOptions {
    /// Address of the first node; further nodes take free ports beside it.
    pub listen: SocketAddr,
    /// Key with all rights.
    pub api_key: Option<String>,
    /// Key that may only read.
    pub read_only_api_key: Option<String>,
    /// Key with all rights to one collection and none beyond, and the name of that collection: a JWT with `rw` on it.
    pub collection_key: Option<(String, String)>,
    /// Nodes; 1 is a standalone server, unless it is a cluster of one.
    pub nodes: usize,
    /// A cluster, also of one node: only there shard keys can be made. Several nodes always are one.
    pub cluster: bool,
    /// Bytes per second and connection; `None` for no limit.
    pub rate: Option<u64>,
    /// Whether `recover` may fetch http(s) locations.
    pub url_recovery: bool,
    /// User and password that a proxy before the server asks for.
    pub basic_auth: Option<(String, String)>,
    /// A header, name and value, that a proxy before the server asks for.
    pub required_header: Option<(String, String)>,
    /// Strict mode of every new collection, under what the collection says itself; `None` for none.
    pub strict_mode: Option<serde_json::Value>,
    /// Faults from the start.
    pub faults: Faults,
}

impl Default for SandboxOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            api_key: None,
            read_only_api_key: None,
            collection_key: None,
            nodes: 1,
            cluster: false,
            rate: None,
            url_recovery: true,
            basic_auth: None,
            required_header: None,
            strict_mode: None,
            faults: Faults::default(),
        }
    }
}

/// A running sandbox; it stops, and removes its files, when dropped.
pub struct Sandbox {
    urls: Vec<String>,
    world: Arc<World>,
    nodes: Nodes,
}

impl Sandbox {
    /// Binds at once; seeds in the background, then serves. Requests wait meanwhile, so that nobody sees
    /// half of the seed.
    pub async fn start(options: SandboxOptions, seeds: Vec<seed::SeedCollection>) -> std::io::Result<Self> {
        let mut listeners = vec![nodes::listen(options.listen)?];
        for _ in 1..options.nodes.max(1) {
            listeners.push(nodes::listen(SocketAddr::new(options.listen.ip(), 0))?);
        }
        let world = Arc::new(World::new(options, listeners.len())?);
        let nodes = Nodes::start(world.clone(), seed(world.clone(), seeds), listeners)?;
        Ok(Self { urls: nodes.urls(), world, nodes })
    }

    /// Base addresses of the nodes.
    pub fn urls(&self) -> &[String] {
        &self.urls
    }

    /// The faults, to be changed while it runs.
    pub fn faults(&self) -> &Faults {
        &self.world.options.faults
    }

    /// Stops a node: its port refuses connections, the other nodes answer on.
    pub async fn stop_node(&self, node: usize) {
        self.nodes.stop(node).await;
    }

    /// Starts a stopped node again, on its port.
    pub fn start_node(&self, node: usize) -> std::io::Result<()> {
        self.nodes.start_again(node)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.nodes.cancel();
        self.world.remove_files();
    }
}

#[expect(clippy::disallowed_methods, reason = "the sandbox is a server of its own")]
fn seed(world: Arc<World>, seeds: Vec<seed::SeedCollection>) -> nodes::Seeded {
    let (sender, receiver) = tokio::sync::watch::channel(None);
    tokio::spawn(async move {
        let seeding = tokio::task::spawn_blocking(move || seed::apply(&world, &seeds)).await;
        let outcome = seeding.map_err(std::io::Error::other).and_then(|result| result);
        let _ = sender.send(Some(outcome.map_err(|error| error.to_string())));
    });
    receiver
}
