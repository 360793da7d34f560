//! The report of one operation, fit for an incident review: who did what and when, what was checked, how it ended, and
//! what is left.

use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::{size, time};
use crate::ops::journal::Journal;
use crate::ops::journal::event::Part;
use crate::ops::journal::past::{Past, PastStep, State};
use crate::ops::journal::ways::ways;
use crate::ops::report::comparison::Comparison;
use serde_json::Value;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

/// Facts of the operation, as label and text.
fn facts(past: &Past) -> Vec<(&'static str, String)> {
    let report = |key: &str| past.report.get(key).filter(|value| !value.is_null());
    let mut facts = vec![
        ("operation", past.operation.clone()),
        ("from", past.source.clone()),
        ("to", past.target.clone()),
        ("begun", format!("{} UTC", time::second(past.at))),
    ];
    if let Some(ended) = past.ended_at {
        let seconds = u64::try_from(ended.as_second() - past.at.as_second()).unwrap_or(0);
        let took = time::duration(std::time::Duration::from_secs(seconds));
        facts.push(("ended", format!("{} UTC, after {took}", time::second(ended))));
    }
    facts.push(("by", past.who.clone()));
    facts.push(("outcome", past.outcome()));
    let text = |value: &Value| crate::domain::text::one_line(value.as_str().unwrap_or_default(), 600);
    if let Some(verdict) = report("verdict") {
        let reason = report("verdict_reason").map(text).unwrap_or_default();
        facts.push(("verdict", format!("{}: {reason}", text(verdict))));
    }
    if let Some(rollback) = report("rollback") {
        let reason = report("rollback_reason").map(text).unwrap_or_default();
        facts.push(("rollback", format!("{}: {reason}", text(rollback))));
    }
    if let Some(points) = report("points") {
        let number = |key: &str| points.get(key).and_then(Value::as_u64).map_or_else(|| "not recorded".into(), size::exact);
        facts.push(("points", format!("{} found, {} expected", number("found"), number("expected"))));
    }
    if let Some(samples) = report("samples") {
        let number = |key: &str| samples.get(key).and_then(Value::as_u64).unwrap_or(0);
        let words = format!("{} same, {} changed, {} missing", number("same"), number("changed"), number("missing"));
        facts.push(("sample", words));
    }
    if let Some(found) = report("comparison").and_then(|found| serde_json::from_value::<Comparison>(found.clone()).ok()) {
        facts.extend(found.findings());
    }
    if let Some(bytes) = report("bytes").and_then(Value::as_u64).filter(|bytes| *bytes > 0) {
        facts.push(("moved", size::bytes(bytes)));
    }
    if let Some(problem) = report("problem") {
        let part = |key: &str| problem.get(key).map(text).unwrap_or_default();
        facts.push(("error", format!("{}: {}", part("on"), part("message"))));
        facts.push(("advice", part("advice")));
    }
    facts
}

/// What an operation of several consists of, and how each part stands.
fn parts(past: &Past) -> Vec<String> {
    past.parts.iter().map(Part::words).collect()
}

fn result(past: &Past, step: &PastStep) -> String {
    let unended = if past.state == State::Ended("canceled".to_owned()) { "canceled" } else { "NOT ENDED" };
    step.result.clone().unwrap_or_else(|| unended.to_owned())
}

fn left(past: &Past) -> Vec<String> {
    past.made
        .iter()
        .filter(|thing| thing.kind != crate::ops::journal::event::Made::Collection || !past.is_done())
        .map(|thing| format!("{} {}", thing.kind.words(), thing.thing))
        .chain(past.taking.iter().map(|taking| {
            format!("perhaps a {} of {}, which the server may have finished", taking.kind.words(), taking.collection)
        }))
        .collect()
}

fn open(past: &Past) -> Vec<String> {
    if !past.is_open() {
        return Vec::new();
    }
    ways(past).into_iter().map(|way| format!("qsnap history {} {}", way.word(), past.id)).collect()
}

/// For the screen.
pub fn lines(past: &Past) -> Vec<String> {
    let mut lines: Vec<String> = facts(past).into_iter().map(|(label, text)| format!("{label:<10} {text}")).collect();
    lines.push(String::new());
    for step in &past.steps {
        let at = step.at.map(time::second).unwrap_or_default();
        let detail = if step.detail.is_empty() { String::new() } else { format!(" ({})", step.detail) };
        lines.push(format!("{at}  {}{detail}: {}", step.name, result(past, step)));
    }
    if !past.parts.is_empty() {
        lines.push(String::new());
        lines.extend(parts(past));
    }
    let left = left(past);
    if !left.is_empty() {
        lines.push(String::new());
        lines.extend(left.into_iter().map(|thing| format!("still there: {thing}")));
    }
    if !past.command.is_empty() {
        lines.push(String::new());
        lines.push(format!("$ {}", past.command));
    }
    for command in open(past) {
        lines.push(format!("next: {command}"));
    }
    lines
}

/// As Markdown.
pub fn markdown(past: &Past) -> String {
    let mut out = vec![format!("# {} {} → {}", past.operation, code(&past.source), code(&past.target)), String::new()];
    out.push("| what | |".into());
    out.push("|---|---|".into());
    out.extend(facts(past).into_iter().map(|(label, text)| format!("| {label} | {} |", cell(&text))));
    out.push(format!("| id | {} |", code(&past.id)));
    out.extend([String::new(), "## Steps".into(), String::new()]);
    out.push("| time (UTC) | step | on | result |".into());
    out.push("|---|---|---|---|".into());
    for step in &past.steps {
        let at = step.at.map(time::second).unwrap_or_default();
        out.push(format!("| {at} | {} | {} | {} |", cell(&step.name), cell(&step.detail), cell(&result(past, step))));
    }
    if !past.parts.is_empty() {
        out.extend([String::new(), "## Parts".into(), String::new()]);
        out.extend(parts(past).into_iter().map(|part| format!("* {}", cell(&part))));
    }
    let left = left(past);
    if !left.is_empty() {
        out.extend([String::new(), "## Still there".into(), String::new()]);
        out.extend(left.into_iter().map(|thing| format!("* {}", cell(&thing))));
    }
    if !past.command.is_empty() {
        out.extend([
            String::new(),
            "## The same again".into(),
            String::new(),
            "```sh".into(),
            past.command.clone(),
            "```".into(),
        ]);
    }
    let open = open(past);
    if !open.is_empty() {
        out.extend([String::new(), "## Open".into(), String::new()]);
        out.extend(open.into_iter().map(|command| format!("* {}", code(&command))));
    }
    out.join("\n")
}

/// Writes the report beside others into a folder, as `qsnap-report-<id>.md`; an older one is not replaced.
///
/// # Errors
/// When there is no such operation, or the file cannot be written.
pub fn write(journal: &Journal, id: &str, folder: &Path) -> Result<String, Problem> {
    let past = journal.find(id)?;
    let path = folder.join(format!("qsnap-report-{}.md", past.id));
    let shown = crate::domain::text::sanitise(&path.display().to_string());
    let text = markdown(&past) + "\n";
    let open = OpenOptions::new().write(true).create_new(true).open(&path);
    let written = open.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map(|()| shown.clone()).map_err(|error| {
        Problem::new(ProblemKind::Failed, format!("the report cannot be written: {error}"), shown)
            .advise("`qsnap history show ID --markdown` prints it")
    })
}

/// A table's cell: names and messages come from servers.
fn cell(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;").replace(['\n', '\r'], " ")
}

fn code(text: &str) -> String {
    format!("`{}`", text.replace('`', "'"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::journal::event::{Made, Thing};
    use crate::ops::journal::past::State;
    use serde_json::json;

    fn past() -> Past {
        let at = "2026-11-22T03:00:00Z".parse().unwrap();
        let step = |name: &str, result: Option<&str>| PastStep {
            name: name.into(),
            detail: "a/x|y".into(),
            at: Some(at),
            result: result.map(str::to_owned),
        };
        Past {
            id: "20261122T030000Z-1-0".into(),
            at,
            ended_at: Some("2026-11-22T03:01:05Z".parse().unwrap()),
            operation: "restore".into(),
            source: "a/x/s.snapshot".into(),
            target: "b/x".into(),
            command: "qsnap restore …".into(),
            who: "ada@bastion".into(),
            state: State::Ended("differs".into()),
            steps: vec![step("restore", Some("ok")), step("verify", None)],
            made: vec![Thing { kind: Made::Safety, thing: "b/x/safe.snapshot".into() }],
            report: json!({"verdict": "differs", "verdict_reason": "3 changed", "rollback": "matches", "rollback_reason": "as before",
                "points": {"expected": 1000, "found": 997}, "bytes": 1000}),
            request: None,
            between: true,
            settled: None,
            handed: crate::ops::journal::past::Handed::default(),
            takes_up: None,
            parts: vec![],
            part_of: None,
            inside: None,
            repaired: false,
            taking: None,
        }
    }

    #[test]
    fn a_report_says_who_what_when_and_how_it_ended() {
        let text = lines(&past()).join("\n");
        for words in
            ["ada@bastion", "1m05s", "differs: 3 changed", "matches: as before", "997 found, 1 000 expected", "NOT ENDED"]
        {
            assert!(text.contains(words), "{words}: {text}");
        }
        assert!(text.contains("still there: safety snapshot b/x/safe.snapshot"), "{text}");
    }

    #[test]
    fn names_cannot_break_the_table() {
        let text = markdown(&past());
        assert!(text.contains("| a/x\\|y |"), "{text}");
        assert!(text.starts_with("# restore `a/x/s.snapshot` → `b/x`"), "{text}");
    }
}
