//! Success and failure as the real server spells them (1.18.3).

use axum::body::Body;
use axum::http::{Response, StatusCode, header};
use serde_json::{Value, json};

/// A finished answer.
pub(super) type Answer = Response<Body>;

/// `{"result": …, "status": "ok", "time": …}`
pub(super) fn ok(result: Value) -> Answer {
    json_answer(StatusCode::OK, &json!({"result": result, "status": "ok", "time": 0.000_021}))
}

/// 202 of `wait=false`: no result.
pub(super) fn accepted() -> Answer {
    json_answer(StatusCode::ACCEPTED, &json!({"status": "accepted", "time": 0.000_021}))
}

/// Any JSON body.
pub(super) fn json_answer(status: StatusCode, body: &Value) -> Answer {
    build(status, Some("application/json"), body.to_string())
}

/// Plain text with its content type.
pub(super) fn text(status: StatusCode, body: impl Into<String>) -> Answer {
    build(status, Some("text/plain; charset=utf-8"), body.into())
}

/// A body with or without a content type.
pub(super) fn build(status: StatusCode, content_type: Option<&str>, body: String) -> Answer {
    let mut response = Response::builder().status(status).header(header::CONTENT_LENGTH, body.len());
    if let Some(content_type) = content_type {
        response = response.header(header::CONTENT_TYPE, content_type);
    }
    response.body(Body::from(body)).unwrap_or_default()
}

/// A refusal, in JSON or, from downloads and streams, in plain text.
#[derive(Debug)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// Text with the server's prefix.
    pub words: String,
    /// Seconds after which it is worth another try, sent as `Retry-After`.
    pub retry_after: Option<u64>,
}

impl Refusal {
    /// A refusal with the server's own words.
    pub fn new(status: u16, words: impl Into<String>) -> Self {
        Self { status, words: words.into(), retry_after: None }
    }

    /// 404 for a collection.
    pub fn no_collection(name: &str) -> Self {
        Self::new(404, format!("Not found: Collection `{name}` doesn't exist!"))
    }

    /// 404 for a snapshot.
    pub fn no_snapshot(name: &str) -> Self {
        Self::new(404, format!("Not found: Snapshot {name} not found"))
    }

    /// 404 for a shard.
    pub fn no_shard(shard: u32) -> Self {
        Self::new(404, format!("Not found: shard {shard} not found"))
    }

    /// 500.
    pub fn internal(words: impl std::fmt::Display) -> Self {
        Self::new(500, format!("Service internal error: {words}"))
    }

    fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// As plain text.
    pub fn plain(self) -> Answer {
        text(self.status(), self.words)
    }

    /// As JSON.
    pub fn json(self) -> Answer {
        let mut answer = json_answer(self.status(), &json!({"status": {"error": self.words}, "time": 0.000_017}));
        if let Some(seconds) = self.retry_after {
            answer.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        answer
    }
}

impl axum::response::IntoResponse for Refusal {
    fn into_response(self) -> Answer {
        self.json()
    }
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        Self::internal(format!("File IO error: {error}"))
    }
}
