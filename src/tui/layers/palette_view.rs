//! The command palette, drawn.

use crate::domain::text::{fit_left, fit_right, shorten_end, shorten_middle};
use crate::tui::app::state::App;
use crate::tui::layers::palette::{Entry, Palette};
use crate::tui::look::layout;
use crate::tui::look::text::{frame_box, put, style};
use crate::tui::look::theme::Role;
use crate::tui::wizards::wizard_view::input_line;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// Lines of the list, at most.
const LINES: u16 = 14;

/// Columns for the key, or what an entry is.
const KEY: usize = 12;

/// Columns for the name of a command.
const NAME: usize = 14;

/// Draws it. Its height does not change while a text is typed: nothing below jumps.
pub fn draw(app: &App, frame: &mut Frame<'_>, palette: &Palette) {
    let area = frame.area();
    let columns = 78.min(area.width.saturating_sub(2));
    let inner = frame_box(app.look, frame, columns, (LINES + 4).min(area.height.saturating_sub(3)), "Commands and places");
    let room = usize::from(inner.width);
    put(frame, inner, 0, Line::styled(">", style(app.look, Role::Muted)));
    input_line(
        app,
        frame,
        Rect { x: inner.x + 2, width: inner.width.saturating_sub(2), height: 1, ..inner },
        &palette.input,
        true,
    );
    let list = Rect { y: inner.y + 1, height: inner.height.saturating_sub(2), ..inner };
    let (height, count) = (usize::from(list.height), palette.found().len());
    let offset = layout::scroll(palette.selected, 0, height, count);
    for (line, (at, entry)) in palette.found().enumerate().skip(offset).take(height).enumerate() {
        put(frame, list, line as u16, row(app, entry, at == palette.selected, room));
    }
    let below = match palette.chosen() {
        None => "nothing is found".to_owned(),
        Some(Entry { why_not: Some(why), .. }) => format!("not now: {why}"),
        Some(_) => format!("{count} found"),
    };
    put(frame, inner, inner.height.saturating_sub(1), Line::styled(shorten_end(&below, room), style(app.look, Role::Muted)));
}

fn row<'a>(app: &App, entry: &Entry, marked: bool, room: usize) -> Line<'a> {
    let possible = entry.why_not.is_none();
    let (name, about) = match (marked, possible) {
        (true, _) => (Role::Selected, Role::Selected),
        (false, true) => (Role::Text, Role::Muted),
        (false, false) => (Role::Muted, Role::Muted),
    };
    let sign = if marked { "▸" } else { " " };
    let words = room.saturating_sub(KEY + 3);
    // A place is all name: it has the room of both.
    let (first, second) = if entry.about.is_empty() { (words, 0) } else { (NAME, words.saturating_sub(NAME)) };
    Line::from(vec![
        Span::styled(format!("{sign} {}", fit_left(&shorten_middle(&entry.name, first), first)), style(app.look, name)),
        Span::styled(fit_left(&shorten_end(&entry.about, second), second), style(app.look, about)),
        Span::styled(format!(" {}", fit_right(&shorten_end(&entry.key, KEY), KEY)), style(app.look, about)),
    ])
}
