//! A collection that exists only to see whether a recovery point restores.

use crate::domain::address::CollectionAddress;
use crate::domain::given_names::scratch_name;
use crate::domain::problem::Problem;
use crate::ops::journal::event::Made;
use crate::ops::journal::step_names;
use crate::ops::proof::verify::{Reference, Verification};
use crate::ops::recovery::destination::Destination;
use crate::ops::recovery::restore_into::{RestoreInput, restore_new};
use crate::ops::services::Services;
use crate::ops::steps::{Ledger, Steps};
use crate::ops::survey::source::scope;

/// A collection that exists only to see whether a recovery point restores.
pub(in crate::ops) struct Scratch {
    pub destination: Destination,
    pub verification: Verification,
    cleanup: crate::jobs::context::CleanupId,
}

impl Scratch {
    /// Removes it. When that fails it is left behind, and the report says so.
    pub(in crate::ops) async fn remove(&self, steps: &mut Steps<'_>) {
        let job = steps.job;
        let shown = self.destination.address.to_string();
        let ledger = steps.ledger();
        let removal = remove_collection(&self.destination, &ledger);
        if job.commit(steps.run("remove scratch", &shown, removal)).await.is_ok() {
            steps.gone_with(&shown);
        }
        job.keep(self.cleanup);
    }
}

async fn remove_collection(destination: &Destination, ledger: &Ledger) -> Result<(), Problem> {
    let node = destination.connection.node(destination.node)?;
    let shown = destination.address.to_string();
    // Snapshots of a deleted collection stay on the disk, out of reach.
    let scope = scope(&destination.address);
    for snapshot in node.snapshots(&scope).await.unwrap_or_default() {
        let _ = node.delete_snapshot(&scope, &snapshot.name).await;
    }
    node.delete_collection(&destination.address.collection).await.map_err(|error| error.into_problem(&shown))?;
    ledger.gone(&shown);
    Ok(())
}

/// Restores to a scratch name beside the destination.
pub(in crate::ops) async fn scratch(
    services: &Services,
    steps: &mut Steps<'_>,
    input: &RestoreInput<'_>,
    beside: &Destination,
) -> Result<Scratch, Problem> {
    let job = steps.job;
    let name = scratch_name(&beside.address.collection, services.clock.now(), job.id.0);
    let address = CollectionAddress::new(beside.address.instance.clone(), name);
    let destination = Destination { connection: beside.connection.clone(), node: beside.node, address };
    let cleanup = job.on_failure(format!("the scratch collection {}", destination.address), {
        let (destination, ledger) = (destination.clone(), steps.ledger());
        async move { remove_collection(&destination, &ledger).await }
    });
    let stage = (step_names::PROOF, Made::Scratch);
    // Here is the place to find what a server counts and cannot read: nothing live is touched yet.
    let reference = Reference { read_all: true, settings: None, ..input.reference.clone() };
    let input =
        RestoreInput { origin: input.origin, route: input.route, reference: &reference, keyed: input.keyed, put_back: None };
    let finished = restore_new(services, steps, &input, &destination, stage).await?;
    // From here on a cancel loses nothing again: the scratch collection is cleaned up.
    job.unseal();
    Ok(Scratch { destination, verification: finished.verification, cleanup })
}
