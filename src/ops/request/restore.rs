//! What is asked for of a restore.

use crate::domain::address::CollectionAddress;
use crate::domain::ids::CollectionName;
use crate::ops::request::recovery_point::RecoveryPoint;
use crate::ops::request::route::Route;
use crate::ops::request::skips::Skips;
use serde::{Deserialize, Serialize};

/// Where a restore may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// To the name where it is free, else beside what has it.
    #[default]
    Auto,
    /// Only to a free name.
    New,
    /// Under a name beside the one that is taken; what is there stays as it is.
    SideBySide,
    /// Over what is there, after a safety snapshot and a proof restore.
    InPlace,
}

impl Mode {
    /// The word in JSON and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::New => "new",
            Self::SideBySide => "side-by-side",
            Self::InPlace => "in-place",
        }
    }
}

/// What to restore, and where to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreRequest {
    /// From.
    pub source: RecoveryPoint,
    /// To.
    pub target: CollectionAddress,
    /// How.
    pub mode: Mode,
    /// Which way.
    pub route: Route,
    /// What is left out by choice.
    #[serde(default)]
    pub skips: Skips,
    /// Gates that are overruled.
    #[serde(default)]
    pub force: Vec<String>,
    /// Compare every point where there is something to compare with.
    #[serde(default)]
    pub deep: bool,
    /// The name beside the target; a plan chooses it.
    #[serde(default)]
    pub beside: Option<CollectionName>,
}

impl RestoreRequest {
    /// A restore with nothing special.
    pub fn new(source: RecoveryPoint, target: CollectionAddress, mode: Mode, route: Route) -> Self {
        Self { source, target, mode, route, skips: Skips::default(), force: Vec::new(), deep: false, beside: None }
    }

    /// Where the data lands.
    pub fn landing(&self) -> CollectionAddress {
        match &self.beside {
            Some(name) => CollectionAddress::new(self.target.instance.clone(), name.clone()),
            None => self.target.clone(),
        }
    }
}
