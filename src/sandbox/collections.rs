//! Collections, aliases, cluster and telemetry.

use crate::sandbox::access::Reach;
use crate::sandbox::answer::{Answer, Refusal, json_answer, ok};
use crate::sandbox::body::body_of;
use crate::sandbox::config::{self, Change};
use crate::sandbox::faults::{Kind, Route};
use crate::sandbox::indexes;
use crate::sandbox::limiter::Buckets;
use crate::sandbox::options::VERSION;
use crate::sandbox::world::Node;
use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// `GET /`
pub(super) async fn root() -> Answer {
    let commit = "db8fa43fcb6aedec1e739487e17a99731b74590a";
    json_answer(StatusCode::OK, &json!({"title": "qdrant - vector search engine", "version": VERSION, "commit": commit}))
}

/// `GET /collections`
pub(super) async fn list(State(node): State<Node>, Extension(reach): Extension<Reach>) -> Answer {
    let cluster = node.world.cluster();
    let names = cluster.collections.keys().filter(|name| reach.sees(name));
    ok(json!({"collections": names.map(|name| json!({"name": name})).collect::<Vec<_>>()}))
}

/// `GET /collections/{c}`
pub(super) async fn info(State(node): State<Node>, Path(name): Path<String>) -> Result<Answer, Refusal> {
    let cluster = node.world.cluster();
    let collection = cluster.collection(&name)?;
    let shards = collection.readable(None, &cluster.stopped)?;
    let points: usize = shards.iter().map(|(_, points)| points.len()).sum();
    Ok(ok(json!({
        "status": "green", "optimizer_status": "ok", "indexed_vectors_count": 0, "points_count": points,
        "segments_count": collection.shards.len(), "config": config::shown(&collection.config),
        "payload_schema": indexes::shown(collection, &shards),
        "update_queue": {"length": 0},
    })))
}

/// `GET /collections/{c}/exists`
pub(super) async fn exists(State(node): State<Node>, Path(name): Path<String>) -> Answer {
    ok(json!({"exists": node.world.cluster().resolve(&name).is_ok()}))
}

/// `PUT /collections/{c}`
pub(super) async fn create(State(node): State<Node>, Path(name): Path<String>, body: Bytes) -> Result<Answer, Refusal> {
    let body: Value = body_of(&body)?;
    let config = config::of_request(&body, node.world.options.strict_mode.as_ref())?;
    let illegal = |c: char| "<>:\"/\\|?*".contains(c) || c.is_control();
    if name.chars().any(illegal) || name.chars().count() > 255 {
        return Err(Refusal::new(
            422,
            "Validation error in path parameters: [name: collection name cannot contain this character]",
        ));
    }
    let mut cluster = node.world.cluster();
    cluster.agree()?;
    if cluster.collections.contains_key(&name) || cluster.aliases.contains_key(&name) {
        return Err(Refusal::new(409, format!("Wrong input: Collection `{name}` already exists!")));
    }
    cluster.create(&name, config);
    Ok(ok(json!(true)))
}

/// `PATCH /collections/{c}`
pub(super) async fn change(State(node): State<Node>, Path(name): Path<String>, body: Bytes) -> Result<Answer, Refusal> {
    let change = Change::of_request(&body_of(&body)?)?;
    let mut cluster = node.world.cluster();
    cluster.agree()?;
    let collection = cluster.collection_mut(&name)?;
    let restart_limits = change.has_strict_mode();
    change.apply(&mut collection.config)?;
    if restart_limits {
        for replica in collection.shards.values_mut().flat_map(|shard| shard.replicas.values_mut()) {
            replica.buckets = Buckets::of_changed_config(&collection.config);
        }
    }
    Ok(ok(json!(true)))
}

#[derive(Deserialize)]
struct KeyRequest {
    shard_key: Value,
    shards_number: Option<u32>,
}

/// `PUT /collections/{c}/shards`: the shards of a key get the next numbers; the first one is 1 (1.16.3).
pub(super) async fn create_shard_key(State(node): State<Node>, Path(name): Path<String>, body: Bytes) -> Result<Answer, Refusal> {
    let request: KeyRequest = body_of(&body)?;
    let mut cluster = node.world.cluster();
    if !node.world.is_cluster(&cluster) {
        return Err(Refusal::new(400, "Bad request: Distributed mode disabled"));
    }
    cluster.agree()?;
    let real = cluster.resolve(&name)?;
    let mut collection = cluster.collection(&real)?.clone();
    let key = request.shard_key;
    if !collection.is_keyed() {
        return Err(Refusal::new(400, "Bad request: Shard Key cannot be created with Auto sharding method"));
    }
    if collection.shards.values().any(|shard| shard.key.as_ref() == Some(&key)) {
        return Err(Refusal::new(400, format!("Bad request: Sharding key {key} already exists for collection {real}")));
    }
    let first = collection.shards.keys().next_back().map_or(1, |last| last + 1);
    for number in first..first + request.shards_number.unwrap_or_else(|| collection.parameter("shard_number")).min(100) {
        let shard = cluster.empty_shard(&collection, number, Some(key.clone()));
        collection.shards.insert(number, shard);
    }
    cluster.collections.insert(real, collection);
    Ok(ok(json!(true)))
}

/// `DELETE /collections/{c}`: snapshots stay, aliases go.
pub(super) async fn delete(State(node): State<Node>, Path(name): Path<String>) -> Result<Answer, Refusal> {
    let mut cluster = node.world.cluster();
    cluster.agree()?;
    let existed = cluster.collections.remove(&name).is_some();
    cluster.aliases.retain(|_, target| *target != name);
    Ok(ok(json!(existed)))
}

/// `GET /aliases`
pub(super) async fn aliases(State(node): State<Node>, Extension(reach): Extension<Reach>) -> Answer {
    let cluster = node.world.cluster();
    let seen = cluster.aliases.iter().filter(|(alias, _)| reach.sees(alias));
    let each = seen.map(|(alias, name)| json!({"alias_name": alias, "collection_name": name}));
    ok(json!({"aliases": each.collect::<Vec<_>>()}))
}

/// `GET /collections/{c}/aliases`
pub(super) async fn aliases_of(
    State(node): State<Node>,
    Extension(reach): Extension<Reach>,
    Path(name): Path<String>,
) -> Result<Answer, Refusal> {
    let cluster = node.world.cluster();
    let real = cluster.resolve(&name)?;
    let each = cluster.aliases.iter().filter(|(alias, target)| **target == real && reach.sees(alias));
    let list: Vec<Value> = each.map(|(alias, name)| json!({"alias_name": alias, "collection_name": name})).collect();
    Ok(ok(json!({"aliases": list})))
}

#[derive(Deserialize)]
struct AliasRequest {
    actions: Vec<AliasAction>,
}

#[derive(Deserialize)]
enum AliasAction {
    #[serde(rename = "create_alias")]
    Create { collection_name: String, alias_name: String },
    #[serde(rename = "delete_alias")]
    Delete { alias_name: String },
    #[serde(rename = "rename_alias")]
    Rename { old_alias_name: String, new_alias_name: String },
}

/// `POST /collections/aliases`: one after the other, no rollback, as on the real server.
pub(super) async fn update_aliases(State(node): State<Node>, body: Bytes) -> Result<Answer, Refusal> {
    let request: AliasRequest = body_of(&body)?;
    let mut cluster = node.world.cluster();
    cluster.agree()?;
    for action in request.actions {
        match action {
            AliasAction::Create { collection_name, alias_name } => {
                if !cluster.collections.contains_key(&collection_name) {
                    return Err(Refusal::no_collection(&collection_name));
                }
                if cluster.collections.contains_key(&alias_name) {
                    return Err(Refusal::new(409, format!("Wrong input: Collection `{alias_name}` already exists!")));
                }
                cluster.aliases.insert(alias_name, collection_name);
            }
            AliasAction::Delete { alias_name } => {
                cluster.aliases.remove(&alias_name);
            }
            AliasAction::Rename { old_alias_name, new_alias_name } => {
                let missing = || Refusal::new(404, format!("Not found: Alias {old_alias_name} does not exists!"));
                let target = cluster.aliases.remove(&old_alias_name).ok_or_else(missing)?;
                cluster.aliases.insert(new_alias_name, target);
            }
        }
    }
    Ok(ok(json!(true)))
}

/// `GET /cluster`
pub(super) async fn cluster(State(node): State<Node>) -> Answer {
    let cluster = node.world.cluster();
    if !node.world.is_cluster(&cluster) {
        return ok(json!({"status": "disabled"}));
    }
    let peers: Map<String, Value> =
        cluster.nodes.iter().map(|state| (state.peer.to_string(), json!({"uri": "http://127.0.0.1:6335/"}))).collect();
    let leader = cluster.leader();
    let role = if leader == node.index { "Leader" } else { "Follower" };
    ok(json!({
        "status": "enabled", "peer_id": cluster.nodes[node.index].peer, "peers": peers,
        "raft_info": {"term": 1, "commit": 12, "pending_operations": 0, "leader": cluster.nodes[leader].peer, "role": role,
            "is_voter": true},
        "consensus_thread_status": {"consensus_thread_status": "working", "last_update": "2026-11-22T13:59:00.000000000Z"},
        "message_send_failures": {},
    }))
}

/// `GET /collections/{c}/cluster`. A broken replica still says Active, with no points (1.18.3).
pub(super) async fn collection_cluster(State(node): State<Node>, Path(name): Path<String>) -> Result<Answer, Refusal> {
    let cluster = node.world.cluster();
    let collection = cluster.collection(&name)?;
    let (mut local, mut remote) = (Vec::new(), Vec::new());
    for (shard_id, shard) in &collection.shards {
        for (index, replica) in &shard.replicas {
            let mut shown = json!({"shard_id": shard_id, "state": replica.state.name()});
            if let Some(key) = &shard.key {
                shown["shard_key"] = key.clone();
            }
            if *index == node.index {
                shown["points_count"] = json!(if replica.broken { 0 } else { replica.points.len() });
                local.push(shown);
            } else {
                shown["peer_id"] = json!(cluster.nodes[*index].peer);
                remote.push(shown);
            }
        }
    }
    Ok(ok(json!({
        "peer_id": cluster.nodes[node.index].peer, "shard_count": collection.shards.len(),
        "local_shards": local, "remote_shards": remote, "shard_transfers": [],
    })))
}

/// `GET /collections/{c}/optimizations`, as 1.16.3 answers it: of this node, without those that are completed.
pub(super) async fn optimizations(State(node): State<Node>, Path(name): Path<String>) -> Result<Answer, Refusal> {
    node.world.cluster().collection(&name)?;
    let busy = node.world.options.faults.meets(Route::List, Kind::Optimizing);
    let under_way = json!({"name": "Segment Optimizing", "started_at": crate::sandbox::snapshots::now().to_string()});
    Ok(ok(json!({"ongoing": if busy { vec![under_way] } else { vec![] }})))
}

/// `GET /telemetry`: level 0 has no snapshot counters, level 1 an empty list (1.18.3).
pub(super) async fn telemetry(State(node): State<Node>, Query(query): Query<HashMap<String, String>>) -> Answer {
    let level: u32 = query.get("details_level").and_then(|level| level.parse().ok()).unwrap_or(0);
    let cluster = node.world.cluster();
    let activity = cluster.nodes[node.index].activity.iter();
    let each = activity.map(|(name, activity)| {
        json!({"id": name, "running_snapshots": activity.creating, "running_snapshot_recovery": activity.recovering,
            "total_snapshot_creations": activity.created})
    });
    let mut collections = json!({"number_of_collections": cluster.collections.len()});
    match level {
        0 => {}
        1 => collections["snapshots"] = json!([]),
        _ => collections["snapshots"] = Value::Array(each.collect()),
    }
    let own = &cluster.nodes[node.index];
    let uploads = json!({"200": {"count": own.restores - own.unwaited}});
    let shards = json!({"202": {"count": own.unwaited}});
    ok(json!({"id": "00000000-0000-4000-9000-000000000000",
        "app": {"name": "qdrant", "version": VERSION, "startup": own.started.to_string()},
        "collections": collections,
        "requests": {"rest": {"responses": {"POST /collections/{name}/snapshots/upload": uploads,
            "POST /collections/{collection}/shards/{shard}/snapshots/upload": shards}}, "grpc": {"responses": {}}}}))
}
