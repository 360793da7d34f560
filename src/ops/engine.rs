//! From an approved plan to a running job: what runs is the plan that was shown. When the server changed in between, nothing is
//! done. The engine knows no verb: a plan does its own work.

use crate::domain::problem::{Problem, ProblemKind};
use crate::jobs::context::JobContext;
use crate::jobs::manager::JobHandle;
use crate::ops::journal::step_names;
use crate::ops::plan::consent::Approved;
use crate::ops::plan::{Plan, Recording, Risk};
use crate::ops::report::Report;
use crate::ops::request::Request;
use crate::ops::services::Services;
use crate::ops::steps::Steps;
use serde_json::json;
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
    job.progress.plan(plan.steps.iter().map(|step| step.name).filter(|name| *name != step_names::CHOOSE).collect());
    let claims = plan.alone && plan.risk != Risk::Safe;
    let mut steps = match Steps::begin(services, job, &plan.opening(part_of.as_deref()), claims) {
        Err(_) if plan.record == Recording::WherePossible => Steps::unrecorded(services, job),
        steps => steps?,
    };
    let outcome = plan.work.run(services, &plan, &mut steps).await;
    let outcome = steps.close(outcome);
    if plan.tells && part_of.is_none() { tell(services, &plan, outcome).await } else { outcome }
}

/// Tells the webhook of what runs by a timer and did not even begin. Gives the problem, with what came of that.
pub async fn tell_not_begun(services: &Services, request: &Request, problem: Problem) -> Problem {
    let verb = request.verb();
    let Some(webhook) = services.webhook().filter(|_| verb.is_routine()) else { return problem };
    let document = json!({"version": 1, "operation": verb.word(), "command": request.command(), "error": problem});
    match webhook.send(&document).await {
        Ok(()) => problem,
        Err(why) => {
            let advice = format!("{}; {why}", problem.advice);
            problem.advise(advice.trim_start_matches("; "))
        }
    }
}

/// Tells the webhook how it ended. That it was not told changes nothing of that, and is said.
async fn tell(services: &Services, plan: &Plan, outcome: Result<Report, Problem>) -> Result<Report, Problem> {
    let Some(webhook) = services.webhook() else { return outcome };
    let document = match &outcome {
        Ok(report) => json!(report),
        Err(problem) => json!({"version": 1, "operation": plan.operation(), "source": plan.source, "target": plan.target,
            "error": problem}),
    };
    match (webhook.send(&document).await, outcome) {
        (Ok(()), outcome) => outcome,
        (Err(why), Ok(mut report)) => {
            report.notes.push(format!("{why}; {}", why.advice));
            Ok(report)
        }
        (Err(why), Err(problem)) => {
            let advice = format!("{}; {why}", problem.advice);
            Err(problem.advise(advice.trim_start_matches("; ")))
        }
    }
}
