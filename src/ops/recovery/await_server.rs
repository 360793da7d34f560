//! Following calls of the server that take minutes and say nothing meanwhile.

use crate::domain::ids::CollectionName;
use crate::jobs::progress::Progress;
use crate::qdrant::api::{ApiResult, QdrantApi};
use crate::qdrant::error::{ApiError, ApiErrorKind};
use std::time::{Duration, Instant};

/// How often telemetry is asked.
const POLL: Duration = Duration::from_secs(2);

/// How often in a row a server must be found idle before that is believed, and how far apart.
const IDLE_POLLS: u32 = 3;
const IDLE_POLL: Duration = Duration::from_millis(250);

/// How long a lost call is looked for before it is given up.
const PATIENCE: Duration = Duration::from_secs(6 * 3600);

/// How long an unreachable server is waited for: a restart takes some seconds.
const ABSENCE: Duration = Duration::from_secs(60);

/// A snapshot that takes so long may be waiting for a shard that is being streamed (1.19.0 and older, PR#10018).
const LONG: Duration = Duration::from_secs(60);

/// How a call ended.
pub(crate) enum Followed<T> {
    /// It answered.
    Answered(T),
    /// The connection was lost, and the server is no longer busy: somebody must look what came of it.
    MustLook,
}

/// Waits for `call`, showing what telemetry knows. When the connection is lost after the request was
/// sent, waits until the server is idle instead of repeating anything.
pub(crate) async fn follow<T>(
    node: &dyn QdrantApi,
    name: &CollectionName,
    progress: &Progress,
    call: impl Future<Output = ApiResult<T>>,
) -> ApiResult<Followed<T>> {
    tokio::pin!(call);
    let begun = Instant::now();
    let outcome = loop {
        tokio::select! {
            outcome = &mut call => break outcome,
            () = tokio::time::sleep(POLL) => note_activity(node, name, progress, begun).await,
        }
    };
    match outcome {
        Ok(value) => Ok(Followed::Answered(value)),
        Err(error) if error.kind == ApiErrorKind::OutcomeUnknown => {
            progress.note("the connection was lost; waiting until the server is done");
            until_idle(node, name, &error).await?;
            Ok(Followed::MustLook)
        }
        Err(error) => Err(error),
    }
}

async fn note_activity(node: &dyn QdrantApi, name: &CollectionName, progress: &Progress, begun: Instant) {
    match node.snapshot_activity(name).await {
        Ok(Some(activity)) if activity.creating > 0 && begun.elapsed() > LONG => {
            progress.note("the server is taking the snapshot; it waits while one of its shards is streamed to somebody");
        }
        Ok(Some(activity)) if activity.creating > 0 => progress.note("the server is taking the snapshot"),
        Ok(Some(activity)) if activity.recovering > 0 => progress.note("the server is restoring"),
        Ok(_) => {}
        // A key that may not ask that is no trouble.
        Err(error) if error.refuses() => {}
        Err(error) => progress.note(&format!("the server does not answer telemetry: {}", error.message)),
    }
}

/// Waits until a node does nothing any more with a collection: what a client that is gone had begun goes on.
///
/// # Errors
/// When the node cannot be asked for longer than a restart takes.
pub(crate) async fn idle(node: &dyn QdrantApi, name: &CollectionName, progress: &Progress) -> ApiResult<()> {
    let lost = ApiError::new(ApiErrorKind::Timeout, "wait for the server", node.url(), "it does not tell when it is done");
    if let Ok(None) = node.snapshot_activity(name).await {
        // Servers before 1.16 have no counters: the plan says so, and the person decides.
        return Ok(());
    }
    progress.note("looking whether the server is still at what was begun before");
    until_idle(node, name, &lost).await
}

async fn until_idle(node: &dyn QdrantApi, name: &CollectionName, lost: &ApiError) -> ApiResult<()> {
    let (mut waited, mut absent, mut idle) = (Duration::ZERO, Duration::ZERO, 0);
    while waited < PATIENCE && absent < ABSENCE {
        match node.snapshot_activity(name).await {
            Ok(Some(activity)) if activity.creating + activity.recovering > 0 => (absent, idle) = (Duration::ZERO, 0),
            // Between receiving and recovering a server is idle for a moment, too.
            Ok(Some(_)) if idle < IDLE_POLLS => {
                idle += 1;
                tokio::time::sleep(IDLE_POLL).await;
                continue;
            }
            Ok(Some(_)) => return Ok(()),
            // Servers before 1.16 have no counters: nothing tells when they are done.
            Ok(None) => return Err(lost.clone()),
            // It answers, and may not be asked that: nothing tells when it is done.
            Err(error) if error.refuses() && (error.by_qdrant || error.kind != ApiErrorKind::NotFound) => {
                return Err(lost.clone());
            }
            Err(_) => absent += POLL,
        }
        tokio::time::sleep(POLL).await;
        waited += POLL;
    }
    let mut lost = lost.clone();
    if absent >= ABSENCE {
        lost.kind = ApiErrorKind::Vanished;
        lost.message = format!("{}, and the server did not come back", lost.message);
    }
    Err(lost)
}
