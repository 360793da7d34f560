//! Texts, and the questions before leaving and before a cancel.

use crate::jobs::row::JobState;
use crate::ops::request::Request;
use crate::tui::app::state::App;
use crate::tui::layers::cancel::{self, Question};
use crate::tui::layers::layer::QUIT_CHOICES;
use crate::tui::look::text::{Row, frame_box, page_columns, put, scrolled, style, wrap};
use crate::tui::look::theme::Role;
use crate::tui::panes::jobs::state_text;
use ratatui::Frame;
use ratatui::text::{Line, Span};

/// A text that must be read.
pub fn text(app: &App, frame: &mut Frame<'_>, title: &str, lines: &[String], scroll: usize) {
    let rows: Vec<Row> = lines.iter().map(|line| Row::new(Role::Text, line.clone())).collect();
    boxed(app, frame, title, &rows, scroll);
}

pub(super) fn boxed(app: &App, frame: &mut Frame<'_>, title: &str, rows: &[Row], scroll: usize) {
    let columns = page_columns(frame);
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
    let columns = page_columns(frame);
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
    let columns = page_columns(frame);
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
