//! Taking a snapshot of the full storage of an instance: all its collections and aliases in one file. A server restores one at its
//! start only; qsnap takes its collections out of it and restores them over HTTP ([`crate::ops::verbs::restore_all`]).

use crate::domain::address::{CollectionAddress, SnapshotsOf, Which};
use crate::domain::ids::{CollectionName, InstanceName, SnapshotName};
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::snapshot::{SnapshotInfo, SnapshotScope};
use crate::jobs::limits::Resource;
use crate::ops::plan::facts::Facts;
use crate::ops::plan::finding::Finding;
use crate::ops::plan::{Plan, Step, Work};
use crate::ops::proof::sample;
use crate::ops::proof::unread::Unread;
use crate::ops::report::{BytesAre, Report};
use crate::ops::request::Request;
use crate::ops::request::recovery_point::RecoveryPoint;
use crate::ops::request::snapshots::CreateRequest;
use crate::ops::services::{Connection, Services};
use crate::ops::steps::Steps;
use crate::ops::survey::storage::{Storage, proof_key};
use crate::qdrant::api::QdrantApi;
use crate::qdrant::error::{ApiError, ApiErrorKind};
use async_trait::async_trait;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Two snapshots of one second have one name: after everything that is listed, more than a second passes.
const SAME_SECOND: Duration = Duration::from_millis(1_100);

/// How often a server that lost its client is asked for what it made, and for how long.
const LOOK: Duration = Duration::from_secs(2);
const LOOKS: u32 = 900;

#[derive(Debug)]
struct CreateStorage {
    instance: InstanceName,
    collections: Vec<CollectionName>,
}

/// The plan, computed by reading only.
pub(super) async fn plan(services: &Services, instance: InstanceName) -> Result<Plan, Problem> {
    let connection = services.connection(&instance).await?;
    let listed = connection.whole().collections().await;
    let mut collections = listed.map_err(|error| error.into_problem(instance.as_str()))?;
    collections.sort();
    let mut findings = Vec::new();
    if collections.is_empty() {
        findings.push(Finding::block("source", "it has no collections", "there is nothing to take a snapshot of"));
    } else {
        let words = format!("{} collections: {}", collections.len(), crate::domain::text::one_line(&names(&collections), 200));
        findings.push(Finding::good("source", words));
    }
    if connection.nodes.len() > 1 {
        findings.push(Finding::block(
            "nodes",
            format!("it has {} nodes, and a full snapshot holds one of them", connection.nodes.len()),
            "take snapshots of its collections: on every node, and checked together; `qsnap backup --all` does so",
        ));
    }
    findings.push(Finding::look(
        "disk",
        "the server first takes a snapshot of every collection, then copies them into one file: it needs twice their size",
        "`qsnap backup --all` needs the size of one collection at a time",
    ));
    let protection = connection.instance.protection;
    let mut facts = Facts::default();
    facts.text("collections", names(&collections));
    let request = Request::Create(CreateRequest { of: SnapshotsOf::Storage(instance.clone()) });
    Ok(Plan {
        title: format!("snapshot of all of {instance}"),
        changes: Some((CollectionAddress::new(instance.clone(), CollectionName::new("-")), protection)),
        ask: Some(instance.to_string()),
        only_saves: true,
        source: instance.to_string(),
        target: instance.to_string(),
        steps: vec![
            Step::new("sample", "count the points of every collection and read a proof sample of each"),
            Step::new("snapshot", "take the snapshot of the full storage"),
            Step::new("record", "look what it holds, and keep the proofs, so that a restore can be proven"),
        ],
        findings,
        facts,
        needs: vec![Resource::Exclusive(instance.to_string())],
        ..Plan::of(request, CreateStorage { instance, collections })
    })
}

fn names(collections: &[CollectionName]) -> String {
    collections.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[async_trait]
impl Work for CreateStorage {
    async fn again(&self, services: &Services) -> Result<Plan, Problem> {
        plan(services, self.instance.clone()).await
    }

    async fn run(&self, services: &Arc<Services>, plan: &Plan, steps: &mut Steps<'_>) -> Result<Report, Problem> {
        let of = SnapshotsOf::Storage(self.instance.clone());
        let connection = services.connection(&self.instance).await?;
        let node = connection.node(0)?.clone();
        let job = steps.job;
        let claim = services.journal.wait_for_claim(&format!("snapshot of everything at {}", node.url()), &job.progress).await;
        // The server takes one of each collection for it, whose names must not be those of somebody else's.
        let mut claims = Vec::new();
        for collection in &self.collections {
            let each = format!("snapshot of {collection} at {}", node.url());
            claims.push(services.journal.wait_for_claim(&each, &job.progress).await);
        }
        let before = steps.run("sample", "", async { Ok(self.sampled(&connection, steps.job).await) }).await?;
        let taken = steps.run("snapshot", &of.to_string(), take(node.as_ref(), &of, job)).await?;
        drop((claim, claims));
        let recording = record(services, &connection, &of, &taken, before, steps.job);
        let unproven = steps.run("record", "", recording).await;
        let mut report =
            Report { bytes: taken.size, bytes_are: BytesAre::Kept, created: vec![of.snapshot(&taken.name)], ..plan.report() };
        match unproven {
            Ok(unproven) => report.notes.extend(unproven),
            Err(problem) => report.notes.push(format!("no proof was recorded: {problem}; a restore of it can only be counted")),
        }
        Ok(report)
    }
}

type Samples = BTreeMap<String, Result<sample::Before, Problem>>;

impl CreateStorage {
    /// One after the other: the server is about to be busy with all of them.
    async fn sampled(&self, connection: &Arc<Connection>, job: &crate::jobs::context::JobContext) -> Samples {
        let mut all = Samples::new();
        for collection in &self.collections {
            let address = CollectionAddress::new(self.instance.clone(), collection.clone());
            job.progress.note(&format!("sampling {address}"));
            let sampled = sample::before(connection, &address, &job.progress).await.map_err(Unread::problem);
            all.insert(collection.raw().to_owned(), sampled);
        }
        all
    }
}

/// Asks, and waits for the answer. A server goes on when its client leaves, so that a cancel waits, too.
async fn take(node: &dyn QdrantApi, of: &SnapshotsOf, job: &crate::jobs::context::JobContext) -> Result<SnapshotInfo, Problem> {
    let problem = |error: ApiError| error.into_problem(of.to_string());
    let scope = SnapshotScope::Storage;
    let known: BTreeSet<SnapshotName> =
        node.snapshots(&scope).await.map_err(problem)?.into_iter().map(|snapshot| snapshot.name).collect();
    if !known.is_empty() {
        tokio::time::sleep(SAME_SECOND).await;
    }
    if !job.seal() {
        // A cancel came first: this task is about to be dropped here.
        std::future::pending::<()>().await;
    }
    job.progress.phase("the server takes the snapshot of every collection", None);
    let taken = match node.create_snapshot(&scope).await {
        Err(error) if error.kind == ApiErrorKind::OutcomeUnknown => look_for(node, &known, job, error).await,
        answered => answered,
    };
    job.unseal();
    taken.map_err(problem)
}

/// The connection was lost: the one that appears is ours, as long as it is the only one.
async fn look_for(
    node: &dyn QdrantApi,
    known: &BTreeSet<SnapshotName>,
    job: &crate::jobs::context::JobContext,
    lost: ApiError,
) -> Result<SnapshotInfo, ApiError> {
    job.progress.note("the connection was lost; waiting until the snapshot is there");
    for _ in 0..LOOKS {
        tokio::time::sleep(LOOK).await;
        let Ok(listed) = node.snapshots(&SnapshotScope::Storage).await else { continue };
        let mut new = listed.into_iter().filter(|snapshot| {
            !known.contains(&snapshot.name) && crate::domain::snapshot::time_in_name(&snapshot.name).is_some()
        });
        match (new.next(), new.next()) {
            (Some(only), None) => return Ok(only),
            (Some(_), Some(_)) => break,
            (None, _) => {}
        }
    }
    Err(lost)
}

/// Keeps the proof of each collection in it. Says of which there is none, and why.
async fn record(
    services: &Services,
    connection: &Arc<Connection>,
    of: &SnapshotsOf,
    taken: &SnapshotInfo,
    mut before: Samples,
    job: &crate::jobs::context::JobContext,
) -> Result<Vec<String>, Problem> {
    let taken_at = taken.taken_at.unwrap_or_else(|| services.clock.now());
    let point = RecoveryPoint::Storage(of.instance().clone(), Which::Named(taken.name.clone()));
    let storage = Storage::find(services, &point).await?;
    let mut notes = Vec::new();
    for member in storage.members().await?.all {
        let collection = CollectionName::new(member.collection.clone());
        let proving = async {
            let none = || Problem::new(ProblemKind::Failed, "it was made meanwhile", collection.to_string());
            let before = before.remove(&member.collection).unwrap_or_else(|| Err(none()))?;
            let mut proof = sample::after(connection, taken_at, before, &job.progress).await.map_err(Unread::problem)?;
            proof.snapshot = Some(member.file.clone());
            match proof_key(storage.expected.sha256.as_deref(), &collection) {
                Some(key) => services.proofs.save(&key, &proof),
                None => {
                    Err(Problem::new(ProblemKind::Failed, "the server lists no hash of the snapshot", collection.to_string()))
                }
            }
        };
        if let Err(problem) = proving.await {
            notes.push(format!("no proof was recorded of {collection}: {}", problem.message));
        }
    }
    notes.extend(
        before.keys().map(|name| format!("{} is not in it: it was deleted meanwhile", CollectionName::new(name.clone()))),
    );
    Ok(notes)
}
