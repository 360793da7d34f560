//! `qsnap history`: what was done, what is open, and a report of each operation.

use crate::cli::args::Output;
use crate::cli::exit::ExitStatus;
use crate::cli::printer::{Printer, fail};
use crate::domain::time;
use crate::ops::journal::incident;
use crate::ops::journal::past::Past;
use crate::ops::journal::ways::ways;
use crate::ops::request::settle::Way;
use crate::ops::services::Services;
use comfy_table::{Table, presets};
use serde_json::{Value, json};

/// Lists what was done.
pub fn list(services: &Services, printer: Printer) -> ExitStatus {
    if let Err(problem) = services.journal.readable() {
        return fail(printer, &problem);
    }
    let all = services.journal.read();
    let unreadable = services.journal.unreadable();
    let status = match (unreadable.is_empty(), all.is_empty()) {
        (true, _) => ExitStatus::Done,
        (false, true) => ExitStatus::Failed,
        (false, false) => ExitStatus::Partly,
    };
    if printer.output == Output::Json {
        let items: Vec<Value> = all.iter().map(row).collect();
        let errors: Vec<Value> = unreadable.iter().map(|record| json!(record.problem())).collect();
        printer.json(&json!({"version": 1, "items": items, "errors": errors}));
        return status;
    }
    for record in &unreadable {
        printer.problem(&record.problem());
    }
    if all.is_empty() {
        if unreadable.is_empty() {
            printer.text("nothing was done yet");
        }
        return status;
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["WHEN (UTC)", "WHAT", "FROM", "TO", "OUTCOME", "BY", "ID"]);
    for past in &all {
        table.add_row([
            time::minute(past.at),
            past.operation.clone(),
            past.source.clone(),
            past.target.clone(),
            past.outcome(),
            past.who.clone(),
            past.id.clone(),
        ]);
    }
    printer.text(&table.to_string());
    // On stdout with the list: in a pager it must not be missed.
    for past in all.iter().filter(|past| past.is_open()) {
        printer.text(&format!("open: {} of {}: {}", past.operation, past.target, past.outcome()));
        for way in ways(past) {
            printer.text(&format!("  qsnap history {} {}", way.word(), past.id));
        }
    }
    status
}

fn row(past: &Past) -> Value {
    let ways: Vec<&str> = if past.is_open() { ways(past).into_iter().map(Way::word).collect() } else { Vec::new() };
    json!({"id": past.id, "at": past.at.to_string(), "ended_at": past.ended_at.map(|at| at.to_string()),
        "operation": past.operation, "source": past.source, "target": past.target, "who": past.who,
        "state": past.state.word(), "outcome": past.outcome(), "open": past.is_open(), "ways": ways,
        "settled": past.settled, "left_behind": past.leftovers()})
}

/// Tells everything about one operation.
pub fn show(services: &Services, printer: Printer, id: &str, markdown: bool) -> ExitStatus {
    let past = match services.journal.readable().and_then(|()| services.journal.find(id)) {
        Ok(past) => past,
        Err(problem) => return fail(printer, &problem),
    };
    match printer.output {
        Output::Json => {
            let mut document = row(&past);
            document["version"] = json!(1);
            document["command"] = json!(past.command);
            document["steps"] = json!(past.steps);
            document["made"] = json!(past.made);
            document["report"] = past.report.clone();
            printer.json(&document);
        }
        Output::Table if markdown => printer.text(&incident::markdown(&past)),
        Output::Table => printer.text(&incident::lines(&past).join("\n")),
    }
    ExitStatus::Done
}
