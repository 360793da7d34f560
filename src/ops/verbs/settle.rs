//! Settling an operation that did not end well: go on with it, bring the old data back, or remove what it left.

mod findings;
mod finished;
mod way_back;

use crate::domain::address::{Address, CollectionAddress, Which};
use crate::domain::given_names::is_scratch;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::size::exact;
use crate::jobs::limits::Resource;
use crate::ops::journal::event::{Made, TakenUp, Thing};
use crate::ops::journal::past::{Past, Repeatable, State};
use crate::ops::journal::step_names;
use crate::ops::plan::facts::Facts;
use crate::ops::plan::{Plan, Risk, Step, Work};
use crate::ops::recovery::await_server;
use crate::ops::recovery::destination::Destination;
use crate::ops::recovery::overwrite::Earlier;
use crate::ops::recovery::rollback::{RolledBack, roll_back};
use crate::ops::recovery::unfinished::remove_left;
use crate::ops::report::Report;
use crate::ops::report::verdict::Verdict;
use crate::ops::request::Request;
use crate::ops::request::restore::Mode;
use crate::ops::request::settle::{SettleRequest, Way};
use crate::ops::services::Services;
use crate::ops::steps::Steps;
use crate::ops::survey::placement::{self, is_silence};
use crate::ops::survey::source::scope;
use crate::ops::verbs::settle::findings::{
    clean_up_finding, command_finding, done_so_far, going_on_findings, impossible, left_behind, roll_back_findings,
};
use crate::ops::verbs::settle::finished::finished;
use crate::ops::verbs::settle::way_back::safety_of;
use crate::ops::verbs::{copy, restore};
use async_trait::async_trait;
use std::sync::Arc;

/// The operation to settle.
#[derive(Debug)]
struct Settle {
    request: SettleRequest,
    past: Past,
    /// The plan that goes on with it.
    again: Option<Plan>,
    target: Option<CollectionAddress>,
}

/// The operation's own work, once more.
enum Repeat {
    Restore(Box<restore::Restore>),
    Copy(copy::Copy),
}

/// The plan, computed by reading only.
pub(super) async fn plan(services: &Services, request: SettleRequest) -> Result<Plan, Problem> {
    let past = services.journal.find(&request.id)?;
    let request = SettleRequest { id: past.id.clone(), way: request.way };
    let on = format!("{} of {}", past.operation, past.target);
    refuse(&past, request.way, &on)?;
    let target = CollectionAddress::parse(&past.target).ok();
    let mut findings = vec![done_so_far(&past)];
    findings.extend(left_behind(&past));
    findings.extend(command_finding(services, &past));
    let finished = finished(services, &past, &mut findings).await?;
    let again = match request.way {
        Way::Continue => {
            let (again, _) = again(services, &past).await?;
            findings.extend(going_on_findings(services, &past, &again).await);
            Some(again)
        }
        Way::RollBack => {
            roll_back_findings(services, &past, &mut findings).await;
            None
        }
        Way::CleanUp => {
            findings.extend(clean_up_finding(&past));
            None
        }
    };
    let deletes = past.leftovers().into_iter().find(|thing| thing.kind == Made::Collection).cloned();
    let risk = match (request.way, &deletes) {
        (Way::RollBack, _) | (_, Some(_)) => Risk::Destroys,
        (Way::CleanUp, None) => Risk::Changes,
        (Way::Continue, None) if past.is_between() => Risk::Destroys,
        (Way::Continue, None) => again.as_ref().map_or(Risk::Destroys, |plan| plan.risk),
    };
    let now = match deletes.as_ref().map_or_else(|| target.clone(), |thing| CollectionAddress::parse(&thing.thing).ok()) {
        Some(address) => points_now(services, &address).await,
        None => None,
    };
    let protection = match &target {
        Some(address) => services.instance(&address.instance)?.protection,
        None => crate::domain::instance::Protection::Open,
    };
    let mut facts = Facts::default();
    facts.text("state of the operation", past.outcome());
    // After a killed process the server may still be at it: its points move by themselves, and mean nothing.
    // Those that a roll-back replaces are on record already: somebody who writes must not keep the old data from coming back.
    if risk == Risk::Destroys && past.state != State::BrokenOff && request.way != Way::RollBack {
        facts.points("points there now", now.unwrap_or(0));
    }
    Ok(Plan {
        title: format!("{}: {on}", request.way.word()),
        risk,
        consequence: consequence(request.way, &past, again.as_ref(), now),
        changes: target.clone().map(|address| (address, protection)),
        source: format!("{} ({})", past.id, past.operation),
        target: past.target.clone(),
        steps: steps_of(request.way, &past, finished.as_ref(), again.as_ref()),
        findings,
        facts,
        needs: again.as_ref().map_or_else(|| vec![Resource::Exclusive(past.target.clone())], |plan| plan.needs.clone()),
        settles: true,
        ..Plan::of(Request::Settle(request.clone()), Settle { request, past: past.clone(), again: again.clone(), target })
    })
}

/// Refuses what is settled, runs, or makes no sense.
fn refuse(past: &Past, way: Way, on: &str) -> Result<(), Problem> {
    let refuse = |words: &str, advice: &str| Err(Problem::new(ProblemKind::Refused, words, on).advise(advice));
    if past.state == State::Running {
        return refuse("a process works on it now", "wait for it, or cancel it there");
    }
    if let Some(how) = &past.settled {
        return refuse(&format!("it is settled already: {how}"), "there is nothing left to decide");
    }
    match impossible(past, way) {
        Some((words, advice)) => refuse(words, &advice),
        None => Ok(()),
    }
}

/// What will be gone, with what is in it at this moment.
fn consequence(way: Way, past: &Past, again: Option<&Plan>, now: Option<u64>) -> String {
    let data = now.map_or_else(String::new, |points| format!(" ({} points now)", exact(points)));
    let deleted = past.leftovers().into_iter().find(|thing| thing.kind == Made::Collection);
    let deleted = deleted.map(|thing| format!("{}{data}, which this operation made, is deleted", thing.thing));
    match way {
        Way::RollBack => {
            let safety = past.safety().map_or("the safety snapshot", |thing| thing.thing.as_str());
            format!("what is in {}{data} is replaced by {safety}", past.target)
        }
        Way::CleanUp => deleted.unwrap_or_default(),
        Way::Continue => match (deleted, again) {
            (Some(deleted), _) => format!("{deleted}, and created again"),
            (None, Some(_)) if past.is_between() && past.safety().is_some() => {
                format!("what is in {}{data} is replaced; the safety snapshot taken then is kept", past.target)
            }
            (None, again) => again.map_or_else(String::new, |plan| plan.consequence.clone()),
        },
    }
}

async fn points_now(services: &Services, address: &CollectionAddress) -> Option<u64> {
    services.connection(&address.instance).await.ok()?.whole().count(&address.collection).await.ok()
}

fn steps_of(way: Way, past: &Past, finished: Option<&Thing>, again: Option<&Plan>) -> Vec<Step> {
    let mut steps = vec![Step::new("wait", "until the server does nothing any more with these collections")];
    if let (Some(thing), Way::CleanUp) = (finished, way) {
        steps.push(Step::new("remove", format!("{} {}", thing.kind.words(), thing.thing)));
    }
    match way {
        Way::Continue => {
            steps.extend(removals(past));
            steps.extend(again.map(|plan| plan.steps.clone()).unwrap_or_default());
            if past.is_between() && past.safety().is_some() {
                // The collection may be half overwritten: the safety snapshot taken then is the way back.
                steps.retain(|step| step.name != step_names::SAFETY);
            }
        }
        Way::RollBack => {
            steps.push(Step::new("roll back", "restore the safety snapshot over it"));
            steps.push(Step::new("verify the rollback", "count, and compare the sample that was recorded then"));
            steps.extend(removals(past));
        }
        Way::CleanUp => steps.extend(removals(past)),
    }
    steps
}

fn removals(past: &Past) -> Vec<Step> {
    past.leftovers().into_iter().map(|thing| Step::new("remove", format!("{} {}", thing.kind.words(), thing.thing))).collect()
}

/// The plan of the operation itself, once more.
async fn again(services: &Services, past: &Past) -> Result<(Plan, Repeat), Problem> {
    match &past.request {
        Some(Repeatable::Restore(request)) => {
            let (plan, restore) = restore::prepare(services, request.clone()).await?;
            Ok((plan, Repeat::Restore(Box::new(restore))))
        }
        Some(Repeatable::Copy(request)) => {
            let made = |thing: &&Thing| thing.kind == Made::Collection && thing.thing == past.target;
            let ours = past.leftovers().iter().any(made);
            let (plan, copy) = copy::prepare(services, request.clone(), ours).await?;
            Ok((plan, Repeat::Copy(copy)))
        }
        None => Err(Problem::new(ProblemKind::Refused, "it cannot be continued", &past.id)),
    }
}

#[async_trait]
impl Work for Settle {
    async fn again(&self, services: &Services) -> Result<Plan, Problem> {
        plan(services, self.request.clone()).await
    }

    async fn run(&self, services: &Arc<Services>, plan: &Plan, steps: &mut Steps<'_>) -> Result<Report, Problem> {
        let (request, past) = (&self.request, &self.past);
        // No other process settles it meanwhile; and one that did so before is seen now.
        let _held = services.journal.hold(&past.id)?;
        if let Some(how) = services.journal.find(&past.id)?.settled {
            return Err(Problem::new(ProblemKind::PlanStale, format!("it was settled meanwhile: {how}"), &past.id)
                .advise("nothing was done; `qsnap history` shows how it ended"));
        }
        wait(services, past, self.target.as_ref(), steps).await?;
        let settle = |how: &str, steps: &Steps<'_>| services.journal.settle(services.clock.now(), &past.id, how, &steps.id());
        match (request.way, &self.again) {
            (Way::Continue, Some(shown)) => {
                let earlier = earlier(services, past).await?;
                remove_finished(services, past, request.way, steps).await?;
                take_up(past, steps)?;
                settle(request.way.past(), steps)?;
                remove(services, past, steps).await?;
                let done = go_on(services, past, shown, earlier, steps).await?;
                let mut created = done.created.clone();
                created.extend(past.safety().map(|thing| thing.thing.clone()).filter(|safety| !done.created.contains(safety)));
                Ok(Report { operation: plan.operation(), source: plan.source.clone(), created, ..done })
            }
            (Way::RollBack, _) => {
                take_up(past, steps)?;
                settle("taken up", steps)?;
                let report = bring_old_back(services, plan, past, self.target.as_ref(), steps).await?;
                if matches!(report.verdict, Some(Verdict::Matches(_))) {
                    settle(request.way.past(), steps)?;
                    remove(services, past, steps).await?;
                }
                Ok(report)
            }
            _ => {
                remove_finished(services, past, request.way, steps).await?;
                remove(services, past, steps).await?;
                settle(request.way.past(), steps)?;
                Ok(plan.report())
            }
        }
    }
}

/// Removes what the server finished after the operation broke off: perhaps only now, while it was waited for. A safety
/// snapshot stays as long as the operation goes on.
async fn remove_finished(services: &Services, past: &Past, way: Way, steps: &mut Steps<'_>) -> Result<(), Problem> {
    let finished = finished(services, past, &mut Vec::new()).await?;
    let Some(thing) = finished.filter(|thing| way == Way::CleanUp || thing.kind != Made::Safety) else { return Ok(()) };
    let job = steps.job;
    job.commit(steps.run("remove", &thing.thing, remove_thing(services, &thing))).await
}

/// The way back of data that may be between. Only one that is known to be gone is gone: the plan said so.
async fn earlier(services: &Services, past: &Past) -> Result<Earlier, Problem> {
    if !past.is_between() {
        return Ok(Earlier::default());
    }
    let safety = match safety_of(services, past).await {
        Err(problem) if problem.kind == ProblemKind::NotFound => None,
        found => found?,
    };
    Ok(Earlier { between: true, safety })
}

/// What the operation left is this one's from now on: should this break off too, there still is one that is open.
fn take_up(past: &Past, steps: &mut Steps<'_>) -> Result<(), Problem> {
    let things = past.leftovers().into_iter().chain(past.safety()).cloned().collect();
    let request = past.request.as_ref().map_or(serde_json::Value::Null, |request| serde_json::json!(request));
    steps.take_up(&TakenUp { id: past.id.clone(), between: past.is_between(), request, things })
}

/// With its own leftovers gone it is planned anew; it may not turn out to be worse than what was agreed to.
async fn go_on(
    services: &Services,
    past: &Past,
    shown: &Plan,
    earlier: Earlier,
    steps: &mut Steps<'_>,
) -> Result<Report, Problem> {
    let (fresh, repeat) = again(services, past).await?;
    let stale = |words: String| {
        Err(Problem::new(ProblemKind::PlanStale, words, &fresh.target)
            .advise(format!("nothing was overwritten; `qsnap history` shows how to continue {}", steps.id())))
    };
    if let Some(finding) = fresh.blocked().first() {
        return stale(format!("{}: {}", finding.check, finding.message));
    }
    if fresh.risk == Risk::Destroys && shown.risk != Risk::Destroys {
        return stale("it would overwrite now what was free when this was planned".to_owned());
    }
    match repeat {
        Repeat::Restore(restore) => restore.go(services, &fresh, earlier, steps).await,
        Repeat::Copy(copy) => copy.go(services, &fresh, earlier, steps).await,
    }
}

async fn bring_old_back(
    services: &Services,
    plan: &Plan,
    past: &Past,
    target: Option<&CollectionAddress>,
    steps: &mut Steps<'_>,
) -> Result<Report, Problem> {
    let nothing = || Problem::new(ProblemKind::Failed, "there is no safety snapshot", &past.target);
    let (Some(address), Some(safety)) = (target, safety_of(services, past).await?) else { return Err(nothing()) };
    let connection = services.connection(&address.instance).await?;
    let node = placement::holder(&connection, address).await;
    let destination = Destination { connection, node, address: address.clone() };
    let rolled = roll_back(services, steps, &destination, Some(&safety)).await.ok_or_else(nothing)?;
    let RolledBack { verdict, unrecorded, refused } = rolled;
    if let Some(problem) = refused {
        let advice = format!("nothing was restored, the safety snapshot is kept; {}", problem.advice);
        return Err(problem.advise(advice));
    }
    // Of what was restored and never recorded nothing more can be known; all else that is not proven stays open.
    let rollback = Some(verdict.clone()).filter(|verdict| !matches!(verdict, Verdict::Matches(_)) && !unrecorded);
    let created = vec![safety.shown(address)];
    Ok(Report { verdict: Some(verdict), rollback, created, mode: Some(Mode::InPlace.word()), ..plan.report() })
}

/// A server goes on with what a killed process had begun.
async fn wait(
    services: &Services,
    past: &Past,
    target: Option<&CollectionAddress>,
    steps: &mut Steps<'_>,
) -> Result<(), Problem> {
    let made = past.leftovers().into_iter().filter(|thing| matches!(thing.kind, Made::Scratch | Made::Collection));
    let mut addresses: Vec<CollectionAddress> = made.filter_map(|thing| CollectionAddress::parse(&thing.thing).ok()).collect();
    addresses.extend(target.cloned());
    // A snapshot of the source may still be being taken, too.
    let taking = past.taking.as_ref().and_then(|taking| CollectionAddress::parse(&taking.collection).ok());
    addresses.extend(taking.filter(|taking| !addresses.contains(taking)));
    let job = steps.job;
    let waiting = async {
        for address in &addresses {
            let connection = services.connection(&address.instance).await?;
            // Which node the other process had asked is not known.
            for node in &connection.nodes {
                let idle = await_server::idle(node.as_ref(), &address.collection, &job.progress).await;
                match idle {
                    Err(error) if is_silence(&error) && connection.nodes.len() > 1 => {}
                    idle => idle.map_err(|error| error.into_problem(address.to_string()))?,
                }
            }
        }
        Ok(())
    };
    steps.run("wait", &past.target, waiting).await
}

/// Removes what was left behind; what is not there any more is no problem.
async fn remove(services: &Services, past: &Past, steps: &mut Steps<'_>) -> Result<(), Problem> {
    let job = steps.job;
    // The newest first: an upload goes before the collection that it lies in.
    for thing in past.leftovers().into_iter().rev() {
        let removal = remove_thing(services, thing);
        job.commit(steps.run("remove", &thing.thing, removal)).await?;
        steps.gone(&thing.thing);
        // Should the next one fail, this must not be removed again: another client may have made it anew.
        services.journal.gone(services.clock.now(), &past.id, &thing.thing)?;
    }
    Ok(())
}

async fn remove_thing(services: &Services, thing: &Thing) -> Result<(), Problem> {
    let wrong = |why: String| Problem::new(ProblemKind::Failed, why, &thing.thing).advise("remove it by hand");
    match (thing.kind, Address::parse(&thing.thing).map_err(wrong)?) {
        (Made::Scratch | Made::Collection | Made::Empty, Address::Collection(address)) => {
            remove_collection(services, thing.kind, &address).await
        }
        (Made::Backup, Address::Backup(address)) => remove_left(services, &address).await,
        (_, Address::Snapshot(address, Which::Named(name))) => {
            services.writable(&address.instance)?;
            let connection = services.connection(&address.instance).await?;
            let scope = scope(&address);
            for node in &connection.nodes {
                match node.delete_snapshot(&scope, &name).await {
                    Err(error) if !error.is_absence() => return Err(error.into_problem(&thing.thing)),
                    _ => {}
                }
            }
            Ok(())
        }
        _ => Err(wrong("its address cannot be read".into())),
    }
}

/// Snapshots go only with what never was anything but scratch: under a name that somebody used before there may be old
/// ones, which are all that is left of it.
async fn remove_collection(services: &Services, kind: Made, address: &CollectionAddress) -> Result<(), Problem> {
    let shown = address.to_string();
    let problem = |error: crate::qdrant::error::ApiError| error.into_problem(&shown);
    let refuse = |words: &str, advice: &str| Err(Problem::new(ProblemKind::Refused, words, &shown).advise(advice));
    services.writable(&address.instance)?;
    let connection = services.connection(&address.instance).await?;
    let node = connection.whole();
    if !node.exists(&address.collection).await.map_err(problem)? {
        return Ok(());
    }
    let aliases = node.aliases().await.map_err(problem)?;
    if aliases.iter().any(|alias| alias.collection == address.collection) {
        return refuse("an alias points at it: somebody uses it", "switch the alias first, or leave the collection as it is");
    }
    if kind == Made::Empty && !node.is_empty(&address.collection).await.map_err(problem)? {
        return refuse("somebody put data into the empty collection", "it is left as it is; it is not qsnap's any more");
    }
    if kind == Made::Scratch && is_scratch(&address.collection) {
        let scope = scope(address);
        for node in &connection.nodes {
            for snapshot in node.snapshots(&scope).await.map_err(problem)? {
                node.delete_snapshot(&scope, &snapshot.name).await.map_err(problem)?;
            }
        }
    }
    node.delete_collection(&address.collection).await.map(drop).map_err(problem)
}
