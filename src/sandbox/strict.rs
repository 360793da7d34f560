//! Strict mode: which requests it refuses, with the real server's messages (1.16.3). Snapshot requests, info and PATCH
//! are never refused.

use crate::sandbox::answer::Refusal;
use crate::sandbox::filter::{Filter, wants_index};
use crate::sandbox::seen_size::SeenSize;
use crate::sandbox::world::Collection;
use serde_json::Value;
use std::collections::HashMap;

/// The size of a collection is measured again after this many checks.
const SIZE_INTERVAL: u64 = 32;

/// What a read asks for.
#[derive(Debug, Default)]
pub(super) struct Read<'a> {
    /// Points wanted, where the call has a limit.
    pub limit: Option<u64>,
    /// Whether exact results are wanted.
    pub exact: bool,
    /// Filter.
    pub filter: Option<&'a Filter>,
}

/// The limits of one collection; none if strict mode is not enabled.
pub(super) struct Strict<'a> {
    rules: Option<&'a Value>,
    collection: &'a Collection,
}

impl<'a> Strict<'a> {
    /// The limits of a collection.
    pub(super) fn of(collection: &'a Collection) -> Self {
        let config = &collection.config["strict_mode_config"];
        Self { rules: Some(config).filter(|config| config["enabled"] == true), collection }
    }

    fn number(&self, key: &str) -> Option<u64> {
        self.rules.and_then(|rules| rules[key].as_u64())
    }

    fn forbids(&self, key: &str) -> bool {
        self.rules.is_some_and(|rules| rules[key] == false)
    }

    /// Checks a read.
    pub(super) fn read(&self, params: &HashMap<String, String>, read: &Read<'_>) -> Result<(), Refusal> {
        let timeout = params.get("timeout").and_then(|text| text.parse().ok());
        self.at_most(timeout, "max_timeout", "timeout")?;
        self.at_most(read.limit, "max_query_limit", "limit")?;
        self.filter(read.filter, "unindexed_filtering_retrieve")?;
        if read.exact && self.forbids("search_allow_exact") {
            return Err(Refusal::new(400, "Bad request: Exact search disabled!. Help: Set exact=false."));
        }
        Ok(())
    }

    /// Checks a change of points that a filter chooses.
    pub(super) fn change(&self, filter: Option<&Filter>) -> Result<(), Refusal> {
        self.filter(filter, "unindexed_filtering_update")
    }

    /// Checks how many points are upserted at once.
    pub(super) fn upsert(&self, points: u64) -> Result<(), Refusal> {
        self.at_most(Some(points), "upsert_max_batchsize", "upsert limit")
    }

    /// Checks whether a payload index may be created; changing an existing one is checked too.
    pub(super) fn index(&self) -> Result<(), Refusal> {
        match self.number("max_payload_index_count") {
            Some(most) if self.collection.payload_schema.len() as u64 >= most => {
                let what = format!("Collection already has the maximum number of payload indices ({most})");
                let help = "Please delete an existing index before creating a new one.";
                Err(Refusal::new(400, format!("Bad request: {what}. Help: {help}")))
            }
            _ => Ok(()),
        }
    }

    fn at_most(&self, value: Option<u64>, key: &str, name: &str) -> Result<(), Refusal> {
        match (value, self.number(key)) {
            (Some(value), Some(limit)) if value > limit => {
                let help = format!("Reduce the \"{name}\" parameter to or below {limit}.");
                Err(Refusal::new(400, format!("Bad request: Limit exceeded {value} > {limit} for \"{name}\". Help: {help}")))
            }
            _ => Ok(()),
        }
    }

    fn filter(&self, filter: Option<&Filter>, rule: &str) -> Result<(), Refusal> {
        let Some(filter) = filter else { return Ok(()) };
        let has = |key: &str, kinds: &[&str]| {
            let schema = self.collection.payload_schema.get(key);
            schema
                .and_then(|schema| schema.as_str().or_else(|| schema["type"].as_str()))
                .is_some_and(|kind| kinds.contains(&kind))
        };
        if self.forbids(rule)
            && let Some((key, kinds)) = filter.unindexed(&has)
        {
            return Err(wants_index(key, &kinds));
        }
        for (key, given, what, help) in [
            ("filter_max_conditions", filter.total(), "Filter condition", "Reduce the amount of conditions of your filter."),
            ("condition_max_size", filter.largest(), "Condition size", "Reduce the size of your condition."),
        ] {
            if let Some(limit) = self.number(key).filter(|limit| given > *limit) {
                return Err(Refusal::new(400, format!("Bad request: {what} limit reached ({given} > {limit}). Help: {help}")));
            }
        }
        Ok(())
    }
}

/// Checks the size of a collection before a write. Setting payload checks the payload size only.
pub(super) fn check_size(collection: &mut Collection, only_payload: bool) -> Result<(), Refusal> {
    let strict = Strict::of(collection);
    let most_vectors = strict.number("max_collection_vector_size_bytes").filter(|_| !only_payload);
    let most_payload = strict.number("max_collection_payload_size_bytes");
    let most_points = strict.number("max_points_count").filter(|_| !only_payload);
    if (most_vectors, most_payload, most_points) == (None, None, None) {
        return Ok(());
    }
    collection.seen_size.calls += 1;
    if collection.seen_size.calls.is_multiple_of(SIZE_INTERVAL) {
        collection.seen_size = SeenSize { calls: collection.seen_size.calls, ..size_of(collection) };
    }
    let seen = &collection.seen_size;
    let reached = |seen: u64, most: Option<u64>| most.filter(|most| seen >= *most);
    for (what, most) in
        [("vector", reached(seen.vector_bytes, most_vectors)), ("payload", reached(seen.payload_bytes, most_payload))]
    {
        if let Some(most) = most {
            let megabytes = most as f32 / 1_048_576.0;
            return Err(Refusal::new(400, format!("Bad request: Max {what} storage size limit of {megabytes}MB reached!")));
        }
    }
    match reached(seen.points, most_points) {
        Some(most) => Err(Refusal::new(400, format!("Bad request: Max points count limit of {most} reached!"))),
        None => Ok(()),
    }
}

/// Four bytes a number, and payloads as JSON: near to what the real server keeps.
fn size_of(collection: &Collection) -> SeenSize {
    let replicas = collection.shards.values().filter_map(|shard| shard.replicas.values().next());
    let mut size = SeenSize::default();
    for point in replicas.flat_map(|replica| replica.points.values()) {
        size.points += 1;
        size.vector_bytes += 4 * numbers_in(&point.vector);
        size.payload_bytes += point.payload.to_string().len() as u64;
    }
    size
}

fn numbers_in(vector: &Value) -> u64 {
    match vector {
        Value::Number(_) => 1,
        Value::Array(list) => list.iter().map(numbers_in).sum(),
        Value::Object(map) => map.values().map(numbers_in).sum(),
        _ => 0,
    }
}
