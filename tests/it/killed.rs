//! Processes that are killed in the middle of a recovery, and what becomes of it: the live data is old or new, nothing is
//! left behind, and nothing is removed that somebody needs.

use crate::recovery::{address, change, content, exists, names, servers};
use crate::support::{Cli, Server, World, wait_until};
use qsnap::domain::address::Which;
use qsnap::ops::request::Request;
use qsnap::ops::request::recovery_point::RecoveryPoint;
use qsnap::ops::request::restore::{Mode, RestoreRequest};
use qsnap::ops::request::route::Route;
use qsnap::ops::request::settle::{SettleRequest, Way};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// The last event of the newest restore in a journal, as `step` or `step-end` and its name.
fn progress_of(cli: &Cli) -> Vec<String> {
    let Some(newest) = cli.records().pop() else { return Vec::new() };
    let text = std::fs::read_to_string(newest).unwrap_or_default();
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let shown = lines.filter_map(|line| Some(format!("{} {}", line["event"].as_str()?, line["step"].as_str().unwrap_or(""))));
    shown.collect()
}

/// Kills the process as soon as its journal shows an event, for every event that a whole run has.
async fn killed_at_every_step(real: bool) {
    let Some(servers) = servers(real, 2).await else { return };
    let (a, b) = (&servers[0], &servers[1]);
    let cli = Cli::for_servers(&[("a", a), ("b", b)]);
    a.fill("live", 300).await;
    let new = content(a, "live").await.unwrap();
    assert_eq!(cli.run(&["snapshots", "create", "a/live"]).await.code, 0);
    b.fill("live", 300).await;
    change(b, "live").await;
    let old = content(b, "live").await.unwrap();
    assert_ne!(old, new);
    let over =
        ["restore", "a/live@latest", "--to", "b/live", "--mode", "in-place", "--yes", "--confirm", "b/live", "--route", "stream"];
    // One whole run tells the events.
    let ran = cli.run(&over).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let events: Vec<String> = progress_of(&cli).into_iter().filter(|event| event.starts_with("step")).collect();
    assert!(events.len() > 14, "{events:?}");
    let mut killed = 0;
    for (number, event) in events.iter().enumerate() {
        // Both ways where live data is at stake, else in turn: a run takes seconds.
        let ways: &[&str] = match event {
            event if event.contains(" restore") || event.contains("verify") => &["continue", "roll-back"],
            _ if number % 2 == 0 => &["continue"],
            _ => &["roll-back"],
        };
        for way in ways.iter().copied() {
            // Back to the old content, by the safety snapshot of the first run.
            reset(b, &old).await;
            let before = journals(&cli);
            let mut child =
                cli.command(&over).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
            wait_until("the event is in the journal", Duration::from_secs(60), async || {
                let over = journals(&cli) > before;
                over && progress_of(&cli).iter().filter(|seen| seen.starts_with("step")).count() > number
            })
            .await;
            let _ = child.kill();
            child.wait().unwrap();
            let list = cli.run(&["history", "--output", "json"]).await.json();
            let past = &list["items"][0];
            let case = format!("{event} (number {number}), {way}: {past}");
            if past["open"] == false {
                // It was faster than the kill.
                assert_eq!(past["state"], "matches", "{case}");
                continue;
            }
            killed += 1;
            let id = past["id"].as_str().unwrap().to_owned();
            let ways: Vec<&str> = past["ways"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            let way = if ways.contains(&way) { way } else { "clean-up" };
            let settled = cli.run(&["history", way, &id, "--yes", "--confirm", "b/live", "--output", "json"]).await;
            assert_eq!(settled.code, 0, "{case}: {settled:?}");
            let now = content(b, "live").await.unwrap_or_else(|| panic!("{case}: the live data cannot be read"));
            match way {
                "continue" => assert!(now == new, "{case}: is not the new content"),
                _ => assert!(now == old || now == new, "{case}: is between"),
            }
            if way == "roll-back" {
                assert!(now == old, "{case}: is not the old content");
            }
            assert_eq!(names(b).await, ["live"], "{case}: nothing is left behind");
            let list = cli.run(&["history", "--output", "json"]).await.json();
            assert!(list["items"].as_array().unwrap().iter().all(|item| item["open"] == false), "{case}: {list}");
        }
    }
    assert!(killed > 10, "{killed} were killed in time");
}

fn journals(cli: &Cli) -> usize {
    cli.records().len()
}

/// Writes the content anew, and removes all snapshots.
async fn reset(server: &Server, points: &BTreeMap<String, Value>) {
    server.raw("DELETE", "/collections/live", json!({})).await;
    server.fill("live", 0).await;
    for name in server.snapshots("live").await {
        server.raw("DELETE", &format!("/collections/live/snapshots/{name}"), json!({})).await;
    }
    let points: Vec<&Value> = points.values().collect();
    server.raw("PUT", "/collections/live/points?wait=true", json!({"points": points})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_every_step_of_a_sandbox() {
    killed_at_every_step(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_every_step_of_a_real_server() {
    killed_at_every_step(true).await;
}

/// Runs a command and kills it as soon as its journal has that many steps begun or ended.
async fn killed_after(cli: &Cli, command: &[&str], steps: usize) {
    let before = journals(cli);
    let mut child = cli.command(command).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    wait_until("the event is in the journal", Duration::from_secs(60), async || {
        journals(cli) > before && progress_of(cli).iter().filter(|seen| seen.starts_with("step")).count() >= steps
    })
    .await;
    let _ = child.kill();
    child.wait().unwrap();
}

async fn open(cli: &Cli) -> Vec<Value> {
    let list = cli.run(&["history", "--output", "json"]).await.json();
    list["items"].as_array().unwrap().iter().filter(|item| item["open"] == true).cloned().collect()
}

/// What goes on with a killed operation can be killed itself, and gone on with again.
#[tokio::test(flavor = "multi_thread")]
async fn going_on_can_be_killed_too() {
    let servers = servers(false, 2).await.unwrap();
    let (a, b) = (&servers[0], &servers[1]);
    let cli = Cli::for_servers(&[("a", a), ("b", b)]);
    a.fill("live", 300).await;
    let new = content(a, "live").await.unwrap();
    assert_eq!(cli.run(&["snapshots", "create", "a/live"]).await.code, 0);
    b.fill("live", 300).await;
    change(b, "live").await;
    let old = content(b, "live").await.unwrap();
    let over =
        ["restore", "a/live@latest", "--to", "b/live", "--mode", "in-place", "--yes", "--confirm", "b/live", "--route", "stream"];
    let mut between = 0;
    for steps in [2, 5, 9] {
        for way in ["continue", "roll-back"] {
            reset(b, &old).await;
            // Sample, safety snapshot, record, keep, proof restore, its verification, tidy, restore: eight, begun and ended.
            killed_after(&cli, &over, 16).await;
            let first = open(&cli).await;
            assert_eq!(first.len(), 1, "{first:?}");
            if !first[0]["ways"].as_array().unwrap().contains(&json!("continue")) {
                // It was proven before the kill: what is left is to tidy up.
                let id = first[0]["id"].as_str().unwrap();
                assert_eq!(cli.run(&["history", "continue", id, "--yes", "--confirm", "b/live"]).await.code, 7);
                assert_eq!(cli.run(&["history", "clean-up", id, "--yes"]).await.code, 0);
                assert!(content(b, "live").await.unwrap() == new);
                continue;
            }
            between += usize::from(first[0]["ways"] == json!(["roll-back", "continue"]));
            let id = first[0]["id"].as_str().unwrap();
            killed_after(&cli, &["history", "continue", id, "--yes", "--confirm", "b/live"], steps).await;
            let second = open(&cli).await;
            let case = format!("{way} after {steps} steps of going on: {second:?}");
            if second.is_empty() {
                // It was faster than the kill.
                assert!(content(b, "live").await.unwrap() == new, "{case}");
                continue;
            }
            assert_eq!(second.len(), 1, "{case}: exactly one can be gone on with");
            let id = second[0]["id"].as_str().unwrap();
            let ways = second[0]["ways"].as_array().unwrap();
            let way = if ways.contains(&json!(way)) { way } else { "clean-up" };
            let done = cli.run(&["history", way, id, "--yes", "--confirm", "b/live", "--output", "json"]).await;
            assert_eq!(done.code, 0, "{case}: {done:?}");
            let now = content(b, "live").await.unwrap();
            match way {
                "continue" => assert!(now == new, "{case}"),
                "roll-back" => assert!(now == old, "{case}"),
                _ => assert!(now == old || now == new, "{case}: it is between"),
            }
            assert_eq!(names(b).await, ["live"], "{case}: nothing is left behind");
            assert!(open(&cli).await.is_empty(), "{case}");
        }
    }
    println!("{between} of 6 times the live data was between");
}

/// A killed `revive` has an empty collection of the old name; removing that must not take the old snapshots along.
#[tokio::test(flavor = "multi_thread")]
async fn cleaning_up_a_killed_revive_keeps_the_snapshots() {
    let servers = servers(false, 1).await.unwrap();
    let a = &servers[0];
    let cli = Cli::for_servers(&[("a", a)]);
    a.fill("live", 300).await;
    let before = content(a, "live").await.unwrap();
    assert_eq!(cli.run(&["snapshots", "create", "a/live"]).await.code, 0);
    let snapshots = a.snapshots("live").await;
    a.raw("DELETE", "/collections/live", json!({})).await;
    let command = ["revive", "a/live", "--from", "latest", "--yes"];
    for steps in [2, 4, 7, 11, 14] {
        killed_after(&cli, &command, steps).await;
        for past in open(&cli).await {
            let id = past["id"].as_str().unwrap();
            let done = cli.run(&["history", "clean-up", id, "--yes", "--confirm", "a/live", "--output", "json"]).await;
            assert_eq!(done.code, 0, "after {steps}: {past}: {done:?}");
        }
        if exists(a, "live").await {
            // It was faster than the kill.
            a.raw("DELETE", "/collections/live", json!({})).await;
        }
        assert!(names(a).await.is_empty(), "after {steps}: {:?}", names(a).await);
    }
    let done = cli.run(&command).await;
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(content(a, "live").await.unwrap(), before);
    assert_eq!(a.snapshots("live").await, snapshots, "its snapshots are still there");
}

/// What a failed restore left, and a later one made good, is nobody's leftover any more.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_restored_since_is_not_cleaned_up() {
    let servers = servers(false, 2).await.unwrap();
    let (a, b) = (&servers[0], &servers[1]);
    a.fill("live", 300).await;
    let world = World::open(&[("a", a), ("b", b)]);
    world.run(Request::Create(qsnap::ops::request::snapshots::CreateRequest { of: address("a/live").into() })).await.unwrap();
    let request = |mode| {
        let source = RecoveryPoint::Snapshot(address("a/live"), Which::Latest);
        Request::Restore(RestoreRequest::new(source, address("b/fresh"), mode, Route::Url))
    };
    b.faults().add_all("recover:break*1").unwrap();
    world.run(request(Mode::New)).await.unwrap_err();
    let failed = world.services.journal.open();
    assert_eq!(failed.len(), 1, "{failed:?}");
    b.raw("DELETE", "/collections/fresh", json!({})).await;
    world.run(request(Mode::New)).await.unwrap();
    let way = SettleRequest { id: failed[0].id.clone(), way: Way::CleanUp };
    let refused = world.run(Request::Settle(way)).await.unwrap_err();
    assert!(refused.message.contains("left nothing behind"), "{refused:?}");
    assert!(exists(b, "fresh").await, "it is no leftover of the failed one any more");
    assert!(world.services.journal.open().is_empty());
}
