//! A node of a real cluster is killed, or freezes, in the middle of a backup, a copy and a restore. What comes of it is whole, or is
//! said not to be.

use crate::nodes::Three;
use crate::shards::{cli, equal};
use crate::support::{Cli, Ran, RealQdrant, Server, files_below, say, wait_until};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

fn text<'a>(item: &'a Value, name: &str) -> &'a str {
    item[name].as_str().unwrap_or_default()
}

/// Payload that no compression makes smaller: more of it than the buffers between two processes hold.
fn noise(seed: u64) -> String {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut noise = String::new();
    while noise.len() < 24_000 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        noise.push_str(&format!("{state:016x}"));
    }
    noise
}

/// A collection whose streams take some seconds with a limit.
async fn filled(three: &Three, name: &str, copies: u64) {
    let shape = json!({"vectors": {"size": 4, "distance": "Dot"}, "shard_number": 3, "replication_factor": copies});
    assert_eq!(three.ask(0, "PUT", &format!("/collections/{name}"), shape).await.0, 200);
    for first in (1..1_501_u64).step_by(250) {
        let point = |id: u64| json!({"id": id, "vector": [id, 2, 3, 4], "payload": {"noise": noise(id)}});
        let points: Vec<Value> = (first..first + 250).map(point).collect();
        let path = format!("/collections/{name}/points?wait=true");
        assert_eq!(three.ask(0, "PUT", &path, json!({"points": points})).await.0, 200);
    }
    active(three, name).await;
}

async fn active(three: &Three, name: &str) {
    wait_until("all replicas are active", Duration::from_secs(120), async || {
        three.states(0, name).await.iter().all(|state| state == "Active")
    })
    .await;
}

fn signal(three: &Three, node: usize, signal: &str) {
    let Three::Real(nodes) = three else { return };
    let sent = std::process::Command::new("kill").args([signal, &nodes[node].pid().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Whether the report says that all is there; one that failed has an error instead.
fn matches(ran: &Ran) -> bool {
    serde_json::from_str::<Value>(&ran.stdout).is_ok_and(|report| text(&report, "verdict") == "matches")
}

/// Runs it, and does something to the cluster once `when` holds.
async fn meanwhile(cli: &Cli, arguments: &[&str], when: impl AsyncFn() -> bool, what: impl AsyncFnOnce()) -> Ran {
    let (ran, ()) = tokio::join!(cli.run(arguments), async {
        wait_until("it is under way", Duration::from_secs(60), when).await;
        what().await;
    });
    ran
}

fn begun(folder: &Path) -> bool {
    files_below(folder)
        .iter()
        .any(|path| path.to_string_lossy().contains(".tar") && std::fs::metadata(path).is_ok_and(|meta| meta.len() > 0))
}

fn slow(cli: &Cli) {
    let path = cli.path("config.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, config.replace("timeout = '10s'", "timeout = '5s'\nstall = '3s'\nlimit-rate = '8MB'")).unwrap();
}

async fn none_is_good(cli: &Cli) {
    let listed = cli.run(&["backups", "list", "--output", "json"]).await.json();
    let good = listed["items"].as_array().unwrap().iter().filter(|item| text(item, "state") == "good").count();
    assert_eq!(good, 0, "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_freezes_or_dies_in_the_middle_leaves_nothing_that_looks_whole() {
    let (Some(mut three), Some(alone)) = (Three::real().await, RealQdrant::start(None).await) else {
        return say("skipped: no qdrant");
    };
    let home = tempfile::tempdir().unwrap();
    let cli = cli(&three, &alone, home.path());
    slow(&cli);
    filled(&three, "once", 1).await;
    let backup = ["backup", "c/once", "--yes", "--output", "json"];

    // Frozen in the middle of a backup: each of the three streams a shard, and one of them comes from it.
    let ran = meanwhile(
        &cli,
        &backup,
        async || begun(home.path()),
        async || {
            for node in 0..3 {
                signal(&three, node, "-STOP");
            }
        },
    )
    .await;
    assert!(ran.code != 0, "{ran:?}");
    for node in 0..3 {
        signal(&three, node, "-CONT");
    }
    none_is_good(&cli).await;
    active(&three, "once").await;

    // Killed in the middle of a copy: the shard that only it has is missing, and that is said.
    let has = async || is_there(&alone, "once").await;
    let ran = meanwhile(&cli, &["copy", "c/once", "s/once", "--route", "stream", "--yes", "--output", "json"], has, async || {
        signal(&three, 2, "-KILL");
    })
    .await;
    assert!(ran.code != 0 && !matches(&ran), "{ran:?}");
    // Before the first shard was handed over the empty collection is removed again; after it what stays is said.
    assert!(ran.stderr.contains("clean-up") || !is_there(&alone, "once").await, "{ran:?}");
    three.start(2).await;
    active(&three, "once").await;

    // As if nothing had been.
    let ran = cli.run(&backup).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let restored = cli.run(&["restore", "offsite:c/once@latest", "--to", "s/whole", "--mode", "new", "--yes"]).await;
    assert_eq!(restored.code, 0, "{restored:?}");
    equal(&cli, "c/once", "s/whole").await;

    // Killed in the middle of a restore with two replicas: what the others have is whole, or it is not called so.
    let restore = ["restore", "offsite:c/once@latest", "--to", "c/twice", "--mode", "new", "--replicas", "2", "--yes"];
    let restore = [&restore[..], &["--output", "json"]].concat();
    let there = async || three.ask(0, "GET", "/collections/twice/exists", Value::Null).await.1["exists"] == true;
    let ran = meanwhile(&cli, &restore, there, async || signal(&three, 2, "-KILL")).await;
    if matches(&ran) {
        equal(&cli, "c/twice", "s/whole").await;
    } else {
        assert!(ran.code != 0, "{ran:?}");
    }
    three.start(2).await;
}

async fn is_there(server: &Server, name: &str) -> bool {
    server.raw("GET", &format!("/collections/{name}/exists"), Value::Null).await["result"]["exists"] == true
}
