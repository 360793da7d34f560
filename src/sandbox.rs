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
pub mod options;
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

use crate::sandbox::options::SandboxOptions;
use faults::Faults;
use nodes::Nodes;
use std::net::SocketAddr;
use std::sync::Arc;
use world::World;

/// A running sandbox; it stops, and removes its files, when dropped.
pub struct Sandbox {
    urls: Vec<String>,
    world: Arc<World>,
    nodes: Nodes,
}

impl Sandbox {
    /// Binds at once; seeds in the background, then serves. Requests wait meanwhile, so that no client
    /// sees half of the seed.
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
