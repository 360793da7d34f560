//! How a collection is configured, in one form for all places that tell it: `config.json` and `payload_index.json` of a
//! snapshot, and the info of a server. Two of them are compared path by path; what differs is named, never guessed.

use crate::domain::text::one_line;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

/// Configuration and payload indexes of a collection, without what means nothing: absent values, identities.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Settings {
    /// `params`, `hnsw_config`, `optimizer_config`, … as Qdrant calls them.
    config: Value,
    /// Payload indexes with their parameters, by field as the server spells it.
    indexes: BTreeMap<String, Value>,
    /// There may be indexes that are not listed. A snapshot's `payload_index.json` lacks those that came with a restore over
    /// the collection, although its segments have them (1.16.3).
    #[serde(default)]
    more_indexes: bool,
}

/// One value that is not the same on both sides.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Where, such as `hnsw_config.m` or `payload index city`.
    pub path: String,
    /// On the first side; `Null` when it is not set.
    pub first: Value,
    /// On the second side.
    pub second: Value,
}

impl Difference {
    /// In words: `hnsw_config.m: 16 and 24`.
    pub fn words(&self) -> String {
        let word = |value: &Value| if value.is_null() { "not set".to_owned() } else { one_line(&value.to_string(), 120) };
        format!("{}: {} and {}", one_line(&self.path, 120), word(&self.first), word(&self.second))
    }
}

/// What brings a collection to other settings.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Changes {
    /// Body of `PATCH /collections/{c}`; `Null` when there is nothing to change.
    pub patch: Value,
    /// Fields whose index is removed.
    pub drop: Vec<String>,
    /// Fields that are indexed, with the schema.
    pub make: Vec<(String, Value)>,
}

/// Keys that say which collection it is, or how it is read, and not how it is.
const NO_SETTINGS: [&str; 3] = ["uuid", "read_fan_out_factor", "read_fan_out_delay_ms"];

/// Settings that belong to the cluster that a collection is on.
const OF_THE_CLUSTER: [&str; 2] = ["params.replication_factor", "params.write_consistency_factor"];

/// Limits for those who ask.
const STRICT_MODE: &str = "strict_mode_config";

/// Settings of the machine: nothing that can be changed, and nothing that data depends on.
const OF_THE_MACHINE: &str = "wal_config";

impl Settings {
    /// From a configuration and its payload indexes, each a schema with `data_type` and `params` or a bare type.
    pub fn of<'a>(config: &Value, indexes: impl IntoIterator<Item = (&'a String, &'a Value)>) -> Self {
        let indexes = indexes.into_iter().map(|(field, schema)| (field.clone(), index(schema))).collect();
        Self { config: of_collection(config), indexes, more_indexes: false }
    }

    /// The same with another number of replicas of each shard.
    #[must_use]
    pub fn with_replicas(mut self, replicas: NonZeroU32) -> Self {
        if let Some(params) = self.config.get_mut("params").and_then(Value::as_object_mut) {
            params.insert("replication_factor".into(), json!(replicas));
        }
        self
    }

    /// The configuration, as Qdrant calls its parts.
    pub fn config(&self) -> &Value {
        &self.config
    }

    /// The same, from the files of a snapshot: there may be more indexes.
    #[must_use]
    pub fn of_snapshot(self) -> Self {
        Self { more_indexes: true, ..self }
    }

    /// Every value that is not the same, by path. What belongs to the machine (`wal_config`) is left out.
    pub fn differences(&self, other: &Self) -> Vec<Difference> {
        let mut found = Vec::new();
        walk("", &self.config, &other.config, &mut found);
        // Limits that are switched off on both sides limit nothing, and cannot be taken away again (1.16.3).
        let strict = self.strict_mode().1 || other.strict_mode().1;
        found.retain(|difference| {
            !difference.path.starts_with(OF_THE_MACHINE) && (strict || !difference.path.starts_with(STRICT_MODE))
        });
        let fields: BTreeSet<&String> = self.indexes.keys().chain(other.indexes.keys()).collect();
        for field in fields {
            let (first, second) = (self.indexes.get(field), other.indexes.get(field));
            let unlisted = (first.is_none() && self.more_indexes) || (second.is_none() && other.more_indexes);
            if first != second && !unlisted {
                let value = |value: Option<&Value>| value.map_or(Value::Null, short_index);
                let path = format!("payload index {field}");
                found.push(Difference { path, first: value(first), second: value(second) });
            }
        }
        found
    }

    /// The same, without what another cluster may have otherwise, and without what data depends on (vectors, shards): that
    /// is compared as the collection's shape.
    pub fn differences_beside_shape(&self, other: &Self) -> Vec<Difference> {
        let shape = ["params.shard_number", "params.sharding_method"];
        let mut found = self.differences(other);
        found.retain(|difference| {
            let path = difference.path.as_str();
            let data = ["size", "distance", "datatype"].iter().any(|leaf| path.ends_with(&format!(".{leaf}")));
            let vectors = path.starts_with("params.vectors") || path.starts_with("params.sparse_vectors");
            // A whole vector that one side lacks.
            let whole = [&difference.first, &difference.second].iter().any(|value| value.get("size").is_some())
                || path.strip_prefix("params.sparse_vectors").is_some_and(|rest| rest.matches('.').count() <= 1);
            !shape.contains(&path) && !OF_THE_CLUSTER.contains(&path) && !(vectors && (data || whole))
        });
        found
    }

    /// What strict mode says, and whether it is switched on.
    pub fn strict_mode(&self) -> (Option<&Value>, bool) {
        let strict = self.config.get("strict_mode_config");
        (strict, strict.is_some_and(|strict| strict.get("enabled") == Some(&Value::Bool(true))))
    }

    /// What would make a collection with the settings `now` have these. Not everything can be changed on a server: what is
    /// still different afterwards has to be looked at.
    pub fn changes_from(&self, now: &Self) -> Changes {
        let mut changes = Changes::default();
        let mut patch = Map::new();
        let part = |settings: &Self, name: &str| settings.config.get(name).cloned().unwrap_or(Value::Null);
        for (key, name) in [
            ("hnsw_config", "hnsw_config"),
            ("optimizer_config", "optimizers_config"),
            ("quantization_config", "quantization_config"),
            ("strict_mode_config", "strict_mode_config"),
            ("metadata", "metadata"),
        ] {
            let (wanted, there) = (part(self, key), part(now, key));
            if wanted == there {
                continue;
            }
            let value = match key {
                // The one setting that is taken away by a word (1.16.3).
                "quantization_config" if wanted.is_null() => json!("Disabled"),
                "strict_mode_config" => strict(&wanted, &there),
                "optimizer_config" => optimizers(&wanted, &there),
                _ => diff(&wanted, &there),
            };
            patch.insert(name.to_owned(), value);
        }
        let params: Map<String, Value> = ["on_disk_payload", "replication_factor", "write_consistency_factor"]
            .iter()
            .filter_map(|name| {
                let wanted = self.config.get("params")?.get(name)?;
                (now.config.get("params").and_then(|params| params.get(name)) != Some(wanted))
                    .then(|| ((*name).to_owned(), wanted.clone()))
            })
            .collect();
        if !params.is_empty() {
            patch.insert("params".into(), Value::Object(params));
        }
        if !patch.is_empty() {
            changes.patch = Value::Object(patch);
        }
        let gone = |(field, schema): &(&String, &Value)| match self.indexes.get(*field) {
            Some(wanted) => wanted != *schema,
            None => !self.more_indexes,
        };
        changes.drop = now.indexes.iter().filter(gone).map(|(field, _)| field.clone()).collect();
        // All of them, also those that are shown: after a restore over a collection a server shows indexes that are in its
        // segments, and forgets them in the next snapshot unless they are made by name (1.16.3). One that is there costs nothing.
        changes.make = self.indexes.iter().map(|(field, schema)| (field.clone(), schema.clone())).collect();
        changes
    }
}

/// Strict mode that is to be off is switched off by name: an absent value changes nothing (1.16.3).
fn strict(wanted: &Value, there: &Value) -> Value {
    let mut value = diff(wanted, there);
    let enabled = wanted.get("enabled") == Some(&Value::Bool(true));
    if let Some(map) = value.as_object_mut() {
        map.insert("enabled".into(), Value::Bool(enabled));
    }
    value
}

/// The number of threads has a word for *not set*; nothing else of the optimizers can be unset (1.16.3).
fn optimizers(wanted: &Value, there: &Value) -> Value {
    const THREADS: &str = "max_optimization_threads";
    let mut value = diff(wanted, there);
    if let Some(map) = value.as_object_mut()
        && map.get(THREADS) == Some(&Value::Null)
    {
        map.insert(THREADS.into(), "auto".into());
    }
    value
}

/// The wanted values, and `null` for those that are there and not wanted: metadata goes by that, other settings stay.
fn diff(wanted: &Value, there: &Value) -> Value {
    let mut out = wanted.as_object().cloned().unwrap_or_default();
    for key in there.as_object().into_iter().flatten().map(|(key, _)| key) {
        out.entry(key.clone()).or_insert(Value::Null);
    }
    Value::Object(out)
}

/// An index as one object: `{"type": "keyword", …}`.
fn index(schema: &Value) -> Value {
    let kind = schema.get("data_type").unwrap_or(schema);
    let mut out = match schema.get("params") {
        Some(Value::Object(params)) => params.clone(),
        _ if schema.get("data_type").is_none() && schema.is_object() => schema.as_object().cloned().unwrap_or_default(),
        _ => Map::new(),
    };
    out.entry("type").or_insert_with(|| kind.clone());
    if out.get("type").and_then(Value::as_str) == Some("text") {
        // What a server shows where none was given (1.16.3).
        out.entry("tokenizer").or_insert_with(|| "word".into());
    }
    without_nothing(&Value::Object(out))
}

/// An index that has nothing but a type reads as its type.
fn short_index(schema: &Value) -> Value {
    match schema.as_object() {
        Some(map) if map.len() == 1 => map.get("type").cloned().unwrap_or_else(|| schema.clone()),
        _ => schema.clone(),
    }
}

/// A collection's configuration without what is no setting. Metadata is the user's, and any key may be in it; so may any
/// name be that of a vector.
fn of_collection(config: &Value) -> Value {
    settings_of(config, |key, value| match key {
        "metadata" => value.clone(),
        "params" => settings_of(value, parameter),
        STRICT_MODE => limits(value),
        _ => without_nothing(value),
    })
}

fn parameter(key: &str, value: &Value) -> Value {
    match (key, value) {
        // A vector with nothing set is a vector.
        ("sparse_vectors", Value::Object(vectors)) => {
            Value::Object(vectors.iter().map(|(name, vector)| (name.clone(), without_nothing(vector))).collect())
        }
        _ => without_nothing(value),
    }
}

/// Switched off and never switched on are the same.
fn limits(value: &Value) -> Value {
    let mut limits = without_nothing(value);
    if let Some(map) = limits.as_object_mut()
        && map.get("enabled") != Some(&Value::Bool(true))
    {
        map.remove("enabled");
    }
    limits
}

/// The settings of one object, each as `read` gives it, without those that are nothing then.
fn settings_of(object: &Value, read: impl Fn(&str, &Value) -> Value) -> Value {
    let settings = object.as_object().into_iter().flatten().filter(|(key, _)| !NO_SETTINGS.contains(&key.as_str()));
    let read = settings.map(|(key, value)| (key.clone(), read(key, value)));
    Value::Object(read.filter(|(_, value)| !is_nothing(value)).collect())
}

fn is_nothing(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(Map::is_empty)
}

/// Without absent values and empty objects.
fn without_nothing(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.iter().map(|(key, value)| (key.clone(), without_nothing(value)));
            Value::Object(kept.filter(|(_, value)| !is_nothing(value)).collect())
        }
        // 1 and 1.0: JSON has one kind of number.
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 9e15 => json!(float as i64),
            _ => value.clone(),
        },
        other => other.clone(),
    }
}

fn walk(path: &str, first: &Value, second: &Value, found: &mut Vec<Difference>) {
    match (first, second) {
        _ if first == second => {}
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                let of = |map: &Map<String, Value>| map.get(key).cloned().unwrap_or(Value::Null);
                walk(&below, &of(a), &of(b), found);
            }
        }
        _ => found.push(Difference { path: path.to_owned(), first: first.clone(), second: second.clone() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(config: Value, indexes: &[(&str, Value)]) -> Settings {
        let indexes: BTreeMap<String, Value> =
            indexes.iter().map(|(field, schema)| ((*field).to_owned(), schema.clone())).collect();
        Settings::of(&config, &indexes)
    }

    fn words(a: &Settings, b: &Settings) -> Vec<String> {
        a.differences(b).iter().map(Difference::words).collect()
    }

    #[test]
    fn what_means_the_same_is_no_difference() {
        let file = settings(
            json!({"uuid": "1", "quantization_config": null, "metadata": {}, "params": {"read_fan_out_factor": null, "shard_number": 1},
                "strict_mode_config": {"enabled": false}, "optimizer_config": {"deleted_threshold": 0.2, "x": 1.0}}),
            &[
                ("city", json!({"data_type": "keyword"})),
                ("n", json!({"data_type": "integer", "params": {"type": "integer", "lookup": true}})),
            ],
        );
        let live = settings(
            json!({"params": {"shard_number": 1}, "optimizer_config": {"deleted_threshold": 0.2, "x": 1}}),
            &[("city", json!("keyword")), ("n", json!({"type": "integer", "lookup": true}))],
        );
        assert_eq!(words(&file, &live), Vec::<String>::new());
        assert!(file.changes_from(&live).patch.is_null() && file.changes_from(&live).drop.is_empty());
    }

    #[test]
    fn metadata_and_names_may_look_like_what_is_no_setting() {
        let of = |config: Value| settings(config, &[]);
        let first =
            of(json!({"metadata": {"uuid": 1, "a": null}, "params": {"sparse_vectors": {"s": {}, "uuid": {"modifier": "idf"}}}}));
        let second = of(json!({"metadata": {"uuid": 2}, "params": {"sparse_vectors": {"s": {"modifier": "idf"}, "uuid": {}}}}));
        let found: Vec<String> = first.differences_beside_shape(&second).iter().map(|one| one.path.clone()).collect();
        assert_eq!(found, ["metadata.uuid", "params.sparse_vectors.s.modifier", "params.sparse_vectors.uuid.modifier"]);
        let same = of(json!({"params": {"sparse_vectors": {"s": {"index": {"on_disk": null}}}}}));
        assert_eq!(words(&same, &of(json!({"params": {"sparse_vectors": {"s": {}}}}))), Vec::<String>::new());
    }

    #[test]
    fn every_difference_is_named_with_both_values() {
        let first = settings(
            json!({"hnsw_config": {"m": 16}, "params": {"on_disk_payload": true}}),
            &[("t", json!({"data_type": "text", "params": {"type": "text", "tokenizer": "word"}}))],
        );
        let second = settings(
            json!({"hnsw_config": {"m": 24}, "params": {"on_disk_payload": true}, "metadata": {"a": 1}}),
            &[("t", json!({"data_type": "text", "params": {"type": "text", "tokenizer": "prefix"}})), ("x", json!("keyword"))],
        );
        assert_eq!(
            words(&first, &second),
            [
                "hnsw_config.m: 16 and 24",
                "metadata: not set and {\"a\":1}",
                "payload index t: {\"tokenizer\":\"word\",\"type\":\"text\"} and {\"tokenizer\":\"prefix\",\"type\":\"text\"}",
                "payload index x: not set and \"keyword\"",
            ]
        );
    }

    #[test]
    fn an_index_that_a_snapshot_does_not_list_may_be_in_it() {
        let file = settings(json!({}), &[("city", json!("keyword"))]).of_snapshot();
        let live = settings(json!({}), &[("city", json!("keyword")), ("extra", json!("keyword"))]);
        assert!(words(&file, &live).is_empty() && words(&live, &file).is_empty());
        assert!(file.changes_from(&live).drop.is_empty());
        let other = settings(json!({}), &[("city", json!("integer"))]);
        assert_eq!((words(&file, &other).len(), file.changes_from(&other).drop), (1, vec!["city".to_owned()]));
        assert_eq!(words(&file, &settings(json!({}), &[])).len(), 1, "what it lists must be there");
    }

    #[test]
    fn changes_lead_back_as_far_as_a_server_can() {
        let before =
            settings(json!({"hnsw_config": {"m": 16}, "params": {"on_disk_payload": true}}), &[("city", json!("keyword"))]);
        let now = settings(
            json!({"hnsw_config": {"m": 24}, "params": {"on_disk_payload": false}, "quantization_config": {"scalar": {"type": "int8"}},
                "strict_mode_config": {"enabled": true, "max_query_limit": 5}, "metadata": {"a": 1}}),
            &[("city", json!("integer")), ("extra", json!("keyword"))],
        );
        let changes = before.changes_from(&now);
        assert_eq!(
            changes.patch,
            json!({"hnsw_config": {"m": 16}, "quantization_config": "Disabled", "metadata": {"a": null},
                "strict_mode_config": {"enabled": false, "max_query_limit": null}, "params": {"on_disk_payload": true}})
        );
        assert_eq!(
            (changes.drop, changes.make),
            (vec!["city".into(), "extra".into()], vec![("city".into(), json!({"type": "keyword"}))])
        );
        let none = before.changes_from(&before);
        assert!(none.patch.is_null() && none.drop.is_empty(), "{none:?}");
    }
}
