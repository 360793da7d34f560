//! Bringing back a collection that was deleted, from a snapshot that its node still keeps.
//!
//! Deleting a collection leaves its snapshots on the disk, but they cannot be listed or fetched until a collection of that
//! name exists again (qdrant#5558; measured on 1.16.3 and 1.18.3). So an empty one is made to reach them. It cannot be
//! restored over: its settings are others than those of the snapshot. So it takes these steps:
//!
//! ```text
//! make an empty collection of the name ──> restore its snapshot to a scratch name, and verify
//!   ──> snapshot of the scratch collection ──> delete the empty one ──> restore that under the name ──> verify
//! ```

use crate::domain::address::{CollectionAddress, Which};
use crate::domain::collection::CollectionInfo;
use crate::domain::ids::SnapshotName;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::snapshot::SnapshotInfo;
use crate::domain::{size, time};
use crate::jobs::limits::Resource;
use crate::ops::gates::{self, server};
use crate::ops::journal::event::Made;
use crate::ops::journal::step_names;
use crate::ops::plan::facts::Facts;
use crate::ops::plan::finding::{self, Finding};
use crate::ops::plan::{Plan, Risk, Step, Work};
use crate::ops::proof::verify::{Expected, Reference};
use crate::ops::recovery::destination::Destination;
use crate::ops::recovery::overwrite::Overwritten;
use crate::ops::recovery::restore_into::{RestoreInput, expectation, restore_new};
use crate::ops::recovery::{scratch, take};
use crate::ops::report::offer::Offer;
use crate::ops::report::verdict::Verdict;
use crate::ops::report::{PointCounts, Report};
use crate::ops::request::Request;
use crate::ops::request::collections::ReviveRequest;
use crate::ops::request::recovery_point::RecoveryPoint;
use crate::ops::request::restore::Mode;
use crate::ops::request::route::Route;
use crate::ops::services::{Connection, Services};
use crate::ops::steps::{Ledger, Steps};
use crate::ops::survey::locate::{Located, NameUse, choose, safeties, safeties_among, snapshots};
use crate::ops::survey::origin::Origin;
use crate::ops::survey::{contents, target};
use async_trait::async_trait;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The collection to bring back.
#[derive(Debug)]
struct Revive {
    request: ReviveRequest,
}

/// The plan, computed by reading only.
pub(super) async fn plan(services: &Services, request: ReviveRequest) -> Result<Plan, Problem> {
    let address = &request.address;
    let target = target::gather(services, address).await?;
    let shown = address.to_string();
    let mut findings = vec![match &target.name {
        NameUse::Free => Finding::good("target", format!("{shown} does not exist, so that its old snapshots can be looked for")),
        NameUse::Alias(real) => Finding::block(
            "target",
            format!("{shown} is an alias of {real}"),
            "snapshots of a deleted collection can be reached only while its name is free: remove the alias first",
        ),
        NameUse::Collection => Finding::block(
            "target",
            format!("{shown} exists"),
            "its snapshots are in the list already: restore one of them side by side, or in place",
        ),
    }];
    findings.push(target.right_finding());
    findings.extend(gates::name(address.collection.creation_problem()));
    findings.push(server::protection(target.connection.instance.protection, address.instance.as_str()));
    let known = services.proofs.of_source(&shown);
    findings.push(match known.iter().map(|proof| proof.taken_at).max() {
        Some(newest) => {
            Finding::good("proof", format!("qsnap recorded snapshots of it, the newest of {} UTC", time::second(newest)))
        }
        None => Finding::look(
            "proof",
            "qsnap recorded no snapshot of it on this machine",
            "what is found can be restored and counted, but not proven point by point",
        ),
    });
    if request.snapshot.is_some() {
        findings.push(Finding::look(
            "aliases",
            "its aliases were deleted with it, and snapshots hold no aliases",
            "once it is back, `qsnap alias INSTANCE/ALIAS COLLECTION` makes them again",
        ));
    }
    let mut facts = Facts::default();
    target.facts(&mut facts, false);
    let protection = target.connection.instance.protection;
    Ok(Plan {
        title: match &request.snapshot {
            None => format!("look for snapshots that {shown} left on its node"),
            Some(_) => format!("bring back {shown} from a snapshot on its node"),
        },
        risk: Risk::Changes,
        changes: Some((address.clone(), protection)),
        source: format!("{shown} (deleted)"),
        target: shown.clone(),
        steps: steps_of(&request),
        findings,
        facts,
        needs: vec![Resource::Exclusive(shown), target.connection.slot()],
        ..Plan::of(Request::Revive(request.clone()), Revive { request: request.clone() })
    })
}

fn steps_of(request: &ReviveRequest) -> Vec<Step> {
    let address = &request.address;
    let empty =
        Step::new("empty collection", format!("create an empty collection {address}: only then its snapshots can be reached"));
    let gone = Step::new("remove the empty one", "it has served its purpose");
    if request.snapshot.is_none() {
        return vec![empty, Step::new("list", "list the snapshots that are there"), gone];
    }
    vec![
        empty,
        Step::new("proof restore", "restore the snapshot to a scratch collection, and verify that"),
        Step::new("snapshot", "take a snapshot of the scratch collection"),
        gone,
        Step::new("restore", format!("restore that snapshot as {address}")),
        Step::new("verify", format!("count {address}, compare schema and sample")),
        Step::new("tidy", "remove the scratch collection"),
    ]
}

/// The empty collection that makes the old snapshots visible.
struct Empty {
    connection: Arc<Connection>,
    address: CollectionAddress,
    cleanup: crate::jobs::context::CleanupId,
}

impl Empty {
    async fn make(steps: &mut Steps<'_>, connection: &Arc<Connection>, address: &CollectionAddress) -> Result<Self, Problem> {
        let shown = address.to_string();
        steps.made(Made::Empty, &shown)?;
        let (job, ledger) = (steps.job, steps.ledger());
        let creation = async {
            let body = json!({"vectors": {}});
            let created = connection.whole().create_collection(&address.collection, &body).await;
            created.map_err(|error| error.into_problem(&shown))?;
            // Only what this made: "exists already" means that another client made it.
            let (connection, address) = (connection.clone(), address.clone());
            let label = format!("the empty collection {shown}");
            Ok(job.on_failure(label, async move { remove_empty(&connection, &address, &ledger).await }))
        };
        let created = steps.run("empty collection", &shown, creation).await;
        if matches!(&created, Err(problem) if problem.kind != ProblemKind::Unknown && problem.kind != ProblemKind::Unreachable) {
            steps.gone(&shown);
        }
        let cleanup = created?;
        Ok(Self { connection: connection.clone(), address: address.clone(), cleanup })
    }

    /// What the nodes that answer still have of it, the newest first; and the nodes that do not.
    async fn snapshots(&self) -> Result<(Vec<Located>, Vec<Problem>), Problem> {
        let (listed, problems) = snapshots(&self.connection, &self.address).await;
        match problems.first() {
            Some(problem) if problems.len() == self.connection.nodes.len() => Err(problem.clone()),
            _ => Ok((listed, problems)),
        }
    }

    async fn remove(self, steps: &mut Steps<'_>) -> Result<(), Problem> {
        let shown = self.address.to_string();
        let (job, ledger) = (steps.job, steps.ledger());
        job.commit(steps.run("remove the empty one", &shown, remove_empty(&self.connection, &self.address, &ledger))).await?;
        steps.gone(&shown);
        job.keep(self.cleanup);
        Ok(())
    }
}

/// Only while it is empty: somebody may have put data into it meanwhile.
async fn remove_empty(connection: &Connection, address: &CollectionAddress, ledger: &Ledger) -> Result<(), Problem> {
    let node = connection.whole();
    let shown = address.to_string();
    let problem = |error: crate::qdrant::error::ApiError| error.into_problem(&shown);
    match node.exists(&address.collection).await.map_err(problem)? {
        false => {}
        true if node.is_empty(&address.collection).await.map_err(problem)? => {
            node.delete_collection(&address.collection).await.map_err(problem)?;
        }
        true => {
            return Err(Problem::new(ProblemKind::Failed, "somebody writes to the empty collection", &shown)
                .advise("it was left as it is; stop what writes to it"));
        }
    }
    ledger.gone(&shown);
    Ok(())
}

#[async_trait]
impl Work for Revive {
    async fn again(&self, services: &Services) -> Result<Plan, Problem> {
        plan(services, self.request.clone()).await
    }

    async fn run(&self, services: &Arc<Services>, plan: &Plan, steps: &mut Steps<'_>) -> Result<Report, Problem> {
        let request = &self.request;
        let address = &request.address;
        let connection = services.connection(&address.instance).await?;
        // A list only marks them; nothing is chosen by it.
        let named = Which::Named(SnapshotName::new(""));
        let safeties = safeties(services, request.snapshot.as_ref().unwrap_or(&named)).await?;
        let empty = Empty::make(steps, &connection, address).await?;
        let (listed, unseen) = steps.run("list", &address.to_string(), empty.snapshots()).await?;
        let safeties = safeties_among(&safeties, address, &listed);
        for problem in &unseen {
            steps.note(format!("snapshots on a node that does not answer are not seen: {problem}"));
        }
        let Some(which) = &request.snapshot else {
            empty.remove(steps).await?;
            if listed.is_empty() {
                return Err(Problem::new(ProblemKind::NotFound, "its node has no snapshot of it", address.to_string())
                    .advise("is the name right? Else restore a backup or a downloaded file"));
            }
            let found = listed.iter().map(|located| address.snapshot(&located.snapshot.name)).collect();
            let next = listed.iter().map(|located| offer(address, &located.snapshot, &safeties)).collect();
            return Ok(Report { created: found, only_found: true, next, ..plan.report() });
        };
        let chosen = choose(&(listed, unseen), &address.clone().into(), which, &safeties).map_err(|problem| {
            problem
                .advise(format!("`qsnap revive {address} --yes` lists its snapshots; or restore a backup or a downloaded file"))
        })?;
        let done = bring_back(services, steps, empty, chosen).await?;
        Ok(done.report(plan, Mode::New))
    }
}

async fn bring_back(
    services: &Services,
    steps: &mut Steps<'_>,
    empty: Empty,
    Located { node, snapshot: chosen }: Located,
) -> Result<Overwritten, Problem> {
    let (address, connection) = (empty.address.clone(), empty.connection.clone());
    let named = RecoveryPoint::Snapshot(address.clone(), Which::Named(chosen.name.clone()));
    let content = contents::read(services, &named).await;
    let version = connection.whole().version().await.ok().flatten();
    if let Some(bad) = content.findings(version).into_iter().find(|finding| finding.level == finding::Level::Block) {
        return Err(Problem::new(ProblemKind::Difference, bad.message, chosen.name.to_string()).advise(bad.advice));
    }
    let shape: Option<CollectionInfo> = content.info();
    let keyed = content.collection().filter(|collection| collection.shape.as_ref().is_some_and(|shape| shape.custom_sharding));
    let origin = Origin::Node { connection: connection.clone(), node, address: address.clone(), snapshot: chosen.clone() };
    let landing = Destination { connection: connection.clone(), node, address: address.clone() };
    let expected = expectation(services, &origin, chosen.sha256.as_deref(), &address, &steps.job.progress).await;
    let recorded = match &expected {
        Expected::Recorded(proof) => proof.settings.clone(),
        _ => None,
    };
    let settings = recorded.or(shape.as_ref().map(|shape| shape.settings.clone()));
    let reference = Reference { shape: shape.clone(), settings: settings.clone(), ..Reference::of(expected) };
    let input = RestoreInput { origin: &origin, route: Route::Auto, reference: &reference, keyed, put_back: None };
    let scratch = scratch::scratch(services, steps, &input, &landing).await?;
    if let Verdict::Differs(why) = &scratch.verification.verdict {
        let message = format!("the proof restore differs: {why}");
        scratch.remove(steps).await;
        return Err(Problem::new(ProblemKind::Difference, message, chosen.name.to_string()).advise("choose an older snapshot"));
    }
    let between = &scratch.destination.address;
    let taken = take::take(services, steps, (&connection, node, between), ("snapshot", Some(Made::Snapshot))).await?;
    empty.remove(steps).await?;
    let snapshot = taken.snapshot.clone();
    let from_scratch = Origin::Node { connection: connection.clone(), node, address: between.clone(), snapshot };
    // What was recorded of the snapshot itself counts more than what its proof restore gave.
    let recorded = matches!(reference.expected, Expected::Recorded(_));
    let expected = match reference.expected {
        Expected::Recorded(proof) => Expected::Recorded(proof),
        _ => taken.proof.clone().map_or(Expected::Nothing, Expected::Recorded),
    };
    let reference = Reference { shape, settings, ..Reference::of(expected) };
    let input = RestoreInput { origin: &from_scratch, route: Route::Auto, reference: &reference, keyed, put_back: None };
    let mut finished = restore_new(services, steps, &input, &landing, (step_names::RESTORE, Made::Collection)).await?;
    if !recorded && finished.matches() {
        finished.verification.verdict = as_its_proof_restore(finished.verification.points, chosen.sha256.is_some());
    }
    scratch.remove(steps).await;
    Ok(Overwritten::fresh(finished))
}

/// Equal to the proof restore is not equal to what was once recorded. Pure.
fn as_its_proof_restore(points: Option<PointCounts>, listed: bool) -> Verdict {
    let points = size::exact(points.map_or(0, |points| points.found));
    let same = format!("{points} points and the sample are as its proof restore gave them");
    if listed {
        Verdict::Matches(format!(
            "{same}; the bytes have the sha256 that the server listed; nothing was recorded when it was taken"
        ))
    } else {
        Verdict::CouldNotCheck(format!("{same}; nothing was recorded when it was taken, and no sha256 proves its bytes"))
    }
}

fn offer(address: &CollectionAddress, snapshot: &SnapshotInfo, safeties: &BTreeSet<String>) -> Offer {
    let name: &SnapshotName = &snapshot.name;
    let request = ReviveRequest::from(address, name);
    let taken = snapshot.taken_at.map_or_else(|| "an unknown time".to_owned(), |at| format!("{} UTC", time::second(at)));
    Offer {
        words: format!(
            "bring {address} back as it was at {taken} ({}){}",
            size::bytes(snapshot.size),
            if safeties.contains(&address.snapshot(name)) { ": a safety snapshot, of what was replaced then" } else { "" }
        ),
        request: Request::Revive(request),
    }
}
