//! An instance as a whole: any live node answers, and one that is dead is passed over.

use crate::domain::collection::{Alias, CollectionInfo};
use crate::domain::ids::CollectionName;
use crate::domain::point::{Point, PointId};
use crate::domain::version::ServerVersion;
use crate::qdrant::api::{AliasAction, ApiResult, Fields, InstanceApi, QdrantApi, ScrollPage};
use crate::qdrant::error::{ApiError, ApiErrorKind};
use async_trait::async_trait;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// All nodes of an instance, for questions that each of them can answer.
pub struct AnyNode {
    nodes: Vec<Arc<dyn QdrantApi>>,
    /// The one that answered last: it is asked first.
    preferred: AtomicUsize,
}

/// Whether another node may be asked, after this failure.
fn passes_on(error: &ApiError, changes: bool) -> bool {
    match error.kind {
        // No connection: nothing was sent.
        ApiErrorKind::Unreachable => true,
        ApiErrorKind::Timeout | ApiErrorKind::Cut | ApiErrorKind::Proxy => !changes,
        // A node that starts or stops.
        ApiErrorKind::Server => !changes && error.status == Some(503),
        _ => false,
    }
}

impl AnyNode {
    /// Of these nodes; there is at least one.
    pub fn new(nodes: Vec<Arc<dyn QdrantApi>>) -> Self {
        Self { nodes, preferred: AtomicUsize::new(0) }
    }

    /// The index of the node that answered last, the first one before any did.
    pub fn preferred(&self) -> usize {
        self.preferred.load(Ordering::Relaxed)
    }

    /// What an answer of a node means: the result of the call, or `None` when the next node is to be asked.
    fn settle<T>(
        &self,
        index: usize,
        answer: ApiResult<T>,
        changes: bool,
        failure: &mut Option<ApiError>,
    ) -> Option<ApiResult<T>> {
        match answer {
            // The first failure is what is reported: it is the one of the node that should have answered.
            Err(error) if passes_on(&error, changes) => {
                failure.get_or_insert(error);
                None
            }
            // It lives, whatever it says.
            answer => {
                self.preferred.store(index, Ordering::Relaxed);
                Some(answer)
            }
        }
    }

    fn turns(&self) -> impl Iterator<Item = usize> + use<> {
        let (first, count) = (self.preferred(), self.nodes.len());
        (0..count).map(move |n| (first + n) % count)
    }
}

/// Asks the nodes one after the other until one answers.
macro_rules! ask {
    ($all:ident, $changes:literal, $node:ident => $call:expr) => {{
        let mut failure: Option<ApiError> = None;
        for index in $all.turns() {
            let $node = $all.nodes[index].as_ref();
            let answer = $call.await;
            if let Some(settled) = $all.settle(index, answer, $changes, &mut failure) {
                return settled;
            }
        }
        Err(failure.unwrap_or_else(|| ApiError::new(ApiErrorKind::Unreachable, "ask the instance", "", "it has no nodes")))
    }};
}

#[async_trait]
impl InstanceApi for AnyNode {
    async fn version(&self) -> ApiResult<Option<ServerVersion>> {
        ask!(self, false, node => node.version())
    }

    async fn collections(&self) -> ApiResult<Vec<CollectionName>> {
        ask!(self, false, node => node.collections())
    }

    async fn collection(&self, name: &CollectionName) -> ApiResult<CollectionInfo> {
        ask!(self, false, node => node.collection(name))
    }

    async fn exists(&self, name: &CollectionName) -> ApiResult<bool> {
        ask!(self, false, node => node.exists(name))
    }

    async fn create_collection(&self, name: &CollectionName, body: &Value) -> ApiResult<()> {
        ask!(self, true, node => node.create_collection(name, body))
    }

    async fn update_collection(&self, name: &CollectionName, body: &Value) -> ApiResult<()> {
        ask!(self, true, node => node.update_collection(name, body))
    }

    async fn create_shard_key(&self, name: &CollectionName, key: &Value, shards: usize) -> ApiResult<()> {
        ask!(self, true, node => node.create_shard_key(name, key, shards))
    }

    async fn create_payload_index(&self, name: &CollectionName, field: &str, schema: &Value) -> ApiResult<()> {
        ask!(self, true, node => node.create_payload_index(name, field, schema))
    }

    async fn delete_payload_index(&self, name: &CollectionName, field: &str) -> ApiResult<()> {
        ask!(self, true, node => node.delete_payload_index(name, field))
    }

    async fn delete_collection(&self, name: &CollectionName) -> ApiResult<bool> {
        ask!(self, true, node => node.delete_collection(name))
    }

    async fn count(&self, name: &CollectionName) -> ApiResult<u64> {
        ask!(self, false, node => node.count(name))
    }

    async fn scroll(
        &self,
        name: &CollectionName,
        offset: Option<&PointId>,
        limit: usize,
        fields: Fields,
    ) -> ApiResult<ScrollPage> {
        ask!(self, false, node => node.scroll(name, offset, limit, fields))
    }

    async fn points(&self, name: &CollectionName, ids: &[PointId]) -> ApiResult<Vec<Point>> {
        ask!(self, false, node => node.points(name, ids))
    }

    async fn sample(&self, name: &CollectionName, limit: usize) -> ApiResult<Vec<Point>> {
        ask!(self, false, node => node.sample(name, limit))
    }

    async fn aliases(&self) -> ApiResult<Vec<Alias>> {
        ask!(self, false, node => node.aliases())
    }

    async fn update_aliases(&self, actions: &[AliasAction]) -> ApiResult<()> {
        ask!(self, true, node => node.update_aliases(actions))
    }
}
