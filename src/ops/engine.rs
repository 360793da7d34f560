//! From an approved plan to a running job: what runs is the plan that was shown. When the server changed in between, nothing is
//! done. The engine knows no verb: a plan does its own work.

use crate::domain::problem::{Problem, ProblemKind};
use crate::jobs::context::JobContext;
use crate::jobs::manager::JobHandle;
use crate::ops::plan::consent::Approved;
use crate::ops::plan::{Recording, Risk};
use crate::ops::report::Report;
use crate::ops::services::Services;
use crate::ops::steps::Steps;
use std::sync::Arc;

/// Starts an approved plan as a job.
pub fn start(services: &Arc<Services>, approved: Approved) -> JobHandle<Report> {
    let (title, needs) = (approved.plan().title.clone(), approved.plan().needs.clone());
    let services = services.clone();
    let jobs = services.jobs.clone();
    jobs.spawn(title, needs, move |job| async move { execute(&services, approved, &job).await })
}

async fn execute(services: &Arc<Services>, approved: Approved, job: &JobContext) -> Result<Report, Problem> {
    let (plan, part_of) = approved.into_parts();
    if let Some((address, _)) = &plan.changes {
        services.writable(&address.instance)?;
    }
    job.progress.phase("checking that nothing changed", None);
    let now = plan.work.again(services).await?;
    let drift = plan.facts.drift(&now.facts);
    if !drift.is_empty() {
        return Err(Problem::new(ProblemKind::PlanStale, format!("the plan is stale: {}", drift.join("; ")), &plan.target)
            .advise("nothing was done; look at the new plan and decide again"));
    }
    if let Some(finding) = now.blocked().first() {
        return Err(Problem::new(ProblemKind::PlanStale, format!("the plan is stale: {}", finding.message), &plan.target)
            .advise(format!("nothing was done; {}", finding.advice)));
    }
    let claims = plan.alone && plan.risk != Risk::Safe;
    let mut steps = match Steps::begin(services, job, &plan.opening(part_of.as_deref()), claims) {
        Err(_) if plan.record == Recording::WherePossible => Steps::unrecorded(services, job),
        steps => steps?,
    };
    let outcome = plan.work.run(services, &plan, &mut steps).await;
    steps.close(outcome)
}
