//! What is asked for of a guard. Its command is no part of it: that is the front end's to run.

use crate::domain::address::{CollectionAddress, Which};
use crate::domain::ids::SnapshotName;
use crate::ops::request::recovery_point::RecoveryPoint;
use crate::ops::request::restore::{Mode, RestoreRequest};
use crate::ops::request::route::Route;
use crate::ops::request::skips::Skips;

/// What to guard, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardRequest {
    /// The collection.
    pub address: CollectionAddress,
    /// What the rollback leaves out by choice, if it comes to that.
    pub skips: Skips,
    /// Delete the snapshot when the command succeeded.
    pub forget: bool,
}

impl GuardRequest {
    /// The restore that brings the collection back.
    pub(in crate::ops) fn rollback(&self, name: &SnapshotName) -> RestoreRequest {
        let source = RecoveryPoint::Snapshot(self.address.clone(), Which::Named(name.clone()));
        let plain = RestoreRequest::new(source, self.address.clone(), Mode::InPlace, Route::Auto);
        RestoreRequest { skips: self.skips, ..plain }
    }
}
