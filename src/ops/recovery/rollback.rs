//! Restores the safety snapshot after a failed overwrite, and says what came of it. Whether that is necessary is decided in
//! `overwrite.rs`.

use crate::domain::address::CollectionAddress;
use crate::domain::problem::Problem;
use crate::domain::proof::Proof;
use crate::domain::settings::Settings;
use crate::domain::snapshot::SnapshotInfo;
use crate::ops::journal::step_names;
use crate::ops::proof::verify::{Expected, Reference};
use crate::ops::recovery::delivered::{Broken, Impact};
use crate::ops::recovery::destination::Destination;
use crate::ops::recovery::put_back::PutBack;
use crate::ops::recovery::restore_into::{self, RestoreInput, restore_over};
use crate::ops::report::verdict::Verdict;
use crate::ops::request::route::Route;
use crate::ops::services::Services;
use crate::ops::steps::Steps;
use crate::ops::survey::origin::Origin;

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
        address.snapshot(&self.snapshot.name)
    }
}

/// How a rollback ended.
pub(in crate::ops) struct RolledBack {
    pub verdict: Verdict,
    /// It was restored, and nothing was recorded that it could be compared with.
    pub unrecorded: bool,
    /// Why nothing was restored, where the server refused before it touched anything.
    pub refused: Option<Problem>,
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
    let input =
        RestoreInput { origin: &origin, route: Route::Auto, reference: &reference, keyed: None, put_back: put_back.as_ref() };
    // The server goes on with the restore even if the connection closes; it must not be interrupted now.
    let job = steps.job;
    job.seal();
    let rolling = async {
        let finished = match restore_over(services, steps, &input, destination, step_names::ROLL_BACK).await {
            Ok(finished) => finished.unless_lost(destination).await,
            Err(broken) => Err(broken),
        };
        if let Ok(finished) = &finished
            && finished.matches()
        {
            restore_into::tidy(steps, destination, &finished.delivered).await;
        }
        finished
    };
    let finished = job.commit(rolling).await;
    let unrecorded = finished.as_ref().is_ok_and(|finished| finished.verification.unrecorded);
    let refused = match &finished {
        Err(broken) if broken.impact.nothing() => Some(broken.problem.clone()),
        _ => None,
    };
    let verdict = match finished {
        Ok(finished) => finished.verification.verdict,
        Err(Broken { problem, impact: Impact::Unknown }) => {
            Verdict::CouldNotCheck(format!("how it ended is unknown: {problem}; {}", problem.advice))
        }
        Err(Broken { problem, impact }) if impact.nothing() => {
            Verdict::CouldNotCheck(format!("the rollback did not begin: {problem}; {}", problem.advice))
        }
        Err(Broken { problem, .. }) => Verdict::Differs(format!("the rollback failed: {problem}; {}", problem.advice)),
    };
    Some(RolledBack { verdict, unrecorded, refused })
}

/// What the user reads when the overwrite itself failed. What has to be known first stands first: long advice is cut.
pub(super) fn explain(
    broken: Broken,
    (found, rolled): (Option<Verdict>, Option<Verdict>),
    safety: Option<String>,
    address: &CollectionAddress,
    id: &str,
) -> Problem {
    let Broken { problem, impact } = broken;
    let way_back = safety.as_ref().map_or_else(String::new, |safety| format!("the safety snapshot {safety} is kept; "));
    let state = match &rolled {
        None => "",
        Some(Verdict::Matches(_)) => "; rolled back",
        Some(_) => "; ROLLBACK NOT PROVEN",
    };
    let advice = match &rolled {
        None if matches!(found, Some(Verdict::Matches(_))) => format!("{address} is as it was; {way_back}{}", problem.advice),
        None if impact.nothing() => {
            let looked = found.as_ref().map_or("it could not be looked at", Verdict::reason);
            format!("the server refused; that {address} is as it was is not proven ({looked}); {way_back}{}", problem.advice)
        }
        None if impact == Impact::Unknown => format!(
            "{way_back}the server may still be restoring into {address}: wait until it is done, then `qsnap history roll-back {id}` \
             brings the old data back, and `qsnap history continue {id}` goes on; {}",
            problem.advice
        ),
        None => {
            let looked = found.as_ref().map_or("it could not be looked at", Verdict::reason);
            format!(
                "{way_back}whether {address} is as it was is not known ({looked}), so that nothing was restored back: look at it, then \
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
