//! L4: an embedded server that behaves like Qdrant 1.18.3 for everything qsnap uses.
//!
//! It exists for the demo, for tests and for trying things without risk. It is written from recorded
//! answers of a real server and shares no types with the client: a mistake made there must not be
//! repeated here. `tests/it/exchanges.rs` replays the recorded answers against it.

mod access;
mod answer;
mod archive;
mod collections;
mod config;
pub mod faults;
mod files;
mod filter;
mod indexes;
mod limiter;
mod path;
mod points;
mod reads;
mod recover;
mod routes;
pub mod seed;
mod shards;
mod snapshots;
mod strict;
mod unpack;
mod world;

use faults::Faults;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpSocket};
use tokio_util::sync::CancellationToken;
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
    /// Nodes; 1 is a standalone server, unless it is a cluster of one.
    pub nodes: usize,
    /// A cluster, also of one node: only there shard keys can be made. Several nodes always are one.
    pub cluster: bool,
    /// Bytes per second and connection; `None` for no limit.
    pub rate: Option<u64>,
    /// Whether `recover` may fetch http(s) locations.
    pub url_recovery: bool,
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
            nodes: 1,
            cluster: false,
            rate: None,
            url_recovery: true,
            strict_mode: None,
            faults: Faults::default(),
        }
    }
}

/// A running sandbox; it stops, and removes its files, when dropped.
pub struct Sandbox {
    urls: Vec<String>,
    world: Arc<World>,
    stop: CancellationToken,
}

impl Sandbox {
    /// Binds at once; seeds in the background, then serves. Requests wait meanwhile, so that nobody sees
    /// half of the seed.
    pub async fn start(options: SandboxOptions, seeds: Vec<seed::SeedCollection>) -> std::io::Result<Self> {
        let mut listeners = vec![listen(options.listen)?];
        for _ in 1..options.nodes.max(1) {
            listeners.push(listen(SocketAddr::new(options.listen.ip(), 0))?);
        }
        let urls = listeners
            .iter()
            .map(|listener| listener.local_addr().map(|address| format!("http://{address}")))
            .collect::<std::io::Result<Vec<_>>>()?;
        let world = Arc::new(World::new(options, listeners.len())?);
        let stop = CancellationToken::new();
        serve(listeners, world.clone(), seeds, stop.clone());
        Ok(Self { urls, world, stop })
    }

    /// Base addresses of the nodes.
    pub fn urls(&self) -> &[String] {
        &self.urls
    }

    /// The faults, to be changed while it runs.
    pub fn faults(&self) -> &Faults {
        &self.world.options.faults
    }
}

/// Bytes that may wait unread on a connection. Left alone, Linux lets 32 MB pile up on the loopback: a client would take
/// a server that does not read for one that has got everything.
const UNREAD: u32 = 1 << 20;

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.set_recv_buffer_size(UNREAD)?;
    socket.bind(address)?;
    socket.listen(1024)
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop.cancel();
        self.world.remove_files();
    }
}

#[expect(clippy::disallowed_methods, reason = "the sandbox is a server of its own")]
fn serve(listeners: Vec<TcpListener>, world: Arc<World>, seeds: Vec<seed::SeedCollection>, stop: CancellationToken) {
    tokio::spawn(async move {
        let seeded = world.clone();
        let seeding = tokio::task::spawn_blocking(move || seed::apply(&seeded, &seeds)).await;
        let failure = seeding.map_err(std::io::Error::other).and_then(|result| result).err();
        for (node, listener) in listeners.into_iter().enumerate() {
            let router = match &failure {
                None => routes::router(world.clone(), node),
                Some(error) => routes::failing(format!("the sandbox could not be seeded: {error}")),
            };
            let stop = stop.clone();
            tokio::spawn(async move {
                // Dropping the server future closes its connections: a stopped sandbox is gone at once.
                tokio::select! {
                    _ = axum::serve(listener, router) => {}
                    () = stop.cancelled() => {}
                }
            });
        }
    });
}
