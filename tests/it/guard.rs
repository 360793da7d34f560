//! `qsnap guard`, on a sandbox and on a real server.

use crate::support::{Cli, QSNAP, RealQdrant, Server, wait_until};
use qsnap::sandbox::options::SandboxOptions;
use serde_json::{Value, json};
use std::process::Stdio;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

async fn one(real: bool) -> Option<Server> {
    if real { RealQdrant::start(None).await } else { Some(Server::sandbox(None, vec![]).await) }
}

async fn points(server: &Server, name: &str) -> Value {
    let body = json!({"limit": 10_000, "with_payload": true, "with_vector": true});
    server.raw("POST", &format!("/collections/{name}/points/scroll"), body).await["result"]["points"].clone()
}

async fn guarded(real: bool) {
    let Some(server) = one(real).await else { return };
    server.fill("live", 200).await;
    let before = points(&server, "live").await;
    let cli = Cli::for_servers(&[("a", &server)]);
    let url = server.url();
    let guard = |options: &[&str], script: &str| {
        let script = script.replace("URL", &url);
        let fixed = ["guard", "a/live", "--yes", "--confirm", "a/live"];
        let mut words: Vec<String> = fixed.iter().chain(options).map(|word| (*word).to_owned()).collect();
        words.extend(["--".into(), "sh".into(), "-c".into(), script]);
        words
    };
    let run = async |words: Vec<String>| cli.run(&words.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let delete = "curl -sf -X POST -H 'content-type: application/json' -d '{\"points\":[1,2,3,4,5]}' \
                  'URL/collections/live/points/delete?wait=true' >/dev/null";

    // Without consent nothing runs.
    let refused = cli.run(&["guard", "a/live", "--", "touch", "ran"]).await;
    assert_eq!((refused.code, cli.path("ran").exists()), (7, false), "{refused:?}");
    let absent = cli.run(&["guard", "a/absent", "--yes", "--confirm", "a/absent", "--", "touch", "ran"]).await;
    assert!(absent.code == 1 && !cli.path("ran").exists(), "{absent:?}");
    let unknown = cli.run(&["guard", "a/live", "--yes", "--confirm", "a/live", "--", "./no-such-command"]).await;
    assert!(unknown.code == 2 && unknown.stderr.contains("cannot be started"), "{unknown:?}");

    // It works: its output is its own, its snapshot is told, and nothing is undone.
    let good = run(guard(&[], "echo out; echo err >&2; test -n \"$QSNAP_GUARD_SNAPSHOT\"")).await;
    assert_eq!((good.code, good.stdout.as_str()), (0, "out\n"), "{good:?}");
    assert!(good.stderr.contains("err\n") && good.stderr.contains("the snapshot is kept"), "{good:?}");

    // It deletes points and fails.
    let failed = run(guard(&[], &format!("{delete}; exit 23"))).await;
    assert_eq!(failed.code, 23, "{failed:?}");
    assert!(failed.stderr.contains("rolled back; verified"), "{failed:?}");
    assert_eq!(points(&server, "live").await, before);

    // It deletes points and succeeds, but the check does not.
    let checked = run(guard(&["--check", "exit 9"], delete)).await;
    assert_eq!(checked.code, 9, "{checked:?}");
    assert_eq!(points(&server, "live").await, before);

    // It is killed by a signal of its own.
    let killed = run(guard(&[], &format!("{delete}; kill -9 $$"))).await;
    assert_eq!(killed.code, 137, "{killed:?}");
    assert_eq!(points(&server, "live").await, before);

    // It deletes the whole collection.
    let dropped = run(guard(&[], "curl -sf -X DELETE URL/collections/live >/dev/null; exit 5")).await;
    assert_eq!(dropped.code, 5, "{dropped:?}");
    assert_eq!(points(&server, "live").await, before);

    // An alias goes with it, which no snapshot brings back, and guard does.
    let target_of = async |alias: &str| {
        let all = server.raw("GET", "/aliases", json!({})).await["result"]["aliases"].clone();
        let found = all.as_array().unwrap().iter().find(|one| one["alias_name"] == alias).cloned();
        found.map_or(json!(null), |one| one["collection_name"].clone())
    };
    server.raw("POST", "/collections/aliases", alias("shop", "live")).await;
    let dropped = run(guard(&[], "curl -sf -X DELETE URL/collections/live >/dev/null; exit 5")).await;
    assert_eq!(dropped.code, 5, "{dropped:?}");
    assert!(dropped.stderr.contains("made again: a/shop"), "{dropped:?}");
    assert_eq!((points(&server, "live").await, target_of("shop").await), (before.clone(), json!("live")));

    // One that points elsewhere now may be needed there: it is not taken, and that is no "as it was".
    server.fill("other", 3).await;
    std::fs::write(cli.path("elsewhere.json"), alias("shop", "other").to_string()).unwrap();
    let elsewhere = format!(
        "curl -sf -X POST URL/collections/aliases -d @{} -H content-type:application/json >/dev/null; exit 5",
        cli.path("elsewhere.json").display()
    );
    let switched = run(guard(&[], &elsewhere)).await;
    assert_eq!(switched.code, 1, "{switched:?}");
    assert!(switched.stderr.contains("shop (points at other)"), "{switched:?}");
    assert!(switched.stderr.contains("qsnap alias a/shop live --yes"), "{switched:?}");
    assert_eq!((points(&server, "live").await, target_of("shop").await), (before.clone(), json!("other")));

    if !real {
        // The rollback itself fails: that is told, and what readers miss besides.
        server.raw("POST", "/collections/aliases", alias("shop", "live")).await;
        server.faults().add_all("recover:break@1*1").unwrap();
        let unalias = "curl -sf -X POST URL/collections/aliases -H content-type:application/json \
                       -d '{\"actions\":[{\"delete_alias\":{\"alias_name\":\"shop\"}}]}' >/dev/null; exit 5";
        let failed = run(guard(&[], unalias)).await;
        server.faults().clear();
        assert_eq!((failed.code, target_of("shop").await), (1, Value::Null), "{failed:?}");
        assert!(failed.stderr.contains("shop (is gone)") && failed.stderr.contains("THE ROLLBACK FAILED"), "{failed:?}");
        assert_eq!(points(&server, "live").await, before);
        // What cannot be listed before cannot come back: nothing is run.
        server.faults().add_all("list:status=503").unwrap();
        let refused = run(guard(&[], "touch ran")).await;
        server.faults().clear();
        assert!(refused.code != 0 && !cli.path("ran").exists(), "{refused:?}");
    }

    // It makes the collection anew with another shape: the classic of failed migrations.
    let anew = "curl -sf -X DELETE URL/collections/live >/dev/null; curl -sf -X PUT URL/collections/live \
                -H content-type:application/json -d '{\"vectors\":{\"size\":3,\"distance\":\"Dot\"}}' >/dev/null; \
                curl -sf -X POST URL/collections/aliases -H content-type:application/json \
                -d '{\"actions\":[{\"create_alias\":{\"alias_name\":\"again\",\"collection_name\":\"live\"}}]}' >/dev/null; exit 4";
    let remade = run(guard(&[], anew)).await;
    assert_eq!(remade.code, 4, "{remade:?}");
    assert_eq!(points(&server, "live").await, before);
    let latest = cli.run(&["restore", "a/live@latest", "--to", "a/check", "--yes"]).await;
    assert_eq!(latest.code, 0, "what the command made is no recovery point: {latest:?}");
    assert_eq!(points(&server, "check").await, before);

    // It says that all is well, and the collection is gone.
    let kept = server.snapshots("live").await;
    let gone = run(guard(&[], "curl -sf -X DELETE URL/collections/live >/dev/null")).await;
    assert!(gone.code == 1 && gone.stderr.contains("qsnap revive a/live --from"), "{gone:?}");
    let back = cli.run(&["revive", "a/live", "--from", "latest", "--yes"]).await;
    assert_eq!((back.code, points(&server, "live").await), (0, before.clone()), "{back:?}");
    assert!(server.snapshots("live").await.len() > kept.len());

    // Guard itself is killed while the command runs: that can be rolled back, and the snapshot is the way back until then.
    let killed_in = async |script: &str| {
        let _ = std::fs::remove_file(cli.path("runs"));
        let script = format!("{}; touch {}; exec sleep 20", script.replace("URL", &url), cli.path("runs").display());
        let mut killed =
            cli.command(&["guard", "a/live", "--yes", "--confirm", "a/live", "--", "sh", "-c", &script]).spawn().unwrap();
        wait_until("the command runs", std::time::Duration::from_secs(60), async || cli.path("runs").exists()).await;
        killed.kill().unwrap();
        killed.wait().unwrap();
        let all = cli.run(&["history", "--output", "json"]).await.json();
        all["items"].as_array().unwrap().iter().find(|past| past["operation"] == "guard").unwrap().clone()
    };
    // What the command did may be what was wanted: then that is all.
    let past = killed_in("true").await;
    assert_eq!((&past["open"], &past["ways"]), (&json!(true), &json!(["roll-back", "clean-up"])), "{past}");
    let kept = cli.run(&["history", "clean-up", past["id"].as_str().unwrap(), "--yes", "--confirm", "a/live"]).await;
    assert_eq!(kept.code, 0, "{kept:?}");
    // It deleted the collection, or made it anew: nothing can go over that, and what is said instead works.
    let gone = "curl -sf -X DELETE URL/collections/live >/dev/null";
    let other = "curl -sf -X PUT URL/collections/live -H content-type:application/json \
                 -d '{\"vectors\":{\"size\":3,\"distance\":\"Dot\"}}' >/dev/null";
    for (script, words) in [(gone.to_owned(), "a/live is gone"), (format!("{gone}; {other}"), "another shape")] {
        let past = killed_in(&script).await;
        let refused = cli.run(&["history", "roll-back", past["id"].as_str().unwrap(), "--yes", "--confirm", "a/live"]).await;
        assert!(refused.code == 7 && refused.stderr.contains(words), "{refused:?}");
        // The commands stand between backquotes.
        let commands: Vec<&str> = refused.stderr.split('`').filter(|part| part.starts_with("qsnap ")).collect();
        assert!(!commands.is_empty(), "{refused:?}");
        for command in commands {
            let words = command.split(' ').skip(1).map(|word| word.trim_matches('\'').to_owned()).collect();
            let ran = run(words).await;
            assert_eq!(ran.code, 0, "{command}: {ran:?}");
        }
        assert_eq!(points(&server, "live").await, before);
        let all = cli.run(&["history", "--output", "json"]).await.json();
        assert!(all["items"].as_array().unwrap().iter().all(|past| past["open"] == false), "it is settled by that: {all}");
    }
    // A restore within the command made nothing good that came after it.
    let within =
        format!("{} restore a/live@latest --to a/live --mode in-place --yes --confirm a/live >/dev/null 2>&1; {delete}", QSNAP);
    let past = killed_in(&within).await;
    assert_eq!(past["open"], true, "{past}");
    let id = past["id"].as_str().unwrap();
    let back = cli.run(&["history", "roll-back", id, "--yes", "--confirm", "a/live"]).await;
    assert_eq!((back.code, points(&server, "live").await), (0, before.clone()), "{back:?}");
    let past = killed_in(delete).await;
    let id = past["id"].as_str().unwrap();
    let back = cli.run(&["history", "roll-back", id, "--yes", "--confirm", "a/live"]).await;
    assert_eq!((back.code, points(&server, "live").await), (0, before.clone()), "{back:?}");

    // And with --forget nothing is left of it all.
    let kept = server.snapshots("live").await.len();
    let forgotten = run(guard(&["--forget"], "true")).await;
    assert_eq!((forgotten.code, server.snapshots("live").await.len()), (0, kept), "{forgotten:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_guarded_on_a_sandbox() {
    guarded(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_guarded_on_a_real_server() {
    guarded(true).await;
}

fn alias(alias: &str, collection: &str) -> Value {
    json!({"actions": [{"create_alias": {"alias_name": alias, "collection_name": collection}}]})
}

/// A server that sets limits for every collection refuses to count also the empty one that a revive makes.
async fn deleted_under_strict_mode(server: Server) {
    let cli = Cli::for_servers(&[("a", &server)]);
    server.fill("live", 60).await;
    let delete = format!("curl -sf -X DELETE {}/collections/live; exit 9", server.url());
    let guarded = ["guard", "a/live", "--yes", "--confirm", "a/live", "--", "bash", "-c", &delete];
    let ran = cli.run(&guarded).await;
    assert_eq!(ran.code, 9, "{ran:?}");
    let listed = cli.run(&["collections", "a", "--output", "json"]).await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed}");
    assert!(ran.stderr.contains("rolled back; verified"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_collection_comes_back_under_strict_mode() {
    let strict = json!({"enabled": true, "max_query_limit": 20, "search_allow_exact": false});
    let options = SandboxOptions { strict_mode: Some(strict), ..SandboxOptions::default() };
    deleted_under_strict_mode(Server::with(options, vec![]).await).await;
    const SETTINGS: [(&str, &str); 3] = [
        ("QDRANT__STORAGE__COLLECTION__STRICT_MODE__ENABLED", "true"),
        ("QDRANT__STORAGE__COLLECTION__STRICT_MODE__MAX_QUERY_LIMIT", "20"),
        ("QDRANT__STORAGE__COLLECTION__STRICT_MODE__SEARCH_ALLOW_EXACT", "false"),
    ];
    if let Some(server) = RealQdrant::start_with(None, &SETTINGS).await {
        deleted_under_strict_mode(server).await;
    }
}

/// A guard that is killed leaves half of the data; the next one saves that, and its rollback brings it back.
async fn tried_again_after_a_kill(server: Server) {
    let cli = Cli::for_servers(&[("a", &server)]);
    server.fill("live", 60).await;
    let half = format!(
        "curl -sf -X POST '{}/collections/live/points/delete?wait=true' -H 'content-type: application/json' -d '{{\"points\": [1,2,3,4,5]}}'; sleep 20",
        server.url()
    );
    let mut command = cli.command(&["guard", "a/live", "--yes", "--confirm", "a/live", "--", "bash", "-c", &half]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("half of it is done", PATIENCE, async || server.count("live").await == 55).await;
    child.kill().unwrap();
    child.wait().unwrap();
    let list = cli.run(&["history", "--output", "json"]).await.json();
    let id = list["items"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!((list["items"][0]["operation"].as_str(), list["items"][0]["open"].as_bool()), (Some("guard"), Some(true)));
    let again = cli.run(&["guard", "a/live", "--yes", "--confirm", "a/live", "--", "false"]).await;
    assert_eq!(again.code, 1, "{again:?}");
    assert!(again.stderr.contains(&format!("qsnap history show {id}")), "it is said that one is open: {again:?}");
    let plan = cli.run(&["history", "roll-back", &id, "--dry-run"]).await;
    assert!(plan.stdout.contains("still runs"), "the command outlives its guard: {plan:?}");
    let back = cli.run(&["history", "roll-back", &id, "--yes", "--confirm", "a/live"]).await;
    assert_eq!(back.code, 0, "{back:?}");
    assert_eq!(server.count("live").await, 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_guard_stays_open_whatever_the_next_one_brings_back() {
    tried_again_after_a_kill(Server::sandbox(None, vec![]).await).await;
    if let Some(server) = RealQdrant::start(None).await {
        tried_again_after_a_kill(server).await;
    }
}

/// Killed while a safety snapshot is taken that the server never finishes; what somebody takes later is a recovery point.
#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_point_that_was_taken_after_a_kill_stays() {
    let server = Server::sandbox(None, vec![]).await;
    let cli = Cli::for_servers(&[("a", &server)]);
    server.fill("live", 60).await;
    assert_eq!(cli.run(&["snapshots", "create", "a/live"]).await.code, 0);
    server.faults().add_all("create:delay=60s*1").unwrap();
    let mut command =
        cli.command(&["restore", "a/live@latest", "--to", "a/live", "--mode", "in-place", "--yes", "--confirm", "a/live"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // At the server, not only in the journal: a request that is still on its way when the fault goes would be answered.
    wait_until("the safety snapshot is asked for", PATIENCE, async || server.faults().spent()).await;
    child.kill().unwrap();
    child.wait().unwrap();
    server.faults().clear();
    assert_eq!(cli.run(&["snapshots", "create", "a/live"]).await.code, 0);
    let before = server.snapshots("live").await;
    assert_eq!(before.len(), 2);
    let list = cli.run(&["history", "--output", "json"]).await.json();
    let open = list["items"].as_array().unwrap().iter().find(|past| past["open"] == true).unwrap();
    let id = open["id"].as_str().unwrap();
    let cleaned = cli.run(&["history", "clean-up", id, "--yes", "--confirm", "a/live"]).await;
    assert_eq!(cleaned.code, 0, "{cleaned:?}");
    assert_eq!(server.snapshots("live").await, before, "both are recovery points of somebody who asked for them");
}
