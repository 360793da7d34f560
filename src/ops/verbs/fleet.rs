//! Copying several collections, or all of an instance, as one operation: the largest first, some at a time, with one
//! report. Each is a copy of its own, with its own row among the jobs and its own record in the journal, which has what is
//! left to settle; the record of the whole tells how each ended.

use crate::domain::address::CollectionAddress;
use crate::domain::ids::CollectionName;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::size::Unit;
use crate::domain::text::one_line;
use crate::jobs::context::JobContext;
use crate::jobs::manager::JobHandle;
use crate::jobs::row::JobId;
use crate::ops::engine;
use crate::ops::journal::event::Part;
use crate::ops::plan::consent::{Consent, Need};
use crate::ops::plan::facts::Facts;
use crate::ops::plan::finding::{Finding, Level};
use crate::ops::plan::{Plan, Risk, Step, Work};
use crate::ops::report::Report;
use crate::ops::report::verdict::Verdict;
use crate::ops::request::Request;
use crate::ops::request::copy::{CopyRequest, FleetRequest, NameMap};
use crate::ops::services::Services;
use crate::ops::steps::Steps;
use crate::ops::survey::open_operations;
use crate::ops::verbs::copy;
use async_trait::async_trait;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Plans that are computed at the same time.
const PLANNED_AT_ONCE: usize = 4;

/// A plan for each copy.
#[derive(Debug)]
struct Fleet {
    request: FleetRequest,
    plans: Vec<Plan>,
}

/// The plan, computed by reading only.
pub(super) async fn plan(services: &Services, request: FleetRequest) -> Result<Plan, Problem> {
    let named = sources(services, &request).await?;
    let copies = copies(&request, &named)?;
    let planned: Vec<(CopyRequest, Result<Plan, Problem>)> = futures_util::stream::iter(copies)
        .map(|copy| async move { (copy.clone(), copy::plan(services, copy).await) })
        .buffered(PLANNED_AT_ONCE)
        .collect()
        .await;
    let open = open_operations::Open::read(services).await;
    let mut unplanned = Vec::new();
    let (mut plans, mut findings, mut steps, mut facts) = (Vec::new(), Vec::new(), Vec::new(), Facts::default());
    for (copy, result) in planned {
        match result {
            Ok(mut plan) => {
                plan.findings.extend(open.findings(&plan.target));
                steps.push(step_of(&copy, &plan));
                steps.extend(plan.steps.iter().filter(|step| step.name == copy::ALIASES).cloned());
                findings.extend(notable(&plan));
                plans.push(plan);
            }
            Err(problem) => {
                findings.push(Finding::block("source", problem.to_string(), problem.advice.clone()));
                unplanned.push(problem);
            }
        }
    }
    // Nothing can be copied at all: that is no plan with findings.
    if let (true, Some(problem)) = (plans.is_empty(), unplanned.into_iter().next()) {
        return Err(problem);
    }
    let replaced = plans.iter().filter(|plan| plan.risk == Risk::Destroys).count();
    if replaced == 0 {
        findings.insert(0, Finding::good("target", format!("{} names are free on {}", plans.len(), request.to)));
    }
    facts.text("collections", copies_in_words(&plans));
    let protection = services.instance(&request.to)?.protection;
    let first = plans.first().and_then(|plan| plan.changes.clone());
    let address =
        first.map_or_else(|| CollectionAddress::new(request.to.clone(), CollectionName::new("-")), |(address, _)| address);
    Ok(Plan {
        title: format!("copy {} collections: {} → {}", plans.len(), request.from, request.to),
        risk: if replaced > 0 { Risk::Destroys } else { Risk::Changes },
        consequence: consequence(&request, replaced, plans.len()),
        changes: Some((address, protection)),
        source: request.from.to_string(),
        target: request.to.to_string(),
        steps,
        findings,
        facts,
        // Each copy takes what it needs itself, and claims its own target; the whole only waits for them.
        alone: false,
        // Several collections of one instance: that is what must not be confused.
        ask: Some(request.to.to_string()),
        ..Plan::of(Request::Fleet(request.clone()), Fleet { request: request.clone(), plans })
    })
}

/// The collections with their points, the largest first.
async fn sources(services: &Services, request: &FleetRequest) -> Result<Vec<(CollectionName, u64)>, Problem> {
    if request.from == request.to && request.names == NameMap::default() {
        return Err(Problem::new(ProblemKind::Usage, "source and target are the same", request.from.as_str())
            .advise("name another instance, or other names: --prefix, --suffix or --rename"));
    }
    let listing = crate::ops::survey::listing::collections(services, &request.from).await?;
    let known: BTreeMap<CollectionName, u64> =
        listing.items.into_iter().map(|view| (view.address.collection, view.points.unwrap_or(0))).collect();
    let wanted: Vec<CollectionName> =
        if request.collections.is_empty() { known.keys().cloned().collect() } else { request.collections.clone() };
    if let Some(missing) = wanted.iter().find(|name| !known.contains_key(*name)) {
        let on = CollectionAddress::new(request.from.clone(), missing.clone()).to_string();
        return Err(Problem::new(ProblemKind::NotFound, "there is no such collection", on)
            .advise(format!("`qsnap collections {}` lists what there is", request.from)));
    }
    if let Some(missing) = request.names.renames.keys().find(|name| !wanted.iter().any(|wanted| wanted.raw() == name.as_str())) {
        return Err(Problem::new(ProblemKind::Usage, format!("nothing is called {}, to be renamed", one_line(missing, 60)), "")
            .advise("--rename takes OLD=NEW with the name of a collection that is copied"));
    }
    if wanted.is_empty() {
        return Err(Problem::new(ProblemKind::NotFound, "it has no collections", request.from.as_str())
            .advise("`qsnap collections` lists what there is"));
    }
    let mut sized: Vec<(CollectionName, u64)> = wanted.into_iter().map(|name| (name.clone(), known[&name])).collect();
    sized.sort_by_key(|(_, points)| std::cmp::Reverse(*points));
    Ok(sized)
}

fn copies(request: &FleetRequest, named: &[(CollectionName, u64)]) -> Result<Vec<CopyRequest>, Problem> {
    let mut taken: BTreeMap<CollectionName, &CollectionName> = BTreeMap::new();
    let mut copies = Vec::new();
    for (name, _) in named {
        let new = request.names.apply(name);
        if let Some(other) = taken.insert(new.clone(), name) {
            return Err(Problem::new(
                ProblemKind::Usage,
                format!("{other} and {name} would both become {new}"),
                request.to.as_str(),
            )
            .advise("give one of them another name with --rename OLD=NEW"));
        }
        // One copy would read what another one has just replaced.
        if request.from == request.to && named.iter().any(|(source, _)| *source == new) {
            return Err(Problem::new(ProblemKind::Usage, format!("{new} is a source and a target"), request.to.as_str())
                .advise("copy it alone first, or choose other names"));
        }
        let source = CollectionAddress::new(request.from.clone(), name.clone());
        let target = CollectionAddress::new(request.to.clone(), new);
        copies.push(CopyRequest {
            skips: request.skips,
            force: request.force.clone(),
            deep: request.deep,
            aliases: request.aliases,
            ..CopyRequest::new(source, target, request.route)
        });
    }
    Ok(copies)
}

fn step_of(copy: &CopyRequest, plan: &Plan) -> Step {
    let what = if plan.risk == Risk::Destroys { "replaces the existing collection" } else { "a free name" };
    Step::new("copy", format!("{} → {}: {what}", copy.source, copy.target))
}

/// Of each plan what is not as it should be, with the collection it concerns.
fn notable(plan: &Plan) -> Vec<Finding> {
    let routine = ["writers", "url recovery", "protection", "key"];
    let worth =
        |finding: &&Finding| finding.level == Level::Block || (finding.level == Level::Look && !routine.contains(&finding.check));
    let named = |finding: &Finding| Finding { message: format!("{}: {}", plan.target, finding.message), ..finding.clone() };
    plan.findings.iter().filter(worth).map(named).collect()
}

fn consequence(request: &FleetRequest, replaced: usize, all: usize) -> String {
    if replaced == 0 {
        return String::new();
    }
    let mut words = format!("{replaced} of {all} collections on {} are replaced; {} is only read", request.to, request.from);
    if request.skips.safety {
        words.push_str("; NO safety snapshots, as asked: there is no way back");
    }
    if request.skips.proof {
        words.push_str("; NO proof restores, as asked");
    }
    words
}

/// By name: counts are approximate, and so is the order that they give.
fn copies_in_words(plans: &[Plan]) -> String {
    let mut each: Vec<String> = plans.iter().map(|plan| format!("{} ({:?})", plan.target, plan.risk)).collect();
    each.sort();
    each.join(", ")
}

/// Copies one collection after the other. The consent to the whole, which names what it replaces, is the consent to each.
#[async_trait]
impl Work for Fleet {
    async fn again(&self, services: &Services) -> Result<Plan, Problem> {
        plan(services, self.request.clone()).await
    }

    async fn run(&self, services: &Arc<Services>, plan: &Plan, steps: &mut Steps<'_>) -> Result<Report, Problem> {
        let job = steps.job;
        // What it consists of is written down before any of it begins: a kill must not lose what never did.
        let parts: Vec<Part> = self.plans.iter().map(|plan| Part::new(&plan.target, plan.command())).collect();
        steps.consists_of(&parts)?;
        if !job.conduct() {
            // A cancel came first: this task is about to be dropped here.
            std::future::pending::<()>().await;
        }
        let mut running = Vec::new();
        let mut failures = Vec::new();
        for part in self.plans.clone() {
            let consent = match part.need() {
                Need::Typed(address) => Consent::Typed(address),
                _ => Consent::Yes,
            };
            let target = part.target.clone();
            match part.approve(&consent) {
                Ok(approved) => running.push((target, engine::start(services, approved.part_of(steps.id())))),
                Err(problem) => failures.push(problem),
            }
        }
        let heard = AtomicBool::new(false);
        let ids: Vec<JobId> = running.iter().map(|(_, handle)| handle.id).collect();
        let (done, failed) = tokio::select! {
            ended = wait_for_all(steps, running) => ended,
            never = pass_cancel_on(services, job, &ids, &heard) => match never {},
        };
        let (stopped, failed): (Vec<Problem>, Vec<Problem>) =
            failed.into_iter().partition(|problem| problem.kind == ProblemKind::Canceled);
        failures.extend(failed);
        let canceled = stopped.len();
        if !heard.load(Ordering::Relaxed) {
            // One that was canceled by itself is one that was not copied.
            failures.extend(stopped);
            return Ok(together(plan, done, failures));
        }
        let report = together(plan, done, failures);
        let left = if report.left_behind.is_empty() {
            String::new()
        } else {
            format!("; left behind: {}", report.left_behind.join(", "))
        };
        let message = format!(
            "canceled: {canceled} of {} copies; {}{left}",
            ids.len(),
            report.verdict.as_ref().map_or("", Verdict::reason)
        );
        Err(Problem::new(ProblemKind::Canceled, message, &plan.target).advise("`qsnap history` tells how each ended"))
    }
}

/// Whoever cancels the whole cancels its parts; it ends when they have ended.
async fn pass_cancel_on(services: &Services, job: &JobContext, ids: &[JobId], heard: &AtomicBool) -> Infallible {
    job.canceled().await;
    heard.store(true, Ordering::Relaxed);
    job.progress.note("canceling each copy; what a server restores already is waited for");
    ids.iter().for_each(|id| services.jobs.cancel_gently(*id));
    std::future::pending().await
}

/// Waits until every copy is over, however it ends, and writes that down. Gives what they reported, and what failed or was
/// canceled.
async fn wait_for_all(steps: &mut Steps<'_>, running: Vec<(String, JobHandle<Report>)>) -> (Vec<Report>, Vec<Problem>) {
    let (mut done, mut failures) = (Vec::new(), Vec::new());
    let progress = steps.job.progress.clone();
    progress.counting("copying collections", Some(running.len() as u64), Unit::Collections);
    let mut open: FuturesUnordered<_> =
        running.into_iter().map(|(target, handle)| handle.wait().map(|ended| (target, ended))).collect();
    while let Some((target, ended)) = open.next().await {
        let name = format!("copy → {target}");
        match ended {
            Ok(report) => {
                let verdict = report
                    .verdict
                    .as_ref()
                    .map_or_else(|| "done".to_owned(), |verdict| format!("{}: {}", verdict.word(), verdict.reason()));
                steps.ended(&name, verdict, report.seconds);
                done.push(report);
            }
            Err(problem) => {
                steps.ended(&name, problem.to_string(), 0.0);
                failures.push(problem);
            }
        }
        progress.look_through(1);
    }
    (done, failures)
}

fn together(plan: &Plan, parts: Vec<Report>, failures: Vec<Problem>) -> Report {
    let verdict = |part: &&Report, word: &str| part.verdict.as_ref().is_some_and(|verdict| verdict.word() == word);
    let count = |word: &str| parts.iter().filter(|part| verdict(part, word)).count();
    let (good, bad, unknown) = (count("matches"), count("differs"), count("could_not_check"));
    let words = format!("{good} verified, {bad} differ, {unknown} not checked, {} failed", failures.len());
    let verdict = match (bad, unknown + failures.len()) {
        (0, 0) => Verdict::Matches(words),
        (0, _) => Verdict::CouldNotCheck(words),
        _ => Verdict::Differs(words),
    };
    Report {
        verdict: Some(verdict),
        bytes: parts.iter().map(|part| part.bytes).sum(),
        left_behind: parts.iter().flat_map(|part| part.left_behind.iter().cloned()).collect(),
        created: parts.iter().flat_map(|part| part.created.iter().cloned()).collect(),
        parts,
        failures,
        ..plan.report()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::InstanceName;
    use crate::ops::request::copy::NameMap;
    use crate::ops::request::route::Route;
    use crate::ops::request::skips::Skips;

    fn request(names: NameMap) -> FleetRequest {
        let instance = |name: &str| InstanceName::new(name).unwrap();
        FleetRequest {
            from: instance("prod"),
            collections: vec![],
            to: instance("staging"),
            names,
            route: Route::Auto,
            skips: Skips::default(),
            force: vec![],
            deep: false,
            aliases: true,
        }
    }

    #[test]
    fn names_are_mapped_and_never_onto_each_other() {
        let name = |text: &str| (CollectionName::new(text), 1);
        let map = NameMap { prefix: "p-".into(), suffix: String::new(), renames: BTreeMap::from([("x".into(), "p-y".into())]) };
        let named = [name("x"), name("z")];
        let targets: Vec<String> =
            copies(&request(map.clone()), &named).unwrap().iter().map(|copy| copy.target.to_string()).collect();
        assert_eq!(targets, ["staging/p-y", "staging/p-z"]);
        let clash = copies(&request(map), &[name("x"), name("y")]).unwrap_err();
        assert_eq!(clash.kind, ProblemKind::Usage);
        assert!(clash.message.contains("both become p-y"), "{clash}");
    }
}
