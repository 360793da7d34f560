//! `qsnap check`: for monitoring. One line a finding, the exit code of a monitoring plugin, JSON, and metrics for the node exporter.

mod metrics;

use crate::cli::args::Output;
use crate::cli::args::backups::CheckArgs;
use crate::cli::exit::ExitStatus;
use crate::cli::printer::Printer;
use crate::domain::problem::Problem;
use crate::domain::time;
use crate::ops::retention::freshness::Level;
use crate::ops::services::Services;
use crate::ops::survey::watch::{Reach, Watch, Watched, watch};
use serde_json::{Value, json};

/// Looks, prints and gives the code.
pub(super) async fn run(services: &Services, printer: Printer, args: CheckArgs, quiet: bool) -> ExitStatus {
    let watch = watch(services, args.max_age, Reach::All).await;
    let mut level = watch.level();
    let mut lines: Vec<String> = Vec::new();
    let nothing_wanted = !watch.has_targets() && watch.problems.is_empty();
    if nothing_wanted {
        level = level.worst(Level::Unknown);
        lines.push("UNKNOWN nothing is wanted, so nothing can be late: give `rpo` in the configuration, or --max-age".into());
    }
    for item in watch.items.iter().filter(|item| item.freshness.level != Level::Ok) {
        let word = item.freshness.level.word().to_uppercase();
        lines.extend(item.freshness.words.iter().map(|words| format!("{word} {}: {words}", item.address)));
    }
    lines.extend(watch.problems.iter().map(|(on, problem)| format!("UNKNOWN {on}: {}; {}", problem.message, problem.advice)));
    if let Some(file) = &args.metrics {
        let text = metrics::text(&watch, level, services.clock.now());
        if let Err(error) = metrics::write(file, &text) {
            level = level.worst(Level::Unknown);
            lines.push(format!("UNKNOWN {}: the metrics cannot be written: {error}", file.display()));
        }
    }
    match printer.output {
        Output::Json => printer.json(&document(services, &watch, level)),
        Output::Table if quiet && level == Level::Ok => {}
        Output::Table => {
            let [good, warning, critical, unknown] = watch.counts();
            // What could not be asked counts, too.
            let unknown = unknown + watch.problems.len() + usize::from(nothing_wanted);
            let word = level.word().to_uppercase();
            printer.text(&format!("{word}: {critical} critical, {warning} warning, {unknown} unknown, {good} ok"));
            printer.text(&lines.join("\n"));
            if watch.nodes_only {
                printer
                    .note("note: no repository is configured: snapshots on the nodes are counted, which are lost with the node");
            }
        }
    }
    ExitStatus::Command(level.code())
}

fn document(services: &Services, watch: &Watch, level: Level) -> Value {
    let items: Vec<Value> = watch.items.iter().map(|item| row(services, item)).collect();
    let error = |(on, problem): &(String, Problem)| json!({"on": on, "kind": problem.kind, "message": problem.to_string(), "advice": problem.advice});
    let errors: Vec<Value> = watch.problems.iter().map(error).collect();
    json!({"version": 1, "state": level.word(), "items": items, "errors": errors})
}

fn row(services: &Services, item: &Watched) -> Value {
    let now = services.clock.now();
    let newest = item.newest.as_ref();
    let age = newest.map(|newest| now.as_second().saturating_sub(newest.at.as_second()));
    json!({
        "address": item.address.to_string(),
        "instance": item.address.instance.as_str(),
        "collection": item.address.collection.raw(),
        "exists": item.exists,
        "state": item.freshness.level.word(),
        "findings": item.freshness.words,
        "newest": newest.map(|newest| json!({
            "taken_at": newest.at.to_string(),
            "repository": newest.repository.as_ref().map(ToString::to_string),
            "backup_id": newest.id.as_ref().map(ToString::to_string),
            "size": newest.size,
            "seconds": newest.seconds,
            "points": newest.points,
        })),
        "age_seconds": age,
        "rpo": item.policy.rpo.age().map(time::span),
        "proven_at": item.freshness.proven_at.map(|at| at.to_string()),
        "prove_every": item.policy.prove_every.age().map(time::span),
        "not_good": item.not_good,
        "last_try_good": item.last_try,
    })
}
