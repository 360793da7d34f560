//! Help: the keys of what lies below, made from the table of keys, and what the signs mean. What is typed searches all of it.

use crate::domain::text::fit_left;
use crate::tui::app::state::App;
use crate::tui::keys::action::Action;
use crate::tui::keys::binding::{ALL, Binding, Context};
use crate::tui::layers::dialogs_view::boxed;
use crate::tui::look::text::Row;
use crate::tui::look::theme::Role;
use ratatui::Frame;

const GLOSSARY: [&str; 7] = [
    "proof: – nothing recorded · recorded: count and sample kept · ✓ proven: a restore matched, or a backup was read whole",
    "last: age of the newest recovery point; never: there is none",
    "! beside a collection: yellow or grey, it is being optimised; ✗: red. o tells more.",
    "A snapshot is stored on the node that took it; d downloads it.",
    "An operation shows its plan first; nothing changes until you agree.",
    "To destroy data you must type its instance/collection.",
    "A read-only API key can still download all data.",
];

/// Keys of the context below, or whatever has the text that is looked for.
pub fn draw(app: &App, frame: &mut Frame<'_>, (of, search): (Context, &str), scroll: usize) {
    let rows = if search.is_empty() { all(app, of) } else { found(app, of, search) };
    let title = if search.is_empty() { "Help · type to search".to_owned() } else { format!("Help · /{search}_") };
    boxed(app, frame, &title, &rows, scroll);
}

fn all(app: &App, of: Context) -> Vec<Row> {
    let mut rows = vec![Row::new(Role::Title, "Keys here")];
    rows.extend(app.keys.bindings(of).iter().map(|binding| row(app, binding)));
    rows.push(Row::gap());
    rows.push(Row::new(Role::Title, "Good to know"));
    rows.extend(GLOSSARY.iter().map(|line| Row::new(Role::Text, *line).indented(2)));
    rows
}

fn found(app: &App, of: Context, search: &str) -> Vec<Row> {
    let wanted = search.to_lowercase();
    let has = |binding: &&Binding| {
        [binding.label, binding.short, binding.long].iter().any(|text| text.to_lowercase().contains(&wanted))
    };
    let mut rows: Vec<Row> = app.keys.bindings(of).iter().filter(has).map(|binding| row(app, binding)).collect();
    let here: Vec<Action> = app.keys.bindings(of).iter().map(|binding| binding.action).collect();
    let mut elsewhere: Vec<(Action, Row)> = Vec::new();
    for context in ALL.into_iter().filter(|context| *context != of) {
        for binding in app.keys.bindings(context).iter().filter(has) {
            let known = here.contains(&binding.action) || elsewhere.iter().any(|(action, _)| *action == binding.action);
            if !known {
                let text = format!("{} {} ({})", fit_left(binding.label, 10), binding.long, place(context));
                elsewhere.push((binding.action, Row::new(Role::Muted, text).indented(11)));
            }
        }
    }
    rows.extend(elsewhere.into_iter().map(|(_, row)| row));
    let words = GLOSSARY.iter().filter(|line| line.to_lowercase().contains(&wanted));
    rows.extend(words.map(|line| Row::new(Role::Text, *line).indented(2)));
    if rows.is_empty() {
        rows.push(Row::new(Role::Look, "nothing has that text; Backspace takes a letter away"));
    }
    rows
}

fn row(app: &App, binding: &Binding) -> Row {
    let reason = match binding.action {
        Action::Do(verb) => app.disabled(verb),
        _ => None,
    };
    let (role, note) = match reason {
        Some(why) => (Role::Muted, format!(" (not now: {why})")),
        None => (Role::Text, String::new()),
    };
    Row::new(role, format!("{} {}{note}", fit_left(binding.label, 10), binding.long)).indented(11)
}

/// Where a key holds, in words.
fn place(context: Context) -> &'static str {
    match context {
        Context::Collections => "in the collections",
        Context::Points => "in the recovery points",
        Context::Jobs => "in the jobs",
        Context::Form => "in a form",
        Context::Review => "in a plan",
        Context::Typing => "where an address is typed",
        Context::Waiting => "while it waits",
        Context::Inspector => "in the inspector",
        Context::Choose => "in a list to choose from",
        Context::Job => "on the page of a job",
        Context::Text | Context::Report => "in a text",
        Context::Help => "in the help",
        Context::Quit | Context::Ask => "in a question",
        Context::Details => "in the details",
        Context::Filter => "in a filter",
        Context::Fleet => "in the fleet",
        Context::Palette => "in the palette",
        Context::Requests => "in the log",
    }
}
