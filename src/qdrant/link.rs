//! A file behind an address of its own: a presigned link of a bucket, or any other that serves a snapshot.

use crate::domain::instance::Transfers;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::secret::{SafeUrl, Secret};
use crate::qdrant::api::{ApiResult, Download, Wanted};
use crate::qdrant::error::{ApiError, ApiErrorKind};
use crate::qdrant::http::{body_of, kind_of, root_cause};
use crate::qdrant::ranges;
use reqwest::Client;
use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderName, HeaderValue, IF_MATCH, RANGE};
use std::time::Duration;

const WHAT: &str = "read the file";

/// One file. Its address may be a secret: it is shown without its query.
pub struct Link {
    url: SafeUrl,
    client: Client,
    opening: Duration,
}

impl Link {
    /// Connects nothing yet.
    ///
    /// # Errors
    /// When no client can be made on this machine.
    pub fn new(url: SafeUrl, api_key: Option<&Secret>) -> Result<Self, Problem> {
        let stall = Transfers::default().stall;
        let mut builder = Client::builder()
            // A link that leads on elsewhere is asked for by its own address, so that one sees where the bytes come from.
            .redirect(reqwest::redirect::Policy::none())
            .http1_only()
            .connect_timeout(Duration::from_secs(10))
            .tcp_user_timeout(stall * 2)
            .user_agent(concat!("qsnap/", env!("CARGO_PKG_VERSION")));
        if let Some(key) = api_key {
            let mut value = HeaderValue::from_str(key.expose())
                .map_err(|_| Problem::new(ProblemKind::Usage, "the API key cannot be sent in a header", url.to_string()))?;
            value.set_sensitive(true);
            builder = builder.default_headers(HeaderMap::from_iter([(HeaderName::from_static("api-key"), value)]));
        }
        if url.is_loopback() {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| {
            let words = format!("the HTTP client cannot be made: {}", root_cause(&error));
            Problem::new(ProblemKind::Failed, words, url.to_string())
        })?;
        Ok(Self { url, client, opening: stall })
    }

    /// Its address, without what may be a secret.
    pub fn url(&self) -> &SafeUrl {
        &self.url
    }

    /// Opens it.
    ///
    /// # Errors
    /// As those of a node.
    pub async fn open(&self, wanted: &Wanted) -> ApiResult<Download> {
        let mut request = self.client.get(self.url.expose().clone()).header(ACCEPT_ENCODING, "identity");
        if let Some(range) = ranges::header(wanted) {
            request = request.header(RANGE, range);
        }
        if let Some(etag) = &wanted.etag {
            request = request.header(IF_MATCH, etag);
        }
        let error = |kind, words: String| ApiError::new(kind, WHAT, &self.url, words);
        let opened = tokio::time::timeout(self.opening, request.send()).await;
        let response = opened
            .map_err(|_| error(ApiErrorKind::Timeout, "no answer in time".into()))?
            .map_err(|failed| error(ApiErrorKind::Unreachable, root_cause(&failed)))?;
        let status = response.status();
        if !status.is_success() {
            let mut error = error(kind_of(status, ""), format!("{status}: is the link still valid?"));
            error.status = Some(status.as_u16());
            return Err(error);
        }
        body_of(response, wanted, WHAT, &self.url)
    }
}
