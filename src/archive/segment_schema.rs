//! What `segment.json` and `config.json` must say so that a server loads them (1.16.3 and 1.18.3: an unknown word or a
//! missing field of a segment is an error that comes after the live data is gone). Fields that servers ignore are
//! ignored here too.

use crate::domain::text::one_line;
use serde_json::Value;

const DISTANCES: &[&str] = &["Cosine", "Euclid", "Dot", "Manhattan"];
const VECTOR_STORAGES: &[&str] = &["Memory", "Mmap", "ChunkedMmap", "InRamChunkedMmap", "InRamMmap"];
const SPARSE_STORAGES: &[&str] = &["on_disk", "mmap"];
const VECTOR_INDEXES: &[&str] = &["plain", "hnsw"];
const SPARSE_INDEXES: &[&str] = &["MutableRam", "ImmutableRam", "Mmap"];
const PAYLOAD_STORAGES: &[&str] = &["in_memory", "on_disk", "mmap", "in_ram_mmap"];
const DATATYPES: &[&str] = &["float32", "float16", "uint8", "turbo4"];
const QUANTIZATIONS: &[&str] = &["scalar", "product", "binary", "turbo"];
const REPLICA_STATES: &[&str] = &[
    "Active",
    "Dead",
    "Partial",
    "Initializing",
    "Listener",
    "PartialSnapshot",
    "Recovery",
    "Resharding",
    "ReshardingScaleDown",
    "ActiveRead",
    "ManualRecovery",
];

/// Problems that are told of one document.
const MOST: usize = 8;

struct Problems(Vec<String>);

impl Problems {
    fn add(&mut self, words: String) {
        if self.0.len() < MOST {
            self.0.push(one_line(&words, 160));
        }
    }

    /// A word that must be one of some.
    fn word(&mut self, place: &str, value: Option<&Value>, known: &[&str]) {
        match value.and_then(Value::as_str) {
            Some(word) if known.contains(&word) => {}
            Some(word) => self.add(format!("{place}: no Qdrant up to 1.19 knows `{}`", one_line(word, 40))),
            None => self.add(format!("{place}: it is missing")),
        }
    }

    /// The same, where it may be absent.
    fn optional_word(&mut self, place: &str, value: Option<&Value>, known: &[&str]) {
        if value.is_some_and(|value| !value.is_null()) {
            self.word(place, value, known);
        }
    }

    fn number(&mut self, place: &str, value: Option<&Value>) {
        if value.and_then(Value::as_u64).is_none() {
            self.add(format!("{place}: it is no number"));
        }
    }

    fn optional_number(&mut self, place: &str, value: Option<&Value>) {
        if value.is_some_and(|value| !value.is_null()) {
            self.number(place, value);
        }
    }

    fn optional_flag(&mut self, place: &str, value: Option<&Value>) {
        if value.is_some_and(|value| !value.is_null() && !value.is_boolean()) {
            self.add(format!("{place}: it is neither true nor false"));
        }
    }

    fn hnsw(&mut self, place: &str, value: &Value) {
        for field in ["m", "ef_construct", "full_scan_threshold"] {
            self.number(&format!("{place}.{field}"), value.get(field));
        }
        for field in ["max_indexing_threads", "payload_m"] {
            self.optional_number(&format!("{place}.{field}"), value.get(field));
        }
        self.optional_flag(&format!("{place}.on_disk"), value.get("on_disk"));
    }

    fn quantization(&mut self, place: &str, value: Option<&Value>) {
        let Some(value) = value.filter(|value| !value.is_null()) else { return };
        let Some((kind, options)) = value.as_object().and_then(|map| map.iter().next()) else {
            return self.add(format!("{place}: it is no object"));
        };
        if !QUANTIZATIONS.contains(&kind.as_str()) {
            return self.add(format!("{place}: no Qdrant up to 1.19 knows `{}`", one_line(kind, 40)));
        }
        match kind.as_str() {
            "scalar" => self.word(&format!("{place}.type"), options.get("type"), &["int8"]),
            "product" => {
                self.word(&format!("{place}.compression"), options.get("compression"), &["x4", "x8", "x16", "x32", "x64"]);
            }
            _ => {}
        }
        self.optional_flag(&format!("{place}.always_ram"), options.get("always_ram"));
    }

    fn dense(&mut self, place: &str, value: &Value) {
        self.number(&format!("{place}.size"), value.get("size"));
        self.word(&format!("{place}.distance"), value.get("distance"), DISTANCES);
        self.optional_word(&format!("{place}.datatype"), value.get("datatype"), DATATYPES);
        self.quantization(&format!("{place}.quantization_config"), value.get("quantization_config"));
        if let Some(multi) = value.get("multivector_config").filter(|value| !value.is_null()) {
            self.word(&format!("{place}.multivector_config.comparator"), multi.get("comparator"), &["max_sim"]);
        }
    }
}

/// What is wrong with a `segment.json`; empty when a server would load it.
pub fn segment(state: &Value) -> Vec<String> {
    let mut problems = Problems(Vec::new());
    problems.optional_number("initial_version", state.get("initial_version"));
    problems.optional_number("version", state.get("version"));
    let config = state.get("config").unwrap_or(&Value::Null);
    for (name, vector) in config.get("vector_data").and_then(Value::as_object).into_iter().flatten() {
        let place = if name.is_empty() { "the vector".to_owned() } else { format!("vector {}", one_line(name, 40)) };
        problems.dense(&place, vector);
        problems.word(&format!("{place}.storage_type"), vector.get("storage_type"), VECTOR_STORAGES);
        let index = vector.get("index");
        problems.word(&format!("{place}.index.type"), index.and_then(|index| index.get("type")), VECTOR_INDEXES);
        if !index.and_then(|index| index.get("options")).is_some_and(Value::is_object) {
            problems.add(format!("{place}.index.options: it is missing"));
        }
        if let Some(options) = index.filter(|index| index.get("type").and_then(Value::as_str) == Some("hnsw")) {
            problems.hnsw(&format!("{place}.index.options"), options.get("options").unwrap_or(&Value::Null));
        }
    }
    for (name, vector) in config.get("sparse_vector_data").and_then(Value::as_object).into_iter().flatten() {
        let place = format!("sparse vector {}", one_line(name, 40));
        let index = vector.get("index").unwrap_or(&Value::Null);
        problems.word(&format!("{place}.index.index_type"), index.get("index_type"), SPARSE_INDEXES);
        problems.optional_number(&format!("{place}.index.full_scan_threshold"), index.get("full_scan_threshold"));
        problems.optional_word(&format!("{place}.index.datatype"), index.get("datatype"), DATATYPES);
        problems.optional_word(&format!("{place}.storage_type"), vector.get("storage_type"), SPARSE_STORAGES);
        problems.optional_word(&format!("{place}.modifier"), vector.get("modifier"), &["none", "idf"]);
    }
    match config.get("payload_storage_type") {
        Some(Value::Object(tagged)) => problems.word("payload_storage_type", tagged.get("type"), PAYLOAD_STORAGES),
        Some(other) => problems.word("payload_storage_type", Some(other), PAYLOAD_STORAGES),
        None => problems.add("payload_storage_type: it is missing".into()),
    }
    problems.0
}

/// What is wrong with a collection's `config.json` beside its vectors; empty when a server would take it.
pub fn collection(config: &Value) -> Vec<String> {
    let mut problems = Problems(Vec::new());
    let params = config.get("params").unwrap_or(&Value::Null);
    let vectors = params.get("vectors").unwrap_or(&Value::Null);
    if vectors.get("size").is_some_and(Value::is_u64) {
        problems.dense("params.vectors", vectors);
    } else {
        for (name, vector) in vectors.as_object().into_iter().flatten() {
            problems.dense(&format!("params.vectors.{}", one_line(name, 40)), vector);
        }
    }
    for field in ["shard_number", "replication_factor", "write_consistency_factor"] {
        problems.optional_number(&format!("params.{field}"), params.get(field));
    }
    problems.optional_word("params.sharding_method", params.get("sharding_method"), &["auto", "custom"]);
    problems.optional_flag("params.on_disk_payload", params.get("on_disk_payload"));
    for field in ["hnsw_config", "optimizer_config"] {
        match config.get(field) {
            Some(value) if value.is_object() => {}
            Some(_) => problems.add(format!("{field}: it is no object")),
            None => problems.add(format!("{field}: it is missing")),
        }
    }
    if let Some(hnsw) = config.get("hnsw_config").filter(|value| value.is_object()) {
        problems.hnsw("hnsw_config", hnsw);
    }
    problems.quantization("quantization_config", config.get("quantization_config"));
    problems.0
}

/// What is wrong with a `replica_state.json`.
pub fn replica_state(state: &Value) -> Vec<String> {
    let mut problems = Problems(Vec::new());
    if state.get("is_local").and_then(Value::as_bool).is_none() {
        problems.add("is_local: it is neither true nor false".into());
    }
    problems.number("this_peer_id", state.get("this_peer_id"));
    match state.get("peers").and_then(Value::as_object) {
        Some(peers) => {
            for (peer, state) in peers {
                problems.word(&format!("peers.{}", one_line(peer, 24)), Some(state), REPLICA_STATES);
            }
        }
        None => problems.add("peers: it is missing".into()),
    }
    problems.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn state() -> Value {
        json!({"initial_version": 0, "version": 7, "config": {
            "vector_data": {"": {"size": 4, "distance": "Dot", "storage_type": "InRamChunkedMmap",
                "index": {"type": "hnsw", "options": {"m": 16, "ef_construct": 100, "full_scan_threshold": 10000, "on_disk": false}},
                "quantization_config": {"scalar": {"type": "int8", "always_ram": true}}}},
            "sparse_vector_data": {"words": {"index": {"index_type": "MutableRam"}, "storage_type": "mmap"}},
            "payload_storage_type": {"type": "mmap"}}})
    }

    #[test]
    fn each_wrong_word_is_found() {
        assert!(segment(&state()).is_empty(), "{:?}", segment(&state()));
        for (pointer, wrong) in [
            ("/config/vector_data//size", json!("4")),
            ("/config/vector_data//distance", json!("Dox")),
            ("/config/vector_data//storage_type", json!("InRamChuokedMmap")),
            ("/config/vector_data//index/type", json!("hnsx")),
            ("/config/vector_data//index/options/m", json!("x")),
            ("/config/vector_data//quantization_config", json!({"scalaq": {}})),
            ("/config/vector_data//quantization_config/scalar/type", json!("int9")),
            ("/config/vector_data//quantization_config/scalar/always_ram", json!(1)),
            ("/config/sparse_vector_data/words/index/index_type", json!("MutableRbm")),
            ("/config/sparse_vector_data/words/storage_type", json!("mmaq")),
            ("/config/payload_storage_type/type", json!("mmaq")),
            ("/version", json!("7")),
        ] {
            let mut damaged = state();
            *damaged.pointer_mut(pointer).unwrap() = wrong;
            assert_eq!(segment(&damaged).len(), 1, "{pointer}: {:?}", segment(&damaged));
        }
    }

    #[test]
    fn states_and_collections() {
        assert!(replica_state(&json!({"is_local": true, "this_peer_id": 1, "peers": {"1": "Active"}})).is_empty());
        for bad in [
            json!(null),
            json!({}),
            json!({"is_local": 1, "this_peer_id": 1, "peers": {}}),
            json!({"is_local": true, "this_peer_id": 1, "peers": {"1": "Bogus"}}),
        ] {
            assert!(!replica_state(&bad).is_empty(), "{bad}");
        }
        let config = json!({"params": {"vectors": {"size": 4, "distance": "Dot"}, "shard_number": 1},
            "hnsw_config": {"m": 16, "ef_construct": 100, "full_scan_threshold": 1}, "optimizer_config": {}});
        assert!(collection(&config).is_empty(), "{:?}", collection(&config));
    }
}
