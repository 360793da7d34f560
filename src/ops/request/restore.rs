//! What is asked for of a restore.

use crate::domain::address::{Address, CollectionAddress, repository_of};
use crate::domain::backup::{BackupId, RepositoryName};
use crate::domain::ids::{CollectionName, InstanceName};
use crate::domain::text::sanitise;
use crate::ops::request::copy::NameMap;
use crate::ops::request::recovery_point::RecoveryPoint;
use crate::ops::request::route::Route;
use crate::ops::request::skips::Skips;
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;

/// Where a restore may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// To the name where it is free, else beside what has it.
    #[default]
    Auto,
    /// Only to a free name.
    New,
    /// Under a new name beside the existing collection, which is not touched.
    SideBySide,
    /// Over the existing collection, after a safety snapshot and a proof restore.
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
    /// So many replicas of each shard, where the collection is made shard by shard; `None` for as many as there were.
    #[serde(default)]
    pub replicas: Option<NonZeroU32>,
    /// The name beside the target; a plan chooses it.
    #[serde(default)]
    pub beside: Option<CollectionName>,
}

impl RestoreRequest {
    /// A restore with nothing special.
    pub fn new(source: RecoveryPoint, target: CollectionAddress, mode: Mode, route: Route) -> Self {
        Self {
            source,
            target,
            mode,
            route,
            skips: Skips::default(),
            force: Vec::new(),
            deep: false,
            replicas: None,
            beside: None,
        }
    }

    /// Where the data lands.
    pub fn landing(&self) -> CollectionAddress {
        match &self.beside {
            Some(name) => CollectionAddress::new(self.target.instance.clone(), name.clone()),
            None => self.target.clone(),
        }
    }
}

/// What belongs together, and is restored as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Set {
    /// The collections in a snapshot of the full storage, on a node or in a local file.
    Storage(RecoveryPoint),
    /// The backups that one run made of an instance, in a repository; of the last run where none is named.
    Run(RepositoryName, InstanceName, Option<BackupId>),
}

impl Set {
    /// Reads `instance@snapshot`, `instance@latest`, a local file, `repository:instance@run` or `repository:instance@latest`.
    ///
    /// # Errors
    /// Says how it should look.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some((repository, rest)) = repository_of(text) {
            let Some((instance, run)) = rest.split_once('@') else {
                return Err(format!("`{}` names no set: write REPOSITORY:INSTANCE@RUN, or @latest", sanitise(text)));
            };
            let run = if run == "latest" { None } else { Some(BackupId::new(run)?) };
            return Ok(Self::Run(RepositoryName::new(repository)?, InstanceName::new(instance)?, run));
        }
        match Address::parse(text)? {
            Address::Storage(instance, which) => Ok(Self::Storage(RecoveryPoint::Storage(instance, which))),
            Address::File(path) => Ok(Self::Storage(RecoveryPoint::File(path))),
            other => Err(format!(
                "`{other}` is no set: write INSTANCE@SNAPSHOT, INSTANCE@latest, REPOSITORY:INSTANCE@RUN or a local file"
            )),
        }
    }
}

impl std::fmt::Display for Set {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Storage(point) => write!(f, "{point}"),
            Self::Run(repository, instance, Some(run)) => write!(f, "{repository}:{instance}@{run}"),
            Self::Run(repository, instance, None) => write!(f, "{repository}:{instance}@latest"),
        }
    }
}

/// Restore all collections of a set, and put its aliases back where their names are free.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreAllRequest {
    /// From.
    pub set: Set,
    /// To.
    pub to: InstanceName,
    /// What the names of the collections become.
    pub names: NameMap,
    /// How, each of them.
    pub mode: Mode,
    /// What is left out by choice where something is replaced.
    pub skips: Skips,
    /// Gates that are overruled.
    pub force: Vec<String>,
    /// Compare every point where there is something to compare with.
    pub deep: bool,
}
