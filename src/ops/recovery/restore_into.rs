//! Bringing a recovery point into a collection: deliver, verify, tidy. Every restore and copy is made of this.

use crate::domain::address::CollectionAddress;
use crate::domain::given_names::is_scratch;
use crate::domain::ids::SnapshotName;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::size;
use crate::jobs::progress::Progress;
use crate::ops::journal::event::Made;
use crate::ops::journal::step_names::{EVERY_POINT, SHARD_KEYS, Stage};
use crate::ops::proof::compare::compare;
use crate::ops::proof::sample;
use crate::ops::proof::verify::{Expected, Reference, Verification, verify};
use crate::ops::recovery::deliver::{Handover, deliver, upload_name};
use crate::ops::recovery::deliver_shards::remove_empty;
use crate::ops::recovery::delivered::{Broken, Delivered, Impact};
use crate::ops::recovery::destination::Destination;
use crate::ops::recovery::meant::{Meant, as_meant};
use crate::ops::recovery::put_back::{PutBack, SETTINGS};
use crate::ops::recovery::shard_keys;
use crate::ops::report::verdict::Verdict;
use crate::ops::request::collections::CompareRequest;
use crate::ops::request::route::Route;
use crate::ops::services::Services;
use crate::ops::steps::Steps;
use crate::ops::survey::origin::Origin;
use crate::ops::survey::source::scope;
use crate::qdrant::api::QdrantApi;
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What is restored.
pub(in crate::ops) struct RestoreInput<'a> {
    pub origin: &'a Origin,
    pub route: Route,
    pub reference: &'a Reference,
    /// The collection's configuration, where it is sharded by keys: a free name must be prepared.
    pub keyed: Option<&'a crate::archive::contents::Collection>,
    /// Settings that are put back afterwards, where the collection was there before.
    pub put_back: Option<&'a PutBack>,
}

/// A restore that was carried out and judged.
#[derive(Debug)]
pub(in crate::ops) struct Finished {
    pub delivered: Delivered,
    pub verification: Verification,
}

impl Finished {
    /// Whether it is proven.
    pub(in crate::ops) fn matches(&self) -> bool {
        matches!(self.verification.verdict, Verdict::Matches(_))
    }

    /// A restore whose connection was lost counts as one only when it is proven.
    pub(in crate::ops) async fn unless_lost(self, destination: &Destination) -> Result<Self, Broken> {
        if !self.delivered.looked || self.matches() {
            return Ok(self);
        }
        let reason = self.verification.verdict.reason();
        let message = format!("the connection was lost, and it is not proven that the server restored: {reason}");
        let problem = Problem::new(ProblemKind::Failed, message, destination.address.to_string());
        let problem = problem.advise("look at the collection before you try again");
        Err(Broken { problem: after_failure(destination, problem).await, impact: Impact::Maybe })
    }
}

/// Delivers and verifies. Tidying is for later, when the last word about the data is spoken.
pub(in crate::ops) async fn restore_over(
    services: &Services,
    steps: &mut Steps<'_>,
    input: &RestoreInput<'_>,
    destination: &Destination,
    stage: Stage,
) -> Result<Finished, Broken> {
    restore_onto(services, steps, input, (destination, Meant::Anything), stage).await
}

/// Removes what was sent: it stays on the server after a failure, too, and where the name is free again it cannot be reached.
async fn upload_is_gone(destination: &Destination, kept: &SnapshotName) -> Result<bool, Problem> {
    let node = destination.connection.node(destination.node)?;
    match node.delete_snapshot(&scope(&destination.address), kept).await {
        Err(error) => Ok(error.is_absence()),
        Ok(()) => Ok(true),
    }
}

/// The same, where something certain is `meant` to be there until the end.
async fn restore_onto(
    services: &Services,
    steps: &mut Steps<'_>,
    input: &RestoreInput<'_>,
    (destination, meant): (&Destination, Meant),
    stage: Stage,
) -> Result<Finished, Broken> {
    let job = steps.job;
    let address = &destination.address;
    undisturbed(destination).await?;
    let kept = upload_name(services, job, stage.restore);
    let uploaded = address.snapshot(&kept);
    if !input.origin.by_shards() {
        steps.made(Made::Upload, &uploaded)?;
    }
    let mut impact = Impact::NotSent;
    let handover = Handover { kept: kept.clone(), ledger: steps.ledger(), meant, over: Arc::default() };
    // Canceled before it is handed over, nothing was made.
    let noted = job.on_failure(format!("a note that {uploaded} was not made"), {
        let (over, ledger, uploaded) = (handover.over.clone(), steps.ledger(), uploaded.clone());
        async move {
            if !over.load(Ordering::SeqCst) {
                ledger.gone(&uploaded);
            }
            Ok(())
        }
    });
    let delivery = async {
        deliver(services, job, input.origin, destination, input.route, handover).await.map_err(|broken| {
            impact = broken.impact;
            broken.problem
        })
    };
    let delivered = steps.run(stage.restore, &address.to_string(), delivery).await;
    job.keep(noted);
    let delivered = match delivered {
        Ok(delivered) => delivered,
        // The server may be restoring from what was sent right now.
        Err(problem) if impact == Impact::Unknown => {
            return Err(Broken { problem: after_failure(destination, problem).await, impact });
        }
        Err(problem) => {
            if impact.nothing() {
                steps.ledger().handed_back();
            }
            if impact == Impact::NotSent || upload_is_gone(destination, &kept).await? {
                steps.gone(&uploaded);
            }
            return Err(Broken { problem: after_failure(destination, problem).await, impact });
        }
    };
    match &delivered.uploaded {
        // It stays until the verdict is good.
        Some((_, cleanup)) => job.keep(*cleanup),
        None => steps.gone(&uploaded),
    }
    if let Some(put_back) = input.put_back {
        // From here on the data is there: what cannot be put back is found by looking, and said.
        let work = put_back.carry_out(&destination.connection, address);
        if let Err(problem) = steps.run(SETTINGS, &address.to_string(), work).await {
            steps.note(format!("settings could not all be put back: {problem}"));
        }
    }
    let progress: &Progress = &job.progress;
    let reference = against(&delivered, input.reference);
    let checking = verify(&destination.connection, address, &reference, progress);
    let verification = steps.judge(stage.verify, checking, |found| found.verdict.record()).await;
    Ok(Finished { delivered, verification })
}

/// What it is measured against. Of a live source more is known when its shards came than when it was asked for.
fn against<'a>(delivered: &Delivered, asked: &'a Reference) -> Cow<'a, Reference> {
    match delivered.proof.as_deref() {
        Some(proof) => Cow::Owned(Reference { expected: Expected::Recorded(proof.clone()), ..asked.clone() }),
        None => Cow::Borrowed(asked),
    }
}

/// Refuses to start a restore beside a running one: the results could not be told apart.
async fn undisturbed(destination: &Destination) -> Result<(), Problem> {
    let address = &destination.address;
    let node = destination.connection.node(destination.node)?;
    match node.snapshot_activity(&address.collection).await {
        Ok(Some(activity)) if activity.recovering > 0 => {
            Err(Problem::new(ProblemKind::Refused, "the server is restoring into it already", address.to_string())
                .advise("wait until it is done; nothing was started"))
        }
        // Who may not ask, and a server that does not count, was told of in the plan.
        _ => Ok(()),
    }
}

/// Deletes the file that the server keeps after an upload, once the data is proven: until then it may be needed.
pub(in crate::ops) async fn tidy(steps: &mut Steps<'_>, destination: &Destination, delivered: &Delivered) {
    let Some((name, _)) = &delivered.uploaded else { return };
    let job = steps.job;
    let uploaded = destination.address.snapshot(name);
    let deletion = async {
        let node = destination.connection.node(destination.node)?;
        node.delete_snapshot(&scope(&destination.address), name).await.map_err(|error| error.into_problem(&uploaded))
    };
    if job.commit(steps.run("tidy", &uploaded, deletion)).await.is_ok() {
        steps.gone(&uploaded);
    }
}

/// Brings into a name that is free. When that fails, what the server made of it stays, and the journal says so.
pub(in crate::ops) async fn restore_new(
    services: &Services,
    steps: &mut Steps<'_>,
    input: &RestoreInput<'_>,
    destination: &Destination,
    (stage, kind): (Stage, Made),
) -> Result<Finished, Problem> {
    let address = &destination.address;
    let node = destination.connection.node(destination.node)?.clone();
    as_meant(destination, Meant::Nothing, &steps.job.progress).await?;
    steps.made(kind, &address.to_string())?;
    note_when_absent(steps, &node, address);
    let mut empty = None;
    if let Some(collection) = input.keyed {
        let removal = remove_empty(destination.clone(), steps.ledger());
        empty = Some(steps.job.on_failure(format!("the empty collection {address}"), removal));
        let progress = steps.job.progress.clone();
        let keys = shard_keys::prepare(node.as_ref(), address, collection, &progress);
        steps.run(SHARD_KEYS, &address.to_string(), keys).await?;
    }
    // The collection made for shard keys exists by now, and is ours as long as no other client writes to it.
    let meant = if input.keyed.is_some() { Meant::Empty } else { Meant::Nothing };
    let restored = match restore_onto(services, steps, input, (destination, meant), stage).await {
        Ok(finished) => finished.unless_lost(destination).await,
        Err(broken) => Err(broken),
    };
    match restored {
        Ok(finished) => {
            if finished.matches() {
                tidy(steps, destination, &finished.delivered).await;
            }
            Ok(finished)
        }
        Err(Broken { problem, impact }) => {
            if let (Impact::Unknown, Some(empty)) = (impact, empty) {
                // The server may fill it right now.
                steps.job.keep(empty);
            }
            // A collection that exists although the server refused is another client's, unless it was prepared for shard
            // keys and not written to since.
            let not_ours = match problem.kind {
                ProblemKind::PlanStale => true,
                _ => impact.nothing() && input.keyed.is_none() && !input.origin.by_shards(),
            };
            if not_ours || matches!(node.exists(&address.collection).await, Ok(false)) {
                steps.gone(&address.to_string());
                return Err(problem);
            }
            let advice = match kind {
                Made::Collection => format!(
                    "{}; the name was free before: `qsnap history clean-up {}` removes the collection that is there now",
                    problem.advice,
                    steps.id()
                ),
                _ => problem.advice.clone(),
            };
            Err(problem.advise(advice))
        }
    }
}

/// What a canceled operation did not come to make is not left behind.
fn note_when_absent(steps: &Steps<'_>, node: &Arc<dyn QdrantApi>, address: &CollectionAddress) {
    let (node, address, ledger) = (node.clone(), address.clone(), steps.ledger());
    steps.job.on_failure(format!("a look at what there is of {address}"), async move {
        if matches!(node.exists(&address.collection).await, Ok(false)) {
            ledger.gone(&address.to_string());
        }
        Ok(())
    });
}

/// Looks at what a failed restore left, and says it.
async fn after_failure(destination: &Destination, problem: Problem) -> Problem {
    let address = &destination.address;
    let Ok(node) = destination.connection.node(destination.node) else { return problem };
    // The state of a scratch collection does not matter: it is removed.
    if is_scratch(&address.collection) {
        return problem;
    }
    let state = match node.exists(&address.collection).await {
        Ok(false) => format!("{address} does not exist, as before"),
        Ok(true) => match node.count(&address.collection).await {
            Ok(points) => format!("{address} has {} points and can be read", size::exact(points)),
            Err(error) if error.is_damage() => {
                format!("{address} exists and CANNOT be read: restore a good recovery point over it")
            }
            Err(error) => format!("how many points {address} has could not be checked: {}", error.message),
        },
        Err(_) => format!("the state of {address} could not be checked"),
    };
    let advice = if problem.advice.is_empty() { state } else { format!("{state}; {}", problem.advice) };
    problem.advise(advice)
}

/// The verdict, after every point was compared with the collection that the snapshot was taken of. That one lives: being
/// equal proves, being another one disproves nothing.
pub(in crate::ops) async fn with_source(
    services: &Services,
    steps: &mut Steps<'_>,
    (source, restored): (&CollectionAddress, &CollectionAddress),
    own: Verdict,
) -> Verdict {
    if matches!(own, Verdict::Differs(_)) {
        return own;
    }
    let request = CompareRequest { first: source.clone(), second: restored.clone(), deep: true };
    let progress = steps.job.progress.clone();
    let comparing = async {
        match compare(services, &request, &progress).await.map(|found| found.data_verdict) {
            Ok(Verdict::Matches(words)) => Verdict::Matches(format!("{words} with {source}")),
            Ok(Verdict::Differs(why)) => {
                Verdict::CouldNotCheck(format!("{source}, which may have changed since the snapshot, is not the same: {why}"))
            }
            Ok(unknown) => unknown,
            Err(problem) => Verdict::CouldNotCheck(format!("every point should be compared, but: {problem}")),
        }
    };
    steps.judge(EVERY_POINT, comparing, Verdict::record).await
}

/// What to expect: the record of these bytes, else the live source, else nothing.
pub(in crate::ops) async fn expectation(
    services: &Services,
    origin: &Origin,
    sha256: Option<&str>,
    target: &CollectionAddress,
    progress: &Progress,
) -> Expected {
    if let Origin::Backup { proof: Some(proof), .. } = origin {
        return Expected::Recorded(proof.as_ref().clone());
    }
    if let Origin::Shards(shards) = origin
        && let Some(proof) = &shards.proof
    {
        return Expected::Recorded(proof.as_ref().clone());
    }
    if let Origin::Member(member) = origin
        && let Some(proof) = &member.proof
    {
        return Expected::Recorded(proof.as_ref().clone());
    }
    if let Some(proof) = services.proofs.load(sha256) {
        return Expected::Recorded(proof);
    }
    let Origin::Node { connection, address, .. } = origin else { return Expected::Nothing };
    // A collection that is about to be overwritten proves nothing: it would be compared with itself.
    if address == target {
        return Expected::Nothing;
    }
    let Ok(before) = sample::before(connection, address, progress).await else { return Expected::Nothing };
    match sample::after(connection, services.clock.now(), before, progress).await {
        Ok(proof) => Expected::LiveSource(proof),
        Err(_) => Expected::Nothing,
    }
}
