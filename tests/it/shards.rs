//! Backups of a cluster: one replica of each shard, streamed; and the snapshots of several nodes as a set. Restored shard by shard
//! into the same cluster, into a standalone server, and back.

use crate::nodes::Three;
use crate::support::{Cli, RealQdrant, Server, say, wait_until};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

fn text<'a>(item: &'a Value, name: &str) -> &'a str {
    item[name].as_str().unwrap_or_default()
}

pub async fn filled(three: &Three) {
    let shape = json!({"vectors": {"size": 4, "distance": "Dot"}, "shard_number": 4, "replication_factor": 2});
    assert_eq!(three.ask(0, "PUT", "/collections/spread", shape).await.0, 200);
    assert_eq!(three.upsert("spread", 1..601).await, 200);
    let index = json!({"field_name": "city", "field_schema": "keyword"});
    assert_eq!(three.ask(0, "PUT", "/collections/spread/index?wait=true", index).await.0, 200);
    wait_until("all replicas are active", Duration::from_secs(60), async || {
        three.states(0, "spread").await.iter().all(|state| state == "Active")
    })
    .await;
}

pub fn cli(three: &Three, alone: &Server, folder: &Path) -> Cli {
    let nodes: Vec<String> = (0..3).map(|node| format!("'{}'", three.url(node))).collect();
    Cli::new(&format!(
        "[instances.c]\nnodes = [{}]\ntimeout = '10s'\n[instances.s]\nurl = '{}'\n[repositories.offsite]\nurl = 'file://{}'\n",
        nodes.join(", "),
        alone.url(),
        folder.display()
    ))
}

pub async fn equal(cli: &Cli, first: &str, second: &str) {
    let compared = cli.run(&["compare", first, second, "--deep", "--output", "json"]).await;
    assert_eq!((compared.code, text(&compared.json(), "verdict")), (0, "matches"), "{first} {second}: {compared:?}");
}

async fn restored(cli: &Cli, from: &str, to: &str) {
    let ran = cli.run(&["restore", from, "--to", to, "--mode", "new", "--yes", "--output", "json"]).await;
    let report = ran.json();
    assert_eq!((ran.code, text(&report, "verdict")), (0, "matches"), "{from} → {to}: {ran:?}");
}

async fn there_and_back(mut three: Three, alone: Server) {
    filled(&three).await;
    let home = tempfile::tempdir().unwrap();
    let cli = cli(&three, &alone, home.path());
    // Shards are what fits a cluster, and the plan says so.
    let plan = cli.run(&["backup", "c/spread", "--dry-run", "-v"]).await;
    assert!(plan.stdout.contains("4 shards are streamed") && plan.stdout.contains("one replica of each"), "{plan:?}");
    let backed_up = cli.run(&["backup", "c/spread", "--yes", "--output", "json"]).await;
    assert_eq!(backed_up.code, 0, "{backed_up:?}");
    let shown = cli.run(&["backups", "show", "offsite:c/spread@latest", "--output", "json"]).await.json();
    let manifest = &shown["manifest"];
    let names: Vec<&str> = manifest["objects"].as_array().unwrap().iter().map(|object| text(object, "name")).collect();
    assert_eq!((text(manifest, "kind"), names), ("shards", vec!["shard-0.tar", "shard-1.tar", "shard-2.tar", "shard-3.tar"]));
    let nodes: std::collections::BTreeSet<&str> =
        manifest["objects"].as_array().unwrap().iter().map(|object| text(object, "node")).collect();
    assert!(nodes.len() > 1, "the work is spread: {manifest}");
    let verified = cli.run(&["verify", "offsite:c/spread@latest", "--output", "json"]).await;
    assert_eq!((verified.code, text(&verified.json(), "verdict")), (0, "matches"), "{verified:?}");

    // Into the same cluster, into a standalone server, and from there back.
    restored(&cli, "offsite:c/spread@latest", "c/again").await;
    equal(&cli, "c/spread", "c/again").await;
    assert!(three.states(0, "again").await.iter().all(|state| state == "Active"));
    restored(&cli, "offsite:c/spread@latest", "s/spread").await;
    equal(&cli, "c/spread", "s/spread").await;
    let info = alone.raw("GET", "/collections/spread", Value::Null).await;
    assert_eq!(info["result"]["payload_schema"]["city"]["data_type"], "keyword", "payload indexes come along: {info}");
    let single = cli.run(&["backup", "s/spread", "--kind", "shards", "--yes", "--output", "json"]).await;
    assert_eq!(single.code, 0, "{single:?}");
    restored(&cli, "offsite:s/spread@latest", "c/back").await;
    equal(&cli, "c/spread", "c/back").await;

    // Snapshots of all nodes are a set, of which no file holds every shard.
    let set = cli.run(&["backup", "c/spread", "--kind", "snapshot", "--yes", "--output", "json"]).await;
    assert_eq!(set.code, 0, "{set:?}");
    restored(&cli, "offsite:c/spread@latest", "c/of-set").await;
    equal(&cli, "c/spread", "c/of-set").await;
    restored(&cli, "offsite:c/spread@latest", "s/of-set").await;
    equal(&cli, "c/spread", "s/of-set").await;
    let over = cli.run(&["restore", "offsite:c/spread@latest", "--to", "s/of-set", "--mode", "in-place", "--yes"]).await;
    assert!(over.code == 7 && over.stderr.contains("side by side"), "{over:?}");
    let drilled = cli.run(&["drill", "c/spread", "--on", "s", "--yes", "--output", "json"]).await;
    assert_eq!((drilled.code, text(&drilled.json(), "verdict")), (0, "matches"), "{drilled:?}");

    // Never called good where a shard is missing.
    three.stop(2).await;
    let one = json!({"vectors": {"size": 4, "distance": "Dot"}, "shard_number": 3, "replication_factor": 1});
    let _ = three.ask(0, "PUT", "/collections/later?timeout=5", one).await;
    let dead = cli.run(&["backup", "c/spread", "--yes", "--output", "json"]).await;
    assert_eq!(dead.code, 0, "two nodes hold every shard of two replicas: {dead:?}");
    three.start(2).await;
}

/// A collection that is sharded by keys, which are odd.
async fn odd_keys(three: Three, alone: Server) {
    let shape = json!({"vectors": {"size": 4, "distance": "Dot"}, "shard_number": 1, "replication_factor": 2,
        "sharding_method": "custom"});
    assert_eq!(three.ask(0, "PUT", "/collections/keyed", shape).await.0, 200);
    for (at, key) in [json!("a/b #é"), json!(7), json!("日本 語")].into_iter().enumerate() {
        let made = three.ask(0, "PUT", "/collections/keyed/shards", json!({"shard_key": key, "shards_number": 1 + at % 2})).await;
        assert_eq!(made.0, 200, "{made:?}");
        let first = 1 + at as u64 * 100;
        let points: Vec<Value> = (first..first + 50).map(|id| json!({"id": id, "vector": [id, 2, 3, 4]})).collect();
        let path = "/collections/keyed/points?wait=true";
        assert_eq!(three.ask(0, "PUT", path, json!({"points": points, "shard_key": key})).await.0, 200);
    }
    wait_until("all replicas are active", Duration::from_secs(60), async || {
        three.states(0, "keyed").await.iter().all(|state| state == "Active")
    })
    .await;
    let home = tempfile::tempdir().unwrap();
    let cli = cli(&three, &alone, home.path());
    assert_eq!(cli.run(&["backup", "c/keyed", "--yes"]).await.code, 0);
    let shown = cli.run(&["backups", "show", "offsite:c/keyed@latest", "--output", "json"]).await.json();
    assert_eq!(text(&shown["manifest"], "kind"), "shards", "{shown}");
    restored(&cli, "offsite:c/keyed@latest", "c/keyed-2").await;
    equal(&cli, "c/keyed", "c/keyed-2").await;
    let map = async |name: &str| {
        let map = cli.run(&["collections", name, "--output", "json"]).await.json();
        let mut keys: Vec<String> =
            map["items"].as_array().unwrap().iter().map(|item| format!("{} {}", item["shard"], item["key"])).collect();
        keys.sort();
        keys
    };
    assert_eq!(map("c/keyed").await, map("c/keyed-2").await);
    // A standalone server knows no shard keys: that is said before anything is made.
    let refused = cli.run(&["restore", "offsite:c/keyed@latest", "--to", "s/keyed", "--mode", "new", "--yes"]).await;
    assert_eq!(refused.code, 7, "{refused:?}");
}

/// Many keys take their time: a cancel in the middle leaves nothing, and the next try makes all of them.
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_shard_keys_are_made_and_a_cancel_leaves_nothing() {
    let three = Three::sandbox().await;
    let Three::Sandbox(sandbox) = &three else { return };
    let alone = Server::sandbox(None, vec![]).await;
    let shape = json!({"vectors": {"size": 4, "distance": "Dot"}, "shard_number": 1, "sharding_method": "custom"});
    assert_eq!(three.ask(0, "PUT", "/collections/keyed", shape).await.0, 200);
    for n in 0..100 {
        let key = format!("tenant {n}");
        assert_eq!(three.ask(0, "PUT", "/collections/keyed/shards", json!({"shard_key": key})).await.0, 200);
        let point = json!({"points": [{"id": n, "vector": [1, 2, 3, 4]}], "shard_key": key});
        assert_eq!(three.ask(0, "PUT", "/collections/keyed/points?wait=true", point).await.0, 200);
    }
    let home = tempfile::tempdir().unwrap();
    let cli = cli(&three, &alone, home.path());
    assert_eq!(cli.run(&["backup", "c/keyed", "--yes"]).await.code, 0);
    sandbox.faults().add_all("list:delay=100ms").unwrap();
    let restore = ["restore", "offsite:c/keyed@latest", "--to", "c/again", "--mode", "new", "--yes"];
    let mut child = cli.command(&restore).stderr(std::process::Stdio::null()).spawn().unwrap();
    wait_until("the first keys are made", Duration::from_secs(60), async || {
        let (status, shown) = three.ask(0, "GET", "/collections/again/cluster", Value::Null).await;
        status == 200 && shown["shard_count"].as_u64().is_some_and(|count| count > 2)
    })
    .await;
    let sent = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let ended = tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap();
    assert_eq!(ended.code(), Some(130));
    sandbox.faults().clear();
    assert_eq!(three.ask(0, "GET", "/collections/again/exists", Value::Null).await.1["exists"], false);
    let open = cli.run(&["history", "--output", "json"]).await.json();
    assert!(open["items"].as_array().unwrap().iter().all(|item| item["open"] == false), "{open}");
    restored(&cli, "offsite:c/keyed@latest", "c/again").await;
    equal(&cli, "c/keyed", "c/again").await;
    // The same straight from the nodes.
    let copied = cli.run(&["copy", "c/keyed", "c/copied", "--yes", "--output", "json"]).await;
    assert_eq!((copied.code, text(&copied.json(), "verdict")), (0, "matches"), "{copied:?}");
    equal(&cli, "c/keyed", "c/copied").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shard_keys_come_along_on_sandboxes() {
    odd_keys(Three::sandbox().await, Server::sandbox(None, vec![]).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shard_keys_come_along_on_real_servers() {
    match (Three::real().await, RealQdrant::start(None).await) {
        (Some(three), Some(alone)) => odd_keys(three, alone).await,
        _ => say("skipped: no qdrant"),
    }
}

/// A server that breaks off a stream, or ends it as if it were whole; and one that breaks a restore off.
#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_off_is_no_backup_and_no_good_restore() {
    let server = Server::sandbox(None, vec![]).await;
    let shape = json!({"vectors": {"size": 4, "distance": "Dot"}, "shard_number": 3});
    server.raw("PUT", "/collections/x", shape).await;
    let points: Vec<Value> = (1..301).map(|id| json!({"id": id, "vector": [id, 2, 3, 4]})).collect();
    server.raw("PUT", "/collections/x/points?wait=true", json!({"points": points})).await;
    let home = tempfile::tempdir().unwrap();
    let cli = Cli::new(&format!(
        "[instances.a]\nurl = '{}'\nstall = '1s'\n[repositories.offsite]\nurl = 'file://{}'\n",
        server.url(),
        home.path().display()
    ));
    let backup = ["backup", "a/x", "--kind", "shards", "--yes"];
    for (fault, words) in [
        ("download:truncate=4000@1*1", "is not whole"),
        ("download:reset=4000@1*1", "cannot"),
        ("download:status=500@2*1", "fault 500"),
        ("download:stall=0@1*1", "another stream of the same shard"),
    ] {
        server.faults().add_all(fault).unwrap();
        let ran = cli.run(&backup).await;
        assert!(ran.code != 0 && ran.stderr.contains(words), "{fault}: {ran:?}");
        server.faults().clear();
        let listed = cli.run(&["backups", "list", "--output", "json"]).await.json();
        assert_eq!(listed["items"], json!([]), "{fault}");
        assert!(!home.path().join("a").exists(), "{fault}: nothing stays");
    }
    let made = cli.run(&backup).await;
    assert_eq!(made.code, 0, "{made:?}");
    // Nothing is started that would end in half a collection, and what is left is said and can be removed.
    server.faults().add_all("upload:status=500@1*1").unwrap();
    let broken = cli.run(&["restore", "offsite:a/x@latest", "--to", "a/y", "--mode", "new", "--yes"]).await;
    assert!(broken.code == 1 && broken.stderr.contains("clean-up"), "{broken:?}");
    server.faults().clear();
    let open = cli.run(&["history", "--output", "json"]).await.json();
    let id = open["items"].as_array().unwrap().iter().find(|item| text(item, "operation") == "restore").unwrap()["id"].clone();
    let cleaned = cli.run(&["history", "clean-up", id.as_str().unwrap(), "--yes", "--confirm", "a/y"]).await;
    assert_eq!(cleaned.code, 0, "{cleaned:?}");
    let left = cli.run(&["collections", "a", "--output", "json"]).await.json();
    assert_eq!(left["items"].as_array().unwrap().len(), 1, "{left}");
    restored(&cli, "offsite:a/x@latest", "a/y").await;
    // One bit in one shard: the target is not given the end of it.
    let folder = home.path().join("a/x");
    let place = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path().join("shard-1.tar");
    let mut bytes = std::fs::read(&place).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&place, bytes).unwrap();
    let damaged = cli.run(&["restore", "offsite:a/x@latest", "--to", "a/z", "--mode", "new", "--yes"]).await;
    assert!(damaged.code == 4 && damaged.stderr.contains("sha256"), "{damaged:?}");
    let verified = cli.run(&["verify", "offsite:a/x@latest"]).await;
    assert!(verified.code == 4 || verified.code == 1, "{verified:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_goes_there_and_back_on_sandboxes() {
    there_and_back(Three::sandbox().await, Server::sandbox(None, vec![]).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_goes_there_and_back_on_real_servers() {
    match (Three::real().await, RealQdrant::start(None).await) {
        (Some(three), Some(alone)) => there_and_back(three, alone).await,
        _ => say("skipped: no qdrant"),
    }
}
