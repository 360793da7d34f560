//! What a proxy before a server does, as the sandbox plays it.

use crate::pair::{Pair, request};
use crate::support::Server;
use qsnap::sandbox::options::SandboxOptions;
use qsnap::sandbox::seed::SeedCollection;
use reqwest::{Client, Response};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn seeded(options: SandboxOptions) -> Server {
    let seed = SeedCollection { snapshot_ages: vec![60], ..SeedCollection::new("alpha", 50) };
    Server::with(options, vec![seed]).await
}

fn is_page(answer: &Response, status: u16) -> bool {
    answer.status() == status && answer.headers()["content-type"] == "text/html"
}

async fn get(url: &str) -> Response {
    Client::new().get(url).send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_of_a_proxy_come_before_those_of_the_server() {
    let options = SandboxOptions {
        api_key: Some("k".into()),
        basic_auth: Some(("us er".into(), "pass:wörd".into())),
        required_header: Some(("x-team".into(), "search".into())),
        ..SandboxOptions::default()
    };
    let server = seeded(options).await;
    let url = format!("{}/collections", server.url());
    let refused = Client::new().get(&url).header("api-key", "k").send().await.unwrap();
    assert!(is_page(&refused, 401) && refused.headers()["www-authenticate"] == "Basic realm=\"restricted\"", "{refused:?}");
    assert!(is_page(&get(&server.url()).await, 401), "the root is behind it too");
    let known = || Client::new().get(&url).basic_auth("us er", Some("pass:wörd"));
    assert!(is_page(&known().header("api-key", "k").send().await.unwrap(), 403), "the header is missing");
    let unknown = known().header("x-team", "search").send().await.unwrap();
    assert_eq!(
        (unknown.status().as_u16(), unknown.headers().contains_key("content-type")),
        (401, false),
        "the server's own word"
    );
    let through = known().header("x-team", "search").header("api-key", "k").send().await.unwrap();
    assert_eq!(through.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_close_limit_and_delay() {
    let server = seeded(SandboxOptions::default()).await;
    let scroll = "/collections/alpha/points/scroll";
    server.faults().add_all("root:page=403,points:largest=2000,points:retry-after=12*1").unwrap();
    assert!(is_page(&get(&server.url()).await, 403));
    assert_eq!(get(&format!("{}/collections", server.url())).await.status(), 200);
    let limited = request(&server, None, "POST", scroll, &json!({"limit": 1})).await;
    assert_eq!((limited.status, limited.retry_after), (429, Some(12)));
    assert_eq!(request(&server, None, "POST", scroll, &json!({"limit": 1})).await.status, 200);
    let large = request(&server, None, "POST", scroll, &json!({"limit": 50, "with_vector": true})).await;
    assert_eq!(large.status, 502);
    assert!(large.error().starts_with("<html>"), "{large:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn downloads_come_without_a_length() {
    let server = seeded(SandboxOptions::default()).await;
    let name = server.snapshots("alpha").await.remove(0);
    let url = format!("{}/collections/alpha/snapshots/{name}", server.url());
    let whole = get(&url).await.bytes().await.unwrap();
    server.faults().add_all("download:chunked").unwrap();
    let answer = get(&url).await;
    assert_eq!((answer.content_length(), answer.headers()["transfer-encoding"].to_str().unwrap()), (None, "chunked"));
    assert_eq!(answer.bytes().await.unwrap(), whole);
    let part = Client::new().get(&url).header("range", "bytes=100-").send().await.unwrap();
    assert_eq!((part.status().as_u16(), part.content_length()), (206, None));
    assert_eq!(part.bytes().await.unwrap(), whole[100..]);
}

/// Sends a request as it stands; gives the first line of the answer, and its end.
async fn spoken(server: &Server, text: &str) -> (String, bool) {
    let mut stream = tokio::net::TcpStream::connect(server.url().trim_start_matches("http://")).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let status = answer.split(' ').nth(1).unwrap().to_owned();
    (status, answer.ends_with("\r\n\r\n"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_of_http_1_0_without_a_length_is_refused_without_a_word() {
    let pair = Pair::start().await;
    pair.fill("c").await;
    for server in pair.servers() {
        let post = "POST /collections/c/snapshots HTTP/1.0\r\nHost: x\r\nConnection: close\r\n";
        assert_eq!(spoken(server, &format!("{post}\r\n")).await, ("400".into(), true));
        assert_eq!(spoken(server, &format!("{post}Content-Length: 0\r\n\r\n")).await.0, "200");
        assert_eq!(
            spoken(server, &format!("{post}Content-Length: 2\r\nContent-Type: application/json\r\n\r\n{{}}")).await.0,
            "200"
        );
    }
    pair.sandbox.faults().add_all("create:wants-body").unwrap();
    let path = "/collections/c/snapshots";
    let refused = request(&pair.sandbox, None, "POST", path, &Value::Null).await;
    assert_eq!((refused.status, refused.error()), (400, ""));
    assert_eq!(request(&pair.sandbox, None, "POST", path, &json!({})).await.status, 200);
}
