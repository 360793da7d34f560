//! The configuration of a collection: read from a request, with the server's defaults (1.16.3), and changed by PATCH.

mod change;
mod section;
mod vectors;

use crate::sandbox::answer::Refusal;
use section::{HNSW, OPTIMIZERS, Reader, STRICT, WAL, metadata, overlay};
use serde_json::{Map, Value, json};

pub(super) use change::Change;

/// The configuration of a new collection, as info shows it. `strict` is what the server sets for every new one.
pub(super) fn of_request(body: &Value, strict: Option<&Value>) -> Result<Value, Refusal> {
    let mut reader = Reader::default();
    let mut params = json!({
        "vectors": vectors::dense(&mut reader, body.get("vectors").unwrap_or(&json!({})))?,
        "shard_number": reader.whole(body, "shard_number", 1, 1)?,
        "replication_factor": reader.whole(body, "replication_factor", 1, 1)?,
        "write_consistency_factor": reader.whole(body, "write_consistency_factor", 1, 1)?,
        "on_disk_payload": body["on_disk_payload"].as_bool().unwrap_or(true),
    });
    if let Some(sparse) = vectors::sparse(&mut reader, &body["sparse_vectors"])? {
        params["sparse_vectors"] = Value::Object(sparse);
    }
    if let Some(method) = body["sharding_method"].as_str() {
        params["sharding_method"] = json!(method);
    }
    let mut config = json!({"params": params, "quantization_config": null});
    let optimizers = if body["optimizers_config"].is_null() { "optimizer_config" } else { "optimizers_config" };
    for (key, name, keys, defaults) in [
        ("hnsw_config", "hnsw_config", HNSW, default_hnsw()),
        ("optimizer_config", optimizers, OPTIMIZERS, default_optimizers()),
        ("wal_config", "wal_config", WAL, json!({"wal_capacity_mb": 32, "wal_segments_ahead": 0, "wal_retain_closed": 1})),
    ] {
        config[key] = defaults;
        overlay(&mut config[key], reader.section(body, name, keys)?.unwrap_or_default());
    }
    if !body["quantization_config"].is_null() {
        let refused = || section::no_variant("QuantizationConfig");
        config["quantization_config"] = vectors::quantization(&body["quantization_config"]).ok_or_else(refused)?;
    }
    if let Some(given) = reader.section(body, "strict_mode_config", STRICT)? {
        config["strict_mode_config"] = Value::Object(given);
    }
    if let Some(metadata) = metadata(body)? {
        config["metadata"] = Value::Object(metadata);
    }
    reader.finish()?;
    Ok(with_server_default(config, strict))
}

/// The configuration as info and snapshots show it: without empty `hnsw_config` of vectors. The server keeps them, so the
/// collection's own snapshots are then incompatible with it (1.16.3).
pub(super) fn shown(config: &Value) -> Value {
    let mut shown = config.clone();
    let hide = |vector: &mut Value| {
        if vector["hnsw_config"].as_object().is_some_and(Map::is_empty) {
            vector.as_object_mut().map(|vector| vector.remove("hnsw_config"));
        }
    };
    match shown.pointer_mut("/params/vectors") {
        Some(one) if one.get("size").is_some_and(Value::is_u64) => hide(one),
        Some(Value::Object(named)) => named.values_mut().for_each(hide),
        _ => {}
    }
    shown
}

/// Fills in the server's strict mode; keys of the configuration win.
pub(super) fn with_server_default(mut config: Value, strict: Option<&Value>) -> Value {
    if let Some(Value::Object(server)) = strict {
        let mut whole = server.clone();
        whole.extend(config["strict_mode_config"].as_object().cloned().unwrap_or_default());
        config["strict_mode_config"] = Value::Object(whole);
    }
    config
}

fn default_hnsw() -> Value {
    json!({"m": 16, "ef_construct": 100, "full_scan_threshold": 10000, "max_indexing_threads": 0, "on_disk": false})
}

fn default_optimizers() -> Value {
    json!({"deleted_threshold": 0.2, "vacuum_min_vector_number": 1000, "default_segment_number": 0, "max_segment_size": null,
        "memmap_threshold": null, "indexing_threshold": 10000, "flush_interval_sec": 5, "max_optimization_threads": null,
        "prevent_unoptimized": null})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(body: Value) -> Value {
        of_request(&body, None).unwrap()
    }

    #[test]
    fn nulls_and_unknown_keys_are_not_kept() {
        let strict = json!({"enabled": true, "max_query_limit": null, "bogus": 1});
        let config = of(json!({"strict_mode_config": strict, "hnsw_config": {"m": 8, "ef_construct": null}}));
        assert_eq!(config["strict_mode_config"], json!({"enabled": true}));
        assert_eq!((&config["hnsw_config"]["m"], &config["hnsw_config"]["ef_construct"]), (&json!(8), &json!(100)));
        assert_eq!(config["params"]["vectors"], json!({}));
        assert!(of(json!({})).get("strict_mode_config").is_none());
        assert_eq!(of(json!({"strict_mode_config": {}}))["strict_mode_config"], json!({}));
    }

    #[test]
    fn values_out_of_range_are_named_together() {
        let body = json!({"strict_mode_config": {"read_rate_limit": 0, "max_timeout": 0}, "hnsw_config": {"ef_construct": 1}});
        let refusal = of_request(&body, None).unwrap_err();
        assert_eq!(refusal.status, 422);
        for part in ["hnsw_config.ef_construct: value 1 invalid, must be 4 or larger", "strict_mode_config.max_timeout: value 0"]
        {
            assert!(refusal.words.contains(part), "{}", refusal.words);
        }
    }

    #[test]
    fn the_servers_strict_mode_lies_under_that_of_the_collection() {
        let server = json!({"enabled": true, "max_query_limit": 20});
        let strict = |body| of_request(&body, Some(&server)).unwrap()["strict_mode_config"].clone();
        assert_eq!(strict(json!({})), server);
        assert_eq!(strict(json!({"strict_mode_config": {"max_query_limit": 5}})), json!({"enabled": true, "max_query_limit": 5}));
    }

    #[test]
    fn a_change_unsets_quantization_and_metadata_only() {
        let mut config = of(json!({"vectors": {"a": {"size": 4, "distance": "Dot", "hnsw_config": {"m": 3}, "on_disk": true}},
            "quantization_config": {"scalar": {"type": "int8"}}, "metadata": {"a": 1, "b": {"x": 1, "y": 2}},
            "strict_mode_config": {"enabled": true, "max_query_limit": 20}, "optimizers_config": {"max_optimization_threads": 2}}));
        let change = Change::of_request(&json!({
            "vectors": {"a": {"hnsw_config": {"m": null, "payload_m": 4}, "on_disk": null, "quantization_config": "Disabled"}},
            "quantization_config": "Disabled", "metadata": {"a": null, "b": {"x": 5}},
            "strict_mode_config": {"max_query_limit": null, "max_timeout": 5},
            "optimizers_config": {"max_optimization_threads": "auto", "memmap_threshold": 9},
            "params": {"on_disk_payload": false, "shard_number": 7}, "hnsw_config": {"m": null}}));
        change.unwrap().apply(&mut config).unwrap();
        let vector = json!({"size": 4, "distance": "Dot", "hnsw_config": {"m": 3, "payload_m": 4}, "on_disk": true});
        assert_eq!(config["params"]["vectors"], json!({"a": vector}));
        assert_eq!((&config["params"]["on_disk_payload"], &config["params"]["shard_number"]), (&json!(false), &json!(1)));
        assert_eq!((&config["quantization_config"], &config["metadata"]), (&Value::Null, &json!({"b": {"x": 5}})));
        assert_eq!(config["strict_mode_config"], json!({"enabled": true, "max_query_limit": 20, "max_timeout": 5}));
        let optimizers = &config["optimizer_config"];
        assert_eq!((&optimizers["max_optimization_threads"], &optimizers["memmap_threshold"]), (&Value::Null, &json!(9)));
        assert_eq!(config["hnsw_config"]["m"], 16);
    }

    #[test]
    fn a_refused_change_leaves_what_came_before_it() {
        let mut config = of(json!({"vectors": {"size": 4, "distance": "Dot"}}));
        let change =
            Change::of_request(&json!({"hnsw_config": {"m": 9}, "vectors": {"zz": {"on_disk": true}}, "metadata": {"a": 1}}));
        let refusal = change.unwrap().apply(&mut config).unwrap_err();
        assert_eq!((refusal.status, refusal.words.as_str()), (400, "Wrong input: Not existing vector name error: zz"));
        assert_eq!(config["hnsw_config"]["m"], 9);
        assert!(config.get("metadata").is_none());
    }
}
