//! Points: written, counted, scrolled, sampled.

use crate::sandbox::answer::{Answer, Refusal, ok};
use crate::sandbox::collections::body_of;
use crate::sandbox::world::{Cluster, Collection, Node, PointKey, Shard, StoredPoint, mix};
use axum::body::Bytes;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct UpsertRequest {
    points: Vec<NewPoint>,
    shard_key: Option<Value>,
}

#[derive(Deserialize)]
struct NewPoint {
    id: PointKey,
    vector: Value,
    #[serde(default)]
    payload: Value,
}

fn completed(cluster: &mut Cluster) -> Answer {
    cluster.counter += 1;
    ok(json!({"operation_id": cluster.counter, "status": "completed"}))
}

/// `PUT /collections/{c}/points`
pub async fn upsert(State(node): State<Node>, Path(name): Path<String>, body: Bytes) -> Result<Answer, Refusal> {
    let request: UpsertRequest = body_of(&body)?;
    let mut cluster = node.world.cluster();
    let collection = cluster.collection_mut(&name)?;
    for point in &request.points {
        check_dimension(collection, &point.vector)?;
    }
    for point in request.points {
        let shard = collection.shard_of(&point.id, request.shard_key.as_ref())?;
        let stored = StoredPoint { vector: stored_vector(collection, point.vector), payload: point.payload };
        collection.write(shard, |points| {
            points.insert(point.id.clone(), stored.clone());
        });
    }
    Ok(completed(&mut cluster))
}

fn check_dimension(collection: &Collection, vector: &Value) -> Result<(), Refusal> {
    match (collection.vector_size(), vector.as_array()) {
        (Some(expected), Some(given)) if given.len() != expected => {
            Err(Refusal::new(400, format!("Wrong input: Vector dimension error: expected dim: {expected}, got {}", given.len())))
        }
        _ => Ok(()),
    }
}

/// Vectors are kept as 32-bit floats; those of a Cosine collection come back normalised.
fn stored_vector(collection: &Collection, vector: Value) -> Value {
    let Some(numbers) = vector.as_array() else { return vector };
    let floats: Vec<f32> = numbers.iter().filter_map(|v| v.as_f64().map(|f| f as f32)).collect();
    let cosine = collection.config["params"]["vectors"]["distance"].as_str() == Some("Cosine");
    let length = floats.iter().map(|f| f * f).sum::<f32>().sqrt();
    let scale = if cosine && length > 0.0 { length } else { 1.0 };
    floats.iter().map(|f| json!(f / scale)).collect()
}

#[derive(Deserialize)]
struct Selector {
    points: Vec<PointKey>,
    shard_key: Option<Value>,
}

/// `POST /collections/{c}/points/delete`, by ids.
pub async fn delete(State(node): State<Node>, Path(name): Path<String>, body: Bytes) -> Result<Answer, Refusal> {
    let request: Selector = body_of(&body)?;
    let mut cluster = node.world.cluster();
    let collection = cluster.collection_mut(&name)?;
    for key in request.points {
        let shard = collection.shard_of(&key, request.shard_key.as_ref())?;
        collection.write(shard, |points| {
            points.remove(&key);
        });
    }
    Ok(completed(&mut cluster))
}

#[derive(Deserialize)]
struct PayloadRequest {
    points: Vec<PointKey>,
    payload: serde_json::Map<String, Value>,
    shard_key: Option<Value>,
}

/// `POST /collections/{c}/points/payload`, by ids: merges.
pub async fn set_payload(State(node): State<Node>, Path(name): Path<String>, body: Bytes) -> Result<Answer, Refusal> {
    let request: PayloadRequest = body_of(&body)?;
    let mut cluster = node.world.cluster();
    let collection = cluster.collection_mut(&name)?;
    for key in request.points {
        let shard = collection.shard_of(&key, request.shard_key.as_ref())?;
        collection.write(shard, |points| {
            let Some(point) = points.get_mut(&key) else { return };
            match point.payload.as_object_mut() {
                Some(payload) => payload.extend(request.payload.clone()),
                None => point.payload = Value::Object(request.payload.clone()),
            }
        });
    }
    Ok(completed(&mut cluster))
}

#[derive(Deserialize, Default)]
struct CountRequest {
    shard_key: Option<Value>,
}

/// `POST /collections/{c}/points/count`
pub async fn count(State(node): State<Node>, Path(name): Path<String>, body: Bytes) -> Result<Answer, Refusal> {
    let request: CountRequest = if body.is_empty() { CountRequest::default() } else { body_of(&body)? };
    let cluster = node.world.cluster();
    let shards = cluster.collection(&name)?.readable(request.shard_key.as_ref())?;
    let count: usize = shards.iter().map(|(_, points)| points.len()).sum();
    Ok(ok(json!({"count": count})))
}

#[derive(Deserialize)]
struct ReadRequest {
    #[serde(default)]
    ids: Vec<PointKey>,
    offset: Option<PointKey>,
    limit: Option<usize>,
    with_payload: Option<bool>,
    with_vector: Option<bool>,
    shard_key: Option<Value>,
}

/// A point where it is held.
type Held<'a> = (&'a Shard, &'a PointKey, &'a StoredPoint);

impl ReadRequest {
    fn show(&self, (shard, key, point): Held<'_>, payload_by_default: bool) -> Value {
        let mut shown = json!({"id": key});
        if let Some(key) = &shard.key {
            shown["shard_key"] = key.clone();
        }
        if self.with_payload.unwrap_or(payload_by_default) {
            shown["payload"] = if point.payload.is_null() { json!({}) } else { point.payload.clone() };
        }
        if self.with_vector.unwrap_or(false) {
            shown["vector"] = point.vector.clone();
        }
        shown
    }
}

/// `POST /collections/{c}/points/scroll`
pub async fn scroll(State(node): State<Node>, Path(name): Path<String>, body: Bytes) -> Result<Answer, Refusal> {
    let request: ReadRequest = body_of(&body)?;
    let cluster = node.world.cluster();
    let shards = cluster.collection(&name)?.readable(request.shard_key.as_ref())?;
    let limit = request.limit.unwrap_or(10);
    let mut page: Vec<Held<'_>> = Vec::new();
    for (shard, points) in shards {
        let held = |(key, point)| (shard, key, point);
        match &request.offset {
            Some(offset) => page.extend(points.range(offset.clone()..).take(limit + 1).map(held)),
            None => page.extend(points.iter().take(limit + 1).map(held)),
        }
    }
    page.sort_by_key(|(_, key, _)| *key);
    let next = page.get(limit).map(|(_, key, _)| (*key).clone());
    let shown: Vec<Value> = page.iter().take(limit).map(|held| request.show(*held, true)).collect();
    Ok(ok(json!({"points": shown, "next_page_offset": next})))
}

/// `POST /collections/{c}/points`
pub async fn retrieve(State(node): State<Node>, Path(name): Path<String>, body: Bytes) -> Result<Answer, Refusal> {
    let request: ReadRequest = body_of(&body)?;
    let cluster = node.world.cluster();
    let collection = cluster.collection(&name)?;
    let shards = collection.readable(request.shard_key.as_ref())?;
    let find = |key: &PointKey| {
        shards.iter().find_map(|(shard, points)| points.get_key_value(key).map(|(key, point)| (*shard, key, point)))
    };
    let found = request.ids.iter().filter_map(|key| Some(request.show(find(key)?, true)));
    Ok(ok(Value::Array(found.collect())))
}

/// `POST /collections/{c}/points/query`, for `{"sample": "random"}` only.
pub async fn query(State(node): State<Node>, Path(name): Path<String>, body: Bytes) -> Result<Answer, Refusal> {
    let request: ReadRequest = body_of(&body)?;
    let mut cluster = node.world.cluster();
    cluster.counter += 1;
    let seed = cluster.counter;
    let collection = cluster.collection(&name)?;
    let shards = collection.readable(request.shard_key.as_ref())?;
    let mut all: Vec<Held<'_>> =
        shards.iter().flat_map(|(shard, points)| points.iter().map(|(key, point)| (*shard, key, point))).collect();
    let limit = request.limit.unwrap_or(10).min(all.len());
    for at in 0..limit {
        let pick = at + (mix(seed.wrapping_mul(1_000_003) + at as u64) as usize) % (all.len() - at);
        all.swap(at, pick);
    }
    let shown = all.iter().take(limit).map(|held| {
        let mut shown = request.show(*held, false);
        shown["version"] = json!(1);
        shown["score"] = json!(1.0);
        shown
    });
    Ok(ok(json!({"points": shown.collect::<Vec<_>>()})))
}
