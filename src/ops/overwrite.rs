//! Overwriting a collection so that it cannot get worse: what is there is secured, the recovery point is proven on a
//! scratch name, only then it goes over the live data; and when that fails the old data comes back by itself.
//!
//! ```text
//! safety snapshot ──> proof restore ──> restore ──> verify ──> tidy
//!                          │               │           │
//!                 bad: nothing happened    └─ bad: roll back from the safety snapshot, and verify that
//! ```

use crate::domain::address::CollectionAddress;
use crate::domain::ids::CollectionName;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::size::exact;
use crate::domain::snapshot::SnapshotInfo;
use crate::domain::time::compact;
use crate::ops::bring::{self, Cargo, Finished, bring, bring_fresh};
use crate::ops::compare::{CompareSpec, compare};
use crate::ops::create;
use crate::ops::deliver::{Broken, Delivered, Destination, Origin, Route};
use crate::ops::journal::Made;
use crate::ops::proof::Proof;
use crate::ops::report::Verdict;
use crate::ops::services::{Connection, Services};
use crate::ops::source::{Vouched, scope};
use crate::ops::steps::{Ledger, Steps};
use crate::ops::verify::{Expected, Reference, Verification, verify};
use crate::qdrant::error::ApiErrorKind;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// How long after a difference a second look is taken, to tell damage from somebody who writes.
const SECOND_LOOK: Duration = Duration::from_secs(1);

/// The step that tells after an error whether the live data is as it was.
pub const LOOK: &str = "look at the live data";

/// What is left out by choice; the plan and its consent name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Skips {
    /// No snapshot of what is there: no way back.
    pub safety: bool,
    /// No restore to a scratch name first.
    pub proof: bool,
}

/// The way back.
#[derive(Debug, Clone)]
pub(in crate::ops) struct Safety {
    pub snapshot: SnapshotInfo,
    pub proof: Option<Proof>,
}

impl Safety {
    /// Its address.
    pub(in crate::ops) fn shown(&self, address: &CollectionAddress) -> String {
        create::shown(address, &self.snapshot.name)
    }
}

/// What is to be done.
pub(in crate::ops) struct Overwriting<'a> {
    pub cargo: Cargo<'a>,
    pub destination: &'a Destination,
    pub skips: Skips,
    pub vouched: Vouched,
    /// Nothing vouches for the bytes, and that was accepted.
    pub forced: bool,
    /// Compare every point with the proof restore, and not a sample.
    pub deep: bool,
    /// Taken by an earlier run that broke off: what is there now may be neither old nor new.
    pub safety: Option<Safety>,
}

/// How it went.
pub(in crate::ops) struct Overwritten {
    pub delivered: Delivered,
    pub verification: Verification,
    /// The rollback, where one was necessary.
    pub rollback: Option<Verdict>,
    /// Address of the safety snapshot.
    pub safety: Option<String>,
}

/// Does it.
pub(in crate::ops) async fn overwrite(
    services: &Services,
    steps: &mut Steps<'_>,
    work: &Overwriting<'_>,
) -> Result<Overwritten, Problem> {
    let destination = work.destination;
    let address = &destination.address;
    let safety = match (&work.safety, work.skips.safety) {
        (Some(earlier), _) => Some(earlier.clone()),
        (None, true) => None,
        (None, false) => secure(services, steps, &destination.connection, address).await?,
    };
    let shown = safety.as_ref().map(|safety| safety.shown(address));
    let scratch = if work.skips.proof { None } else { Some(prove(services, steps, work).await?) };
    let outcome = match bring(services, steps, &work.cargo, destination, bring::RESTORE).await {
        Ok(finished) => settle_verdict(services, steps, work, finished, scratch.as_ref()).await,
        Err(broken) => Err(broken),
    };
    let rolled = match &outcome {
        Ok(finished) if matches!(finished.verification.verdict, Verdict::Differs(_)) => {
            roll_back(services, steps, destination, safety.as_ref()).await
        }
        Err(broken) => match needs_rollback(destination, broken, safety.as_ref(), steps).await {
            Ok(false) => None,
            // What cannot be looked at is not left as it may be.
            Ok(true) | Err(_) => roll_back(services, steps, destination, safety.as_ref()).await,
        },
        Ok(_) => None,
    };
    if let Some(scratch) = &scratch {
        scratch.remove(steps).await;
    }
    match outcome {
        Ok(Finished { delivered, verification }) => Ok(Overwritten { delivered, verification, rollback: rolled, safety: shown }),
        Err(broken) => Err(explain(broken, rolled, shown, address)),
    }
}

/// Takes the safety snapshot. A collection that cannot be read has nothing to save; then there is none.
pub(in crate::ops) async fn secure(
    services: &Services,
    steps: &mut Steps<'_>,
    connection: &Arc<Connection>,
    address: &CollectionAddress,
) -> Result<Option<Safety>, Problem> {
    match connection.first().count(&address.collection).await {
        // The server itself says that it cannot read it. Any other failure is no reason to go without.
        Err(error) if error.kind == ApiErrorKind::Server => return Ok(None),
        counted => counted.map_err(|error| error.into_problem(address.to_string()))?,
    };
    let (snapshot, proof) = create::take(services, steps, connection, 0, address, "safety snapshot").await?;
    let safety = Safety { snapshot, proof };
    steps.made(Made::Safety, &safety.shown(address))?;
    Ok(Some(safety))
}

/// A collection that exists only to see whether a recovery point restores.
pub(in crate::ops) struct Scratch {
    pub destination: Destination,
    pub verification: Verification,
    cleanup: crate::jobs::manager::CleanupId,
}

impl Scratch {
    /// Removes it. When that fails it is left behind, and the report says so.
    pub(in crate::ops) async fn remove(&self, steps: &mut Steps<'_>) {
        let job = steps.job;
        let shown = self.destination.address.to_string();
        let ledger = steps.ledger();
        let removal = remove_collection(&self.destination, &ledger);
        if job.commit(steps.run("remove scratch", &shown, removal)).await.is_ok() {
            steps.gone(&shown);
        }
        job.keep(self.cleanup);
    }
}

/// `<name>-qsnap-proof-<time>`, beside the collection.
pub(in crate::ops) fn scratch_name(services: &Services, name: &CollectionName) -> CollectionName {
    beside(name, "qsnap-proof", &compact(services.clock.now()))
}

/// Longest name that is made: servers add peer and time for files, and a file's name has at most 255 bytes.
const LONGEST: usize = 180;

/// A name beside another one.
pub(in crate::ops) fn beside(name: &CollectionName, what: &str, time: &str) -> CollectionName {
    let suffix = format!("-{what}-{time}");
    let mut base = name.raw().to_owned();
    while base.len() + suffix.len() > LONGEST {
        base.pop();
    }
    CollectionName::new(format!("{base}{suffix}"))
}

async fn remove_collection(destination: &Destination, ledger: &Ledger) -> Result<(), Problem> {
    let node = destination.connection.node(destination.node)?;
    let shown = destination.address.to_string();
    // Snapshots of a collection stay on the disk when it goes, and nobody could reach them then.
    let scope = scope(&destination.address);
    for snapshot in node.snapshots(&scope).await.unwrap_or_default() {
        let _ = node.delete_snapshot(&scope, &snapshot.name).await;
    }
    node.delete_collection(&destination.address.collection).await.map_err(|error| error.into_problem(&shown))?;
    ledger.gone(&shown);
    Ok(())
}

/// Restores to a scratch name and verifies it there. Nothing that is live is touched.
async fn prove(services: &Services, steps: &mut Steps<'_>, work: &Overwriting<'_>) -> Result<Scratch, Problem> {
    let live = &work.destination.address;
    let scratch = scratch(services, steps, &work.cargo, work.destination).await.map_err(|problem| {
        let advice = format!("nothing happened to {live}: the proof restore failed; {}", problem.advice);
        problem.advise(advice)
    })?;
    let refused = match &scratch.verification.verdict {
        Verdict::Matches(_) => None,
        Verdict::Differs(why) => Some((ProblemKind::Difference, format!("the proof restore differs: {why}"))),
        Verdict::CouldNotCheck(_) if work.vouched != Vouched::Nothing || work.forced => None,
        Verdict::CouldNotCheck(why) => {
            Some((ProblemKind::Refused, format!("it restores, but nothing proves that it is right: {why}")))
        }
    };
    let Some((kind, message)) = refused else { return Ok(scratch) };
    scratch.remove(steps).await;
    Err(Problem::new(kind, message, live.to_string()).advise(format!(
        "nothing happened to {live}: it was tried on a scratch collection only. Choose another recovery point, or restore it side by side and look"
    )))
}

/// Restores to a scratch name beside the destination.
pub(in crate::ops) async fn scratch(
    services: &Services,
    steps: &mut Steps<'_>,
    cargo: &Cargo<'_>,
    beside: &Destination,
) -> Result<Scratch, Problem> {
    let job = steps.job;
    let name = scratch_name(services, &beside.address.collection);
    let address = CollectionAddress::new(beside.address.instance.clone(), name);
    let destination = Destination { connection: beside.connection.clone(), node: beside.node, address };
    let cleanup = job.on_failure(format!("the scratch collection {}", destination.address), {
        let (destination, ledger) = (destination.clone(), steps.ledger());
        async move { remove_collection(&destination, &ledger).await }
    });
    let stage = (bring::PROOF, Made::Scratch);
    let finished = bring_fresh(services, steps, cargo, &destination, stage).await?;
    // From here on a cancel loses nothing again: the scratch collection is cleaned up.
    job.unseal();
    Ok(Scratch { destination, verification: finished.verification, cleanup })
}

/// After the overwrite: what nobody recorded can still be compared with the proof restore of the same bytes; and a
/// difference may come from somebody who writes, which is no reason to throw the restored data away.
async fn settle_verdict(
    services: &Services,
    steps: &mut Steps<'_>,
    work: &Overwriting<'_>,
    finished: Finished,
    scratch: Option<&Scratch>,
) -> Result<Finished, Broken> {
    let Finished { delivered, mut verification } = finished;
    if let (Some(scratch), false) = (scratch, matches!(verification.verdict, Verdict::Differs(_))) {
        let spec =
            CompareSpec { first: scratch.destination.address.clone(), second: work.destination.address.clone(), deep: work.deep };
        let comparing = compare(services, &spec, &steps.job.progress);
        match steps.judge("compare with the proof restore", comparing, |found| &found.verdict).await {
            Ok(found) => verification.verdict = beside_proof(verification.verdict, found.verdict, work.vouched),
            // Not being able to compare is no difference.
            Err(problem) if work.deep => {
                verification.verdict = Verdict::CouldNotCheck(format!("the points could not be compared: {problem}"));
            }
            Err(_) => {}
        }
    }
    if matches!(verification.verdict, Verdict::Differs(_)) && is_written(work.destination).await {
        let why = format!(
            "somebody writes to it now, so that it cannot be compared; found: {}. The proof restore of the same bytes was right",
            verification.verdict.reason()
        );
        if scratch.is_some_and(|scratch| matches!(scratch.verification.verdict, Verdict::Matches(_))) {
            verification.verdict = Verdict::CouldNotCheck(why);
        }
    }
    Ok(Finished { delivered, verification })
}

/// The verdict, with what the comparison with the proof restore adds to it. Pure.
fn beside_proof(own: Verdict, compared: Verdict, vouched: Vouched) -> Verdict {
    match (own, compared) {
        (_, Verdict::Differs(why)) => Verdict::Differs(format!("it is not what the proof restore of the same bytes gave: {why}")),
        (Verdict::CouldNotCheck(_), Verdict::Matches(words)) if vouched != Vouched::Nothing => Verdict::Matches(format!(
            "{words} with a restore of the same bytes to a scratch name; the bytes have the sha256 that the server listed"
        )),
        (Verdict::Matches(reason), Verdict::Matches(words)) => {
            Verdict::Matches(format!("{reason}; {words} with the proof restore"))
        }
        (own, _) => own,
    }
}

/// Whether the number of points moves by itself.
async fn is_written(destination: &Destination) -> bool {
    let Ok(node) = destination.connection.node(destination.node) else { return false };
    let name = &destination.address.collection;
    let before = node.count(name).await;
    tokio::time::sleep(SECOND_LOOK).await;
    matches!((before, node.count(name).await), (Ok(before), Ok(after)) if before != after)
}

/// Whether the live data has to be brought back after an error. What was found stands in the journal: it tells later
/// whether the collection may be between old and new.
async fn needs_rollback(
    destination: &Destination,
    broken: &Broken,
    safety: Option<&Safety>,
    steps: &mut Steps<'_>,
) -> Result<bool, Problem> {
    let progress = steps.job.progress.clone();
    let looking = async {
        let node = destination.connection.node(destination.node)?;
        let count = node.count(&destination.address.collection).await;
        Ok::<Verdict, Problem>(match (count, broken.touched, safety.and_then(|safety| safety.proof.clone())) {
            (Err(error), ..) if error.kind == ApiErrorKind::Server => Verdict::Differs("it cannot be read".into()),
            (Err(error), ..) => Verdict::CouldNotCheck(error.message),
            (Ok(points), false, _) => {
                Verdict::Matches(format!("the server refused before it touched its {} points", exact(points)))
            }
            (Ok(_), true, None) => Verdict::CouldNotCheck("nothing was recorded of what was there".into()),
            (Ok(_), true, Some(proof)) => {
                let reference = Reference::of(Expected::Recorded(proof));
                verify(&destination.connection, &destination.address, &reference, &progress).await?.verdict
            }
        })
    };
    let verdict = steps.judge(LOOK, looking, |verdict| verdict).await?;
    Ok(!matches!(verdict, Verdict::Matches(_)))
}

/// Brings the safety snapshot back; `None` when there is none.
pub(in crate::ops) async fn roll_back(
    services: &Services,
    steps: &mut Steps<'_>,
    destination: &Destination,
    safety: Option<&Safety>,
) -> Option<Verdict> {
    let safety = safety?;
    let origin = Origin::Node {
        connection: destination.connection.clone(),
        node: destination.node,
        address: destination.address.clone(),
        snapshot: safety.snapshot.clone(),
    };
    let reference = Reference::of(safety.proof.clone().map_or(Expected::Nothing, Expected::Recorded));
    let cargo = Cargo { origin: &origin, route: Route::Auto, reference: &reference, keyed: None };
    // The server restores on, whoever listens; and nothing may be torn apart now.
    steps.job.seal();
    Some(match bring(services, steps, &cargo, destination, bring::ROLL_BACK).await {
        Ok(finished) => finished.verification.verdict,
        Err(broken) => Verdict::Differs(format!("the rollback failed: {}; {}", broken.problem, broken.problem.advice)),
    })
}

/// What the user reads when the overwrite itself failed.
fn explain(broken: Broken, rolled: Option<Verdict>, safety: Option<String>, address: &CollectionAddress) -> Problem {
    let problem = broken.problem;
    let way_back = safety.map_or_else(String::new, |safety| format!("; the safety snapshot {safety} is kept"));
    let advice = match &rolled {
        None if !broken.touched => format!("{address} is as it was{way_back}; {}", problem.advice),
        None => format!("{}{way_back}", problem.advice),
        Some(Verdict::Matches(words)) => format!("it was rolled back, and {address} is as it was: {words}{way_back}"),
        Some(Verdict::CouldNotCheck(words)) => format!("it was rolled back, but that could not be checked: {words}{way_back}"),
        Some(Verdict::Differs(words)) => {
            format!("THE ROLLBACK DID NOT WORK: {words}{way_back}: restore it over {address} by hand")
        }
    };
    let state = match rolled {
        Some(Verdict::Matches(_)) => "; rolled back",
        Some(_) => "; ROLLBACK NOT PROVEN",
        None => "",
    };
    Problem { message: format!("{}{state}", problem.message), ..problem }.advise(advice)
}

/// Steps of a plan that overwrites.
pub(in crate::ops) fn plan_steps(target: &CollectionAddress, skips: Skips, restore: String) -> Vec<crate::ops::flow::Step> {
    use crate::ops::flow::Step;
    let mut steps = Vec::new();
    if !skips.safety {
        steps.push(Step::new("safety snapshot", format!("take a snapshot of {target} as it is now, and keep it")));
    }
    if !skips.proof {
        steps.push(Step::new(
            "proof restore",
            "restore to a scratch collection beside it, and verify that: nothing live is touched yet",
        ));
    }
    steps.push(Step::new("restore", restore));
    steps.push(Step::new(
        "verify",
        format!(
            "count {target}, compare schema and sample{}",
            if skips.proof { "" } else { ", and compare it with the proof restore" }
        ),
    ));
    if !skips.safety {
        steps.push(Step::new("roll back", "only if that fails: bring the safety snapshot back, and verify it"));
    }
    steps.push(Step::new("tidy", "remove the scratch collection, and the uploaded files once the verdict is good"));
    steps
}

/// What the confirmation names: what is lost, and what was left out by choice.
pub(in crate::ops) fn consequence(target: &CollectionAddress, points: Option<u64>, skips: Skips) -> String {
    let data = points.map_or_else(|| "data (it cannot be read now)".to_owned(), |points| format!("{} points", exact(points)));
    let mut words = format!("the {data} of {target} are replaced");
    match (skips.safety, points) {
        (true, _) => words.push_str("; NO safety snapshot, as asked: there is no way back"),
        (false, None) => words.push_str("; NO safety snapshot is possible: there is no way back"),
        (false, Some(_)) => words.push_str("; a safety snapshot is taken first and kept"),
    }
    if skips.proof {
        words.push_str("; NO proof restore, as asked: damage shows only after the live data is gone");
    }
    words
}

/// Flags that give the same on the command line.
pub(in crate::ops) fn flags(skips: Skips) -> String {
    let each = [("safety", skips.safety), ("proof", skips.proof)];
    each.iter().filter(|(_, skip)| *skip).map(|(name, _)| format!(" --skip {name}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proof_restore_can_prove_and_disprove() {
        let matches = || Verdict::Matches("m".into());
        let unknown = || Verdict::CouldNotCheck("c".into());
        let differs = || Verdict::Differs("d".into());
        for (own, compared, vouched, word) in [
            (matches(), matches(), Vouched::Recorded, "matches"),
            (matches(), differs(), Vouched::Recorded, "differs"),
            (unknown(), matches(), Vouched::Listed, "matches"),
            (unknown(), matches(), Vouched::Nothing, "could_not_check"),
            (unknown(), differs(), Vouched::Nothing, "differs"),
            (unknown(), unknown(), Vouched::Listed, "could_not_check"),
        ] {
            assert_eq!(beside_proof(own.clone(), compared.clone(), vouched).word(), word, "{own:?} {compared:?} {vouched:?}");
        }
    }

    #[test]
    fn the_confirmation_names_what_is_left_out() {
        let address = CollectionAddress::parse("a/x").unwrap();
        let words = |points, safety, proof| consequence(&address, points, Skips { safety, proof });
        assert!(words(Some(5), false, false).contains("safety snapshot is taken first"));
        assert!(words(Some(5), true, false).contains("NO safety snapshot, as asked"));
        assert!(words(None, false, false).contains("NO safety snapshot is possible"));
        assert!(words(Some(5), false, true).contains("NO proof restore"));
    }

    #[test]
    fn names_beside_another_stay_within_what_a_server_takes() {
        let long = CollectionName::new("日".repeat(85));
        let name = beside(&long, "restored", "20261122T030000Z");
        assert!(name.raw().len() <= LONGEST && name.raw().ends_with("-restored-20261122T030000Z"));
        assert!(name.creation_problem().is_none());
    }
}
