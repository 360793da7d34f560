//! What would happen, computed by reading only and shown word for word before anything happens; and the work that an approved
//! plan does. [`finding`] has what the gates found, [`facts`] what must not change meanwhile, [`consent`] the one door from a
//! plan to its execution. No verb is known here.

pub mod consent;
pub mod facts;
pub mod finding;

use crate::domain::address::CollectionAddress;
use crate::domain::instance::Protection;
use crate::domain::problem::Problem;
use crate::jobs::limits::Resource;
use crate::ops::journal::record::Opening;
use crate::ops::plan::facts::Facts;
use crate::ops::plan::finding::{Finding, Level};
use crate::ops::report::Report;
use crate::ops::request::Request;
use crate::ops::services::Services;
use crate::ops::steps::Steps;
use async_trait::async_trait;
use serde::Serialize;
use serde_json::Value;
use std::fmt::Debug;
use std::sync::Arc;

/// What a plan does once it is approved.
#[async_trait]
pub(in crate::ops) trait Work: Debug + Send + Sync {
    /// Plans the same once more, to see whether the plan is stale.
    async fn again(&self, services: &Services) -> Result<Plan, Problem>;

    /// Carries the plan out.
    async fn run(&self, services: &Arc<Services>, plan: &Plan, steps: &mut Steps<'_>) -> Result<Report, Problem>;
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

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Short name, as in the journal.
    pub name: &'static str,
    /// In words.
    pub text: String,
}

impl Step {
    /// A step by its name, with what it does.
    pub fn new(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, text: crate::domain::text::sanitise(&text.into()) }
    }
}

/// Whether an operation may run without a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recording {
    /// Never: what changes something must be found again after a kill.
    Always,
    /// It only reads: that must be possible where nothing can be written.
    WherePossible,
}

/// What would happen, computed by reading only. Shown to the user word for word.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What was asked for, with what planning decided.
    pub request: Request,
    /// One line: verb, from, to.
    pub title: String,
    /// What can be lost.
    pub risk: Risk,
    /// What is lost and what is not touched, in plain words; empty when nothing is.
    pub consequence: String,
    /// The collection that changes, and how its instance is protected; `None` when only local files do.
    pub changes: Option<(CollectionAddress, Protection)>,
    /// What is typed to agree, where that is not the address of the collection that changes.
    pub ask: Option<String>,
    /// It adds a recovery point and changes no data: a yes is enough on a protected instance, too.
    pub only_saves: bool,
    /// Source, for the report.
    pub source: String,
    /// Target, for the report.
    pub target: String,
    /// What happens, in order.
    pub steps: Vec<Step>,
    /// Gates.
    pub findings: Vec<Finding>,
    pub(in crate::ops) facts: Facts,
    pub(in crate::ops) needs: Vec<Resource>,
    /// It claims its target for itself; a whole leaves that to its parts.
    pub(in crate::ops) alone: bool,
    pub(in crate::ops) record: Recording,
    /// It decides about an operation that is open, which is then no news.
    pub(in crate::ops) settles: bool,
    /// How it ends is told to the webhook.
    pub(in crate::ops) tells: bool,
    /// What the record keeps of the request, for operations that can be taken up again.
    pub(in crate::ops) resume: Value,
    pub(in crate::ops) work: Arc<dyn Work>,
}

impl Plan {
    /// A plan that changes nothing yet; the verb fills in the rest.
    pub(in crate::ops) fn of(request: Request, work: impl Work + 'static) -> Self {
        Self {
            request,
            title: String::new(),
            risk: Risk::Safe,
            consequence: String::new(),
            changes: None,
            ask: None,
            only_saves: false,
            source: String::new(),
            target: String::new(),
            steps: Vec::new(),
            findings: Vec::new(),
            facts: Facts::default(),
            needs: Vec::new(),
            alone: true,
            record: Recording::Always,
            settles: false,
            tells: false,
            resume: Value::Null,
            work: Arc::new(work),
        }
    }

    /// The verb, such as `restore`.
    pub fn operation(&self) -> &'static str {
        self.request.verb().word()
    }

    /// The same on the command line, with the consent that it needs.
    pub fn command(&self) -> String {
        match self.request {
            // Not qsnap's own: it knows no such flags.
            Request::Discard(_) => self.request.command(),
            _ => self.request.command() + &self.need().flags(),
        }
    }

    /// How the record of its execution begins.
    pub(in crate::ops) fn opening(&self, part_of: Option<&str>) -> Opening {
        Opening {
            operation: self.operation(),
            source: self.source.clone(),
            target: self.target.clone(),
            command: self.command(),
            request: self.resume.clone(),
            part_of: part_of.map(str::to_owned),
        }
    }

    /// The report of an operation that did what the plan says; the rest is filled in.
    pub(in crate::ops) fn report(&self) -> Report {
        Report::new(self.operation(), &self.source, &self.target)
    }

    /// The number of points may have changed by then: the consent covers that.
    pub fn whatever_is_written(&mut self) {
        self.facts.any_points();
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
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ops::request::snapshots::DeleteRequest;

    #[derive(Debug)]
    struct Nothing;

    #[async_trait]
    impl Work for Nothing {
        async fn again(&self, _: &Services) -> Result<Plan, Problem> {
            Ok(plan_of(Risk::Safe, None))
        }

        async fn run(&self, _: &Arc<Services>, plan: &Plan, _: &mut Steps<'_>) -> Result<Report, Problem> {
            Ok(plan.report())
        }
    }

    pub(crate) fn plan_of(risk: Risk, protection: Option<Protection>) -> Plan {
        let address = CollectionAddress::parse("staging/products").unwrap();
        let request = Request::Delete(DeleteRequest { of: address.clone().into(), names: vec![] });
        Plan {
            title: "delete".into(),
            risk,
            changes: protection.map(|protection| (address, protection)),
            target: "staging/products".into(),
            ..Plan::of(request, Nothing)
        }
    }
}
