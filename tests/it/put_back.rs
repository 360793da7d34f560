//! Configuration and payload indexes are part of what a rollback brings back, and never a reason to bring other data.

use crate::support::{Cli, Ran, RealQdrant, Server};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A small generator: variations are drawn from a seed.
struct Draw(u64);

impl Draw {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

async fn make(server: &Server) {
    let body = json!({"vectors": {"size": 4, "distance": "Dot"}, "hnsw_config": {"m": 16, "ef_construct": 100},
        "optimizers_config": {"indexing_threshold": 10_000}, "metadata": {"owner": "ada"},
        "strict_mode_config": {"enabled": false, "max_query_limit": 100, "search_allow_exact": true}});
    server.raw("PUT", "/collections/live", body).await;
    let index = json!({"field_name": "city", "field_schema": {"type": "keyword", "is_tenant": true}});
    server.raw("PUT", "/collections/live/index?wait=true", index).await;
    let index = json!({"field_name": "title", "field_schema": {"type": "text", "tokenizer": "prefix", "min_token_len": 2}});
    server.raw("PUT", "/collections/live/index?wait=true", index).await;
    let points: Vec<Value> = (1..=60)
        .map(|id| json!({"id": id, "vector": [id, 1, 2, 3], "payload": {"city": "Oslo", "title": format!("no {id}"), "n": id}}))
        .collect();
    server.raw("PUT", "/collections/live/points?wait=true", json!({"points": points})).await;
}

/// Points, configuration and indexes as the server tells them; how many points an index has is not configured.
async fn state(server: &Server) -> (Value, Value, BTreeMap<String, Value>) {
    let body = json!({"limit": 90, "with_payload": true, "with_vector": true});
    let points = server.raw("POST", "/collections/live/points/scroll", body).await["result"]["points"].clone();
    let info = server.raw("GET", "/collections/live", json!({})).await["result"].clone();
    let indexes = info["payload_schema"].as_object().unwrap().iter().map(|(field, schema)| {
        let mut schema = schema.clone();
        schema.as_object_mut().unwrap().remove("points");
        (field.clone(), schema)
    });
    (points, info["config"].clone(), indexes.collect())
}

/// What the guarded command may do to the collection: a request each.
fn changes() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("PUT", "index?wait=true", json!({"field_name": "extra", "field_schema": "keyword"})),
        (
            "PUT",
            "index?wait=true",
            json!({"field_name": "n", "field_schema": {"type": "integer", "lookup": true, "range": false}}),
        ),
        ("DELETE", "index/city?wait=true", json!({})),
        ("PUT", "index?wait=true", json!({"field_name": "city", "field_schema": "keyword"})),
        ("PUT", "index?wait=true", json!({"field_name": "title", "field_schema": {"type": "text", "tokenizer": "word"}})),
        ("PATCH", "", json!({"hnsw_config": {"m": 24, "ef_construct": 200}})),
        ("PATCH", "", json!({"optimizers_config": {"indexing_threshold": 777, "max_optimization_threads": 2}})),
        ("PATCH", "", json!({"params": {"on_disk_payload": false}})),
        ("PATCH", "", json!({"quantization_config": {"scalar": {"type": "int8", "always_ram": true}}})),
        ("PATCH", "", json!({"strict_mode_config": {"enabled": true, "max_query_limit": 3, "search_allow_exact": false}})),
        ("PATCH", "", json!({"metadata": {"owner": "eve", "more": 1}})),
        ("POST", "points/delete?wait=true", json!({"points": [1, 2, 3]})),
        ("PUT", "points?wait=true", json!({"points": [{"id": 7, "vector": [9, 9, 9, 9], "payload": {}}]})),
    ]
}

/// A shell script that makes these requests and then fails.
fn script(cli: &Cli, url: &str, requests: &[&(&str, &str, Value)]) -> String {
    let mut lines = String::new();
    for (number, (method, path, body)) in requests.iter().enumerate() {
        let file = cli.path(&format!("body-{number}.json"));
        std::fs::write(&file, body.to_string()).unwrap();
        let path = if path.is_empty() { String::new() } else { format!("/{path}") };
        lines.push_str(&format!(
            "curl -sf -X {method} -H content-type:application/json -d @{} '{url}/collections/live{path}' >/dev/null || echo FAILED; ",
            file.display()
        ));
    }
    format!("{lines}exit 3")
}

async fn guard(cli: &Cli, script: &str) -> Ran {
    cli.run(&["guard", "a/live", "--yes", "--confirm", "a/live", "--", "sh", "-c", script]).await
}

/// H1, H2, and twenty variations of them.
async fn variations(server: &Server, seed: u64, number: u64) {
    make(server).await;
    let before = state(server).await;
    let cli = Cli::for_servers(&[("a", server)]);
    let delete_all = ("POST", "points/delete?wait=true", json!({"filter": {}}));
    let changes = changes();
    let mut draw = Draw(seed);
    for variation in 0..number {
        let mut chosen: Vec<&(&str, &str, Value)> = changes.iter().filter(|_| draw.next(3) == 0).collect();
        if variation == 0 {
            // An index and a changed configuration, and all points are gone.
            chosen = vec![&changes[0], &changes[5], &delete_all];
        } else if draw.next(2) == 0 {
            chosen.push(&delete_all);
        }
        let ran = guard(&cli, &script(&cli, &server.url(), &chosen)).await;
        let case = format!("variation {variation}, {chosen:?}: {ran:?}");
        assert!(!ran.stdout.contains("FAILED"), "{case}");
        assert_eq!(ran.code, 3, "{case}");
        assert!(ran.stderr.contains("rolled back; verified"), "{case}");
        let now = state(server).await;
        assert_eq!(now.0, before.0, "points: {case}");
        assert_eq!(now.2, before.2, "indexes: {case}");
        assert_eq!(now.1, before.1, "configuration: {case}");
    }
    // What no server can unset is named, and that is no "as it was"; the data came back all the same.
    let lasting = ("PATCH", "", json!({"hnsw_config": {"payload_m": 8}}));
    let ran = guard(&cli, &script(&cli, &server.url(), &[&lasting, &delete_all])).await;
    assert_eq!(ran.code, 4, "{ran:?}");
    assert!(ran.stderr.contains("hnsw_config.payload_m: not set and 8"), "{ran:?}");
    assert!(!ran.stderr.contains("as the command left it"), "nothing was undone for a setting: {ran:?}");
    assert_eq!(state(server).await.0, before.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_come_back_with_the_data_on_a_sandbox() {
    variations(&Server::sandbox(None, vec![]).await, 0x2545_f491_4f6c_dd1d, 6).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_come_back_with_the_data_on_a_real_server() {
    if let Some(server) = RealQdrant::start(None).await {
        variations(&server, 0x9e37_79b9_7f4a_7c15, 20).await;
    }
}
