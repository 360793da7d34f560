//! A proxy in front of the server: asks for its own credentials, answers with HTML pages, limits sizes and rates.

use crate::sandbox::answer::{Answer, Refusal, build};
use crate::sandbox::faults::{Kind, Route};
use crate::sandbox::world::Node;
use axum::body::HttpBody;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use axum::middleware::Next;

/// Lets a request through to the server, or answers itself.
pub(super) async fn pass(State(node): State<Node>, request: Request, next: Next) -> Answer {
    if let Some(answer) = wants_credentials(&node, request.headers()) {
        return answer;
    }
    // The real server does not route HEAD on downloads (1.18.3).
    if request.method() == Method::HEAD {
        return build(StatusCode::NOT_FOUND, None, String::new());
    }
    let route = route_of(request.method(), request.uri().path());
    let faults = &node.world.options.faults;
    if let Some(delay) = faults.take(route, |kind| if let Kind::Delay(delay) = kind { Some(delay) } else { None }) {
        tokio::time::sleep(delay).await;
    }
    if lacks_body(&request, || faults.meets(route, Kind::WantsBody)) {
        return build(StatusCode::BAD_REQUEST, None, String::new());
    }
    if let Some(answer) = faults.take(route, refusal) {
        return answer;
    }
    let answer = next.run(request).await;
    let size = answer.body().size_hint().exact().or_else(|| stated_length(&answer));
    let too_large = faults.take(route, |kind| match kind {
        Kind::Largest(most) if size.is_some_and(|size| size > most) => Some(()),
        _ => None,
    });
    if too_large.is_some() { page(StatusCode::BAD_GATEWAY) } else { answer }
}

/// Which kind of request this is, for faults.
fn route_of(method: &Method, path: &str) -> Route {
    if path == "/" {
        Route::Root
    } else if path.ends_with("/upload") {
        Route::Upload
    } else if path.ends_with("/recover") {
        Route::Recover
    } else if path.ends_with("/snapshots") && method == Method::POST {
        Route::Create
    } else if path.contains("/snapshots/") && method == Method::GET || path.ends_with("/snapshot") {
        Route::Download
    } else if path.contains("/points") {
        Route::Points
    } else {
        Route::List
    }
}

fn stated_length(answer: &Answer) -> Option<u64> {
    answer.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Refuses a request without the credentials that the options ask for.
fn wants_credentials(node: &Node, headers: &HeaderMap) -> Option<Answer> {
    let given = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if node.world.basic_auth.as_ref().is_some_and(|expected| headers.get(header::AUTHORIZATION) != Some(expected)) {
        let mut answer = page(StatusCode::UNAUTHORIZED);
        let challenge = HeaderValue::from_static("Basic realm=\"restricted\"");
        answer.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        return Some(answer);
    }
    match &node.world.options.required_header {
        Some((name, value)) if given(name) != Some(value) => Some(page(StatusCode::FORBIDDEN)),
        _ => None,
    }
}

/// The real server answers 400 without a body to an HTTP/1.0 POST without `Content-Length` (1.16.3). nginx sends such
/// requests by default. The fault refuses every POST without a body.
fn lacks_body(request: &Request, fault: impl Fn() -> bool) -> bool {
    let length = request.headers().get(header::CONTENT_LENGTH);
    let is_chunked = request.headers().contains_key(header::TRANSFER_ENCODING);
    if request.method() != Method::POST || is_chunked {
        return false;
    }
    let is_empty = length.is_none_or(|length| length == "0");
    request.version() == Version::HTTP_10 && length.is_none() || is_empty && fault()
}

/// The answer of a fault, in place of the server's.
fn refusal(kind: Kind) -> Option<Answer> {
    match kind {
        Kind::Status(502) => Some(page(StatusCode::BAD_GATEWAY)),
        Kind::Status(status) => Some(Refusal::new(status, format!("Service internal error: fault {status}")).json()),
        Kind::Page(status) => Some(page(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY))),
        Kind::RetryAfter(seconds) => {
            let words = format!(
                "Rate limiting exceeded: Read rate limit exceeded: Operation requires 1 tokens but only 0.0 were available. \
                 Retry after {seconds}s"
            );
            Some(Refusal { retry_after: Some(seconds), ..Refusal::new(429, words) }.json())
        }
        _ => None,
    }
}

/// An HTML page as proxies send it.
fn page(status: StatusCode) -> Answer {
    let title = format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or("Error"));
    let body = format!("<html><head><title>{title}</title></head><body><center><h1>{title}</h1></center></body></html>");
    build(status, Some("text/html"), body)
}
