//! Taking a snapshot on every node that holds shards of the collection, with the proof sample.

use crate::domain::address::CollectionAddress;
use crate::domain::ids::SnapshotName;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::snapshot::{SnapshotInfo, SnapshotScope, time_in_name};
use crate::jobs::limits::Resource;
use crate::jobs::manager::CleanupId;
use crate::ops::flow::{self, Facts, Finding, Plan, Risk, Spec, Step};
use crate::ops::follow::{Followed, follow};
use crate::ops::gates;
use crate::ops::journal::Made;
use crate::ops::placement;
use crate::ops::proof::{self, Proof};
use crate::ops::report::Report;
use crate::ops::resolve::{NameUse, name_use};
use crate::ops::services::{Connection, Services};
use crate::ops::steps::Steps;
use crate::ops::unread::{Unread, is_damage};
use crate::qdrant::api::QdrantApi;
use crate::qdrant::error::{ApiError, ApiErrorKind};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What to take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateSpec {
    /// The collection.
    pub address: CollectionAddress,
}

/// Nodes that hold shards.
#[derive(Debug, Clone)]
pub(in crate::ops) struct Resolved {
    nodes: Vec<usize>,
    /// What the snapshots will not hold, in words.
    missing: Option<String>,
}

/// Reads what is needed.
pub async fn plan(services: &Services, spec: CreateSpec) -> Result<Plan, Problem> {
    let address = &spec.address;
    let connection = services.connection(&address.instance).await?;
    let problem = |error: ApiError| error.into_problem(address.to_string());
    if let NameUse::Alias(real) = name_use(&connection, address).await? {
        let real = CollectionAddress::new(address.instance.clone(), real);
        return Err(Problem::new(ProblemKind::Usage, format!("is an alias of {real}"), address.to_string())
            .advise(format!("name {real} itself")));
    }
    let held = placement::held(&connection, address).await.map_err(problem)?;
    let source = match connection.whole().collection(&address.collection).await {
        Ok(info) => Finding::good("source", format!("{address}: {}, status {}", info.vectors_in_words(), info.status.word())),
        // Shards of which no replica is left cannot be asked; those that live can be saved all the same.
        Err(error) if is_damage(&error) && !held.silent.is_empty() => {
            let words = format!("{address} cannot be read while a node does not answer: {}", error.message);
            Finding::look("source", words, "what the other nodes hold can be saved, without a proof")
        }
        Err(error) => return Err(problem(error)),
    };
    let holder = connection.node(placement::holder(&connection, address).await)?;
    let activity = holder.snapshot_activity(&address.collection).await.ok().flatten();
    let mut findings = vec![source];
    findings.extend(gates::snapshot_name(&address.collection));
    let nodes = held.nodes.clone();
    findings.extend(held.findings());
    findings.push(gates::idle(activity, &address.to_string()));
    let where_to = if nodes.len() > 1 { format!("on {} nodes", nodes.len()) } else { "on the node".to_owned() };
    let protection = connection.instance.protection;
    let mut facts = Facts::default();
    facts.text("nodes with shards", format!("{nodes:?}"));
    Ok(Plan {
        operation: "create",
        title: format!("snapshot {address}"),
        risk: Risk::Safe,
        consequence: String::new(),
        changes: Some((address.clone(), protection)),
        source: address.to_string(),
        target: address.to_string(),
        steps: vec![
            Step::new("sample", "count the points and read a proof sample"),
            Step::new(
                "snapshot",
                format!("take the snapshot {where_to}; it needs about the collection's size on the server's disk"),
            ),
            Step::new("record", "keep the proof, so that a restore can be proven"),
        ],
        findings,
        command: format!("qsnap snapshots create {address}"),
        facts,
        needs: vec![Resource::Exclusive(address.to_string())],
        resolved: flow::Resolved::Create(Resolved { nodes, missing: held.missing_words() }),
        spec: Spec::Create(spec),
    })
}

/// Takes the snapshots.
pub(in crate::ops) async fn execute(
    services: &Services,
    plan: &Plan,
    resolved: Resolved,
    steps: &mut Steps<'_>,
) -> Result<Report, Problem> {
    let Some((address, _)) = &plan.changes else {
        return Err(Problem::new(ProblemKind::Failed, "the plan names no collection", ""));
    };
    let connection = services.connection(&address.instance).await?;
    let (mut created, mut bytes) = (Vec::new(), 0_u64);
    for node in resolved.nodes {
        let taken = take(services, steps, (&connection, node, address), ("snapshot", None)).await?;
        let kept = still_there(&connection, node, address, &taken.snapshot, taken.begun);
        steps.run("keep the snapshot", "", kept).await?;
        bytes += taken.snapshot.size;
        created.push(shown(address, &taken.snapshot.name));
    }
    let failures = resolved.missing.map(|words| {
        Problem::new(ProblemKind::Partly, words, address.to_string())
            .advise("bring that node back and take the snapshots again; what was taken can be restored, without those shards")
    });
    Ok(Report { bytes, created, failures: failures.into_iter().collect(), ..Report::of(plan) })
}

/// Address of a snapshot, as it is typed.
pub(in crate::ops) fn shown(address: &CollectionAddress, name: &SnapshotName) -> String {
    format!("{address}/{}", crate::domain::address::encode(name.raw()))
}

/// Deletes a snapshot that an operation made and does not need any more, if it still is that one: a later
/// snapshot of the same second would have its name.
fn undo(
    connection: &Arc<Connection>,
    node: usize,
    address: &CollectionAddress,
    taken: SnapshotInfo,
) -> impl Future<Output = Result<(), Problem>> + Send + 'static {
    let (connection, address) = (connection.clone(), address.clone());
    async move {
        let scope = SnapshotScope::Collection(address.collection.clone());
        let node = connection.node(node)?;
        let problem = |error: ApiError| error.into_problem(address.to_string());
        let ours = |snapshot: &SnapshotInfo| snapshot.name == taken.name && snapshot.sha256 == taken.sha256;
        if !node.snapshots(&scope).await.map_err(problem)?.iter().any(ours) {
            return Ok(());
        }
        node.delete_snapshot(&scope, &taken.name).await.map_err(problem)
    }
}

/// After it, no snapshot that is taken can have the name of an earlier one.
const SAME_SECOND: Duration = Duration::from_millis(1_100);

/// A snapshot that somebody takes within the same second would replace ours (1.18.3). Once that second is over, it is
/// looked whether it still is the one that was taken. `begun` is when the server was asked: its name has that second.
///
/// # Errors
/// When it is another one, or gone.
pub(in crate::ops) async fn still_there(
    connection: &Connection,
    node: usize,
    address: &CollectionAddress,
    taken: &SnapshotInfo,
    begun: Instant,
) -> Result<(), Problem> {
    tokio::time::sleep(SAME_SECOND.saturating_sub(begun.elapsed())).await;
    let scope = SnapshotScope::Collection(address.collection.clone());
    let listed = connection.node(node)?.snapshots(&scope).await.map_err(|error| error.into_problem(address.to_string()))?;
    let message = match listed.iter().find(|known| known.name == taken.name) {
        None => "the snapshot was deleted right after it was taken".to_owned(),
        // A hash that is not listed says nothing.
        Some(known) => match (&known.sha256, &taken.sha256) {
            (Some(now), Some(then)) if now != then => {
                "another snapshot of the same second replaced it: it has another sha256".to_owned()
            }
            _ if known.size != taken.size => {
                format!("another snapshot of the same second replaced it: it has {} bytes instead of {}", known.size, taken.size)
            }
            _ => return Ok(()),
        },
    };
    Err(Problem::new(ProblemKind::Failed, message, shown(address, &taken.name))
        .advise("see who takes snapshots of it at the same time, and take another one"))
}

/// A snapshot that was taken.
pub(in crate::ops) struct Taken {
    pub snapshot: SnapshotInfo,
    /// What was recorded of it.
    pub proof: Option<Proof>,
    /// When the server was asked for it.
    pub begun: Instant,
    /// Removes it when the job fails; a safety snapshot has none.
    cleanup: Option<CleanupId>,
    connection: Arc<Connection>,
    node: usize,
    address: CollectionAddress,
}

impl Taken {
    /// Removes one that has served its purpose.
    pub(in crate::ops) async fn remove(self, steps: &mut Steps<'_>) {
        let job = steps.job;
        let shown = shown(&self.address, &self.snapshot.name);
        let deletion = undo(&self.connection, self.node, &self.address, self.snapshot);
        if job.commit(steps.run("tidy", &shown, deletion)).await.is_ok() {
            steps.gone(&shown);
        }
        if let Some(cleanup) = self.cleanup {
            job.keep(cleanup);
        }
    }
}

/// Takes one snapshot with its proof, in a step called `step`. Used by copy, and for safety snapshots, too. What it is for
/// is in the journal before the server is asked: it goes on when its client dies.
pub(in crate::ops) async fn take(
    services: &Services,
    steps: &mut Steps<'_>,
    (connection, node_index, address): (&Arc<Connection>, usize, &CollectionAddress),
    (step, kind): (&'static str, Option<Made>),
) -> Result<Taken, Problem> {
    let node = connection.node(node_index)?.clone();
    let problem = |error: ApiError| error.into_problem(address.to_string());
    let name = &address.collection;
    let job = steps.job;
    // One at a time, whichever process asks: two of one second would have one name.
    let claim = services.journal.wait_for_claim(&format!("snapshot of {address} on node {node_index}"), &job.progress).await;
    let claim = Arc::new(claim);
    // A collection that cannot be sampled can still be snapshotted: then nothing is recorded, and the report says why.
    let sampling = async { proof::before(connection, address, &job.progress).await.map_err(Unread::problem) };
    let before = steps.run("sample", "", sampling).await;
    let scope = SnapshotScope::Collection(name.clone());
    another_second(node.as_ref(), &scope).await.map_err(problem)?;
    let (ledger, source) = (steps.ledger(), address.to_string());
    let begun = Instant::now();
    let (taken, cleanup) = steps
        .run(step, &source, async {
            let known: BTreeSet<SnapshotName> =
                node.snapshots(&scope).await.map_err(problem)?.into_iter().map(|s| s.name).collect();
            let names: Vec<&str> = known.iter().map(SnapshotName::raw).collect();
            ledger.taking(kind.unwrap_or(Made::Snapshot), &source, &names)?;
            // A server goes on when its client leaves: a cancel must wait for the file and remove it.
            let stray = job.on_failure(format!("a snapshot of {address} that the server may still be taking"), {
                let (node, scope, known, ledger, source) =
                    (node.clone(), scope.clone(), known.clone(), ledger.clone(), source.clone());
                // Held until it is over: the snapshot of whoever comes next must not be taken for ours.
                let claim = claim.clone();
                async move {
                    let removed = remove_stray(node.as_ref(), &scope, &known).await;
                    drop(claim);
                    removed.inspect(|()| ledger.not_taken(&source))
                }
            });
            let followed = follow(node.as_ref(), name, &job.progress, node.create_snapshot(&scope)).await;
            let taken = match followed {
                Ok(Followed::Answered(taken)) => Ok(taken),
                Ok(Followed::MustLook) => new_one(node.as_ref(), &scope, &known).await,
                Err(error) => Err(error),
            };
            match &taken {
                // Nobody knows whether the server still takes it: the cleanup waits for it, and the record stays open until
                // it is known.
                Err(error) if matches!(error.kind, ApiErrorKind::OutcomeUnknown | ApiErrorKind::Vanished) => {}
                Err(_) => {
                    job.keep(stray);
                    ledger.not_taken(&source);
                }
                Ok(_) => job.keep(stray),
            }
            let taken = taken.map_err(problem)?;
            let shown = shown(address, &taken.name);
            // The way back is never undone.
            let cleanup = (kind != Some(Made::Safety)).then(|| {
                let (undo, ledger, shown) = (undo(connection, node_index, address, taken.clone()), ledger.clone(), shown.clone());
                job.on_failure(shown.clone(), async move { undo.await.inspect(|()| ledger.gone(&shown)) })
            });
            if cleanup.is_none() {
                job.resumable(Some(format!("{address} was not touched; kept: safety snapshot {shown}")));
            }
            match kind {
                Some(kind) => ledger.made(kind, &shown)?,
                // It is what was wanted: nobody's leftover.
                None => ledger.not_taken(&source),
            }
            Ok((taken, cleanup))
        })
        .await?;
    drop(claim);
    if let Some(kind) = kind {
        steps.adopt(kind, &shown(address, &taken.name));
    }
    let proof = record(services, steps, (connection, address), &taken, before).await;
    let (connection, address) = (connection.clone(), address.clone());
    Ok(Taken { snapshot: taken, proof, begun, cleanup, connection, node: node_index, address })
}

/// Keeps what was read before, and after, a snapshot that was taken. It is good without its proof; whoever restores it is
/// told that nothing was recorded.
async fn record(
    services: &Services,
    steps: &mut Steps<'_>,
    (connection, address): (&Arc<Connection>, &CollectionAddress),
    taken: &SnapshotInfo,
    before: Result<proof::Before, Problem>,
) -> Option<Proof> {
    let taken_at = taken.taken_at.unwrap_or_else(|| services.clock.now());
    let progress = steps.job.progress.clone();
    let recorded = steps.run("record", "", async {
        let mut proof = proof::after(connection, taken_at, before?, &progress).await.map_err(Unread::problem)?;
        proof.snapshot = Some(taken.name.raw().to_owned());
        if let Some(sha256) = &taken.sha256 {
            services.proofs.save(sha256, &proof)?;
        }
        Ok(proof)
    });
    match recorded.await {
        Ok(proof) => Some(proof),
        Err(problem) => {
            steps.note(format!(
                "no proof was recorded of {}: {}; a restore of it can be counted, but not proven point by point",
                shown(address, &taken.name),
                problem.message
            ));
            None
        }
    }
}

/// Two snapshots taken within one second share a name, and the later replaces the earlier (1.18.3): one
/// that the user wants must not be replaced, and then tidied away, by one of ours.
///
/// The server's clock is not known here: after everything that is listed now, more than a second passes.
async fn another_second(node: &dyn QdrantApi, scope: &SnapshotScope) -> Result<(), ApiError> {
    if !node.snapshots(scope).await?.is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    }
    Ok(())
}

/// Whether it appeared since, under a name that the server gives to snapshots of this collection: what somebody uploads has
/// another one.
fn could_be_ours(snapshot: &SnapshotInfo, scope: &SnapshotScope, known: &BTreeSet<SnapshotName>) -> bool {
    let given = match scope {
        SnapshotScope::Collection(name) => snapshot.name.raw().starts_with(&format!("{}-", name.raw())),
        _ => true,
    };
    given && !known.contains(&snapshot.name) && time_in_name(&snapshot.name).is_some()
}

async fn new_one(node: &dyn QdrantApi, scope: &SnapshotScope, known: &BTreeSet<SnapshotName>) -> Result<SnapshotInfo, ApiError> {
    let new = node.snapshots(scope).await?.into_iter().filter(|snapshot| could_be_ours(snapshot, scope, known));
    // Were there two, nobody could tell which is ours.
    let mut new = new;
    let only = new.next().filter(|_| new.next().is_none());
    only.ok_or_else(|| {
        ApiError::new(
            ApiErrorKind::Server,
            "take the snapshot",
            node.url(),
            "the connection was lost, the server is done, and there is not exactly one new snapshot",
        )
    })
}

/// How often in a row a server must be found idle, with nothing new, until it is believed that it never began.
const NEVER_BEGAN: u32 = 8;

/// Deletes the one snapshot that appeared since. Were there two, one would be somebody else's: both stay.
async fn remove_stray(node: &dyn QdrantApi, scope: &SnapshotScope, known: &BTreeSet<SnapshotName>) -> Result<(), Problem> {
    let mut idle = 0;
    loop {
        // While the server is at it, what is listed already is somebody else's.
        if let SnapshotScope::Collection(name) = scope {
            match node.snapshot_activity(name).await {
                Ok(Some(activity)) if activity.creating > 0 => {
                    idle = 0;
                    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
                    continue;
                }
                Ok(Some(_)) => idle += 1,
                _ => idle = 0,
            }
        }
        let listed = node.snapshots(scope).await.unwrap_or_default();
        let new: Vec<&SnapshotInfo> = listed.iter().filter(|snapshot| could_be_ours(snapshot, scope, known)).collect();
        match new.as_slice() {
            [] if idle >= NEVER_BEGAN => return Ok(()),
            [] => {}
            [ours] => return node.delete_snapshot(scope, &ours.name).await.map_err(|error| error.into_problem("")),
            _ => return Err(Problem::new(ProblemKind::Failed, "several snapshots appeared meanwhile", "")),
        }
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    }
}
