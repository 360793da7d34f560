//! Which way the bytes of a restore go.

use serde::{Deserialize, Serialize};

/// How the bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Route {
    /// url where it can work, else stream; upload for local files.
    #[default]
    Auto,
    /// The target fetches from the source.
    Url,
    /// Through qsnap, without a file.
    Stream,
    /// From a local file.
    Upload,
}

impl Route {
    /// The word in JSON and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Url => "url",
            Self::Stream => "stream",
            Self::Upload => "upload",
        }
    }
}
