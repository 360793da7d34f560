//! The jobs pane, and one job in detail.

use crate::domain::problem::ProblemKind;
use crate::domain::text::{fit_left, shorten_end, shorten_middle, width};
use crate::domain::{size, time};
use crate::jobs::row::{JobId, JobRow, JobState, Outcome};
use crate::ops::journal::downloads::Interrupted;
use crate::tui::app::state::App;
use crate::tui::look::glyphs;
use crate::tui::look::text::{Row, frame_box, page_columns, put, scrolled, style, wrap};
use crate::tui::look::theme::Role;
use crate::tui::panes::frame::pane_frame;
use crate::tui::panes::jobs::{JobKey, interrupted_text, state_text};
use crate::tui::panes::list::Pane;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use std::cmp::Ordering;

/// Columns of the rates of the last seconds.
const SPARKS: usize = 24;

/// Sign and role of a job's state.
fn sign(app: &App, row: &JobRow) -> (String, Role) {
    match &row.state {
        JobState::Queued(_) => ("○".into(), Role::Muted),
        JobState::Running | JobState::Canceling if app.look.animation => {
            (glyphs::SPINNER[(app.ticks % 8) as usize].to_owned(), Role::Text)
        }
        JobState::Running | JobState::Canceling => ("●".into(), Role::Text),
        JobState::Finished(Outcome::Succeeded { good: true, .. }) => ("✓".into(), Role::Good),
        JobState::Finished(Outcome::Succeeded { good: false, .. }) => ("!".into(), Role::Look),
        JobState::Finished(Outcome::Failed(_)) => ("✗".into(), Role::Danger),
        JobState::Finished(Outcome::Canceled { .. }) => ("–".into(), Role::Muted),
    }
}

/// Pane 3.
pub fn pane(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let jobs = &app.model.jobs;
    let canceled = jobs.rows.iter().filter(|row| jobs.resumes(row.id).is_some()).count();
    let (active, interrupted) = (jobs.active(), jobs.interrupted().count() + canceled);
    let mut right = match (active, jobs.rows.len() - canceled) {
        (0, 0) => String::new(),
        (0, done) => format!("{done} finished"),
        (active, _) => format!("{active} running"),
    };
    if interrupted > 0 {
        let gap = if right.is_empty() { "" } else { " · " };
        right = format!("{interrupted} interrupted{gap}{right}");
    }
    if !jobs.open.is_empty() {
        let gap = if right.is_empty() { "" } else { " · " };
        right = format!("{} open{gap}{right}", jobs.open.len());
    }
    if let Some(limit) = limits(app) {
        right = format!("{limit} · {right}");
    }
    let inner = pane_frame(app, frame, area, Pane::Jobs, "3 Jobs", &right);
    let keys = jobs.keys();
    if keys.is_empty() {
        let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(1), ..inner };
        put(frame, inner, 0, Line::styled("nothing runs", style(app.look, Role::Muted)));
        return;
    }
    let current = app.job_key();
    let shown = keys.iter().skip(app.job_list.offset).take(usize::from(inner.height));
    for (line, key) in shown.enumerate() {
        let selected = current.as_ref() == Some(key) && app.focus == Pane::Jobs;
        let drawn = match key {
            JobKey::Job(id) if jobs.resumes(*id).is_some() => {
                jobs.resumes(*id).map(|left| interrupted_line(app, left, usize::from(inner.width)))
            }
            JobKey::Folded => {
                let words = fit_left(&format!("  {}", jobs.folded_text()), usize::from(inner.width));
                Some(Line::styled(words, style(app.look, Role::Muted)))
            }
            JobKey::Job(id) => jobs.row(*id).map(|row| job_line(app, row, usize::from(inner.width))),
            JobKey::Interrupted(file) => jobs
                .interrupted()
                .find(|left| left.request.target == *file)
                .map(|left| interrupted_line(app, left, usize::from(inner.width))),
            JobKey::Open(id) => jobs.open.iter().find(|past| past.id == *id).map(|past| {
                let title = format!("{} → {}", past.operation, past.target);
                undecided_line(app, &title, &format!("{}: decide (Enter)", past.outcome()), usize::from(inner.width))
            }),
        };
        let drawn = drawn.unwrap_or_default();
        put(frame, inner, line as u16, if selected { drawn.patch_style(style(app.look, Role::Selected)) } else { drawn });
    }
}

/// The rate limits of what runs.
fn limits(app: &App) -> Option<String> {
    let jobs = &app.model.jobs;
    let running = jobs.rows.iter().filter(|row| !row.is_finished()).flat_map(|row| jobs.moves(row.id));
    let mut names: Vec<_> = running.collect();
    names.sort();
    names.dedup();
    let limited = app.model.instances.iter().filter(|state| names.contains(&state.name));
    let words: Vec<String> =
        limited.filter_map(|state| Some(format!("{} ≤ {}", state.name, size::rate(state.limit_rate? as f64)))).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

fn interrupted_line<'a>(app: &App, left: &Interrupted, columns: usize) -> Line<'a> {
    undecided_line(app, &format!("download {}", left.request.of), &interrupted_text(left), columns)
}

/// Something that waits for a decision.
fn undecided_line<'a>(app: &App, title: &str, text: &str, columns: usize) -> Line<'a> {
    let title_columns = (columns * 2 / 5).clamp(12, 48);
    let title = fit_left(title, title_columns.saturating_sub(2));
    let rest = columns.saturating_sub(width(&title) + 3);
    Line::from(vec![
        Span::styled("!", style(app.look, Role::Look)),
        Span::raw(" "),
        Span::raw(title),
        Span::raw(" "),
        Span::styled(fit_left(&shorten_end(text, rest), rest), style(app.look, Role::Look)),
    ])
}

fn job_line<'a>(app: &App, row: &JobRow, columns: usize) -> Line<'a> {
    let (sign, role) = sign(app, row);
    let text = state_text(row, app.model.jobs.reading(row.id));
    let title_columns = (columns * 2 / 5).clamp(12, 48);
    let title = fit_left(&row.title, title_columns.saturating_sub(2));
    let mut rest = columns.saturating_sub(width(&sign) + 1 + width(&title) + 1);
    let mut spans = vec![Span::styled(sign, style(app.look, role)), Span::raw(" "), Span::raw(title), Span::raw(" ")];
    let gauge_columns = if columns >= 100 { 24 } else { 10 };
    if let (Some(total), JobState::Running) = (row.sample.total, &row.state)
        && rest > width(&text) + gauge_columns + 3
    {
        spans.push(Span::raw(format!("▕{}▏ ", glyphs::bar(row.sample.done, total, gauge_columns))));
        rest -= gauge_columns + 3;
    }
    let troubled = row.state == JobState::Running && !row.sample.note.is_empty() && row.sample.total.is_some();
    let tail_role = if troubled { Role::Look } else { role };
    let tail_role = if matches!(tail_role, Role::Danger | Role::Look) { tail_role } else { Role::Text };
    spans.push(Span::styled(fit_left(&shorten_end(&text, rest), rest), style(app.look, tail_role)));
    Line::from(spans)
}

/// One job, with its steps and verdict.
pub fn detail(app: &App, frame: &mut Frame<'_>, id: JobId, scroll: usize) {
    let rows = match (app.model.jobs.row(id), app.model.jobs.results.get(&id)) {
        // A part of a migration has no result of its own here; how it ended stands in its row.
        (Some(row), None) if row.is_finished() => ended_rows(app, row),
        (Some(row), None) => running_rows(app, row),
        (_, Some(Ok(report))) => report_rows(report),
        (_, Some(Err(problem))) => {
            let role = if problem.kind == ProblemKind::Canceled { Role::Look } else { Role::Danger };
            let mut rows = vec![Row::new(role, problem.to_string()).indented(2)];
            if !problem.advice.is_empty() {
                rows.extend([Row::gap(), Row::new(Role::Text, format!("What to do: {}", problem.advice)).indented(2)]);
            }
            rows
        }
        (None, None) => vec![Row::new(Role::Muted, "starting…")],
    };
    let title = app.model.jobs.row(id).map_or_else(|| "Job".to_owned(), |row| row.title.clone());
    let columns = page_columns(frame);
    let wrapped = wrap(&rows, usize::from(columns.saturating_sub(4)));
    let inner = frame_box(app.look, frame, columns, wrapped.len() as u16 + 2, &title);
    scrolled(app.look, frame, inner, &wrapped, scroll);
}

fn ended_rows(app: &App, row: &JobRow) -> Vec<Row> {
    let mut rows = vec![Row::new(sign(app, row).1, state_text(row, app.model.jobs.reading(row.id))).indented(2)];
    if let JobState::Finished(Outcome::Failed(problem)) = &row.state
        && !problem.advice.is_empty()
    {
        rows.extend([Row::gap(), Row::new(Role::Text, format!("What to do: {}", problem.advice)).indented(2)]);
    }
    rows.extend([Row::gap(), Row::new(Role::Muted, format!("it took {}", time::duration(row.elapsed)))]);
    if row.record.is_some() {
        rows.push(Row::new(Role::Muted, "w writes its report, with each step"));
    }
    rows
}

fn running_rows(app: &App, row: &JobRow) -> Vec<Row> {
    let reading = app.model.jobs.reading(row.id);
    let sample = &row.sample;
    let phase = match &row.state {
        JobState::Queued(why) => {
            if why.is_empty() {
                "queued".to_owned()
            } else {
                why.clone()
            }
        }
        JobState::Canceling => "canceling, cleaning up (x stops that)".to_owned(),
        _ => sample.phase.clone(),
    };
    let step = sample.step.map_or_else(String::new, |step| format!("step {} of {}: ", step.at, step.of));
    let mut rows = vec![Row::new(Role::Title, format!("{step}{phase}")).indented(2)];
    if let Some(total) = sample.total {
        rows.push(Row::new(
            Role::Text,
            format!("▕{}▏ {:>2}%", glyphs::bar(sample.done, total, 40), reading.percent.unwrap_or(0)),
        ));
        rows.push(Row::new(Role::Text, sample.unit.share(sample.done, total)));
        let rate = reading.rate.and_then(|rate| sample.unit.rate(rate)).unwrap_or_else(|| "–".to_owned());
        let left = reading.left.map_or_else(|| "–".to_owned(), time::duration);
        rows.push(Row::new(Role::Text, format!("{rate}, {left} left")));
        let rates = app.model.jobs.rates(row.id);
        if rates.len() > 1 {
            rows.push(Row::new(Role::Muted, format!("{} the rate of each second", glyphs::sparkline(&rates, SPARKS))));
        }
    } else {
        rows.push(Row::new(Role::Text, format!("for {}; how long is not known", time::duration(sample.phase_time))));
    }
    if !sample.note.is_empty() {
        rows.push(Row::new(Role::Muted, sample.note.clone()));
    }
    for name in app.model.jobs.moves(row.id) {
        let limit = app.model.instances.iter().find(|state| state.name == name).and_then(|state| state.limit_rate);
        if let Some(limit) = limit {
            rows.push(Row::new(Role::Muted, format!("{name}: at most {} (- and + change it)", size::rate(limit as f64))));
        }
    }
    rows.push(Row::new(Role::Muted, format!("running for {}", time::duration(row.elapsed))));
    rows.extend(step_rows(app, row));
    rows
}

/// The steps of the plan: what is done, what runs, what is to come.
fn step_rows(app: &App, row: &JobRow) -> Vec<Row> {
    let steps = app.model.jobs.started.get(&row.id).map_or(&[][..], |started| &started.steps);
    let at = row.sample.step.map_or(0, |step| step.at);
    if steps.len() < 2 {
        return Vec::new();
    }
    let each = steps.iter().enumerate().map(|(index, text)| {
        let (sign, role) = match (index + 1).cmp(&at) {
            Ordering::Less => ("✓", Role::Muted),
            Ordering::Equal => ("▸", Role::Text),
            Ordering::Greater => (" ", Role::Muted),
        };
        Row::new(role, format!("{sign} {text}")).indented(4)
    });
    std::iter::once(Row::gap()).chain(each).collect()
}

fn report_rows(report: &crate::ops::report::Report) -> Vec<Row> {
    use crate::ops::report::verdict::Verdict;
    let mut rows = Vec::new();
    let sentence = report.verdict.as_ref().map(Verdict::sentence);
    for line in report.lines() {
        let is_verdict = sentence.as_ref() == Some(&line);
        let role = match &report.verdict {
            Some(Verdict::Matches(_)) if is_verdict => Role::Good,
            Some(Verdict::Differs(_)) if is_verdict => Role::Danger,
            Some(Verdict::CouldNotCheck(_)) if is_verdict => Role::Look,
            _ if line.starts_with("left behind") => Role::Look,
            _ => Role::Text,
        };
        rows.push(Row::new(role, line).indented(2));
    }
    rows.push(Row::gap());
    for step in &report.steps {
        let text = format!("{} {:>8.2} s  {}", fit_left(&step.name, 16), step.seconds, shorten_middle(&step.result, 60));
        rows.push(Row::new(Role::Muted, text).indented(2));
    }
    rows
}
