//! Running operations headless: plan, consent, job with progress, report.

use crate::cli::args::{Global, Output};
use crate::cli::exit::ExitStatus;
use crate::cli::printer::Printer;
use crate::cli::prompt;
use crate::cli::reporter::{Reporter, TICK};
use crate::domain::problem::Problem;
use crate::jobs::manager::{JobHandle, JobId};
use crate::ops::flow::{self, Need, Plan, Spec};
use crate::ops::report::Report;
use crate::ops::services::Services;
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
    specs: Vec<Result<Spec, Problem>>,
) -> ExitStatus {
    let single = specs.len() == 1;
    let (mut items, mut errors, mut statuses) = (Vec::new(), Vec::new(), Vec::new());
    for spec in specs {
        let outcome = match spec {
            Ok(spec) => one(services, global, printer, spec).await,
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
    json!({"version": 1, "plan": {"operation": plan.operation, "source": plan.source, "target": plan.target, "risk": plan.risk,
        "consequence": plan.consequence, "needs": needs, "command": plan.command, "steps": plan.steps, "findings": plan.findings}})
}

fn show_report(global: &Global, printer: Printer, report: &Report) -> Value {
    if global.output == Output::Table {
        printer.text(&report.lines().join("\n"));
        if global.verbose {
            for step in &report.steps {
                printer.text(&format!("  {:<16} {:>8.3} s  {}", step.name, step.seconds, step.result));
            }
        }
    }
    json!(report)
}

async fn one(services: &Arc<Services>, global: &Global, printer: Printer, spec: Spec) -> Result<Ended, Problem> {
    let plan = flow::plan(services, spec).await?;
    if global.dry_run {
        return Ok(Ended::Planned(Box::new(plan)));
    }
    let consent = prompt::consent(printer, global, &plan);
    let approved = plan.approve(&consent)?;
    let handle = flow::start(services, approved);
    let Watched { result, stopped } = watch(services, global, printer, handle).await?;
    match (result, stopped) {
        (Err(problem), Some(signal)) => {
            printer.problem(&problem);
            Ok(Ended::Stopped(signal))
        }
        (result, _) => result.map(|report| Ended::Reported(Box::new(report))),
    }
}

/// How a job ended.
pub struct Watched<T> {
    /// Its result.
    pub result: Result<T, Problem>,
    /// The signal that canceled it.
    pub stopped: Option<u8>,
}

/// Waits for a job with its progress on stderr; a signal cancels it.
///
/// # Errors
/// When signals cannot be watched.
pub async fn watch<T>(
    services: &Services,
    global: &Global,
    printer: Printer,
    handle: JobHandle<T>,
) -> Result<Watched<T>, Problem> {
    let id = handle.id;
    let mut reporter = Reporter::new(global, printer);
    let mut stop = Stop::new()?;
    let mut stopped = None;
    let waiting = handle.wait();
    tokio::pin!(waiting);
    let result = loop {
        tokio::select! {
            result = &mut waiting => break result,
            signal = stop.next() => {
                stopped = Some(signal);
                services.jobs.cancel(id);
            }
            () = tokio::time::sleep(TICK) => show(services, &mut reporter, id),
        }
    };
    reporter.finish();
    Ok(Watched { result, stopped })
}

fn show(services: &Services, reporter: &mut Reporter, id: JobId) {
    if let Some(row) = services.jobs.rows().iter().find(|row| row.id == id) {
        reporter.show(row);
    }
}

/// INT, TERM and HUP.
struct Stop {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

impl Stop {
    fn new() -> Result<Self, Problem> {
        use tokio::signal::unix::{SignalKind, signal};
        let open = |kind| {
            signal(kind).map_err(|error| {
                let message = format!("signals cannot be watched: {error}");
                Problem::new(crate::domain::problem::ProblemKind::Failed, message, "")
            })
        };
        Ok(Self {
            interrupt: open(SignalKind::interrupt())?,
            terminate: open(SignalKind::terminate())?,
            hang_up: open(SignalKind::hangup())?,
        })
    }

    /// The number of the next one.
    async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => 2,
            _ = self.terminate.recv() => 15,
            _ = self.hang_up.recv() => 1,
        }
    }
}
