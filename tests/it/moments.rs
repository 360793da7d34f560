//! The worst moments: a signal between two jobs, a kill while a server works on alone, a disk that fills half-way, a server
//! that refuses to be asked. What is said afterwards is true, and nothing good is undone.

use crate::support::{Cli, QSNAP, RealQdrant, Server, wait_until};
use qsnap::sandbox::seed::SeedCollection;
use serde_json::{Value, json};
use std::process::{Child, Stdio};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

fn spawn(cli: &Cli, arguments: &[&str]) -> Child {
    cli.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn signal(child: &Child, name: &str) {
    let sent = std::process::Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

fn journal(cli: &Cli) -> String {
    cli.records().iter().filter_map(|path| std::fs::read_to_string(path).ok()).collect()
}

/// A signal that comes while guard takes its snapshot is meant for guard: the command never runs.
#[tokio::test(flavor = "multi_thread")]
async fn a_signal_before_the_guarded_command_is_heard() {
    for (name, code) in [("-TERM", 143), ("-INT", 130)] {
        let server = Server::sandbox(None, vec![SeedCollection::new("live", 30)]).await;
        server.faults().add_all("create:delay=1s").unwrap();
        let cli = Cli::for_servers(&[("a", &server)]);
        let child = spawn(&cli, &["guard", "a/live", "--yes", "--confirm", "a/live", "--", "touch", "ran"]);
        wait_until("the snapshot is asked for", PATIENCE, async || journal(&cli).contains("\"taking\"")).await;
        signal(&child, name);
        let ended = child.wait_with_output().unwrap();
        assert_eq!((ended.status.code(), cli.path("ran").exists()), (Some(code), false), "{ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_during_one_item_stops_the_rest() {
    let server = Server::sandbox(None, vec![SeedCollection::new("x", 30), SeedCollection::new("y", 30)]).await;
    server.faults().add_all("create:delay=1s").unwrap();
    let cli = Cli::for_servers(&[("a", &server)]);
    let child = spawn(&cli, &["snapshots", "create", "a/x", "a/y"]);
    wait_until("the first one is asked for", PATIENCE, async || journal(&cli).contains("\"taking\"")).await;
    signal(&child, "-INT");
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(130), "{ended:?}");
    assert!(!journal(&cli).contains("a/y"), "the second was not begun");
    server.faults().clear();
    // What the server had begun was waited for, and removed.
    assert!(server.snapshots("x").await.is_empty() && server.snapshots("y").await.is_empty());
}

/// H5: killed while the server writes the safety snapshot.
async fn killed_while_it_is_secured(server: Server, real: bool) {
    let cli = Cli::for_servers(&[("a", &server)]);
    server.fill("live", 200).await;
    assert_eq!(cli.run(&["snapshots", "create", "a/live"]).await.code, 0);
    let [good] = &server.snapshots("live").await[..] else { panic!("one snapshot") };
    let good = good.clone();
    // The damage that somebody wants to undo.
    server.raw("POST", "/collections/live/points/delete?wait=true", json!({"points": [1, 2, 3]})).await;
    if !real {
        server.faults().add_all("create:delay=20s").unwrap();
    }
    let point = format!("a/live/{good}");
    let over = ["restore", &point, "--to", "a/live", "--mode", "in-place", "--yes", "--confirm", "a/live"];
    let mut child = spawn(&cli, &over);
    wait_until("the safety snapshot is asked for", PATIENCE, async || journal(&cli).contains("\"kind\":\"safety\"")).await;
    child.kill().unwrap();
    child.wait().unwrap();
    if let Some(faults) = server.faults_if_any() {
        faults.clear();
    }
    let mut finished = true;
    if real {
        // It may have been killed before the request was sent: then none appears.
        let mut looks = 0;
        while server.snapshots("live").await.len() < 2 && looks < 40 {
            looks += 1;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        finished = looks < 40;
    } else {
        // The sandbox forgets a request whose client is gone; a real server goes on.
        server.raw("POST", "/collections/live/snapshots", json!({})).await;
    }
    let list = cli.run(&["history", "--output", "json"]).await.json();
    assert_eq!(list["items"][0]["open"], true, "{list}");
    let id = list["items"][0]["id"].as_str().unwrap().to_owned();
    // It is marked in lists, and `latest` does not mean it.
    let listed = cli.run(&["collections", "a", "--output", "json"]).await.json();
    assert_eq!(listed["items"][0]["safety_snapshots"], u64::from(finished), "{listed}");
    let plan = cli.run(&["restore", "a/live@latest", "--to", "a/other", "--dry-run", "--output", "json"]).await.json();
    assert!(plan["plan"]["source"].as_str().unwrap().ends_with(&good), "{plan}");
    let cleaned = cli.run(&["history", "clean-up", &id, "--yes", "--confirm", "a/live"]).await;
    assert_eq!(cleaned.code, 0, "{cleaned:?}");
    assert_eq!(server.snapshots("live").await, [good], "what the server finished is removed, and nothing else");
    assert_eq!(server.count("live").await, 197, "the collection was not touched");
    let list = cli.run(&["history", "--output", "json"]).await.json();
    assert!(list["items"].as_array().unwrap().iter().all(|past| past["open"] == false), "{list}");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_during_the_safety_snapshot_of_a_sandbox() {
    killed_while_it_is_secured(Server::sandbox(None, vec![]).await, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_during_the_safety_snapshot_of_a_real_server() {
    if let Some(server) = RealQdrant::start(None).await {
        killed_while_it_is_secured(server, true).await;
    }
}

/// H6: a journal that can be written only so far. It stops an operation before live data is touched, and never judges it.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_state_disk_condemns_nothing() {
    let server = Server::sandbox(None, vec![]).await;
    server.fill("live", 60).await;
    let first = Cli::for_servers(&[("a", &server)]);
    assert_eq!(first.run(&["snapshots", "create", "a/live"]).await.code, 0);
    let [good] = &server.snapshots("live").await[..] else { panic!("one snapshot") };
    let point = format!("a/live/{good}");
    server.raw("POST", "/collections/live/points/delete?wait=true", json!({"points": [1, 2, 3]})).await;
    let (mut refused, mut went_on) = (0, 0);
    for blocks in 1..=14 {
        // Files of this process may have so many blocks of 512 bytes; a write beyond that fails as on a full disk.
        let cli = Cli::for_servers(&[("a", &server)]);
        let line = format!(
            "trap '' XFSZ; ulimit -f {blocks}; exec {QSNAP} restore {point} --to a/live --mode in-place --yes --confirm a/live \
             --route url --output json"
        );
        let command = cli.command(&[]);
        let mut limited = std::process::Command::new("sh");
        limited.arg("-c").arg(&line).env_clear().current_dir(cli.home.path()).stdin(Stdio::null());
        for (key, value) in command.get_envs() {
            limited.env(key, value.unwrap_or_default());
        }
        let ended = tokio::task::spawn_blocking(move || limited.output().unwrap()).await.unwrap();
        let words = format!("{blocks}: {ended:?}");
        match ended.status.code() {
            Some(0) => {
                let report: Value = serde_json::from_slice(&ended.stdout).unwrap();
                assert_eq!((&report["verdict"], &report["rollback"]), (&json!("matches"), &Value::Null), "{words}");
                went_on += u32::from(!report["notes"].as_array().unwrap().is_empty());
                assert_eq!(server.count("live").await, 60, "{words}");
                server.raw("POST", "/collections/live/points/delete?wait=true", json!({"points": [1, 2, 3]})).await;
            }
            Some(1) => {
                refused += 1;
                assert!(words.contains("journal cannot be written"), "{words}");
                assert_eq!(server.count("live").await, 57, "nothing was overwritten: {words}");
            }
            _ => panic!("{words}"),
        }
        for name in server.snapshots("live").await.into_iter().filter(|name| name != good) {
            server.raw("DELETE", &format!("/collections/live/snapshots/{name}"), json!({})).await;
        }
    }
    assert!(refused > 2 && went_on > 0, "{refused} were refused, {went_on} went on without a journal");
}

/// H10 and the first rule: only what a server cannot read of its own data is a difference.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_asked_is_no_difference_and_what_cannot_be_read_is() {
    let server = Server::sandbox(None, vec![]).await;
    server.fill("x", 300).await;
    // Taken by somebody else: nothing is recorded.
    server.raw("POST", "/collections/x/snapshots", json!({})).await;
    let cli = Cli::for_servers(&[("a", &server)]);
    let file = cli.run(&["snapshots", "download", "a/x@latest"]).await;
    assert_eq!(file.code, 0, "{file:?}");
    let name = format!("./{}", server.snapshots("x").await[0]);
    server.raw("DELETE", "/collections/x", json!({})).await;
    for (number, (faults, code, verdict)) in [
        ("", 0, "could_not_check"),
        // It counts, and cannot be read.
        ("points:status=500@1", 4, "differs"),
        ("points:status=500", 4, "differs"),
        // It refuses, it is busy, a proxy stands between.
        ("points:status=400@1", 0, "could_not_check"),
        ("points:page=403@1", 0, "could_not_check"),
        ("points:status=429@1", 0, "could_not_check"),
        ("points:retry-after=1*3", 0, "could_not_check"),
    ]
    .into_iter()
    .enumerate()
    {
        let target = format!("a/t{number}");
        server.faults().add_all(faults).unwrap();
        let ran = cli.run(&["restore", &name, "--to", &target, "--mode", "new", "--yes", "--output", "json"]).await;
        server.faults().clear();
        assert_eq!((ran.code, &ran.json()["verdict"]), (code, &json!(verdict)), "{faults}: {ran:?}");
    }
}
