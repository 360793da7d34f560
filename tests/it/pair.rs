//! A sandbox and, where there is one, a real server: asked the same, they answer the same.

use crate::support::{RealQdrant, Server};
use qsnap::sandbox::options::SandboxOptions;
use serde_json::{Value, json};

/// One answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
    pub retry_after: Option<u64>,
}

impl Answer {
    pub fn error(&self) -> &str {
        self.body["status"]["error"].as_str().unwrap_or_default()
    }
}

/// Both servers.
pub struct Pair {
    pub sandbox: Server,
    pub real: Option<Server>,
}

impl Pair {
    pub async fn start() -> Self {
        Self::with(SandboxOptions::default(), &[]).await
    }

    pub async fn with(options: SandboxOptions, settings: &[(&str, &str)]) -> Self {
        let real = RealQdrant::start_with(options.api_key.as_deref(), settings).await;
        Self { sandbox: Server::with(options, vec![]).await, real }
    }

    /// Asks both; the answers must have this status, and the same words and delay.
    pub async fn ask(&self, status: u16, method: &str, path: &str, body: Value) -> Answer {
        self.ask_as(self.sandbox.key(), status, method, path, body).await
    }

    pub async fn ask_as(&self, key: Option<&str>, status: u16, method: &str, path: &str, body: Value) -> Answer {
        let what = format!("{method} {path} {body}");
        let sandbox = request(&self.sandbox, key, method, path, &body).await;
        assert_eq!(sandbox.status, status, "the sandbox: {what}: {sandbox:?}");
        if let Some(real) = &self.real {
            let real = request(real, key, method, path, &body).await;
            assert_eq!(real.status, status, "the real server: {what}: {real:?}");
            assert_eq!(words(sandbox.error()), words(real.error()), "{what}");
            let delays = (sandbox.retry_after.unwrap_or(0), real.retry_after.unwrap_or(0));
            assert!(
                sandbox.retry_after.is_some() == real.retry_after.is_some() && delays.0.abs_diff(delays.1) <= 1,
                "{what}: {delays:?}"
            );
        }
        sandbox
    }

    /// Asks both and compares a part of the answers.
    pub async fn compare(&self, path: &str, part: impl Fn(Value) -> Value) -> Value {
        let sandbox = part(request(&self.sandbox, self.sandbox.key(), "GET", path, &Value::Null).await.body);
        if let Some(real) = &self.real {
            assert_eq!(sandbox, part(request(real, real.key(), "GET", path, &Value::Null).await.body), "{path}");
        }
        sandbox
    }

    /// The configuration of a collection, but for what a newer version or the test's own settings add.
    pub async fn config(&self, collection: &str) -> Value {
        let part = |body: Value| {
            let mut config = body["result"]["config"].clone();
            config["optimizer_config"].as_object_mut().unwrap().remove("prevent_unoptimized");
            config["wal_config"].as_object_mut().unwrap().remove("wal_capacity_mb");
            config
        };
        self.compare(&format!("/collections/{collection}"), part).await
    }

    /// A collection with 60 points, `city` indexed.
    pub async fn fill(&self, name: &str) {
        for server in self.servers() {
            server.fill(name, 60).await;
        }
    }

    pub fn servers(&self) -> impl Iterator<Item = &Server> {
        std::iter::once(&self.sandbox).chain(&self.real)
    }

    /// Takes a snapshot of `from` on each server and restores it as `to`.
    pub async fn restore(&self, from: &str, to: &str) {
        for server in self.servers() {
            let answer = self.try_to_restore(server, from, to).await;
            assert_eq!(answer.status, 200, "{from} as {to}: {answer:?}");
        }
    }

    /// The same on one server, whatever comes of it.
    pub async fn try_to_restore(&self, server: &Server, from: &str, to: &str) -> Answer {
        let taken = server.raw("POST", &format!("/collections/{from}/snapshots"), json!({})).await;
        let name = taken["result"]["name"].as_str().unwrap();
        let location = format!("{}/collections/{from}/snapshots/{name}", server.url());
        let body = json!({"location": location, "priority": "snapshot", "api_key": server.key()});
        let answer = request(server, server.key(), "PUT", &format!("/collections/{to}/snapshots/recover"), &body).await;
        server.raw("DELETE", &format!("/collections/{from}/snapshots/{name}"), json!({})).await;
        answer
    }
}

/// Messages without the place in the request, and without what tells one word of a reader's library from another.
fn words(text: &str) -> String {
    let text = text.split(" at line ").next().unwrap_or_default();
    match text.strip_prefix("Format error in JSON body: ") {
        // Which type was expected is told in words of the parser.
        Some(rest) if rest.starts_with("invalid type") || rest.starts_with("invalid value") => "invalid type".to_owned(),
        _ => sorted(&without_time(text)),
    }
}

/// A limiter says how much is left and how long it takes: the two are asked one after the other.
fn without_time(text: &str) -> String {
    let Some((start, rest)) = text.split_once(" but only ") else { return text.to_owned() };
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let rest = rest.trim_end_matches('s').trim_end_matches(|c: char| c.is_ascii_digit());
    format!("{start} but only{rest}")
}

/// Several violations come in any order.
fn sorted(text: &str) -> String {
    let Some((start, list)) = text.strip_suffix(']').and_then(|text| text.split_once(": [")) else { return text.to_owned() };
    let mut parts: Vec<&str> = list.split("; ").collect();
    parts.sort_unstable();
    format!("{start}: [{}]", parts.join("; "))
}

pub async fn request(server: &Server, key: Option<&str>, method: &str, path: &str, body: &Value) -> Answer {
    request_to(&server.url(), key, method, path, body).await
}

/// Asks one address.
pub async fn request_to(url: &str, key: Option<&str>, method: &str, path: &str, body: &Value) -> Answer {
    qsnap::compose::install_crypto();
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    let mut request = reqwest::Client::new().request(method, format!("{url}{path}"));
    if !body.is_null() {
        request = request.json(body);
    }
    if let Some(key) = key {
        request = request.header("api-key", key);
    }
    let answer = request.send().await.unwrap();
    let retry_after = answer.headers().get("retry-after").map(|value| value.to_str().unwrap().parse().unwrap());
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or(json!({"status": {"error": text}}));
    Answer { status, body, retry_after }
}
