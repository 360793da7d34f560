//! `kill -9` between the steps of a backup and of a prune, at seeded moments; and both at the same time. `QSNAP_TEST_KILLS` is how
//! often each is tried.

use crate::care::{aged, cli, items, text};
use crate::support::{Cli, Server, files, say};
use serde_json::Value;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

fn rounds() -> u64 {
    std::env::var("QSNAP_TEST_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(12)
}

/// A moment of a round, the same in every run, below `most` milliseconds.
fn moment(round: u64, most: u64) -> Duration {
    let mixed = round.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    Duration::from_millis((mixed ^ (mixed >> 29)) % most)
}

/// Runs a command and kills it after a moment; says whether it was over before.
async fn killed(cli: &Cli, arguments: &[&str], after: Duration) -> bool {
    let mut child = cli.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // The moment is what is tried: there is no condition to wait for.
    tokio::time::sleep(after).await;
    let over = child.try_wait().unwrap().is_some();
    child.kill().unwrap();
    child.wait().unwrap();
    over
}

async fn all_good(cli: &Cli) -> Vec<Value> {
    let listed = items(cli).await;
    let bad: Vec<&Value> = listed.iter().filter(|item| text(item, "state") != "good").collect();
    assert!(bad.is_empty(), "{bad:?}");
    listed
}

async fn every_byte_is_right(cli: &Cli) {
    let verified = cli.run(&["verify", "--sample", "100%", "-q"]).await;
    assert_eq!(verified.code, 0, "{verified:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_backup_leaves_nothing_that_looks_like_one() {
    let server = Server::sandbox(None, vec![]).await;
    server.fill("one", 400).await;
    let home = tempfile::tempdir().unwrap();
    let cli = cli(&server, &home.path().join("offsite"), "", "");
    let (mut over, mut unfinished) = (0, 0);
    for round in 0..rounds() {
        over += usize::from(killed(&cli, &["backup", "a/one", "--yes"], moment(round, 700)).await);
        all_good(&cli).await;
    }
    let folder = home.path().join("offsite/a/one");
    if folder.exists() {
        unfinished = files(&folder).len() - all_good(&cli).await.len();
    }
    every_byte_is_right(&cli).await;
    say(&format!(
        "killed backups: {} rounds, {over} over before, {unfinished} unfinished folders, none taken for a backup",
        rounds()
    ));
    // What is young may be written right now: it stays, and is named.
    let pruned = cli.run(&["prune"]).await;
    assert!(pruned.code == 0 && (unfinished == 0 || pruned.stdout.contains("younger than a day")), "{pruned:?}");
}

/// Old enough to be pruned, all but two.
async fn many(cli: &Cli, folder: &Path) -> Vec<String> {
    assert_eq!(cli.run(&["backup", "a/one", "--yes"]).await.code, 0);
    let newest = items(cli).await[0].clone();
    for hours in 1..20 {
        aged(folder, &newest, hours);
    }
    // Two of one second are told apart by when they were taken, not by their ids.
    let mut all = items(cli).await;
    all.sort_by_key(|item| text(item, "taken_at").parse::<jiff::Timestamp>().unwrap());
    all.iter().rev().take(2).map(|item| text(item, "backup_id").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_prune_keeps_what_stays_and_finishes_later() {
    let server = Server::sandbox(None, vec![]).await;
    server.fill("one", 100).await;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("offsite");
    let cli = cli(&server, &folder, "", "keep = { last = 2 }");
    let mut kept = many(&cli, &folder).await;
    let mut over = 0;
    for round in 0..rounds() {
        if killed(&cli, &["prune", "--apply", "-q"], moment(round, 160)).await {
            over += 1;
            kept = many(&cli, &folder).await;
        }
        let listed = all_good(&cli).await;
        for id in &kept {
            assert!(listed.iter().any(|item| text(item, "backup_id") == id), "{id} must stay");
        }
    }
    say(&format!("killed prunes: {} rounds, {over} over before", rounds()));
    let last = cli.run(&["prune", "--apply"]).await;
    assert_eq!(last.code, 0, "{last:?}");
    every_byte_is_right(&cli).await;
    // A kill before the folder itself was removed leaves it empty.
    let group = folder.join("a/one");
    let with_files: Vec<String> = files(&group).into_iter().filter(|id| !files(&group.join(id)).is_empty()).collect();
    let within: Vec<Vec<String>> = with_files.iter().map(|id| files(&group.join(id))).collect();
    assert_eq!(with_files.len(), 2, "what the kills left is gone: {with_files:?} {within:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_and_a_prune_at_the_same_time_lose_nothing() {
    let server = Server::sandbox(None, vec![]).await;
    server.fill("one", 100).await;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("offsite");
    let cli = cli(&server, &folder, "", "keep = { last = 2 }");
    let elsewhere = self::cli(&server, &folder, "", "keep = { last = 2 }");
    many(&cli, &folder).await;
    for round in 0..rounds() {
        if round % 4 == 0 {
            many(&cli, &folder).await;
        }
        let (backup, prune) =
            tokio::join!(cli.run(&["backup", "a/one", "--yes", "--output", "json"]), elsewhere.run(&["prune", "--apply"]));
        assert_eq!(backup.code, 0, "{backup:?}");
        // What it was to remove may have changed by the backup: then it removed nothing, and says so.
        assert!(prune.code == 0 || (prune.code == 7 && prune.stderr.contains("stale")), "{prune:?}");
        let made = backup.json()["created"][0].as_str().unwrap().to_owned();
        assert!(all_good(&cli).await.iter().any(|item| text(item, "address") == made), "{made}");
    }
    every_byte_is_right(&cli).await;
}

/// Increments take bytes from older backups, which a prune removes meanwhile; each of both is killed at some moment.
#[tokio::test(flavor = "multi_thread")]
async fn killed_increments_and_prunes_leave_no_backup_that_lacks_an_object() {
    let server = Server::sandbox(None, vec![]).await;
    server.fill("one", 1_000).await;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("offsite");
    let cli = cli(&server, &folder, "", "keep = { last = 2 }");
    let elsewhere = self::cli(&server, &folder, "", "keep = { last = 2 }");
    let backup = ["backup", "a/one", "--kind", "shards", "--yes"];
    let prune = ["prune", "--apply", "-q"];
    let (mut over, mut removed) = ([0, 0], 0);
    for round in 0..rounds() {
        let payload = serde_json::json!({"payload": {"round": round}, "points": [round % 7 + 1]});
        server.raw("POST", "/collections/one/points/payload?wait=true", payload).await;
        let whole = cli.run(&backup).await;
        assert_eq!(whole.code, 0, "{whole:?}");
        let before = all_good(&cli).await.len();
        let (first, second) = tokio::join!(
            killed(&cli, &backup, moment(round, 500)),
            killed(&elsewhere, &prune, moment(round.wrapping_mul(31) + 5, 200)),
        );
        over[0] += usize::from(first);
        over[1] += usize::from(second);
        removed += (before + usize::from(first)).saturating_sub(all_good(&cli).await.len());
    }
    every_byte_is_right(&cli).await;
    say(&format!("killed increments and prunes: {} rounds, {over:?} over before, {removed} backups removed", rounds()));
    let last = cli.run(&["prune", "--apply"]).await;
    assert_eq!(last.code, 0, "{last:?}");
    every_byte_is_right(&cli).await;
    let restored = cli.run(&["restore", "offsite:a/one@latest", "--to", "a/again", "--mode", "new", "--yes"]).await;
    assert_eq!(restored.code, 0, "{restored:?}");
    let listed = all_good(&cli).await;
    assert_eq!(listed.len(), 2);
}
