//! Keys: everything, reading, or nothing (1.18.3; the early check answers in text without a type).

use crate::sandbox::answer::{Answer, Refusal, build};
use crate::sandbox::world::Node;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;

/// Lets a request through, or refuses it as the real server does.
pub async fn check(State(node): State<Node>, request: Request, next: Next) -> Answer {
    match refusal(&node, &request) {
        Some(answer) => answer,
        None => next.run(request).await,
    }
}

fn refusal(node: &Node, request: &Request) -> Option<Answer> {
    let options = &node.world.options;
    let path = request.uri().path();
    let public = matches!(path, "/" | "/healthz" | "/readyz" | "/livez");
    let has_keys = options.api_key.is_some() || options.read_only_api_key.is_some();
    if public || !has_keys {
        return None;
    }
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let given = header("api-key").or_else(|| header("authorization").and_then(|value| value.strip_prefix("Bearer ")));
    let Some(given) = given else {
        return Some(build(StatusCode::UNAUTHORIZED, None, "Must provide an API key or an Authorization bearer token".into()));
    };
    if options.api_key.as_deref() == Some(given) {
        return None;
    }
    if options.read_only_api_key.as_deref() != Some(given) {
        return Some(build(StatusCode::UNAUTHORIZED, None, "Invalid API key or JWT".into()));
    }
    if may_read(request.method(), path) {
        return None;
    }
    let refusal = Refusal::new(403, "Forbidden: Global manage access is required");
    let streams = path.ends_with("/upload") || path.ends_with("/snapshot") || path.contains("/snapshot/partial/");
    Some(if streams { refusal.plain() } else { refusal.json() })
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
