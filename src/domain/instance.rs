//! One Qdrant deployment as the configuration describes it.

use crate::domain::ids::{CollectionName, InstanceName};
use crate::domain::policy::Policy;
use crate::domain::secret::SafeUrl;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Deadline of a short call, unless the configuration gives one.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(15);

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
    /// PEM file with the only server certificates to accept, whatever is written in them.
    pub certificate_pin: Option<PathBuf>,
    /// PEM file with the client's certificate.
    pub client_certificate: Option<PathBuf>,
    /// PEM file with the client's key.
    pub client_key: Option<PathBuf>,
}

/// How bytes are moved from and to an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfers {
    /// Transfers that may run at once.
    pub at_once: usize,
    /// Parallel streams of one download, at most.
    pub streams: usize,
    /// No byte for so long is a fault.
    pub stall: Duration,
    /// Wait before the first retry of a broken stream; it doubles with each that brings nothing.
    pub first_wait: Duration,
    /// Bytes per second of all transfers together; `None` for no limit.
    pub limit_rate: Option<u64>,
}

impl Default for Transfers {
    fn default() -> Self {
        Self { at_once: 2, streams: 8, stall: Duration::from_secs(30), first_wait: Duration::from_millis(500), limit_rate: None }
    }
}

/// An instance, ready to be connected to.
#[derive(Debug, Clone)]
pub struct Instance {
    /// Its name in the configuration.
    pub name: InstanceName,
    /// REST addresses of its nodes; at least one.
    pub nodes: Vec<SafeUrl>,
    /// How other servers reach the nodes, one address each; empty when the addresses in `nodes` hold for them too.
    pub reachable_as: Vec<SafeUrl>,
    /// Its requests carry basic authentication or further headers, which another server cannot send.
    pub needs_headers: bool,
    /// Certificates.
    pub tls: Tls,
    /// How careful to be.
    pub protection: Protection,
    /// Deadline of a short call. Slow calls (create, recover, transfers) have none.
    pub timeout: Duration,
    /// How bytes are moved.
    pub transfers: Transfers,
    /// What is wanted of the backups of its collections.
    pub policy: Policy,
    /// And of single ones, by name.
    pub collections: BTreeMap<CollectionName, Policy>,
    /// What to do when it cannot be reached, where that is more than to check its address.
    pub if_unreachable: Option<String>,
}

impl Instance {
    /// An instance with the defaults.
    pub fn new(name: InstanceName, nodes: Vec<SafeUrl>) -> Self {
        Self {
            name,
            nodes,
            reachable_as: Vec::new(),
            needs_headers: false,
            tls: Tls::default(),
            protection: Protection::default(),
            timeout: DEFAULT_TIMEOUT,
            transfers: Transfers::default(),
            policy: Policy::default(),
            collections: BTreeMap::new(),
            if_unreachable: None,
        }
    }

    /// What is wanted of the backups of a collection.
    pub fn policy(&self, collection: &CollectionName) -> Policy {
        self.collections.get(collection).copied().unwrap_or_default().or(self.policy)
    }

    /// How other servers reach a node, where the configuration says that they need another address.
    pub fn reachable_as(&self, node: usize) -> Option<&SafeUrl> {
        self.reachable_as.get(node)
    }
}
