//! Taking one snapshot with its proof: for itself, for a copy, and as the way back of an overwrite.

use crate::domain::address::CollectionAddress;
use crate::domain::ids::SnapshotName;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::proof::Proof;
use crate::domain::snapshot::{SnapshotInfo, SnapshotScope, time_in_name};
use crate::jobs::context::{CleanupId, JobContext};
use crate::ops::journal::claim::Claim;
use crate::ops::journal::event::Made;
use crate::ops::proof::sample;
use crate::ops::proof::unread::Unread;
use crate::ops::recovery::await_server::{Followed, follow};
use crate::ops::services::{Connection, Services};
use crate::ops::steps::{Ledger, Steps};
use crate::qdrant::api::QdrantApi;
use crate::qdrant::error::{ApiError, ApiErrorKind};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

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
        // Some servers list no hash.
        let same = |snapshot: &SnapshotInfo| snapshot.size == taken.size && snapshot.sha256 == taken.sha256;
        let ours = |snapshot: &SnapshotInfo| snapshot.name == taken.name && same(snapshot);
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
    Err(Problem::new(ProblemKind::Failed, message, address.snapshot(&taken.name))
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
    /// Keeps one as a recovery point.
    pub(in crate::ops) fn keep(self, steps: &mut Steps<'_>) {
        steps.gone(&self.address.snapshot(&self.snapshot.name));
        if let Some(cleanup) = self.cleanup {
            steps.job.keep(cleanup);
        }
    }

    /// Removes one that has served its purpose.
    pub(in crate::ops) async fn remove(self, steps: &mut Steps<'_>) {
        let job = steps.job;
        let shown = self.address.snapshot(&self.snapshot.name);
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
    let job = steps.job;
    // One at a time, whichever process asks, and by whichever name of the instance: two of one second would have one name.
    let claim = format!("snapshot of {} at {}", address.collection, node.url());
    let claim = services.journal.wait_for_claim(&claim, &job.progress).await;
    let claim = Arc::new(claim);
    // A collection that cannot be sampled can still be snapshotted: then nothing is recorded, and the report says why.
    let sampling = async { sample::before(connection, address, &job.progress).await.map_err(Unread::problem) };
    let before = steps.run("sample", "", sampling).await;
    let scope = SnapshotScope::Collection(address.collection.clone());
    another_second(node.as_ref(), &scope).await.map_err(problem)?;
    let begun = Instant::now();
    let asking = Asking { node: &node, scope: &scope, address, kind, job, ledger: steps.ledger() };
    let taking = async {
        let taken = asking.taken(&claim).await?;
        let shown = address.snapshot(&taken.name);
        // The way back is never undone.
        let cleanup = (kind != Some(Made::Safety)).then(|| {
            let undo = undo(connection, node_index, address, taken.clone());
            let (ledger, shown) = (asking.ledger.clone(), shown.clone());
            job.on_failure(shown.clone(), async move { undo.await.inspect(|()| ledger.gone(&shown)) })
        });
        if cleanup.is_none() {
            job.resumable(Some(format!("{address} was not touched; kept: safety snapshot {shown}")));
        }
        match kind {
            Some(kind) => asking.ledger.made(kind, &shown)?,
            // It is what was wanted, not a leftover.
            None => asking.ledger.not_taken(&address.to_string()),
        }
        Ok((taken, cleanup))
    };
    let (taken, cleanup) = steps.run(step, &address.to_string(), taking).await?;
    drop(claim);
    if let Some(kind) = kind {
        steps.adopt(kind, &address.snapshot(&taken.name));
    }
    let proof = record(services, steps, (connection, address), &taken, before).await;
    let (connection, address) = (connection.clone(), address.clone());
    Ok(Taken { snapshot: taken, proof, begun, cleanup, connection, node: node_index, address })
}

/// A server that is asked for a snapshot.
struct Asking<'a> {
    node: &'a Arc<dyn QdrantApi>,
    scope: &'a SnapshotScope,
    address: &'a CollectionAddress,
    /// What it is for; `None` where it is what was wanted.
    kind: Option<Made>,
    job: &'a JobContext,
    ledger: Ledger,
}

impl Asking<'_> {
    /// Asks, and waits for the answer, or finds the snapshot when the answer was lost.
    async fn taken(&self, claim: &Arc<Option<Claim>>) -> Result<SnapshotInfo, Problem> {
        let problem = |error: ApiError| error.into_problem(self.address.to_string());
        let source = self.address.to_string();
        let listed = self.node.snapshots(self.scope).await.map_err(problem)?;
        let known: BTreeSet<SnapshotName> = listed.into_iter().map(|snapshot| snapshot.name).collect();
        let names: Vec<&str> = known.iter().map(SnapshotName::raw).collect();
        self.ledger.taking(self.kind.unwrap_or(Made::Snapshot), &source, &names)?;
        // A server goes on when its client leaves: a cancel must wait for the file and remove it.
        let stray = self.job.on_failure(format!("a snapshot of {source} that the server may still be taking"), {
            let (node, scope, known, ledger, source) =
                (self.node.clone(), self.scope.clone(), known.clone(), self.ledger.clone(), source.clone());
            // Held until it is over: the snapshot of the next client must not be taken for ours.
            let claim = claim.clone();
            async move {
                let removed = remove_stray(node.as_ref(), &scope, &known).await;
                drop(claim);
                removed.inspect(|()| ledger.not_taken(&source))
            }
        });
        let call = self.node.create_snapshot(self.scope);
        let taken = match follow(self.node.as_ref(), &self.address.collection, &self.job.progress, call).await {
            Ok(Followed::Answered(taken)) => Ok(taken),
            Ok(Followed::MustLook) => new_one(self.node.as_ref(), self.scope, &known).await,
            Err(error) => Err(error),
        };
        match &taken {
            // Unknown whether the server still takes it: the cleanup waits for it, and the record stays open until it is
            // known.
            Err(error) if matches!(error.kind, ApiErrorKind::OutcomeUnknown | ApiErrorKind::Vanished) => {}
            Err(_) => {
                self.job.keep(stray);
                self.ledger.not_taken(&source);
            }
            Ok(_) => self.job.keep(stray),
        }
        taken.map_err(problem)
    }
}

/// Keeps what was read before, and after, a snapshot that was taken. It is good without its proof; a restore
/// says that nothing was recorded.
async fn record(
    services: &Services,
    steps: &mut Steps<'_>,
    (connection, address): (&Arc<Connection>, &CollectionAddress),
    taken: &SnapshotInfo,
    before: Result<sample::Before, Problem>,
) -> Option<Proof> {
    let taken_at = taken.taken_at.unwrap_or_else(|| services.clock.now());
    let progress = steps.job.progress.clone();
    let recorded = steps.run("record", "", async {
        let mut proof = sample::after(connection, taken_at, before?, &progress).await.map_err(Unread::problem)?;
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
                address.snapshot(&taken.name),
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
    // With two it is unknown which is ours.
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

/// Deletes the one snapshot that appeared since. With two, one is another client's: both stay.
async fn remove_stray(node: &dyn QdrantApi, scope: &SnapshotScope, known: &BTreeSet<SnapshotName>) -> Result<(), Problem> {
    let mut idle = 0;
    loop {
        // While the server is still at it, a listed one belongs to another client.
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
