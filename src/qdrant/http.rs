//! [`QdrantApi`] over REST.
//!
//! Two clients per node: *calls* with a deadline, *transfers* without any. reqwest's own
//! `read_timeout` is not used: it starts with the request and would end every long upload and every
//! slow `create` (reqwest 0.13, issue 2784).

mod exchange;

use crate::domain::access::Access;
use crate::domain::collection::{Alias, CollectionCluster, CollectionInfo};
use crate::domain::ids::{CollectionName, ShardId, SnapshotName};
use crate::domain::instance::Instance;
use crate::domain::lineage::Lineage;
use crate::domain::point::{Point, PointId};
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::request_log::{Logged, RequestLog};
use crate::domain::secret::SafeUrl;
use crate::domain::snapshot::{SnapshotInfo, SnapshotScope};
use crate::domain::version::ServerVersion;
use crate::qdrant::answer::{body_of, root_cause};
use crate::qdrant::api::{
    AliasAction, ApiResult, ClusterInfo, Download, Fields, InstanceApi, QdrantApi, Recover, ScrollPage, SnapshotActivity, Upload,
    Wanted,
};
use crate::qdrant::error::{ApiError, ApiErrorKind};
use crate::qdrant::refusal::Asker;
use crate::qdrant::{client, ranges, wire};
use async_trait::async_trait;
use reqwest::header::{ACCEPT_ENCODING, IF_MATCH, RANGE};
use reqwest::multipart::{Form, Part};
use reqwest::{Body, Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};
use std::time::Duration;

/// Largest error body that is read.
const MAX_ERROR: usize = 64 << 10;

/// How long sent bytes may wait for their acknowledgement before a transfer's connection counts as dead. A server
/// that is busy with its disk may close its window for a while: that is no fault before `stall` says so.
const UNACKNOWLEDGED: Duration = Duration::from_secs(60);

/// One node.
pub struct HttpNode {
    url: SafeUrl,
    calls: Client,
    transfers: Client,
    /// How other servers reach it, where its own address does not hold for them.
    reachable_as: Option<SafeUrl>,
    /// How long a download may take to begin.
    opening: Duration,
    asker: Asker,
    if_unreachable: Option<String>,
    logged: Logged,
}

impl HttpNode {
    /// The node at `index` of the instance, reached at `url`. Connects nothing yet.
    ///
    /// # Errors
    /// When a secret cannot be sent, or a certificate cannot be used.
    pub fn new(instance: &Instance, index: usize, url: &SafeUrl, access: &Access, log: &RequestLog) -> Result<Self, Problem> {
        let wrong = |message: String| Problem::new(ProblemKind::Usage, message, instance.name.as_str());
        let build = |deadline: Option<Duration>| {
            let mut builder = client::builder(url, &instance.tls, access).map_err(wrong)?;
            builder = builder.connect_timeout(instance.timeout.min(Duration::from_secs(10)));
            builder = match deadline {
                Some(deadline) => builder.timeout(deadline),
                None => builder.tcp_user_timeout((instance.transfers.stall * 2).max(UNACKNOWLEDGED)),
            };
            builder.build().map_err(|error| wrong(format!("the HTTP client cannot be made: {}", root_cause(&error))))
        };
        let (calls, transfers) = (build(Some(instance.timeout))?, build(None)?);
        Ok(Self {
            url: url.clone(),
            reachable_as: instance.reachable_as(index).cloned(),
            calls,
            transfers,
            opening: instance.timeout.max(instance.transfers.stall),
            asker: Asker::of(access),
            if_unreachable: instance.if_unreachable.clone(),
            logged: Logged { log: log.clone(), instance: instance.name.clone(), node: index },
        })
    }

    fn path(&self, segments: &[&str]) -> reqwest::Url {
        self.url.join(segments).expose().clone()
    }

    fn scope_path(&self, scope: &SnapshotScope, rest: &[&str]) -> reqwest::Url {
        let segments = scope.segments();
        let segments: Vec<&str> = segments.iter().map(String::as_str).chain(rest.iter().copied()).collect();
        self.path(&segments)
    }

    /// What the root says of itself.
    async fn root(&self, what: &'static str) -> ApiResult<Option<ServerVersion>> {
        let response = self.send(what, self.calls.get(self.path(&[""]))).await?;
        let body = self.read(what, response, MAX_ERROR).await?;
        let root: Value = serde_json::from_slice(&body).map_err(|_| self.not_qdrant(what, &body))?;
        match (root.get("title").and_then(Value::as_str), root.get("version").and_then(Value::as_str)) {
            (Some(title), version) if title.contains("qdrant") => Ok(version.and_then(ServerVersion::parse)),
            _ => Err(self.not_qdrant(what, &body)),
        }
    }

    /// Opens a body. That has its own watch for stalls; a server that never answers must not hang the job either.
    async fn opened(&self, what: &'static str, request: RequestBuilder) -> ApiResult<Response> {
        let opened = tokio::time::timeout(self.opening, self.send(what, request)).await;
        opened.unwrap_or_else(|_| {
            let words = format!("no answer for {}", crate::domain::time::duration(self.opening));
            Err(ApiError::new(ApiErrorKind::Timeout, what, &self.url, words))
        })
    }

    /// What telemetry says of the application, for a key that may read it; no header of Qdrant names its version (1.16.3).
    async fn told_by_telemetry(&self, what: &'static str) -> Option<ServerVersion> {
        let response = self.send(what, self.calls.get(self.path(&["telemetry"]))).await.ok()?;
        let app = self.result(what, response).await.ok()?;
        wire::application(&app)
    }
}

#[async_trait]
impl InstanceApi for HttpNode {
    async fn version(&self) -> ApiResult<Option<ServerVersion>> {
        let what = "ask for the version";
        let closed = match self.root(what).await {
            Err(error) if !error.lasting && (error.refuses() || error.kind == ApiErrorKind::NotQdrant) => error,
            answer => return answer,
        };
        // A proxy may close the root, or have a page of its own there, and pass everything else.
        if let Some(version) = self.told_by_telemetry(what).await {
            return Ok(Some(version));
        }
        match self.collections().await {
            Ok(_) => Ok(None),
            Err(error) if error.kind == ApiErrorKind::Unauthorized => Err(error),
            Err(_) => Err(closed),
        }
    }

    async fn collections(&self) -> ApiResult<Vec<CollectionName>> {
        let what = "list collections";
        let result = self.query(what, || self.calls.get(self.path(&["collections"]))).await?;
        self.parsed(what, wire::collections(result))
    }

    async fn collection(&self, name: &CollectionName) -> ApiResult<CollectionInfo> {
        let what = "read the collection's info";
        let result = self.query(what, || self.calls.get(self.path(&["collections", name.raw()]))).await?;
        self.parsed(what, wire::collection(result))
    }

    async fn exists(&self, name: &CollectionName) -> ApiResult<bool> {
        let what = "ask whether the collection exists";
        let result = match self.query(what, || self.calls.get(self.path(&["collections", name.raw(), "exists"]))).await {
            // Before 1.8 there is no such route.
            Err(error) if error.kind == ApiErrorKind::NotFound => {
                return match self.collection(name).await {
                    Ok(_) => Ok(true),
                    Err(error) if error.is_absence() => Ok(false),
                    Err(error) => Err(error),
                };
            }
            answer => answer?,
        };
        result.get("exists").and_then(Value::as_bool).ok_or_else(|| self.not_qdrant(what, b"no `exists`"))
    }

    async fn create_collection(&self, name: &CollectionName, body: &Value) -> ApiResult<()> {
        let request = self.calls.put(self.path(&["collections", name.raw()])).json(body);
        self.change("create the collection", request).await.map(drop)
    }

    async fn create_shard_key(&self, name: &CollectionName, key: &Value, shards: usize) -> ApiResult<()> {
        let body = json!({"shard_key": key, "shards_number": shards});
        let request = self.transfers.put(self.path(&["collections", name.raw(), "shards"])).json(&body);
        self.change("create a shard key", request).await.map(drop)
    }

    async fn create_payload_index(&self, name: &CollectionName, field: &str, schema: &Value) -> ApiResult<()> {
        let body = json!({"field_name": field, "field_schema": schema});
        let request = self.transfers.put(self.path(&["collections", name.raw(), "index"])).query(&[("wait", "true")]).json(&body);
        self.change("make a payload index", request).await.map(drop)
    }

    async fn update_collection(&self, name: &CollectionName, body: &Value) -> ApiResult<()> {
        let request = self.calls.patch(self.path(&["collections", name.raw()])).json(body);
        self.change("change the collection's settings", request).await.map(drop)
    }

    async fn delete_payload_index(&self, name: &CollectionName, field: &str) -> ApiResult<()> {
        let request = self.transfers.delete(self.path(&["collections", name.raw(), "index", field])).query(&[("wait", "true")]);
        self.change("remove a payload index", request).await.map(drop)
    }

    async fn delete_collection(&self, name: &CollectionName) -> ApiResult<bool> {
        let request = self.transfers.delete(self.path(&["collections", name.raw()]));
        self.change("delete the collection", request).await.map(|result| result == Value::Bool(true))
    }

    async fn count(&self, name: &CollectionName) -> ApiResult<u64> {
        let what = "count the points";
        let url = self.path(&["collections", name.raw(), "points", "count"]);
        let result = self.query(what, || self.calls.post(url.clone()).json(&json!({"exact": true}))).await?;
        result.get("count").and_then(Value::as_u64).ok_or_else(|| self.not_qdrant(what, b"no `count`"))
    }

    async fn scroll(
        &self,
        name: &CollectionName,
        offset: Option<&PointId>,
        limit: usize,
        fields: Fields,
    ) -> ApiResult<ScrollPage> {
        let what = "read points";
        let all = fields == Fields::All;
        let mut body = json!({"limit": limit, "with_payload": all, "with_vector": all});
        if let Some(offset) = offset {
            body["offset"] = json!(offset);
        }
        let url = self.path(&["collections", name.raw(), "points", "scroll"]);
        let answer = self.read_points(what, limit, || self.calls.post(url.clone()).json(&body)).await?;
        self.parsed(what, wire::page(&answer))
    }

    async fn points(&self, name: &CollectionName, ids: &[PointId]) -> ApiResult<Vec<Point>> {
        let what = "read points by id";
        let body = json!({"ids": ids, "with_payload": true, "with_vector": true});
        let url = self.path(&["collections", name.raw(), "points"]);
        let answer = self.read_points(what, ids.len(), || self.calls.post(url.clone()).json(&body)).await?;
        self.parsed(what, wire::points(&answer))
    }

    async fn sample(&self, name: &CollectionName, limit: usize) -> ApiResult<Vec<Point>> {
        let what = "read a random sample";
        let body = json!({"query": {"sample": "random"}, "limit": limit, "with_payload": true, "with_vector": true});
        let url = self.path(&["collections", name.raw(), "points", "query"]);
        let answer = self.read_points(what, limit, || self.calls.post(url.clone()).json(&body)).await?;
        self.parsed(what, wire::page(&answer)).map(|page| page.points)
    }

    async fn aliases(&self) -> ApiResult<Vec<Alias>> {
        let what = "list aliases";
        let result = self.query(what, || self.calls.get(self.path(&["aliases"]))).await?;
        self.parsed(what, wire::aliases(result))
    }

    async fn update_aliases(&self, actions: &[AliasAction]) -> ApiResult<()> {
        let each = actions.iter().map(|action| match action {
            AliasAction::Point(alias) => {
                json!({"create_alias": {"collection_name": alias.collection.raw(), "alias_name": alias.alias}})
            }
            AliasAction::Remove(alias) => json!({"delete_alias": {"alias_name": alias}}),
        });
        let body = json!({"actions": each.collect::<Vec<_>>()});
        let request = self.calls.post(self.path(&["collections", "aliases"])).json(&body);
        self.change("change aliases", request).await.map(drop)
    }
}

#[async_trait]
impl QdrantApi for HttpNode {
    fn url(&self) -> &SafeUrl {
        &self.url
    }

    async fn live(&self) -> ApiResult<()> {
        self.send("ask for its health", self.calls.get(self.path(&["healthz"]))).await.map(drop)
    }

    async fn cluster(&self) -> ApiResult<ClusterInfo> {
        let what = "read the cluster's state";
        let result = self.query(what, || self.calls.get(self.path(&["cluster"]))).await?;
        self.parsed(what, wire::cluster(result))
    }

    async fn collection_cluster(&self, name: &CollectionName) -> ApiResult<CollectionCluster> {
        let what = "read the collection's shards";
        let url = self.path(&["collections", name.raw(), "cluster"]);
        let result = self.query(what, || self.calls.get(url.clone())).await?;
        self.parsed(what, wire::collection_cluster(result))
    }

    async fn snapshot_activity(&self, name: &CollectionName) -> ApiResult<Option<SnapshotActivity>> {
        let what = "read telemetry";
        // Level 0 has no counters, level 1 an empty list (1.18.3).
        let request = || self.calls.get(self.path(&["telemetry"])).query(&[("details_level", "2")]);
        let result = self.query(what, request).await?;
        Ok(wire::activity(&result, name))
    }

    async fn snapshots(&self, scope: &SnapshotScope) -> ApiResult<Vec<SnapshotInfo>> {
        let what = "list snapshots";
        let result = self.query(what, || self.calls.get(self.scope_path(scope, &[]))).await?;
        self.parsed(what, wire::snapshots(result))
    }

    async fn create_snapshot(&self, scope: &SnapshotScope) -> ApiResult<SnapshotInfo> {
        let what = "take the snapshot";
        // nginx speaks HTTP/1.0 to its upstream by default, and Qdrant refuses a POST without a body there (1.16.3).
        let request = self.transfers.post(self.scope_path(scope, &[])).query(&[("wait", "true")]).json(&json!({}));
        let result = self.change(what, request).await?;
        self.parsed(what, wire::snapshot(result))
    }

    async fn download(&self, scope: &SnapshotScope, name: &SnapshotName, wanted: &Wanted) -> ApiResult<Download> {
        let what = "download the snapshot";
        // `identity`: a compressed body has no length and costs the server a core.
        let mut request =
            self.transfers.request(Method::GET, self.scope_path(scope, &[name.raw()])).header(ACCEPT_ENCODING, "identity");
        if let Some(range) = ranges::header(wanted) {
            request = request.header(RANGE, range);
        }
        if let Some(etag) = &wanted.etag {
            request = request.header(IF_MATCH, etag);
        }
        let response = self.opened(what, request).await?;
        body_of(response, wanted, what, &self.url)
    }

    async fn stream_shard(&self, name: &CollectionName, shard: ShardId) -> ApiResult<Download> {
        let what = "stream the shard";
        let url = self.path(&["collections", name.raw(), "shards", &shard.to_string(), "snapshot"]);
        let request = self.transfers.get(url).header(ACCEPT_ENCODING, "identity");
        let response = self.opened(what, request).await?;
        body_of(response, &Wanted::default(), what, &self.url)
    }

    async fn shard_versions(&self, name: &CollectionName, shard: ShardId) -> ApiResult<Value> {
        let url = self.path(&["collections", name.raw(), "shards", &shard.to_string(), "snapshot", "partial", "manifest"]);
        self.query("read the versions of the shard", || self.calls.get(url.clone())).await
    }

    async fn stream_changes(&self, name: &CollectionName, shard: ShardId, since: &Value) -> ApiResult<Option<Download>> {
        let what = "stream what changed in the shard";
        let url = self.path(&["collections", name.raw(), "shards", &shard.to_string(), "snapshot", "partial", "create"]);
        let request = self.transfers.post(url).header(ACCEPT_ENCODING, "identity").json(since);
        match self.opened(what, request).await {
            Ok(response) => body_of(response, &Wanted::default(), what, &self.url).map(Some),
            Err(error) if error.status == Some(304) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn optimizing(&self, name: &CollectionName) -> ApiResult<Option<bool>> {
        let url = self.path(&["collections", name.raw(), "optimizations"]);
        match self.query("ask what is optimized", || self.calls.get(url.clone())).await {
            Ok(result) => Ok(wire::optimizing(&result)),
            Err(error) if error.kind == ApiErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn lineage(&self) -> ApiResult<Option<Lineage>> {
        let result = self.query("read telemetry", || self.calls.get(self.path(&["telemetry"]))).await?;
        Ok(wire::lineage(&result))
    }

    async fn upload(&self, scope: &SnapshotScope, upload: Upload) -> ApiResult<()> {
        let what = "upload and restore the snapshot";
        let body = Body::wrap_stream(upload.body);
        let part = match upload.size {
            Some(size) => Part::stream_with_length(body, size),
            None => Part::stream(body),
        };
        let part = part.file_name(upload.file_name);
        let mut request = self
            .transfers
            .post(self.scope_path(scope, &["upload"]))
            .query(&[("wait", "true"), ("priority", "snapshot")])
            .multipart(Form::new().part("snapshot", part));
        if let Some(sha256) = &upload.sha256 {
            request = request.query(&[("checksum", sha256)]);
        }
        self.change(what, request).await.map(drop)
    }

    async fn recover(&self, scope: &SnapshotScope, recover: Recover) -> ApiResult<()> {
        let mut body = json!({"location": recover.location.expose().as_str(), "priority": "snapshot"});
        if let Some(key) = &recover.api_key {
            body["api_key"] = json!(key.expose());
        }
        if let Some(sha256) = &recover.sha256 {
            body["checksum"] = json!(sha256);
        }
        let request = self.transfers.put(self.scope_path(scope, &["recover"])).query(&[("wait", "true")]).json(&body);
        self.change("restore from the snapshot's URL", request).await.map(drop)
    }

    async fn delete_snapshot(&self, scope: &SnapshotScope, name: &SnapshotName) -> ApiResult<()> {
        let request = self.calls.delete(self.scope_path(scope, &[name.raw()])).query(&[("wait", "true")]);
        self.change("delete the snapshot", request).await.map(drop)
    }

    fn shard_url(&self, name: &CollectionName, shard: ShardId) -> SafeUrl {
        let number = shard.to_string();
        self.reachable_as.as_ref().unwrap_or(&self.url).join(&["collections", name.raw(), "shards", &number, "snapshot"])
    }

    fn snapshot_url(&self, scope: &SnapshotScope, name: &SnapshotName) -> SafeUrl {
        let segments = scope.segments();
        let mut segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        segments.push(name.raw());
        self.reachable_as.as_ref().unwrap_or(&self.url).join(&segments)
    }
}
