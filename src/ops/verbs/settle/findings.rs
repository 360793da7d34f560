//! What a plan to settle an operation finds: what was done so far, whether the way makes sense, and what is in it.

use crate::domain::address::{Address, CollectionAddress, Which};
use crate::domain::time;
use crate::ops::journal::event::{Made, Thing};
use crate::ops::journal::past::Past;
use crate::ops::journal::step_names;
use crate::ops::plan::Plan;
use crate::ops::plan::finding::{Finding, Level};
use crate::ops::request::Request;
use crate::ops::request::collections::ReviveRequest;
use crate::ops::request::recovery_point::RecoveryPoint;
use crate::ops::request::restore::{Mode, RestoreRequest};
use crate::ops::request::route::Route;
use crate::ops::request::settle::Way;
use crate::ops::request::verb::Verb;
use crate::ops::services::Services;
use crate::ops::survey::locate::{NameUse, name_use};
use crate::ops::verbs::guard::record::command_lives;
use crate::ops::verbs::restore;
use crate::ops::verbs::settle::way_back::safety_of;

/// Why a way makes no sense for an operation, and what to do instead.
pub(super) fn impossible(past: &Past, way: Way) -> Option<(&'static str, String)> {
    let id = &past.id;
    let instead = if past.is_open() {
        format!("`qsnap history clean-up {id}` removes what it left")
    } else {
        format!("nothing is left of it; `qsnap history show {id}` has its command, to run it again")
    };
    match way {
        Way::CleanUp if past.is_open() => None,
        Way::CleanUp => Some(("it left nothing behind", instead)),
        _ if !past.parts.is_empty() => {
            let advice = format!("`qsnap history show {id}` names the records of its parts, and the commands of those not begun");
            Some(("settle each of its parts", advice))
        }
        Way::Continue if past.repaired => {
            Some(("something that was restored there later is proven: going on would overwrite that", instead))
        }
        Way::Continue => done_already(past)
            .map(|advice| ("what it was to do is done: there is nothing to continue", advice))
            .or(past.request.is_none().then_some(("it cannot be continued", instead))),
        Way::RollBack if past.is_between() => None,
        Way::RollBack if past.has_overwritten() => {
            let again = past.safety().map_or_else(
                || "no safety snapshot was taken: restore another recovery point over it".to_owned(),
                |thing| {
                    format!(
                        "`qsnap restore {} --to {} --mode in-place` brings it back, and keeps a safety snapshot of the present data",
                        thing.thing, past.target
                    )
                },
            );
            Some(("it ended: the collection is not half overwritten", again))
        }
        Way::RollBack => Some(("nothing was overwritten: there is nothing to bring back", instead)),
    }
}

/// What to do instead of going on with what is done.
fn done_already(past: &Past) -> Option<String> {
    let done = past.is_done() || past.is_proven();
    done.then(|| {
        if past.is_open() {
            format!("`qsnap history clean-up {}` removes what it left behind", past.id)
        } else {
            "to do it again, run its command: `qsnap history show` has it".to_owned()
        }
    })
}

pub(super) fn done_so_far(past: &Past) -> Finding {
    let words: Vec<String> = past
        .steps
        .iter()
        .map(|step| match &step.result {
            None => format!("{} (not ended)", step.name),
            Some(_) if step.is_good() => step.name.clone(),
            Some(_) => format!("{} (failed)", step.name),
        })
        .collect();
    let message = format!("begun {} UTC by {}: {}", time::second(past.at), past.who, words.join(", "));
    if past.not_begun() > 0 {
        let advice = format!("not begun: {} of {}; nothing of them is done by this", past.not_begun(), past.parts.len());
        Finding::look("state", message, advice)
    } else if past.is_between() {
        Finding::look("state", message, format!("{} may be neither what it was nor what it should be", past.target))
    } else if past.repaired {
        Finding::look("state", message, "something that was restored there later is proven")
    } else if past.has_overwritten() && !past.is_done() && !past.is_proven() {
        Finding::look("state", message, format!("{} was overwritten, and is not proven", past.target))
    } else {
        Finding::look("state", message, "no live data was overwritten, or what was written is proven")
    }
}

/// What going on meets, besides what it removes or waits for itself.
pub(super) async fn going_on_findings(services: &Services, past: &Past, again: &Plan) -> Vec<Finding> {
    // What it made itself is in its own way, and is removed first.
    let own = past.leftovers().iter().any(|thing| thing.kind == Made::Collection && thing.thing == past.target);
    // So is what the server still does for it, which is waited for; then it is planned once more.
    let passes = |finding: &&Finding| match (finding.level, finding.check) {
        (Level::Block, "target") => own,
        (Level::Block, check) => ["idle", "replicas"].contains(&check),
        _ => false,
    };
    let mut findings: Vec<Finding> = again.findings.iter().filter(|finding| !passes(finding)).cloned().collect();
    findings.extend(way_back_finding(services, past).await);
    findings
}

/// Whether resuming has a way back, where the collection may be half overwritten.
async fn way_back_finding(services: &Services, past: &Past) -> Option<Finding> {
    if !past.is_between() {
        return None;
    }
    Some(match safety_of(services, past).await {
        Ok(Some(safety)) => Finding::good("safety", format!("{} is the way back, as before", safety.snapshot.name)),
        Ok(None) => Finding::look("safety", "no safety snapshot was taken: there is no way back", ""),
        Err(problem) => Finding::look(
            "safety",
            format!("the safety snapshot cannot be found: {problem}"),
            "the collection may be half overwritten, and there is no safety snapshot of the old data",
        ),
    })
}

pub(super) async fn roll_back_findings(services: &Services, past: &Past, findings: &mut Vec<Finding>) {
    if !past.is_between() {
        findings.push(Finding::look(
            "roll back",
            format!("{} is not half overwritten: it ended as `{}`", past.target, past.state.word()),
            "what was written to it since is lost, too",
        ));
    }
    if let Some(aliases) = past.step(step_names::ALIASES_BEFORE).map(|step| &step.detail) {
        let words = format!("before, these aliases pointed at it: {aliases}; a snapshot holds none");
        findings.push(Finding::look(
            "aliases",
            words,
            "see that they still do; `qsnap alias INSTANCE/ALIAS COLLECTION` points one at it",
        ));
    }
    if let Some(finding) = in_the_way(services, past).await {
        findings.push(finding);
        return;
    }
    match safety_of(services, past).await {
        Ok(Some(safety)) if safety.proof.is_some() => {
            findings.push(Finding::good("safety", format!("{} is there, and its sample was recorded", safety.snapshot.name)));
        }
        Ok(Some(safety)) => findings.push(Finding::look(
            "safety",
            format!("{} is there; nothing was recorded of it", safety.snapshot.name),
            "the rollback can be counted, but not proven",
        )),
        Ok(None) => findings.push(Finding::block(
            "safety",
            "no safety snapshot was taken",
            "restore another recovery point over it: `qsnap restore … --mode in-place`",
        )),
        Err(problem) => findings.push(Finding::block("safety", problem.to_string(), problem.advice)),
    }
}

/// Why the safety snapshot cannot be restored over the present collection, and the other way to bring it back: a verified
/// revival of the collection settles what was open on it.
async fn in_the_way(services: &Services, past: &Past) -> Option<Finding> {
    let target = CollectionAddress::parse(&past.target).ok()?;
    let Ok(Address::Snapshot(_, Which::Named(name))) = Address::parse(&past.safety()?.thing) else { return None };
    let connection = services.connection(&target.instance).await.ok()?;
    let revive = format!("`{}` brings it back", Request::Revive(ReviveRequest::from(&target, &name)).consented());
    match name_use(&connection, &target).await.ok()? {
        NameUse::Free => Some(Finding::block("target", format!("{target} is gone"), revive)),
        NameUse::Alias(real) => {
            let words = format!("{target} is gone, and its name is an alias of {real}");
            Some(Finding::block("target", words, format!("remove that alias; then {revive}")))
        }
        NameUse::Collection => {
            let point = RecoveryPoint::Snapshot(target.clone(), Which::Named(name.clone()));
            let plan =
                restore::plan(services, RestoreRequest::new(point, target.clone(), Mode::InPlace, Route::Auto)).await.ok()?;
            let other = plan.other_shape()?.message.clone();
            let drop = format!("`qsnap drop {target} --yes --confirm '{target}'` removes the present collection; then {revive}");
            Some(Finding::block("target", format!("what is in {target} now has another shape: {other}"), drop))
        }
    }
}

pub(super) fn clean_up_finding(past: &Past) -> Option<Finding> {
    let words = match (Verb::of(&past.operation), &past.request) {
        (Some(Verb::Guard), _) => {
            let words = format!("{} is kept as the command left it", past.target);
            return past.is_between().then(|| Finding::look("state", words, "roll-back brings back what was there before"));
        }
        (_, Some(_)) => "restores the old data, `continue` finishes the operation",
        (_, None) => "brings the old data back",
    };
    past.is_between().then(|| {
        Finding::block(
            "state",
            format!("{} may be half overwritten: that comes first", past.target),
            format!("`qsnap history roll-back {}` {words}", past.id),
        )
    })
}

/// What the operation left, one by one.
pub(super) fn left_behind(past: &Past) -> Vec<Finding> {
    let finding = |thing: &Thing| {
        let words = format!("{} {}", thing.kind.words(), thing.thing);
        Finding::look("left behind", words, "it is removed, unless it is needed for this")
    };
    past.leftovers().into_iter().map(finding).collect()
}

/// A guard that is killed leaves its command running.
pub(super) fn command_finding(services: &Services, past: &Past) -> Option<Finding> {
    (Verb::of(&past.operation) == Some(Verb::Guard) && command_lives(services, &past.target)).then(|| {
        let words = "the guarded command, or something that it started, still runs";
        Finding::look("command", words, "stop it first: what it does later is not undone")
    })
}
