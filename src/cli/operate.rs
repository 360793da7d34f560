//! Running operations headless: plan, consent, job with progress, report.

use crate::cli::args::{Global, Output};
use crate::cli::exit::ExitStatus;
use crate::cli::printer::{Printer, fail};
use crate::cli::prompt;
use crate::cli::reporter::{Reporter, TICK};
use crate::cli::signals::Signals;
use crate::domain::problem::Problem;
use crate::jobs::manager::JobHandle;
use crate::jobs::row::JobId;
use crate::ops::plan::Plan;
use crate::ops::plan::consent::{Consent, Need};
use crate::ops::report::Report;
use crate::ops::request::Request;
use crate::ops::request::verb::Verb;
use crate::ops::services::Services;
use crate::ops::{engine, verbs};
use serde_json::{Value, json};
use std::sync::Arc;

enum Ended {
    Planned(Box<Plan>),
    Reported(Box<Report>),
    Stopped(u8),
}

/// Runs one or several operations, one after the other; prints one document.
pub async fn operate(
    services: &Arc<Services>,
    global: &Global,
    printer: Printer,
    requests: Vec<Result<Request, Problem>>,
) -> ExitStatus {
    let single = requests.len() == 1;
    let signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(problem) => return fail(printer, &problem),
    };
    let (mut items, mut errors, mut statuses) = (Vec::new(), Vec::new(), Vec::new());
    for request in requests {
        // One that came between two of them, or while one ended: the rest is not begun.
        if let Some(signal) = signals.heard() {
            statuses.push(ExitStatus::Stopped(signal));
            break;
        }
        let outcome = match request {
            Ok(request) => one(services, global, printer, request, signals.clone()).await,
            Err(problem) => Err(problem),
        };
        match outcome {
            Ok(Ended::Stopped(signal)) => {
                statuses.push(ExitStatus::Stopped(signal));
                break;
            }
            Ok(Ended::Planned(plan)) => {
                let blocked = !plan.blocked().is_empty();
                statuses.push(if blocked { ExitStatus::Refused } else { ExitStatus::Done });
                items.push(show_plan(global, printer, &plan));
            }
            Ok(Ended::Reported(report)) => {
                statuses.push(ExitStatus::of_report(&report));
                items.push(show_report(global, printer, &report));
            }
            Err(problem) => {
                statuses.push(ExitStatus::of_problem(problem.kind));
                printer.problem(&problem);
                errors.push(json!(problem));
            }
        }
    }
    if global.output == Output::Json {
        match (single, items.pop()) {
            (true, Some(only)) => printer.json(&only),
            (true, None) => {}
            (false, last) => {
                items.extend(last);
                printer.json(&json!({"version": 1, "items": items, "errors": errors}));
            }
        }
    }
    ExitStatus::of_all(&statuses)
}

fn show_plan(global: &Global, printer: Printer, plan: &Plan) -> Value {
    if global.output == Output::Table {
        printer.text(&prompt::plan_text(plan, global.verbose));
    }
    let needs = match plan.need() {
        _ if !plan.blocked().is_empty() => json!({"blocked": true}),
        Need::Nothing => json!({"blocked": false, "yes": false, "confirm": null}),
        Need::Yes => json!({"blocked": false, "yes": true, "confirm": null}),
        Need::Typed(address) => json!({"blocked": false, "yes": true, "confirm": address}),
    };
    json!({"version": 1, "plan": {"operation": plan.operation(), "source": plan.source, "target": plan.target, "risk": plan.risk,
        "consequence": plan.consequence, "needs": needs, "command": plan.command(), "steps": plan.steps, "findings": plan.findings}})
}

fn show_report(global: &Global, printer: Printer, report: &Report) -> Value {
    // What runs by a timer sends mail when it says something.
    let routine = Verb::of(report.operation).is_some_and(Verb::is_routine);
    let silent = global.quiet && routine && ExitStatus::of_report(report) == ExitStatus::Done;
    if global.output == Output::Table && !silent {
        printer.text(&report.lines().join("\n"));
        if global.verbose {
            for step in &report.steps {
                printer.text(&format!("  {:<16} {:>8.3} s  {}", step.name, step.seconds, step.result));
            }
        }
    }
    json!(report)
}

/// Plans, asks and runs. What failed before it began is told to the webhook here; the rest the engine tells.
async fn one(
    services: &Arc<Services>,
    global: &Global,
    printer: Printer,
    request: Request,
    signals: Signals,
) -> Result<Ended, Problem> {
    let begun = begin(services, global, printer, request.clone(), signals.clone()).await;
    match begun {
        Ok(Begun::Over(ended)) => Ok(ended),
        Ok(Begun::Runs(handle)) => {
            let Watched { result, stopped } = watch(services, global, printer, handle, signals).await;
            match (result, stopped) {
                (Err(problem), Some(signal)) => {
                    printer.problem(&problem);
                    Ok(Ended::Stopped(signal))
                }
                (result, _) => result.map(|report| Ended::Reported(Box::new(report))),
            }
        }
        Err(problem) if !global.dry_run => Err(engine::tell_not_begun(services, &request, problem).await),
        Err(problem) => Err(problem),
    }
}

enum Begun {
    /// There is nothing to wait for.
    Over(Ended),
    Runs(JobHandle<Report>),
}

async fn begin(
    services: &Arc<Services>,
    global: &Global,
    printer: Printer,
    request: Request,
    mut signals: Signals,
) -> Result<Begun, Problem> {
    let plan = tokio::select! {
        plan = verbs::plan(services, request) => plan?,
        signal = signals.next() => return Ok(Begun::Over(Ended::Stopped(signal))),
    };
    if global.dry_run {
        return Ok(Begun::Over(Ended::Planned(Box::new(plan))));
    }
    // Ctrl-C is an answer, too.
    let asking = {
        let (global, plan) = (global.clone(), plan.clone());
        tokio::task::spawn_blocking(move || prompt::consent(printer, &global, &plan))
    };
    let consent = tokio::select! {
        consent = asking => consent.unwrap_or(Consent::None),
        signal = signals.next() => return Ok(Begun::Over(Ended::Stopped(signal))),
    };
    let approved = plan.approve(&consent)?;
    Ok(Begun::Runs(engine::start(services, approved)))
}

/// How a job ended.
pub struct Watched<T> {
    /// Its result.
    pub result: Result<T, Problem>,
    /// The signal that canceled it.
    pub stopped: Option<u8>,
}

/// Waits for a job with its progress on stderr; a signal cancels it.
pub async fn watch<T>(
    services: &Services,
    global: &Global,
    printer: Printer,
    handle: JobHandle<T>,
    mut signals: Signals,
) -> Watched<T> {
    let id = handle.id;
    let mut reporter = Reporter::new(global, printer);
    let mut stopped = None;
    let waiting = handle.wait();
    tokio::pin!(waiting);
    let result = loop {
        tokio::select! {
            result = &mut waiting => break result,
            signal = signals.next() => {
                stopped = Some(signal);
                services.jobs.cancel(id);
            }
            () = tokio::time::sleep(TICK) => show(services, &mut reporter, id),
        }
    };
    reporter.finish();
    Watched { result, stopped }
}

fn show(services: &Services, reporter: &mut Reporter, id: JobId) {
    if let Some(row) = services.jobs.rows().iter().find(|row| row.id == id) {
        reporter.show(row);
    }
}
