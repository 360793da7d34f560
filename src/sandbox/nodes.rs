//! Stopping and starting nodes, as in a real cluster of three (1.16.3). The other nodes keep answering. Replicas of the
//! stopped node are listed as `Active` until a write fails on them; then they are `Dead`, if another replica took the
//! write. A node that starts again copies what it missed.

use crate::domain::time::{Clock, SystemClock};
use crate::sandbox::answer::Refusal;
use crate::sandbox::routes;
use crate::sandbox::world::{Cluster, Replica, ReplicaState, World};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The result of seeding; `None` while it runs.
pub(super) type Seeded = watch::Receiver<Option<Result<(), String>>>;

/// Bytes that may wait unread on a connection. Left alone, Linux lets 32 MB pile up on the loopback: a client would take
/// a server that does not read for one that has got everything.
const UNREAD: u32 = 1 << 20;

/// Listens on an address.
pub(super) fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.set_recv_buffer_size(UNREAD)?;
    socket.bind(address)?;
    socket.listen(1024)
}

/// A node that serves.
struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// All nodes of a sandbox, with their addresses.
pub(super) struct Nodes {
    world: Arc<World>,
    seeded: Seeded,
    addresses: Vec<SocketAddr>,
    running: Mutex<Vec<Option<Running>>>,
}

impl Nodes {
    /// Serves on all listeners, as soon as the seed is there.
    pub(super) fn start(world: Arc<World>, seeded: Seeded, listeners: Vec<TcpListener>) -> std::io::Result<Self> {
        let addresses = listeners.iter().map(TcpListener::local_addr).collect::<std::io::Result<_>>()?;
        let each = listeners.into_iter().enumerate();
        let running = each.map(|(node, listener)| Some(serve(&world, &seeded, node, listener))).collect();
        Ok(Self { world, seeded, addresses, running: Mutex::new(running) })
    }

    /// Their base addresses.
    pub(super) fn urls(&self) -> Vec<String> {
        self.addresses.iter().map(|address| format!("http://{address}")).collect()
    }

    /// Stops one; its port refuses connections when this returns.
    pub(super) async fn stop(&self, node: usize) {
        let running = self.lock().get_mut(node).and_then(Option::take);
        if let Some(running) = running {
            self.world.cluster().stopped.insert(node);
            running.stop.cancel();
            let _ = running.task.await;
        }
    }

    /// Starts one again, on its port.
    pub(super) fn start_again(&self, node: usize) -> std::io::Result<()> {
        let mut running = self.lock();
        let (Some(slot), Some(address)) = (running.get_mut(node), self.addresses.get(node)) else {
            return Err(std::io::Error::new(std::io::ErrorKind::NotFound, format!("there is no node {node}")));
        };
        if slot.is_none() {
            let listener = listen(*address)?;
            self.world.cluster().come_back(node);
            *slot = Some(serve(&self.world, &self.seeded, node, listener));
        }
        Ok(())
    }

    /// Stops all at once, without waiting.
    pub(super) fn cancel(&self) {
        self.lock().iter().flatten().for_each(|running| running.stop.cancel());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Option<Running>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(clippy::disallowed_methods, reason = "the sandbox is a server of its own")]
fn serve(world: &Arc<World>, seeded: &Seeded, node: usize, listener: TcpListener) -> Running {
    let stop = CancellationToken::new();
    let (world, mut seeded, stopped) = (world.clone(), seeded.clone(), stop.clone());
    let task = tokio::spawn(async move {
        let serving = async {
            let Ok(outcome) = seeded.wait_for(Option::is_some).await.map(|outcome| outcome.clone()) else { return };
            let router = match outcome {
                Some(Err(error)) => routes::failing(format!("the sandbox could not be seeded: {error}")),
                _ => routes::router(world, node),
            };
            let _ = axum::serve(listener, router).await;
        };
        // Dropping the server future closes its connections: a stopped sandbox is gone at once.
        tokio::select! {
            () = serving => {}
            () = stopped.cancelled() => {}
        }
    });
    Running { stop, task }
}

impl Cluster {
    /// Fails when too few nodes run for consensus. The real server answers after ten seconds; the sandbox at once.
    pub fn agree(&self) -> Result<(), Refusal> {
        if self.nodes.len() > 1 && self.stopped.len() * 2 >= self.nodes.len() {
            return Err(Refusal::internal("Waiting for consensus operation commit failed. Timeout set at: 10 seconds"));
        }
        Ok(())
    }

    /// The node that leads: the first that runs.
    pub fn leader(&self) -> usize {
        (0..self.nodes.len()).find(|node| !self.stopped.contains(node)).unwrap_or(0)
    }

    /// Marks a node as running; its replicas copy what they missed.
    fn come_back(&mut self, node: usize) {
        self.stopped.remove(&node);
        (self.nodes[node].started, self.nodes[node].restores) = (SystemClock.now(), 0);
        let stopped = self.stopped.clone();
        for shard in self.collections.values_mut().flat_map(|collection| collection.shards.values_mut()) {
            let active = |replica: &Replica| replica.state == ReplicaState::Active;
            let source = shard.replicas.iter().find(|(at, replica)| active(replica) && !stopped.contains(at));
            let source = source.map(|(_, replica)| replica.clone());
            // Where no replica has the data there is nothing to wait for: the shard is new and empty.
            let is_lost = !shard.replicas.values().any(active);
            match (shard.replicas.get_mut(&node).filter(|replica| !active(replica)), source) {
                (Some(replica), Some(source)) => *replica = source,
                (Some(replica), None) if is_lost => replica.state = ReplicaState::Active,
                _ => {}
            }
        }
    }
}
