//! Drawing: reads the app, writes the buffer. No state, no clock, no I/O.

use crate::domain::text::shorten_end;
use crate::tui::app::footer_view;
use crate::tui::app::state::App;
use crate::tui::layers::layer::Layer;
use crate::tui::layers::{choice_view, dialogs_view, fleet_view, help_view, inspector_view, palette_view, requests_view};
use crate::tui::look::layout;
use crate::tui::panes::{base_view, details_view, jobs_view};
use crate::tui::wizards::wizard_view;
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
            frame.render_widget(Line::from(format!("{jobs} job(s) running")), second);
        }
        return;
    }
    base_view::draw(app, frame);
    for layer in &app.layers {
        match layer {
            Layer::Help { of, scroll, search } => help_view::draw(app, frame, (*of, search), *scroll),
            Layer::Text { title, lines, scroll, .. } => dialogs_view::text(app, frame, title, lines, *scroll),
            Layer::Quit { choice } => dialogs_view::quit(app, frame, *choice),
            Layer::Details { of, scroll } => details_view::page(app, frame, of, *scroll),
            Layer::Cancel(question) => dialogs_view::cancel(app, frame, *question),
            Layer::Wizard(wizard) => wizard_view::draw(app, frame, wizard),
            Layer::Inspector(inspector) => inspector_view::draw(app, frame, inspector),
            Layer::Choose(chooser) => choice_view::chooser(app, frame, chooser),
            Layer::Fleet(fleet) => fleet_view::draw(app, frame, fleet),
            Layer::Requests(list) => requests_view::draw(app, frame, list),
            Layer::Palette(palette) => palette_view::draw(app, frame, palette),
            Layer::Guide(guide) => choice_view::guide(app, frame, guide),
            Layer::Job { id, scroll } => jobs_view::detail(app, frame, *id, *scroll),
        }
    }
    footer_view::draw(app, frame);
}
