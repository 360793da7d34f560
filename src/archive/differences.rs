//! Two snapshots side by side: configuration, schema, size, shards.

use crate::archive::contents::{Collection, Contents};
use crate::archive::summary::{moment, segments};
use crate::domain::size;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// One thing that is not the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What.
    pub what: String,
    /// In the first.
    pub first: String,
    /// In the second.
    pub second: String,
}

/// What a value reads where there is none.
const NONE: &str = "–";

/// All differences, in the order in which people ask: kind, size, shards, schema, configuration.
pub fn differences(first: &Contents, second: &Contents) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut compare = |what: &str, a: String, b: String| {
        if a != b {
            found.push(Difference { what: what.to_owned(), first: a, second: b });
        }
    };
    compare("kind", first.kind.words().to_owned(), second.kind.words().to_owned());
    let bytes = |contents: &Contents| contents.size.map_or_else(|| NONE.to_owned(), size::bytes);
    compare("size", bytes(first), bytes(second));
    let names = |contents: &Contents| {
        let name = |collection: &Collection| collection.name.clone().unwrap_or_else(|| NONE.to_owned());
        contents.collections.iter().map(name).collect::<Vec<_>>().join(", ")
    };
    compare("collection", names(first), names(second));
    for index in 0..first.collections.len().max(second.collections.len()) {
        let nothing = Collection::default();
        let a = first.collections.get(index).unwrap_or(&nothing);
        let b = second.collections.get(index).unwrap_or(&nothing);
        let prefix = if index == 0 { String::new() } else { format!("{}: ", a.name.clone().unwrap_or_default()) };
        collection(&prefix, a, b, &mut |what, a, b| compare(&what, a, b));
    }
    found
}

fn collection(prefix: &str, a: &Collection, b: &Collection, compare: &mut dyn FnMut(String, String, String)) {
    let taken = |of: &Collection| of.taken_at.as_ref().map_or_else(|| NONE.to_owned(), |at| moment(at));
    compare(format!("{prefix}taken"), taken(a), taken(b));
    let peer = |of: &Collection| of.peer.map_or_else(|| NONE.to_owned(), |peer| peer.to_string());
    compare(format!("{prefix}peer"), peer(a), peer(b));
    let ids = |of: &Collection| of.ids().map_or_else(|| NONE.to_owned(), |ids| format!("≤ {}", size::exact(ids)));
    compare(format!("{prefix}points, at most"), ids(a), ids(b));
    let shards = |of: &Collection| {
        let shard = |shard: &crate::archive::contents::Shard| {
            let id = shard.id.map_or_else(|| NONE.to_owned(), |id| id.to_string());
            if shard.is_stub() { format!("{id} stub") } else { format!("{id} ({})", segments(shard.segments.len())) }
        };
        of.shards.values().map(shard).collect::<Vec<_>>().join(", ")
    };
    compare(format!("{prefix}shards"), shards(a), shards(b));
    let keys = |of: &Collection| {
        let key = |key: &crate::archive::contents::ShardKey| format!("{} {:?}", key.key, key.shards);
        of.keys.iter().map(key).collect::<Vec<_>>().join(", ")
    };
    compare(format!("{prefix}shard keys"), keys(a), keys(b));
    let (schema_a, schema_b) = (&a.payload_schema, &b.payload_schema);
    let fields = schema_a.keys().chain(schema_b.keys().filter(|field| !schema_a.contains_key(*field)));
    for field in fields {
        let of = |schema: &BTreeMap<String, String>| schema.get(field).cloned().unwrap_or_else(|| NONE.to_owned());
        compare(format!("{prefix}payload index {field}"), of(schema_a), of(schema_b));
    }
    // Where one side has no configuration at all, that is the one thing to say.
    if a.config.is_null() != b.config.is_null() {
        let of = |config: &Value| if config.is_null() { "not in it".to_owned() } else { "there".to_owned() };
        compare(format!("{prefix}configuration"), of(&a.config), of(&b.config));
        return;
    }
    let (config_a, config_b) = (leaves(&a.config), leaves(&b.config));
    let paths = config_a.keys().chain(config_b.keys().filter(|path| !config_a.contains_key(*path)));
    for path in paths {
        let of = |config: &BTreeMap<String, String>| config.get(path).cloned().unwrap_or_else(|| NONE.to_owned());
        compare(format!("{prefix}{path}"), of(&config_a), of(&config_b));
    }
    let (sizes_a, sizes_b) = (a.sizes(), b.sizes());
    let purposes = sizes_a.keys().chain(sizes_b.keys().filter(|purpose| !sizes_a.contains_key(purpose)));
    for purpose in purposes {
        let of = |sizes: Option<&crate::archive::sizes::Sizes>| size::bytes(sizes.copied().unwrap_or_default().stored);
        compare(format!("{prefix}size of {}", purpose.words()), of(sizes_a.get(purpose)), of(sizes_b.get(purpose)));
    }
}

/// Values of a configuration that are compared: real ones have some hundred.
const MOST: usize = 2_000;

/// Every value of a configuration by its path. An absent value and `null` are the same to Qdrant.
fn leaves(config: &Value) -> BTreeMap<String, String> {
    fn below(value: &Value, path: &str, found: &mut BTreeMap<String, String>) {
        if found.len() >= MOST {
            return;
        }
        match value {
            Value::Object(fields) => {
                for (name, inner) in fields {
                    let name = crate::domain::text::one_line(name, 60);
                    let path =
                        if path.is_empty() { name } else { crate::domain::text::shorten_middle(&format!("{path}.{name}"), 200) };
                    below(inner, &path, found);
                }
            }
            Value::Null => {}
            other => {
                found.insert(path.to_owned(), crate::domain::text::one_line(&other.to_string(), 60));
            }
        }
    }
    let mut found = BTreeMap::new();
    below(config, "", &mut found);
    found
}
