//! Removing what an interrupted download left on disk.

use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::size;
use crate::jobs::limits::Resource;
use crate::ops::download::quoted;
use crate::ops::flow::{self, Facts, Finding, Plan, Risk, Spec, Step};
use crate::ops::report::Report;
use crate::ops::services::Services;
use crate::ops::steps::Steps;
use crate::transfer::part::{self, part_path, state_path};
use std::path::PathBuf;

/// What to discard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiscardSpec {
    /// The file that the download would have become; its `.part` is removed.
    pub file: PathBuf,
}

/// Reads what is needed.
pub async fn plan(_: &Services, spec: DiscardSpec) -> Result<Plan, Problem> {
    let part = part_path(&spec.file);
    let shown = crate::domain::text::sanitise(&part.display().to_string());
    let left = part::unfinished(&spec.file);
    let done = left.as_ref().map_or(0, |left| left.spans.total());
    let mut findings = vec![match &left {
        Some(left) => Finding::look(
            "file",
            format!("{} of {} are there", size::bytes(done), size::bytes(left.expected.size)),
            "once removed, the download starts from zero",
        ),
        None => Finding::block("file", format!("{shown} is not an unfinished download"), "nothing to discard"),
    }];
    if part::in_use(&spec.file) {
        findings.push(Finding::block("in use", "another qsnap is writing it", "wait for it, or cancel it there"));
    }
    let state = state_path(&spec.file);
    let mut facts = Facts::default();
    facts.text("bytes on disk", done);
    Ok(Plan {
        operation: "discard",
        title: format!("discard {shown}"),
        risk: Risk::Changes,
        consequence: format!("what was downloaded so far ({}) is removed from this machine", size::bytes(done)),
        changes: None,
        source: shown.clone(),
        target: shown.clone(),
        steps: vec![Step::new("discard", format!("remove {shown} and its state"))],
        findings,
        command: format!("rm {} {}", quoted(&part.display().to_string()), quoted(&state.display().to_string())),
        facts,
        needs: vec![Resource::Exclusive(crate::domain::text::sanitise(&spec.file.display().to_string()))],
        resolved: flow::Resolved::Discard,
        spec: Spec::Discard(spec),
    })
}

/// Removes the unfinished download.
pub(in crate::ops) async fn execute(services: &Services, plan: &Plan, steps: &mut Steps<'_>) -> Result<Report, Problem> {
    let Spec::Discard(spec) = &plan.spec else {
        return Err(Problem::new(ProblemKind::Failed, "the plan is not a discard", ""));
    };
    let job = steps.job;
    job.commit(steps.run("discard", &plan.target, async { part::discard(&spec.file) })).await?;
    services.interrupted.end(&spec.file);
    Ok(Report::of(plan))
}
