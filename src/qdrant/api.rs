//! What qsnap asks of one node.
//!
//! Collections, aliases and points are cluster-wide; snapshots, telemetry and the local half of the
//! cluster view belong to the node that is asked (1.18.3; see Qdrant's distributed deployment guide).

use crate::domain::collection::{Alias, CollectionCluster, CollectionInfo};
use crate::domain::ids::{CollectionName, PeerId, ShardId, SnapshotName};
use crate::domain::lineage::Lineage;
use crate::domain::point::{Point, PointId};
use crate::domain::secret::{SafeUrl, Secret};
use crate::domain::snapshot::{SnapshotInfo, SnapshotScope};
use crate::domain::version::ServerVersion;
use crate::qdrant::error::ApiError;
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use serde_json::Value;

/// Result of a call.
pub type ApiResult<T> = Result<T, ApiError>;

/// `GET /cluster` of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterInfo {
    /// This node's peer id; `None` on a standalone server.
    pub peer: Option<PeerId>,
    /// All peers, itself included.
    pub peers: Vec<PeerId>,
    /// Whether consensus works; true on a standalone server.
    pub consensus_works: bool,
}

/// Telemetry counters of one collection's snapshots (1.16 and newer).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SnapshotActivity {
    /// Snapshots being made.
    pub creating: u64,
    /// Recoveries under way.
    pub recovering: u64,
}

/// One page of a scroll.
#[derive(Debug, Clone)]
pub struct ScrollPage {
    /// Points in id order.
    pub points: Vec<Point>,
    /// Where the next page begins.
    pub next: Option<PointId>,
    /// Size of the answer, to choose the next limit by.
    pub bytes: usize,
}

/// Which bytes of a file are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The first byte.
    pub from: u64,
    /// One past the last byte; `None` for all to the end.
    pub to: Option<u64>,
    /// The version it must have (`If-Match`); any other is answered with an error of kind `Changed`.
    pub etag: Option<String>,
}

/// An open download.
pub struct Download {
    /// The bytes, raw.
    pub body: BoxStream<'static, ApiResult<Bytes>>,
    /// Offset of the first byte that comes: 0 where the server ignores ranges, whatever was wanted.
    pub from: u64,
    /// One past the last byte that comes, where it is a part.
    pub to: Option<u64>,
    /// Bytes to come, where the server says so (not with S3 storage).
    pub length: Option<u64>,
    /// Size of the whole file, where the server says so.
    pub total: Option<u64>,
    /// Identifies the file's version; absent with S3 storage, and when it is weak.
    pub etag: Option<String>,
    /// Whether parts of the file can be had: the server sends ranges and names the version.
    pub ranged: bool,
}

/// An upload of a snapshot, which the node recovers from at once.
pub struct Upload {
    /// The name under which the node will keep the file; must be unique there.
    pub file_name: String,
    /// Exact number of bytes that `body` will give, where that is known.
    pub size: Option<u64>,
    /// The bytes.
    pub body: BoxStream<'static, std::io::Result<Bytes>>,
    /// sha256 in hex; the server compares before it touches anything.
    pub sha256: Option<String>,
}

/// A recovery from a place that the node itself reads.
pub struct Recover {
    /// Where the node finds the snapshot.
    pub location: SafeUrl,
    /// Key for that place, sent as `api-key` (1.9.1 and newer).
    pub api_key: Option<Secret>,
    /// sha256 in hex; the server compares before it touches anything.
    pub sha256: Option<String>,
}

/// One change of aliases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AliasAction {
    /// Points an alias at a collection, from wherever it pointed before: the one atomic switch.
    Point(Alias),
    /// Removes an alias.
    Remove(String),
}

/// How much of each point is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fields {
    /// Its id only: to count, and to see that every page can be read.
    Ids,
    /// Payload and vectors too.
    All,
}

/// What any live node answers for the whole instance: collections, points and aliases are the same on all of them.
#[async_trait]
pub trait InstanceApi: Send + Sync {
    /// `GET /`: needs no key, and shows whether this is a Qdrant at all.
    async fn version(&self) -> ApiResult<Option<ServerVersion>>;
    /// Names of all collections, unsorted.
    async fn collections(&self) -> ApiResult<Vec<CollectionName>>;
    /// Info of one; the name may be an alias.
    async fn collection(&self, name: &CollectionName) -> ApiResult<CollectionInfo>;
    /// Whether a collection or alias of this name exists.
    async fn exists(&self, name: &CollectionName) -> ApiResult<bool>;
    /// Creates a collection from a `CreateCollection` body.
    async fn create_collection(&self, name: &CollectionName, body: &Value) -> ApiResult<()>;
    /// Changes settings of a collection with an `UpdateCollection` body.
    async fn update_collection(&self, name: &CollectionName, body: &Value) -> ApiResult<()>;
    /// Adds a shard key with so many shards to a collection that is sharded by keys; clusters only.
    async fn create_shard_key(&self, name: &CollectionName, key: &Value, shards: usize) -> ApiResult<()>;
    /// Indexes a payload field, as `payload_index.json` of a snapshot describes it.
    async fn create_payload_index(&self, name: &CollectionName, field: &str, schema: &Value) -> ApiResult<()>;
    /// Removes the index of a payload field; the payload stays.
    async fn delete_payload_index(&self, name: &CollectionName, field: &str) -> ApiResult<()>;
    /// Deletes a collection; `false` when there was none.
    async fn delete_collection(&self, name: &CollectionName) -> ApiResult<bool>;
    /// Exact number of points. Strict mode can refuse it (`search_allow_exact: false`, 1.13 and newer).
    async fn count(&self, name: &CollectionName) -> ApiResult<u64>;
    /// Whether it has no point. One is read, because a server may refuse to count (`search_allow_exact`).
    async fn is_empty(&self, name: &CollectionName) -> ApiResult<bool> {
        self.scroll(name, None, 1, Fields::Ids).await.map(|page| page.points.is_empty())
    }
    /// Points in id order, from `offset` on.
    async fn scroll(
        &self,
        name: &CollectionName,
        offset: Option<&PointId>,
        limit: usize,
        fields: Fields,
    ) -> ApiResult<ScrollPage>;
    /// The points of these ids that exist.
    async fn points(&self, name: &CollectionName, ids: &[PointId]) -> ApiResult<Vec<Point>>;
    /// Random points (1.11 and newer).
    async fn sample(&self, name: &CollectionName, limit: usize) -> ApiResult<Vec<Point>>;
    /// All aliases.
    async fn aliases(&self) -> ApiResult<Vec<Alias>>;
    /// Changes aliases. Not a transaction: send one action where it matters (1.18.3).
    async fn update_aliases(&self, actions: &[AliasAction]) -> ApiResult<()>;
}

/// One node of an instance.
#[async_trait]
pub trait QdrantApi: InstanceApi {
    /// The node's address.
    fn url(&self) -> &SafeUrl;
    /// `GET /healthz`.
    async fn live(&self) -> ApiResult<()>;
    /// The cluster as this node sees it.
    async fn cluster(&self) -> ApiResult<ClusterInfo>;
    /// A collection's shards as this node sees them.
    async fn collection_cluster(&self, name: &CollectionName) -> ApiResult<CollectionCluster>;
    /// What the node is doing with snapshots of a collection; `None` before 1.16.
    async fn snapshot_activity(&self, name: &CollectionName) -> ApiResult<Option<SnapshotActivity>>;
    /// Snapshots kept on this node, unsorted.
    async fn snapshots(&self, scope: &SnapshotScope) -> ApiResult<Vec<SnapshotInfo>>;
    /// Takes a snapshot. No time limit: the server goes on even when the caller does not wait.
    async fn create_snapshot(&self, scope: &SnapshotScope) -> ApiResult<SnapshotInfo>;
    /// Opens a download. Local storage gives ranges and an ETag and honours `If-Match`; S3 storage gives the
    /// whole file whatever is wanted (1.18.3).
    async fn download(&self, scope: &SnapshotScope, name: &SnapshotName, wanted: &Wanted) -> ApiResult<Download>;
    /// Streams a shard of which this node has a replica: a tar without length and hash, for which the server uses no disk. In
    /// the server since 1.12, in its public API since 1.17. A second stream of the same shard answers, and sends nothing until
    /// the first ends (1.19.0 and older, PR#10018).
    async fn stream_shard(&self, name: &CollectionName, shard: ShardId) -> ApiResult<Download>;
    /// The versions of the segments of a shard and of their files, by segment: what [`Self::stream_changes`] is told. In the server
    /// since 1.14.1, not in its public API (1.16.3 `src/actix/api/snapshot_api.rs:820`, 1.19.0 `:940`).
    async fn shard_versions(&self, name: &CollectionName, shard: ShardId) -> ApiResult<Value>;
    /// Streams the files of a shard that are newer than these versions, with the versions of every segment that there is now;
    /// `None` when all are as they were (304). As [`Self::stream_shard`] in all else (1.19.0 `snapshot_api.rs:642`).
    async fn stream_changes(&self, name: &CollectionName, shard: ShardId, since: &Value) -> ApiResult<Option<Download>>;
    /// Whether segments of a collection are being optimized on this node; `None` before 1.16, which does not tell.
    async fn optimizing(&self, name: &CollectionName) -> ApiResult<Option<bool>>;
    /// Whether data of this node can have been replaced, by its telemetry; `None` where that does not tell.
    async fn lineage(&self) -> ApiResult<Option<Lineage>>;
    /// Uploads and recovers, with `priority=snapshot`. No time limit, never repeated.
    async fn upload(&self, scope: &SnapshotScope, upload: Upload) -> ApiResult<()>;
    /// Recovers from a location, with `priority=snapshot`. No time limit, never repeated.
    async fn recover(&self, scope: &SnapshotScope, recover: Recover) -> ApiResult<()>;
    /// Deletes a snapshot.
    async fn delete_snapshot(&self, scope: &SnapshotScope, name: &SnapshotName) -> ApiResult<()>;
    /// Where another server can fetch the stream of a shard.
    fn shard_url(&self, name: &CollectionName, shard: ShardId) -> SafeUrl;
    /// Where another server can fetch a snapshot.
    fn snapshot_url(&self, scope: &SnapshotScope, name: &SnapshotName) -> SafeUrl;
}
