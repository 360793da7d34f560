//! Settling an operation that did not end well: go on with it, bring the old data back, or remove what it left.

use crate::domain::address::{Address, CollectionAddress, Which};
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::snapshot::SnapshotScope;
use crate::domain::time;
use crate::jobs::limits::Resource;
use crate::ops::deliver::Destination;
use crate::ops::flow::{self, Facts, Finding, Level, Plan, Risk, Spec, Step};
use crate::ops::follow;
use crate::ops::history::{Past, PastSpec, State, Thing};
use crate::ops::journal::Made;
use crate::ops::overwrite::{Safety, roll_back};
use crate::ops::report::{Report, Verdict};
use crate::ops::resolve::locate;
use crate::ops::services::Services;
use crate::ops::steps::Steps;
use crate::ops::{copy, restore};
use crate::qdrant::error::ApiErrorKind;

/// How.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Do what was meant.
    Continue,
    /// Bring back what was there before.
    RollBack,
    /// Remove what was left behind.
    CleanUp,
}

impl Way {
    /// The word on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Continue => "continue",
            Self::RollBack => "roll-back",
            Self::CleanUp => "clean-up",
        }
    }

    fn past(self) -> &'static str {
        match self {
            Self::Continue => "continued",
            Self::RollBack => "rolled back",
            Self::CleanUp => "cleaned up",
        }
    }
}

/// What to settle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettleSpec {
    /// The operation's id in the journal.
    pub id: String,
    /// How.
    pub way: Way,
}

/// What planning found.
#[derive(Debug, Clone)]
pub(in crate::ops) struct Resolved {
    past: Past,
    /// The plan that goes on with it.
    again: Option<Box<Plan>>,
    target: Option<CollectionAddress>,
}

/// Ways that make sense for an operation, the safest first.
pub fn ways(past: &Past) -> Vec<Way> {
    let mut ways = Vec::new();
    if past.is_between() && past.safety().is_some() {
        ways.push(Way::RollBack);
    }
    if past.spec.is_some() && !past.is_done() {
        ways.push(Way::Continue);
    }
    if !past.is_between() {
        ways.push(Way::CleanUp);
    }
    ways
}

/// Reads what is needed.
pub async fn plan(services: &Services, spec: SettleSpec) -> Result<Plan, Problem> {
    let past = services.journal.find(&spec.id)?;
    let spec = SettleSpec { id: past.id.clone(), way: spec.way };
    let on = format!("{} of {}", past.operation, past.target);
    let refuse = |words: &str, advice: &str| Err(Problem::new(ProblemKind::Refused, words, &on).advise(advice));
    if past.state == State::Running {
        return refuse("a process works on it now", "wait for it, or cancel it there");
    }
    if let Some(how) = &past.settled {
        return refuse(&format!("it is settled already: {how}"), "there is nothing left to decide");
    }
    let target = CollectionAddress::parse(&past.target).ok();
    let mut findings = vec![done_so_far(&past)];
    findings.extend(past.leftovers().into_iter().map(|thing| {
        Finding::look(
            "left behind",
            format!("{} {}", thing.kind.words(), thing.thing),
            "it is removed, unless it is needed for this",
        )
    }));
    let again = match spec.way {
        Way::Continue => Some(again(services, &past, &mut findings).await?),
        Way::RollBack => {
            roll_back_findings(services, &past, &mut findings).await;
            None
        }
        Way::CleanUp => {
            findings.extend(clean_up_finding(&past));
            None
        }
    };
    let risk = match spec.way {
        Way::CleanUp if !past.leftovers().iter().any(|thing| thing.kind == Made::Collection) => Risk::Changes,
        Way::Continue => again.as_ref().map_or(Risk::Destroys, |plan| plan.risk),
        _ => Risk::Destroys,
    };
    let protection = match &target {
        Some(address) => services.instance(&address.instance)?.protection,
        None => crate::domain::instance::Protection::Open,
    };
    let mut facts = Facts::default();
    facts.text("state of the operation", past.outcome());
    let (command, typed) = (format!("qsnap history {} {}", spec.way.word(), spec.id), risk == Risk::Destroys);
    let consent = if typed { format!(" --yes --confirm '{}'", past.target) } else { " --yes".to_owned() };
    Ok(Plan {
        operation: spec.way.word(),
        title: format!("{}: {on}", spec.way.word()),
        risk,
        consequence: consequence(spec.way, &past, again.as_deref()),
        changes: target.clone().map(|address| (address, protection)),
        source: format!("{} ({})", past.id, past.operation),
        target: past.target.clone(),
        steps: steps_of(spec.way, &past, again.as_deref()),
        findings,
        command: format!("{command}{consent}"),
        facts,
        needs: again.as_ref().map_or_else(|| vec![Resource::Exclusive(past.target.clone())], |plan| plan.needs.clone()),
        resolved: flow::Resolved::Settle(Box::new(Resolved { past, again, target })),
        spec: Spec::Settle(spec),
    })
}

fn done_so_far(past: &Past) -> Finding {
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
    if past.is_between() {
        Finding::look("state", message, format!("{} may be neither what it was nor what it should be", past.target))
    } else {
        Finding::look("state", message, "no live data was overwritten, or what was written is proven")
    }
}

fn consequence(way: Way, past: &Past, again: Option<&Plan>) -> String {
    match way {
        Way::Continue => again.map_or_else(String::new, |plan| plan.consequence.clone()),
        Way::RollBack => {
            let safety = past.safety().map_or("the safety snapshot", |thing| thing.thing.as_str());
            format!("what is in {} now is replaced by {safety}", past.target)
        }
        Way::CleanUp => match past.leftovers().iter().find(|thing| thing.kind == Made::Collection) {
            Some(thing) => format!("{}, which the failed restore made, is deleted", thing.thing),
            None => String::new(),
        },
    }
}

fn steps_of(way: Way, past: &Past, again: Option<&Plan>) -> Vec<Step> {
    let mut steps = vec![Step::new("wait", "until the server does nothing any more with these collections")];
    match way {
        Way::Continue => {
            steps.extend(removals(past));
            steps.extend(again.map(|plan| plan.steps.clone()).unwrap_or_default());
            if past.safety().is_some() {
                // What is there now may be half of it: the snapshot taken then is the way back.
                steps.retain(|step| step.name != "safety snapshot");
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
async fn again(services: &Services, past: &Past, findings: &mut Vec<Finding>) -> Result<Box<Plan>, Problem> {
    let Some(spec) = &past.spec else {
        return Err(Problem::new(ProblemKind::Refused, "it cannot be continued", &past.id)
            .advise(format!("`qsnap history clean-up {}` removes what it left; then start it anew", past.id)));
    };
    let plan = match spec {
        PastSpec::Restore(spec) => restore::plan(services, spec.clone()).await?,
        PastSpec::Copy(spec) => copy::plan(services, spec.clone()).await?,
    };
    let own = past.leftovers().iter().any(|thing| thing.kind == Made::Collection && thing.thing == past.target);
    // What it made itself is in its own way, and is removed first.
    findings.extend(
        plan.findings.iter().filter(|finding| !(own && finding.check == "target" && finding.level == Level::Block)).cloned(),
    );
    Ok(Box::new(plan))
}

async fn roll_back_findings(services: &Services, past: &Past, findings: &mut Vec<Finding>) {
    if !past.is_between() {
        findings.push(Finding::block(
            "roll back",
            format!("{} was not overwritten, or the result is proven: there is nothing to bring back", past.target),
            format!("`qsnap history clean-up {}` removes what it left", past.id),
        ));
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

fn clean_up_finding(past: &Past) -> Option<Finding> {
    past.is_between().then(|| {
        Finding::block(
            "state",
            format!("{} may be half overwritten: that comes first", past.target),
            format!("`qsnap history roll-back {}` brings the old data back, `continue` goes on", past.id),
        )
    })
}

/// The safety snapshot that the operation left, as it is listed now.
async fn safety_of(services: &Services, past: &Past) -> Result<Option<Safety>, Problem> {
    let Some(thing) = past.safety() else { return Ok(None) };
    let Ok(Address::Snapshot(address, which @ Which::Named(_))) = Address::parse(&thing.thing) else { return Ok(None) };
    let connection = services.connection(&address.instance).await?;
    let located = locate(&connection, &address, &which).await?;
    let proof = services.proofs.load(located.snapshot.sha256.as_deref());
    Ok(Some(Safety { snapshot: located.snapshot, proof }))
}

/// Does it.
pub(in crate::ops) async fn execute(
    services: &Services,
    plan: &Plan,
    resolved: Resolved,
    steps: &mut Steps<'_>,
) -> Result<Report, Problem> {
    let Spec::Settle(spec) = &plan.spec else {
        return Err(Problem::new(ProblemKind::Failed, "the plan settles nothing", ""));
    };
    let Resolved { past, again, target } = resolved;
    wait(services, &past, target.as_ref(), steps).await?;
    let report = match (spec.way, again) {
        (Way::Continue, Some(again)) => {
            let safety = safety_of(services, &past).await?;
            remove(services, &past, steps).await?;
            let done = go_on(services, &again, safety, steps).await?;
            Report { operation: plan.operation, source: plan.source.clone(), ..done }
        }
        (Way::RollBack, _) => {
            let report = bring_old_back(services, plan, &past, target.as_ref(), steps).await?;
            if matches!(report.verdict, Some(Verdict::Differs(_))) {
                return Ok(report);
            }
            remove(services, &past, steps).await?;
            report
        }
        _ => {
            remove(services, &past, steps).await?;
            Report::of(plan)
        }
    };
    if !matches!(report.verdict, Some(Verdict::Differs(_))) || report.rollback.is_some() {
        services.journal.settle(services.clock.now(), &past.id, spec.way.past(), &steps.id())?;
    }
    Ok(report)
}

async fn go_on(services: &Services, again: &Plan, safety: Option<Safety>, steps: &mut Steps<'_>) -> Result<Report, Problem> {
    match (&again.spec, again.resolved.clone()) {
        (Spec::Restore(spec), flow::Resolved::Restore(resolved)) => {
            restore::run(services, again, spec, *resolved, safety, steps).await
        }
        (Spec::Copy(spec), flow::Resolved::Copy(resolved)) => copy::run(services, again, spec, resolved, safety, steps).await,
        _ => Err(Problem::new(ProblemKind::Failed, "the plan cannot be gone on with", &again.title)),
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
    let destination = Destination { connection, node: 0, address: address.clone() };
    let verdict = roll_back(services, steps, &destination, Some(&safety)).await.ok_or_else(nothing)?;
    Ok(Report { verdict: Some(verdict), mode: Some("in-place"), ..Report::of(plan) })
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
    let job = steps.job;
    let waiting = async {
        for address in &addresses {
            let connection = services.connection(&address.instance).await?;
            let idle = follow::idle(connection.first(), &address.collection, &job.progress).await;
            idle.map_err(|error| error.into_problem(address.to_string()))?;
        }
        Ok(())
    };
    steps.run("wait", &past.target, waiting).await
}

/// Removes what was left behind; what is not there any more is no problem.
async fn remove(services: &Services, past: &Past, steps: &mut Steps<'_>) -> Result<(), Problem> {
    let job = steps.job;
    for thing in past.leftovers() {
        let removal = remove_thing(services, thing);
        job.commit(steps.run("remove", &thing.thing, removal)).await?;
    }
    Ok(())
}

async fn remove_thing(services: &Services, thing: &Thing) -> Result<(), Problem> {
    let wrong = |why: String| Problem::new(ProblemKind::Failed, why, &thing.thing).advise("remove it by hand");
    match (thing.kind, Address::parse(&thing.thing).map_err(wrong)?) {
        (Made::Scratch | Made::Collection, Address::Collection(address)) => {
            let connection = services.connection(&address.instance).await?;
            let node = connection.first();
            let problem = |error: crate::qdrant::error::ApiError| error.into_problem(address.to_string());
            let aliases = node.aliases().await.map_err(problem)?;
            if aliases.iter().any(|alias| alias.collection == address.collection) {
                return Err(Problem::new(ProblemKind::Refused, "an alias points at it: somebody uses it", &thing.thing)
                    .advise("switch the alias first, or leave the collection as it is"));
            }
            let scope = SnapshotScope::Collection(address.collection.clone());
            for snapshot in node.snapshots(&scope).await.unwrap_or_default() {
                let _ = node.delete_snapshot(&scope, &snapshot.name).await;
            }
            node.delete_collection(&address.collection).await.map(drop).map_err(problem)
        }
        (_, Address::Snapshot(address, Which::Named(name))) => {
            let connection = services.connection(&address.instance).await?;
            let scope = SnapshotScope::Collection(address.collection.clone());
            for node in &connection.nodes {
                match node.delete_snapshot(&scope, &name).await {
                    Err(error) if error.kind != ApiErrorKind::NotFound => return Err(error.into_problem(&thing.thing)),
                    _ => {}
                }
            }
            Ok(())
        }
        _ => Err(wrong("its address cannot be read".into())),
    }
}
