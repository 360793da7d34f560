//! Header, collections, recovery points, details.

use crate::domain::address::SnapshotsOf;
use crate::domain::instance::Protection;
use crate::domain::text::{fit_left, fit_right, width};
use crate::domain::{size, time};
use crate::ops::retention::freshness::Level;
use crate::ops::survey::listing::CollectionView;
use crate::tui::app::state::App;
use crate::tui::look::text::{put, style};
use crate::tui::look::theme::Role;
use crate::tui::panes::frame::{message, pane_frame};
use crate::tui::panes::header::header;
use crate::tui::panes::list::{EVERYTHING, Pane};
use crate::tui::panes::list_view::{RowState, age_text, count_text, empty_reason, first_steps, marked_text, row_line};
use crate::tui::panes::model::Loadable;
use crate::tui::panes::notices::notices;
use crate::tui::panes::order::CollectionOrder;
use crate::tui::panes::points_view::points;
use crate::tui::panes::{details_view, jobs_view};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

/// Draws the base screen but for the footer.
pub fn draw(app: &App, frame: &mut Frame<'_>) {
    let areas = app.areas(frame.area());
    header(app, frame, areas.header);
    for (line, row) in notices(app.banner, &app.model.surroundings, areas.notices.width).into_iter().enumerate() {
        put(frame, areas.notices, line as u16, Line::styled(row.text, style(app.look, row.role)));
    }
    let one = |pane: Pane| !areas.narrow || app.focus == pane;
    if one(Pane::Collections) {
        collections(app, frame, areas.collections, areas.narrow);
    }
    if one(Pane::Points) {
        points(app, frame, areas.points, areas.narrow);
    }
    if one(Pane::Jobs) {
        jobs_view::pane(app, frame, areas.jobs);
    }
    if let Some(area) = areas.details {
        details_view::pane(app, frame, area);
    }
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
        Some(_) => {
            let marked = marked_text(app.marked_collections.len());
            format!("{marked}{}{}", age_text(app, &state.collections), count_text(visible.len(), all, filter, typing))
        }
        None => String::new(),
    };
    let crumb = if narrow { "" } else { "1 " };
    // In a narrow window the header may have no room for it.
    let protection = match state.protection {
        Protection::Open => String::new(),
        other => format!(" ({})", other.word()),
    };
    let protection = if narrow { protection } else { String::new() };
    let order = match app.collection_order {
        CollectionOrder::Name => String::new(),
        other => format!(", {}", other.words()),
    };
    let title = format!("{crumb}Collections · {}{protection}{order}", state.name);
    let inner = pane_frame(app, frame, area, Pane::Collections, &title, &right);
    if let Some(lines) = first_steps(app, state, visible.is_empty()) {
        message(app, frame, inner, &lines);
        return;
    }
    if let Some(lines) = empty_reason(app, &state.collections, visible.is_empty(), filter) {
        message(app, frame, inner, &lines);
        return;
    }
    let height = usize::from(inner.height.saturating_sub(1));
    // Of a long list the columns fit what is seen of it.
    let fitted =
        if visible.len() > LONG { &visible[offset.min(visible.len())..(offset + height).min(visible.len())] } else { &visible };
    let widths = Widths::of(app, fitted, usize::from(inner.width));
    put(frame, inner, 0, Line::styled(format!(" {}", widths.row("name", "points", "last", "")), style(app.look, Role::Muted)));
    let current = app.subject();
    let rows = visible.iter().map(Some).chain(app.shows_storage().then_some(None));
    for (line, view) in rows.skip(offset).take(height).enumerate() {
        let of = match view {
            Some(view) => SnapshotsOf::Collection(view.address.clone()),
            None => SnapshotsOf::Storage(state.name.clone()),
        };
        let (text, role) = match view {
            Some(view) => collection_row(app, view, &widths),
            None => (widths.row(EVERYTHING, "", &storage_words(app, &of), ""), Role::Muted),
        };
        let marked = of.collection().is_some_and(|address| app.marked_collections.contains(&address.collection));
        let state = RowState { selected: current.as_ref() == Some(&of), marked };
        put(frame, inner, line as u16 + 1, row_line(app, Pane::Collections, state, text, role));
    }
}

/// Rows from which on a list is long.
const LONG: usize = 300;

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
    fn of(app: &App, visible: &[&CollectionView], columns: usize) -> Self {
        let widest = |least: usize, words: &dyn Fn(&CollectionView) -> String| {
            visible.iter().map(|view| width(&words(view))).max().unwrap_or(0).max(least)
        };
        let points = widest(6, &points_words);
        let last = widest(4, &|view| last_words(app, view));
        let green = visible.iter().all(|view| matches!(status_word(view), "green" | ""));
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

/// The age of the newest recovery point, wherever it is; a sign where the newest good backup is older than is wanted.
fn last_words(app: &App, view: &CollectionView) -> String {
    let watched = app.model.watched(&view.address);
    let late = watched.is_some_and(|item| item.freshness.level == Level::Critical);
    let stored = watched.and_then(|item| item.newest.as_ref()).map(|newest| newest.at);
    let words = match (view.newest.max(stored), view.recovery_points) {
        (Some(at), _) => time::age(app.model.now.wall, at),
        (None, Some(0)) => "never".into(),
        _ => "–".into(),
    };
    if late { format!("{words} late") } else { words }
}

/// The age of the newest snapshot of the full storage, once they were listed.
fn storage_words(app: &App, of: &SnapshotsOf) -> String {
    let listing = app.model.points(of).and_then(Loadable::value);
    let newest = listing.and_then(|listing| listing.items.iter().filter_map(|point| point.snapshot.taken_at).max());
    match (listing, newest) {
        (_, Some(at)) => time::age(app.model.now.wall, at),
        (Some(_), None) => "never".into(),
        (None, None) => String::new(),
    }
}

fn status_word(view: &CollectionView) -> &str {
    match &view.status {
        Some(status) => status.word(),
        None if view.read => "error",
        None => "",
    }
}

fn collection_row(app: &App, view: &CollectionView, widths: &Widths) -> (String, Role) {
    let status = status_word(view);
    let role = match status {
        "green" | "" => Role::Text,
        "yellow" | "grey" => Role::Look,
        _ => Role::Danger,
    };
    (widths.row(&view.address.collection.to_string(), &points_words(view), &last_words(app, view), status), role)
}
