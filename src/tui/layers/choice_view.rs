//! A list to choose from: words above, then each choice with what it means.

use crate::domain::text::shorten_end;
use crate::tui::app::state::App;
use crate::tui::layers::choice::Chooser;
use crate::tui::layers::guide::Guide;
use crate::tui::look::layout;
use crate::tui::look::text::{Row, frame_box, page_columns, put, style, wrap};
use crate::tui::look::theme::Role;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

/// Draws a chooser.
pub fn chooser(app: &App, frame: &mut Frame<'_>, chooser: &Chooser) {
    let lines: Vec<(&str, &str)> = chooser.choices.iter().map(|choice| (choice.label.as_str(), choice.detail.as_str())).collect();
    list(app, frame, &chooser.title, &chooser.intro, &lines, chooser.selected);
}

/// Draws a page of the recovery guide.
pub fn guide(app: &App, frame: &mut Frame<'_>, guide: &Guide) {
    let all = guide.lines(&app.model);
    let lines: Vec<(&str, &str)> = all.iter().map(|line| (line.label.as_str(), line.detail.as_str())).collect();
    list(app, frame, &guide.title(), &guide.intro(&app.model), &lines, guide.selected(&all));
}

fn list(app: &App, frame: &mut Frame<'_>, title: &str, intro: &[String], lines: &[(&str, &str)], selected: usize) {
    let columns = page_columns(frame);
    let room = usize::from(columns.saturating_sub(4));
    let above: Vec<Row> = intro
        .iter()
        .enumerate()
        .map(|(n, words)| Row::new(if n == 0 { Role::Title } else { Role::Text }, words.clone()).indented(2))
        .collect();
    let mut above = wrap(&above, room);
    if !above.is_empty() {
        above.push(Row::gap());
    }
    let rows: Vec<(usize, Row)> =
        lines.iter().enumerate().flat_map(|(n, line)| choice_rows(n, line, n == selected, room)).collect();
    let inner = frame_box(app.look, frame, columns, (above.len() + rows.len()) as u16 + 2, title);
    let height = usize::from(inner.height);
    // The choices are what must be seen: on a small screen the words above give way.
    let above_height = above.len().min(height.saturating_sub(rows.len().min(4)));
    for (line, row) in above.iter().take(above_height).enumerate() {
        put(frame, inner, line as u16, Line::styled(row.text.clone(), style(app.look, row.role)));
    }
    let area = Rect { y: inner.y + above_height as u16, height: inner.height - above_height as u16, ..inner };
    let overflows = rows.len() > usize::from(area.height);
    let visible = usize::from(area.height).saturating_sub(usize::from(overflows));
    let last = rows.iter().rposition(|(n, _)| *n == selected).unwrap_or(0);
    let first = rows.iter().position(|(n, _)| *n == selected).unwrap_or(0);
    let offset = layout::scroll(first, layout::scroll(last, 0, visible, rows.len()), visible, rows.len());
    for (line, (_, row)) in rows.iter().skip(offset).take(visible).enumerate() {
        put(frame, area, line as u16, Line::styled(row.text.clone(), style(app.look, row.role)));
    }
    let rest = rows.len().saturating_sub(offset + visible);
    if rest > 0 && visible > 0 {
        let more = lines.len().saturating_sub(rows[offset + visible - 1].0 + 1);
        // Of the last one only its own lines are hidden.
        let words = if more == 0 { "↓ more ".to_owned() } else { format!("↓ {more} more ") };
        let words = shorten_end(&words, room);
        let place = Rect { y: area.y + area.height - 1, height: 1, ..area };
        put(frame, place, 0, Line::styled(words, style(app.look, Role::Muted)).right_aligned());
    }
}

fn choice_rows(n: usize, (label, detail): &(&str, &str), selected: bool, room: usize) -> Vec<(usize, Row)> {
    let sign = if selected { "▸" } else { " " };
    let role = if selected { Role::Selected } else { Role::Text };
    let mut rows = wrap(&[Row::new(role, format!("{sign} {label}")).indented(2)], room);
    if !detail.is_empty() {
        rows.extend(wrap(&[Row::new(Role::Muted, format!("    {detail}")).indented(4)], room));
    }
    rows.into_iter().map(|row| (n, row)).collect()
}
