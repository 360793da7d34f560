//! Copies of live collections shard by shard: out of a cluster, into one, and within one. No node holds all shards.

use crate::nodes::Three;
use crate::shards::{cli, equal, filled};
use crate::support::{Cli, RealQdrant, Server, say, wait_until};
use serde_json::{Value, json};
use std::time::Duration;

fn text<'a>(item: &'a Value, name: &str) -> &'a str {
    item[name].as_str().unwrap_or_default()
}

async fn copied(cli: &Cli, from: &str, to: &str, more: &[&str]) -> Value {
    let ran = cli.run(&[&["copy", from, to, "--yes", "--output", "json"], more].concat()).await;
    let report = ran.json();
    assert_eq!((ran.code, text(&report, "verdict")), (0, "matches"), "{from} → {to}: {ran:?}");
    equal(cli, from, to).await;
    report
}

async fn everywhere(mut three: Three, alone: Server) {
    filled(&three).await;
    let home = tempfile::tempdir().unwrap();
    let cli = cli(&three, &alone, home.path());
    let plan = cli.run(&["copy", "c/spread", "s/spread", "--dry-run", "-v"]).await;
    assert!(plan.stdout.contains("4 shards") && plan.stdout.contains("no snapshot is taken"), "{plan:?}");
    copied(&cli, "c/spread", "s/spread", &["--route", "stream", "--deep"]).await;
    let info = alone.raw("GET", "/collections/spread", Value::Null).await;
    assert_eq!(info["result"]["payload_schema"]["city"]["data_type"], "keyword", "payload indexes come along: {info}");
    let report = copied(&cli, "c/spread", "s/fetched", &["--route", "url"]).await;
    assert_eq!(text(&report, "route"), "url", "{report}");
    // Into a cluster a snapshot would fill the shards of one node only.
    copied(&cli, "s/spread", "c/back", &[]).await;
    copied(&cli, "c/spread", "c/within", &["--replicas", "3"]).await;
    assert_eq!(three.states(0, "within").await.len(), 12, "three of each");
    assert_eq!(cli.run(&["backup", "c/spread", "--yes"]).await.code, 0);
    let restore = ["restore", "offsite:c/spread@latest", "--to", "c/once-each", "--mode", "new", "--replicas", "1", "--yes"];
    let restored = cli.run(&restore).await;
    assert_eq!(restored.code, 0, "{restored:?}");
    assert_eq!(three.states(0, "once-each").await.len(), 4, "one of each");
    equal(&cli, "c/spread", "c/once-each").await;
    assert!(three.states(0, "within").await.iter().all(|state| state == "Active"));
    for node in 0..3 {
        let (_, kept) = three.ask(node, "GET", "/collections/spread/snapshots", Value::Null).await;
        assert_eq!(kept, json!([]), "no snapshot was taken");
    }
    // What exists is not filled up shard by shard, and what is there is not touched.
    let over = cli.run(&["copy", "c/spread", "s/spread", "--yes", "--confirm", "s/spread"]).await;
    assert!(over.code == 7 && over.stderr.contains("name that is free"), "{over:?}");

    // A shard whose only node is away is not copied as if it were there.
    let once = json!({"vectors": {"size": 4, "distance": "Dot"}, "shard_number": 3, "replication_factor": 1});
    assert_eq!(three.ask(0, "PUT", "/collections/once", once).await.0, 200);
    assert_eq!(three.upsert("once", 1..101).await, 200);
    three.stop(2).await;
    let refused = cli.run(&["copy", "c/once", "s/once", "--yes"]).await;
    assert!(refused.code != 0, "{refused:?}");
    let left = cli.run(&["collections", "s", "--output", "json"]).await.json();
    assert!(left["items"].as_array().unwrap().iter().all(|item| text(item, "name") != "once"), "{left}");
    copied(&cli, "c/spread", "s/of-two-nodes", &[]).await;
    three.start(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn collections_are_copied_shard_by_shard_on_sandboxes() {
    everywhere(Three::sandbox().await, Server::sandbox(None, vec![]).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn collections_are_copied_shard_by_shard_on_real_servers() {
    match (Three::real().await, RealQdrant::start(None).await) {
        (Some(three), Some(alone)) => everywhere(three, alone).await,
        _ => say("skipped: no qdrant"),
    }
}

/// A stream that breaks off, or ends as if it were whole, restores nothing of its shard; what is left is said.
#[tokio::test(flavor = "multi_thread")]
async fn a_shard_whose_stream_breaks_off_is_not_copied() {
    let three = Three::sandbox().await;
    let Three::Sandbox(sandbox) = &three else { return };
    filled(&three).await;
    let alone = Server::sandbox(None, vec![]).await;
    let home = tempfile::tempdir().unwrap();
    let cli = cli(&three, &alone, home.path());
    // Before the first shard is there nothing stays: neither after an error nor after a kill.
    sandbox.faults().add_all("download:status=500").unwrap();
    let ran = cli.run(&["copy", "c/spread", "s/broken", "--route", "stream", "--yes"]).await;
    assert!(ran.code != 0 && !ran.stderr.contains("clean-up"), "{ran:?}");
    assert_eq!(cli.run(&["collections", "s", "--output", "json"]).await.json()["items"], json!([]));
    sandbox.faults().clear();
    sandbox.faults().add_all("download:delay=1h").unwrap();
    let mut child = cli.command(&["copy", "c/spread", "s/broken", "--route", "stream", "--yes"]).spawn().unwrap();
    wait_until("the collection is made", Duration::from_secs(30), async || {
        alone.raw("GET", "/collections/broken/exists", Value::Null).await["result"]["exists"] == true
    })
    .await;
    child.kill().unwrap();
    child.wait().unwrap();
    sandbox.faults().clear();
    let cleaned = cli.run(&["history", "clean-up", "last", "--yes", "--confirm", "s/broken"]).await;
    assert_eq!(cleaned.code, 0, "{cleaned:?}");
    assert_eq!(cli.run(&["collections", "s", "--output", "json"]).await.json()["items"], json!([]));
    // After the first one it can be continued.
    sandbox.faults().add_all("download:reset=4000@1*1").unwrap();
    let ran = cli.run(&["copy", "c/spread", "s/broken", "--route", "stream", "--yes"]).await;
    assert!(ran.code != 0 && ran.stderr.contains("clean-up"), "{ran:?}");
    let continued = cli.run(&["history", "continue", "last", "--yes", "--confirm", "s/broken", "--output", "json"]).await;
    assert_eq!((continued.code, text(&continued.json(), "verdict")), (0, "matches"), "{continued:?}");
    equal(&cli, "c/spread", "s/broken").await;
    alone.raw("DELETE", "/collections/broken", Value::Null).await;
    for (fault, words) in [("download:truncate=4000@1*1", "not whole"), ("download:reset=4000@1*1", "cannot")] {
        sandbox.faults().add_all(fault).unwrap();
        let ran = cli.run(&["copy", "c/spread", "s/broken", "--route", "stream", "--yes"]).await;
        assert!(ran.code != 0 && ran.stderr.contains(words), "{fault}: {ran:?}");
        sandbox.faults().clear();
        let open = cli.run(&["history", "--output", "json"]).await.json();
        let id = open["items"].as_array().unwrap().iter().find(|item| text(item, "operation") == "copy").unwrap()["id"].clone();
        let cleaned = cli.run(&["history", "clean-up", id.as_str().unwrap(), "--yes", "--confirm", "s/broken"]).await;
        assert_eq!(cleaned.code, 0, "{fault}: {cleaned:?}");
        let left = cli.run(&["collections", "s", "--output", "json"]).await.json();
        assert_eq!(left["items"], json!([]), "{fault}");
    }
    // Segments are being optimized when the first stream begins: it begins again.
    sandbox.faults().add_all("list:optimizing*3").unwrap();
    copied(&cli, "c/spread", "s/whole", &["--route", "stream"]).await;
    assert!(sandbox.faults().spent());
    // They are when the target has begun to fetch: what may lack deletions is not called equal unless every point is compared.
    sandbox.faults().clear();
    sandbox.faults().add_all("list:optimizing@1*1").unwrap();
    let ran = cli.run(&["copy", "c/spread", "s/lacking", "--route", "url", "--yes", "--output", "json"]).await;
    let report = ran.json();
    assert_eq!((ran.code, text(&report, "verdict")), (0, "could_not_check"), "{ran:?}");
    assert!(report.to_string().contains("latest deletions"), "{report}");
    sandbox.faults().clear();
    sandbox.faults().add_all("list:optimizing@1*1").unwrap();
    copied(&cli, "c/spread", "s/compared", &["--route", "url", "--deep"]).await;
    // A target that cannot fetch: the bytes go through qsnap, and the report says why.
    alone.faults().add_all("recover:status=403").unwrap();
    sandbox.faults().clear();
    let refused = cli.run(&["copy", "c/spread", "s/refused", "--route", "url", "--yes"]).await;
    assert!(refused.code != 0, "{refused:?}");
}
