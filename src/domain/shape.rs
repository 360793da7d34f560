//! Differences between the shapes of two collections: vectors and sharding.

use crate::domain::collection::CollectionInfo;
use serde_json::Value;

/// What is not the same in what data depends on: vectors and sharding.
pub fn data_shape_differences(a: &CollectionInfo, b: &CollectionInfo) -> Vec<String> {
    let mut found = Vec::new();
    if a.vectors_of_data() != b.vectors_of_data() {
        let (a, b) = (a.vectors_in_words(), b.vectors_in_words());
        found.push(if a == b { format!("type of the vectors {a}") } else { format!("vectors: {a} and {b}") });
    }
    let sparse = |info: &CollectionInfo| -> Vec<String> {
        info.params.get("sparse_vectors").and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name.clone()).collect()
    };
    if sparse(a) != sparse(b) {
        found.push("sparse vectors".into());
    }
    if a.shard_number() != b.shard_number() {
        found.push(format!("{} and {} shards", a.shard_number(), b.shard_number()));
    }
    found
}

/// What is not the same in vectors and sharding, settings of single vectors included: a server refuses to restore over a
/// collection whose `vectors` are not fully equal (1.18.3, recover.rs).
pub fn shape_differences(a: &CollectionInfo, b: &CollectionInfo) -> Vec<String> {
    let mut found = Vec::new();
    if a.vectors() != b.vectors() {
        let (a, b) = (a.vectors_in_words(), b.vectors_in_words());
        found.push(if a == b { format!("parameters of the vectors {a}") } else { format!("vectors: {a} and {b}") });
    }
    if a.params.get("sparse_vectors") != b.params.get("sparse_vectors") {
        found.push("sparse vectors".into());
    }
    if a.shard_number() != b.shard_number() {
        found.push(format!("{} and {} shards", a.shard_number(), b.shard_number()));
    }
    found
}
