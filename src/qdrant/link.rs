//! A file behind an address of its own: a presigned link of a bucket, or any other that serves a snapshot.

use crate::domain::access::Access;
use crate::domain::instance::{Instance, Transfers};
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::secret::SafeUrl;
use crate::qdrant::answer::{body_of, kind_of, root_cause};
use crate::qdrant::api::{ApiResult, Download, Wanted};
use crate::qdrant::error::{ApiError, ApiErrorKind};
use crate::qdrant::{client, ranges};
use reqwest::Client;
use reqwest::header::{ACCEPT_ENCODING, IF_MATCH, RANGE};
use std::time::Duration;

const WHAT: &str = "read the file";

/// One file. Its address may be a secret: it is shown without its query.
pub struct Link {
    url: SafeUrl,
    client: Client,
    opening: Duration,
}

impl Link {
    /// Connects nothing yet. A link to a node of an instance takes that instance's certificates and what lets it in; any
    /// other is given nothing. A link that leads on elsewhere is not followed: one should see where the bytes come from.
    ///
    /// # Errors
    /// When no client can be made on this machine.
    pub fn new(url: SafeUrl, own: Option<(&Instance, &Access)>) -> Result<Self, Problem> {
        let stall = Transfers::default().stall;
        let (tls, access) = own.map(|(instance, access)| (instance.tls.clone(), access.clone())).unwrap_or_default();
        let builder = client::builder(&url, &tls, &access)
            .map_err(|message| Problem::new(ProblemKind::Usage, message, url.to_string()))?
            .connect_timeout(Duration::from_secs(10))
            .tcp_user_timeout(stall * 2);
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
