//! Strict mode with every limit: slower, but right. No refusal of a server is a difference.

use crate::support::{Cli, RealQdrant, Server};
use qsnap::sandbox::options::SandboxOptions;
use serde_json::{Value, json};

/// Reads a minute that the servers allow. With 5, as strict as it gets, this takes half an hour: `QSNAP_TEST_READ_RATE=5`.
fn read_rate() -> u64 {
    std::env::var("QSNAP_TEST_READ_RATE").ok().and_then(|text| text.parse().ok()).unwrap_or(240)
}

async fn points(server: &Server, name: &str) -> Value {
    // Whoever looks from outside changes the limit, which gives the bucket back what it had.
    let relaxed = json!({"strict_mode_config": {"enabled": false}});
    server.raw("PATCH", &format!("/collections/{name}"), relaxed).await;
    let body = json!({"limit": 90, "with_payload": true, "with_vector": true});
    let points = server.raw("POST", &format!("/collections/{name}/points/scroll"), body).await["result"]["points"].clone();
    server.raw("PATCH", &format!("/collections/{name}"), json!({"strict_mode_config": {"enabled": true}})).await;
    points
}

async fn everything_matches(a: &Server, b: &Server) {
    for server in [a, b] {
        server.raw("PUT", "/collections/live", json!({"vectors": {"size": 4, "distance": "Dot"}})).await;
    }
    let upsert = |number: u64| {
        let all: Vec<Value> = (1..=12).map(|id| json!({"id": id, "vector": [id, number, 2, 3], "payload": {"n": id}})).collect();
        json!({"points": all})
    };
    a.raw("PUT", "/collections/live/points?wait=true", upsert(1)).await;
    b.raw("PUT", "/collections/live/points?wait=true", upsert(2)).await;
    let before = points(a, "live").await;
    let cli = Cli::for_servers(&[("a", a), ("b", b)]);
    let run = async |words: &[&str], code: i32, verdict: Option<&str>| {
        let ran = cli.run(&[words, &["--output", "json"]].concat()).await;
        assert_eq!(ran.code, code, "{words:?}: {ran:?}");
        if let Some(verdict) = verdict {
            let report = ran.json();
            assert_eq!(report["verdict"], verdict, "{words:?}: {report}");
            assert!(report["notes"].as_array().is_none_or(Vec::is_empty), "{words:?}: {report}");
        }
    };
    let created = cli.run(&["snapshots", "create", "a/live", "--output", "json"]).await;
    assert!(created.code == 0 && created.json()["notes"] == json!([]), "a proof is recorded: {created:?}");
    run(&["restore", "a/live@latest", "--to", "a/new", "--mode", "new", "--yes"], 0, Some("matches")).await;
    run(&["restore", "a/live@latest", "--to", "a/live", "--mode", "side-by-side", "--yes"], 0, Some("matches")).await;
    let over = ["restore", "a/live@latest", "--to", "b/live", "--mode", "in-place", "--yes", "--confirm", "b/live"];
    run(&over, 0, Some("matches")).await;
    assert_eq!(points(b, "live").await, before);
    run(&["copy", "a/live", "b/copied", "--yes", "--deep"], 0, Some("matches")).await;
    run(&["compare", "a/live", "b/copied", "--deep"], 0, Some("matches")).await;
    run(&["compare", "a/live", "b/copied"], 0, Some("matches")).await;
    let delete = format!(
        "curl -sf -X POST -H content-type:application/json -d '{{\"points\":[1,2,3]}}' '{}/collections/live/points/delete?wait=true' \
         >/dev/null; exit 9",
        a.url()
    );
    let guarded = cli.run(&["guard", "a/live", "--yes", "--confirm", "a/live", "--", "sh", "-c", &delete]).await;
    assert!(guarded.code == 9 && guarded.stderr.contains("rolled back; verified"), "{guarded:?}");
    assert_eq!(points(a, "live").await, before);
    // A true difference is one with limits, too.
    b.raw("POST", "/collections/copied/points/delete?wait=true", json!({"points": [4]})).await;
    run(&["compare", "a/live", "b/copied", "--deep"], 4, Some("differs")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_every_limit_everything_still_matches_on_a_sandbox() {
    let strict = json!({"enabled": true, "search_allow_exact": false, "max_query_limit": 5, "read_rate_limit": read_rate()});
    let options = || SandboxOptions { strict_mode: Some(strict.clone()), ..SandboxOptions::default() };
    everything_matches(&Server::with(options(), vec![]).await, &Server::with(options(), vec![]).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_every_limit_everything_still_matches_on_real_servers() {
    let rate = read_rate().to_string();
    let strict = [
        ("QDRANT__STORAGE__COLLECTION__STRICT_MODE__ENABLED", "true"),
        ("QDRANT__STORAGE__COLLECTION__STRICT_MODE__SEARCH_ALLOW_EXACT", "false"),
        ("QDRANT__STORAGE__COLLECTION__STRICT_MODE__MAX_QUERY_LIMIT", "5"),
        ("QDRANT__STORAGE__COLLECTION__STRICT_MODE__READ_RATE_LIMIT", rate.as_str()),
    ];
    let Some(a) = RealQdrant::start_with(None, &strict).await else { return };
    let b = RealQdrant::start_with(None, &strict).await.unwrap();
    everything_matches(&a, &b).await;
}
