//! Snapshots of collections and of the full storage.

use crate::sandbox::answer::{Answer, Refusal, accepted, ok};
use crate::sandbox::archive::{self, Picture};
use crate::sandbox::body::body_of;
use crate::sandbox::faults::{Kind, Route};
use crate::sandbox::files;
use crate::sandbox::recover::{self, BROKEN_CONNECTION, Recovering, Spooled};
use crate::sandbox::world::{KeptFile, Node};
use axum::body::{Body, Bytes};
use axum::extract::{Multipart, Path, Query, State};
use axum::http::{HeaderMap, Response};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::PathBuf;

/// Parameters in the query string.
pub(super) type Params = Query<HashMap<String, String>>;

/// The folder of full snapshots.
const FULL: &str = "";

/// The time in a file name.
pub(super) fn stamp(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d-%H-%M-%S").to_string()
}

/// The sandbox's clock.
#[expect(clippy::disallowed_methods, reason = "a server of its own has its own clock")]
pub(super) fn now() -> Timestamp {
    Timestamp::now()
}

/// `SnapshotDescription`
pub(super) fn describe(node: &Node, name: &str, file: &KeptFile) -> Value {
    let created = file.created.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S").to_string();
    let mut shown = json!({"name": name, "creation_time": created, "size": file.size});
    let lies = node.world.options.faults.meets(Route::Any, Kind::WrongChecksum);
    match &file.sha256 {
        Some(_) if lies => shown["checksum"] = json!("ab".repeat(32)),
        Some(sha256) => shown["checksum"] = json!(sha256),
        None => {}
    }
    shown
}

/// All of a folder.
pub(super) fn list_folder(node: &Node, folder: &str) -> Answer {
    let files: Vec<(String, KeptFile)> = {
        let cluster = node.world.cluster();
        let all = cluster.nodes[node.index].files.iter();
        let here = all.filter(|((at, name), _)| at == folder && name.ends_with(".snapshot"));
        here.map(|((_, name), file)| (name.clone(), file.clone())).collect()
    };
    ok(files.iter().map(|(name, file)| describe(node, name, file)).collect())
}

/// A file of a folder.
pub(super) fn find(node: &Node, folder: &str, name: &str) -> Result<KeptFile, Refusal> {
    let key = (folder.to_owned(), name.to_owned());
    node.world.cluster().nodes[node.index].files.get(&key).cloned().ok_or_else(|| Refusal::no_snapshot(name))
}

/// Removes a file.
pub(super) fn remove(node: &Node, folder: &str, name: &str) -> Result<Answer, Refusal> {
    let key = (folder.to_owned(), name.to_owned());
    let mut cluster = node.world.cluster();
    let file = cluster.nodes[node.index].files.remove(&key).ok_or_else(|| Refusal::no_snapshot(name))?;
    let _ = std::fs::remove_file(&file.path);
    Ok(ok(json!(true)))
}

/// Keeps a finished file.
pub(super) fn keep(node: &Node, folder: &str, name: &str, file: KeptFile) {
    node.world.cluster().nodes[node.index].files.insert((folder.to_owned(), name.to_owned()), file);
}

/// A finished file with its size and hash.
pub(super) fn finished(path: PathBuf, created: Timestamp) -> std::io::Result<KeptFile> {
    let sha256 = Some(archive::sha256_of(&path)?);
    Ok(KeptFile { size: std::fs::metadata(&path)?.len(), path, created, sha256 })
}

/// `GET /collections/{c}/snapshots`
pub(super) async fn list(State(node): State<Node>, Path(name): Path<String>) -> Result<Answer, Refusal> {
    let real = node.world.cluster().resolve(&name)?;
    Ok(list_folder(&node, &real))
}

/// `POST /collections/{c}/snapshots`
pub(super) async fn create(State(node): State<Node>, Path(name): Path<String>, Query(params): Params) -> Result<Answer, Refusal> {
    let real = node.world.cluster().resolve(&name)?;
    node.world.cluster().collection(&real)?.whole_on(node.index)?;
    let work = detached(snapshot_collection(node.clone(), real, now()));
    if params.get("wait").is_some_and(|wait| wait == "false") {
        return Ok(accepted());
    }
    let (file_name, file) = work.await.map_err(Refusal::internal)??;
    Ok(ok(describe(&node, &file_name, &file)))
}

/// Runs on when the client goes away, as the real server's work does.
#[expect(clippy::disallowed_methods, reason = "the sandbox is a server of its own")]
pub(super) fn detached<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> tokio::task::JoinHandle<T> {
    tokio::spawn(work)
}

async fn snapshot_collection(node: Node, real: String, at: Timestamp) -> Result<(String, KeptFile), Refusal> {
    let path = node.world.fresh_path();
    let (picture, file_name) = {
        let mut cluster = node.world.cluster();
        let picture = Picture::take(&cluster, cluster.collection(&real)?, node.index);
        let state = &mut cluster.nodes[node.index];
        state.activity.entry(real.clone()).or_default().creating += 1;
        (picture, format!("{real}-{}-{}.snapshot", state.peer, stamp(at)))
    };
    let written = tokio::task::spawn_blocking(move || {
        archive::write_collection(&path, &picture)?;
        finished(path, at)
    });
    let written = written.await.map_err(Refusal::internal)?;
    if let (Ok(file), Some(rate)) = (&written, node.world.options.rate) {
        // A real server reads and hashes the data; here it takes as long as sending it at twice the rate.
        files::Pace::new(Some(rate * 2)).wait_for(file.size).await;
    }
    if let Some(activity) = node.world.cluster().nodes[node.index].activity.get_mut(&real) {
        activity.creating = activity.creating.saturating_sub(1);
        activity.created += 1;
    }
    let file = written?;
    keep(&node, &real, &file_name, file.clone());
    Ok((file_name, file))
}

/// `GET /collections/{c}/snapshots/{name}`
pub(super) async fn download(
    State(node): State<Node>,
    Path((name, snapshot)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    let real = match node.world.cluster().resolve(&name) {
        Ok(real) => real,
        Err(refusal) => return refusal.plain(),
    };
    send(&node, &real, &snapshot, &headers).await
}

/// Sends a file of a folder; refusals of downloads are plain text.
pub(super) async fn send(node: &Node, folder: &str, name: &str, headers: &HeaderMap) -> Answer {
    match find(node, folder, name) {
        Ok(file) => files::send(node, name, &file, headers).await.unwrap_or_else(Refusal::plain),
        Err(refusal) => refusal.plain(),
    }
}

/// `DELETE /collections/{c}/snapshots/{name}`
pub(super) async fn delete(State(node): State<Node>, Path((name, snapshot)): Path<(String, String)>) -> Result<Answer, Refusal> {
    let real = node.world.cluster().resolve(&name)?;
    remove(&node, &real, &snapshot)
}

/// Reads the multipart field `snapshot`.
pub(super) async fn receive(node: &Node, multipart: &mut Multipart) -> Result<(String, Spooled), Answer> {
    let plain = |words: String| Refusal::new(400, words).plain();
    loop {
        match multipart.next_field().await {
            Ok(Some(field)) if field.name() == Some("snapshot") => {
                let name = field.file_name().map(|name| name.rsplit(['/', '\\']).next().unwrap_or_default().to_owned());
                let name = name.unwrap_or_else(|| node.world.cluster().fresh_uuid());
                let spooled = recover::spool_field(node, field).await.map_err(broken_or_json)?;
                return Ok((name, spooled));
            }
            Ok(Some(_)) => {}
            Ok(None) => return Err(plain("Required field is missing: snapshot".into())),
            Err(error) => return Err(plain(format!("Multipart error: {error}"))),
        }
    }
}

fn broken_or_json(refusal: Refusal) -> Answer {
    if refusal.status != BROKEN_CONNECTION {
        return refusal.json();
    }
    let nothing =
        futures_util::stream::once(async { Err::<Bytes, _>(std::io::Error::from(std::io::ErrorKind::ConnectionReset)) });
    Response::builder().header("content-length", 64).body(Body::from_stream(nothing)).unwrap_or_default()
}

/// 400 when the given checksum is not the received one.
pub(super) fn check_upload(params: &HashMap<String, String>, spooled: &Spooled) -> Result<(), Refusal> {
    match params.get("checksum") {
        Some(expected) if *expected != spooled.sha256 => {
            let _ = std::fs::remove_file(&spooled.path);
            // The real server swaps the two values in its message (1.18.3).
            Err(Refusal::new(400, format!("Checksum mismatch: expected {}, actual {expected}", spooled.sha256)))
        }
        _ => Ok(()),
    }
}

/// `POST /collections/{c}/snapshots/upload`: the file stays, whatever comes of it.
pub(super) async fn upload(
    State(node): State<Node>,
    Path(name): Path<String>,
    Query(params): Params,
    mut multipart: Multipart,
) -> Answer {
    let (file_name, spooled) = match receive(&node, &mut multipart).await {
        Ok(received) => received,
        Err(answer) => return answer,
    };
    if let Err(refusal) = check_upload(&params, &spooled) {
        return refusal.json();
    }
    let kept = KeptFile { path: spooled.path.clone(), size: spooled.size, created: now(), sha256: None };
    keep(&node, &name, &file_name, kept);
    let work = detached(async move {
        let _recovering = Recovering::begin(&node, &name);
        pause_for_restoring(&node, spooled.size).await;
        recover::collection(&node, &name, &spooled.path).await
    });
    match work.await {
        Ok(Ok(())) => ok(json!(true)),
        Ok(Err(refusal)) => refusal.json(),
        Err(error) => Refusal::internal(error).json(),
    }
}

/// Unpacking and loading take time on a real server too.
async fn pause_for_restoring(node: &Node, size: u64) {
    files::Pace::new(node.world.options.rate.map(|rate| rate * 2)).wait_for(size).await;
}

/// Body of `recover`.
#[derive(Deserialize)]
pub(super) struct RecoverRequest {
    /// URL.
    pub location: url::Url,
    #[serde(default)]
    priority: Priority,
    /// sha256 in hex.
    pub checksum: Option<String>,
    /// Key for the location.
    pub api_key: Option<String>,
}

/// Accepted values of `priority`; the sandbox treats all as `snapshot`.
#[derive(Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub(super) enum Priority {
    /// Only this replica.
    NoSync,
    /// The snapshot wins.
    #[default]
    Snapshot,
    /// The other replicas win.
    Replica,
}

/// 422 for a checksum that is none.
pub(super) fn check_hex(checksum: Option<&str>) -> Result<(), Refusal> {
    let valid = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match checksum {
        Some(text) if !valid(text) => Err(Refusal::new(
            422,
            format!(
                "Validation error in JSON body: [checksum: Validation error: invalid_sha256_hash [{{\"value\": String(\"{text}\")}}]]"
            ),
        )),
        _ => Ok(()),
    }
}

/// `PUT /collections/{c}/snapshots/recover`
pub(super) async fn recover(
    State(node): State<Node>,
    Path(name): Path<String>,
    Query(params): Params,
    body: Bytes,
) -> Result<Answer, Refusal> {
    let request: RecoverRequest = body_of(&body)?;
    let _ = request.priority;
    check_hex(request.checksum.as_deref())?;
    let work = detached(async move {
        let _recovering = Recovering::begin(&node, &name);
        let spooled = locate(&node, &name, &request).await?;
        if request.checksum.as_ref().is_some_and(|expected| *expected != spooled.sha256) {
            let expected = request.checksum.unwrap_or_default();
            return Err(Refusal::new(
                400,
                format!("Wrong input: Snapshot checksum mismatch: expected {expected}, got {}", spooled.sha256),
            ));
        }
        pause_for_restoring(&node, spooled.size).await;
        recover::collection(&node, &name, &spooled.path).await
    });
    if params.get("wait").is_some_and(|wait| wait == "false") {
        return Ok(accepted());
    }
    work.await.map_err(Refusal::internal)??;
    Ok(ok(json!(true)))
}

async fn locate(node: &Node, collection: &str, request: &RecoverRequest) -> Result<Spooled, Refusal> {
    let location = &request.location;
    match location.scheme() {
        "http" | "https" => recover::fetch(node, location, request.api_key.as_deref()).await,
        "file" => {
            let path = PathBuf::from(location.path());
            let inside = node.world.snapshots_dir().join(collection);
            let named = path.strip_prefix(&inside).ok().and_then(|rest| rest.to_str().map(str::to_owned));
            if let Some(name) = named {
                let file = find(node, collection, &name)?;
                return Ok(Spooled { sha256: archive::sha256_of(&file.path)?, path: file.path, size: file.size });
            }
            if path.exists() {
                let dir = node.world.snapshots_dir();
                return Err(Refusal::new(
                    403,
                    format!("Forbidden: Snapshot file path must be inside the snapshots directory {dir:?}"),
                ));
            }
            Err(Refusal::new(400, format!("Bad request: Snapshot file {path:?} does not exist")))
        }
        scheme => Err(Refusal::new(400, format!("Bad request: URL {location} with scheme {scheme} is not supported"))),
    }
}

/// `GET /snapshots`
pub(super) async fn list_full(State(node): State<Node>) -> Answer {
    list_folder(&node, FULL)
}

/// `POST /snapshots`: a snapshot of each collection, put together.
pub(super) async fn create_full(State(node): State<Node>) -> Result<Answer, Refusal> {
    let names: Vec<String> = node.world.cluster().collections.keys().cloned().collect();
    let at = now();
    let (mut parts, mut mapping) = (Vec::new(), serde_json::Map::new());
    for name in names {
        let (file_name, file) = snapshot_collection(node.clone(), name.clone(), at).await?;
        node.world.cluster().nodes[node.index].files.remove(&(name.clone(), file_name.clone()));
        mapping.insert(name, json!(file_name));
        parts.push((file_name, file.path));
    }
    let aliases = node.world.cluster().aliases.clone();
    let config = json!({"collections_mapping": mapping, "collections_aliases": aliases});
    let path = node.world.fresh_path();
    let written = tokio::task::spawn_blocking(move || {
        archive::write_full(&path, &parts, &config)?;
        for (_, part) in &parts {
            let _ = std::fs::remove_file(part);
        }
        finished(path, at)
    });
    let file = written.await.map_err(Refusal::internal)??;
    let name = format!("full-snapshot-{}.snapshot", stamp(at));
    keep(&node, FULL, &name, file.clone());
    Ok(ok(describe(&node, &name, &file)))
}

/// `GET /snapshots/{name}`
pub(super) async fn download_full(State(node): State<Node>, Path(name): Path<String>, headers: HeaderMap) -> Answer {
    send(&node, FULL, &name, &headers).await
}

/// `DELETE /snapshots/{name}`
pub(super) async fn delete_full(State(node): State<Node>, Path(name): Path<String>) -> Result<Answer, Refusal> {
    remove(&node, FULL, &name)
}
