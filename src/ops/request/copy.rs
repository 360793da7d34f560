//! What is asked for of a copy: one collection, or several.

use crate::domain::address::CollectionAddress;
use crate::domain::ids::{CollectionName, InstanceName};
use crate::ops::request::route::Route;
use crate::ops::request::skips::Skips;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::num::NonZeroU32;

/// What to copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyRequest {
    /// From.
    pub source: CollectionAddress,
    /// To; when it exists, it is replaced.
    pub target: CollectionAddress,
    /// Which way.
    pub route: Route,
    /// What is left out by choice, where something is replaced.
    #[serde(default)]
    pub skips: Skips,
    /// Gates that are overruled.
    #[serde(default)]
    pub force: Vec<String>,
    /// Compare every point afterwards.
    #[serde(default)]
    pub deep: bool,
    /// So many replicas of each shard, where the collection is made shard by shard; `None` for as many as there were.
    #[serde(default)]
    pub replicas: Option<NonZeroU32>,
    /// Carry the aliases of the source, where their names are free on the target.
    #[serde(default)]
    pub aliases: bool,
}

impl CopyRequest {
    /// A copy with nothing special.
    pub fn new(source: CollectionAddress, target: CollectionAddress, route: Route) -> Self {
        Self { source, target, route, skips: Skips::default(), force: Vec::new(), deep: false, replicas: None, aliases: false }
    }
}

/// What names become on the other side.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NameMap {
    /// Prefix of every new name.
    pub prefix: String,
    /// Suffix of every new name.
    pub suffix: String,
    /// Names that become others, without prefix and suffix.
    pub renames: BTreeMap<String, String>,
}

impl NameMap {
    /// The new name.
    pub fn apply(&self, name: &CollectionName) -> CollectionName {
        match self.renames.get(name.raw()) {
            Some(new) => CollectionName::new(new.clone()),
            None => CollectionName::new(format!("{}{}{}", self.prefix, name.raw(), self.suffix)),
        }
    }
}

/// What to copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetRequest {
    /// From.
    pub from: InstanceName,
    /// Which collections; none for all.
    pub collections: Vec<CollectionName>,
    /// To.
    pub to: InstanceName,
    /// What their names become.
    pub names: NameMap,
    /// Which way.
    pub route: Route,
    /// What is left out by choice where something is replaced.
    pub skips: Skips,
    /// Gates that are overruled.
    pub force: Vec<String>,
    /// Compare every point afterwards.
    pub deep: bool,
    /// Carry aliases.
    pub aliases: bool,
}
