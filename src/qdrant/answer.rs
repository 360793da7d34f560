//! What an answer means: its kind, its body, and why there was none.

use crate::domain::secret::SafeUrl;
use crate::qdrant::api::{ApiResult, Download, Wanted};
use crate::qdrant::error::{ApiError, ApiErrorKind};
use crate::qdrant::{ranges, wire};
use futures_util::StreamExt;
use reqwest::{Response, StatusCode};

/// The body of a successful answer, if it is what was wanted.
pub(in crate::qdrant) fn body_of(response: Response, wanted: &Wanted, what: &'static str, url: &SafeUrl) -> ApiResult<Download> {
    let served = ranges::served(response.status(), response.headers(), wanted)
        .map_err(|words| ApiError::new(ApiErrorKind::NotQdrant, what, url, words))?;
    let length = response.content_length();
    let url = url.clone();
    let body = response
        .bytes_stream()
        .map(move |chunk| chunk.map_err(|error| ApiError::new(ApiErrorKind::Cut, what, &url, root_cause(&error))));
    let total = served.total.or(length);
    Ok(Download { body: body.boxed(), from: served.from, to: served.to, length, total, etag: served.etag, ranged: served.ranged })
}

/// What a refusal's status and body mean.
pub(in crate::qdrant) fn kind_of(status: StatusCode, body: &str) -> ApiErrorKind {
    if status.is_redirection() {
        return ApiErrorKind::NotQdrant;
    }
    // Every form of "the file is another one now", of server or proxy.
    if matches!(status.as_u16(), 412 | 416) {
        return ApiErrorKind::Changed;
    }
    if status == StatusCode::TOO_MANY_REQUESTS {
        return ApiErrorKind::RateLimited;
    }
    if wire::looks_like_html(body) || status == StatusCode::PAYLOAD_TOO_LARGE || status == StatusCode::BAD_GATEWAY {
        return ApiErrorKind::Proxy;
    }
    match status.as_u16() {
        401 => ApiErrorKind::Unauthorized,
        403 => ApiErrorKind::Forbidden,
        404 => ApiErrorKind::NotFound,
        408 => ApiErrorKind::Timeout,
        409 => ApiErrorKind::Conflict,
        504 => ApiErrorKind::Proxy,
        500..=599 => ApiErrorKind::Server,
        _ => ApiErrorKind::Rejected,
    }
}

/// The innermost cause: `connection refused` says more than `error sending request`, and has no URL in it.
pub(in crate::qdrant) fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let text = cause.to_string();
    let words = text.split(" (os error").next().unwrap_or(&text);
    crate::domain::text::one_line(words, 200)
}
