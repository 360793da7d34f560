//! Removing what an interrupted download left on disk.

use crate::domain::problem::Problem;
use crate::domain::size;
use crate::jobs::limits::Resource;
use crate::ops::plan::facts::Facts;
use crate::ops::plan::finding::Finding;
use crate::ops::plan::{Plan, Risk, Step, Work};
use crate::ops::report::Report;
use crate::ops::request::Request;
use crate::ops::request::snapshots::DiscardRequest;
use crate::ops::services::Services;
use crate::ops::steps::Steps;
use crate::transfer::part::{self, part_path};
use async_trait::async_trait;
use std::sync::Arc;

/// The unfinished download.
#[derive(Debug)]
struct Discard {
    request: DiscardRequest,
}

/// The plan, computed by reading only.
pub(super) async fn plan(_: &Services, request: DiscardRequest) -> Result<Plan, Problem> {
    let part = part_path(&request.file);
    let shown = crate::domain::text::sanitise(&part.display().to_string());
    let left = part::unfinished(&request.file);
    let done = left.as_ref().map_or(0, |left| left.spans.total());
    let mut findings = vec![match &left {
        Some(left) => Finding::look(
            "file",
            format!("{} of {} are there", size::bytes(done), size::bytes(left.expected.size)),
            "once removed, the download starts from zero",
        ),
        None => Finding::block("file", format!("{shown} is not an unfinished download"), "nothing to discard"),
    }];
    if part::in_use(&request.file) {
        findings.push(Finding::block("in use", "another qsnap is writing it", "wait for it, or cancel it there"));
    }
    let mut facts = Facts::default();
    facts.text("bytes on disk", done);
    Ok(Plan {
        title: format!("discard {shown}"),
        risk: Risk::Changes,
        consequence: format!("what was downloaded so far ({}) is removed from this machine", size::bytes(done)),
        source: shown.clone(),
        target: shown.clone(),
        steps: vec![Step::new("discard", format!("remove {shown} and its state"))],
        findings,
        facts,
        needs: vec![Resource::Exclusive(crate::domain::text::sanitise(&request.file.display().to_string()))],
        ..Plan::of(Request::Discard(request.clone()), Discard { request: request.clone() })
    })
}

#[async_trait]
impl Work for Discard {
    async fn again(&self, services: &Services) -> Result<Plan, Problem> {
        plan(services, self.request.clone()).await
    }

    async fn run(&self, services: &Arc<Services>, plan: &Plan, steps: &mut Steps<'_>) -> Result<Report, Problem> {
        let job = steps.job;
        job.commit(steps.run("discard", &plan.target, async { part::discard(&self.request.file) })).await?;
        services.interrupted.end(&self.request.file);
        Ok(plan.report())
    }
}
