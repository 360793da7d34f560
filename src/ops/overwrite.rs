//! Overwriting a collection so that it cannot get worse: what is there is secured, the recovery point is proven on a
//! scratch name, only then it goes over the live data; and when that fails the old data comes back by itself.
//!
//! ```text
//! safety snapshot ──> proof restore ──> restore ──> verify ──> tidy
//!                          │               │           │
//!                 bad: nothing happened    └─ bad: roll back from the safety snapshot, and verify that
//! ```

use crate::domain::address::CollectionAddress;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::settings::Settings;
use crate::domain::size::exact;
use crate::domain::snapshot::SnapshotInfo;
use crate::jobs::progress::Progress;
use crate::ops::beside::scratch_name;
use crate::ops::bring::{self, Cargo, Finished, bring, bring_fresh};
use crate::ops::compare::{CompareSpec, Comparison, compare};
use crate::ops::create;
use crate::ops::deliver::{Broken, Delivered, Destination, Origin, Route, Touched};
use crate::ops::journal::Made;
use crate::ops::proof::Proof;
use crate::ops::put_back::PutBack;
use crate::ops::report::Verdict;
use crate::ops::scan::Reader;
use crate::ops::services::Services;
use crate::ops::source::{Vouched, scope};
use crate::ops::steps::{Ledger, Steps};
use crate::ops::unread::Unread;
use crate::ops::verify::{Expected, Reference, Verification, points_move, verify, with_all_nodes};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long after a difference a second look is taken, to tell damage from somebody who writes.
const SECOND_LOOK: Duration = Duration::from_secs(1);

/// The step that takes the safety snapshot.
pub(in crate::ops) const SAFETY: &str = "safety snapshot";

/// The step that tells after an error whether the live data is as it was.
pub const LOOK: &str = "look at the live data";

/// The step that compares what was overwritten with the proof restore of the same bytes.
pub const COMPARE: &str = "compare with the proof restore";

/// What is left out by choice; the plan and its consent name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Skips {
    /// No snapshot of what is there: no way back.
    pub safety: bool,
    /// No restore to a scratch name first.
    pub proof: bool,
}

impl Skips {
    /// What is left out in the end: of what cannot be read no safety snapshot can be taken.
    pub(in crate::ops) fn possible(self, readable: bool) -> Self {
        Self { safety: self.safety || !readable, ..self }
    }
}

/// The way back.
#[derive(Debug, Clone)]
pub(in crate::ops) struct Safety {
    /// The node that keeps it.
    pub node: usize,
    pub snapshot: SnapshotInfo,
    pub proof: Option<Proof>,
    /// How the collection was configured.
    pub settings: Option<Settings>,
}

impl Safety {
    /// Its address.
    pub(in crate::ops) fn shown(&self, address: &CollectionAddress) -> String {
        create::shown(address, &self.snapshot.name)
    }
}

/// What an earlier run that broke off left.
#[derive(Debug, Clone, Default)]
pub(in crate::ops) struct Earlier {
    /// What is there now may be neither old nor new: it is not worth saving, and never called "as it was".
    pub between: bool,
    /// The way back that it took.
    pub safety: Option<Safety>,
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
    /// What an earlier run that broke off left.
    pub earlier: Earlier,
    /// The plan found, and said, that what is there cannot be read: then there is nothing to save.
    pub unreadable: bool,
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

/// Overwrites: see the picture above.
pub(in crate::ops) async fn overwrite(
    services: &Services,
    steps: &mut Steps<'_>,
    work: &Overwriting<'_>,
) -> Result<Overwritten, Problem> {
    let destination = work.destination;
    let address = &destination.address;
    // Until the server is told to restore, a cancel leaves the live data alone; what was begun by an earlier run is not ours.
    if !work.earlier.between {
        steps.job.resumable(Some(format!("{address} was not touched")));
    }
    let safety = match (&work.earlier, work.skips.safety) {
        (Earlier { between: true, safety }, _) => safety.clone(),
        (_, true) => None,
        (_, false) => secure(services, steps, destination, work.unreadable).await?,
    };
    let shown = safety.as_ref().map(|safety| safety.shown(address));
    let scratch = if work.skips.proof { None } else { Some(prove(services, steps, work).await?) };
    let brought = bring(services, steps, &work.cargo, destination, bring::RESTORE).await;
    if brought.as_ref().err().is_none_or(|broken| !broken.touched.nothing()) {
        steps.past_return();
    }
    let outcome = match brought {
        Ok(finished) => settle_verdict(services, steps, work, finished, scratch.as_ref()).await.unless_lost(destination).await,
        Err(broken) => Err(broken),
    };
    let found = match &outcome {
        Ok(_) => None,
        Err(broken) => look(work, broken, safety.as_ref(), steps).await,
    };
    // Only what is known to be worse is undone. What could not be looked at may be as good as it was: it stays open.
    let necessary = match (&outcome, &found) {
        (Ok(finished), _) => finished.verification.damaged,
        (Err(_), Some(found)) => found.worse,
        (Err(_), None) => false,
    };
    let rolled = if necessary { roll_back(services, steps, destination, safety.as_ref()).await } else { None };
    let rolled = rolled.map(|rolled| rolled.verdict);
    if let Ok(finished) = &outcome
        && (finished.matches() || matches!(rolled, Some(Verdict::Matches(_))))
    {
        bring::tidy(steps, destination, &finished.delivered).await;
    }
    if let Some(scratch) = &scratch {
        scratch.remove(steps).await;
    }
    match outcome {
        Ok(Finished { delivered, verification }) => Ok(Overwritten { delivered, verification, rollback: rolled, safety: shown }),
        Err(broken) => Err(explain(broken, (found.map(|found| found.verdict), rolled), shown, address, &steps.id())),
    }
}

/// The settings of what is there, and how many points it has.
async fn read(destination: &Destination, progress: &Progress) -> Result<(Settings, u64), Unread> {
    let Destination { connection, address, .. } = destination;
    let read = async {
        let (reader, info) = Reader::open(connection, address).await?;
        let points = reader.count(info.points, progress).await?;
        Ok((info.settings, points))
    };
    match read.await {
        Err(why) => Err(with_all_nodes(connection, why).await),
        read => read,
    }
}

/// Takes the safety snapshot. Only what the plan found unreadable, and the server itself still says it cannot read, has
/// nothing to save.
async fn secure(
    services: &Services,
    steps: &mut Steps<'_>,
    destination: &Destination,
    unreadable: bool,
) -> Result<Option<Safety>, Problem> {
    let Destination { connection, node, address } = destination;
    let settings = match read(destination, &steps.job.progress).await {
        Ok((settings, _)) => Some(settings),
        Err(Unread::Broken(_)) if unreadable => return Ok(None),
        Err(Unread::Broken(problem)) => return Err(problem),
        // That it cannot be counted is no reason not to save it.
        Err(Unread::Unknown(_)) => None,
    };
    let step = (SAFETY, Some(Made::Safety));
    let taken = create::take(services, steps, (connection, *node, address), step).await?;
    let settings = taken.proof.as_ref().and_then(|proof| proof.settings.clone()).or(settings);
    let safety = Safety { node: *node, snapshot: taken.snapshot, proof: taken.proof, settings };
    let kept = create::still_there(connection, *node, address, &safety.snapshot, taken.begun);
    steps.run("keep the safety snapshot", "", kept).await.map_err(|problem| {
        problem.advise("nothing was overwritten; see who takes snapshots of it at the same time, and try again")
    })?;
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
            steps.gone_with(&shown);
        }
        job.keep(self.cleanup);
    }
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
        Verdict::CouldNotCheck(_) if work.forced => None,
        // Bytes that somebody vouches for need no record; what should be provable and is not, is no proof.
        Verdict::CouldNotCheck(_) if scratch.verification.unrecorded && work.vouched != Vouched::Nothing => None,
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
    let name = scratch_name(&beside.address.collection, services.clock.now(), job.id.0);
    let address = CollectionAddress::new(beside.address.instance.clone(), name);
    let destination = Destination { connection: beside.connection.clone(), node: beside.node, address };
    let cleanup = job.on_failure(format!("the scratch collection {}", destination.address), {
        let (destination, ledger) = (destination.clone(), steps.ledger());
        async move { remove_collection(&destination, &ledger).await }
    });
    let stage = (bring::PROOF, Made::Scratch);
    // Here is the place to find what a server counts and cannot read: nothing live is touched yet.
    let reference = Reference { read_all: true, settings: None, ..cargo.reference.clone() };
    let cargo = Cargo { origin: cargo.origin, route: cargo.route, reference: &reference, keyed: cargo.keyed, put_back: None };
    let finished = bring_fresh(services, steps, &cargo, &destination, stage).await?;
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
    mut finished: Finished,
    scratch: Option<&Scratch>,
) -> Finished {
    let verification = &mut finished.verification;
    if let (Some(scratch), false) = (scratch, verification.damaged) {
        let spec =
            CompareSpec { first: scratch.destination.address.clone(), second: work.destination.address.clone(), deep: work.deep };
        let comparing = compare(services, &spec, &steps.job.progress);
        let words = |found: &Result<Comparison, Problem>| {
            found.as_ref().map_or_else(ToString::to_string, |found| found.data_verdict.record())
        };
        match steps.judge(COMPARE, comparing, words).await {
            Ok(found) => {
                verification.damaged |= matches!(found.data_verdict, Verdict::Differs(_));
                verification.structural |= !found.shape.is_empty();
                let vouched = work.vouched != Vouched::Nothing && verification.unrecorded;
                let own = std::mem::replace(&mut verification.verdict, Verdict::CouldNotCheck(String::new()));
                verification.verdict = beside_proof(own, found.data_verdict, vouched);
            }
            // Not being able to compare is no difference.
            // What differs already differs whether more could be compared or not.
            Err(problem) if work.deep && !matches!(verification.verdict, Verdict::Differs(_)) => {
                verification.verdict = Verdict::CouldNotCheck(format!("the points could not be compared: {problem}"));
            }
            Err(_) => {}
        }
    }
    // Nobody writes dead shards or other vectors: such a difference is damage, whoever else is at work.
    let proven = scratch.is_some_and(|scratch| matches!(scratch.verification.verdict, Verdict::Matches(_)));
    if verification.damaged && !verification.structural && proven {
        let moving = points_move(&work.destination.connection, &work.destination.address, work.cargo.reference, SECOND_LOOK);
        if moving.await {
            verification.damaged = false;
            verification.verdict = Verdict::CouldNotCheck(format!(
                "somebody writes to it now, so that it cannot be compared; found: {}. The proof restore of the same bytes was right",
                verification.verdict.reason()
            ));
        }
    }
    finished
}

/// The verdict, with what the comparison with the proof restore adds to it; `vouched` when bytes that somebody vouches for
/// have no record to be compared with. Pure.
fn beside_proof(own: Verdict, compared: Verdict, vouched: bool) -> Verdict {
    match (own, compared) {
        (_, Verdict::Differs(why)) => Verdict::Differs(format!("it is not what the proof restore of the same bytes gave: {why}")),
        (Verdict::CouldNotCheck(_), Verdict::Matches(words)) if vouched => Verdict::Matches(format!(
            "{words} with a restore of the same bytes to a scratch name; the bytes have the sha256 that the server listed"
        )),
        (Verdict::Matches(reason), Verdict::Matches(words)) => {
            Verdict::Matches(format!("{reason}; {words} with the proof restore"))
        }
        (own, _) => own,
    }
}

/// What was seen of the live data after an error.
struct Looked {
    verdict: Verdict,
    /// It is known to be worse than it was: other points, or it cannot be read.
    worse: bool,
}

/// How the live data is after an error. What was found stands in the journal: it tells later whether the collection may be
/// between old and new.
async fn look(work: &Overwriting<'_>, broken: &Broken, safety: Option<&Safety>, steps: &mut Steps<'_>) -> Option<Looked> {
    let Destination { connection, address, .. } = work.destination;
    // Nothing may be started beside a restore that may still go on, and what is seen now may not last.
    if broken.touched == Touched::Unknown {
        return None;
    }
    let refused = broken.touched.nothing() && !work.earlier.between;
    let progress = steps.job.progress.clone();
    let looking = async {
        let unknown = |words: String| Looked { verdict: Verdict::CouldNotCheck(words), worse: false };
        match (read(work.destination, &progress).await, safety.and_then(|safety| safety.proof.clone())) {
            (Err(Unread::Broken(_)), _) if work.unreadable && refused => unknown("it cannot be read, as before".into()),
            (Err(Unread::Broken(_)), _) => Looked { verdict: Verdict::Differs("it cannot be read".into()), worse: true },
            (Err(Unread::Unknown(problem)), _) => unknown(problem.message),
            (Ok((_, points)), None) if refused => {
                let words = format!("the server refused before it touched its {} points", exact(points));
                Looked { verdict: Verdict::Matches(words), worse: false }
            }
            (Ok(_), None) => unknown("nothing was recorded of what was there".into()),
            (Ok(_), Some(proof)) => {
                let reference = Reference::of(Expected::Recorded(proof));
                let found = verify(connection, address, &reference, &progress).await;
                match found.verdict {
                    Verdict::Differs(why) if refused => {
                        unknown(format!("it changed since the safety snapshot, though the server refused: {why}"))
                    }
                    verdict => Looked { verdict, worse: found.damaged },
                }
            }
        }
    };
    Some(steps.judge(LOOK, looking, |looked| looked.verdict.record()).await)
}

/// How a rollback ended.
pub(in crate::ops) struct RolledBack {
    pub verdict: Verdict,
    /// It was restored, and nothing was recorded that it could be compared with.
    pub unrecorded: bool,
}

/// Brings the safety snapshot back; `None` when there is none.
pub(in crate::ops) async fn roll_back(
    services: &Services,
    steps: &mut Steps<'_>,
    destination: &Destination,
    safety: Option<&Safety>,
) -> Option<RolledBack> {
    let safety = safety?;
    steps.past_return();
    let origin = Origin::Node {
        connection: destination.connection.clone(),
        node: safety.node,
        address: destination.address.clone(),
        snapshot: safety.snapshot.clone(),
    };
    let put_back = safety.settings.clone().map(|wanted| PutBack { wanted, all: true });
    let expected = safety.proof.clone().map_or(Expected::Nothing, Expected::Recorded);
    let reference = Reference { settings: safety.settings.clone(), ..Reference::of(expected) };
    let cargo = Cargo { origin: &origin, route: Route::Auto, reference: &reference, keyed: None, put_back: put_back.as_ref() };
    // The server restores on, whoever listens; and nothing may be torn apart now.
    let job = steps.job;
    job.seal();
    let rolling = async {
        let finished = match bring(services, steps, &cargo, destination, bring::ROLL_BACK).await {
            Ok(finished) => finished.unless_lost(destination).await,
            Err(broken) => Err(broken),
        };
        if let Ok(finished) = &finished
            && finished.matches()
        {
            bring::tidy(steps, destination, &finished.delivered).await;
        }
        finished
    };
    let finished = job.commit(rolling).await;
    let unrecorded = finished.as_ref().is_ok_and(|finished| finished.verification.unrecorded);
    let verdict = match finished {
        Ok(finished) => finished.verification.verdict,
        Err(Broken { problem, touched: Touched::Unknown }) => {
            Verdict::CouldNotCheck(format!("nobody knows how it ended: {problem}; {}", problem.advice))
        }
        Err(Broken { problem, touched }) if touched.nothing() => {
            Verdict::CouldNotCheck(format!("the rollback did not begin: {problem}; {}", problem.advice))
        }
        Err(Broken { problem, .. }) => Verdict::Differs(format!("the rollback failed: {problem}; {}", problem.advice)),
    };
    Some(RolledBack { verdict, unrecorded })
}

/// What the user reads when the overwrite itself failed. What has to be known first stands first: long advice is cut.
fn explain(
    broken: Broken,
    (found, rolled): (Option<Verdict>, Option<Verdict>),
    safety: Option<String>,
    address: &CollectionAddress,
    id: &str,
) -> Problem {
    let Broken { problem, touched } = broken;
    let way_back = safety.as_ref().map_or_else(String::new, |safety| format!("the safety snapshot {safety} is kept; "));
    let state = match &rolled {
        None => "",
        Some(Verdict::Matches(_)) => "; rolled back",
        Some(_) => "; ROLLBACK NOT PROVEN",
    };
    let advice = match &rolled {
        None if matches!(found, Some(Verdict::Matches(_))) => format!("{address} is as it was; {way_back}{}", problem.advice),
        None if touched.nothing() => {
            let looked = found.as_ref().map_or("it could not be looked at", Verdict::reason);
            format!("the server refused; that {address} is as it was is not proven ({looked}); {way_back}{}", problem.advice)
        }
        None if touched == Touched::Unknown => format!(
            "{way_back}the server may still be restoring into {address}: wait until it is done, then `qsnap history roll-back {id}` \
             brings the old data back, and `qsnap history continue {id}` goes on; {}",
            problem.advice
        ),
        None => {
            let looked = found.as_ref().map_or("it could not be looked at", Verdict::reason);
            format!(
                "{way_back}whether {address} is as it was is not known ({looked}), so that nothing was brought back: look at it, then \
                 `qsnap history roll-back {id}` brings the old data back, and `qsnap history continue {id}` goes on; {}",
                problem.advice
            )
        }
        Some(Verdict::Matches(words)) => format!("{way_back}{address} is as it was: {words}"),
        Some(Verdict::CouldNotCheck(words)) => format!("{way_back}it was rolled back, but that could not be checked: {words}"),
        Some(Verdict::Differs(words)) => {
            format!("THE ROLLBACK DID NOT WORK; {way_back}restore it over {address} by hand: {words}")
        }
    };
    Problem { message: format!("{}{state}", problem.message), ..problem }.advise(advice)
}

/// How many things about as large as the snapshot come to the server's disk besides: safety snapshot, proof restore.
pub(in crate::ops) fn extra(overwrites: bool, skips: Skips) -> u64 {
    if overwrites { u64::from(!skips.safety) + u64::from(!skips.proof) } else { 0 }
}

/// Steps of a plan that overwrites.
pub(in crate::ops) fn plan_steps(target: &CollectionAddress, skips: Skips, restore: String) -> Vec<crate::ops::flow::Step> {
    use crate::ops::flow::Step;
    let mut steps = Vec::new();
    if !skips.safety {
        steps.push(Step::new(SAFETY, format!("take a snapshot of {target} as it is now, and keep it")));
    }
    if !skips.proof {
        steps.push(Step::new(
            bring::PROOF.restore,
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
            (matches(), matches(), false, "matches"),
            (matches(), differs(), false, "differs"),
            (unknown(), matches(), true, "matches"),
            (unknown(), matches(), false, "could_not_check"),
            (unknown(), differs(), false, "differs"),
            (unknown(), unknown(), true, "could_not_check"),
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
}
