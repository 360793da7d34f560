//! Configurations and payload indexes: made, changed, shown and restored by the sandbox as by a real server.

use crate::pair::Pair;
use serde_json::{Value, json};

fn dense() -> Value {
    json!({"size": 4, "distance": "Dot"})
}

/// A collection whose configuration has something everywhere.
fn rich() -> Value {
    json!({
        "vectors": {
            "a": {"size": 4, "distance": "Dot", "on_disk": true, "hnsw_config": {"m": 3, "ef_construct": 50},
                "quantization_config": {"scalar": {"type": "int8"}}, "datatype": "float16"},
            "b": {"size": 2, "distance": "Cosine", "on_disk": null, "multivector_config": {"comparator": "max_sim"}},
        },
        "sparse_vectors": {"s": {}, "t": {"modifier": "idf", "index": {"on_disk": true, "full_scan_threshold": 100}}, "u": {"index": null}},
        "hnsw_config": {"m": 8, "payload_m": 4, "ef_construct": null, "inline_storage": true},
        "optimizers_config": {"max_segment_size": 5000, "max_optimization_threads": 2, "memmap_threshold": 500},
        "wal_config": {"wal_segments_ahead": 1},
        "quantization_config": {"scalar": {"type": "int8", "quantile": 0.9}},
        "strict_mode_config": {"enabled": true, "max_query_limit": 20, "max_timeout": null, "bogus": 1,
            "multivector_config": {"b": {"max_vectors": 3}}},
        "metadata": {"a": 1, "b": {"x": 1, "y": 2}}, "write_consistency_factor": 2, "on_disk_payload": false, "bogus": 1,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn new_collections_have_the_same_configuration() {
    let pair = Pair::start().await;
    pair.ask(200, "PUT", "/collections/rich", rich()).await;
    pair.config("rich").await;
    for (status, part) in [
        (200, json!({})),
        (200, json!({"vectors": {}})),
        (200, json!({"strict_mode_config": {}, "metadata": {}})),
        (200, json!({"strict_mode_config": null, "metadata": null, "quantization_config": null, "hnsw_config": null})),
        (200, json!({"quantization_config": {"binary": {"encoding": "two_bits", "query_encoding": "scalar8bits"}}})),
        (200, json!({"quantization_config": {"product": {"compression": "x16"}}, "sharding_method": "auto", "shard_number": 3})),
        (200, json!({"optimizers_config": {"max_optimization_threads": "auto", "indexing_threshold": 0}})),
        (200, json!({"replication_factor": 3, "vectors": {"size": 4, "distance": "Dot", "on_disk": false}})),
        (422, json!({"strict_mode_config": {"max_query_limit": 0}})),
        (422, json!({"strict_mode_config": {"read_rate_limit": 0, "max_timeout": 0}})),
        (422, json!({"hnsw_config": {"ef_construct": 1, "full_scan_threshold": 5}})),
        (422, json!({"optimizers_config": {"deleted_threshold": 5}})),
        (422, json!({"shard_number": 0})),
        (422, json!({"replication_factor": 0})),
        (400, json!({"strict_mode_config": {"enabled": "yes"}})),
        (400, json!({"quantization_config": "Disabled"})),
        (400, json!({"quantization_config": {"scalar": {"type": "int4"}}})),
        (400, json!({"metadata": [1]})),
        (400, json!({"vectors": null})),
        (400, json!({"vectors": {"size": 0, "distance": "Dot"}})),
        (400, json!({"vectors": {"size": 4, "distance": "Bad"}})),
    ] {
        let mut body = json!({"vectors": dense()});
        body.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
        pair.ask(status, "PUT", "/collections/case", body).await;
        if status == 200 {
            pair.config("case").await;
            pair.ask(200, "DELETE", "/collections/case", Value::Null).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn configurations_are_changed_by_the_same_rules() {
    let pair = Pair::start().await;
    for (status, body) in changes() {
        pair.ask(200, "PUT", "/collections/rich", rich()).await;
        pair.ask(status, "PATCH", "/collections/rich", body).await;
        pair.config("rich").await;
        pair.ask(200, "DELETE", "/collections/rich", Value::Null).await;
    }
    pair.ask(200, "PUT", "/collections/plain", json!({"vectors": dense()})).await;
    for (status, body) in [
        (200, json!({"metadata": {"a": null, "b": 1}})),
        (200, json!({"metadata": {"b": 2}})),
        (200, json!({"strict_mode_config": {}})),
        (200, json!({"vectors": {"": {"on_disk": true, "hnsw_config": {"m": 5}}}})),
        (200, json!({"vectors": {"": {"on_disk": false, "quantization_config": "Disabled"}}})),
        (200, json!({"quantization_config": "Disabled"})),
        (400, json!({"vectors": {"x": {"on_disk": false}}})),
        (400, json!({"sparse_vectors": {"s": {}}})),
    ] {
        pair.ask(status, "PATCH", "/collections/plain", body).await;
        pair.config("plain").await;
    }
    pair.ask(404, "PATCH", "/collections/none", json!({})).await;
}

fn changes() -> Vec<(u16, Value)> {
    vec![
        (200, json!({})),
        (200, json!({"bogus": 1, "wal_config": {"wal_segments_ahead": 3}, "shard_number": 3, "on_disk_payload": true})),
        (200, json!({"hnsw_config": {"m": null, "payload_m": 0, "on_disk": true, "inline_storage": false, "ef_construct": 4}})),
        (200, json!({"hnsw_config": null, "optimizers_config": null, "params": null, "vectors": null, "metadata": null})),
        (422, json!({"hnsw_config": {"ef_construct": 3}})),
        (200, json!({"optimizers_config": {"max_segment_size": null, "memmap_threshold": 0, "deleted_threshold": 0.3}})),
        (200, json!({"optimizers_config": {"max_optimization_threads": "auto"}})),
        (200, json!({"optimizers_config": {"max_optimization_threads": null}})),
        (400, json!({"optimizers_config": {"max_optimization_threads": "many"}})),
        (422, json!({"optimizers_config": {"vacuum_min_vector_number": 99, "max_segment_size": 0}})),
        (200, json!({"optimizer_config": {"indexing_threshold": 5}})),
        (200, json!({"params": {"on_disk_payload": true, "replication_factor": 2, "read_fan_out_factor": 1, "shard_number": 9}})),
        (400, json!({"params": {"replication_factor": 0}})),
        (200, json!({"quantization_config": {"scalar": {"type": "int8", "always_ram": true}}})),
        (200, json!({"quantization_config": "Disabled"})),
        (200, json!({"quantization_config": null})),
        (400, json!({"quantization_config": {}})),
        (200, json!({"vectors": {"a": {"hnsw_config": {"m": null, "payload_m": 3}, "on_disk": null, "size": 9}}})),
        (200, json!({"vectors": {"a": {"quantization_config": "Disabled"}, "b": {"on_disk": true, "hnsw_config": {"m": 2}}}})),
        (200, json!({"vectors": {"b": {"quantization_config": {"product": {"compression": "x4"}}}}})),
        (400, json!({"hnsw_config": {"m": 9}, "vectors": {"zz": {"on_disk": true}}, "metadata": {"late": 1}})),
        (400, json!({"vectors": {"on_disk": true}})),
        (200, json!({"sparse_vectors": {"s": {"modifier": "idf", "index": {"on_disk": true}}, "t": {"modifier": "none"}}})),
        (200, json!({"sparse_vectors": {"t": {"index": {"full_scan_threshold": 5}}}})),
        (200, json!({"strict_mode_config": {"enabled": false, "max_query_limit": null, "max_timeout": 5}})),
        (200, json!({"strict_mode_config": {"multivector_config": {"a": {"max_vectors": 4}}}})),
        (422, json!({"strict_mode_config": {"max_query_limit": 0}})),
        (200, json!({"metadata": {"a": null, "c": 3, "b": {"x": null}}})),
    ]
}

fn schema(body: Value) -> Value {
    body["result"]["payload_schema"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn payload_indexes_show_their_parameters() {
    let pair = Pair::start().await;
    pair.ask(200, "PUT", "/collections/c", json!({"vectors": dense()})).await;
    let points = json!({"points": [
        {"id": 1, "vector": [1, 2, 3, 4], "payload": {"city": "Oslo", "n": 1, "x": {"y": 2}, "list": [{"z": 1}, {"z": 2}]}},
        {"id": 2, "vector": [1, 2, 3, 4], "payload": {"n": 2, "x": {"y": "text"}, "city": null}},
    ]});
    pair.ask(200, "PUT", "/collections/c/points?wait=true", points).await;
    for (status, field, schema) in [
        (200, "city", json!("keyword")),
        (200, "city", json!({"type": "keyword", "is_tenant": true, "on_disk": true})),
        (200, "n", json!({"type": "integer"})),
        (200, "n2", json!({"type": "integer", "lookup": true, "range": false, "is_principal": true, "on_disk": false})),
        (200, "x.y", json!("integer")),
        (200, "list[].z", json!("integer")),
        (200, "f", json!({"type": "float"})),
        (200, "f2", json!({"type": "float", "is_principal": true, "on_disk": true})),
        (200, "d", json!({"type": "datetime"})),
        (200, "g", json!({"type": "geo", "on_disk": true})),
        (200, "b", json!({"type": "bool"})),
        (200, "u", json!({"type": "uuid", "is_tenant": true})),
        (200, "t", json!({"type": "text"})),
        (
            200,
            "t2",
            json!({"type": "text", "tokenizer": "multilingual", "min_token_len": 2, "max_token_len": 20, "lowercase": false}),
        ),
        (
            200,
            "t3",
            json!({"type": "text", "stopwords": "english", "stemmer": {"type": "snowball", "language": "english"},
            "phrase_matching": true, "ascii_folding": true, "on_disk": true}),
        ),
        (200, "t4", json!({"type": "text", "stopwords": {"languages": ["english", "german"], "custom": ["foo"]}})),
        (200, "k", json!({"type": "keyword", "bogus": 1, "is_tenant": null})),
        (200, "\"a b\"", json!("keyword")),
        (400, "x1", json!("nope")),
        (400, "x2", json!(null)),
        (400, "x3", json!({"type": "text", "tokenizer": "bad"})),
        (422, "x4", json!({"type": "integer", "lookup": false, "range": false})),
        (400, "", json!("keyword")),
        (400, "a b", json!("keyword")),
    ] {
        let body = json!({"field_name": field, "field_schema": schema});
        pair.ask(status, "PUT", "/collections/c/index?wait=true", body).await;
    }
    pair.compare("/collections/c", schema).await;
    for (status, field) in [(200, "n"), (200, "never"), (200, "x.y"), (200, "%22a%20b%22"), (400, "a%20b")] {
        pair.ask(status, "DELETE", &format!("/collections/c/index/{field}?wait=true"), Value::Null).await;
    }
    pair.compare("/collections/c", schema).await;
    pair.ask(404, "DELETE", "/collections/none/index/n", Value::Null).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_takes_the_configuration_only_where_there_is_none() {
    let pair = Pair::start().await;
    pair.ask(200, "PUT", "/collections/from", rich()).await;
    for (name, field, kind) in
        [("from", "old", json!({"type": "keyword", "is_tenant": true})), ("from", "both", json!("integer"))]
    {
        let body = json!({"field_name": field, "field_schema": kind});
        pair.ask(200, "PUT", &format!("/collections/{name}/index?wait=true"), body).await;
    }
    pair.restore("from", "free").await;
    assert_eq!(pair.config("free").await, pair.config("from").await);
    pair.compare("/collections/free", schema).await;

    let mut live = rich();
    for key in ["hnsw_config", "optimizers_config", "quantization_config", "metadata", "strict_mode_config", "on_disk_payload"] {
        live.as_object_mut().unwrap().remove(key);
    }
    live["hnsw_config"] = json!({"m": 99});
    live["metadata"] = json!({"live": true});
    pair.ask(200, "PUT", "/collections/live", live).await;
    for (field, kind) in [("live", "keyword"), ("both", "keyword")] {
        let body = json!({"field_name": field, "field_schema": kind});
        pair.ask(200, "PUT", "/collections/live/index?wait=true", body).await;
    }
    let before = pair.config("live").await;
    pair.restore("from", "live").await;
    assert_eq!(pair.config("live").await, before);
    let indexes = pair.compare("/collections/live", schema).await;
    assert_eq!(indexes["live"]["data_type"], "keyword");
    assert_eq!(indexes["both"]["data_type"], "integer", "the snapshot's index wins");
}
