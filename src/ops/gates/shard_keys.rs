//! Whether the shards of a collection that is sharded by keys can get their old numbers again. Pure.

use crate::archive::contents::ShardKey;
use crate::domain::ids::ShardId;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A key to make, and how many shards it has.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct KeyStep {
    /// The key, as a server spells it.
    pub key: Value,
    /// Its shards.
    pub shards: usize,
}

/// In which order the keys must be made so that every shard gets its old number: a new collection numbers its
/// shards from 1 on, key by key (measured on 1.16.3).
///
/// # Errors
/// When no order does, in words: numbers of dropped keys leave gaps that cannot be made again.
pub(crate) fn order(keys: &[ShardKey]) -> Result<Vec<KeyStep>, String> {
    let mut sorted: Vec<&ShardKey> = keys.iter().filter(|key| !key.shards.is_empty()).collect();
    sorted.sort_by_key(|key| key.shards.iter().min().copied());
    let mut next: ShardId = 1;
    let mut steps = Vec::new();
    for key in sorted {
        let mut shards = key.shards.clone();
        shards.sort_unstable();
        for shard in shards {
            if shard != next {
                return Err(format!(
                    "shard {next} belongs to no key: a key was dropped once, and its number cannot be made again"
                ));
            }
            next += 1;
        }
        steps.push(KeyStep { key: key.raw.clone(), shards: key.shards.len() });
    }
    Ok(steps)
}

/// The number of every shard and its key, as the snapshot has them.
pub(crate) fn numbers(keys: &[ShardKey]) -> BTreeMap<ShardId, Value> {
    keys.iter().flat_map(|key| key.shards.iter().map(|shard| (*shard, key.raw.clone()))).collect()
}

/// The body that creates a collection like the one whose `config.json` this is.
pub(crate) fn creation(config: &Value) -> Value {
    let mut body = Map::new();
    let params = config.get("params").and_then(Value::as_object).cloned().unwrap_or_default();
    for (name, value) in params {
        // What the server tells of reading is no parameter of creation.
        if !name.starts_with("read_fan_out") {
            body.insert(name, value);
        }
    }
    for (from, to) in [
        ("hnsw_config", "hnsw_config"),
        ("optimizer_config", "optimizers_config"),
        ("wal_config", "wal_config"),
        ("quantization_config", "quantization_config"),
        ("strict_mode_config", "strict_mode_config"),
        ("metadata", "metadata"),
    ] {
        if let Some(value) = config.get(from).filter(|value| !value.is_null()) {
            body.insert(to.to_owned(), value.clone());
        }
    }
    Value::Object(body)
}

/// `1 → a, 2 → b`
pub(crate) fn words(numbers: &BTreeMap<ShardId, Value>) -> String {
    let each = numbers.iter().map(|(shard, key)| format!("{shard} → {}", crate::domain::text::one_line(&key.to_string(), 40)));
    crate::domain::text::one_line(&each.collect::<Vec<_>>().join(", "), 200)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn key(key: &str, shards: &[u32]) -> ShardKey {
        ShardKey { key: key.into(), raw: json!(key), shards: shards.to_vec() }
    }

    #[test]
    fn keys_are_made_in_the_order_of_their_shards() {
        let steps = order(&[key("b", &[4, 3]), key("a", &[1, 2]), key("c", &[5])]).unwrap();
        let shown: Vec<(Value, usize)> = steps.into_iter().map(|step| (step.key, step.shards)).collect();
        assert_eq!(shown, [(json!("a"), 2), (json!("b"), 2), (json!("c"), 1)]);
        assert_eq!(order(&[]), Ok(vec![]));
    }

    #[test]
    fn numbers_that_cannot_be_made_again_are_refused() {
        for keys in [vec![key("a", &[2])], vec![key("a", &[1]), key("c", &[3])], vec![key("a", &[1, 3]), key("b", &[2])]] {
            assert!(order(&keys).is_err(), "{keys:?}");
        }
    }

    #[test]
    fn a_config_becomes_the_body_that_creates_it() {
        let config = json!({"params": {"vectors": {"size": 4}, "sharding_method": "custom", "read_fan_out_factor": 1},
            "hnsw_config": {"m": 16}, "optimizer_config": {"flush_interval_sec": 5}, "quantization_config": null, "uuid": "x"});
        let body = creation(&config);
        assert_eq!(
            body,
            json!({"vectors": {"size": 4}, "sharding_method": "custom", "hnsw_config": {"m": 16}, "optimizers_config": {"flush_interval_sec": 5}})
        );
    }
}
