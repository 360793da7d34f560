//! One Qdrant deployment as the configuration describes it.

use crate::domain::ids::InstanceName;
use crate::domain::secret::SafeUrl;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// How careful qsnap is with an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protection {
    /// Destructive steps need the typed address, everything else a yes.
    #[default]
    Open,
    /// Whatever changes or removes data needs the typed address.
    Protected,
    /// Nothing on the instance is ever changed.
    ReadOnly,
}

impl Protection {
    /// The word in the configuration and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Protected => "protected",
            Self::ReadOnly => "read-only",
        }
    }
}

/// Certificates for one instance.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// PEM file with further certificate authorities to trust.
    pub ca_certificate: Option<PathBuf>,
    /// PEM file with the client's certificate.
    pub client_certificate: Option<PathBuf>,
    /// PEM file with the client's key.
    pub client_key: Option<PathBuf>,
}

/// An instance, ready to be connected to.
#[derive(Debug, Clone)]
pub struct Instance {
    /// Its name in the configuration.
    pub name: InstanceName,
    /// REST addresses of its nodes; at least one.
    pub nodes: Vec<SafeUrl>,
    /// Certificates.
    pub tls: Tls,
    /// How careful to be.
    pub protection: Protection,
    /// Deadline of a short call. Slow calls (create, recover, transfers) have none.
    pub timeout: Duration,
    /// Transfers that may run at once.
    pub transfers: usize,
}
