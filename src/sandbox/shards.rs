//! Snapshots of single shards: stored, streamed, and partial with a manifest.

use crate::sandbox::answer::{Answer, Refusal, build, ok};
use crate::sandbox::archive::{self, Picture, ShardLayout, ShardPicture};
use crate::sandbox::body::body_of;
use crate::sandbox::files;
use crate::sandbox::recover::{self, Recovering};
use crate::sandbox::snapshots::{self, Params};
use crate::sandbox::world::Node;
use axum::body::Bytes;
use axum::extract::{Multipart, Path, Query, State};
use axum::http::{HeaderMap, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn folder(node: &Node, name: &str, shard: u32) -> Result<String, Refusal> {
    let cluster = node.world.cluster();
    let real = cluster.resolve(name)?;
    if !cluster.collection(&real)?.shards.contains_key(&shard) {
        return Err(Refusal::no_shard(shard));
    }
    Ok(format!("{real}/shards/{shard}"))
}

/// The local replica of a shard, as a picture.
fn picture(node: &Node, name: &str, shard: u32) -> Result<ShardPicture, Refusal> {
    let cluster = node.world.cluster();
    let taken = Picture::take(&cluster, cluster.collection(name)?, node.index);
    let found = taken.shards.into_iter().find(|picture| picture.id == shard).ok_or_else(|| Refusal::no_shard(shard))?;
    if found.replica.is_none() {
        return Err(Refusal::new(400, format!("Bad request: Shard {shard} is not a local or queue proxy shard")));
    }
    Ok(found)
}

/// `GET …/shards/{s}/snapshots`
pub(super) async fn list(State(node): State<Node>, Path((name, shard)): Path<(String, u32)>) -> Result<Answer, Refusal> {
    Ok(snapshots::list_folder(&node, &folder(&node, &name, shard)?))
}

/// `POST …/shards/{s}/snapshots`
pub(super) async fn create(State(node): State<Node>, Path((name, shard)): Path<(String, u32)>) -> Result<Answer, Refusal> {
    let folder = folder(&node, &name, shard)?;
    let picture = picture(&node, &name, shard)?;
    let (path, at) = (node.world.fresh_path(), snapshots::now());
    let written = tokio::task::spawn_blocking(move || {
        archive::write_shard_snapshot(&path, &picture, ShardLayout::Stored)?;
        snapshots::finished(path, at)
    });
    let file = written.await.map_err(Refusal::internal)??;
    let real = node.world.cluster().resolve(&name)?;
    let file_name = format!("{real}-shard-{shard}-{}.snapshot", snapshots::stamp(at));
    snapshots::keep(&node, &folder, &file_name, file.clone());
    Ok(ok(snapshots::describe(&node, &file_name, &file)))
}

/// `GET …/shards/{s}/snapshots/{name}`
pub(super) async fn download(
    State(node): State<Node>,
    Path((name, shard, file)): Path<(String, u32, String)>,
    headers: HeaderMap,
) -> Answer {
    match folder(&node, &name, shard) {
        Ok(folder) => snapshots::send(&node, &folder, &file, &headers).await,
        Err(refusal) => refusal.plain(),
    }
}

/// `DELETE …/shards/{s}/snapshots/{name}`
pub(super) async fn delete(
    State(node): State<Node>,
    Path((name, shard, file)): Path<(String, u32, String)>,
) -> Result<Answer, Refusal> {
    snapshots::remove(&node, &folder(&node, &name, shard)?, &file)
}

/// `POST …/shards/{s}/snapshots/upload`: the file does not stay.
pub(super) async fn upload(
    State(node): State<Node>,
    Path((name, shard)): Path<(String, u32)>,
    Query(params): Params,
    mut multipart: Multipart,
) -> Answer {
    let (_, spooled) = match snapshots::receive(&node, &mut multipart).await {
        Ok(received) => received,
        Err(answer) => return answer,
    };
    let outcome = async {
        snapshots::check_upload(&params, &spooled)?;
        folder(&node, &name, shard)?;
        let _recovering = Recovering::begin(&node, &name);
        recover::shard(&node, &name, shard, &spooled.path).await
    };
    let outcome = outcome.await;
    let _ = std::fs::remove_file(&spooled.path);
    match outcome {
        Ok(()) if params.get("wait").is_some_and(|wait| wait == "false") => {
            node.world.cluster().nodes[node.index].unwaited += 1;
            build(StatusCode::ACCEPTED, Some("application/json"), r#"{"status":"accepted","time":0.0}"#.into())
        }
        Ok(()) => ok(Value::Null),
        Err(refusal) => refusal.json(),
    }
}

#[derive(Deserialize)]
struct RecoverRequest {
    location: String,
    checksum: Option<String>,
    api_key: Option<String>,
}

/// `PUT …/shards/{s}/snapshots/recover`: a URL, or the bare name of a stored file.
pub(super) async fn recover(
    State(node): State<Node>,
    Path((name, shard)): Path<(String, u32)>,
    body: Bytes,
) -> Result<Answer, Refusal> {
    let request: RecoverRequest = body_of(&body)?;
    snapshots::check_hex(request.checksum.as_deref())?;
    let folder = folder(&node, &name, shard)?;
    let _recovering = Recovering::begin(&node, &name);
    let path = match url::Url::parse(&request.location) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => {
            recover::fetch(&node, &url, request.api_key.as_deref()).await?.path
        }
        Ok(url) => {
            let scheme = url.scheme();
            return Err(Refusal::new(
                400,
                format!("Wrong input: Invalid snapshot URL {url}: URLs with {scheme} scheme are not supported"),
            ));
        }
        Err(_) => snapshots::find(&node, &folder, &request.location)?.path,
    };
    recover::shard(&node, &name, shard, &path).await?;
    Ok(ok(json!(true)))
}

async fn stream_picture(node: &Node, picture: ShardPicture, layout: ShardLayout) -> Result<Answer, Refusal> {
    let path = node.world.fresh_path();
    let target = path.clone();
    let segment = picture.segment.clone();
    let written = tokio::task::spawn_blocking(move || archive::write_shard_snapshot(&target, &picture, layout));
    written.await.map_err(Refusal::internal)??;
    // Without a length in the answer a cut stream looks as if it were whole.
    let length = files::truncated(node, std::fs::metadata(&path)?.len());
    let body = files::body(node, &path, 0, length).await?;
    // The open file outlives its name: nothing stays behind when the client goes away.
    let _ = std::fs::remove_file(&path);
    Response::builder()
        .header("content-type", "application/octet-stream")
        .header("content-disposition", format!("attachment; filename=\"{segment}.tar\""))
        .body(body)
        .map_err(Refusal::internal)
}

/// `GET …/shards/{s}/snapshot`: no length, no checksum.
pub(super) async fn stream(State(node): State<Node>, Path((name, shard)): Path<(String, u32)>) -> Answer {
    let streamed =
        async { stream_picture(&node, picture(&node, &name, shard)?, ShardLayout::Streamed(node.world.options.layout)).await };
    streamed.await.unwrap_or_else(Refusal::plain)
}

/// The manifests of all segments of a shard.
fn versions(node: &Node, picture: &ShardPicture) -> Value {
    let replica = picture.replica.clone().unwrap_or_default();
    json!({&picture.segment: archive::segment_manifest(picture, &replica, node.world.options.layout)})
}

/// `GET …/snapshot/partial/manifest`
pub(super) async fn manifest(State(node): State<Node>, Path((name, shard)): Path<(String, u32)>) -> Result<Answer, Refusal> {
    Ok(ok(versions(&node, &picture(&node, &name, shard)?)))
}

/// What the server reads of a segment's versions.
#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct SegmentManifest {
    segment_id: String,
    segment_version: u64,
    file_versions: BTreeMap<String, Option<u64>>,
}

/// `POST …/snapshot/partial/create`: 304 when the manifest is still true.
pub(super) async fn partial(State(node): State<Node>, Path((name, shard)): Path<(String, u32)>, body: Bytes) -> Answer {
    if let Err(error) = serde_json::from_slice::<BTreeMap<String, SegmentManifest>>(&body) {
        return Refusal::new(400, format!("Json deserialize error: {error}")).plain();
    }
    let known = match serde_json::from_slice::<Value>(&body) {
        Ok(known) => known,
        Err(error) => return Refusal::new(400, format!("Json deserialize error: {error}")).plain(),
    };
    let streamed = async {
        let picture = picture(&node, &name, shard)?;
        if known == versions(&node, &picture) {
            let unchanged =
                Response::builder().status(StatusCode::NOT_MODIFIED).header("content-type", "text/plain; charset=utf-8");
            return unchanged.body(axum::body::Body::empty()).map_err(Refusal::internal);
        }
        stream_picture(&node, picture, ShardLayout::Changes(node.world.options.layout, known)).await
    };
    streamed.await.unwrap_or_else(Refusal::plain)
}
