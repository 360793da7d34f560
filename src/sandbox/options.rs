//! How a sandbox is started.

use crate::sandbox::faults::Faults;
use std::net::SocketAddr;

/// The version it claims, and behaves like.
pub const VERSION: &str = "1.18.3";

/// How segments are laid out in streams, which changed between versions of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layout {
    /// 1.16: manifests also name two files that do not exist.
    With116,
    /// 1.17 and 1.18.
    #[default]
    With118,
    /// 1.19: without the folder `files/`, and with a list of the segments beside them.
    With119,
}

/// How to start a sandbox.
#[derive(Debug, Clone)]
pub struct SandboxOptions {
    /// Address of the first node; further nodes take free ports beside it.
    pub listen: SocketAddr,
    /// Key with all rights.
    pub api_key: Option<String>,
    /// Key that may only read.
    pub read_only_api_key: Option<String>,
    /// Key with all rights to one collection and none beyond, and the name of that collection: a JWT with `rw` on it.
    pub collection_key: Option<(String, String)>,
    /// Nodes; 1 is a standalone server, unless it is a cluster of one.
    pub nodes: usize,
    /// A cluster, also of one node: only there shard keys can be made. Several nodes always are one.
    pub cluster: bool,
    /// Bytes per second and connection; `None` for no limit.
    pub rate: Option<u64>,
    /// Whether `recover` may fetch http(s) locations.
    pub url_recovery: bool,
    /// User and password that a proxy before the server asks for.
    pub basic_auth: Option<(String, String)>,
    /// A header, name and value, that a proxy before the server asks for.
    pub required_header: Option<(String, String)>,
    /// Strict mode of every new collection, under what the collection says itself; `None` for none.
    pub strict_mode: Option<serde_json::Value>,
    /// How it lays out the segments of a stream.
    pub layout: Layout,
    /// Faults from the start.
    pub faults: Faults,
}

impl Default for SandboxOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            api_key: None,
            read_only_api_key: None,
            collection_key: None,
            nodes: 1,
            cluster: false,
            rate: None,
            url_recovery: true,
            basic_auth: None,
            required_header: None,
            strict_mode: None,
            layout: Layout::default(),
            faults: Faults::default(),
        }
    }
}
