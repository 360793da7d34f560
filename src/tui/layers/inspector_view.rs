//! The inspector: findings on top, what it is on the left, what is in it on the right; or two side by side.

use crate::archive::check::{Check, Severity};
use crate::domain::size;
use crate::domain::text::{fit_left, fit_right, shorten_end, shorten_middle, width};
use crate::ops::request::inspect::Depth;
use crate::ops::survey::inspect::{self, Inspected};
use crate::tui::app::state::App;
use crate::tui::layers::inspector::{Half, Inspector, Looked, Reading};
use crate::tui::look::glyphs::SPINNER;
use crate::tui::look::layout;
use crate::tui::look::text::{Row, frame_at, put, scrolled, style, wrap};
use crate::tui::look::theme::Role;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;

/// Below this many columns one half is shown at a time.
const BOTH: u16 = 70;

/// Rows of findings at most.
const FINDINGS: usize = 6;

/// Draws it over everything but the footer.
pub fn draw(app: &App, frame: &mut Frame<'_>, inspector: &Inspector) {
    let window = frame.area();
    let page = Rect { y: window.y + 1, height: window.height.saturating_sub(3), ..window };
    let inner = frame_at(app.look, frame, page, &inspector.title());
    match &inspector.looked[..] {
        [one] => single(app, frame, inner, inspector, one),
        both => compared(app, frame, inner, inspector, both),
    }
}

fn single(app: &App, frame: &mut Frame<'_>, area: Rect, inspector: &Inspector, looked: &Looked) {
    let columns = usize::from(area.width);
    let mut top = wrap(&finding_rows(app, looked), columns);
    if top.len() > FINDINGS {
        top.truncate(FINDINGS - 1);
        top.push(Row::new(Role::Muted, "    … all of it stands below what it is (Tab, ↓)"));
    }
    let [findings, _, rest] =
        Layout::vertical([Constraint::Length(top.len() as u16), Constraint::Length(1), Constraint::Fill(1)]).areas(area);
    for (line, row) in top.iter().enumerate() {
        put(frame, findings, line as u16, Line::styled(shorten_end(&row.text, columns), style(app.look, row.role)));
    }
    if area.width >= BOTH {
        let [left, _, right] = Layout::horizontal([Constraint::Fill(1), Constraint::Length(2), Constraint::Fill(1)]).areas(rest);
        summary(app, frame, left, inspector, looked);
        tree(app, frame, right, inspector, looked);
    } else if inspector.half == Half::Tree {
        tree(app, frame, rest, inspector, looked);
    } else {
        summary(app, frame, rest, inspector, looked);
    }
}

fn heading(app: &App, frame: &mut Frame<'_>, area: Rect, words: &str, focused: bool) -> Rect {
    let role = if focused { Role::Title } else { Role::Muted };
    put(frame, area, 0, Line::styled(shorten_end(words, usize::from(area.width)), style(app.look, role)));
    Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area }
}

fn reading_words(app: &App, reading: &Reading) -> String {
    let spin = SPINNER[app.ticks as usize % SPINNER.len()];
    let phase = if reading.sample.phase.is_empty() { "asking the server" } else { &reading.sample.phase };
    let share = reading
        .sample
        .total
        .filter(|total| *total > 0)
        .map(|total| format!(" {}%", (u128::from(reading.sample.done) * 100 / u128::from(total)).min(100)));
    let bytes = reading.sample.total.map(|total| format!(" · {}", reading.sample.unit.share(reading.sample.done, total)));
    let elapsed = app.model.now.mono.saturating_sub(reading.since);
    let note = if reading.sample.note.is_empty() { String::new() } else { format!(" · {}", reading.sample.note) };
    format!(
        "{spin} {phase}{}{}{note} · {}",
        share.unwrap_or_default(),
        bytes.unwrap_or_default(),
        crate::domain::time::duration(elapsed)
    )
}

/// What became of the hash, in the line that is always seen.
fn hash_words(found: &Inspected) -> &'static str {
    match found.hashed.as_ref().map(|hashed| hashed.expected.as_ref().map(|expected| *expected == hashed.sha256)) {
        Some(Some(true)) => "; its sha256 is the listed one",
        Some(None) => "; every byte was read, but no sha256 is listed to compare with",
        Some(Some(false)) | None => "",
    }
}

fn verdict_rows(check: &Check, hash: &str) -> Vec<Row> {
    let damaged = check.damaged > 0;
    let mut rows = Vec::new();
    if check.flaws.is_empty() {
        rows.push(Row::new(Role::Good, format!("✓ {}{hash}", check.verdict)).indented(2));
    } else {
        let (role, sign) = match (damaged, check.whole) {
            (true, _) => (Role::Danger, "✗"),
            (false, true) => (Role::Good, "✓"),
            (false, false) => (Role::Look, "?"),
        };
        let words = if damaged { "damaged: do not restore it" } else { check.verdict.as_str() };
        rows.push(Row::new(role, format!("{sign} {words}{hash}")).indented(2));
    }
    for flaw in &check.flaws {
        let (role, sign) = match flaw.severity {
            Severity::Damage => (Role::Danger, "✗"),
            Severity::Doubt => (Role::Look, "?"),
            Severity::Look => (Role::Look, "!"),
        };
        let entry = if flaw.entry.is_empty() { String::new() } else { format!("{}: ", shorten_middle(&flaw.entry, 60)) };
        let at = flaw.offset.map(|offset| format!(" (at byte {offset})")).unwrap_or_default();
        let advice = if flaw.advice.is_empty() { String::new() } else { format!(": {}", flaw.advice) };
        rows.push(Row::new(role, format!("  {sign} {entry}{}{at}{advice}", flaw.what)).indented(4));
    }
    rows
}

fn finding_rows(app: &App, looked: &Looked) -> Vec<Row> {
    let mut rows = Vec::new();
    if let Some(reading) = &looked.reading {
        rows.push(Row::new(Role::Text, reading_words(app, reading)));
    }
    if let Some(problem) = &looked.problem {
        rows.push(Row::new(Role::Danger, format!("✗ {problem}")).indented(2));
        if !problem.advice.is_empty() {
            rows.push(Row::new(Role::Text, format!("  {}", problem.advice)).indented(2));
        }
    }
    match looked.found.as_ref().map(|found| (&found.check, found)) {
        Some((Some(check), found)) => rows.extend(verdict_rows(check, hash_words(found))),
        Some((None, _)) if looked.reading.is_none() => {
            rows.push(
                Row::new(Role::Look, "! not checked: only the end of the file was read; t reads all headers and checks")
                    .indented(2),
            );
        }
        _ => {}
    }
    rows
}

fn summary(app: &App, frame: &mut Frame<'_>, area: Rect, inspector: &Inspector, looked: &Looked) {
    let area = heading(app, frame, area, "what it is", inspector.half == Half::Summary);
    let Some(found) = &looked.found else { return };
    let mut rows = Vec::new();
    let mut before = "";
    for (label, words) in inspect::summary(found) {
        let shown = if label == before { "" } else { label };
        before = label;
        rows.push(Row::new(Role::Text, format!("{} {words}", fit_left(shown, 10))).indented(11));
    }
    if found.requests > 0 {
        let words = format!("{} {}", fit_left("read", 10), inspect::cost(found));
        rows.push(Row::new(Role::Muted, words).indented(11));
    }
    if let Some(check) = found.check.as_ref().filter(|check| check.flaws.len() > 1) {
        rows.push(Row::gap());
        rows.extend(verdict_rows(check, ""));
    }
    let rows = wrap(&rows, usize::from(area.width));
    let scroll = if inspector.half == Half::Summary { inspector.scroll } else { 0 };
    scrolled(app.look, frame, area, &rows, scroll);
}

fn tree(app: &App, frame: &mut Frame<'_>, area: Rect, inspector: &Inspector, looked: &Looked) {
    let focused = inspector.half == Half::Tree;
    let columns = usize::from(area.width);
    let names = columns.saturating_sub(11);
    let words = format!("{} {}", fit_left("what is in it", names), fit_right("in file", 10));
    let area = heading(app, frame, area, &words, focused);
    if !looked.has_tree() {
        let words = if looked.reading.as_ref().is_some_and(|reading| reading.depth > Depth::End) {
            "reading …"
        } else {
            "t reads all headers: the tree, and whether it is whole"
        };
        let rows = wrap(&[Row::new(Role::Muted, words)], columns);
        scrolled(app.look, frame, area, &rows, 0);
        return;
    }
    let rows = inspector.rows();
    let unnamed = looked.found.as_ref().map_or(0, |found| found.contents.tree.unnamed);
    let height = usize::from(area.height).saturating_sub(usize::from(unnamed > 0));
    let offset = layout::scroll(inspector.selected, inspector.selected.saturating_sub(height / 2), height, rows.len());
    for (line, row) in rows.iter().enumerate().skip(offset).take(height) {
        let sign = if line == inspector.selected { "▸" } else { " " };
        let indent = "  ".repeat(row.depth.min(6));
        let slash = if row.is_folder() { "/" } else { "" };
        let name = shorten_middle(&format!("{}{slash}", row.name), names.saturating_sub(1 + width(&indent)));
        let text = format!(
            "{sign}{} {}",
            fit_left(&format!("{indent}{name}"), names.saturating_sub(1)),
            fit_right(&size::bytes(row.node.sizes.stored), 10)
        );
        let role = match (line == inspector.selected, focused) {
            (true, true) => Role::Selected,
            (true, false) => Role::SelectedElsewhere,
            _ => Role::Text,
        };
        put(frame, area, (line - offset) as u16, Line::styled(shorten_end(&text, columns), style(app.look, role)));
    }
    if unnamed > 0 {
        let words = format!("and {} more entries", size::exact(unnamed));
        put(frame, area, area.height.saturating_sub(1), Line::styled(words, style(app.look, Role::Muted)));
    }
}

fn compared(app: &App, frame: &mut Frame<'_>, area: Rect, inspector: &Inspector, both: &[Looked]) {
    let columns = usize::from(area.width);
    let mut rows = Vec::new();
    for (label, looked) in ["first", "second"].iter().zip(both) {
        rows.push(Row::new(Role::Title, format!("{} {}", fit_left(label, 7), looked.point)).indented(8));
        rows.extend(finding_rows(app, looked).into_iter().map(|row| Row {
            text: format!("        {}", row.text),
            indent: 10,
            ..row
        }));
    }
    rows.push(Row::gap());
    let mut rows = wrap(&rows, columns);
    if let Some(differences) = &inspector.differences {
        let label = (columns * 3 / 10).min(34);
        let value = columns.saturating_sub(label + 2) / 2;
        let line = |what: &str, first: &str, second: &str| {
            let fit = |text: &str, room| fit_left(&shorten_middle(text, room), room);
            format!("{} {} {}", fit(what, label), fit(first, value), shorten_middle(second, value))
        };
        if differences.is_empty() {
            rows.push(Row::new(Role::Good, "no difference in configuration, schema, sizes or shards"));
        } else {
            rows.push(Row::new(Role::Muted, line("different", "first", "second")));
            rows.extend(differences.iter().map(|one| Row::new(Role::Text, line(&one.what, &one.first, &one.second))));
        }
    }
    scrolled(app.look, frame, area, &rows, inspector.scroll);
}
