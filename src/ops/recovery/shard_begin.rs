//! The beginning of the stream of a shard: alone, from a node that optimizes nothing, and with its first bytes.

use crate::domain::ids::{CollectionName, ShardId};
use crate::domain::problem::{Problem, ProblemKind};
use crate::jobs::progress::Progress;
use crate::ops::journal::claim::Claim;
use crate::ops::recovery::optimizer::{Patience, Sign, is_yellow, sign};
use crate::ops::services::Services;
use crate::qdrant::api::{ApiResult, Download, QdrantApi};
use crate::transfer::source::{Line, next_chunk};
use futures_util::StreamExt;
use serde_json::Value;

/// A shard on a node that streams it.
#[derive(Clone, Copy)]
pub(in crate::ops) struct StreamOf<'a> {
    pub node: &'a dyn QdrantApi,
    pub collection: &'a CollectionName,
    pub shard: ShardId,
    pub line: &'a Line,
}

/// A stream that has begun.
pub(in crate::ops) struct Begun {
    settled: Option<bool>,
    /// Two streams of one shard: the second would wait for the first, and look like a server that hangs.
    _claim: Option<Claim>,
}

impl StreamOf<'_> {
    /// Its address.
    pub(in crate::ops) fn shown(&self) -> String {
        format!("{}/collections/{}/shards/{}/snapshot", self.node.url(), self.collection, self.shard)
    }

    /// Nobody else of us streams it meanwhile.
    pub(in crate::ops) async fn claim(&self, services: &Services, progress: &Progress) -> Option<Claim> {
        let target = format!("stream of shard {} of {} at {}", self.shard, self.collection, self.node.url());
        services.journal.wait_for_claim(&target, progress).await
    }

    /// Opens it, as a whole or what is newer than `since`, when its node optimizes nothing, or the patience for that ends. There
    /// is no stream where nothing is newer.
    ///
    /// # Errors
    /// Those of the node.
    pub(in crate::ops) async fn begin(
        &self,
        services: &Services,
        patience: &Patience,
        since: Option<&Value>,
        progress: &Progress,
    ) -> Result<(Option<Download>, Begun), Problem> {
        loop {
            let idle = patience.wait(self.node, self.collection, progress).await?;
            let claim = self.claim(services, progress).await;
            progress.phase(&format!("streaming shard {}", self.shard), None);
            let download = self.open(since).await.map_err(|error| error.into_problem(self.shown()))?;
            // Also where nothing changed: versions do not count what is deleted beside a segment.
            let settled = match sign(self.node, self.collection).await {
                Sign::Busy if idle => {
                    patience.disappointed();
                    progress.note("the optimizer began meanwhile: once more");
                    continue;
                }
                Sign::Busy => Some(false),
                Sign::Idle => Some(true),
                Sign::Unknown if idle => None,
                Sign::Unknown => Some(false),
            };
            return Ok((download, Begun { settled, _claim: claim }));
        }
    }

    async fn open(&self, since: Option<&Value>) -> ApiResult<Option<Download>> {
        let opened = match since {
            Some(since) => self.node.stream_changes(self.collection, self.shard, since).await?,
            None => self.node.stream_shard(self.collection, self.shard).await.map(Some)?,
        };
        let Some(mut download) = opened else { return Ok(None) };
        // From the first bytes on the server has what it streams, and changes nothing of it.
        let mut body = std::mem::replace(&mut download.body, futures_util::stream::empty().boxed());
        if let Some(first) = next_chunk(&mut body, self.line.stall, &self.shown()).await? {
            download.body = futures_util::stream::once(std::future::ready(Ok(first))).chain(body).boxed();
        }
        Ok(Some(download))
    }

    /// Whether its replica is Active.
    ///
    /// # Errors
    /// When the node cannot be asked.
    pub(in crate::ops) async fn still_active(&self) -> Result<bool, Problem> {
        let told = self.node.collection_cluster(self.collection).await;
        let cluster = told.map_err(|error| error.into_problem(self.shown()))?;
        Ok(cluster.replicas.iter().any(|own| own.shard == self.shard && own.peer.is_none() && own.state == "Active"))
    }

    /// Whether all of it is in the stream that has just ended: its node optimized nothing, and its replica stayed Active. One that
    /// did not may lack what the others have.
    ///
    /// # Errors
    /// When the replica is not Active any more, or the node cannot be asked.
    pub(in crate::ops) async fn end(&self, begun: &Begun) -> Result<bool, Problem> {
        if !self.still_active().await? {
            let words = "its replica stopped being Active while it streamed";
            return Err(Problem::new(ProblemKind::Failed, words, self.shown()).advise("try again: another replica is taken then"));
        }
        match begun.settled {
            Some(settled) => Ok(settled),
            None => is_yellow(self.node, self.collection).await.map(|yellow| !yellow),
        }
    }
}
