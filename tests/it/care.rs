//! The life of backups on the command line: several at once, notes and holds, retention, verification, drills, and the watch over
//! them. On the sandbox, and on a real server where there is one.

use crate::support::{Cli, RealQdrant, Server, World, files_below};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const KEEP: &str = "keep = { last = 2, daily = 3 }";

/// A configuration with instance `a` and the directory repository `offsite`.
pub fn cli(server: &Server, folder: &Path, more: &str, keep: &str) -> Cli {
    std::fs::create_dir_all(folder).unwrap();
    let (url, folder) = (server.url(), folder.display());
    Cli::new(&format!("{more}\n[instances.a]\nurl = \"{url}\"\n[repositories.offsite]\nurl = \"file://{folder}\"\n{keep}\n"))
}

pub async fn items(cli: &Cli) -> Vec<Value> {
    cli.run(&["backups", "list", "--output", "json"]).await.json()["items"].as_array().unwrap().clone()
}

pub fn text<'a>(item: &'a Value, name: &str) -> &'a str {
    item[name].as_str().unwrap_or_default()
}

/// Hours from a moment back to an hour of a day before it, so that what falls on which day does not depend on when a test runs.
fn back_to(item: &Value, days: i64, hour: i64) -> i64 {
    let taken: jiff::Timestamp = text(item, "taken_at").parse().unwrap();
    days * 24 + taken.as_second() / 3_600 % 24 - hour
}

/// A copy of a backup as if it had been taken `hours` earlier.
pub fn aged(folder: &Path, item: &Value, hours: i64) -> PathBuf {
    let (collection, id) = (text(item, "collection"), text(item, "backup_id"));
    let taken: jiff::Timestamp = text(item, "taken_at").parse().unwrap();
    let then = jiff::Timestamp::from_second(taken.as_second() - hours * 3_600).unwrap();
    let old_id =
        format!("{}-{:04x}", then.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ"), hours.unsigned_abs() % 0xffff);
    let (from, to) = (folder.join("a").join(collection).join(id), folder.join("a").join(collection).join(&old_id));
    std::fs::create_dir_all(&to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
    let manifest = to.join("backup.json");
    let mut read: Value = serde_json::from_slice(&std::fs::read(&manifest).unwrap()).unwrap();
    read["id"] = json!(old_id);
    read["taken_at"] = json!(then.to_string());
    std::fs::write(manifest, serde_json::to_vec(&read).unwrap()).unwrap();
    to
}

async fn life(server: Server) {
    for name in ["one", "two", "mäggi"] {
        server.fill(name, 300).await;
    }
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("offsite");
    let cli = cli(&server, &folder, "rpo = \"1h\"\nprove-every = \"2d\"", KEEP);

    // Late at first.
    for arguments in [&["check", "--max-age", "soon"][..], &["check", "--config", "/none/such.toml"]] {
        let unknown = cli.run(arguments).await;
        assert_eq!(unknown.code, 3, "2 would be critical: {unknown:?}");
    }
    let late = cli.run(&["check"]).await;
    assert_eq!(late.code, 2, "{late:?}");
    assert!(late.stdout.starts_with("CRITICAL: 3 critical") && late.stdout.contains("there is no good backup"), "{late:?}");

    // All of them, silent where it has nothing to say.
    let all = cli.run(&["backup", "--all", "--prune", "--yes", "-q"]).await;
    assert_eq!((all.code, all.stdout.as_str(), all.stderr.as_str()), (0, "", ""), "{all:?}");
    let listed = items(&cli).await;
    assert_eq!(listed.len(), 3);
    assert!(listed.iter().all(|item| text(item, "state") == "good" && item["points"] == 300), "{listed:?}");

    // In time, but not proven.
    let metrics = cli.path("qsnap.prom");
    let unproven = cli.run(&["check", "--metrics", metrics.to_str().unwrap()]).await;
    assert_eq!(unproven.code, 1, "{unproven:?}");
    assert!(unproven.stdout.contains("no backup was ever proven"), "{unproven:?}");
    let written = std::fs::read_to_string(&metrics).unwrap();
    assert!(written.contains("qsnap_backup_points{instance=\"a\",collection=\"one\"} 300"), "{written}");

    // Every byte of one; a rehearsal of another; a restore that matches would do as well.
    let one = listed.iter().find(|item| text(item, "collection") == "one").unwrap().clone();
    let address = text(&one, "address");
    let verified = cli.run(&["verify", address, "--output", "json"]).await;
    assert_eq!((verified.code, text(&verified.json(), "verdict")), (0, "matches"), "{verified:?}");
    let drilled = cli.run(&["drill", "a/two", "--yes", "--output", "json", "--deep"]).await;
    let report = drilled.json();
    assert_eq!((drilled.code, text(&report, "verdict")), (0, "matches"), "{drilled:?}");
    assert!(report["notes"][0].as_str().unwrap().starts_with("time to recover: "), "{report}");
    let left = cli.run(&["collections", "a", "--output", "json"]).await.json();
    assert_eq!(left["items"].as_array().unwrap().len(), 3, "the scratch collection is gone: {left}");
    let third = cli.run(&["verify", "--sample", "1%", "--output", "json"]).await;
    assert_eq!((third.code, text(&third.json()["items"][0], "target").contains("ggi")), (0, true), "{third:?}");
    let good = cli.run(&["check", "-q"]).await;
    assert_eq!((good.code, good.stdout.as_str()), (0, ""), "{good:?}");
    assert_eq!(cli.run(&["check", "--max-age", "1d"]).await.code, 0);
    let shown = cli.run(&["backups", "show", "offsite:a/two@latest"]).await;
    assert!(shown.code == 0 && shown.stdout.contains("drill by") && shown.stdout.contains("proof restore"), "{shown:?}");

    retention(&cli, &folder, &one).await;
    damage(&cli, &folder, &one).await;

    // A file, as it was made; and what is deleted by name.
    let target = cli.path("saved.snapshot");
    let saved = cli.run(&["backups", "download", "offsite:a/two@latest", "--to", target.to_str().unwrap()]).await;
    assert_eq!(saved.code, 0, "{saved:?}");
    let two = items(&cli).await.into_iter().find(|item| text(item, "collection") == "two").unwrap();
    let address = text(&two, "address");
    assert_eq!(cli.run(&["backups", "delete", address, "--yes"]).await.code, 7);
    let deleted = cli.run(&["backups", "delete", address, "--yes", "--confirm", "a/two"]).await;
    assert_eq!(deleted.code, 0, "{deleted:?}");
    assert!(!folder.join("a/two").exists(), "empty folders go too");
}

async fn retention(cli: &Cli, folder: &Path, one: &Value) {
    let held = aged(folder, one, 500);
    for (day, hour) in [(1, 15), (1, 14), (1, 13), (2, 14), (2, 13), (10, 14)] {
        aged(folder, one, back_to(one, day, hour));
    }
    let id = held.file_name().unwrap().to_str().unwrap();
    let address = format!("offsite:a/one@{id}");
    assert_eq!(cli.run(&["backups", "hold", &address, "audit", "2026"]).await.code, 0);
    assert_eq!(cli.run(&["backups", "note", &address, "before the migration"]).await.code, 0);
    let noted = items(cli).await.into_iter().find(|item| text(item, "backup_id") == id).unwrap();
    assert_eq!((text(&noted, "hold"), text(&noted, "note")), ("audit 2026", "before the migration"));
    std::fs::write(folder.join("README.txt"), "ours").unwrap();
    std::fs::write(held.parent().unwrap().join("stranger"), "x").unwrap();

    // What is shown is what happens.
    let dry = cli.run(&["prune", "--output", "json"]).await;
    let plan = dry.json();
    let removed: Vec<&str> =
        plan["plan"]["steps"].as_array().unwrap().iter().filter(|s| s["name"] == "remove").map(|s| text(s, "text")).collect();
    assert_eq!((dry.code, removed.len()), (0, 4), "{plan}");
    assert_eq!(items(cli).await.len(), 10, "a dry run removes nothing");
    nothing_is_written_read_only(cli, &address, folder).await;
    let pruned = cli.run(&["prune", "--apply"]).await;
    assert_eq!(pruned.code, 0, "{pruned:?}");
    assert!(pruned.stdout.contains("4 removed"), "{pruned:?}");
    let left = items(cli).await;
    assert_eq!(left.len(), 6, "{left:?}");
    assert!(removed.iter().all(|gone| !left.iter().any(|item| gone.contains(text(item, "backup_id")))), "{removed:?}");
    assert!(folder.join("README.txt").exists() && held.parent().unwrap().join("stranger").exists(), "what is not ours stays");
    let again = cli.run(&["prune", "--apply"]).await;
    assert!(again.code == 0 && again.stdout.contains("0 removed"), "{again:?}");
    let refused = cli.run(&["backups", "delete", &address, "--yes", "--confirm", "a/one"]).await;
    assert_eq!(refused.code, 7, "a held one is not deleted: {refused:?}");
    assert_eq!(cli.run(&["backups", "release", &address]).await.code, 0);
    assert!(cli.run(&["prune", "--apply"]).await.stdout.contains("1 removed"));
}

/// One byte of the newest is changed, on the disk.
async fn nothing_is_written_read_only(cli: &Cli, address: &str, folder: &Path) {
    let before = files_below(folder);
    for arguments in [
        &["prune", "--apply"][..],
        &["backups", "delete", address, "--yes", "--confirm", "a/one"],
        &["backups", "note", address, "x"],
        &["backups", "hold", address, "x"],
        &["backups", "release", address],
        &["backup", "a/one", "--yes"],
    ] {
        let refused = cli.run(&[arguments, &["--read-only"]].concat()).await;
        assert_eq!(refused.code, 7, "{arguments:?}: {refused:?}");
        assert!(refused.stderr.contains("read-only"), "{refused:?}");
    }
    let verified = cli.run(&["verify", "offsite:a/one@latest", "--read-only"]).await;
    assert!(verified.code == 0 && verified.stdout.contains("not recorded"), "{verified:?}");
    assert_eq!(files_below(folder), before);
}

async fn damage(cli: &Cli, folder: &Path, one: &Value) {
    let place = folder.join("a/one").join(text(one, "backup_id"));
    let file = std::fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().path());
    let file = file.into_iter().find(|path| path.extension().is_some_and(|extension| extension == "snapshot")).unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let found = cli.run(&["verify", text(one, "address"), "--output", "json"]).await;
    assert_eq!((found.code, text(&found.json(), "verdict")), (4, "differs"), "{found:?}");
    let bad = items(cli).await.into_iter().find(|item| item["backup_id"] == one["backup_id"]).unwrap();
    assert_eq!(text(&bad, "state"), "bad");
    let check = cli.run(&["check", "--output", "json"]).await;
    assert_eq!((check.code, text(&check.json(), "state")), (2, "critical"), "the one before is too old: {check:?}");
    // Only what is known to be good is the latest.
    let latest = cli.run(&["backups", "show", "offsite:a/one@latest", "--output", "json"]).await.json();
    assert_ne!(latest["backup"]["backup_id"], one["backup_id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_are_cared_for_on_a_sandbox() {
    life(Server::sandbox(None, vec![]).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_are_cared_for_on_a_real_server() {
    let Some(server) = RealQdrant::start(None).await else { return };
    life(server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_fails_stops_no_other_and_what_cannot_be_read_is_unknown() {
    let server = Server::sandbox(None, vec![]).await;
    server.fill("one", 50).await;
    server.fill("two", 50).await;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("offsite");
    let cli = cli(&server, &folder, "rpo = \"1h\"", KEEP);
    server.faults().add_all("create:status=500*1").unwrap();
    let partly = cli.run(&["backup", "--all", "--yes", "--output", "json"]).await;
    assert_eq!(partly.code, 3, "{partly:?}");
    assert_eq!(items(&cli).await.len(), 1);
    assert_eq!(cli.run(&["check"]).await.code, 2);

    // A dead instance: what is in the repository is still judged, and the rest is unknown.
    let dead = Cli::new(&format!(
        "rpo = \"1h\"\n[instances.a]\nurl = \"http://127.0.0.1:9\"\n[repositories.offsite]\nurl = \"file://{}\"\n",
        folder.display()
    ));
    let unknown = dead.run(&["check"]).await;
    assert!(unknown.code == 3 && unknown.stdout.contains("UNKNOWN a:"), "{unknown:?}");
    // A repository that cannot be read: nothing is called late.
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::write(&folder, "no folder").unwrap();
    let unread = cli.run(&["check"]).await;
    assert_eq!(unread.code, 3, "{unread:?}");
    // Nothing is wanted: nothing can be late, and that is no OK.
    let silent = Cli::for_servers(&[("a", &server)]);
    let nothing = silent.run(&["check"]).await;
    assert!(nothing.code == 3 && nothing.stdout.contains("nothing is wanted"), "{nothing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshots_on_nodes_are_pruned_by_the_rules_of_their_instance() {
    let server = Server::sandbox(None, vec![]).await;
    server.fill("one", 20).await;
    let url = server.url();
    let cli = Cli::new(&format!("[instances.a]\nurl = \"{url}\"\nkeep = {{ last = 1 }}\n"));
    for _ in 0..3 {
        assert_eq!(cli.run(&["snapshots", "create", "a/one"]).await.code, 0);
    }
    let before = server.snapshots("one").await;
    let dry = cli.run(&["prune", "--server", "a"]).await;
    assert!(dry.code == 0 && dry.stderr.contains("--apply removes"), "{dry:?}");
    assert_eq!(server.snapshots("one").await, before);
    let applied = cli.run(&["prune", "--server", "a", "--apply"]).await;
    assert!(applied.code == 0, "{applied:?}");
    assert_eq!(server.snapshots("one").await.len(), 1);
    assert_eq!(cli.run(&["prune", "--server"]).await.code, 2);
}

/// The fleet of a large instance without a repository looks at what is wanted; monitoring looks at everything.
#[tokio::test(flavor = "multi_thread")]
async fn monitoring_passes_no_collection_over_however_many_there_are() {
    use qsnap::ops::survey::watch::{Reach, watch};
    let server = Server::sandbox(None, vec![]).await;
    for name in ["one", "two"] {
        server.fill(name, 10).await;
    }
    let world = World::open(&[("a", &server)]);
    let hour = Some(std::time::Duration::from_secs(3_600));
    let all = watch(&world.services, hour, Reach::All).await;
    assert_eq!((all.items.len(), all.counts()), (2, [0, 0, 2, 0]), "{all:?}");
    let bounded = watch(&world.services, None, Reach::UpTo(1)).await;
    assert!(bounded.items.is_empty() && bounded.problems.is_empty(), "nothing is wanted of them: {bounded:?}");
    assert_eq!(watch(&world.services, None, Reach::UpTo(2)).await.items.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_hears_of_success_and_failure() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hook = format!("http://{}/secret-token", listener.local_addr().unwrap());
    let (heard, mut hear) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut all = Vec::new();
            let mut chunk = [0; 65_536];
            let body = loop {
                let read = stream.read(&mut chunk).await.unwrap_or(0);
                all.extend_from_slice(&chunk[..read]);
                let text = String::from_utf8_lossy(&all).into_owned();
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let length =
                    head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
                if body.len() >= length.unwrap().parse::<usize>().unwrap() || read == 0 {
                    break body.to_owned();
                }
            };
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n").await;
            let _ = heard.send(serde_json::from_str::<Value>(&body).unwrap());
        }
    });
    let server = Server::sandbox(None, vec![]).await;
    server.fill("one", 20).await;
    let home = tempfile::tempdir().unwrap();
    let cli = cli(&server, &home.path().join("offsite"), &format!("webhook = \"{hook}\""), "");
    assert_eq!(cli.run(&["backup", "a/one", "--yes"]).await.code, 0);
    let success = hear.recv().await.unwrap();
    assert_eq!((text(&success, "operation"), &success["version"]), ("backup", &json!(1)));
    let absent = cli.run(&["backup", "a/absent", "--yes"]).await;
    assert_eq!(absent.code, 1, "{absent:?}");
    let failure = hear.recv().await.unwrap();
    assert!(failure["error"]["message"].is_string(), "{failure}");
    server.faults().add_all("download:status=500").unwrap();
    assert_ne!(cli.run(&["backup", "a/one", "--yes"]).await.code, 0);
    assert!(hear.recv().await.unwrap()["error"].is_object());
    server.faults().clear();
    // One that does not answer is said, and changes nothing.
    let deaf = self::cli(&server, &home.path().join("offsite"), "webhook = \"http://127.0.0.1:9/secret-token\"", "");
    let told = deaf.run(&["backup", "a/one", "--yes"]).await;
    assert!(told.code == 0 && told.stdout.contains("the webhook was not told"), "{told:?}");
    assert!(!format!("{told:?}").contains("secret-token"));
}

/// Three collections over S3: all verbs, a restore by signed link and by stream, and one without qsnap.
async fn over_s3(a: Server, b: Server) {
    let store = crate::s3_server::S3Server::start();
    for (name, points) in [("one", 500), ("two", 300), ("three", 20)] {
        a.fill(name, points).await;
    }
    let (id, secret) = (crate::s3_server::KEY, crate::s3_server::SECRET);
    let cli = Cli::new(&format!(
        "rpo = \"1h\"\n[instances.a]\nurl = \"{}\"\n[instances.b]\nurl = \"{}\"\n[repositories.offsite]\n\
         url = \"s3://{}/qdrant\"\nendpoint = \"{}\"\nregion = \"us-east-1\"\naccess-key-id = \"{id}\"\n\
         secret-access-key = \"{secret}\"\nkeep = {{ last = 1 }}\n",
        a.url(),
        b.url(),
        crate::s3_server::BUCKET,
        store.url
    ));
    for _ in 0..2 {
        let all = cli.run(&["backup", "--all", "a", "--yes"]).await;
        assert_eq!(all.code, 0, "{all:?}");
    }
    assert_eq!(items(&cli).await.len(), 6);
    let verified = cli.run(&["verify", "--sample", "100%", "--output", "json"]).await;
    assert_eq!((verified.code, text(&verified.json(), "verdict")), (0, "matches"), "{verified:?}");
    let drilled = cli.run(&["drill", "a/one", "--on", "b", "--yes", "--output", "json"]).await;
    assert_eq!((drilled.code, text(&drilled.json(), "verdict")), (0, "matches"), "{drilled:?}");
    let dry = cli.run(&["prune", "--output", "json"]).await.json();
    let removed = dry["plan"]["steps"].as_array().unwrap().iter().filter(|step| step["name"] == "remove").count();
    assert_eq!((removed, items(&cli).await.len()), (3, 6));
    let applied = cli.run(&["prune", "--apply"]).await;
    assert!(applied.code == 0 && applied.stdout.contains("3 removed"), "{applied:?}");
    assert_eq!(items(&cli).await.len(), 3);
    for (route, to) in [("url", "by-link"), ("stream", "by-stream")] {
        let to = format!("b/{to}");
        let restored =
            cli.run(&["restore", "offsite:a/one@latest", "--to", &to, "--route", route, "--yes", "--output", "json"]).await;
        let report = restored.json();
        assert_eq!((restored.code, text(&report, "verdict"), text(&report, "route")), (0, "matches", route), "{report}");
    }
    assert_eq!((b.count("by-link").await, b.count("by-stream").await), (500, 500));
    // The plain object, by another client: its bytes lie in the store as Qdrant made them.
    let shown = cli.run(&["backups", "show", "offsite:a/one@latest", "--output", "json"]).await.json();
    let object = &shown["manifest"]["objects"][0];
    let key = format!("qdrant/a/one/{}/{}", text(&shown["backup"], "backup_id"), text(object, "name"));
    let plain = store.folder.path().join(crate::s3_server::BUCKET).join(key);
    let form = format!("snapshot=@{}", plain.display());
    let url = format!("{}/collections/by-curl/snapshots/upload?priority=snapshot", b.url());
    let curl = std::process::Command::new("curl").args(["-sf", "-X", "POST", &url, "-F", &form]).output().unwrap();
    assert!(curl.status.success(), "{curl:?}");
    assert_eq!(b.count("by-curl").await, 500);
    assert_eq!(cli.run(&["check", "-q"]).await.code, 2, "what was restored on b has no backup");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_has_the_whole_life_on_sandboxes() {
    over_s3(Server::sandbox(None, vec![]).await, Server::sandbox(None, vec![]).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_has_the_whole_life_on_real_servers() {
    let (Some(a), Some(b)) = (RealQdrant::start(None).await, RealQdrant::start(None).await) else { return };
    over_s3(a, b).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_kept_and_said() {
    let server = Server::sandbox(None, vec![]).await;
    server.fill("one", 50).await;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("offsite");
    let cli = cli(&server, &folder, "rpo = \"1h\"", "keep = { last = 1 }");
    assert_eq!(cli.run(&["backup", "a/one", "--yes"]).await.code, 0);
    let newest = items(&cli).await[0].clone();
    let old = aged(&folder, &newest, 5);

    // A hold that was damaged still holds, and the list says so.
    let id = old.file_name().unwrap().to_str().unwrap();
    assert_eq!(cli.run(&["backups", "hold", &format!("offsite:a/one@{id}"), "audit"]).await.code, 0);
    let note = std::fs::read_dir(old.join("notes")).unwrap().next().unwrap().unwrap().path();
    std::fs::write(&note, "").unwrap();
    let pruned = cli.run(&["prune", "--apply"]).await;
    assert!(old.join("backup.json").exists() && pruned.stdout.contains("0 removed"), "{pruned:?}");
    let listed = cli.run(&["backups", "list"]).await;
    assert!(listed.code == 3 && listed.stderr.contains("a note of a backup cannot be read"), "{listed:?}");
    std::fs::remove_file(&note).unwrap();

    // A link that leads round in a circle, and a pipe: named, and nothing waits for them.
    std::os::unix::fs::symlink(".", folder.join("loop")).unwrap();
    let pipe = std::process::Command::new("mkfifo").arg(folder.join("a/one/pipe")).status().unwrap();
    assert!(pipe.success());
    let strange = cli.run(&["backups", "list"]).await;
    assert!(strange.code == 0 && strange.stderr.contains("2 object(s) are not qsnap's"), "{strange:?}");
    assert_eq!(cli.run(&["check"]).await.code, 0);
    std::fs::remove_file(folder.join("loop")).unwrap();
    std::fs::remove_file(folder.join("a/one/pipe")).unwrap();

    // A folder that is a link to somewhere else: nothing is removed there.
    let outside = home.path().join("outside");
    std::fs::rename(&old, &outside).unwrap();
    std::os::unix::fs::symlink(&outside, &old).unwrap();
    let linked = cli.run(&["prune", "--apply"]).await;
    assert!(outside.join("backup.json").exists(), "{linked:?}");
    std::fs::remove_file(&old).unwrap();

    // A rehearsal that gets other bytes than the manifest says calls the backup bad.
    let place = folder.join("a/one").join(text(&newest, "backup_id"));
    let file = std::fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().path());
    let file = file.into_iter().find(|path| path.extension().is_some_and(|extension| extension == "snapshot")).unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    // In the data, where the archive itself stays whole.
    let at = bytes.windows(4).rposition(|four| four == b"Oslo").unwrap();
    bytes[at] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let drilled = cli.run(&["drill", "a/one", "--yes"]).await;
    assert_ne!(drilled.code, 0, "{drilled:?}");
    assert_eq!(text(&items(&cli).await[0], "state"), "bad", "{drilled:?}");
    assert_eq!(cli.run(&["check"]).await.code, 2);
    // So does a restore.
    for note in std::fs::read_dir(place.join("notes")).unwrap() {
        std::fs::remove_file(note.unwrap().path()).unwrap();
    }
    assert_eq!(text(&items(&cli).await[0], "state"), "good");
    let source = format!("offsite:a/one@{}", text(&newest, "backup_id"));
    let restored = cli.run(&["restore", &source, "--to", "a/again", "--yes"]).await;
    assert_eq!(restored.code, 4, "{restored:?}");
    assert_eq!(text(&items(&cli).await[0], "state"), "bad", "{restored:?}");

    // Without its manifest it is no stranger, and a mark of a newer format stops what removes.
    std::fs::remove_file(place.join("backup.json")).unwrap();
    assert_eq!(text(&items(&cli).await[0], "state"), "unreadable");
    std::fs::write(folder.join("qsnap-repository.json"), r#"{"format":2,"id":"x","created_at":"2026-11-22T03:00:00Z"}"#).unwrap();
    let newer = cli.run(&["prune", "--apply"]).await;
    assert!(newer.code == 2 && newer.stderr.contains("newer qsnap"), "{newer:?}");
    assert!(cli.run(&["check"]).await.code >= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_can_be_pruned() {
    let server = Server::sandbox(None, vec![]).await;
    server.fill("one", 20).await;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("offsite");
    std::fs::create_dir(&folder).unwrap();
    let mounted = std::process::Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"]).arg(&folder).output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        crate::support::say("skipped: cannot mount a small tmpfs");
        return;
    }
    let cli = cli(&server, &folder, "", "keep = { last = 1 }");
    let backed_up = cli.run(&["backup", "a/one", "--yes"]).await;
    let one = items(&cli).await[0].clone();
    let old = aged(&folder, &one, 30);
    let mut rest = std::fs::File::create(folder.join("somebody's")).unwrap();
    while std::io::Write::write_all(&mut rest, &[7; 512]).is_ok() {}
    let pruned = cli.run(&["prune", "--apply"]).await;
    let (gone, left) = (!old.exists(), items(&cli).await.len());
    let _ = std::process::Command::new("umount").arg("-l").arg(&folder).output();
    assert_eq!((backed_up.code, pruned.code, gone, left), (0, 0, true, 1), "{pruned:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pruning_after_a_backup_leaves_what_others_keep_there() {
    let server = Server::sandbox(None, vec![]).await;
    server.fill("one", 20).await;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("offsite");
    let cli = cli(&server, &folder, "", "keep = { last = 1 }");
    assert_eq!(cli.run(&["backup", "a/one", "--yes"]).await.code, 0);
    let one = items(&cli).await[0].clone();
    for hours in [30, 60] {
        aged(&folder, &one, hours);
    }
    // Another machine backs its own instance up into the same repository, by its own rules.
    let copied = std::process::Command::new("cp").arg("-r").arg(folder.join("a")).arg(folder.join("theirs")).status().unwrap();
    assert!(copied.success());
    for backup in std::fs::read_dir(folder.join("theirs/one")).unwrap() {
        let manifest = backup.unwrap().path().join("backup.json");
        let text = std::fs::read_to_string(&manifest).unwrap();
        std::fs::write(&manifest, text.replace("\"instance\": \"a\"", "\"instance\": \"theirs\"")).unwrap();
    }
    assert_eq!(items(&cli).await.len(), 6);
    let all = cli.run(&["backup", "--all", "--prune", "--yes"]).await;
    assert_eq!(all.code, 0, "{all:?}");
    let left = items(&cli).await;
    let of = |name: &str| left.iter().filter(|item| text(item, "instance") == name).count();
    assert_eq!((of("a"), of("theirs")), (1, 3), "{left:?}");
    let pruned = cli.run(&["prune", "--apply"]).await;
    assert!(pruned.code == 0 && pruned.stdout.contains("0 removed"), "no rule holds for what is not configured: {pruned:?}");
    // No name of an operation is cut within a letter.
    assert_eq!(cli.run(&["history", "show", "1234567é"]).await.code, 1);
}
