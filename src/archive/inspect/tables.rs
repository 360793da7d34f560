//! Documents that are read into tables: shard keys, payload schemas, the collections of a full snapshot.

use crate::archive::contents::ShardKey;
use crate::domain::text::one_line;
use serde_json::Value;
use std::collections::BTreeMap;

/// A list of `{key, shard_ids}` since 1.13, a map of key to ids before.
pub(super) fn keys(value: &Value) -> Option<(Vec<ShardKey>, bool)> {
    let word = |key: &Value| match key {
        Value::String(text) => one_line(text, 120),
        other => one_line(&other.to_string(), 40),
    };
    let ids = |ids: &Value| -> Option<Vec<u32>> {
        ids.as_array()?.iter().map(|id| id.as_u64().and_then(|id| u32::try_from(id).ok())).collect()
    };
    match value {
        Value::Array(list) => {
            let read = |one: &Value| {
                let raw = one.get("key")?;
                Some(ShardKey { key: word(raw), raw: raw.clone(), shards: ids(one.get("shard_ids")?)? })
            };
            Some((list.iter().map(read).collect::<Option<_>>()?, false))
        }
        Value::Object(map) => {
            let read = |(key, list): (&String, &Value)| {
                Some(ShardKey { key: one_line(key, 120), raw: Value::String(key.clone()), shards: ids(list)? })
            };
            Some((map.iter().map(read).collect::<Option<_>>()?, true))
        }
        Value::Null => Some((Vec::new(), false)),
        _ => None,
    }
}

/// `{"schema": {field: "keyword"}}`, or an object with a `type` in place of the word.
pub(super) fn schema(value: &Value) -> Option<(BTreeMap<String, String>, serde_json::Map<String, Value>)> {
    let kind = |schema: &Value| match schema {
        Value::String(word) => one_line(word, 40),
        other => {
            let tagged = other.get("type").or_else(|| other.get("data_type")).and_then(Value::as_str);
            one_line(tagged.unwrap_or("?"), 40)
        }
    };
    let schema = value.get("schema")?.as_object()?;
    Some((schema.iter().map(|(field, of)| (one_line(field, 120), kind(of))).collect(), schema.clone()))
}
