//! Where bytes come from, and how the way there is used.

use crate::domain::ids::SnapshotName;
use crate::domain::instance::Transfers;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::snapshot::SnapshotScope;
use crate::qdrant::api::{ApiResult, Download, QdrantApi, Wanted};
use crate::qdrant::error::{ApiError, ApiErrorKind};
use crate::qdrant::link::Link;
use crate::qdrant::retry::Tries;
use crate::transfer::throttle::Throttle;
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use std::sync::Arc;
use std::time::Duration;

/// A file that can be read from any offset, if its server allows.
#[async_trait]
pub trait Source: Send + Sync {
    /// Opens it; the answer says which bytes come.
    async fn open(&self, wanted: &Wanted) -> ApiResult<Download>;
    /// What the user knows it by.
    fn shown(&self) -> &str;
}

/// A snapshot on a node.
pub struct NodeSnapshot {
    /// The node.
    pub node: Arc<dyn QdrantApi>,
    /// Of what.
    pub scope: SnapshotScope,
    /// Which.
    pub name: SnapshotName,
    /// Its address.
    pub shown: String,
}

#[async_trait]
impl Source for NodeSnapshot {
    async fn open(&self, wanted: &Wanted) -> ApiResult<Download> {
        self.node.download(&self.scope, &self.name, wanted).await
    }

    fn shown(&self) -> &str {
        &self.shown
    }
}

/// A file behind a link.
pub struct Linked {
    /// The link.
    pub link: Link,
    /// Its address, without what may be a secret.
    pub shown: String,
}

#[async_trait]
impl Source for Linked {
    async fn open(&self, wanted: &Wanted) -> ApiResult<Download> {
        self.link.open(wanted).await
    }

    fn shown(&self) -> &str {
        &self.shown
    }
}

/// How the way to an instance is used.
#[derive(Debug, Clone)]
pub struct Line {
    /// The limit that all its transfers share.
    pub throttle: Throttle,
    /// Streams of one download, at most.
    pub streams: usize,
    /// No byte for so long is a fault.
    pub stall: Duration,
    /// Wait before the first retry.
    pub first_wait: Duration,
}

impl Default for Line {
    /// A way without limits of its own.
    fn default() -> Self {
        let usual = Transfers::default();
        Self { throttle: Throttle::new(None), streams: usual.streams, stall: usual.stall, first_wait: usual.first_wait }
    }
}

/// What is known of a file before it is fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Bytes.
    pub size: u64,
    /// sha256 in hex, where the server lists it.
    pub sha256: Option<String>,
    /// Identifies the version, where the server says so.
    pub etag: Option<String>,
    /// Whether parts can be had.
    pub ranged: bool,
}

impl Expected {
    /// Asks for one byte to learn what the server gives: one short request, and the body is not read.
    pub async fn probe(source: &dyn Source, size: u64, sha256: Option<String>) -> ApiResult<Self> {
        let wanted = Wanted { from: 0, to: Some(1), etag: None };
        let mut tries = Tries::default();
        let answer = loop {
            match source.open(&wanted).await {
                Ok(answer) => break answer,
                Err(error) => match tries.next_wait(&error) {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => return Err(error),
                },
            }
        };
        let size = answer.total.unwrap_or(size);
        Ok(Self { size, sha256, etag: answer.etag, ranged: answer.ranged })
    }

    /// Whether bytes of the one are bytes of the other. A hash decides where both have one.
    pub fn same_bytes(&self, other: &Self) -> bool {
        let equal = match (&self.sha256, &other.sha256) {
            (Some(a), Some(b)) => a == b,
            _ => self.etag.is_some() && self.etag == other.etag,
        };
        self.size == other.size && equal
    }
}

/// The next chunk of a body, or an error when none comes for `stall`.
pub async fn next_chunk(
    body: &mut (impl Stream<Item = ApiResult<Bytes>> + Unpin),
    stall: Duration,
    on: &str,
) -> ApiResult<Option<Bytes>> {
    match tokio::time::timeout(stall, body.next()).await {
        Ok(Some(chunk)) => chunk.map(Some),
        Ok(None) => Ok(None),
        Err(_) => {
            let words = format!("no byte came for {}", crate::domain::time::duration(stall));
            Err(ApiError::new(ApiErrorKind::Cut, "read the snapshot", on, words))
        }
    }
}

/// The file on the server is no longer the one that was planned with.
pub fn changed(source: &dyn Source) -> Problem {
    Problem::new(ProblemKind::PlanStale, "the snapshot changed on the server while it was read", source.shown())
        .advise("refresh the list and look: somebody replaced it under the same name")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(size: u64, sha256: Option<&str>, etag: Option<&str>) -> Expected {
        Expected { size, sha256: sha256.map(str::to_owned), etag: etag.map(str::to_owned), ranged: true }
    }

    #[test]
    fn bytes_are_the_same_by_hash_and_else_by_version() {
        let known = expected(10, Some("a"), Some("1"));
        assert!(known.same_bytes(&expected(10, Some("a"), Some("2"))), "the same content, touched");
        assert!(!known.same_bytes(&expected(10, Some("b"), Some("1"))));
        assert!(!known.same_bytes(&expected(11, Some("a"), Some("1"))));
        assert!(known.same_bytes(&expected(10, None, Some("1"))));
        assert!(!expected(10, None, None).same_bytes(&expected(10, None, None)), "nothing tells them apart");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_a_fault() {
        let mut body = futures_util::stream::pending::<ApiResult<Bytes>>();
        let error = next_chunk(&mut body, Duration::from_secs(30), "x").await.unwrap_err();
        assert_eq!((error.kind, error.message.as_str()), (ApiErrorKind::Cut, "no byte came for 30s"));
    }
}
