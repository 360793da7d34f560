//! One request and its answer: sent, read within bounds, repeated where that is safe, and errors in words.

use super::{HttpNode, MAX_ERROR};
use crate::domain::time::{Clock, SystemClock};
use crate::qdrant::answer::{kind_of, root_cause};
use crate::qdrant::api::ApiResult;
use crate::qdrant::error::{ApiError, ApiErrorKind};
use crate::qdrant::retry::Tries;
use crate::qdrant::{mistakes, tls, wire};
use percent_encoding::percent_decode_str;
use reqwest::header::RETRY_AFTER;
use reqwest::{RequestBuilder, Response};
use serde_json::Value;
use std::time::Duration;

/// Largest JSON answer that is read. A server takes requests of at most 32 MiB, so that a single point stays below.
const MAX_ANSWER: usize = 64 << 20;

/// Largest answer with more than one point: a dozen of them may be in flight, and all must fit into the memory budget.
const MAX_PAGE: usize = 1 << 20;

impl HttpNode {
    fn transport_error(&self, what: &'static str, error: &reqwest::Error) -> ApiError {
        let kind = if error.is_connect() {
            ApiErrorKind::Unreachable
        } else if error.is_timeout() {
            ApiErrorKind::Timeout
        } else {
            ApiErrorKind::Cut
        };
        let words =
            if kind == ApiErrorKind::Timeout && !error.is_connect() { "no answer in time".into() } else { root_cause(error) };
        let mut failed = ApiError::new(kind, what, &self.url, words);
        if let Some(inside) = tls::error_in(error)
            && (error.is_connect() || matches!(inside, rustls::Error::AlertReceived(_)))
        {
            failed.kind = ApiErrorKind::Unreachable;
            let host = self.url.expose().host_str().unwrap_or_default();
            let said = mistakes::of_port(&self.url).filter(|_| tls::speaks_otherwise(inside));
            return failed.known(&said.unwrap_or_else(|| tls::explain(inside, &mistakes::as_http(&self.url), host)));
        }
        match (kind, mistakes::of_port(&self.url)) {
            (ApiErrorKind::Cut, Some(said)) => {
                failed.kind = ApiErrorKind::NotQdrant;
                failed.known(&said)
            }
            (ApiErrorKind::Unreachable, _) => {
                failed.advice.clone_from(&self.if_unreachable);
                failed
            }
            _ => failed,
        }
    }

    /// An answer that is no http: asks the port what it speaks instead.
    async fn misunderstood(&self, mut error: ApiError) -> ApiError {
        // hyper's words: bytes that are no answer in HTTP/1.1, and bytes that came before anything was asked, as HTTP/2 sends
        // them. Which of the two comes is a matter of microseconds (port for gRPC of 1.16.3).
        let strange = ["invalid HTTP", "received unexpected message"].iter().any(|words| error.message.starts_with(words));
        if error.lasting || !strange {
            return error;
        }
        match mistakes::probe(&self.url).await {
            Some(speaks) => {
                error.kind = ApiErrorKind::NotQdrant;
                error.known(&mistakes::of_protocol(&self.url, speaks))
            }
            None => error,
        }
    }

    /// Sends, and turns every answer but 2xx into an error.
    pub(super) async fn send(&self, what: &'static str, request: RequestBuilder) -> ApiResult<Response> {
        let response = match self.carry(request).await {
            Ok(response) => response,
            Err(error) => return Err(self.misunderstood(self.transport_error(what, &error)).await),
        };
        if response.status().is_success() {
            return Ok(response);
        }
        Err(self.refusal(what, response).await)
    }

    /// Sends it, and notes it.
    async fn carry(&self, request: RequestBuilder) -> reqwest::Result<Response> {
        let (client, request) = request.build_split();
        let request = request?;
        let path = percent_decode_str(request.url().path()).decode_utf8_lossy();
        let mut sent = self.logged.send(request.method().as_str(), &path);
        let answer = client.execute(request).await;
        if let Ok(answer) = &answer {
            sent.answered(answer.status().as_u16());
        }
        answer
    }

    async fn refusal(&self, what: &'static str, response: Response) -> ApiError {
        let status = response.status();
        let headers = response.headers().clone();
        let retry_after = headers.get(RETRY_AFTER).and_then(|v| v.to_str().ok()?.trim().parse().ok()).map(Duration::from_secs);
        let location = headers
            .get("location")
            .and_then(|v| v.to_str().ok())
            .map(|l| crate::domain::text::one_line(l.split('?').next().unwrap_or(l), 100));
        let body = self.read(what, response, MAX_ERROR).await.unwrap_or_default();
        let body = String::from_utf8_lossy(&body);
        let kind = kind_of(status, &body);
        let message = match kind {
            ApiErrorKind::Proxy => format!("{status}, a web page instead of Qdrant's answer"),
            ApiErrorKind::NotQdrant if status.is_redirection() => {
                format!("{status} to {}; redirects are not followed, they could leak the key", location.unwrap_or_default())
            }
            _ if body.trim().is_empty() => status.to_string(),
            _ => wire::error_text(&body),
        };
        let mut error = ApiError::new(kind, what, &self.url, message);
        error.status = Some(status.as_u16());
        error.retry_after = retry_after;
        error.by_qdrant = wire::is_error(&body);
        match self.asker.explain(&self.url, kind, &headers, &body, SystemClock.now()) {
            Some((kind, said)) => {
                error.kind = kind;
                error.known(&said)
            }
            None => error,
        }
    }

    pub(super) async fn read(&self, what: &'static str, mut response: Response, limit: usize) -> ApiResult<Vec<u8>> {
        // As large as it says, within the limit: a vector that grows by doubling holds up to twice that.
        let told = response.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
        let mut body = Vec::with_capacity(told.min(limit));
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() > limit => {
                    let words = format!("the answer is larger than {}", crate::domain::size::bytes(limit as u64));
                    return Err(ApiError::new(ApiErrorKind::TooLarge, what, &self.url, words));
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => return Ok(body),
                Err(error) => return Err(self.transport_error(what, &error)),
            }
        }
    }

    /// Reads the envelope and gives its `result`.
    pub(super) async fn result(&self, what: &'static str, response: Response) -> ApiResult<Value> {
        let body = self.read(what, response, MAX_ANSWER).await?;
        let envelope: Result<wire::Envelope, _> = serde_json::from_slice(&body);
        envelope.map(|envelope| envelope.result).map_err(|_| self.not_qdrant(what, &body))
    }

    pub(super) fn not_qdrant(&self, what: &'static str, body: &[u8]) -> ApiError {
        let start = String::from_utf8_lossy(&body[..body.len().min(80)]);
        let words = format!("the answer is not Qdrant's: `{start}`");
        let error = ApiError::new(ApiErrorKind::NotQdrant, what, &self.url, words);
        match mistakes::of_path(&self.url) {
            Some(said) => error.known(&said),
            None => error,
        }
    }

    /// A call that changes nothing: repeated within bounds.
    pub(super) async fn query(&self, what: &'static str, request: impl Fn() -> RequestBuilder) -> ApiResult<Value> {
        let body = self.repeated(what, MAX_ANSWER, request).await?;
        let envelope: Result<wire::Envelope, _> = serde_json::from_slice(&body);
        envelope.map(|envelope| envelope.result).map_err(|_| self.not_qdrant(what, &body))
    }

    /// Reads `asked` points. An answer that is too large for its number of points is cut short, so that fewer can be asked
    /// for; a single point may be as large as a server takes.
    pub(super) async fn read_points(
        &self,
        what: &'static str,
        asked: usize,
        request: impl Fn() -> RequestBuilder,
    ) -> ApiResult<Vec<u8>> {
        let most = if asked > 1 { MAX_PAGE } else { MAX_ANSWER };
        self.repeated(what, most, request).await
    }

    /// The body of an answer. Waits as the server asks, and repeats what may succeed a little later.
    pub(super) async fn repeated(
        &self,
        what: &'static str,
        most: usize,
        request: impl Fn() -> RequestBuilder,
    ) -> ApiResult<Vec<u8>> {
        let mut tries = Tries::default();
        loop {
            let answer = match self.send(what, request()).await {
                Ok(response) => self.read(what, response, most).await,
                Err(error) => Err(error),
            };
            let mut error = match answer {
                Ok(body) => return Ok(body),
                Err(error) => error,
            };
            let wait = tries.next_wait(&error);
            error.attempts = tries.made();
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return Err(error),
            }
        }
    }

    /// A call that changes something: sent once. A connection lost after that leaves the outcome open.
    pub(super) async fn change(&self, what: &'static str, request: RequestBuilder) -> ApiResult<Value> {
        let answer = match self.send(what, request).await {
            Ok(response) => self.result(what, response).await,
            Err(error) => Err(error),
        };
        answer.map_err(|mut error| {
            let lost = matches!(error.kind, ApiErrorKind::Cut | ApiErrorKind::Timeout);
            let gave_up = error.kind == ApiErrorKind::Proxy && matches!(error.status, Some(502 | 504));
            if lost || gave_up {
                error.kind = ApiErrorKind::OutcomeUnknown;
            }
            error
        })
    }

    pub(super) fn parsed<T>(&self, what: &'static str, value: serde_json::Result<T>) -> ApiResult<T> {
        value.map_err(|error| {
            ApiError::new(ApiErrorKind::NotQdrant, what, &self.url, format!("the answer has an unexpected shape: {error}"))
        })
    }
}
