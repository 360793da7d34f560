//! Errors of calls to a server.

use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::text::one_line;
use crate::qdrant::tls::Said;
use std::time::Duration;

/// What kind of failure a call met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiErrorKind {
    /// No connection: refused, no route, name unknown, TLS.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// 401: the key is missing or wrong.
    Unauthorized,
    /// 403: the key has not the right, or a switch of the server forbids it.
    Forbidden,
    /// 404.
    NotFound,
    /// 409.
    Conflict,
    /// 400, 422 and other refusals of the request.
    Rejected,
    /// 412 or 416: the file is no longer what it was.
    Changed,
    /// Other bytes came than are known by their hash.
    Differs,
    /// 429.
    RateLimited,
    /// 5xx of Qdrant itself.
    Server,
    /// An answer of something in between: HTML, 413, 502, 504.
    Proxy,
    /// The answer is not one that a Qdrant gives.
    NotQdrant,
    /// The answer is larger than what is read at once: less has to be asked for.
    TooLarge,
    /// The connection broke while an answer was read.
    Cut,
    /// The connection broke after a request that changes something was sent: it may have happened.
    OutcomeUnknown,
    /// The same, and the server did not come back since.
    Vanished,
}

/// A failed call.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{what}: {message}")]
pub struct ApiError {
    /// The class.
    pub kind: ApiErrorKind,
    /// What was tried, such as `list snapshots`.
    pub what: &'static str,
    /// Where: the node's address, without secrets.
    pub url: String,
    /// HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// The server's words or the transport's, sanitised and bounded.
    pub message: String,
    /// Tries made.
    pub attempts: u32,
    /// `Retry-After`, when the server gave one.
    pub retry_after: Option<Duration>,
    /// What to do, where more is known than its kind tells.
    pub advice: Option<String>,
    /// It stays so however often the call is repeated: a wrong address, an unknown certificate.
    pub lasting: bool,
    /// Qdrant itself says so, in the form of its answers. A proxy has its own 404 and 500, and knows nothing of the data.
    pub by_qdrant: bool,
}

impl ApiError {
    /// A failure of class `kind` while doing `what` at `url`.
    pub fn new(kind: ApiErrorKind, what: &'static str, url: impl ToString, message: impl AsRef<str>) -> Self {
        Self {
            kind,
            what,
            url: url.to_string(),
            status: None,
            message: one_line(message.as_ref(), 400),
            attempts: 1,
            retry_after: None,
            advice: None,
            lasting: false,
            by_qdrant: false,
        }
    }

    /// Whether Qdrant says that what was asked for is not there.
    pub fn is_absence(&self) -> bool {
        self.kind == ApiErrorKind::NotFound && self.by_qdrant
    }

    /// Whether a server says by this error that it cannot read its own data. A 500 of Qdrant itself does (1.16.3: `Service
    /// internal error`), and a collection that should be there and is not; 503 and 429 pass, other refusals are about the
    /// question, and a proxy that answers 404 or 500 in its own words says nothing of the data.
    pub fn is_damage(&self) -> bool {
        match self.kind {
            ApiErrorKind::Server => self.status == Some(500) && self.by_qdrant,
            ApiErrorKind::NotFound => self.by_qdrant,
            _ => false,
        }
    }

    /// Whether the server says that it cannot get a snapshot itself. Nothing was touched then (1.16.3, 1.18.3).
    pub fn cannot_fetch(&self) -> bool {
        let says = |words: &str| self.message.contains(words);
        match self.kind {
            ApiErrorKind::Forbidden => says("remote URLs is disabled"),
            ApiErrorKind::Rejected => says("Failed to download"),
            ApiErrorKind::Server => says("Http request error") || says("error sending request"),
            _ => false,
        }
    }

    /// Whether it is an answer of the 4xx kind, but for "too many requests".
    pub fn refuses(&self) -> bool {
        self.status.is_some_and(|status| (400..500).contains(&status) && status != 429)
    }

    /// Whether the same call may succeed a little later, if it is safe to repeat.
    pub fn is_temporary(&self) -> bool {
        // A client error stays one, from a server or a proxy.
        if self.refuses() || self.lasting {
            return false;
        }
        match self.kind {
            ApiErrorKind::Unreachable | ApiErrorKind::RateLimited | ApiErrorKind::Cut | ApiErrorKind::Timeout => true,
            ApiErrorKind::Server => self.status == Some(503),
            ApiErrorKind::Proxy => true,
            _ => false,
        }
    }

    /// Says in plain words what it is and what to do; repeating the call would not help.
    pub(in crate::qdrant) fn known(mut self, said: &Said) -> Self {
        self.message = one_line(&said.message, 400);
        self.advice = Some(said.advice.clone());
        self.lasting = true;
        self
    }

    /// What the user is told. `on` is the address the user knows; the node's URL is added.
    pub fn into_problem(self, on: impl AsRef<str>) -> Problem {
        let tries = if self.attempts > 1 { format!(" (tried {} times)", self.attempts) } else { String::new() };
        let message = format!("cannot {}: {}{tries}", self.what, self.message);
        let on = on.as_ref();
        let place = if on.is_empty() { self.url.clone() } else { format!("{on} at {}", self.url) };
        Problem::new(self.problem_kind(), message, place).advise(self.advice.as_deref().unwrap_or_else(|| self.usual_advice()))
    }

    fn problem_kind(&self) -> ProblemKind {
        match self.kind {
            ApiErrorKind::Unreachable | ApiErrorKind::Timeout | ApiErrorKind::Vanished => ProblemKind::Unreachable,
            ApiErrorKind::Unauthorized | ApiErrorKind::Forbidden => ProblemKind::NotAllowed,
            ApiErrorKind::NotFound => ProblemKind::NotFound,
            ApiErrorKind::OutcomeUnknown => ProblemKind::Unknown,
            ApiErrorKind::Differs => ProblemKind::Difference,
            _ => ProblemKind::Failed,
        }
    }

    fn usual_advice(&self) -> &'static str {
        match self.kind {
            ApiErrorKind::Unreachable => {
                "check the address and port, that the server runs, and that this machine may reach it (`curl URL`)"
            }
            ApiErrorKind::Timeout => {
                "the server is slow or half-dead: look at its log and load, or raise timeout in the configuration"
            }
            ApiErrorKind::Unauthorized => {
                "set the right key: api-key-env, api-key-file or api-key-command in the configuration, QDRANT_API_KEY without one"
            }
            ApiErrorKind::Forbidden => "use a key with manage rights; a read-only key can list and download only",
            ApiErrorKind::NotFound => self.not_found_advice(),
            ApiErrorKind::Conflict => "the name is taken; choose another one",
            ApiErrorKind::Changed => "the file changed on the server; refresh the list and start again",
            ApiErrorKind::Differs => {
                "it is damaged, or was on the way: read it once more; choose another recovery point if it stays so"
            }
            ApiErrorKind::RateLimited => "the server limits its clients; wait a little",
            ApiErrorKind::Proxy if self.status == Some(413) => {
                "a proxy refuses the size: raise its body limit (nginx: client_max_body_size), or use the node's own address"
            }
            ApiErrorKind::Proxy => "a proxy answered instead of Qdrant: use the node's own address, or look at the proxy's log",
            ApiErrorKind::NotQdrant => "check address and port: REST is on 6333, gRPC on 6334",
            ApiErrorKind::TooLarge => {
                "a single answer of this size is not read: its points are larger than a server takes in one request"
            }
            ApiErrorKind::Cut => "the connection broke; try again",
            ApiErrorKind::Vanished => {
                "see whether the server runs; when it is back, look at the collection before you repeat anything"
            }
            ApiErrorKind::OutcomeUnknown => "the server may still be working on it: refresh and check before you repeat it",
            ApiErrorKind::Rejected | ApiErrorKind::Server => "the words are the server's own; its log may tell more",
        }
    }
}

impl ApiError {
    /// A 404 means something else for each kind of call.
    fn not_found_advice(&self) -> &'static str {
        match self.what {
            "list collections"
            | "list aliases"
            | "ask for the version"
            | "ask for its health"
            | "read telemetry"
            | "read the cluster's state" => {
                "every Qdrant has this list, so something else answers here: check the address, its port (REST is on 6333) and its path"
            }
            "list snapshots"
            | "take the snapshot"
            | "count the points"
            | "read points"
            | "read the collection's info"
            | "read the collection's shards" => {
                "there is no such collection, or no longer: `qsnap collections INSTANCE` lists what there is"
            }
            "download the snapshot" | "delete the snapshot" => {
                "the snapshot was deleted meanwhile, or is on another node: `qsnap snapshots list` shows what there is"
            }
            _ => "refresh the list: it was deleted or renamed meanwhile, or the name is misspelt",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_say_what_where_why_and_next() {
        let mut error = ApiError::new(ApiErrorKind::Unreachable, "list collections", "http://h:1", "connection refused");
        error.attempts = 3;
        let problem = error.into_problem("prod");
        assert_eq!(problem.message, "cannot list collections: connection refused (tried 3 times)");
        assert_eq!(problem.on, "prod at http://h:1");
        assert!(problem.advice.contains("port"));
    }

    #[test]
    fn a_404_is_advised_about_by_the_call_that_was_made() {
        let advice = |what| ApiError::new(ApiErrorKind::NotFound, what, "http://h", "404").into_problem("a").advice;
        assert!(advice("list collections").contains("something else answers"));
        assert!(advice("list snapshots").contains("no such collection"));
        assert!(advice("download the snapshot").contains("qsnap snapshots list"));
        assert!(advice("delete the collection").contains("misspelt"));
    }

    #[test]
    fn a_too_large_body_is_never_repeated() {
        let mut error = ApiError::new(ApiErrorKind::Proxy, "upload", "http://h", "413");
        error.status = Some(413);
        assert!(!error.is_temporary());
    }

    #[test]
    fn only_what_a_server_says_of_its_own_data_is_damage() {
        let error = |kind, status| {
            let mut error = ApiError::new(kind, "read points", "http://h", "words");
            error.status = status;
            error.by_qdrant = true;
            error
        };
        for (kind, status, damage) in [
            (ApiErrorKind::Server, Some(500), true),
            (ApiErrorKind::NotFound, Some(404), true),
            (ApiErrorKind::Server, Some(503), false),
            (ApiErrorKind::Rejected, Some(400), false),
            (ApiErrorKind::RateLimited, Some(429), false),
            (ApiErrorKind::Forbidden, Some(403), false),
            (ApiErrorKind::Timeout, None, false),
            (ApiErrorKind::Cut, None, false),
            (ApiErrorKind::Unreachable, None, false),
            (ApiErrorKind::Proxy, Some(500), false),
            (ApiErrorKind::TooLarge, None, false),
        ] {
            assert_eq!(error(kind, status).is_damage(), damage, "{kind:?} {status:?}");
            let elsewhere = ApiError { by_qdrant: false, ..error(kind, status) };
            assert!(!elsewhere.is_damage(), "a proxy said so: {kind:?} {status:?}");
        }
    }
}
