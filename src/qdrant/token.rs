//! API keys that are tokens (JWT): when they end. Nothing is verified here, that is the server's work.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::Value;

/// When a key expires, if it is a JWT that says so.
pub(in crate::qdrant) fn expiry(key: &str) -> Option<Timestamp> {
    let mut parts = key.split('.');
    let (Some(_), Some(claims), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else { return None };
    let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    let seconds = claims.get("exp")?.as_f64()?;
    // The conversion saturates; what is no time at all is refused below.
    Timestamp::from_second(seconds as i64).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> String {
        format!("eyJhbGciOiJIUzI1NiJ9.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn only_tokens_with_an_end_expire() {
        assert_eq!(expiry(&token(r#"{"exp":1000000000,"access":"m"}"#)).unwrap().to_string(), "2001-09-09T01:46:40Z");
        for other in
            [token(r#"{"access":"m"}"#), token(r#"{"exp":1e300}"#), token("nonsense"), "plain-key".into(), "a.b.c".into()]
        {
            assert_eq!(expiry(&other), None, "{other}");
        }
    }
}
