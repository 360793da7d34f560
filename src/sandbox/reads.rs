//! Points: counted, scrolled, retrieved, sampled.

use crate::sandbox::answer::{Answer, Refusal, ok};
use crate::sandbox::body::body_of;
use crate::sandbox::filter::Filter;
use crate::sandbox::snapshots::Params;
use crate::sandbox::strict::{Read, Strict};
use crate::sandbox::world::{Cluster, Node, PointKey, Shard, StoredPoint, mix};
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;

/// Points that a page has when the request does not say.
const PAGE: usize = 10;

#[derive(Deserialize)]
struct CountRequest {
    filter: Option<Filter>,
    exact: Option<bool>,
    shard_key: Option<Value>,
}

/// What a read costs: one token, and one for each condition.
fn cost(filter: Option<&Filter>) -> u64 {
    1 + filter.map_or(0, Filter::total)
}

/// Strict mode first, then the price in tokens: what is refused costs nothing.
fn admit(
    cluster: &mut Cluster,
    (name, params): (&str, &HashMap<String, String>),
    read: &Read<'_>,
    (key, tokens): (Option<&Value>, u64),
) -> Result<(), Refusal> {
    let collection = cluster.collection_mut(name)?;
    Strict::of(collection).read(params, read)?;
    collection.pay_for_reading(key, tokens)
}

/// `POST /collections/{c}/points/count`
pub(super) async fn count(
    State(node): State<Node>,
    Path(name): Path<String>,
    Query(params): Params,
    body: Bytes,
) -> Result<Answer, Refusal> {
    let request: CountRequest = body_of(&body)?;
    let (filter, key) = (request.filter.as_ref(), request.shard_key.as_ref());
    let mut cluster = node.world.cluster();
    admit(
        &mut cluster,
        (&name, &params),
        &Read { limit: None, exact: request.exact.unwrap_or(true), filter },
        (key, cost(filter)),
    )?;
    let shards = cluster.collection(&name)?.readable(key, &cluster.stopped)?;
    let count: usize = match filter {
        None => shards.iter().map(|(_, points)| points.len()).sum(),
        Some(filter) => {
            shards.iter().flat_map(|(_, points)| points.iter()).filter(|(id, point)| filter.matches(id, point)).count()
        }
    };
    Ok(ok(json!({"count": count})))
}

#[derive(Deserialize)]
struct ReadRequest {
    #[serde(default)]
    ids: Vec<PointKey>,
    offset: Option<PointKey>,
    limit: Option<usize>,
    filter: Option<Filter>,
    #[serde(default)]
    params: SearchParams,
    with_payload: Option<bool>,
    with_vector: Option<bool>,
    shard_key: Option<Value>,
}

#[derive(Deserialize, Default)]
struct SearchParams {
    #[serde(default)]
    exact: bool,
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

    /// The points of a page at most; none is refused.
    fn page(&self, name: &str) -> Result<usize, Refusal> {
        match self.limit.unwrap_or(PAGE) {
            0 => Err(Refusal::new(
                422,
                format!("Validation error in JSON body: [{name}.limit: value 0 invalid, must be 1 or larger]"),
            )),
            limit => Ok(limit),
        }
    }

    fn wants(&self, held: &Held<'_>) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.matches(held.1, held.2))
    }
}

/// `POST /collections/{c}/points/scroll`
pub(super) async fn scroll(
    State(node): State<Node>,
    Path(name): Path<String>,
    Query(params): Params,
    body: Bytes,
) -> Result<Answer, Refusal> {
    let request: ReadRequest = body_of(&body)?;
    let (filter, key) = (request.filter.as_ref(), request.shard_key.as_ref());
    let limit = request.page("scroll_request")?;
    let mut cluster = node.world.cluster();
    admit(&mut cluster, (&name, &params), &Read { limit: Some(limit as u64), exact: false, filter }, (key, cost(filter)))?;
    let shards = cluster.collection(&name)?.readable(key, &cluster.stopped)?;
    let mut page: Vec<Held<'_>> = Vec::new();
    for (shard, points) in shards {
        let held = |(key, point)| (shard, key, point);
        let enough = limit.saturating_add(1);
        match &request.offset {
            Some(offset) => {
                page.extend(points.range(offset.clone()..).map(held).filter(|held| request.wants(held)).take(enough));
            }
            None => page.extend(points.iter().map(held).filter(|held| request.wants(held)).take(enough)),
        }
    }
    page.sort_by_key(|(_, key, _)| *key);
    let next = page.get(limit).map(|(_, key, _)| (*key).clone());
    let shown: Vec<Value> = page.iter().take(limit).map(|held| request.show(*held, true)).collect();
    Ok(ok(json!({"points": shown, "next_page_offset": next})))
}

/// `POST /collections/{c}/points`; strict mode does not limit the ids, but each of them costs a token.
pub(super) async fn retrieve(
    State(node): State<Node>,
    Path(name): Path<String>,
    Query(params): Params,
    body: Bytes,
) -> Result<Answer, Refusal> {
    let request: ReadRequest = body_of(&body)?;
    let key = request.shard_key.as_ref();
    let mut cluster = node.world.cluster();
    admit(&mut cluster, (&name, &params), &Read::default(), (key, request.ids.len() as u64))?;
    let shards = cluster.collection(&name)?.readable(key, &cluster.stopped)?;
    let find = |key: &PointKey| {
        shards.iter().find_map(|(shard, points)| points.get_key_value(key).map(|(key, point)| (*shard, key, point)))
    };
    let found = request.ids.iter().filter_map(|key| Some(request.show(find(key)?, true)));
    Ok(ok(Value::Array(found.collect())))
}

/// `POST /collections/{c}/points/query`, for `{"sample": "random"}` only.
pub(super) async fn query(
    State(node): State<Node>,
    Path(name): Path<String>,
    Query(params): Params,
    body: Bytes,
) -> Result<Answer, Refusal> {
    let request: ReadRequest = body_of(&body)?;
    let (filter, key) = (request.filter.as_ref(), request.shard_key.as_ref());
    let limit = request.page("internal")?;
    let mut cluster = node.world.cluster();
    admit(
        &mut cluster,
        (&name, &params),
        &Read { limit: Some(limit as u64), exact: request.params.exact, filter },
        (key, cost(filter)),
    )?;
    cluster.counter += 1;
    let seed = cluster.counter;
    let shards = cluster.collection(&name)?.readable(key, &cluster.stopped)?;
    let all = shards.iter().flat_map(|(shard, points)| points.iter().map(|(key, point)| (*shard, key, point)));
    let mut all: Vec<Held<'_>> = all.filter(|held| request.wants(held)).collect();
    let limit = limit.min(all.len());
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
