//! `qsnap compare`: two collections side by side.

use crate::cli::args::{CompareArgs, Global, Output};
use crate::cli::commands::fail;
use crate::cli::exit::ExitStatus;
use crate::cli::operate::{Watched, watch};
use crate::cli::printer::Printer;
use crate::domain::address::CollectionAddress;
use crate::domain::problem::{Problem, ProblemKind};
use crate::jobs::manager::JobContext;
use crate::ops::compare::{CompareSpec, Comparison, compare};
use crate::ops::report::Verdict;
use crate::ops::services::Services;
use serde_json::{Value, json};
use std::sync::Arc;

/// Runs it.
pub async fn run(services: &Arc<Services>, global: &Global, printer: Printer, args: CompareArgs) -> ExitStatus {
    let address = |text: &str| {
        CollectionAddress::parse(text)
            .map_err(|why| Problem::new(ProblemKind::Usage, why, "").advise("`qsnap compare --help` shows how it is written"))
    };
    let spec = match (address(&args.first), address(&args.second)) {
        (Ok(first), Ok(second)) => CompareSpec { first, second, deep: args.deep },
        (Err(problem), _) | (_, Err(problem)) => return fail(printer, &problem),
    };
    let shared = services.clone();
    let title = format!("compare {} {}", spec.first, spec.second);
    let work = move |job: JobContext| async move { compare(&shared, &spec, &job.progress).await };
    let handle = services.jobs.spawn(title, Vec::new(), work);
    match watch(services, global, printer, handle).await {
        Ok(Watched { result: Ok(comparison), .. }) => {
            match printer.output {
                Output::Json => printer.json(&document(&comparison)),
                Output::Table => printer.text(&comparison.lines().join("\n")),
            }
            if matches!(comparison.verdict, Verdict::Matches(_)) { ExitStatus::Done } else { ExitStatus::Difference }
        }
        Ok(Watched { result: Err(problem), stopped: Some(signal) }) => {
            printer.problem(&problem);
            ExitStatus::Stopped(signal)
        }
        Ok(Watched { result: Err(problem), stopped: None }) | Err(problem) => fail(printer, &problem),
    }
}

fn document(comparison: &Comparison) -> Value {
    let points = &comparison.points;
    json!({"version": 1, "first": comparison.first, "second": comparison.second, "deep": comparison.deep,
        "verdict": comparison.verdict.word(), "verdict_reason": comparison.verdict.reason(), "shape": comparison.shape,
        "points": {"first": comparison.counts.0, "second": comparison.counts.1}, "same": points.same,
        "only_in_first": points.only_in_first, "only_in_second": points.only_in_second, "changed": points.changed,
        "seconds": comparison.seconds})
}
