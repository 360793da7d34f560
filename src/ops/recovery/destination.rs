//! Where a restore goes: a collection on a node.

use crate::domain::address::CollectionAddress;
use crate::domain::ids::InstanceName;
use crate::domain::problem::Problem;
use crate::domain::snapshot::SnapshotScope;
use crate::ops::services::{Connection, Services};
use crate::qdrant::api::QdrantApi;
use crate::transfer::pump::Outlet;
use crate::transfer::throttle::Throttle;
use std::sync::Arc;

/// The target of a delivery.
#[derive(Clone)]
pub(in crate::ops) struct Destination {
    pub connection: Arc<Connection>,
    pub node: usize,
    pub address: CollectionAddress,
}

impl Destination {
    pub(super) fn node(&self) -> Result<&Arc<dyn QdrantApi>, Problem> {
        self.connection.node(self.node)
    }

    pub(super) fn scope(&self) -> SnapshotScope {
        SnapshotScope::Collection(self.address.collection.clone())
    }

    /// `source` is the instance that the bytes come from, where they come from one.
    pub(super) fn outlet(&self, services: &Services, source: Option<&InstanceName>) -> Result<Outlet, Problem> {
        let line = services.line(&self.address.instance)?;
        // Bytes that come from the same instance were counted against its limit when they came.
        let counted = source == Some(&self.address.instance);
        let throttle = if counted { Throttle::new(None) } else { line.throttle };
        Ok(Outlet { throttle, stall: line.stall, shown: self.address.to_string(), wants_end: true })
    }
}
