//! Keys: everything, reading, one collection, or nothing (1.18.3; the early check answers in text without a type).

use crate::sandbox::answer::{Answer, Refusal, build};
use crate::sandbox::world::Node;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;

/// Which collections the key of a request may see; used by handlers that list collections.
#[derive(Debug, Clone, Default)]
pub(super) struct Reach(Option<String>);

impl Reach {
    /// Whether a collection or an alias of that name may be seen.
    pub(super) fn sees(&self, name: &str) -> bool {
        self.0.as_deref().is_none_or(|only| only == name)
    }
}

/// Why a key is refused.
enum Denied {
    /// There is none, or an unknown one.
    Key(&'static str),
    /// It lacks the right.
    Right(Refusal),
}

/// Lets a request through, or refuses it as the real server does.
pub(super) async fn check(State(node): State<Node>, mut request: Request, next: Next) -> Answer {
    match reach(&node, &request) {
        Ok(reach) => {
            request.extensions_mut().insert(reach);
            next.run(request).await
        }
        Err(Denied::Key(words)) => build(StatusCode::UNAUTHORIZED, None, words.into()),
        Err(Denied::Right(refusal)) => shown(refusal, request.method(), request.uri().path()),
    }
}

fn reach(node: &Node, request: &Request) -> Result<Reach, Denied> {
    let options = &node.world.options;
    let path = request.uri().path();
    let public = matches!(path, "/" | "/healthz" | "/readyz" | "/livez");
    let has_keys = options.api_key.is_some() || options.read_only_api_key.is_some() || options.collection_key.is_some();
    if public || !has_keys {
        return Ok(Reach::default());
    }
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let given = header("api-key").or_else(|| header("authorization").and_then(|value| value.strip_prefix("Bearer ")));
    let given = given.ok_or(Denied::Key("Must provide an API key or an Authorization bearer token"))?;
    if options.api_key.as_deref() == Some(given) {
        return Ok(Reach::default());
    }
    if let Some((_, collection)) = options.collection_key.as_ref().filter(|(key, _)| key == given) {
        return match refusal_of_one(request.method(), path, collection) {
            None => Ok(Reach(Some(collection.clone()))),
            Some(refusal) => Err(Denied::Right(refusal)),
        };
    }
    if options.read_only_api_key.as_deref() != Some(given) {
        return Err(Denied::Key("Invalid API key or JWT"));
    }
    if may_read(request.method(), path) {
        return Ok(Reach::default());
    }
    Err(Denied::Right(Refusal::new(403, "Forbidden: Global manage access is required")))
}

/// Downloads, streams and uploads refuse in text, everything else in JSON.
fn shown(refusal: Refusal, method: &Method, path: &str) -> Answer {
    let downloads = *method == Method::GET && path.contains("/snapshots/");
    let streams = path.ends_with("/upload") || path.ends_with("/snapshot") || path.ends_with("/partial/create");
    if downloads || streams { refusal.plain() } else { refusal.json() }
}

fn may_read(method: &Method, path: &str) -> bool {
    let reads_points = ["/points", "/points/count", "/points/scroll", "/points/query"];
    match *method {
        // The shard stream needs write rights although it is a GET.
        Method::GET | Method::HEAD => !path.ends_with("/snapshot"),
        Method::POST => reads_points.iter().any(|suffix| path.ends_with(suffix)),
        _ => false,
    }
}

/// The refusal for a key with all rights to one collection, as for a JWT with `rw` on it (1.16.3). An alias of the
/// collection counts as another collection.
fn refusal_of_one(method: &Method, path: &str, collection: &str) -> Option<Refusal> {
    let global = || Some(Refusal::new(403, "Forbidden: Global access is required"));
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match parts.as_slice() {
        ["collections" | "aliases" | "telemetry"] => None,
        ["collections", "aliases"] | ["cluster" | "metrics" | "snapshots", ..] => global(),
        ["collections", _] if *method != Method::GET => global(),
        ["collections", _, .., "recover" | "upload" | "manifest"] => global(),
        ["collections", name, rest @ ..] => {
            let name = percent_encoding::percent_decode_str(name).decode_utf8_lossy();
            if name != collection {
                return Some(Refusal::new(403, format!("Forbidden: Access to collection {name} is required")));
            }
            let manages = *method == Method::PUT && rest == ["shards"];
            manages.then(|| Refusal::new(403, "Forbidden: Manage access for this operation is required"))
        }
        _ => None,
    }
}
