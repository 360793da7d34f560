//! Header, collections, recovery points, details.

use crate::domain::instance::Protection;
use crate::domain::problem::ProblemKind;
use crate::domain::text::{fit_left, fit_right, shorten_end, shorten_middle, width};
use crate::domain::{size, time};
use crate::ops::survey::listing::{CollectionView, ProofState, RecoveryPointView};
use crate::tui::Banner;
use crate::tui::app::App;
use crate::tui::draw::text::{Row, put, style, wrap};
use crate::tui::draw::{details, jobs};
use crate::tui::model::{InstanceState, Loadable};
use crate::tui::panes::Pane;
use crate::tui::theme::Role;
use jiff::Timestamp;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Block;

/// Draws the base screen but for the footer.
pub fn draw(app: &App, frame: &mut Frame<'_>) {
    let areas = app.areas(frame.area());
    header(app, frame, areas.header);
    for (line, row) in notices(app, areas.notices.width).into_iter().enumerate() {
        put(frame, areas.notices, line as u16, Line::styled(row.text, style(app, row.role)));
    }
    let one = |pane: Pane| !areas.narrow || app.focus == pane;
    if one(Pane::Collections) {
        collections(app, frame, areas.collections, areas.narrow);
    }
    if one(Pane::Points) {
        points(app, frame, areas.points, areas.narrow);
    }
    if one(Pane::Jobs) {
        jobs::pane(app, frame, areas.jobs);
    }
    if let Some(area) = areas.details {
        details::pane(app, frame, area);
    }
}

/// Lines below the header that stay: that this is the demo, and that the state folder cannot be written.
pub fn notices(app: &App, columns: u16) -> Vec<Row> {
    let columns = usize::from(columns);
    let mut rows = Vec::new();
    if app.banner == Banner::Demo {
        let words = " DEMO  two sandboxes with made-up data; everything works, leaving removes it all";
        rows.push(Row::new(Role::Look, shorten_end(words, columns)));
    }
    if let Some(why) = &app.model.surroundings.state {
        let words = format!(" No operation can start, and no history is kept: {why}");
        let mut wrapped = wrap(&[Row::new(Role::Danger, words).indented(1)], columns);
        wrapped.truncate(2);
        rows.extend(wrapped);
    }
    rows
}

fn header(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let mut spans = vec![Span::styled(" qsnap ", style(app, Role::Title))];
    let right = jobs_summary(app);
    let room = usize::from(area.width).saturating_sub(width(&right) + 1);
    let mut used = 7;
    let all: Vec<_> = header_entries(app, room.saturating_sub(used));
    // Where not all fit, the shown one must: those before it go first.
    let entry_width = |entry: &(&InstanceState, (&str, Role, String))| width(entry.0.name.as_str()) + width(&entry.1.2) + 3;
    let mut start = 0;
    while start < app.model.current && all[start..=app.model.current].iter().map(entry_width).sum::<usize>() + used + 8 > room {
        start += 1;
    }
    if start > 0 {
        let words = format!(" +{start}");
        used += width(&words);
        spans.push(Span::styled(words, style(app, Role::Muted)));
    }
    for (index, (state, (sign, role, words))) in all.into_iter().enumerate().skip(start) {
        let text = format!(" {sign}{}{words} ", state.name);
        if used + width(&text) > room {
            let left = app.model.instances.len() - index;
            spans.push(Span::styled(shorten_end(&format!(" +{left}"), room.saturating_sub(used)), style(app, Role::Muted)));
            break;
        }
        used += width(&text);
        let shown = index == app.model.current;
        let base = style(app, role);
        spans.push(Span::styled(text, if shown { base.add_modifier(ratatui::style::Modifier::UNDERLINED) } else { base }));
    }
    put(frame, area, 0, Line::from(spans));
    if !right.is_empty() {
        put(frame, area, 0, Line::from(format!("{right} ")).right_aligned());
    }
}

fn jobs_summary(app: &App) -> String {
    let active = app.model.jobs.active();
    let noun = if active == 1 { "job" } else { "jobs" };
    match (active, app.model.jobs.percent()) {
        (0, _) => String::new(),
        (_, Some(percent)) => format!("{active} {noun} {percent:>2}%"),
        _ => format!("{active} {noun}"),
    }
}

/// The instances with what the header says of each. Versions give way first, then what is wrong with those that
/// are not shown, then their protection; that something is wrong stays, by its sign, and so does the protection of the shown one.
fn header_entries(app: &App, room: usize) -> Vec<(&InstanceState, (&'static str, Role, String))> {
    let current = app.model.current;
    let shown = |index: usize| index == current;
    let entries = |version: bool, protection: &dyn Fn(usize) -> bool, trouble: &dyn Fn(usize) -> bool| {
        let each = app.model.instances.iter().enumerate();
        each.map(|(index, state)| (state, instance_words(state, version, protection(index), trouble(index)))).collect::<Vec<_>>()
    };
    let fits = |entries: &Vec<(&InstanceState, (&str, Role, String))>| {
        entries.iter().map(|(state, (_, _, words))| width(state.name.as_str()) + width(words) + 3).sum::<usize>() <= room
    };
    let all = |_: usize| true;
    let candidates =
        [entries(true, &all, &all), entries(false, &all, &all), entries(false, &all, &shown), entries(false, &shown, &shown)];
    candidates.into_iter().find(fits).unwrap_or_else(|| entries(false, &shown, &|_| false))
}

fn instance_words(state: &InstanceState, version: bool, protection: bool, trouble: bool) -> (&'static str, Role, String) {
    let mark = match state.protection {
        Protection::Protected if protection => " protected",
        Protection::ReadOnly if protection => " read-only",
        _ => "",
    };
    if let Some(problem) = state.view.value().and_then(|view| view.problem.as_ref()).or(state.view.problem()) {
        let words = match problem.kind {
            ProblemKind::Unreachable => " unreachable",
            ProblemKind::NotAllowed => " key refused",
            _ => " problem",
        };
        return ("✗", Role::Danger, if trouble { words } else { "" }.into());
    }
    match state.view.value() {
        Some(_) if state.retrying => ("!", Role::Look, " retrying".into()),
        Some(view) => {
            let version = view.version.filter(|_| version).map_or_else(String::new, |version| format!(" {version}"));
            ("●", Role::Good, format!("{version}{mark}"))
        }
        None => ("○", Role::Muted, " …".into()),
    }
}

/// A pane's frame; the title on the left, a count on the right. Gives the inside.
pub fn pane_frame(app: &App, frame: &mut Frame<'_>, area: Rect, pane: Pane, title: &str, right: &str) -> Rect {
    let focused = app.focus == pane && app.layers.is_empty();
    let border = if focused { style(app, Role::Focus) } else { style(app, Role::Muted) };
    let room = usize::from(area.width).saturating_sub(width(right) + 7);
    let title_role = if app.focus == pane { Role::Title } else { Role::Text };
    let mut block = Block::bordered()
        .border_style(border)
        .title(Span::styled(format!(" {} ", shorten_middle(title, room)), style(app, title_role)));
    if !right.is_empty() {
        block = block.title(Line::from(Span::styled(format!(" {right} "), style(app, Role::Text))).right_aligned());
    }
    let inner = block.inner(area);
    frame.render_widget(block, area);
    inner
}

/// What a title says of an old list; of one that could not be read again, too.
fn age_text<T>(app: &App, list: &Loadable<T>) -> String {
    match (list.problem().is_some(), app.age_words(list)) {
        (true, Some(age)) => format!("! {age} · "),
        (true, None) => "! no answer · ".to_owned(),
        (false, Some(age)) => format!("{age} · "),
        (false, None) => String::new(),
    }
}

/// `4`, or `3 of 41 /prod` when a filter hides some.
fn count_text(shown: usize, all: usize, filter: &str, typing: bool) -> String {
    match (filter.is_empty(), typing) {
        (true, false) => all.to_string(),
        (_, true) => format!("{shown} of {all} /{filter}_"),
        (false, false) => format!("{shown} of {all} /{filter}"),
    }
}

/// One row of a list, marked when it is selected.
fn row_line<'a>(app: &App, pane: Pane, selected: bool, text: String, role: Role) -> Line<'a> {
    let focused = app.focus == pane;
    let marked = format!("{}{text}", if selected { "▸" } else { " " });
    let role = match (selected, focused) {
        (true, true) => Role::Selected,
        (true, false) => Role::SelectedElsewhere,
        (false, _) => role,
    };
    Line::styled(marked, style(app, role))
}

fn collections(app: &App, frame: &mut Frame<'_>, area: Rect, narrow: bool) {
    let Some(state) = app.model.instance() else {
        pane_frame(app, frame, area, Pane::Collections, "1 Collections", "");
        return;
    };
    let visible = app.visible_collections();
    let list = app.collections.get(app.model.current);
    let (filter, typing, offset) = list.map_or(("", false, 0), |list| (list.filter.as_str(), list.typing, list.offset));
    let all = app.model.collections().len();
    let right = match state.collections.value() {
        Some(_) => format!("{}{}", age_text(app, &state.collections), count_text(visible.len(), all, filter, typing)),
        None => String::new(),
    };
    let crumb = if narrow { "" } else { "1 " };
    // In a narrow window the header may have no room for it.
    let protection = match state.protection {
        Protection::Open => String::new(),
        other => format!(" ({})", other.word()),
    };
    let protection = if narrow { protection } else { String::new() };
    let title = format!("{crumb}Collections · {}{protection}", state.name);
    let inner = pane_frame(app, frame, area, Pane::Collections, &title, &right);
    if let Some(lines) = first_steps(app, state, visible.is_empty()) {
        message(app, frame, inner, &lines);
        return;
    }
    if let Some(lines) = empty_reason(app, &state.collections, visible.is_empty(), filter) {
        message(app, frame, inner, &lines);
        return;
    }
    let widths = Widths::of(&visible, app.model.now.wall, usize::from(inner.width));
    put(frame, inner, 0, Line::styled(format!(" {}", widths.row("name", "points", "last", "")), style(app, Role::Muted)));
    let current = app.collection().map(|view| view.address.clone());
    let height = usize::from(inner.height.saturating_sub(1));
    for (line, view) in visible.iter().skip(offset).take(height).enumerate() {
        let (text, role) = collection_row(app, view, &widths);
        let selected = current.as_ref() == Some(&view.address);
        put(frame, inner, line as u16 + 1, row_line(app, Pane::Collections, selected, text, role));
    }
}

/// Columns of the collections: the name has what the others do not need.
struct Widths {
    name: usize,
    points: usize,
    last: usize,
    /// Nothing while all are green: only what is not needs a word, or a sign where a word has no room.
    status: usize,
}

/// Columns of the collections from which on a word for the status fits.
const ROOM_FOR_STATUS: usize = 44;

impl Widths {
    fn of(visible: &[&CollectionView], now: Timestamp, columns: usize) -> Self {
        let widest = |least: usize, words: &dyn Fn(&CollectionView) -> String| {
            visible.iter().map(|view| width(&words(view))).max().unwrap_or(0).max(least)
        };
        let points = widest(6, &points_words);
        let last = widest(4, &|view| last_words(view, now));
        let green = visible.iter().all(|view| status_word(view) == "green");
        let status = match (green, columns >= ROOM_FOR_STATUS) {
            (true, _) => 0,
            (false, true) => widest(0, &|view| status_word(view).to_owned()),
            (false, false) => 1,
        };
        let gap = usize::from(status > 0);
        let name = columns.saturating_sub(1 + 1 + points + 1 + last + gap + status);
        Self { name, points, last, status }
    }

    fn row(&self, name: &str, points: &str, last: &str, status: &str) -> String {
        let row = format!("{} {} {}", fit_left(name, self.name), fit_right(points, self.points), fit_right(last, self.last));
        let sign = match status {
            "green" | "" => " ",
            "yellow" | "grey" => "!",
            _ => "✗",
        };
        match self.status {
            0 => row,
            1 => format!("{row} {sign}"),
            columns => format!("{row} {}", fit_left(status, columns)),
        }
    }
}

fn points_words(view: &CollectionView) -> String {
    view.points.map_or_else(|| "–".into(), size::count)
}

fn last_words(view: &CollectionView, now: Timestamp) -> String {
    match (view.newest, view.recovery_points) {
        (Some(at), _) => time::age(now, at),
        (None, Some(0)) => "never".into(),
        _ => "–".into(),
    }
}

fn status_word(view: &CollectionView) -> &str {
    view.status.as_ref().map_or("error", |status| status.word())
}

fn collection_row(app: &App, view: &CollectionView, widths: &Widths) -> (String, Role) {
    let status = status_word(view);
    let role = match status {
        "green" => Role::Text,
        "yellow" | "grey" => Role::Look,
        _ => Role::Danger,
    };
    let marked = app.marked_collections.contains(&view.address.collection);
    let name = if marked { format!("● {}", view.address.collection) } else { view.address.collection.to_string() };
    (widths.row(&name, &points_words(view), &last_words(view, app.model.now.wall), status), role)
}

/// What somebody reads who has no configuration yet, and no server where one is looked for without.
fn first_steps(app: &App, state: &InstanceState, empty: bool) -> Option<Vec<Row>> {
    let (file, problem) = (app.model.surroundings.no_config.as_ref()?, state.collections.problem()?);
    if !empty {
        return None;
    }
    let file = crate::domain::text::sanitise(&file.display().to_string());
    let step = |command: &str, what: &str| {
        [Row::new(Role::Key, command.to_owned()), Row::new(Role::Text, format!("  {what}")).indented(2)]
    };
    let mut rows =
        vec![Row::new(Role::Danger, problem.to_string()), Row::new(Role::Look, format!("No configuration: there is no {file}"))];
    rows.extend(step("qsnap config init", "writes an example there"));
    rows.extend(step("QDRANT_URL=http://HOST:6333 qsnap", "for one server, without a file"));
    rows.extend(step("qsnap demo", "to try it on made-up data"));
    rows.push(Row::new(Role::Muted, "R asks again"));
    Some(rows)
}

/// What an empty list says, if it is empty or its question failed.
fn empty_reason<T>(app: &App, list: &Loadable<T>, empty: bool, filter: &str) -> Option<Vec<Row>> {
    if let (Some(problem), true) = (list.problem(), empty) {
        let mut rows = vec![Row::new(Role::Danger, problem.to_string())];
        if !problem.advice.is_empty() {
            rows.push(Row::gap());
            rows.push(Row::new(Role::Text, problem.advice.clone()));
        }
        rows.push(Row::gap());
        rows.push(Row::new(Role::Muted, "R asks again"));
        return Some(rows);
    }
    if !empty {
        return None;
    }
    let words = match (list.value().is_some(), filter.is_empty()) {
        (false, _) => "asking…",
        (true, false) => "nothing matches the filter; Esc clears it",
        (true, true) => "none yet",
    };
    let _ = app;
    Some(vec![Row::new(Role::Muted, words)])
}

pub(super) fn message(app: &App, frame: &mut Frame<'_>, area: Rect, rows: &[Row]) {
    let area = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    for (line, row) in wrap(rows, usize::from(area.width)).into_iter().enumerate() {
        put(frame, area, line as u16, Line::styled(row.text, style(app, row.role)));
    }
}

fn points(app: &App, frame: &mut Frame<'_>, area: Rect, narrow: bool) {
    let selected = app.collection();
    let crumb = if narrow { "" } else { "2 " };
    let title = match (selected, narrow) {
        (Some(view), false) => format!("2 Recovery points · {}", view.address.collection),
        (Some(view), true) => format!("{} > Recovery points", view.address),
        (None, _) => format!("{crumb}Recovery points"),
    };
    let list = selected.and_then(|view| app.model.points(&view.address));
    let visible = app.visible_points();
    let all = list.and_then(Loadable::value).map_or(0, |listing| listing.items.len());
    let right = match list.and_then(Loadable::value) {
        Some(listing) => {
            let marked = if app.marked.is_empty() { String::new() } else { format!("{} marked · ", app.marked.len()) };
            let partial = !listing.problems.is_empty();
            let age = list.map_or_else(String::new, |list| age_text(app, list));
            let count = count_text(visible.len(), all, &app.points.filter, app.points.typing);
            if partial { format!("! not all nodes answered · {marked}{count}") } else { format!("{age}{marked}{count}") }
        }
        None => String::new(),
    };
    let inner = pane_frame(app, frame, area, Pane::Points, &title, &right);
    if selected.is_none() {
        message(app, frame, inner, &[Row::new(Role::Muted, "select a collection")]);
        return;
    }
    let never = Loadable::Never;
    if let Some(mut lines) = empty_reason(app, list.unwrap_or(&never), visible.is_empty(), &app.points.filter) {
        if all == 0 && list.is_some_and(|list| list.value().is_some() && list.problem().is_none()) {
            lines = vec![
                Row::new(Role::Look, "no recovery point"),
                Row::gap(),
                Row::new(Role::Text, "s takes a snapshot on the node"),
            ];
        }
        message(app, frame, inner, &lines);
        return;
    }
    let columns = usize::from(inner.width);
    let taken_columns = if columns >= ROOM_FOR_SECONDS { 19 } else { 16 };
    let where_columns = columns.saturating_sub(1 + taken_columns + 1 + 9 + 1 + 1 + 8).max(4);
    let heading = format!(
        " {} {} {} {}",
        fit_left("taken (UTC)", taken_columns),
        fit_right("size", 9),
        fit_left("kept", where_columns),
        "proof"
    );
    put(frame, inner, 0, Line::styled(shorten_end(&heading, columns), style(app, Role::Muted)));
    let current = app.point().map(|point| (point.node, point.snapshot.name.clone()));
    let height = usize::from(inner.height.saturating_sub(1));
    for (line, point) in visible.iter().skip(app.points.offset).take(height).enumerate() {
        let is_selected = current.as_ref().is_some_and(|(node, name)| *node == point.node && *name == point.snapshot.name);
        let taken = fit_left(&taken_words(point, &visible, columns >= ROOM_FOR_SECONDS), taken_columns);
        let text = format!("{taken} {}", point_row(app, point, where_columns));
        let text = shorten_end(&text, columns.saturating_sub(1));
        put(frame, inner, line as u16 + 1, row_line(app, Pane::Points, is_selected, text, Role::Text));
    }
}

/// Columns of the recovery points from which on the seconds fit.
const ROOM_FOR_SECONDS: usize = 50;

/// When a point was taken. Without room for seconds they are shown where two of one minute would look alike.
fn taken_words(point: &RecoveryPointView, all: &[&RecoveryPointView], room: bool) -> String {
    let Some(at) = point.snapshot.taken_at else { return shorten_middle(&point.snapshot.name.to_string(), 16) };
    let minute = |at: Timestamp| at.as_second().div_euclid(60);
    let same = |other: &&&RecoveryPointView| other.snapshot.taken_at.is_some_and(|other| minute(other) == minute(at));
    let alike = || all.iter().filter(same).nth(1).is_some();
    match room {
        true => time::second(at),
        false if alike() => time::within_minute(at),
        false => time::minute(at),
    }
}

fn point_row(app: &App, point: &RecoveryPointView, where_columns: usize) -> String {
    let nodes = app.model.instance().and_then(|state| state.view.value()).map_or(1, |view| view.nodes.len());
    let place = if nodes > 1 { format!("node {}", point.node) } else { "node".to_owned() };
    let marked = app.marked.iter().any(|(address, name)| *address == point.address && *name == point.snapshot.name);
    let place = if marked { format!("{place} ●") } else { place };
    let proof = match point.proof {
        _ if point.safety => "safety",
        ProofState::None => "–",
        ProofState::Recorded => "recorded",
        ProofState::Proven(_) => "✓ proven",
    };
    format!("{} {} {proof}", fit_right(&size::bytes(point.snapshot.size), 9), fit_left(&place, where_columns))
}
