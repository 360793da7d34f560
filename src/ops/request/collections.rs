//! What is asked for of collections and aliases: to switch, delete, bring back and compare them.

use crate::domain::address::{CollectionAddress, Which, encode};
use crate::domain::ids::SnapshotName;

/// What to switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwitchRequest {
    /// The alias, as the server spells it.
    pub alias: String,
    /// The collection it is to point at.
    pub to: CollectionAddress,
    /// Only while it points at nothing: an alias in use is left alone.
    pub free: bool,
}

impl SwitchRequest {
    /// Wherever it points now.
    pub fn new(alias: &str, to: &CollectionAddress) -> Self {
        Self { alias: alias.to_owned(), to: to.clone(), free: false }
    }

    /// Of an alias that must point at nothing.
    pub fn of_free(alias: &str, to: &CollectionAddress) -> Self {
        Self { free: true, ..Self::new(alias, to) }
    }

    /// The alias's own address, which is typed to agree.
    pub fn shown(&self) -> String {
        format!("{}/{}", self.to.instance, encode(&self.alias))
    }
}

/// What to delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropRequest {
    /// Also while aliases point at it, which go with it.
    pub with_aliases: bool,
    /// The collection.
    pub address: CollectionAddress,
}

/// What to bring back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviveRequest {
    /// The collection that was deleted.
    pub address: CollectionAddress,
    /// From which of its snapshots; without one they are only looked for.
    pub snapshot: Option<Which>,
}

impl ReviveRequest {
    /// From a snapshot by its name.
    pub fn from(address: &CollectionAddress, name: &SnapshotName) -> Self {
        Self { address: address.clone(), snapshot: Some(Which::Named(name.clone())) }
    }
}

/// What to compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompareRequest {
    /// The one.
    pub first: CollectionAddress,
    /// The other.
    pub second: CollectionAddress,
    /// Every point, rather than a sample.
    pub deep: bool,
}
