//! The list of recovery points.

use crate::domain::address::SnapshotsOf;
use crate::domain::text::{fit_left, fit_right, shorten_end, shorten_middle, width};
use crate::domain::{size, time};
use crate::ops::survey::listing::{ProofState, RecoveryPointView};
use crate::tui::app::state::App;
use crate::tui::look::text::{Row, put, style};
use crate::tui::look::theme::Role;
use crate::tui::panes::frame::{message, pane_frame};
use crate::tui::panes::list::Pane;
use crate::tui::panes::list_view::{RowState, age_text, count_text, empty_reason, marked_text, row_line};
use crate::tui::panes::model::Loadable;
use crate::tui::panes::order::PointOrder;
use jiff::Timestamp;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

/// Columns of the recovery points from which on the seconds fit.
const ROOM_FOR_SECONDS: usize = 50;

/// Columns of the proof.
const PROOF: usize = 8;

fn title(selected: Option<&SnapshotsOf>, narrow: bool) -> String {
    match (selected, narrow) {
        (Some(SnapshotsOf::Collection(address)), false) => format!("2 Recovery points · {}", address.collection),
        (Some(SnapshotsOf::Storage(instance)), false) => format!("2 Snapshots of all of {instance}"),
        (Some(of), true) => format!("{of} > Recovery points"),
        (None, true) => "Recovery points".to_owned(),
        (None, false) => "2 Recovery points".to_owned(),
    }
}

/// What an empty list says.
fn how_to_begin(whole: bool) -> Vec<Row> {
    let lines: &[&str] = if whole {
        &["s takes one: all collections and aliases in one file"]
    } else {
        &["b backs it up into the repository", "s takes a snapshot on the node"]
    };
    let none = if whole { "no snapshot of the whole instance" } else { "no recovery point" };
    let lines = lines.iter().map(|line| Row::new(Role::Text, *line));
    [Row::new(Role::Look, none), Row::gap()].into_iter().chain(lines).collect()
}

pub(super) fn points(app: &App, frame: &mut Frame<'_>, area: Rect, narrow: bool) {
    let selected = app.subject();
    let mut title = title(selected.as_ref(), narrow);
    if app.point_order != PointOrder::default() {
        title.push_str(", ");
        title.push_str(app.point_order.words());
    }
    let list = selected.as_ref().and_then(|of| app.model.points(of));
    let visible = app.visible_points();
    let all = list.and_then(Loadable::value).map_or(0, |listing| listing.items.len());
    let right = match list.and_then(Loadable::value) {
        Some(listing) => {
            let marked = marked_text(app.marked.len());
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
            lines = how_to_begin(matches!(selected, Some(SnapshotsOf::Storage(_))));
        }
        message(app, frame, inner, &lines);
        return;
    }
    let columns = usize::from(inner.width);
    let taken_columns = if columns >= ROOM_FOR_SECONDS { 19 } else { 16 };
    let sizes = visible.iter().map(|point| width(&size::bytes(point.snapshot.size))).max().unwrap_or(0).max(4);
    let where_columns = columns.saturating_sub(1 + taken_columns + 1 + sizes + 1 + 1 + PROOF).max(4);
    let heading = format!(
        " {} {} {} {}",
        fit_left("taken (UTC)", taken_columns),
        fit_right("size", sizes),
        fit_left("kept", where_columns),
        "proof"
    );
    put(frame, inner, 0, Line::styled(shorten_end(&heading, columns), style(app.look, Role::Muted)));
    let current = app.point().map(|point| (point.node, point.snapshot.name.clone()));
    let height = usize::from(inner.height.saturating_sub(1));
    for (line, point) in visible.iter().skip(app.points.offset).take(height).enumerate() {
        let is_selected = current.as_ref().is_some_and(|(node, name)| *node == point.node && *name == point.snapshot.name);
        let state = RowState { selected: is_selected, marked: app.marked.contains(&point.point()) };
        let taken = fit_left(&taken_words(point, &visible, columns >= ROOM_FOR_SECONDS), taken_columns);
        let text = format!("{taken}{}{}", flag(point), point_row(app, point, (sizes, where_columns)));
        let text = shorten_end(&text, columns.saturating_sub(1));
        put(frame, inner, line as u16 + 1, row_line(app, Pane::Points, state, text, Role::Text));
    }
}

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

/// What stands between the time and the size: that it is held.
fn flag(point: &RecoveryPointView) -> &'static str {
    match &point.stored {
        Some(stored) if stored.hold.is_some() => "⚑",
        _ => " ",
    }
}

fn point_row(app: &App, point: &RecoveryPointView, (sizes, where_columns): (usize, usize)) -> String {
    let nodes = app.model.instance().and_then(|state| state.view.value()).map_or(1, |view| view.nodes.len());
    let place = match &point.stored {
        Some(stored) => stored.address.repository.to_string(),
        None if nodes > 1 => format!("node {}", point.node),
        None => "node".to_owned(),
    };
    let proof = match point.proof {
        _ if point.safety => "safety",
        _ if !point.is_wanted() => match point.stored.as_ref().map_or("", |stored| stored.state) {
            "incomplete" => "✗ part",
            "bad" => "✗ bad",
            "doubtful" => "✗ doubt",
            _ => "✗ ?",
        },
        ProofState::None => "–",
        ProofState::Recorded => "recorded",
        ProofState::Proven(_) => "✓ proven",
    };
    format!("{} {} {proof}", fit_right(&size::bytes(point.snapshot.size), sizes), fit_left(&place, where_columns))
}
