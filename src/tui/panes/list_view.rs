//! What all lists of the base screen have: counts, ages, marks, and why one is empty.

use crate::tui::app::state::App;
use crate::tui::look::text::{Row, style};
use crate::tui::look::theme::Role;
use crate::tui::panes::list::Pane;
use crate::tui::panes::model::{InstanceState, Loadable};
use ratatui::text::Line;

/// What a title says of an old list; of one that could not be read again, too.
pub(super) fn age_text<T>(app: &App, list: &Loadable<T>) -> String {
    match (list.problem().is_some(), app.age_words(list)) {
        (true, Some(age)) => format!("! {age} · "),
        (true, None) => "! no answer · ".to_owned(),
        (false, Some(age)) => format!("{age} · "),
        (false, None) => String::new(),
    }
}

/// `4`, or `3 of 41 /prod` when a filter hides some.
pub(super) fn count_text(shown: usize, all: usize, filter: &str, typing: bool) -> String {
    match (filter.is_empty(), typing) {
        (true, false) => all.to_string(),
        (_, true) => format!("{shown} of {all} /{filter}_"),
        (false, false) => format!("{shown} of {all} /{filter}"),
    }
}

/// What a title says of marks.
pub(super) fn marked_text(marks: usize) -> String {
    if marks == 0 { String::new() } else { format!("{marks} marked · ") }
}

/// How a row stands out.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowState {
    /// The cursor is on it.
    pub selected: bool,
    /// It is one of those that an operation takes together.
    pub marked: bool,
}

/// One row of a list, with its sign. The cursor is seen without one, too.
pub(super) fn row_line<'a>(app: &App, pane: Pane, state: RowState, text: String, role: Role) -> Line<'a> {
    let focused = app.focus == pane;
    let sign = match (state.marked, state.selected) {
        (true, _) => "●",
        (false, true) => "▸",
        (false, false) => " ",
    };
    let marked = format!("{sign}{text}");
    let role = match (state.selected, focused) {
        (true, true) => Role::Selected,
        (true, false) => Role::SelectedElsewhere,
        (false, _) => role,
    };
    Line::styled(marked, style(app.look, role))
}

/// What somebody reads who has no configuration yet, and no server where one is looked for without.
pub(super) fn first_steps(app: &App, state: &InstanceState, empty: bool) -> Option<Vec<Row>> {
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
    rows.extend(step("qsnap --url http://HOST:6333", "for one server, without a file"));
    rows.extend(step("qsnap demo", "to try it on made-up data"));
    rows.push(Row::new(Role::Muted, "R asks again"));
    Some(rows)
}

/// What an empty list says, if it is empty or its question failed.
pub(super) fn empty_reason<T>(app: &App, list: &Loadable<T>, empty: bool, filter: &str) -> Option<Vec<Row>> {
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
