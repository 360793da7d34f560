//! The fleet, drawn: how old the last good backup of each collection is, against its target, where it is, and when it was proven.

use crate::domain::text::{fit_left, fit_right, shorten_end, width};
use crate::domain::time;
use crate::ops::retention::freshness::Level;
use crate::ops::survey::watch::{Watch, Watched};
use crate::tui::app::state::App;
use crate::tui::layers::fleet::Fleet;
use crate::tui::look::layout;
use crate::tui::look::text::{Row, frame_box, put, style, wrap};
use crate::tui::look::theme::Role;
use jiff::Timestamp;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

/// Lines below the list that say what is wrong with the marked collection.
const WORDS: u16 = 4;

/// Columns of all but the name.
const FIXED: usize = 2 + 1 + 6 + 1 + 6 + 1 + 10 + 1 + 8;

/// Draws it.
pub fn draw(app: &App, frame: &mut Frame<'_>, fleet: &Fleet) {
    let area = frame.area();
    let columns = area.width.saturating_sub(2).min(110);
    let inner = frame_box(app.look, frame, columns, area.height.saturating_sub(2), &title(app));
    let Some(watch) = app.model.watch.value() else {
        put(frame, inner, 0, Line::styled("looking at all instances and repositories …", style(app.look, Role::Muted)));
        return;
    };
    let below = WORDS.min(inner.height / 3);
    let list = Rect { height: inner.height.saturating_sub(below), ..inner };
    rows(app, frame, list, fleet, watch);
    let words = Rect { y: inner.y + list.height, height: below, ..inner };
    for (line, row) in words_of(fleet, watch, usize::from(inner.width)).iter().take(usize::from(below)).enumerate() {
        put(frame, words, line as u16, Line::styled(row.text.clone(), style(app.look, row.role)));
    }
}

fn title(app: &App) -> String {
    let Some(watch) = app.model.watch.value() else { return "Fleet".into() };
    let [good, warning, critical, unknown] = watch.counts();
    // Where nothing is wanted nothing can be late: that is no good news.
    let unwanted = |item: &&Watched| item.freshness.level == Level::Ok && item.policy.rpo.age().is_none();
    let unwanted = watch.items.iter().filter(unwanted).count();
    let good = good.saturating_sub(unwanted);
    let each = [(critical, "late"), (warning, "to look at"), (unknown, "unknown"), (good, "ok"), (unwanted, "without a target")];
    let words: Vec<String> = each.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    format!("Fleet · {}", if words.is_empty() { "no collection".to_owned() } else { words.join(", ") })
}

fn rows(app: &App, frame: &mut Frame<'_>, area: Rect, fleet: &Fleet, watch: &Watch) {
    let columns = usize::from(area.width);
    let name = watch.items.iter().map(|item| width(&item.address.to_string())).max().unwrap_or(0);
    let name = name.clamp(12, columns.saturating_sub(FIXED).max(12));
    let heading = format!(
        "  {} {} {} {} {}",
        fit_left("collection", name),
        fit_right("age", 6),
        fit_right("target", 6),
        fit_left("in", 10),
        "proven"
    );
    put(frame, area, 0, Line::styled(shorten_end(&heading, columns), style(app.look, Role::Muted)));
    let selected = fleet.selected(watch);
    let height = usize::from(area.height.saturating_sub(1));
    let offset = layout::scroll(selected, 0, height, watch.items.len());
    for (line, (index, item)) in watch.items.iter().enumerate().skip(offset).take(height).enumerate() {
        let mark = if index == selected { "▸" } else { " " };
        let text = shorten_end(&format!("{mark}{}", row(item, name, app.model.now.wall)), columns);
        let role = if index == selected { Role::Selected } else { role(item.freshness.level) };
        put(frame, area, line as u16 + 1, Line::styled(text, style(app.look, role)));
    }
}

fn role(level: Level) -> Role {
    match level {
        Level::Ok => Role::Text,
        Level::Warning | Level::Unknown => Role::Look,
        Level::Critical => Role::Danger,
    }
}

fn sign(level: Level) -> &'static str {
    match level {
        Level::Ok => " ",
        Level::Warning => "!",
        Level::Unknown => "?",
        Level::Critical => "✗",
    }
}

fn row(item: &Watched, name: usize, now: Timestamp) -> String {
    let newest = item.newest.as_ref();
    let age = newest.map_or_else(|| "never".to_owned(), |newest| time::age(now, newest.at));
    let target = item.policy.rpo.age().map_or_else(|| "–".to_owned(), time::span);
    let place = newest.map_or_else(
        || "–".to_owned(),
        |newest| newest.repository.as_ref().map_or_else(|| "node".to_owned(), ToString::to_string),
    );
    let proven = item.freshness.proven_at.map_or_else(|| "never".to_owned(), |at| time::ago(now, at));
    format!(
        "{}{} {} {} {} {proven}",
        sign(item.freshness.level),
        fit_left(&item.address.to_string(), name),
        fit_right(&age, 6),
        fit_right(&target, 6),
        fit_left(&place, 10)
    )
}

/// What is wrong with the marked one; and what could not be read at all.
fn words_of(fleet: &Fleet, watch: &Watch, columns: usize) -> Vec<Row> {
    let mut rows = vec![Row::gap()];
    if let Some(item) = watch.items.get(fleet.selected(watch)) {
        let role = role(item.freshness.level);
        let words = match (item.freshness.words.is_empty(), item.policy.has_target()) {
            (false, _) => item.freshness.words.join("; "),
            (true, true) => "as young and as well proven as is wanted".to_owned(),
            (true, false) => "nothing is wanted of it: `rpo` in the configuration says how old its last backup may be".to_owned(),
        };
        rows.push(Row::new(role, words));
        if item.not_good > 0 {
            rows.push(Row::new(Role::Look, format!("{} of its backups are incomplete, damaged or unreadable", item.not_good)));
        }
    }
    if watch.nodes_only {
        rows.push(Row::new(Role::Look, "no repository is configured: snapshots on the nodes are counted"));
    }
    rows.extend(watch.problems.iter().map(|(on, problem)| Row::new(Role::Look, format!("{on}: {}", problem.message))));
    wrap(&rows, columns)
}
