//! The message line and the hints. Hints come from the key table, like the help.

use crate::domain::text::{shorten_end, width};
use crate::tui::app::state::App;
use crate::tui::keys::action::{Action, AppAction, View};
use crate::tui::keys::binding::{Binding, Context};
use crate::tui::layers::layer::Layer;
use crate::tui::look::text::{put, style};
use crate::tui::look::theme::Role;
use ratatui::Frame;
use ratatui::text::{Line, Span};

/// Columns between two hints.
const GAP: usize = 2;

/// Draws both lines.
pub fn draw(app: &App, frame: &mut Frame<'_>) {
    let areas = app.areas(frame.area());
    if let Some(toast) = &app.toast {
        let role = if toast.look { Role::Look } else { Role::Text };
        let columns = usize::from(areas.toast.width);
        let words = format!(" {}", toast.text);
        let words = crate::domain::text::fit_left(&shorten_end(&words, columns), columns);
        put(frame, areas.toast, 0, Line::styled(words, style(app.look, role)));
    }
    let columns = usize::from(areas.footer.width);
    frame.render_widget(ratatui::widgets::Clear, areas.footer);
    put(frame, areas.footer, 0, hints(app, app.context(), columns));
}

/// The key as the footer writes it: one, not all.
fn first_key(binding: &Binding) -> &'static str {
    binding.label.split(' ').next().unwrap_or(binding.label)
}

fn hints<'a>(app: &App, context: Context, columns: usize) -> Line<'a> {
    let all = app.keys.bindings(context);
    let is_last = |binding: &&Binding| matches!(binding.action, Action::View(View::Help) | Action::App(AppAction::Quit));
    // Of the help itself there is no help.
    let last: Vec<&Binding> = match app.layers.last() {
        Some(Layer::Help { .. }) => Vec::new(),
        _ => all.iter().filter(is_last).collect(),
    };
    // Behind the last one no gap is needed.
    let fixed = last.iter().map(|binding| entry_width(binding)).sum::<usize>().saturating_sub(GAP);
    let mut room = columns.saturating_sub(fixed + 1);
    let mut spans = vec![Span::raw(" ")];
    // The panes' hints stay where they are; a window shows only what it can do.
    let panes = matches!(context, Context::Collections | Context::Points | Context::Jobs);
    let shown = |binding: &&Binding| {
        !is_last(binding) && !matches!(binding.action, Action::Move(_)) && (panes || !disabled(app, binding))
    };
    for binding in all.iter().filter(shown) {
        if entry_width(binding) > room {
            break;
        }
        room -= entry_width(binding);
        entry(app, binding, &mut spans);
    }
    for binding in last {
        entry(app, binding, &mut spans);
    }
    Line::from(spans)
}

fn entry_width(binding: &Binding) -> usize {
    width(first_key(binding)) + 1 + width(binding.short) + GAP
}

fn disabled(app: &App, binding: &Binding) -> bool {
    matches!(binding.action, Action::Do(verb) if app.disabled(verb).is_some())
}

fn entry<'a>(app: &App, binding: &Binding, spans: &mut Vec<Span<'a>>) {
    let (key, words) = if disabled(app, binding) { (Role::Muted, Role::Muted) } else { (Role::Key, Role::Text) };
    spans.push(Span::styled(first_key(binding), style(app.look, key)));
    spans.push(Span::styled(format!(" {}  ", binding.short), style(app.look, words)));
}
