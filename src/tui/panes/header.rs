//! The header: the instances, how each answers, and how many jobs run.

use crate::domain::instance::Protection;
use crate::domain::problem::ProblemKind;
use crate::domain::text::{shorten_end, width};
use crate::ops::retention::freshness::Level;
use crate::tui::app::state::App;
use crate::tui::look::text::{put, style};
use crate::tui::look::theme::Role;
use crate::tui::panes::model::InstanceState;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

pub(super) fn header(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let mut spans = vec![Span::styled(" qsnap ", style(app.look, Role::Title))];
    let late = late_words(app);
    let jobs = jobs_summary(app);
    let right = [late.as_str(), jobs.as_str()].into_iter().filter(|words| !words.is_empty()).collect::<Vec<_>>().join(" · ");
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
        spans.push(Span::styled(words, style(app.look, Role::Muted)));
    }
    for (index, (state, (sign, role, words))) in all.into_iter().enumerate().skip(start) {
        let text = format!(" {sign}{}{words} ", state.name);
        if used + width(&text) > room {
            let left = app.model.instances.len() - index;
            spans.push(Span::styled(shorten_end(&format!(" +{left}"), room.saturating_sub(used)), style(app.look, Role::Muted)));
            break;
        }
        used += width(&text);
        let shown = index == app.model.current;
        let base = style(app.look, role);
        spans.push(Span::styled(text, if shown { base.add_modifier(ratatui::style::Modifier::UNDERLINED) } else { base }));
    }
    put(frame, area, 0, Line::from(spans));
    if !right.is_empty() {
        put(frame, area, 0, Line::from(format!("{right} ")).right_aligned());
    }
}

/// How many collections have no good backup that is young enough.
fn late_words(app: &App) -> String {
    let late = app.model.watch.value().map_or(0, |watch| watch.counts()[usize::from(Level::Critical.code())]);
    if late == 0 { String::new() } else { format!("RPO {late} late") }
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
        let silent = state.view.value().map_or(&[][..], |view| view.silent.as_slice());
        let away = silent.iter().flatten().count();
        // Of several nodes some may be away: the instance as a whole answers.
        if away > 0 && away < silent.len() {
            let words = if trouble { format!(" {away}/{} away", silent.len()) } else { String::new() };
            return ("!", Role::Look, format!("{words}{mark}"));
        }
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
