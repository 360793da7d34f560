//! Drawing: reads the app, writes the buffer. No state, no clock, no I/O.

pub mod base;
pub mod choice;
pub mod details;
pub mod dialogs;
pub mod footer;
pub mod inspector;
pub mod jobs;
pub mod plan;
pub mod text;
pub mod wizard;

use crate::domain::text::shorten_end;
use crate::tui::app::App;
use crate::tui::layers::Layer;
use crate::tui::layout;
use ratatui::Frame;
use ratatui::text::Line;

/// Draws everything.
pub fn draw(app: &App, frame: &mut Frame<'_>) {
    let area = frame.area();
    if layout::too_small(area) {
        let (columns, rows) = layout::SMALLEST;
        let jobs = app.model.jobs.active();
        let words = format!("needs {columns}x{rows}, is {}x{}", area.width, area.height);
        frame.render_widget(Line::from(shorten_end(&words, usize::from(area.width))), area);
        if jobs > 0 && area.height > 1 {
            let second = ratatui::layout::Rect { y: area.y + 1, height: 1, ..area };
            frame.render_widget(Line::from(format!("{jobs} job(s) go on")), second);
        }
        return;
    }
    base::draw(app, frame);
    for layer in &app.layers {
        match layer {
            Layer::Help { of, scroll } => dialogs::help(app, frame, *of, *scroll),
            Layer::Text { title, lines, scroll, .. } => dialogs::text(app, frame, title, lines, *scroll),
            Layer::Quit { choice } => dialogs::quit(app, frame, *choice),
            Layer::Details { of, scroll } => details::page(app, frame, of, *scroll),
            Layer::Cancel(question) => dialogs::cancel(app, frame, *question),
            Layer::Wizard(wizard) => wizard::draw(app, frame, wizard),
            Layer::Inspector(inspector) => inspector::draw(app, frame, inspector),
            Layer::Choose(chooser) => choice::chooser(app, frame, chooser),
            Layer::Guide(guide) => choice::guide(app, frame, guide),
            Layer::Job { id, scroll } => jobs::detail(app, frame, *id, *scroll),
        }
    }
    footer::draw(app, frame);
}
