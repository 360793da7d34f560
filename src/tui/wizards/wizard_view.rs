//! The pages of a wizard.

use crate::domain::address::encode;
use crate::domain::text::{fit_left, shorten_end};
use crate::domain::time;
use crate::ops::plan::Plan;
use crate::tui::app::state::App;
use crate::tui::look::layout;
use crate::tui::look::text::{Row, frame_box, page_columns, put, scrolled, style, wrap};
use crate::tui::look::theme::Role;
use crate::tui::wizards::field::{Field, Shown};
use crate::tui::wizards::plan_view;
use crate::tui::wizards::wizard::{Page, Wizard};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use tui_input::Input;

/// Draws the page that the wizard shows.
pub fn draw(app: &App, frame: &mut Frame<'_>, wizard: &Wizard) {
    match &wizard.page {
        Page::Form => form(app, frame, wizard),
        Page::Planning(_) => waiting(app, frame, wizard, "reading the servers and computing the plan; nothing is changed yet"),
        Page::Starting(_) => waiting(app, frame, wizard, "starting"),
        Page::Review { plan, yes, scroll, all, .. } => plan_view::review(app, frame, wizard, plan, *yes, (*scroll, *all)),
        Page::Typing { plan, expected, input } => typing(app, frame, wizard, plan, expected, input),
        Page::Failed(problem) => {
            let mut rows = vec![Row::new(Role::Danger, problem.to_string())];
            if !problem.advice.is_empty() {
                rows.extend([Row::gap(), Row::new(Role::Text, format!("What to do: {}", problem.advice)).indented(2)]);
            }
            page(app, frame, wizard, &rows, 0);
        }
    }
}

fn page(app: &App, frame: &mut Frame<'_>, wizard: &Wizard, rows: &[Row], extra: u16) -> Rect {
    let columns = page_columns(frame);
    let wrapped = wrap(rows, usize::from(columns.saturating_sub(4)));
    let inner = frame_box(app.look, frame, columns, wrapped.len() as u16 + 2 + extra, &wizard.form.title());
    let text = Rect { height: inner.height.saturating_sub(extra), ..inner };
    scrolled(app.look, frame, text, &wrapped, 0);
    Rect { y: text.y + text.height, height: inner.height - text.height, ..inner }
}

fn waiting(app: &App, frame: &mut Frame<'_>, wizard: &Wizard, words: &str) {
    page(
        app,
        frame,
        wizard,
        &[Row::new(Role::Text, wizard.form.about()), Row::gap(), Row::new(Role::Muted, format!("{words}…"))],
        0,
    );
}

fn form(app: &App, frame: &mut Frame<'_>, wizard: &Wizard) {
    let mut rows = vec![Row::new(Role::Muted, wizard.form.about()), Row::gap()];
    if let Some(complaint) = &wizard.complaint {
        rows.push(Row::new(Role::Danger, complaint.clone()));
        rows.push(Row::gap());
    }
    let names = offer_rows(app, wizard);
    let lines = wizard.form.lines();
    let fields = lines.len() as u16;
    let area = page(app, frame, wizard, &rows, fields + 2 + names.len() as u16);
    for (index, field) in lines.iter().enumerate() {
        field_line(app, frame, area, index as u16, *field, index == wizard.focus);
    }
    for (line, row) in names.iter().enumerate() {
        let text = shorten_end(&row.text, usize::from(area.width));
        put(frame, area, fields + line as u16, Line::styled(text, style(app.look, row.role)));
    }
    let shown = lines.get(wizard.focus).map(|line| line.shown());
    let proposed = matches!(shown, Some(Shown::Text { proposed: true, .. }));
    let words = match proposed {
        true => "Typing replaces the marked text; End keeps it",
        false => "Enter shows the plan; nothing is changed yet",
    };
    put(frame, area, fields + 1 + names.len() as u16, Line::styled(words, style(app.look, Role::Muted)));
}

/// Names below the fields, as many as have room; the picked one is among them.
fn offer_rows(app: &App, wizard: &Wizard) -> Vec<Row> {
    let Some(offered) = wizard.form.offered().filter(|_| wizard.offers.wanted()) else { return Vec::new() };
    let all = wizard.offers.shown(&offered.instance, &app.model);
    let heading = match (wizard.offers.ready, all.len()) {
        (false, _) => "reading which names are known …".to_owned(),
        (true, 0) => "history and proofs know no such name: type it".to_owned(),
        (true, n) => format!("{n} known from history and proofs (↓ picks one, typing filters)"),
    };
    let room = usize::from(frame_rows(app)).clamp(1, 6);
    let picked = wizard.offers.picked();
    let offset = layout::scroll(picked.unwrap_or(0), 0, room, all.len());
    let mut rows = vec![Row::gap(), Row::new(Role::Muted, format!(" {heading}"))];
    rows.extend(all.iter().enumerate().skip(offset).take(room).map(|(index, one)| {
        let marked = picked == Some(index);
        let name = fit_left(&encode(one.address.collection.raw()), usize::from(app.size.0).saturating_sub(29).clamp(8, 34));
        let text = format!(" {} {name} {} UTC", if marked { "▸" } else { " " }, time::minute(one.at));
        Row::new(if marked { Role::Selected } else { Role::Text }, text)
    }));
    rows
}

/// Lines that the names may have in this window.
fn frame_rows(app: &App) -> u16 {
    app.size.1.saturating_sub(14)
}

fn field_line(app: &App, frame: &mut Frame<'_>, area: Rect, line: u16, field: &dyn Field, focused: bool) {
    let label = format!("{}{} ", if focused { "▸" } else { " " }, fit_left(field.label(), 14));
    let label_role = if focused { Role::Title } else { Role::Text };
    let room = usize::from(area.width).saturating_sub(16);
    match field.shown() {
        Shown::Text { input, proposed } => {
            put(frame, area, line, Line::from(Span::styled(label, style(app.look, label_role))));
            let place = Rect { x: area.x + 16, y: area.y + line, width: room as u16, height: 1 };
            if line < area.height {
                input_line(app, frame, place, input, focused);
                let marked = input.visual_cursor().min(room) as u16;
                if proposed && focused {
                    frame.buffer_mut().set_style(Rect { width: marked, ..place }, style(app.look, Role::Selected));
                }
            }
        }
        Shown::Choice { word, meaning, several } => {
            let chosen = if focused && several { format!("← {word} →") } else { word.to_owned() };
            let role = if focused { Role::Selected } else { Role::Text };
            let left = room.saturating_sub(crate::domain::text::width(&chosen) + 2);
            let spans = vec![
                Span::styled(label, style(app.look, label_role)),
                Span::styled(chosen, style(app.look, role)),
                Span::styled(format!("  {}", shorten_end(meaning, left)), style(app.look, Role::Muted)),
            ];
            put(frame, area, line, Line::from(spans));
        }
    }
}

/// A line of text with the cursor in it; what is left of the window's width scrolls.
pub fn input_line(app: &App, frame: &mut Frame<'_>, area: Rect, input: &Input, focused: bool) {
    let columns = usize::from(area.width.saturating_sub(1)).max(1);
    let scroll = input.visual_scroll(columns);
    let mut skipped = 0;
    let visible: String = input
        .value()
        .chars()
        .skip_while(|c| {
            let skip = skipped < scroll;
            skipped += unicode_width::UnicodeWidthChar::width(*c).unwrap_or(0);
            skip
        })
        .collect();
    let shown = fit_left(&crate::domain::text::sanitise(&take(&visible, columns)), columns);
    let role = if focused { ratatui::style::Modifier::UNDERLINED } else { ratatui::style::Modifier::empty() };
    put(frame, area, 0, Line::styled(shown, style(app.look, Role::Text).add_modifier(role)));
    if focused {
        let at = input.visual_cursor().saturating_sub(scroll).min(columns) as u16;
        frame.set_cursor_position(Position { x: area.x + at, y: area.y });
    }
}

fn take(text: &str, columns: usize) -> String {
    let mut used = 0;
    text.chars()
        .take_while(|c| {
            used += unicode_width::UnicodeWidthChar::width(*c).unwrap_or(0);
            used <= columns
        })
        .collect()
}

fn typing(app: &App, frame: &mut Frame<'_>, wizard: &Wizard, planned: &Plan, expected: &str, input: &Input) {
    let mut rows = vec![Row::new(Role::Title, planned.title.clone())];
    rows.extend(plan_view::consequence_row(planned));
    rows.push(Row::gap());
    rows.push(Row::new(Role::Text, format!("Type {expected} and press Enter to start. Esc goes back.")));
    if let Some(complaint) = &wizard.complaint {
        rows.push(Row::new(Role::Danger, complaint.clone()));
    }
    let area = page(app, frame, wizard, &rows, 2);
    let place = Rect { y: area.y + 1, height: area.height.saturating_sub(1).min(1), ..area };
    input_line(app, frame, place, input, true);
}
