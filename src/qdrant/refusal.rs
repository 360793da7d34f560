//! Refusals whose cause is known better than the server's words tell: expired tokens, a proxy's password, a wrong path.

use crate::domain::access::Access;
use crate::domain::secret::SafeUrl;
use crate::domain::time;
use crate::qdrant::error::ApiErrorKind;
use crate::qdrant::tls::Said;
use crate::qdrant::{mistakes, token};
use jiff::Timestamp;
use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// What is known of the client.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::qdrant) struct Asker {
    /// When its key expires, if that is a token.
    expires: Option<Timestamp>,
    /// Whether it sends basic authentication.
    basic_auth: bool,
}

impl Asker {
    pub(in crate::qdrant) fn of(access: &Access) -> Self {
        let expires = access.api_key.as_ref().and_then(|key| token::expiry(key.expose()));
        Self { expires, basic_auth: access.basic_auth.is_some() }
    }

    /// Why an answer of this kind was given, if known.
    pub(in crate::qdrant) fn explain(
        &self,
        url: &SafeUrl,
        kind: ApiErrorKind,
        headers: &HeaderMap,
        body: &str,
        now: Timestamp,
    ) -> Option<(ApiErrorKind, Said)> {
        if let Some(said) = mistakes::of_body(url, body) {
            return Some((ApiErrorKind::NotQdrant, said));
        }
        if let Some(said) = self.password(headers) {
            return Some((ApiErrorKind::Unauthorized, said));
        }
        match kind {
            ApiErrorKind::Unauthorized | ApiErrorKind::Forbidden => self.token(body, now).map(|said| (kind, said)),
            ApiErrorKind::NotFound | ApiErrorKind::NotQdrant | ApiErrorKind::Proxy if mistakes::is_of_path(url, body) => {
                mistakes::of_path(url).map(|said| (ApiErrorKind::NotQdrant, said))
            }
            _ => None,
        }
    }

    /// Qdrant never asks for a password, so that a proxy does.
    fn password(&self, headers: &HeaderMap) -> Option<Said> {
        let asks = |value: &reqwest::header::HeaderValue| {
            value.to_str().is_ok_and(|scheme| scheme.trim_start().to_ascii_lowercase().starts_with("basic"))
        };
        if !headers.get_all(WWW_AUTHENTICATE).iter().any(asks) {
            return None;
        }
        let (message, advice) = if self.basic_auth {
            ("a proxy refuses the user or the password of basic-auth", "check both in the configuration")
        } else {
            (
                "a proxy asks for a user and a password",
                "give them in the configuration: basic-auth = { user = …, password-command = … }",
            )
        };
        Some(Said { message: message.into(), advice: advice.into() })
    }

    /// 1.16.3 answers 403 and `ExpiredSignature`, which says nothing to many.
    fn token(&self, body: &str, now: Timestamp) -> Option<Said> {
        let server_says_so = body.contains("ExpiredSignature");
        let advice = "have a new token made, and put it where the API key comes from".to_owned();
        match self.expires {
            Some(at) if at <= now => {
                let message = format!("the API key is a token (JWT) that expired at {} UTC", time::second(at));
                Some(Said { message, advice })
            }
            Some(at) if server_says_so => {
                let message = format!(
                    "the server says that the API key, a token (JWT), has expired; by the clock of this machine it is valid until {} UTC",
                    time::second(at)
                );
                Some(Said { message, advice: "compare the clocks of both machines".into() })
            }
            None if server_says_so => Some(Said { message: "the API key is a token (JWT) that has expired".into(), advice }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explain(asker: Asker, kind: ApiErrorKind, headers: &HeaderMap, body: &str) -> Option<(ApiErrorKind, Said)> {
        let url = SafeUrl::parse_node("http://h:6333").unwrap();
        asker.explain(&url, kind, headers, body, Timestamp::from_second(2_000).unwrap())
    }

    #[test]
    fn expired_tokens_are_named_with_their_time() {
        let expired = Asker { expires: Timestamp::from_second(1_000).ok(), basic_auth: false };
        let (_, said) = explain(expired, ApiErrorKind::Forbidden, &HeaderMap::new(), "ExpiredSignature").unwrap();
        assert!(said.message.contains("expired at 1970-01-01 00:16:40 UTC"), "{said:?}");
        let fresh = Asker { expires: Timestamp::from_second(3_000).ok(), basic_auth: false };
        let (_, said) = explain(fresh, ApiErrorKind::Forbidden, &HeaderMap::new(), "ExpiredSignature").unwrap();
        assert!(said.advice.contains("clocks"), "{said:?}");
        assert_eq!(explain(fresh, ApiErrorKind::Forbidden, &HeaderMap::new(), "Access denied"), None);
    }

    #[test]
    fn what_qdrant_does_not_find_is_no_wrong_path() {
        let not_found = |url: &str, body: &str| {
            let url = SafeUrl::parse_node(url).unwrap();
            let asker = Asker::default();
            asker.explain(&url, ApiErrorKind::NotFound, &HeaderMap::new(), body, Timestamp::UNIX_EPOCH).is_some()
        };
        let words = r#"{"status":{"error":"Not found: Collection `x` doesn't exist!"},"time":0.1}"#;
        assert!(not_found("http://h/dashboard", "") && not_found("http://h/collections", words));
        assert!(!not_found("http://h/cluster", words) && !not_found("http://h", ""));
    }

    #[test]
    fn a_proxy_that_wants_a_password_is_told_from_qdrant() {
        let mut headers = HeaderMap::new();
        headers.insert(WWW_AUTHENTICATE, "Basic realm=\"ops\"".parse().unwrap());
        let (kind, said) = explain(Asker::default(), ApiErrorKind::Proxy, &headers, "<html>").unwrap();
        assert_eq!(kind, ApiErrorKind::Unauthorized);
        assert!(said.advice.contains("basic-auth ="), "{said:?}");
        let given = Asker { basic_auth: true, ..Asker::default() };
        assert!(explain(given, ApiErrorKind::Proxy, &headers, "").unwrap().1.message.contains("refuses"));
    }
}
