//! Strict mode: what is refused, and what the limits cost, in the sandbox as in a real server.

use crate::pair::Pair;
use qsnap::sandbox::options::SandboxOptions;
use serde_json::{Value, json};

const POINTS: &str = "/collections/c/points";

async fn strict(pair: &Pair, config: Value) {
    pair.ask(200, "DELETE", "/collections/c", Value::Null).await;
    pair.fill("c").await;
    pair.ask(200, "PATCH", "/collections/c", json!({"strict_mode_config": config})).await;
}

fn ids(count: u64) -> Vec<u64> {
    (1..=count).collect()
}

fn points(count: u64) -> Value {
    let points = ids(count).into_iter().map(|id| json!({"id": id, "vector": [1, 2, 3, 4], "payload": {"city": "Rome"}}));
    json!({"points": points.collect::<Vec<_>>()})
}

fn on(key: &str, value: Value) -> Value {
    json!({"filter": {"must": [{"key": key, "match": {"value": value}}]}})
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_refuse_the_same_calls_in_the_same_words() {
    let pair = Pair::start().await;
    for (config, calls) in limits() {
        strict(&pair, config).await;
        for (status, method, path, body) in calls {
            pair.ask(status, method, &format!("/collections/c{path}"), body).await;
        }
    }
    strict(&pair, json!({"max_query_limit": 20, "enabled": false})).await;
    pair.ask(200, "POST", &format!("{POINTS}/scroll"), json!({"limit": 21})).await;
}

type Call = (u16, &'static str, &'static str, Value);

fn limits() -> Vec<(Value, Vec<Call>)> {
    let sample = |limit: u64| json!({"query": {"sample": "random"}, "limit": limit});
    vec![
        (
            json!({"enabled": true, "max_query_limit": 20}),
            vec![
                (400, "POST", "/points/scroll", json!({"limit": 21})),
                (200, "POST", "/points/scroll", json!({"limit": 20})),
                (200, "POST", "/points/scroll", json!({})),
                (422, "POST", "/points/scroll", json!({"limit": 0})),
                (400, "POST", "/points/query", sample(21)),
                (200, "POST", "/points/query", sample(20)),
                (200, "POST", "/points", json!({"ids": ids(40)})),
                (200, "POST", "/points/count", json!({"exact": true})),
            ],
        ),
        (
            json!({"enabled": true, "search_allow_exact": false}),
            vec![
                (400, "POST", "/points/count", json!({"exact": true})),
                (400, "POST", "/points/count", json!({})),
                (200, "POST", "/points/count", json!({"exact": false})),
                (200, "POST", "/points/scroll", json!({"limit": 5})),
                (200, "POST", "/points/query", sample(5)),
            ],
        ),
        (
            json!({"enabled": true, "max_timeout": 5}),
            vec![
                (400, "POST", "/points/count?timeout=6", json!({})),
                (400, "POST", "/points/scroll?timeout=6", json!({})),
                (400, "POST", "/points?timeout=6", json!({"ids": [1]})),
                (200, "POST", "/points/count?timeout=5", json!({})),
                (200, "PATCH", "?timeout=9", json!({})),
            ],
        ),
        (
            json!({"enabled": true, "unindexed_filtering_retrieve": false, "unindexed_filtering_update": false}),
            vec![
                (400, "POST", "/points/count", on("n", json!(3))),
                (200, "POST", "/points/count", on("city", json!("Oslo"))),
                (400, "POST", "/points/count", on("city", json!(3))),
                (400, "POST", "/points/scroll", on("x", json!("text"))),
                (400, "POST", "/points/count", json!({"filter": {"must": [{"key": "n", "range": {"gt": 1}}]}})),
                (400, "POST", "/points/count", json!({"filter": {"must": [{"is_empty": {"key": "x"}}]}})),
                (200, "POST", "/points/count", json!({"filter": {"must": [{"has_id": [1, 2]}]}})),
                (400, "POST", "/points/delete?wait=true", on("n", json!(3))),
            ],
        ),
        (
            json!({"enabled": true, "upsert_max_batchsize": 3, "filter_max_conditions": 1, "condition_max_size": 2}),
            vec![
                (400, "PUT", "/points?wait=true", points(4)),
                (200, "PUT", "/points?wait=true", points(3)),
                (400, "POST", "/points/count", json!({"filter": {"must": [{"has_id": [1]}, {"has_id": [2]}]}})),
                (400, "POST", "/points/count", json!({"filter": {"must": [{"has_id": [1, 2, 3]}]}})),
            ],
        ),
        (
            json!({"enabled": true, "max_payload_index_count": 1}),
            vec![
                (400, "PUT", "/index?wait=true", json!({"field_name": "k", "field_schema": "keyword"})),
                (200, "DELETE", "/index/city?wait=true", Value::Null),
                (200, "PUT", "/index?wait=true", json!({"field_name": "k", "field_schema": "keyword"})),
            ],
        ),
        (
            json!({"enabled": true, "max_query_limit": 1, "search_allow_exact": false, "max_timeout": 1, "read_rate_limit": 1,
                "write_rate_limit": 1}),
            vec![
                (200, "POST", "/snapshots", json!({})),
                (200, "GET", "/snapshots", Value::Null),
                (200, "GET", "", Value::Null),
                (200, "GET", "/cluster", Value::Null),
                (200, "GET", "/exists", Value::Null),
            ],
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn sizes_are_looked_at_now_and_then() {
    let pair = Pair::start().await;
    for limit in ["max_points_count", "max_collection_vector_size_bytes"] {
        strict(&pair, json!({"enabled": true, limit: 60})).await;
        for _ in 0..31 {
            pair.ask(200, "PUT", &format!("{POINTS}?wait=true"), points(1)).await;
        }
        pair.ask(400, "PUT", &format!("{POINTS}?wait=true"), points(1)).await;
        pair.ask(200, "POST", &format!("{POINTS}/delete?wait=true"), json!({"points": [1]})).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_cost_the_same_tokens() {
    let pair = Pair::start().await;
    let over = format!("{POINTS}/count");
    strict(&pair, json!({"enabled": true, "read_rate_limit": 5})).await;
    for _ in 0..5 {
        pair.ask(200, "POST", &over, json!({})).await;
    }
    let refused = pair.ask(429, "POST", &over, json!({})).await;
    assert!((11..=12).contains(&refused.retry_after.unwrap()), "{refused:?}");
    pair.ask(429, "POST", POINTS, json!({"ids": ids(5)})).await;
    let never = pair.ask(429, "POST", POINTS, json!({"ids": ids(6)})).await;
    assert_eq!((never.retry_after, never.error().ends_with("please try to split your request")), (None, true));
    pair.ask(200, "PATCH", "/collections/c", json!({"hnsw_config": {"m": 17}})).await;
    pair.ask(429, "POST", &over, json!({})).await;
    pair.ask(200, "PATCH", "/collections/c", json!({"strict_mode_config": {}})).await;
    pair.ask(200, "POST", &over, json!({})).await;
    for (path, body, cost) in [
        ("/points/count", json!({"exact": false}), 1),
        ("/points/count", on("city", json!("Oslo")), 2),
        ("/points/scroll", json!({"limit": 50, "with_vector": true}), 1),
        ("/points/scroll", json!({"limit": 5, "filter": on("city", json!("Oslo"))["filter"]}), 2),
        ("/points", json!({"ids": ids(7)}), 7),
        ("/points", json!({"ids": [901, 902]}), 2),
        ("/points", json!({"ids": []}), 0),
        ("/points/query", json!({"query": {"sample": "random"}, "limit": 20, "with_payload": true, "with_vector": true}), 1),
    ] {
        pair.ask(200, "PATCH", "/collections/c", json!({"strict_mode_config": {"read_rate_limit": 10}})).await;
        pair.ask(200, "POST", &format!("/collections/c{path}"), body).await;
        if cost > 0 {
            pair.ask(429, "POST", POINTS, json!({"ids": ids(11 - cost)})).await;
        }
        pair.ask(200, "POST", POINTS, json!({"ids": ids(10 - cost)})).await;
    }
    pair.ask(200, "PATCH", "/collections/c", json!({"strict_mode_config": {"enabled": false}})).await;
    for _ in 0..12 {
        pair.ask(200, "POST", &over, json!({})).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_cost_the_same_tokens() {
    let pair = Pair::start().await;
    let index = json!({"field_name": "k", "field_schema": "keyword"});
    for (status, method, path, body, cost) in [
        (200, "PUT", "/points?wait=true", points(5), 5),
        (200, "POST", "/points/delete?wait=true", json!({"points": [901, 902]}), 2),
        (200, "POST", "/points/payload?wait=true", json!({"payload": {"k": 1}, "points": [1, 2, 3]}), 3),
        (429, "POST", "/points/delete?wait=true", on("city", json!("Oslo")), 0),
        (429, "PUT", "/points?wait=true", points(11), 0),
        (200, "PUT", "/index?wait=true", index, 2),
        (200, "DELETE", "/index/city?wait=true", Value::Null, 0),
        (200, "POST", "/snapshots", json!({}), 0),
    ] {
        strict(&pair, json!({"enabled": true, "write_rate_limit": 10})).await;
        pair.ask(status, method, &format!("/collections/c{path}"), body).await;
        if cost > 0 {
            pair.ask(429, "POST", &format!("{POINTS}/delete?wait=true"), json!({"points": ids(11 - cost)})).await;
        }
        pair.ask(200, "POST", &format!("{POINTS}/delete?wait=true"), json!({"points": ids(10 - cost)})).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rate_limits_begin_with_a_replica_and_do_not_ask_whether_strict_mode_is_enabled() {
    let pair = Pair::start().await;
    let body = json!({"vectors": {"size": 4, "distance": "Dot"}, "strict_mode_config": {"enabled": false, "read_rate_limit": 2}});
    pair.ask(200, "PUT", "/collections/c", body).await;
    let drain = async || {
        for status in [200, 200, 429] {
            pair.ask(status, "POST", &format!("{POINTS}/count"), json!({})).await;
        }
    };
    drain().await;
    pair.restore("c", "c").await;
    drain().await;
    pair.restore("c", "other").await;
    for status in [200, 200, 429] {
        pair.ask(status, "POST", "/collections/other/points/count", json!({})).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_servers_strict_mode_is_shown_and_goes_into_snapshots() {
    const SETTINGS: [(&str, &str); 3] = [
        ("QDRANT__STORAGE__COLLECTION__STRICT_MODE__ENABLED", "true"),
        ("QDRANT__STORAGE__COLLECTION__STRICT_MODE__MAX_QUERY_LIMIT", "20"),
        ("QDRANT__STORAGE__COLLECTION__STRICT_MODE__SEARCH_ALLOW_EXACT", "false"),
    ];
    let server = json!({"enabled": true, "max_query_limit": 20, "search_allow_exact": false});
    let options = SandboxOptions { strict_mode: Some(server), ..SandboxOptions::default() };
    let pair = Pair::with(options, &SETTINGS).await;
    for given in [Value::Null, json!({}), json!({"max_query_limit": 50}), json!({"enabled": false})] {
        let body = json!({"vectors": {"size": 4, "distance": "Dot"}, "strict_mode_config": given});
        pair.ask(200, "PUT", "/collections/c", body).await;
        pair.config("c").await;
        pair.restore("c", "d").await;
        assert_eq!(pair.config("d").await, pair.config("c").await);
        for name in ["c", "d"] {
            pair.ask(200, "DELETE", &format!("/collections/{name}"), Value::Null).await;
        }
    }
    pair.ask(200, "PUT", "/collections/c", json!({"vectors": {"size": 4, "distance": "Dot"}})).await;
    pair.ask(400, "POST", &format!("{POINTS}/scroll"), json!({"limit": 21})).await;
    pair.ask(400, "POST", &format!("{POINTS}/count"), json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_location_of_an_unknown_kind_is_refused_and_leaves_nothing() {
    let options = SandboxOptions { api_key: Some("k".into()), read_only_api_key: Some("r".into()), ..SandboxOptions::default() };
    let pair = Pair::with(options, &[("QDRANT__SERVICE__READ_ONLY_API_KEY", "r")]).await;
    pair.fill("here").await;
    let body = json!({"location": "qsnap:nothing"});
    for name in ["here", "nothere"] {
        let path = format!("/collections/{name}/snapshots/recover");
        for server in pair.servers() {
            let refused = crate::pair::request(server, Some("k"), "PUT", &path, &body).await;
            assert_eq!(refused.status, 400);
            // "schema" on 1.16.3, "scheme" on 1.18.3.
            assert!(refused.error().starts_with("Bad request: URL qsnap:nothing with schem"), "{refused:?}");
            assert!(refused.error().ends_with(" qsnap is not supported"), "{refused:?}");
        }
        for (key, status) in [(Some("r"), 403), (None, 401), (Some("x"), 401)] {
            pair.ask_as(key, status, "PUT", &path, body.clone()).await;
        }
        pair.ask(202, "PUT", &format!("{path}?wait=false"), body.clone()).await;
    }
    pair.compare("/collections", |body| body["result"].clone()).await;
    pair.compare("/collections/here/snapshots", |body| body["result"].clone()).await;
    pair.compare("/aliases", |body| body["result"].clone()).await;
    for server in pair.servers() {
        assert_eq!(server.count("here").await, 60);
    }
}
