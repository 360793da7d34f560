//! Snapshots of the full storage, and restoring a whole instance from one or from the backups of a run.

use crate::support::{Cli, RealQdrant, Server};
use serde_json::{Value, json};

fn text<'a>(item: &'a Value, name: &str) -> &'a str {
    item[name].as_str().unwrap_or_default()
}

/// Two instances; the first has three collections and two aliases, of which one name is taken on the second.
async fn pair(a: &Server, b: &Server) -> (Cli, tempfile::TempDir) {
    for (name, points) in [("one", 600), ("two", 300), ("mäggi", 20)] {
        a.fill(name, points).await;
    }
    for (alias, collection) in [("shop", "one"), ("kept", "two")] {
        let action = json!({"actions": [{"create_alias": {"collection_name": collection, "alias_name": alias}}]});
        a.raw("POST", "/collections/aliases", action).await;
    }
    b.fill("kept", 7).await;
    let home = tempfile::tempdir().unwrap();
    let cli = Cli::new(&format!(
        "[instances.a]\nurl = \"{}\"\n[instances.b]\nurl = \"{}\"\n[repositories.offsite]\nurl = \"file://{}\"\n",
        a.url(),
        b.url(),
        home.path().display()
    ));
    (cli, home)
}

async fn equal(cli: &Cli, first: &str, second: &str) {
    let compared = cli.run(&["compare", first, second, "--deep", "--output", "json"]).await;
    assert_eq!((compared.code, text(&compared.json(), "verdict")), (0, "matches"), "{first} {second}: {compared:?}");
}

async fn a_whole_instance(a: Server, b: Server) {
    let (cli, _home) = pair(&a, &b).await;
    // An instance is not meant by accident.
    let bare = cli.run(&["snapshots", "create", "a"]).await;
    assert!(bare.code == 2 && bare.stderr.contains("--storage a"), "{bare:?}");
    let created = cli.run(&["snapshots", "create", "--storage", "a", "--yes", "--output", "json"]).await;
    assert_eq!(created.code, 0, "{created:?}");
    let full = created.json()["created"][0].as_str().unwrap().to_owned();
    let listed = cli.run(&["snapshots", "list", "a", "--output", "json"]).await.json();
    assert!(listed["items"].as_array().unwrap().iter().any(|item| text(item, "address") == full), "{listed}");
    let inspected = cli.run(&["inspect", "a@latest", "--output", "json"]).await.json().to_string();
    assert!(inspected.contains("full") && inspected.contains("shop"), "{inspected}");

    // The plan says what goes where, and that a name is taken.
    let one = cli.run(&["restore", "a@latest", "--to", "b/x", "--yes"]).await;
    assert!(one.code == 2 && one.stderr.contains("--all"), "{one:?}");
    let plan = cli.run(&["restore", "--all", "a@latest", "--to", "b", "--dry-run", "--output", "json"]).await.json();
    let steps = plan["plan"]["steps"].as_array().unwrap();
    assert_eq!(steps.iter().filter(|step| text(step, "name") == "restore").count(), 3, "{plan}");
    assert!(plan.to_string().contains("kept is a collection on b"), "{plan}");
    let restored = cli.run(&["restore", "--all", "a@latest", "--to", "b", "--yes", "--output", "json"]).await;
    assert_eq!((restored.code, text(&restored.json(), "verdict")), (0, "matches"), "{restored:?}");
    for name in ["one", "two", "mäggi"] {
        equal(&cli, &format!("a/{name}"), &format!("b/{name}")).await;
    }
    assert_eq!((b.count("shop").await, b.count("kept").await), (600, 7), "the alias is back, and stole no name");

    // One of them; beside the one that is there. A name that is not in it.
    let beside = cli.run(&["restore", &format!("{full}#two"), "--to", "b/two", "--yes", "--output", "json"]).await;
    let report = beside.json();
    assert_eq!((beside.code, text(&report, "verdict"), text(&report, "mode")), (0, "matches", "side-by-side"), "{report}");
    let absent = cli.run(&["restore", &format!("{full}#nope"), "--to", "b/n", "--yes"]).await;
    assert!(absent.code == 1 && absent.stderr.contains("it holds mäggi, one, two"), "{absent:?}");

    // All of them beside what is there by now: no alias is put back for those.
    let all_beside = cli.run(&["restore", "--all", "a@latest", "--to", "b", "--yes", "--output", "json"]).await;
    assert_eq!((all_beside.code, text(&all_beside.json(), "verdict")), (0, "matches"), "{all_beside:?}");

    // From a local file, under other names, over what is there; and a file that is cut.
    let file = cli.path("full.snapshot");
    let file = file.to_str().unwrap();
    assert_eq!(cli.run(&["snapshots", "download", "a@latest", "--to", file]).await.code, 0);
    let renamed = cli.run(&["restore", "--all", file, "--to", "b", "--prefix=f-", "--rename", "one=first", "--yes"]).await;
    assert_eq!(renamed.code, 0, "{renamed:?}");
    equal(&cli, "a/one", "b/first").await;
    equal(&cli, "a/two", "b/f-two").await;
    a.fill("later", 5).await;
    let over = ["restore", "--all", file, "--to", "b", "--prefix=f-", "--rename", "one=first", "--mode", "in-place", "--yes"];
    let refused = cli.run(&over).await;
    assert!(refused.code == 7 && refused.stderr.contains("b"), "three are replaced: that wants the typed name: {refused:?}");
    let forced = [&over[..], &["--confirm", "b", "--force", "proof"]].concat();
    let replaced = cli.run(&forced).await;
    assert_eq!(replaced.code, 0, "{replaced:?}");
    equal(&cli, "a/mäggi", "b/f-mäggi").await;
    let bytes = std::fs::read(file).unwrap();
    std::fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
    let cut = cli.run(&["restore", "--all", file, "--to", "b", "--prefix=c-", "--yes"]).await;
    assert!(cut.code == 1 && cut.stderr.contains("cut"), "{cut:?}");
    let single = cli.run(&["restore", "--all", "a/one@latest", "--to", "b", "--yes"]).await;
    assert!(single.code == 2 && single.stderr.contains("is no set"), "{single:?}");

    // Deleted by its name, which is typed.
    assert_eq!(cli.run(&["snapshots", "delete", &full, "--yes"]).await.code, 7);
    assert_eq!(cli.run(&["snapshots", "delete", &full, "--yes", "--confirm", "a"]).await.code, 0);
    let gone = cli.run(&["restore", "--all", "a@latest", "--to", "b", "--yes"]).await;
    assert!(gone.code == 1 && gone.stderr.contains("there is no snapshot"), "{gone:?}");
}

async fn a_run_is_a_set(a: Server, b: Server) {
    let (cli, _home) = pair(&a, &b).await;
    a.fill("new", 3).await;
    assert_eq!(cli.run(&["backup", "a/new", "--yes"]).await.code, 0);
    a.raw("DELETE", "/collections/new", json!({})).await;
    let all = cli.run(&["backup", "--all", "a", "--yes", "--output", "json"]).await;
    assert_eq!(all.code, 0, "{all:?}");
    let note = all.json()["notes"].to_string();
    assert!(note.contains("qsnap restore --all offsite:a@"), "{note}");
    let plan = cli.run(&["restore", "--all", "offsite:a@latest", "--to", "b", "--dry-run"]).await;
    assert!(plan.stdout.contains("no backup of new"), "{plan:?}");
    let restored = cli.run(&["restore", "--all", "offsite:a@latest", "--to", "b", "--yes", "--output", "json"]).await;
    assert_eq!((restored.code, text(&restored.json(), "verdict")), (0, "matches"), "{restored:?}");
    for name in ["one", "two", "mäggi"] {
        equal(&cli, &format!("a/{name}"), &format!("b/{name}")).await;
    }
    assert_eq!(b.count("shop").await, 600);
    // A run of which a part is gone says so.
    let two = cli.run(&["backups", "list", "a/two", "--output", "json"]).await.json()["items"][0]["address"].clone();
    assert_eq!(cli.run(&["backups", "delete", two.as_str().unwrap(), "--yes", "--confirm", "a/two"]).await.code, 0);
    let part = cli.run(&["restore", "--all", "offsite:a@latest", "--to", "b", "--dry-run"]).await;
    assert!(part.stdout.contains("to back up 3 collections, and 2 are there"), "{part:?}");
    let none = cli.run(&["restore", "--all", "offsite:b@latest", "--to", "b", "--yes"]).await;
    assert!(none.code == 1 && none.stderr.contains("there is no such set"), "{none:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_instance_comes_back_on_sandboxes() {
    a_whole_instance(Server::sandbox(None, vec![]).await, Server::sandbox(None, vec![]).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_instance_comes_back_on_real_servers() {
    let (Some(a), Some(b)) = (RealQdrant::start(None).await, RealQdrant::start(None).await) else { return };
    a_whole_instance(a, b).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_backups_is_a_set_on_sandboxes() {
    a_run_is_a_set(Server::sandbox(None, vec![]).await, Server::sandbox(None, vec![]).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_backups_is_a_set_on_real_servers() {
    let (Some(a), Some(b)) = (RealQdrant::start(None).await, RealQdrant::start(None).await) else { return };
    a_run_is_a_set(a, b).await;
}
