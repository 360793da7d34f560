//! Streams of shards whose node optimizes nothing meanwhile.
//!
//! A stream has the files of segments, and not the log of writes. While a segment is optimized its deletions are kept beside it, and
//! a stream lacks them: 15 of 16 did (measured on 1.16.3; `lib/shard/src/proxy_segment/snapshot_entry.rs`, the same in 1.19.0).
//! While a shard streams, no optimization of it begins (`lib/collection/src/shards/local_shard/snapshot.rs`). So it is enough to ask
//! when the first byte has come: one that runs then ran before.

use crate::domain::collection::CollectionStatus;
use crate::domain::ids::CollectionName;
use crate::domain::problem::Problem;
use crate::domain::time::duration;
use crate::jobs::progress::Progress;
use crate::qdrant::api::QdrantApi;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long a backup or a copy waits for it, all shards together; the time in which they stream does not count.
const PATIENCE: Duration = Duration::from_secs(600);

/// How often it is asked.
const POLL: Duration = Duration::from_millis(500);

/// What a node says of its optimizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ops) enum Sign {
    /// Nothing is optimized.
    Idle,
    /// Something is.
    Busy,
    /// It does not tell: a server before 1.16, a proxy or a key that knows only some calls, or a newer one that asks all nodes and
    /// gets no answer from one (1.19.0 `lib/collection/src/collection/collection_ops.rs`).
    Unknown,
}

/// Asks a node. Of its own streams this tells nothing.
pub(in crate::ops) async fn sign(from: &dyn QdrantApi, name: &CollectionName) -> Sign {
    match from.optimizing(name).await {
        Ok(Some(true)) => Sign::Busy,
        Ok(Some(false)) => Sign::Idle,
        Ok(None) | Err(_) => Sign::Unknown,
    }
}

/// The same by the status of the collection, which its own streams make yellow as well: between them it tells.
///
/// # Errors
/// When the node cannot be asked.
pub(in crate::ops) async fn is_yellow(from: &dyn QdrantApi, name: &CollectionName) -> Result<bool, Problem> {
    let info = from.collection(name).await.map_err(|error| error.into_problem(from.url().to_string()))?;
    Ok(info.status == CollectionStatus::Yellow)
}

/// How long optimizers are still waited for.
pub(in crate::ops) struct Patience(Mutex<Duration>);

impl Patience {
    /// All of it; `wait` is what the user asked for.
    pub(in crate::ops) fn new(wait: Option<Duration>) -> Self {
        Self(Mutex::new(wait.unwrap_or(PATIENCE)))
    }

    fn left(&self) -> Duration {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a part of it.
    pub(in crate::ops) fn spend(&self, waited: Duration) {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *left = left.saturating_sub(waited);
    }

    /// Waits until a node optimizes nothing in a collection. Says whether it came to that in time.
    ///
    /// # Errors
    /// When the node cannot be asked.
    pub(in crate::ops) async fn wait(
        &self,
        from: &dyn QdrantApi,
        name: &CollectionName,
        progress: &Progress,
    ) -> Result<bool, Problem> {
        loop {
            let busy = match sign(from, name).await {
                Sign::Busy => true,
                Sign::Idle => false,
                Sign::Unknown => is_yellow(from, name).await?,
            };
            let left = self.left();
            if !busy || left.is_zero() {
                return Ok(!busy);
            }
            progress.phase("waiting for the optimizer", None);
            progress.note(&format!("a stream would lack deletions while it runs; waiting {} at most", duration(left)));
            let begun = Instant::now();
            tokio::time::sleep(POLL.min(left)).await;
            self.spend(begun.elapsed());
        }
    }

    /// It was idle, and began again before a stream did: once more, and not for ever.
    pub(in crate::ops) fn disappointed(&self) {
        self.spend(POLL);
    }
}
