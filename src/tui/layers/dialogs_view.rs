//! Help, texts, and the question before leaving.

use crate::domain::text::fit_left;
use crate::jobs::row::JobState;
use crate::ops::request::Request;
use crate::tui::app::state::App;
use crate::tui::keys::action::Action;
use crate::tui::keys::binding::Context;
use crate::tui::layers::cancel::{self, Question};
use crate::tui::layers::layer::QUIT_CHOICES;
use crate::tui::look::text::{Row, frame_box, put, scrolled, style, wrap};
use crate::tui::look::theme::Role;
use crate::tui::panes::jobs::state_text;
use ratatui::Frame;
use ratatui::text::{Line, Span};

const GLOSSARY: [&str; 7] = [
    "proof: – nothing recorded · recorded: count and sample kept · ✓ proven: a restore matched, or a backup was read whole",
    "last: age of the newest recovery point; never: there is none",
    "! beside a collection: yellow or grey, it is being optimised; ✗: red. o tells more.",
    "A snapshot is stored on the node that took it; d downloads it.",
    "An operation shows its plan first; nothing changes until you agree.",
    "To destroy data you must type its instance/collection.",
    "A read-only API key can still download all data.",
];

/// Keys of the context below, and what the signs mean.
pub fn help(app: &App, frame: &mut Frame<'_>, of: Context, scroll: usize) {
    let mut rows = vec![Row::new(Role::Title, "Keys here")];
    for binding in app.keys.bindings(of) {
        let reason = match binding.action {
            Action::Do(verb) => app.disabled(verb),
            _ => None,
        };
        let (role, note) = match reason {
            Some(why) => (Role::Muted, format!(" (not now: {why})")),
            None => (Role::Text, String::new()),
        };
        rows.push(Row::new(role, format!("{} {}{note}", fit_left(binding.label, 10), binding.long)).indented(11));
    }
    rows.push(Row::gap());
    rows.push(Row::new(Role::Title, "Good to know"));
    rows.extend(GLOSSARY.iter().map(|line| Row::new(Role::Text, *line).indented(2)));
    boxed(app, frame, "Help", &rows, scroll);
}

/// A text that must be read.
pub fn text(app: &App, frame: &mut Frame<'_>, title: &str, lines: &[String], scroll: usize) {
    let rows: Vec<Row> = lines.iter().map(|line| Row::new(Role::Text, line.clone())).collect();
    boxed(app, frame, title, &rows, scroll);
}

fn boxed(app: &App, frame: &mut Frame<'_>, title: &str, rows: &[Row], scroll: usize) {
    let columns = 74.min(frame.area().width.saturating_sub(2));
    let wrapped = wrap(rows, usize::from(columns.saturating_sub(4)));
    let inner = frame_box(app.look, frame, columns, wrapped.len() as u16 + 2, title);
    scrolled(app.look, frame, inner, &wrapped, scroll);
}

/// The question before leaving while jobs run.
pub fn quit(app: &App, frame: &mut Frame<'_>, choice: usize) {
    let active: Vec<_> = app.model.jobs.rows.iter().filter(|row| !row.is_finished()).collect();
    let mut rows = vec![Row::new(Role::Text, format!("{} job(s) are running:", active.len())), Row::gap()];
    for row in active.iter().take(8) {
        rows.push(
            Row::new(Role::Text, format!("  {}: {}", row.title, state_text(row, app.model.jobs.reading(row.id)))).indented(4),
        );
    }
    rows.push(Row::gap());
    let columns = 74.min(frame.area().width.saturating_sub(2));
    let wrapped = wrap(&rows, usize::from(columns.saturating_sub(4)));
    let inner = frame_box(app.look, frame, columns, wrapped.len() as u16 + 2 + QUIT_CHOICES.len() as u16, "Leave?");
    for (line, row) in wrapped.iter().enumerate() {
        put(frame, inner, line as u16, Line::styled(row.text.clone(), style(app.look, row.role)));
    }
    for (index, words) in QUIT_CHOICES.iter().enumerate() {
        let line = wrapped.len() as u16 + index as u16;
        put(frame, inner, line.min(inner.height.saturating_sub(3) + index as u16), button(app, words, index == choice));
    }
}

/// The question before a job is canceled.
pub fn cancel(app: &App, frame: &mut Frame<'_>, question: Question) {
    let Some(row) = app.model.jobs.row(question.id) else { return };
    let request = app.model.jobs.started.get(&question.id).map(|started| &started.request);
    let again = row.state == JobState::Canceling;
    let mut rows = vec![Row::new(Role::Title, row.title.clone()).indented(2)];
    rows.push(Row::new(Role::Muted, state_text(row, app.model.jobs.reading(row.id))).indented(2));
    rows.push(Row::gap());
    let words = cancel::consequences(row, matches!(request, Some(Request::Download(_))));
    rows.extend(words.into_iter().map(|line| Row::new(Role::Look, line).indented(2)));
    let columns = 74.min(frame.area().width.saturating_sub(2));
    let wrapped = wrap(&rows, usize::from(columns.saturating_sub(4)));
    let title = if again { "Stop cleaning up?" } else { "Cancel the job?" };
    let inner = frame_box(app.look, frame, columns, wrapped.len() as u16 + 4, title);
    let text = ratatui::layout::Rect { height: inner.height.saturating_sub(2), ..inner };
    scrolled(app.look, frame, text, &wrapped, 0);
    let mut spans = button(app, if again { "Keep cleaning up" } else { "Keep it running" }, !question.yes).spans;
    spans.push(Span::raw("  "));
    spans.extend(button(app, if again { "Stop cleaning up" } else { "Cancel the job" }, question.yes).spans);
    put(frame, ratatui::layout::Rect { y: inner.bottom().saturating_sub(1), height: 1, ..inner }, 0, Line::from(spans));
}

/// A button as a line.
pub fn button<'a>(app: &App, words: &str, marked: bool) -> Line<'a> {
    let role = if marked { Role::Selected } else { Role::Text };
    Line::from(vec![Span::raw(if marked { "▸ " } else { "  " }), Span::styled(format!("[ {words} ]"), style(app.look, role))])
}
