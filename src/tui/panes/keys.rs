//! What rows of lists are known by, however the lists change.

use crate::ops::survey::listing::{CollectionView, RecoveryPointView};
use crate::tui::panes::list::{CollectionKey, PointKey};

/// Identities of collections; of the whole instance behind them, where that is shown.
pub fn collection_keys(views: &[&CollectionView], whole: bool) -> Vec<CollectionKey> {
    let named = views.iter().map(|view| CollectionKey::Named(view.address.collection.clone()));
    named.chain(whole.then_some(CollectionKey::Storage)).collect()
}

/// Identities of recovery points.
pub fn point_keys(points: &[&RecoveryPointView]) -> Vec<PointKey> {
    points.iter().map(|point| (point.node, point.snapshot.name.clone())).collect()
}
