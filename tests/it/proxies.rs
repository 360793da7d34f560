//! Proxies in front of a server, and addresses that are nearly right.

use crate::gate::{Gate, Verdict, answer, header};
use crate::support::{Cli, Ran, RealQdrant, Server, say};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use qsnap::sandbox::Sandbox;
use qsnap::sandbox::options::SandboxOptions;
use qsnap::sandbox::seed::SeedCollection;
use serde_json::json;

fn seeded() -> Vec<SeedCollection> {
    vec![SeedCollection { snapshot_ages: vec![60], ..SeedCollection::new("x", 50) }]
}

/// Lets in who has the password and the header.
fn guarded(head: &str) -> Verdict {
    // ops:pass word
    let knows = header(head, "authorization") == Some("Basic b3BzOnBhc3Mgd29yZA==") && header(head, "x-team") == Some("blue");
    if knows { Verdict::Pass } else { answer("401 Unauthorized", "www-authenticate: Basic realm=\"q\"\r\n", "<html>no</html>") }
}

fn assert_silent(ran: &Ran) {
    let said = format!("{ran:?}");
    for secret in ["pass word", "b3BzOn", "hunter2", "blue"] {
        assert!(!said.contains(secret), "{secret} is in {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn basic_auth_and_headers_open_a_proxy() {
    proxied(&Server::sandbox(Some("hunter2"), seeded()).await, &Server::sandbox(None, vec![]).await).await;
    if let (Some(real), Some(other)) = (RealQdrant::start(Some("hunter2")).await, RealQdrant::start(None).await) {
        real.fill("x", 50).await;
        proxied(&real, &other).await;
    }
}

async fn proxied(server: &Server, other: &Server) {
    let gate = Gate::open(&server.url(), guarded).await;
    let open = Gate::open(&other.url(), |_| Verdict::Pass).await;
    let config = format!(
        "[instances.a]\nurl = '{}'\ntimeout = '5s'\napi-key = 'hunter2'\nbasic-auth = {{ user = 'ops', password-file = 'secret' }}\n\
         headers = {{ X-Team = {{ command = 'echo blue' }} }}\n[instances.b]\nurl = '{}'\n",
        gate.http(),
        open.http()
    );
    let cli = Cli::new(&config);
    std::fs::write(cli.path("secret"), "pass word\n").unwrap();
    for arguments in [
        &["instances"][..],
        &["config", "check", "--output", "json"],
        &["config", "show"],
        &["snapshots", "create", "a/x", "-v"],
        &["snapshots", "download", "a/x@latest", "--to", "x.snapshot"],
        &["snapshots", "upload", "x.snapshot", "--to", "a/uploaded", "--yes"],
        &["copy", "a/x", "b/x", "--yes", "-v"],
        &["snapshots", "list", "a"],
    ] {
        let ran = cli.run(arguments).await;
        assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
        assert_silent(&ran);
    }
    // A link to its own node is let in, too.
    let listed = cli.run(&["snapshots", "list", "a/x", "--output", "json"]).await.json();
    let name = listed["items"][0]["name"].as_str().unwrap().to_owned();
    let ran = cli.run(&["inspect", &format!("{}/collections/x/snapshots/{name}", gate.http())]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_silent(&ran);
    // The key goes with every request, beside the password; the other instance gets nothing of it all.
    assert!(gate.heads().iter().all(|head| header(head, "api-key") == Some("hunter2")));
    assert!(!open.heads().is_empty());
    for head in open.heads() {
        for name in ["authorization", "x-team", "api-key"] {
            assert_eq!(header(&head, name), None, "{head}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_wants_a_password_says_so_in_plain_words() {
    let server = Server::sandbox(None, seeded()).await;
    let gate = Gate::open(&server.url(), guarded).await;
    let ran = Cli::new(&format!("[instances.a]\nurl = '{}'\n", gate.http())).run(&["collections"]).await;
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(ran.stderr.contains("asks for a user and a password") && ran.stderr.contains("basic-auth ="), "{ran:?}");
    let wrong = "basic-auth = { user = 'ops', password = 'hunter2' }";
    let ran = Cli::new(&format!("[instances.a]\nurl = '{}'\n{wrong}\n", gate.http())).run(&["collections"]).await;
    assert!(ran.code == 5 && ran.stderr.contains("refuses the user or the password"), "{ran:?}");
    assert_silent(&ran);
    let missing = "basic-auth = { user = 'ops', password-env = 'NO_SUCH' }\nheaders = { X-Team = { file = 'none' } }";
    let ran = Cli::new(&format!("[instances.a]\nurl = '{}'\n{missing}\n", gate.http())).run(&["config", "check"]).await;
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("$NO_SUCH") && ran.stderr.contains("header X-Team"), "both are named: {ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_servers_fetch_from_where_they_can_reach_it() {
    let a = Server::sandbox(Some("hunter2"), seeded()).await;
    let b = Server::sandbox(None, vec![]).await;
    let tunnel = Gate::open(&a.url(), |_| Verdict::Pass).await;
    let inside = Gate::open(&a.url(), |_| Verdict::Pass).await;
    let config = |more: &str| {
        format!("[instances.a]\nurl = '{}'\napi-key = 'hunter2'\n{more}\n[instances.b]\nurl = '{}'\n", tunnel.http(), b.url())
    };
    let plan = |cli: Cli| async move { cli.run(&["copy", "a/x", "b/x", "--dry-run"]).await.stdout };
    let guess = plan(Cli::new(&config(""))).await;
    assert!(guess.contains("by stream") && guess.contains("reachable-as"), "{guess}");

    let told = Cli::new(&config(&format!("reachable-as = ['{}']", inside.http())));
    let ran = told.run(&["copy", "a/x", "b/x", "--yes", "--output", "json"]).await;
    assert_eq!((ran.code, ran.json()["route"].as_str()), (0, Some("url")), "{ran:?}");
    let fetched = inside.heads();
    assert!(fetched.iter().any(|head| head.contains("/snapshots/") && header(head, "api-key") == Some("hunter2")), "{fetched:?}");
    let direct = tunnel.heads().iter().any(|head| head.starts_with("GET") && head.contains(".snapshot "));
    assert!(!direct, "the address for this machine is not handed on");
    // Asked for, the own address is handed over as it always was.
    let asked = Cli::new(&config("")).run(&["copy", "a/x", "b/asked", "--route", "url", "--yes", "--output", "json"]).await;
    assert_eq!((asked.code, asked.json()["route"].as_str()), (0, Some("url")), "{asked:?}");
}

/// An address of loopback that nobody else uses.
fn own_host(last: u8) -> String {
    let id = std::process::id();
    format!("127.{}.{}.{last}", 1 + id % 250, id / 250 % 250)
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_port_a_qdrant_is_looked_for_on_6333() {
    let host = own_host(7);
    qsnap::compose::install_crypto();
    let options = SandboxOptions {
        listen: format!("{host}:6333").parse().unwrap(),
        api_key: Some("hunter2".into()),
        ..SandboxOptions::default()
    };
    let Ok(_sandbox) = Sandbox::start(options, seeded()).await else {
        say("skipped: no address of its own on loopback");
        return;
    };
    let cli = Cli::new(&format!("[instances.a]\nurl = 'http://{host}'\napi-key = 'hunter2'\n"));
    for command in [&["instances"][..], &["config", "check"]] {
        let ran = cli.run(command).await;
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(ran.stdout.contains(&format!("http://{host}:6333")), "{ran:?}");
        assert!(ran.stderr.contains("names no port") && ran.stderr.contains("port 80 has no Qdrant"), "{ran:?}");
    }
    let listed = cli.run(&["instances", "--output", "json"]).await.json();
    assert!(listed["items"][0]["notes"][0].as_str().unwrap().contains("6333"), "{listed}");
    assert_eq!(cli.run(&["snapshots", "create", "a/x"]).await.code, 0);
    let shown = cli.run(&["config", "show"]).await;
    assert!(shown.stdout.contains("no port: 80 if a Qdrant answers there, else 6333"), "{shown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_sent_to_a_port_that_was_guessed() {
    let host = own_host(8);
    let stranger = Gate::at(&format!("{host}:6333"), "127.0.0.1:1", |_| answer("200 OK", "", "a shop")).await;
    let Some(stranger) = stranger else {
        say("skipped: no address of its own on loopback");
        return;
    };
    let cli = Cli::new(&format!("[instances.a]\nurl = 'http://{host}'\napi-key = 'hunter2'\n"));
    let ran = cli.run(&["collections"]).await;
    assert_eq!(ran.code, 6, "{ran:?}");
    assert!(ran.stderr.contains("not as a Qdrant") && ran.stderr.contains("names no port"), "{ran:?}");
    let heads = stranger.heads();
    assert!(!heads.is_empty() && heads.iter().all(|head| !head.contains("hunter2")), "{heads:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_root_is_no_problem() {
    root_closed(&Server::sandbox(Some("hunter2"), seeded()).await, "1.1").await;
    if let Some(real) = RealQdrant::start(Some("hunter2")).await {
        real.fill("x", 50).await;
        root_closed(&real, "1.16.3").await;
    }
}

async fn root_closed(server: &Server, version: &str) {
    for (status, body) in [("403 Forbidden", "<html>closed</html>"), ("404 Not Found", ""), ("200 OK", "<html>welcome</html>")] {
        let gate = Gate::open(&server.url(), move |head| match head.starts_with("GET / ") {
            true => answer(status, "", body),
            false => Verdict::Pass,
        })
        .await;
        let ran = Cli::new(&format!("[instances.a]\nurl = '{}'\napi-key = 'hunter2'\n", gate.http()))
            .run(&["instances", "--output", "json"])
            .await;
        assert_eq!(ran.code, 0, "{status}: {ran:?}");
        let item = ran.json()["items"][0].clone();
        assert!(item["version"].as_str().unwrap().starts_with(version) && item["state"] == "ok", "{item}");
    }
    // Telemetry closed, too: the version is unknown, and nothing else is wrong.
    let closed = |head: &str| ["GET / ", "GET /telemetry"].iter().any(|start| head.starts_with(start));
    let gate =
        Gate::open(&server.url(), move |head| if closed(head) { answer("403 Forbidden", "", "") } else { Verdict::Pass }).await;
    let cli = Cli::new(&format!("[instances.a]\nurl = '{}'\napi-key = 'hunter2'\n", gate.http()));
    let ran = cli.run(&["instances", "--output", "json"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let item = ran.json()["items"][0].clone();
    assert_eq!((&item["version"], &item["state"], &item["reachable"]), (&json!(null), &json!("ok"), &json!(true)), "{item}");
    assert_eq!(cli.run(&["snapshots", "create", "a/x"]).await.code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_that_are_nearly_right_are_named() {
    let server = Server::sandbox(None, seeded()).await;
    let url = server.url();
    for page in ["dashboard", "collections", "collections/x/"] {
        let cli = Cli::new(&format!("[instances.a]\nurl = '{url}/{page}'\n"));
        for command in ["instances", "collections"] {
            let ran = cli.run(&[command]).await;
            assert_eq!(ran.code, 1, "{page}: {ran:?}");
            assert!(ran.stderr.contains("is a page of the server") && ran.stderr.contains(&format!("write {url} in")), "{ran:?}");
            assert!(!ran.stderr.contains("deleted"), "{ran:?}");
        }
    }
    // What 1.16.3 sends on its port for gRPC, whatever it is asked.
    let settings = "\0\0\u{12}\u{4}\0\0\0\0\0\0\u{4}\0\u{10}\0\0\0\u{5}\0\0@\0\0\u{6}\u{1}\0\0\0";
    let grpc = Gate::open(&url, move |_| Verdict::Answer(settings.into())).await;
    for command in ["instances", "collections"] {
        let ran = Cli::new(&format!("[instances.a]\nurl = '{}'\n", grpc.http())).run(&[command]).await;
        assert!(ran.code == 1 && ran.stderr.contains("speaks gRPC"), "{ran:?}");
        assert!(!ran.stderr.contains("try again"), "{ran:?}");
    }
}

/// HTTP/2 does not wait to be asked.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_speaks_first_is_no_broken_connection() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"\0\0\x12\x04\0\0\0\0\0").await;
            let _ = stream.read(&mut [0; 512]).await;
        }
    });
    let ran = Cli::new(&format!("[instances.a]\nurl = '{url}'\n")).run(&["collections"]).await;
    assert!(ran.code == 1 && ran.stderr.contains("speaks gRPC") && !ran.stderr.contains("try again"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_token_is_called_that() {
    let server = Server::sandbox(None, seeded()).await;
    let gate = Gate::open(&server.url(), |head| {
        // As 1.16.3 answers.
        if head.starts_with("GET / ") { Verdict::Pass } else { answer("403 Forbidden", "", "ExpiredSignature") }
    })
    .await;
    let token = format!("eyJhbGciOiJIUzI1NiJ9.{}.c2lnbmF0dXJl", URL_SAFE_NO_PAD.encode(r#"{"exp":1000000000,"access":"m"}"#));
    let cli = Cli::new(&format!("[instances.a]\nurl = '{}'\napi-key = '{token}'\n", gate.http()));
    for command in ["instances", "collections"] {
        let ran = cli.run(&[command]).await;
        assert_eq!(ran.code, 5, "{ran:?}");
        assert!(ran.stderr.contains("expired at 2001-09-09 01:46:40 UTC") && !ran.stderr.contains("manage rights"), "{ran:?}");
        assert!(!format!("{ran:?}").contains("c2lnbmF0dXJl"), "the token is never shown: {ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshots_are_taken_through_an_upstream_of_http_1_0() {
    old_upstream(&Server::sandbox(None, seeded()).await).await;
    if let Some(real) = RealQdrant::start(None).await {
        real.fill("x", 50).await;
        old_upstream(&real).await;
    }
}

/// As nginx does it with `proxy_pass` and nothing else.
async fn old_upstream(server: &Server) {
    let gate = Gate::open(&server.url(), |head| Verdict::PassAs(head.replacen(" HTTP/1.1\r\n", " HTTP/1.0\r\n", 1))).await;
    let ran = Cli::new(&format!("[instances.a]\nurl = '{}'\n", gate.http())).run(&["snapshots", "create", "a/x"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let heads = gate.heads();
    let taken: Vec<&String> = heads.iter().filter(|head| head.starts_with("POST /collections/x/snapshots")).collect();
    assert!(!taken.is_empty() && taken.iter().all(|head| header(head, "content-length") == Some("2")), "{taken:?}");
}
