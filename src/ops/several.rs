//! Several plans as one operation: each is a job of its own with its own record, which has what is left to settle; the record of
//! the whole tells how each ended. What they do is not known here.

pub(in crate::ops) mod planning;

use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::size::Unit;
use crate::jobs::context::JobContext;
use crate::jobs::manager::JobHandle;
use crate::jobs::row::JobId;
use crate::ops::engine;
use crate::ops::journal::event::Part;
use crate::ops::plan::Plan;
use crate::ops::plan::consent::{Consent, Need};
use crate::ops::report::Report;
use crate::ops::report::verdict::Verdict;
use crate::ops::services::Services;
use crate::ops::steps::Steps;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What came of all parts.
pub(in crate::ops) struct Ended {
    /// What those report that came to an end.
    pub done: Vec<Report>,
    /// Why the others failed.
    pub failures: Vec<Problem>,
    /// How many of how many were canceled with the whole; `None` when the whole was not.
    pub canceled: Option<(usize, usize)>,
}

/// Runs all plans, as many at once as the limits of the instances allow. The consent to the whole, which names what it replaces,
/// is the consent to each. `verb` is the word in steps: `copy → b/x`.
///
/// # Errors
/// When the journal cannot be written: then nothing is begun.
pub(in crate::ops) async fn run_all(
    services: &Arc<Services>,
    steps: &mut Steps<'_>,
    plans: Vec<Plan>,
    (verb, counted): (&str, &str),
) -> Result<Ended, Problem> {
    let job = steps.job;
    // What it consists of is written down before any of it begins: a kill must not lose what never did.
    let parts: Vec<Part> = plans.iter().map(|plan| Part::new(&plan.target, plan.command())).collect();
    steps.consists_of(&parts)?;
    if !job.conduct() {
        // A cancel came first: this task is about to be dropped here.
        std::future::pending::<()>().await;
    }
    let mut running = Vec::new();
    let mut failures = Vec::new();
    for part in plans {
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
        ended = wait_for_all(steps, running, verb, counted) => ended,
        never = pass_cancel_on(services, job, &ids, &heard) => match never {},
    };
    let (stopped, failed): (Vec<Problem>, Vec<Problem>) =
        failed.into_iter().partition(|problem| problem.kind == ProblemKind::Canceled);
    failures.extend(failed);
    let canceled = heard.load(Ordering::Relaxed).then_some((stopped.len(), ids.len()));
    if canceled.is_none() {
        // One that was canceled by itself is one that was not done.
        failures.extend(stopped);
    }
    Ok(Ended { done, failures, canceled })
}

/// A cancel of the whole cancels its parts; it ends when they have ended.
async fn pass_cancel_on(services: &Services, job: &JobContext, ids: &[JobId], heard: &AtomicBool) -> Infallible {
    job.canceled().await;
    heard.store(true, Ordering::Relaxed);
    job.progress.note("canceling each part; what a server does already is waited for");
    ids.iter().for_each(|id| services.jobs.cancel_gently(*id));
    std::future::pending().await
}

/// Waits until every part is over, however it ends, and writes that down. Gives what they reported, and what failed or was
/// canceled.
async fn wait_for_all(
    steps: &mut Steps<'_>,
    running: Vec<(String, JobHandle<Report>)>,
    verb: &str,
    counted: &str,
) -> (Vec<Report>, Vec<Problem>) {
    let (mut done, mut failures) = (Vec::new(), Vec::new());
    let progress = steps.job.progress.clone();
    progress.counting(counted, Some(running.len() as u64), Unit::Collections);
    let mut open: FuturesUnordered<_> =
        running.into_iter().map(|(target, handle)| handle.wait().map(|ended| (target, ended))).collect();
    while let Some((target, ended)) = open.next().await {
        let name = format!("{verb} → {target}");
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

/// What the verdicts of all parts amount to.
pub(in crate::ops) fn verdict(parts: &[Report], failures: &[Problem]) -> Verdict {
    let verdict = |part: &&Report, word: &str| part.verdict.as_ref().is_some_and(|verdict| verdict.word() == word);
    let count = |word: &str| parts.iter().filter(|part| verdict(part, word)).count();
    let (good, bad, unknown) = (count("matches"), count("differs"), count("could_not_check"));
    let words = format!("{good} verified, {bad} differ, {unknown} not checked, {} failed", failures.len());
    match (bad, unknown + failures.len()) {
        (0, 0) => Verdict::Matches(words),
        (0, _) => Verdict::CouldNotCheck(words),
        _ => Verdict::Differs(words),
    }
}

/// The parts of a report in one.
pub(in crate::ops) fn together(plan: &Plan, verdict: Option<Verdict>, parts: Vec<Report>, failures: Vec<Problem>) -> Report {
    Report {
        verdict,
        bytes: parts.iter().map(|part| part.bytes).sum(),
        left_behind: parts.iter().flat_map(|part| part.left_behind.iter().cloned()).collect(),
        created: parts.iter().flat_map(|part| part.created.iter().cloned()).collect(),
        parts,
        failures,
        ..plan.report()
    }
}

/// What is said when the whole was canceled.
pub(in crate::ops) fn canceled(plan: &Plan, report: &Report, (canceled, all): (usize, usize), what: &str) -> Problem {
    let left =
        if report.left_behind.is_empty() { String::new() } else { format!("; left behind: {}", report.left_behind.join(", ")) };
    let message = format!("canceled: {canceled} of {all} {what}; {}{left}", report.verdict.as_ref().map_or("", Verdict::reason));
    Problem::new(ProblemKind::Canceled, message, &plan.target).advise("`qsnap history` tells how each ended")
}
