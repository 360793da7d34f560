//! The HTTP client for one instance: who it is, whom it trusts, and what it never does.

use crate::domain::access::Access;
use crate::domain::instance::Tls;
use crate::domain::secret::SafeUrl;
use crate::qdrant::tls;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, ClientBuilder};
use std::time::Duration;

/// The server closes idle connections after 5 s; a pool that keeps them longer meets resets.
const POOL_IDLE: Duration = Duration::from_secs(3);

/// A client for the server at `url`. What is in `access` goes with every request, so that it must never be sent elsewhere.
///
/// # Errors
/// When a certificate cannot be used, or a secret cannot be sent in a header.
pub(in crate::qdrant) fn builder(url: &SafeUrl, tls: &Tls, access: &Access) -> Result<ClientBuilder, String> {
    let mut builder = Client::builder()
        .default_headers(headers(access)?)
        // A redirect could carry the secrets to another host: reqwest strips only Authorization and Cookie.
        .redirect(reqwest::redirect::Policy::none())
        .http1_only()
        .pool_idle_timeout(POOL_IDLE)
        .tcp_keepalive(Duration::from_secs(30))
        .user_agent(concat!("qsnap/", env!("CARGO_PKG_VERSION")));
    if url.is_loopback() {
        builder = builder.no_proxy();
    }
    tls::apply(builder, tls)
}

fn headers(access: &Access) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    let mut insert = |name: &str, value: &str, what: &str| {
        let unfit = || format!("{what} cannot be sent in a header");
        let name = HeaderName::try_from(name).map_err(|_| unfit())?;
        let mut value = HeaderValue::from_str(value).map_err(|_| unfit())?;
        value.set_sensitive(true);
        headers.insert(name, value);
        Ok::<(), String>(())
    };
    for (name, value) in &access.headers {
        insert(name, value.expose(), &format!("the value of header {name}"))?;
    }
    if let Some(basic) = &access.basic_auth {
        let pair = STANDARD.encode(format!("{}:{}", basic.user, basic.password.expose()));
        insert(AUTHORIZATION.as_str(), &format!("Basic {pair}"), "the password of basic-auth")?;
    }
    if let Some(key) = &access.api_key {
        insert("api-key", key.expose(), "the API key")?;
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::BasicAuth;
    use crate::domain::secret::Secret;

    #[test]
    fn headers_carry_all_secrets_and_show_none() {
        let access = Access {
            api_key: Some(Secret::new("hunter2")),
            basic_auth: Some(BasicAuth { user: "Aladdin".into(), password: Secret::new("open sesame") }),
            headers: vec![("CF-Access-Client-Id".into(), Secret::new("hunter2"))],
        };
        let headers = headers(&access).unwrap();
        assert_eq!(headers["authorization"], "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_eq!(
            (&headers["api-key"], &headers["cf-access-client-id"]),
            (&HeaderValue::from_static("hunter2"), &HeaderValue::from_static("hunter2"))
        );
        assert!(!format!("{headers:?}").contains("hunter2") && !format!("{headers:?}").contains("QWxh"));
    }
}
