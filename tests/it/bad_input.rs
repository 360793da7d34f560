//! Bad input: each gets a clear message, loses nothing, and leaves nothing half-written under a final name.

use crate::support::{Cli, Ran, RealQdrant, Server, World, files, files_below, instance, say};
use qsnap::domain::instance::Protection;
use qsnap::sandbox::seed::SeedCollection;
use serde_json::json;
use std::process::Command;

fn seeded() -> Vec<SeedCollection> {
    vec![SeedCollection { filler: 3_000_000, snapshot_ages: vec![60], ..SeedCollection::new("x", 50) }]
}

/// Runs a command; checks its exit code and that what, where, why and next are said.
async fn fails(cli: &Cli, arguments: &[&str], code: i32, words: &[&str]) -> Ran {
    let ran = cli.run(arguments).await;
    assert_eq!(ran.code, code, "{arguments:?}: {ran:?}");
    assert!(ran.stderr.contains("error: ") && ran.stderr.contains("hint: "), "{arguments:?}: {ran:?}");
    for word in words {
        assert!(ran.stderr.contains(word), "{arguments:?}: `{word}` is not in {ran:?}");
    }
    assert!(!ran.stderr.contains('\u{1b}'), "no escape sequence: {ran:?}");
    ran
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_and_missing_keys() {
    let server = Server::sandbox(Some("right"), seeded()).await;
    for key in ["", "api-key = 'wrong'\n"] {
        let cli = Cli::new(&format!("[instances.a]\nurl = '{}'\n{key}", server.url()));
        fails(&cli, &["collections"], 5, &["a at http://", "key"]).await;
        fails(&cli, &["snapshots", "create", "a/x"], 5, &["key"]).await;
    }
    let cli = Cli::new(&format!("[instances.a]\nurl = '{}'\napi-key-command = 'echo wrong-secret'\n", server.url()));
    let ran = cli.run(&["collections", "-v"]).await;
    assert!(!format!("{ran:?}").contains("wrong-secret"), "{ran:?}");
    let cli = Cli::new(&format!("[instances.a]\nurl = '{}'\napi-key-command = 'exit 9'\n", server.url()));
    fails(&cli, &["collections"], 2, &["api-key-command failed"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_instance_beside_a_healthy_one() {
    let server = Server::sandbox(None, seeded()).await;
    let slow = Server::sandbox(None, seeded()).await;
    slow.faults().add_all("any:delay=1h").unwrap();
    let config = format!(
        "[instances.dead]\nurl = 'http://127.0.0.1:1'\n[instances.good]\nurl = '{}'\n[instances.slow]\nurl = '{}'\ntimeout = '1s'\n",
        server.url(),
        slow.url()
    );
    let cli = Cli::new(&config);
    let ran = cli.run(&["collections", "--output", "json"]).await;
    assert_eq!(ran.code, 3, "{ran:?}");
    let list = ran.json();
    assert_eq!(list["items"][0]["address"], json!("good/x"));
    let broken: Vec<&str> = list["errors"].as_array().unwrap().iter().map(|e| e["instance"].as_str().unwrap()).collect();
    assert_eq!(broken, ["dead", "slow"]);
    fails(&cli, &["collections", "dead"], 6, &["dead at http://127.0.0.1:1", "refused"]).await;
    fails(&cli, &["collections", "slow"], 6, &["no answer in time"]).await;
    fails(&cli, &["collections", "nobody"], 2, &["no instance is called `nobody`", "dead, good, slow"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn not_a_qdrant_and_a_proxy_in_between() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = [0; 1024];
            let _ = stream.read(&mut buffer).await;
            let body = "hello \u{1b}[2J there";
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    fails(&Cli::new(&format!("[instances.a]\nurl = '{url}'\n")), &["instances"], 1, &["not Qdrant's", "6333"]).await;
    let server = Server::sandbox(None, seeded()).await;
    server.faults().add_all("any:status=502").unwrap();
    let cli = Cli::for_servers(&[("a", &server)]);
    fails(&cli, &["collections"], 1, &["web page", "proxy"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn short_outages_are_bridged_and_long_ones_reported() {
    let server = Server::sandbox(None, seeded()).await;
    let cli = Cli::for_servers(&[("a", &server)]);
    server.faults().add_all("list:status=503*2").unwrap();
    assert_eq!(cli.run(&["collections", "a"]).await.code, 0);
    server.faults().add_all("list:status=503*9").unwrap();
    fails(&cli, &["collections", "a"], 1, &["tried 3 times"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn downloads_that_go_wrong_leave_no_final_file() {
    let server = Server::sandbox(None, seeded()).await;
    let cli = Cli::for_servers(&[("a", &server)]);
    let download = ["snapshots", "download", "a/x@latest", "--to", "."];
    let before = files(cli.home.path());
    for (faults, code, words) in [
        ("download:vanish", 1, "not found"),
        ("download:vanish@2", 1, "not found"),
        ("download:status=403", 5, "fault 403"),
        ("download:status=500", 1, "fault 500"),
    ] {
        server.faults().add_all(faults).unwrap();
        fails(&cli, &download, code, &[words]).await;
        let left = files(cli.home.path());
        assert_eq!(left.iter().filter(|name| name.contains(".snapshot")).count(), 0, "{faults}: {left:?} {before:?}");
        server.faults().clear();
    }
    for faults in ["any:wrong-checksum*4", "any:wrong-checksum,download:ignore-range"] {
        server.faults().add_all(faults).unwrap();
        fails(&cli, &download, 4, &[".corrupt"]).await;
        let left = files(cli.home.path());
        assert!(!left.iter().any(|name| name.ends_with(".snapshot") || name.ends_with(".part")), "{faults}: {left:?}");
        server.faults().clear();
    }
    assert_eq!(cli.run(&download).await.code, 0, "after all that it still works");
    fails(&cli, &download, 7, &["exists already", "--overwrite"]).await;
    assert_eq!(cli.run(&[&download[..], &["--overwrite", "--yes"]].concat()).await.code, 0);
    fails(&cli, &["snapshots", "download", "a/x@latest", "--to", "/no/such/folder/x"], 7, &["does not exist"]).await;
    fails(&cli, &["snapshots", "download", "a/x/none.snapshot"], 1, &["no snapshot called none.snapshot"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_named_and_leaves_nothing() {
    let server = Server::sandbox(None, seeded()).await;
    let cli = Cli::for_servers(&[("a", &server)]);
    let small = cli.path("small");
    std::fs::create_dir(&small).unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(&small).output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        say("skipped: cannot mount a small tmpfs");
        return;
    }
    let target = small.to_str().unwrap();
    let ran = cli.run(&["snapshots", "download", "a/x@latest", "--to", target]).await;
    let left = files(&small);
    let _ = Command::new("umount").arg(&small).output();
    assert_eq!(ran.code, 7, "{ran:?}");
    assert!(ran.stderr.contains("needed, only") && ran.stderr.contains("free some space"), "{ran:?}");
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn collection_names_of_every_kind() {
    names(&Server::sandbox(None, vec![]).await).await;
    if let Some(real) = RealQdrant::start(None).await {
        names(&real).await;
    }
}

async fn names(server: &Server) {
    let long = "n".repeat(150);
    let all = ["with space", "日本語の集まり", "שלום-عالم", "a@b", "50%", "it's", long.as_str()];
    let cli = Cli::for_servers(&[("a", server)]);
    for name in all {
        let encoded = reqwest::Url::parse("http://h").map(|mut url| {
            url.path_segments_mut().unwrap().push(name);
            url.path().to_owned()
        });
        let path = format!("/collections{}", encoded.unwrap());
        server.raw("PUT", &path, json!({"vectors": {"size": 2, "distance": "Dot"}})).await;
        server
            .raw("PUT", &format!("{path}/points?wait=true"), json!({"points": [{"id": 1, "vector": [1, 2], "payload": {}}]}))
            .await;
    }
    let list = cli.run(&["collections", "--output", "json"]).await.json();
    let addresses: Vec<String> =
        list["items"].as_array().unwrap().iter().map(|item| item["address"].as_str().unwrap().to_owned()).collect();
    assert_eq!(addresses.len(), all.len());
    for address in &addresses {
        let ran = cli.run(&["snapshots", "create", address]).await;
        assert_eq!(ran.code, 0, "{address}: {ran:?}");
        let ran = cli.run(&["snapshots", "download", &format!("{address}@latest")]).await;
        assert_eq!(ran.code, 0, "{address}: {ran:?}");
    }
    let downloaded = files(cli.home.path()).iter().filter(|name| name.ends_with(".snapshot")).count();
    assert_eq!(downloaded, all.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_server_cannot_reach_terminal_or_folder() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = axum::Router::new()
        .route("/", axum::routing::get(|| async { axum::Json(json!({"title": "qdrant - x", "version": "1.18.3"})) }))
        .route(
            "/collections",
            axum::routing::get(|| async {
                axum::Json(json!({"status": "ok", "result": {"collections": [{"name": "e\u{1b}[2Jvil"}]}}))
            }),
        )
        .route("/aliases", axum::routing::get(|| async { axum::Json(json!({"status": "ok", "result": {"aliases": []}})) }))
        .fallback(|request: axum::extract::Request| async move {
            let path = request.uri().path().to_owned();
            if path.ends_with("/snapshots") {
                let name = "../../../../tmp/\u{1b}]0;pwned\u{7}evil.snapshot";
                return axum::Json(json!({"status": "ok", "result": [{"name": name, "size": 4, "creation_time": null}]}));
            }
            axum::Json(json!({"status": {"error": "no \u{1b}[31m"}}))
        });
    tokio::spawn(async move { axum::serve(listener, app).await });
    let cli = Cli::new(&format!("[instances.a]\nurl = '{url}'\n"));
    for arguments in [
        &["collections"][..],
        &["snapshots", "list", "a"],
        &["snapshots", "download", "a/e%1B[2Jvil@latest"],
        &["snapshots", "create", "a/x"],
    ] {
        let ran = cli.run(arguments).await;
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(!said.contains('\u{1b}') && !said.contains('\u{7}'), "{arguments:?}: {said:?}");
    }
    assert!(!std::path::Path::new("/tmp/evil.snapshot").exists());
}

#[tokio::test]
async fn configurations_that_cannot_be_right() {
    for (text, words) in [
        ("instanses = 1", "did you mean `instances`?"),
        ("[instances.a]\nurl = 'http://h'\nprotecton = 'open'", "did you mean `protection`?"),
        ("[instances.a]\nurl = 'localhost:6333'", "http"),
        ("[instances.a]\nurl = 'http://user:hunter2@h'", "carries a user or password"),
        ("[instances.a", "line 1"),
    ] {
        let cli = Cli::new(text);
        let ran = cli.run(&["instances"]).await;
        assert_eq!(ran.code, 2, "{text}: {ran:?}");
        assert!(ran.stderr.contains(words) && ran.stderr.contains("hint: "), "{text}: {ran:?}");
        assert!(!ran.stderr.contains("hunter2"), "{ran:?}");
    }
    let cli = Cli::new("");
    fails(&cli, &["--config", "/", "instances"], 2, &["cannot be read"]).await;
    fails(&cli, &["--url", "nonsense", "instances"], 2, &["not a URL"]).await;
}

#[tokio::test]
async fn command_lines_that_cannot_be_right() {
    let cli = Cli::new("[instances.a]\nurl = 'http://127.0.0.1:1'\n");
    for arguments in [
        &["snapshots", "download", "a/x"][..],
        &["snapshots", "delete", "a/x@latest"],
        &["restore", "a/x", "--to", "a/y"],
        &["restore", "a/x@latest", "--to", "a"],
        &["copy", "a/x", "a/x"],
        &["restore", "./none.snapshot", "--to", "a/y", "--route", "url"],
        &["snapshots", "create", "a b/x"],
    ] {
        fails(&cli, arguments, 2, &[]).await;
    }
    fails(&cli, &["restore", "./none.snapshot", "--to", "a/y"], 1, &["none.snapshot"]).await;
    let ran = cli.run(&["explode"]).await;
    assert_eq!(ran.code, 2);
}

#[tokio::test]
async fn with_json_every_answer_is_json() {
    let cli = Cli::new("[instances.a]\nurl = 'http://127.0.0.1:1'\napi-key = 'hunter2'\n");
    for arguments in [&["explode", "--output", "json"][..], &["--output=json", "restore"], &["config", "--output", "json"]] {
        let ran = cli.run(arguments).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{arguments:?}: {ran:?}");
        let document: serde_json::Value = serde_json::from_str(&ran.stderr).unwrap_or_else(|why| panic!("{why}: {ran:?}"));
        let error = &document["error"];
        assert_eq!((&document["version"], &error["kind"]), (&json!(1), &json!("usage")), "{document}");
        for field in ["message", "on", "advice"] {
            assert!(error[field].is_string(), "{field}: {document}");
        }
    }
    let shown = cli.run(&["config", "show", "--output", "json"]).await;
    let instance = shown.json()["instances"][0].clone();
    assert_eq!((&instance["name"], &instance["api_key"]["from"]), (&json!("a"), &json!("file")), "{instance}");
    assert!(!shown.stdout.contains("hunter2"), "{shown:?}");
    let path = cli.run(&["config", "path", "--output", "json"]).await.json();
    assert!(path["path"].as_str().unwrap().ends_with("config.toml") && path["found"] == true, "{path}");
    let new = cli.path("new.toml");
    let written = cli.run(&["--config", new.to_str().unwrap(), "config", "init", "--output", "json"]).await.json();
    assert_eq!(written["written"], json!(new.to_str().unwrap()));
    let checked = cli.run(&["config", "check", "--output", "json"]).await;
    assert_eq!(checked.code, 6, "{checked:?}");
    assert!(checked.json()["warnings"][0].as_str().unwrap().contains("others can read the API key"), "{checked:?}");
}

#[tokio::test]
async fn without_a_configuration_the_way_to_one_is_shown() {
    let cli = Cli::new("");
    std::fs::remove_file(cli.path("config.toml")).unwrap();
    let mut command = cli.command(&["collections"]);
    command.env_remove("QSNAP_CONFIG").env("XDG_CONFIG_HOME", cli.home.path()).env("QDRANT_URL", "http://127.0.0.1:1");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let file = cli.path("qsnap/config.toml");
    for words in [file.to_str().unwrap(), "qsnap config init", "QDRANT_URL", "qsnap demo"] {
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[tokio::test]
async fn a_commands_own_options_stand_together() {
    let help = Cli::new("").run(&["restore", "--help"]).await.stdout;
    let (own, global) = help.split_once("Global options:").unwrap();
    for option in ["--to", "--mode", "--route", "--skip", "--force", "--deep"] {
        assert!(own.contains(option) && !global.contains(&format!("{option} ")), "{option}: {help}");
    }
    for option in ["--config", "--url", "--output", "--yes", "--verbose"] {
        assert!(global.contains(option) && !own.contains(&format!("{option} <")), "{option}: {help}");
    }
}

/// A name with a line break is not its neighbour's name without one, whatever a parser of addresses makes of it. Real
/// servers take such names (1.16.3).
#[tokio::test(flavor = "multi_thread")]
async fn a_neighbour_is_never_met() {
    let Some(server) = RealQdrant::start(None).await else { return };
    server.fill("nl", 5).await;
    server.fill("tu", 7).await;
    let cli = Cli::for_servers(&[("a", &server)]);
    for (odd, neighbour, points) in [("n%0Al", "nl", 5), ("t%09u", "tu", 7)] {
        server.fill(odd, 2).await;
        let address = format!("a/{odd}");
        let listed = cli.run(&["collections", "a", "--output", "json"]).await.json();
        let row = listed["items"].as_array().unwrap().iter().find(|row| row["address"] == address.as_str()).unwrap().clone();
        assert_eq!(row["points"], 2, "{row}");
        assert_eq!(cli.run(&["snapshots", "create", &address]).await.code, 0);
        let dropped = cli.run(&["drop", &address, "--yes", "--confirm", &address]).await;
        assert_eq!(dropped.code, 0, "{dropped:?}");
        assert_eq!((server.count(neighbour).await, server.snapshots(neighbour).await.len()), (points, 0), "{odd}");
        let left = cli.run(&["collections", "a", "--output", "json"]).await.stdout;
        assert!(!left.contains(odd), "{left}");
    }
    for name in ["a/.", "a/..", "a/%2E%2E"] {
        fails(&cli, &["drop", name, "--yes", "--confirm", name], 2, &["mean folders"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_restores_say_what_is_there_now() {
    let a = Server::sandbox(None, seeded()).await;
    let b = Server::sandbox(None, vec![SeedCollection::new("kept", 7)]).await;
    let cli = Cli::for_servers(&[("a", &a), ("b", &b)]);
    // Broken right after the last byte: whether the server restores now, only a look can tell.
    assert_eq!(cli.run(&["snapshots", "download", "a/x@latest", "--to", "whole.snapshot"]).await.code, 0);
    let whole = std::fs::read(cli.path("whole.snapshot")).unwrap();
    let at_the_end = format!("upload:reset={}*1", whole.len());
    for (faults, words) in [
        (&at_the_end[..], "not proven that the server restored"),
        ("upload:reset=1MB*1", "not proven that the server restored"),
        ("upload:status=502*1", "proxy"),
        ("upload:status=500*1", "fault 500"),
    ] {
        b.faults().add_all(faults).unwrap();
        fails(&cli, &["restore", "a/x@latest", "--to", "b/new", "--yes", "--route", "stream"], 1, &["does not exist, as before"])
            .await;
        b.faults().clear();
        // Over what is there: nothing happens to it.
        b.faults().add_all(faults).unwrap();
        let over = [
            "restore",
            "a/x@latest",
            "--to",
            "b/kept",
            "--mode",
            "in-place",
            "--yes",
            "--confirm",
            "b/kept",
            "--route",
            "stream",
        ];
        let ran = fails(&cli, &over, 1, &["nothing happened to b/kept"]).await;
        // A server that refuses before it has read the body may cut the line before its answer is read.
        assert!(
            ran.stderr.contains(words)
                || ran.stderr.contains("the stream broke after")
                || ran.stderr.contains("the connection broke")
                || ran.stderr.contains("restored nothing"),
            "{faults}: {ran:?}"
        );
        assert_eq!(b.count("kept").await, 7);
        b.faults().clear();
        // The same without the proof restore: the old data stays, and the way back is named.
        b.faults().add_all(faults).unwrap();
        let hasty = [&over[..], &["--skip", "proof"]].concat();
        fails(&cli, &hasty, 1, &["b/kept has 7 points", "b/kept is as it was", "safety snapshot b/kept/"]).await;
        assert_eq!(b.count("kept").await, 7);
        b.faults().clear();
    }
    a.faults().add_all("download:vanish@1").unwrap();
    fails(&cli, &["restore", "a/x@latest", "--to", "b/new", "--yes", "--route", "stream"], 1, &["does not exist, as before"])
        .await;
    a.faults().clear();
    std::fs::write(cli.path("junk.snapshot"), vec![7; 5_000]).unwrap();
    fails(&cli, &["restore", "./junk.snapshot", "--to", "b/new", "--yes"], 7, &["no tar archive"]).await;
    std::fs::write(cli.path("cut.snapshot"), &whole[..whole.len() / 2]).unwrap();
    fails(&cli, &["restore", "./cut.snapshot", "--to", "b/new", "--yes"], 7, &["it is cut", "at byte"]).await;
    std::fs::write(cli.path("empty.snapshot"), "").unwrap();
    fails(&cli, &["restore", "./empty.snapshot", "--to", "b/new", "--yes"], 2, &["is empty"]).await;
    assert_eq!(b.count("kept").await, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_nowhere() {
    let a = Server::sandbox(Some("hunter2-a"), seeded()).await;
    let b = Server::sandbox(Some("hunter2-b"), vec![]).await;
    let cli = Cli::for_servers(&[("a", &a), ("b", &b)]);
    let mut said = String::new();
    for arguments in [
        &["config", "show"][..],
        &["copy", "a/x", "b/x", "--yes", "-v", "--output", "json"],
        &["copy", "a/none", "b/x", "--yes"],
        &["instances", "--output", "json"],
    ] {
        said.push_str(&format!("{:?}", cli.run(arguments).await));
    }
    for entry in files_below(&cli.path("state")) {
        said.push_str(&std::fs::read_to_string(entry).unwrap());
    }
    assert!(said.contains("step-end"), "the journal was read");
    assert!(!said.contains("hunter2"), "{said}");
    let world = World::new(vec![instance("a", &a.urls(), a.key(), Protection::Open)]);
    assert!(!format!("{:?}", world.services.instances()).contains("hunter2"));
}

/// P14: a server cannot take a snapshot of a collection with a very long name; that is said before it is asked.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_too_long_for_a_snapshot_is_refused_with_its_length() {
    let mut servers = vec![Server::sandbox(None, vec![]).await];
    servers.extend(RealQdrant::start(None).await);
    for server in &servers {
        let cli = Cli::for_servers(&[("a", server)]);
        let (longest, too_long) = ("n".repeat(195), format!("{}ab", "日".repeat(66)));
        for (name, works) in [(&longest, true), (&too_long, false)] {
            let path = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string();
            server.raw("PUT", &format!("/collections/{path}"), json!({"vectors": {"size": 2, "distance": "Dot"}})).await;
            let point = json!({"points": [{"id": 1, "vector": [1, 2]}]});
            server.raw("PUT", &format!("/collections/{path}/points?wait=true"), point).await;
            let address = format!("a/{path}");
            let ran = cli.run(&["snapshots", "create", &address]).await;
            assert_eq!(ran.code, if works { 0 } else { 7 }, "{ran:?}");
            assert!(works || ran.stderr.contains("its name has 200 bytes"), "{ran:?}");
            if works {
                // Names of our own beside it are not longer than it can be.
                let point = format!("{address}@latest");
                let over = ["restore", &point, "--to", &address, "--mode", "in-place", "--yes", "--confirm", &address];
                let restored = cli.run(&over).await;
                assert_eq!(restored.code, 0, "{restored:?}");
            }
        }
    }
}
