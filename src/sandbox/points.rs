//! Points: written, changed, deleted.

use crate::sandbox::answer::{Answer, Refusal, ok};
use crate::sandbox::body::body_of;
use crate::sandbox::filter::Filter;
use crate::sandbox::limiter::Side;
use crate::sandbox::strict::{self, Strict};
use crate::sandbox::world::{Cluster, Collection, Node, PointKey, StoredPoint};
use axum::body::Bytes;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

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

/// Changes points shard by shard, after taking write tokens. A shard without a live replica fails; the others are written.
fn change<T>(
    collection: &mut Collection,
    stopped: &BTreeSet<usize>,
    key: Option<&Value>,
    items: Vec<(PointKey, T)>,
    mut change: impl FnMut(&mut BTreeMap<PointKey, StoredPoint>, &(PointKey, T)),
) -> Result<(), Refusal> {
    let mut shards: BTreeMap<u32, Vec<(PointKey, T)>> = BTreeMap::new();
    for item in items {
        shards.entry(collection.shard_of(&item.0, key)?).or_default().push(item);
    }
    for (number, items) in &shards {
        collection.pay(*number, Side::Write, items.len() as u64)?;
    }
    let total = shards.len();
    let written = shards
        .into_iter()
        .map(|(number, items)| collection.write(number, stopped, |points| items.iter().for_each(|item| change(points, item))));
    let failures: Vec<Refusal> = written.filter_map(Result::err).collect();
    match failures.first() {
        None => Ok(()),
        Some(first) => Err(Refusal::internal(format!(
            "{} out of {total} shards failed to apply operation. First error captured: {}",
            failures.len(),
            first.words
        ))),
    }
}

/// `PUT /collections/{c}/points`
pub(super) async fn upsert(State(node): State<Node>, Path(name): Path<String>, body: Bytes) -> Result<Answer, Refusal> {
    let request: UpsertRequest = body_of(&body)?;
    let mut cluster = node.world.cluster();
    let stopped = cluster.stopped.clone();
    let collection = cluster.collection_mut(&name)?;
    Strict::of(collection).upsert(request.points.len() as u64)?;
    strict::check_size(collection, false)?;
    for point in &request.points {
        check_dimension(collection, &point.vector)?;
    }
    let stored = request.points.into_iter().map(|point| {
        let stored = StoredPoint { vector: stored_vector(collection, point.vector), payload: point.payload };
        (point.id, stored)
    });
    let stored = stored.collect();
    change(collection, &stopped, request.shard_key.as_ref(), stored, |points, (id, point)| {
        points.insert(id.clone(), point.clone());
    })?;
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

/// Points by ids, or those that a filter chooses.
#[derive(Deserialize)]
struct Selector {
    points: Option<Vec<PointKey>>,
    filter: Option<Filter>,
    shard_key: Option<Value>,
}

impl Selector {
    /// Their ids.
    fn ids(&mut self, collection: &Collection, stopped: &BTreeSet<usize>) -> Result<Vec<(PointKey, ())>, Refusal> {
        Strict::of(collection).change(self.filter.as_ref())?;
        let ids = match (self.points.take(), &self.filter) {
            (Some(ids), _) => ids,
            (None, Some(filter)) => {
                let shards = collection.readable(self.shard_key.as_ref(), stopped)?;
                let all = shards.iter().flat_map(|(_, points)| points.iter());
                all.filter(|(id, point)| filter.matches(id, point)).map(|(id, _)| id.clone()).collect()
            }
            (None, None) => {
                let words = "data did not match any variant of untagged enum PointsSelector";
                return Err(Refusal::new(400, format!("Format error in JSON body: {words}")));
            }
        };
        Ok(ids.into_iter().map(|id| (id, ())).collect())
    }
}

/// `POST /collections/{c}/points/delete`
pub(super) async fn delete(State(node): State<Node>, Path(name): Path<String>, body: Bytes) -> Result<Answer, Refusal> {
    let mut selector: Selector = body_of(&body)?;
    let mut cluster = node.world.cluster();
    let stopped = cluster.stopped.clone();
    let collection = cluster.collection_mut(&name)?;
    let ids = selector.ids(collection, &stopped)?;
    change(collection, &stopped, selector.shard_key.as_ref(), ids, |points, (id, ())| {
        points.remove(id);
    })?;
    Ok(completed(&mut cluster))
}

#[derive(Deserialize)]
struct PayloadRequest {
    #[serde(flatten)]
    selector: Selector,
    payload: serde_json::Map<String, Value>,
}

/// `POST /collections/{c}/points/payload`: merges.
pub(super) async fn set_payload(State(node): State<Node>, Path(name): Path<String>, body: Bytes) -> Result<Answer, Refusal> {
    let mut request: PayloadRequest = body_of(&body)?;
    let mut cluster = node.world.cluster();
    let stopped = cluster.stopped.clone();
    let collection = cluster.collection_mut(&name)?;
    strict::check_size(collection, true)?;
    let ids = request.selector.ids(collection, &stopped)?;
    change(collection, &stopped, request.selector.shard_key.as_ref(), ids, |points, (id, ())| {
        let Some(point) = points.get_mut(id) else { return };
        match point.payload.as_object_mut() {
            Some(payload) => payload.extend(request.payload.clone()),
            None => point.payload = Value::Object(request.payload.clone()),
        }
    })?;
    Ok(completed(&mut cluster))
}
