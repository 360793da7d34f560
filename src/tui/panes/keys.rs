//! What rows of lists are known by, however the lists change.

use crate::ops::survey::listing::RecoveryPointView;
use crate::tui::panes::list::PointKey;

/// Identities of recovery points.
pub fn point_keys(points: &[&RecoveryPointView]) -> Vec<PointKey> {
    points.iter().map(|point| (point.node, point.snapshot.name.clone())).collect()
}
