//! An instance with several nodes is one instance: what is missing or given twice is named, and each shard has its place.

use crate::nodes::Three;
use crate::support::{Cli, say, wait_until};
use serde_json::{Value, json};
use std::time::Duration;

async fn nodes_are_matched(three: Three) {
    let urls: Vec<String> = (0..3).map(|node| three.url(node)).collect();
    let shape = json!({"vectors": {"size": 4, "distance": "Dot"}, "shard_number": 4, "replication_factor": 2});
    assert_eq!(three.ask(0, "PUT", "/collections/spread", shape).await.0, 200);
    wait_until("all replicas are active", Duration::from_secs(60), async || {
        three.states(0, "spread").await.iter().all(|state| state == "Active")
    })
    .await;
    let quoted = |urls: &[&String]| urls.iter().map(|url| format!("\"{url}\"")).collect::<Vec<_>>().join(", ");
    let all: Vec<&String> = urls.iter().collect();
    let cli = Cli::new(&format!(
        "[instances.all]\nnodes = [{}]\n[instances.two]\nnodes = [{}]\n[instances.twice]\nnodes = [{}]\n",
        quoted(&all),
        quoted(&all[..2]),
        quoted(&[all[0], all[0], all[1]])
    ));
    let listed = cli.run(&["instances", "--output", "json"]).await.json();
    let of = |name: &str| listed["items"].as_array().unwrap().iter().find(|item| item["name"] == name).unwrap().clone();
    assert_eq!(of("all")["notes"], json!([]), "{listed}");
    let peers: Vec<Value> = of("all")["node_states"].as_array().unwrap().iter().map(|node| node["peer_id"].clone()).collect();
    assert!(peers.iter().all(Value::is_u64) && peers[0] != peers[1] && peers[1] != peers[2], "{peers:?}");
    assert!(of("two")["notes"].to_string().contains("1 of the 3 nodes of the cluster are not configured"), "{listed}");
    assert!(of("twice")["notes"].to_string().contains("are the same node"), "{listed}");
    let plan = cli.run(&["snapshots", "create", "two/spread", "--dry-run"]).await;
    assert!(plan.stdout.contains("nodes of the cluster are not configured"), "{plan:?}");
    // Every replica of every shard has its place.
    let map = cli.run(&["collections", "all/spread", "--output", "json"]).await.json();
    let items = map["items"].as_array().unwrap();
    assert_eq!(items.len(), 8, "{map}");
    assert!(items.iter().all(|item| item["node"].is_string() && item["state"] == "Active" && item["points"] == 0), "{map}");
    let seen = cli.run(&["collections", "two/spread", "--output", "json"]).await.json();
    let unseen = seen["items"].as_array().unwrap().iter().filter(|item| item["node"].is_null()).count();
    assert!(unseen > 0, "what the third node holds has no address: {seen}");
    let full = cli.run(&["snapshots", "create", "--storage", "all", "--yes"]).await;
    assert!(full.code == 7 && full.stderr.contains("3 nodes"), "{full:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_of_a_sandbox_are_matched() {
    nodes_are_matched(Three::sandbox().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_of_a_real_cluster_are_matched() {
    match Three::real().await {
        Some(three) => nodes_are_matched(three).await,
        None => say("skipped: no qdrant"),
    }
}
