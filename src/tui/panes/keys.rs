//! What rows of lists are known by, however the lists change.

use crate::domain::ids::CollectionName;
use crate::ops::survey::listing::{CollectionView, RecoveryPointView};
use crate::tui::panes::list::PointKey;

/// Identities of collections.
pub fn collection_keys(views: &[&CollectionView]) -> Vec<CollectionName> {
    views.iter().map(|view| view.address.collection.clone()).collect()
}

/// Identities of recovery points.
pub fn point_keys(points: &[&RecoveryPointView]) -> Vec<PointKey> {
    points.iter().map(|point| (point.node, point.snapshot.name.clone())).collect()
}
