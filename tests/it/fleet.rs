//! Copies of several collections as one operation: a staging refresh, and what becomes of the whole and its parts when
//! something goes wrong in the middle.

use crate::support::{Cli, RealQdrant, Server, wait_until};
use qsnap::sandbox::seed::SeedCollection;
use serde_json::{Value, json};
use std::process::{Child, Stdio};
use std::time::Duration;

async fn one(real: bool) -> Option<Server> {
    if real { RealQdrant::start(None).await } else { Some(Server::sandbox(None, vec![]).await) }
}

fn alias(alias: &str, collection: &str) -> Value {
    json!({"actions": [{"create_alias": {"alias_name": alias, "collection_name": collection}}]})
}

async fn refreshed(real: bool) {
    let (Some(a), Some(b)) = (one(real).await, one(real).await) else { return };
    for (name, count) in [("small", 20), ("large", 900), ("middle", 200)] {
        a.fill(name, count).await;
    }
    a.raw("POST", "/collections/aliases", alias("shop", "large")).await;
    a.raw("POST", "/collections/aliases", alias("taken", "middle")).await;
    b.fill("own", 5).await;
    b.raw("POST", "/collections/aliases", alias("taken", "own")).await;
    let cli = Cli::for_servers(&[("a", &a), ("b", &b)]);
    let wrong = cli.run(&["copy", "--all", "a", "b", "--rename", "nope=x", "--yes"]).await;
    assert_eq!(wrong.code, 2, "{wrong:?}");
    let clash = cli.run(&["copy", "a/small", "a/middle", "b", "--rename", "small=middle", "--yes"]).await;
    assert!(clash.code == 2 && clash.stderr.contains("both become middle"), "{clash:?}");
    let all = ["copy", "--all", "a", "b", "--prefix", "stage-", "--rename", "small=tiny", "--aliases", "--output", "json"];
    let plan = cli.run(&[&all[..], &["--dry-run"]].concat()).await;
    let steps = plan.json()["plan"]["steps"].clone();
    assert!(steps[0]["text"].as_str().unwrap().contains("large"), "the largest first: {steps}");
    assert!(steps[1]["text"].as_str().unwrap().contains("make shop for b/stage-large"), "its alias: {steps}");
    let first = cli.run(&[&all[..], &["--yes"]].concat()).await;
    let report = first.json();
    assert_eq!((first.code, &report["verdict"]), (0, &json!("matches")), "{first:?}");
    assert_eq!(report["items"].as_array().unwrap().len(), 3);
    let whole = cli.run(&["history", "show", report["id"].as_str().unwrap(), "--markdown"]).await;
    for part in ["b/stage-large |  | matches", "b/stage-middle |  | matches", "b/tiny |  | matches"] {
        assert!(whole.stdout.contains(part), "one report has them all: {whole:?}");
    }
    for (name, count) in [("tiny", 20), ("stage-large", 900), ("stage-middle", 200)] {
        assert_eq!(b.count(name).await, count);
    }
    let aliases = b.raw("GET", "/aliases", json!({})).await["result"]["aliases"].clone();
    let of = |alias: &str| {
        let found = aliases.as_array().unwrap().iter().find(|one| one["alias_name"] == alias).cloned();
        found.map(|one| one["collection_name"].clone())
    };
    assert_eq!(of("shop"), Some(json!("stage-large")));
    assert_eq!(of("taken"), Some(json!("own")), "an alias that points elsewhere is not stolen");

    // The same again replaces them: that needs the instance typed.
    let again = cli.run(&[&all[..], &["--yes"]].concat()).await;
    assert_eq!(again.code, 7, "{again:?}");
    let wrong = cli.run(&[&all[..], &["--yes", "--confirm", "a"]].concat()).await;
    assert_eq!(wrong.code, 7, "{wrong:?}");
    let again = cli.run(&[&all[..], &["--yes", "--confirm", "b", "--skip", "safety"]].concat()).await;
    assert_eq!((again.code, &again.json()["verdict"]), (0, &json!("matches")), "{again:?}");
    assert_eq!(b.snapshots("tiny").await.len(), 0, "no safety snapshots, as asked");
    assert_eq!(a.snapshots("large").await.len(), 0, "and none of the copies' own");
}

#[tokio::test(flavor = "multi_thread")]
async fn staging_is_refreshed_on_sandboxes() {
    refreshed(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn staging_is_refreshed_on_real_servers() {
    refreshed(true).await;
}

/// Five collections on one side; on the other each restore takes its time.
async fn slow_pair(restore: &str) -> (Server, Server, Cli) {
    let seeds = (1..=5).map(|n| SeedCollection::new(&format!("c{n}"), 100 - n)).collect();
    let (a, b) = (Server::sandbox(None, seeds).await, Server::sandbox(None, vec![]).await);
    b.faults().add_all(&format!("recover:delay={restore}")).unwrap();
    let cli = Cli::for_servers(&[("a", &a), ("b", &b)]);
    (a, b, cli)
}

async fn items(cli: &Cli) -> Vec<Value> {
    cli.run(&["history", "--output", "json"]).await.json()["items"].as_array().unwrap().clone()
}

fn spawn(cli: &Cli, arguments: &[&str]) -> Child {
    cli.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Starts the copy of all five, and waits until a server has begun to restore one.
async fn begun(cli: &Cli) -> Child {
    let child = spawn(cli, &["copy", "--all", "a", "b", "--prefix", "k-", "--route", "url", "--yes"]);
    let handed_over = || {
        let folder = cli.home.path().join("state/qsnap/journal");
        let texts = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| std::fs::read_to_string(entry.path()));
        texts.flatten().any(|text| text.contains("handed-over"))
    };
    wait_until("a restore began", Duration::from_secs(30), async || handed_over()).await;
    child
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_waits_for_what_the_server_restores() {
    let (_a, b, cli) = slow_pair("2s").await;
    let child = begun(&cli).await;
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM).unwrap();
    let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    assert_eq!(output.status.code(), Some(143));
    let items = items(&cli).await;
    let (whole, parts) = items.split_last().unwrap();
    assert_eq!((&whole["state"], &whole["target"]), (&json!("canceled"), &json!("b")), "{whole}");
    assert!(parts.iter().any(|part| part["state"] == "matches"), "what was restoring came to its end: {items:?}");
    assert!(parts.iter().all(|part| part["state"] == "matches" || part["state"] == "canceled"), "{items:?}");
    assert!(items.iter().all(|item| item["open"] == false), "{items:?}");
    for part in parts.iter().filter(|part| part["state"] == "matches") {
        let name = part["target"].as_str().unwrap().trim_start_matches("b/").to_owned();
        assert!(b.count(&name).await > 90);
    }
    let shown = cli.run(&["history", "show", whole["id"].as_str().unwrap()]).await;
    for n in 1..=5 {
        assert!(shown.stdout.contains(&format!("b/k-c{n}")), "each is told of: {shown:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_does_not_lose_what_never_began() {
    let (_a, b, cli) = slow_pair("20s").await;
    let mut child = begun(&cli).await;
    child.kill().unwrap();
    child.wait().unwrap();
    b.faults().clear();
    let items = items(&cli).await;
    let whole = items.iter().find(|item| item["target"] == "b").unwrap();
    assert_eq!((&whole["open"], &whole["ways"]), (&json!(true), &json!(["clean-up"])), "{items:?}");
    let id = whole["id"].as_str().unwrap();
    let shown = cli.run(&["history", "show", id]).await.stdout;
    assert!(shown.contains("not begun; `qsnap copy a/c5 b/k-c5"), "{shown}");
    let last = cli.run(&["history", "show", "last", "--output", "json"]).await.json();
    assert_eq!(last["id"], whole["id"], "the last operation is the whole, and not whichever part began last");
    for way in ["roll-back", "continue"] {
        let refused = cli.run(&["history", way, id, "--yes", "--confirm", "b"]).await;
        assert!(refused.code == 7 && refused.stderr.contains("settle each of its parts"), "{refused:?}");
    }
    // A plan on one of those that broke off says so, also as one of several.
    let open = items.iter().find(|item| item["open"] == true && item["target"] != "b").unwrap();
    let name = open["target"].as_str().unwrap().trim_start_matches("b/k-").to_owned();
    let plan = cli.run(&["copy", &format!("a/{name}"), "a/c5", "b", "--prefix", "k-", "--dry-run", "--output", "json"]).await;
    assert!(plan.stdout.contains("still open"), "{plan:?}");
    let settled = cli.run(&["history", "clean-up", id, "--yes"]).await;
    assert_eq!(settled.code, 0, "{settled:?}");
    let again = cli.run(&["history", "clean-up", id, "--yes"]).await;
    assert_eq!(again.code, 7, "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_to_one_instance_do_not_stand_in_each_others_way() {
    let (_a, b, cli) = slow_pair("2s").await;
    let mut first = spawn(&cli, &["copy", "a/c1", "a/c2", "b", "--prefix", "x-", "--route", "url", "--yes"]);
    let whole = || !cli.records().is_empty();
    wait_until("the first one runs", Duration::from_secs(30), async || whole()).await;
    let second = cli.run(&["copy", "a/c3", "a/c4", "b", "--prefix", "y-", "--route", "url", "--yes"]).await;
    assert_eq!(second.code, 0, "{second:?}");
    assert!(first.wait().unwrap().success());
    for name in ["x-c1", "x-c2", "y-c3", "y-c4"] {
        assert!(b.count(name).await > 90, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_fails_does_not_hide_the_others() {
    let (_a, b, cli) = slow_pair("2s").await;
    b.faults().clear();
    b.faults().add_all("recover:status=500*1").unwrap();
    let partly = cli.run(&["copy", "a/c1", "a/c2", "a/c3", "b", "--route", "url", "--yes", "--output", "json"]).await;
    assert_eq!(partly.code, 3, "{partly:?}");
    let report = partly.json();
    assert_eq!((report["items"].as_array().unwrap().len(), report["errors"].as_array().unwrap().len()), (2, 1), "{report}");
    let shown = cli.run(&["history", "show", report["id"].as_str().unwrap()]).await.stdout;
    assert!(shown.contains("matches") && shown.contains("fault 500"), "{shown}");
    // All of them: that is no result that could be checked.
    b.faults().add_all("recover:status=500").unwrap();
    let none = cli.run(&["copy", "a/c4", "a/c5", "b", "--route", "url", "--yes"]).await;
    b.faults().clear();
    assert!(none.code != 0, "{none:?}");
    assert_eq!(items(&cli).await.into_iter().find(|item| item["target"] == "b").unwrap()["state"], "failed");
}
