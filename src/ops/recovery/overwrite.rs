//! Overwriting a collection so that it cannot get worse: the present data is secured, the recovery point is proven on a
//! scratch name, only then it goes over the live data; and when that fails the old data comes back by itself.
//!
//! ```text
//! safety snapshot ──> proof restore ──> restore ──> verify ──> tidy
//!                          │               │           │
//!                 bad: nothing happened    └─ bad: roll back from the safety snapshot, and verify that
//! ```

use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::settings::Settings;
use crate::domain::size::exact;
use crate::jobs::progress::Progress;
use crate::ops::gates::evidence::Evidence;
use crate::ops::journal::event::Made;
use crate::ops::journal::step_names::{self, COMPARE_WITH_PROOF, LOOK, SAFETY};
use crate::ops::plan::Plan;
use crate::ops::proof::compare::compare;
use crate::ops::proof::scan::Reader;
use crate::ops::proof::unread::Unread;
use crate::ops::proof::verify::{Expected, Reference, Verification, points_move, verify, with_all_nodes};
use crate::ops::recovery::delivered::{Broken, Delivered, Impact};
use crate::ops::recovery::destination::Destination;
use crate::ops::recovery::restore_into::{self, Finished, RestoreInput, restore_over};
use crate::ops::recovery::rollback::{Safety, explain, roll_back};
use crate::ops::recovery::scratch::{Scratch, scratch};
use crate::ops::recovery::take;
use crate::ops::report::Report;
use crate::ops::report::comparison::Comparison;
use crate::ops::report::verdict::Verdict;
use crate::ops::request::collections::CompareRequest;
use crate::ops::request::restore::Mode;
use crate::ops::request::skips::Skips;
use crate::ops::services::Services;
use crate::ops::steps::Steps;
use std::time::Duration;

/// How long after a difference a second look is taken, to tell damage from somebody who writes.
const SECOND_LOOK: Duration = Duration::from_secs(1);

/// What an earlier run that broke off left.
#[derive(Debug, Clone, Default)]
pub(in crate::ops) struct Earlier {
    /// The collection may be neither old nor new: it is not worth saving, and never called "as it was".
    pub between: bool,
    /// The way back that it took.
    pub safety: Option<Safety>,
}

/// What is to be done.
pub(in crate::ops) struct Overwriting<'a> {
    pub input: RestoreInput<'a>,
    pub destination: &'a Destination,
    pub skips: Skips,
    pub evidence: Evidence,
    /// Nothing vouches for the bytes, and that was accepted.
    pub forced: bool,
    /// Compare every point with the proof restore, and not a sample.
    pub deep: bool,
    /// What an earlier run that broke off left.
    pub earlier: Earlier,
    /// The plan found, and said, that the collection cannot be read: then there is nothing to save.
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
    let restored = restore_over(services, steps, &work.input, destination, step_names::RESTORE).await;
    if restored.as_ref().err().is_none_or(|broken| !broken.impact.nothing()) {
        steps.past_return();
    }
    let outcome = match restored {
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
        restore_into::tidy(steps, destination, &finished.delivered).await;
    }
    if let Some(scratch) = &scratch {
        scratch.remove(steps).await;
    }
    match outcome {
        Ok(Finished { delivered, verification }) => Ok(Overwritten { delivered, verification, rollback: rolled, safety: shown }),
        Err(broken) => Err(explain(broken, (found.map(|found| found.verdict), rolled), shown, address, &steps.id())),
    }
}

/// The settings and the point count of the existing collection.
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
    let taken = take::take(services, steps, (connection, *node, address), step).await?;
    let settings = taken.proof.as_ref().and_then(|proof| proof.settings.clone()).or(settings);
    let safety = Safety { node: *node, snapshot: taken.snapshot, proof: taken.proof, settings };
    let kept = take::still_there(connection, *node, address, &safety.snapshot, taken.begun);
    steps.run("keep the safety snapshot", "", kept).await.map_err(|problem| {
        problem.advise("nothing was overwritten; see who takes snapshots of it at the same time, and try again")
    })?;
    Ok(Some(safety))
}

/// Restores to a scratch name and verifies it there. Nothing that is live is impact.
async fn prove(services: &Services, steps: &mut Steps<'_>, work: &Overwriting<'_>) -> Result<Scratch, Problem> {
    let live = &work.destination.address;
    let scratch = scratch(services, steps, &work.input, work.destination).await.map_err(|problem| {
        let advice = format!("nothing happened to {live}: the proof restore failed; {}", problem.advice);
        problem.advise(advice)
    })?;
    let refused = match &scratch.verification.verdict {
        Verdict::Matches(_) => None,
        Verdict::Differs(why) => Some((ProblemKind::Difference, format!("the proof restore differs: {why}"))),
        Verdict::CouldNotCheck(_) if work.forced => None,
        // Bytes with evidence need no record; what should be provable and is not, is no proof.
        Verdict::CouldNotCheck(_) if scratch.verification.unrecorded && work.evidence != Evidence::Nothing => None,
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

/// After the overwrite: what was not recorded can still be compared with the proof restore of the same bytes; and a
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
        let request = CompareRequest {
            first: scratch.destination.address.clone(),
            second: work.destination.address.clone(),
            deep: work.deep,
        };
        let comparing = compare(services, &request, &steps.job.progress);
        let words = |found: &Result<Comparison, Problem>| {
            found.as_ref().map_or_else(ToString::to_string, |found| found.data_verdict.record())
        };
        match steps.judge(COMPARE_WITH_PROOF, comparing, words).await {
            Ok(found) => {
                verification.damaged |= matches!(found.data_verdict, Verdict::Differs(_));
                verification.structural |= !found.shape.is_empty();
                let evidence = work.evidence != Evidence::Nothing && verification.unrecorded;
                let own = std::mem::replace(&mut verification.verdict, Verdict::CouldNotCheck(String::new()));
                verification.verdict = beside_proof(own, found.data_verdict, evidence);
            }
            // Not being able to compare is no difference.
            // What differs already differs whether more could be compared or not.
            Err(problem) if work.deep && !matches!(verification.verdict, Verdict::Differs(_)) => {
                verification.verdict = Verdict::CouldNotCheck(format!("the points could not be compared: {problem}"));
            }
            Err(_) => {}
        }
    }
    // No client writes dead shards or other vectors: such a difference is damage, even while others write.
    let proven = scratch.is_some_and(|scratch| matches!(scratch.verification.verdict, Verdict::Matches(_)));
    if verification.damaged && !verification.structural && proven {
        let moving = points_move(&work.destination.connection, &work.destination.address, work.input.reference, SECOND_LOOK);
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

/// The verdict, with what the comparison with the proof restore adds to it; `evidence` when bytes with evidence
/// have no record to be compared with. Pure.
fn beside_proof(own: Verdict, compared: Verdict, evidence: bool) -> Verdict {
    match (own, compared) {
        (_, Verdict::Differs(why)) => Verdict::Differs(format!("it is not what the proof restore of the same bytes gave: {why}")),
        (Verdict::CouldNotCheck(_), Verdict::Matches(words)) if evidence => Verdict::Matches(format!(
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
    if broken.impact == Impact::Unknown {
        return None;
    }
    let refused = broken.impact.nothing() && !work.earlier.between;
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

impl Overwritten {
    /// What a restore to a free name comes to: nothing was there, so that nothing was saved or restored back.
    pub(in crate::ops) fn fresh(finished: Finished) -> Self {
        Self { delivered: finished.delivered, verification: finished.verification, rollback: None, safety: None }
    }

    /// What may be missing in the shards of a live source, in words.
    pub(in crate::ops) fn unsettled(&self) -> Option<String> {
        let shards: Vec<String> = self.delivered.unsettled.iter().map(ToString::to_string).collect();
        (!shards.is_empty()).then(|| {
            format!(
                "shard {} was optimized while it streamed, and may lack the latest deletions: compare --deep tells",
                shards.join(", ")
            )
        })
    }

    /// The report of it.
    pub(in crate::ops) fn report(self, plan: &Plan, mode: Mode) -> Report {
        let Delivered { route, reason, bytes, replicas_late, .. } = self.delivered;
        let late = replicas_late.map(|words| {
            Problem::new(ProblemKind::Partly, format!("the data is there, and not on all nodes: {words}"), &plan.target)
                .advise("bring the nodes back that do not answer; `qsnap collections` shows each replica")
        });
        Report {
            failures: late.into_iter().collect(),
            route: Some(route.word()),
            route_reason: reason,
            mode: Some(mode.word()),
            verdict: Some(self.verification.verdict),
            points: self.verification.points,
            samples: self.verification.samples,
            rollback: self.rollback,
            bytes,
            created: self.safety.into_iter().collect(),
            ..plan.report()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proof_restore_can_prove_and_disprove() {
        let matches = || Verdict::Matches("m".into());
        let unknown = || Verdict::CouldNotCheck("c".into());
        let differs = || Verdict::Differs("d".into());
        for (own, compared, evidence, word) in [
            (matches(), matches(), false, "matches"),
            (matches(), differs(), false, "differs"),
            (unknown(), matches(), true, "matches"),
            (unknown(), matches(), false, "could_not_check"),
            (unknown(), differs(), false, "differs"),
            (unknown(), unknown(), true, "could_not_check"),
        ] {
            assert_eq!(beside_proof(own.clone(), compared.clone(), evidence).word(), word, "{own:?} {compared:?} {evidence:?}");
        }
    }
}
