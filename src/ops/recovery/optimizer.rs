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
use crate::qdrant::api::{ApiResult, QdrantApi};
use std::time::Duration;
use tokio::time::Instant;

/// How long a backup or a copy waits for it, all shards together.
const PATIENCE: Duration = Duration::from_secs(600);

/// How often it is asked.
const POLL: Duration = Duration::from_millis(500);

/// The optimizer of the nodes of a collection.
pub(in crate::ops) struct Optimizer {
    until: Instant,
}

impl Optimizer {
    /// Begins to wait; `wait` is what the user asked for.
    pub(in crate::ops) fn new(wait: Option<Duration>) -> Self {
        let now = Instant::now();
        Self { until: now.checked_add(wait.unwrap_or(PATIENCE)).unwrap_or(now) }
    }

    /// Waits until a node optimizes nothing in a collection. Says whether it came to that in time.
    ///
    /// # Errors
    /// When the node cannot be asked.
    pub(in crate::ops) async fn rests(
        &self,
        from: &dyn QdrantApi,
        name: &CollectionName,
        progress: &Progress,
    ) -> Result<bool, Problem> {
        loop {
            let busy = match asked(from, name).await {
                Ok(Some(busy)) => Ok(busy),
                // Its own streams make a collection yellow as well; between them it tells.
                Ok(None) => from.collection(name).await.map(|info| info.status == CollectionStatus::Yellow),
                Err(error) => Err(error),
            };
            if !busy.map_err(|error| error.into_problem(from.url().to_string()))? {
                return Ok(true);
            }
            let left = self.until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            progress.phase("waiting for the optimizer", None);
            progress.note(&format!("a stream would lack deletions while it runs; waiting {} at most", duration(left)));
            tokio::time::sleep(POLL.min(left)).await;
        }
    }
}

/// Whether a node optimizes something in a collection of which it streams a shard; `None` where that cannot be told.
///
/// # Errors
/// When the node cannot be asked.
pub(in crate::ops) async fn asked(from: &dyn QdrantApi, name: &CollectionName) -> ApiResult<Option<bool>> {
    match from.optimizing(name).await {
        // A proxy, or a key, that knows only some calls.
        Err(error) if error.refuses() => Ok(None),
        told => told,
    }
}
