//! What a request carries so that an instance, and a proxy in front of it, lets it in.

use crate::domain::secret::Secret;

/// A user and its password, for a proxy that asks for HTTP basic authentication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BasicAuth {
    /// The user's name.
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// Everything secret that goes with each request to one instance. `Debug` shows none of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Qdrant's own key, sent as `api-key`.
    pub api_key: Option<Secret>,
    /// Sent as `authorization`.
    pub basic_auth: Option<BasicAuth>,
    /// Further headers by name.
    pub headers: Vec<(String, Secret)>,
}

impl Access {
    /// Only an API key, or nothing.
    pub fn key(api_key: Option<Secret>) -> Self {
        Self { api_key, ..Self::default() }
    }
}
