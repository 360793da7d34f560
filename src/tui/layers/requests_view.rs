//! The drawing of the last requests.

use crate::domain::text::{fit_left, fit_right, shorten_middle, width};
use crate::domain::time;
use crate::tui::app::state::App;
use crate::tui::layers::requests::{RequestList, failed};
use crate::tui::look::text::{frame_box, put, style};
use crate::tui::look::theme::Role;
use crate::tui::messages::event::RequestRow;
use ratatui::Frame;
use ratatui::text::Line;

/// Draws the page, as large as the window.
pub fn draw(app: &App, frame: &mut Frame<'_>, list: &RequestList) {
    let area = frame.area();
    let shown = list.shown();
    let of = if list.failed_only {
        format!("{} failed of the last {}", shown.len(), list.rows.len())
    } else {
        format!("the last {}", shown.len())
    };
    let title = format!("Requests to servers · {of}, newest first");
    let inner = frame_box(app.look, frame, area.width, area.height, &title);
    let several = app.model.instances.iter().any(|state| state.view.value().is_some_and(|view| view.nodes.len() > 1));
    let place = |row: &RequestRow| match several {
        true => format!("{}#{}", row.exchange.instance, row.exchange.node),
        false => row.exchange.instance.to_string(),
    };
    let places = shown.iter().map(|row| width(&place(row))).max().unwrap_or(0).clamp(8, 20);
    let heading = format!(
        "{} {} {} {} {} path",
        fit_left("UTC", 8),
        fit_left("", 6),
        fit_left("", 4),
        fit_right("ms", 7),
        fit_left("instance", places)
    );
    put(frame, inner, 0, Line::styled(heading, style(app.look, Role::Muted)));
    if shown.is_empty() {
        put(frame, inner, 1, Line::styled("none yet", style(app.look, Role::Muted)));
    }
    let height = usize::from(inner.height.saturating_sub(1));
    let start = list.scroll.min(shown.len().saturating_sub(height));
    for (line, row) in shown.iter().skip(start).take(height).enumerate() {
        let status = row.exchange.status.map_or_else(|| "–".to_owned(), |status| status.to_string());
        let before = format!(
            "{} {} {} {} {} ",
            time::clock(row.at),
            fit_left(&row.exchange.method, 6),
            fit_left(&status, 4),
            fit_right(&row.exchange.took.as_millis().to_string(), 7),
            fit_left(&shorten_middle(&place(row), places), places)
        );
        let room = usize::from(inner.width).saturating_sub(width(&before));
        let role = if failed(row) { Role::Danger } else { Role::Text };
        let text = format!("{before}{}", shorten_middle(&row.exchange.path, room));
        put(frame, inner, line as u16 + 1, Line::styled(text, style(app.look, role)));
    }
}
