//! Plan → approve → execute → verify.
//!
//! Consent is a type: only [`Plan::approve`] makes an [`Approved`], and only an `Approved` can be
//! started. What runs is the plan that was shown; when the server changed in between, execution stops
//! with *plan is stale*.

use crate::domain::address::CollectionAddress;
use crate::domain::instance::Protection;
use crate::domain::problem::{Problem, ProblemKind};
use crate::jobs::limits::Resource;
use crate::jobs::manager::{JobContext, JobHandle};
use crate::ops::history::Past;
use crate::ops::records::Unreadable;
use crate::ops::report::Report;
use crate::ops::services::Services;
use crate::ops::steps::Steps;
use crate::ops::{compare, comparison, copy, create, delete, discard, download, drop, fleet, restore, revive, settle, switch};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the user asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spec {
    /// Take a snapshot.
    Create(create::CreateSpec),
    /// Download one.
    Download(download::DownloadSpec),
    /// Remove what an interrupted download left.
    Discard(discard::DiscardSpec),
    /// Delete some.
    Delete(delete::DeleteSpec),
    /// Restore from a snapshot or file.
    Restore(restore::RestoreSpec),
    /// Copy a collection to another instance.
    Copy(copy::CopySpec),
    /// Copy several collections.
    Fleet(fleet::FleetSpec),
    /// Point an alias at another collection.
    Switch(switch::SwitchSpec),
    /// Delete a collection.
    Drop(drop::DropSpec),
    /// Bring back a collection that was deleted, from a snapshot that its node still keeps.
    Revive(revive::ReviveSpec),
    /// Continue, roll back or clean up an operation that did not end well.
    Settle(settle::SettleSpec),
    /// Compare two collections.
    Compare(compare::CompareSpec),
}

/// What planning resolved, for execution; the front ends need not know.
#[derive(Debug, Clone)]
pub(in crate::ops) enum Resolved {
    Create(create::Resolved),
    Download(download::Resolved),
    Discard,
    Delete(delete::Resolved),
    Restore(Box<restore::Resolved>),
    Copy(copy::Resolved),
    Fleet(Box<fleet::Resolved>),
    Switch(switch::Resolved),
    Drop,
    Revive(Box<revive::Resolved>),
    Settle(Box<settle::Resolved>),
    Compare,
}

/// What can be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    /// Nothing.
    Safe,
    /// Something is added or replaced that can be had again.
    Changes,
    /// Data or a recovery point is destroyed.
    Destroys,
}

/// Level of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// ✓ as it should be.
    Good,
    /// ! needs a look.
    Look,
    /// ✗ blocks.
    Block,
}

/// One gate's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad.
    pub level: Level,
    /// Which gate.
    pub check: &'static str,
    /// What was found.
    pub message: String,
    /// What to do about it; empty when nothing needs doing.
    pub advice: String,
}

impl Finding {
    /// As it should be.
    pub fn good(check: &'static str, message: impl Into<String>) -> Self {
        Self { level: Level::Good, check, message: message.into(), advice: String::new() }
    }

    /// Needs a look.
    pub fn look(check: &'static str, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { level: Level::Look, check, message: message.into(), advice: advice.into() }
    }

    /// Blocks.
    pub fn block(check: &'static str, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { level: Level::Block, check, message: message.into(), advice: advice.into() }
    }
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Short name, as in the journal.
    pub name: &'static str,
    /// In words.
    pub text: String,
}

impl Step {
    /// Makes one.
    pub fn new(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, text: text.into() }
    }
}

/// State of the server that a plan was computed from, to notice when it changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts(BTreeMap<&'static str, Fact>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Fact {
    Text(String),
    Points(u64),
    /// However many.
    AnyPoints,
}

impl Facts {
    /// A fact that must stay as it is.
    pub fn text(&mut self, name: &'static str, value: impl ToString) {
        self.0.insert(name, Fact::Text(value.to_string()));
    }

    /// A number of points. A live collection never stands still, so that up to 1 % may come or go;
    /// from nothing to something is always a change.
    pub fn points(&mut self, name: &'static str, value: u64) {
        self.0.insert(name, Fact::Points(value));
    }

    /// Points may come and go: what is there is replaced in any case.
    pub fn any_points(&mut self) {
        for fact in self.0.values_mut().filter(|fact| matches!(fact, Fact::Points(_))) {
            *fact = Fact::AnyPoints;
        }
    }

    /// What is different now, in words.
    pub fn drift(&self, now: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        for (name, before) in &self.0 {
            match (before, now.0.get(name)) {
                (Fact::Text(a), Some(Fact::Text(b))) if a == b => {}
                (Fact::Points(a), Some(Fact::Points(b))) if close(*a, *b) => {}
                (Fact::AnyPoints, Some(Fact::Points(_) | Fact::AnyPoints)) => {}
                (Fact::Text(a), Some(Fact::Text(b))) => changes.push(format!("{name}: was {a}, is {b}")),
                (Fact::Points(a), Some(Fact::Points(b))) => changes.push(format!("{name}: was {a}, is {b}")),
                _ => changes.push(format!("{name} cannot be told any more")),
            }
        }
        let new = now.0.keys().filter(|name| !self.0.contains_key(*name));
        changes.extend(new.map(|name| format!("{name} is new")));
        changes
    }
}

fn close(a: u64, b: u64) -> bool {
    (a == 0) == (b == 0) && a.abs_diff(b) <= a.max(b) / 100
}

/// What would happen, computed by reading only. Shown to the user word for word.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What was asked for.
    pub spec: Spec,
    /// The verb, such as `restore`.
    pub operation: &'static str,
    /// One line: verb, from, to.
    pub title: String,
    /// What can be lost.
    pub risk: Risk,
    /// What is lost and what is not touched, in plain words; empty when nothing is.
    pub consequence: String,
    /// The collection that changes, and how its instance is protected; `None` when only local files do.
    pub changes: Option<(CollectionAddress, Protection)>,
    /// Source, for the report.
    pub source: String,
    /// Target, for the report.
    pub target: String,
    /// What happens, in order.
    pub steps: Vec<Step>,
    /// Gates.
    pub findings: Vec<Finding>,
    /// The same on the command line.
    pub command: String,
    pub(in crate::ops) facts: Facts,
    pub(in crate::ops) needs: Vec<Resource>,
    pub(in crate::ops) resolved: Resolved,
}

/// What a plan needs before it may run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// Nothing.
    Nothing,
    /// A yes.
    Yes,
    /// This text, typed.
    Typed(String),
}

/// What the user gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consent {
    /// Nothing.
    None,
    /// A yes: the button, or `--yes`.
    Yes,
    /// A yes, and this typed text. Compared here and not in the dialog.
    Typed(String),
}

/// A plan with consent. Only [`Plan::approve`] makes one.
#[derive(Debug)]
pub struct Approved {
    plan: Plan,
    part_of: Option<String>,
}

impl Plan {
    /// However many points are there by then: whoever consented meant that.
    pub fn whatever_is_written(&mut self) {
        self.facts.any_points();
    }

    /// What consent is needed.
    ///
    /// Destruction always needs the typed address; on a protected instance whatever changes data does.
    /// Taking a snapshot changes no data: a yes is enough there too.
    pub fn need(&self) -> Need {
        let Some((address, protection)) = &self.changes else {
            return if self.risk == Risk::Safe { Need::Nothing } else { Need::Yes };
        };
        let takes_snapshot = matches!(self.spec, Spec::Create(_));
        let name = match &self.spec {
            // Several collections of one instance: that is what must not be confused.
            Spec::Fleet(spec) => spec.to.to_string(),
            // What changes is what the alias means.
            Spec::Switch(spec) => spec.shown(),
            _ => address.to_string(),
        };
        match (self.risk, protection) {
            (Risk::Destroys, _) => Need::Typed(name),
            (_, Protection::Protected) if !takes_snapshot => Need::Typed(name),
            (_, Protection::Protected) | (Risk::Changes, _) => Need::Yes,
            (Risk::Safe, _) => Need::Nothing,
        }
    }

    /// Findings that block.
    pub fn blocked(&self) -> Vec<&Finding> {
        self.findings.iter().filter(|finding| finding.level == Level::Block).collect()
    }

    /// Findings as they are read: those that block or need a look, the worst first; and those that passed.
    pub fn sorted_findings(&self) -> (Vec<&Finding>, Vec<&Finding>) {
        let (passed, mut open): (Vec<&Finding>, Vec<&Finding>) =
            self.findings.iter().partition(|finding| finding.level == Level::Good);
        open.sort_by_key(|finding| std::cmp::Reverse(finding.level));
        (open, passed)
    }

    /// What says that the target has another shape than what is to be put over it.
    pub fn other_shape(&self) -> Option<&Finding> {
        self.blocked().into_iter().find(|finding| ["shape", "sharding"].contains(&finding.check))
    }

    /// The only door to execution.
    pub fn approve(self, consent: &Consent) -> Result<Approved, Problem> {
        let refuse = |message: String| Problem::new(ProblemKind::Refused, message, &self.target);
        if let Some(finding) = self.blocked().first() {
            return Err(refuse(finding.message.clone()).advise(&finding.advice));
        }
        if let Some((address, Protection::ReadOnly)) = &self.changes {
            return Err(refuse(format!("{} is read-only for qsnap", address.instance))
                .advise("change `protection` in the configuration, or leave out --read-only, if this is meant to be changed"));
        }
        match (self.need(), consent) {
            (Need::Nothing, _) | (Need::Yes, Consent::Yes | Consent::Typed(_)) => Ok(Approved { plan: self, part_of: None }),
            (Need::Typed(expected), Consent::Typed(typed)) if *typed == expected => Ok(Approved { plan: self, part_of: None }),
            (Need::Typed(expected), Consent::Typed(_)) => Err(refuse("the typed address is not the one that changes".into())
                .advise(format!("type exactly {expected}, or leave it"))),
            (Need::Typed(expected), _) => Err(refuse(format!("this needs the address typed: {}", self.why_typed()))
                .advise(format!("give --yes --confirm '{expected}', after reading the plan (--dry-run)"))),
            (Need::Yes, Consent::None) => {
                Err(refuse("this needs a yes".into()).advise("give --yes, after reading the plan (--dry-run)"))
            }
        }
    }

    fn why_typed(&self) -> &str {
        if self.consequence.is_empty() { "the instance is protected" } else { &self.consequence }
    }
}

impl Approved {
    /// The plan that was approved.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Makes it a part of an operation that runs, by its id.
    pub(in crate::ops) fn part_of(self, whole: String) -> Self {
        Self { part_of: Some(whole), ..self }
    }
}

/// Computes the plan of an operation, by reading only.
pub async fn plan(services: &Services, spec: Spec) -> Result<Plan, Problem> {
    let settles = matches!(spec, Spec::Settle(_));
    let mut plan = plan_of(services, spec).await?;
    if !settles && plan.risk != Risk::Safe {
        let open = Open::read(services).await;
        plan.findings.extend(open.findings(&plan.target));
    }
    Ok(plan)
}

/// What the journal has open, read once for a plan.
pub(in crate::ops) struct Open {
    operations: Vec<Past>,
    unreadable: Vec<Unreadable>,
}

impl Open {
    /// Reads it, beside the threads that serve the network: there may be many records.
    pub(in crate::ops) async fn read(services: &Services) -> Self {
        let journal = services.journal.clone();
        let read = tokio::task::spawn_blocking(move || Self { operations: journal.open(), unreadable: journal.unreadable() });
        read.await.unwrap_or(Self { operations: Vec::new(), unreadable: Vec::new() })
    }

    /// What of it concerns a target.
    pub(in crate::ops) fn findings(&self, target: &str) -> Vec<Finding> {
        let open = self.operations.iter().filter(|past| past.target == target).map(|past| {
            Finding::look(
                "history",
                format!("a {} of {} ended as `{}` and is still open", past.operation, past.target, past.state.word()),
                format!("`qsnap history show {}` tells what it left, and how to settle it first", past.id),
            )
        });
        let unreadable = self.unreadable.iter().map(|record| {
            Finding::look("history", record.words(), "it may be of an operation on this collection that was never finished")
        });
        open.chain(unreadable).collect()
    }
}

async fn plan_of(services: &Services, spec: Spec) -> Result<Plan, Problem> {
    match spec {
        Spec::Create(spec) => create::plan(services, spec).await,
        Spec::Download(spec) => download::plan(services, spec).await,
        Spec::Discard(spec) => discard::plan(services, spec).await,
        Spec::Delete(spec) => delete::plan(services, spec).await,
        Spec::Restore(spec) => restore::plan(services, spec).await,
        Spec::Copy(spec) => copy::plan(services, spec).await,
        Spec::Fleet(spec) => fleet::plan(services, spec).await,
        Spec::Switch(spec) => switch::plan(services, spec).await,
        Spec::Drop(spec) => drop::plan(services, spec).await,
        Spec::Revive(spec) => revive::plan(services, spec).await,
        Spec::Settle(spec) => settle::plan(services, spec).await,
        Spec::Compare(spec) => comparison::plan(services, spec).await,
    }
}

/// The flags that agree to a plan on the command line; `typed` when the address has to be given.
pub fn consent_flags(typed: bool, address: &dyn std::fmt::Display) -> String {
    if typed { format!(" --yes --confirm '{address}'") } else { " --yes".to_owned() }
}

/// How many checks passed, in words.
pub fn checks_passed(count: usize) -> String {
    if count == 1 { "1 check passed".to_owned() } else { format!("{count} checks passed") }
}

/// Starts an approved plan as a job.
pub fn start(services: &Arc<Services>, approved: Approved) -> JobHandle<Report> {
    let title = approved.plan.title.clone();
    let needs = approved.plan.needs.clone();
    let services = services.clone();
    let jobs = services.jobs.clone();
    jobs.spawn(title, needs, move |job| async move { execute(&services, approved, &job).await })
}

async fn execute(services: &Arc<Services>, approved: Approved, job: &JobContext) -> Result<Report, Problem> {
    let Approved { plan, part_of } = approved;
    if let Some((address, _)) = &plan.changes {
        services.writable(&address.instance)?;
    }
    job.progress.phase("checking that nothing changed", None);
    let now = self::plan(services, plan.spec.clone()).await?;
    let drift = plan.facts.drift(&now.facts);
    if !drift.is_empty() {
        return Err(Problem::new(ProblemKind::PlanStale, format!("the plan is stale: {}", drift.join("; ")), &plan.target)
            .advise("nothing was done; look at the new plan and decide again"));
    }
    if let Some(finding) = now.blocked().first() {
        return Err(Problem::new(ProblemKind::PlanStale, format!("the plan is stale: {}", finding.message), &plan.target)
            .advise(format!("nothing was done; {}", finding.advice)));
    }
    // The parts of a whole ask each for its own target.
    let alone = plan.risk != Risk::Safe && !matches!(plan.resolved, Resolved::Fleet(_));
    let mut steps = match Steps::begin(services, job, &plan, (alone, part_of.as_deref())) {
        Err(_) if matches!(plan.resolved, Resolved::Compare) => Steps::unrecorded(services, job),
        steps => steps?,
    };
    let outcome = carry_out(services, &plan, &mut steps).await;
    steps.close(outcome)
}

async fn carry_out(services: &Arc<Services>, plan: &Plan, steps: &mut Steps<'_>) -> Result<Report, Problem> {
    match plan.resolved.clone() {
        Resolved::Create(resolved) => create::execute(services, plan, resolved, steps).await,
        Resolved::Download(resolved) => download::execute(services, plan, resolved, steps).await,
        Resolved::Discard => discard::execute(services, plan, steps).await,
        Resolved::Delete(resolved) => delete::execute(services, plan, resolved, steps).await,
        Resolved::Restore(resolved) => restore::execute(services, plan, *resolved, steps).await,
        Resolved::Copy(resolved) => copy::execute(services, plan, resolved, steps).await,
        Resolved::Fleet(resolved) => fleet::execute(services, plan, *resolved, steps).await,
        Resolved::Switch(resolved) => switch::execute(services, plan, resolved, steps).await,
        Resolved::Drop => drop::execute(services, plan, steps).await,
        Resolved::Revive(resolved) => revive::execute(services, plan, *resolved, steps).await,
        Resolved::Settle(resolved) => settle::execute(services, plan, *resolved, steps).await,
        Resolved::Compare => comparison::execute(services, plan, steps).await,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::domain::address::CollectionAddress;

    pub(crate) fn plan_of(risk: Risk, protection: Option<Protection>) -> Plan {
        let address = CollectionAddress::parse("staging/products").unwrap();
        let spec = Spec::Delete(delete::DeleteSpec { address: address.clone(), names: vec![] });
        Plan {
            spec,
            operation: "delete",
            title: "delete".into(),
            risk,
            consequence: String::new(),
            changes: protection.map(|protection| (address, protection)),
            source: String::new(),
            target: "staging/products".into(),
            steps: vec![],
            findings: vec![],
            command: String::new(),
            facts: Facts::default(),
            needs: vec![],
            resolved: Resolved::Delete(delete::Resolved { located: vec![] }),
        }
    }

    #[test]
    fn destruction_needs_the_exact_typed_address() {
        for protection in [Protection::Open, Protection::Protected] {
            let approve = |consent| plan_of(Risk::Destroys, Some(protection)).approve(&consent);
            assert!(approve(Consent::None).is_err());
            assert!(approve(Consent::Yes).is_err());
            for typed in ["products", "staging/products ", "Staging/products", ""] {
                assert_eq!(approve(Consent::Typed(typed.into())).unwrap_err().kind, ProblemKind::Refused, "{typed:?}");
            }
            assert!(approve(Consent::Typed("staging/products".into())).is_ok());
        }
    }

    #[test]
    fn protected_instances_raise_the_bar_and_read_only_ones_close_the_door() {
        assert_eq!(plan_of(Risk::Changes, Some(Protection::Open)).need(), Need::Yes);
        assert_eq!(plan_of(Risk::Changes, Some(Protection::Protected)).need(), Need::Typed("staging/products".into()));
        assert_eq!(plan_of(Risk::Safe, None).need(), Need::Nothing);
        let typed = Consent::Typed("staging/products".into());
        for risk in [Risk::Safe, Risk::Changes, Risk::Destroys] {
            assert!(plan_of(risk, Some(Protection::ReadOnly)).approve(&typed).is_err());
        }
    }

    #[test]
    fn a_blocked_plan_cannot_be_approved() {
        let mut plan = plan_of(Risk::Safe, None);
        plan.findings.push(Finding::block("version", "too old", "upgrade"));
        let problem = plan.approve(&Consent::Yes).unwrap_err();
        assert_eq!((problem.message.as_str(), problem.advice.as_str()), ("too old", "upgrade"));
    }

    #[test]
    fn facts_tolerate_a_living_collection_only() {
        let facts = |exists: &str, points: u64| {
            let mut facts = Facts::default();
            facts.text("target exists", exists);
            facts.points("target points", points);
            facts
        };
        assert!(facts("yes", 10_000).drift(&facts("yes", 10_050)).is_empty());
        assert_eq!(facts("yes", 10_000).drift(&facts("yes", 11_000)), ["target points: was 10000, is 11000"]);
        assert_eq!(facts("yes", 0).drift(&facts("yes", 1)).len(), 1);
        assert_eq!(facts("no", 0).drift(&facts("yes", 0)), ["target exists: was no, is yes"]);
        assert_eq!(facts("no", 0).drift(&Facts::default()).len(), 2);
    }
}
