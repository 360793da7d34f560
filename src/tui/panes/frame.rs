//! The frame of a pane.

use crate::domain::text::{shorten_middle, width};
use crate::tui::app::state::App;
use crate::tui::look::text::{Row, put, style, wrap};
use crate::tui::look::theme::Role;
use crate::tui::panes::list::Pane;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Block;

/// A pane's frame; the title on the left, a count on the right. Gives the inside.
pub fn pane_frame(app: &App, frame: &mut Frame<'_>, area: Rect, pane: Pane, title: &str, right: &str) -> Rect {
    let focused = app.focus == pane && app.layers.is_empty();
    let border = if focused { style(app.look, Role::Focus) } else { style(app.look, Role::Muted) };
    let room = usize::from(area.width).saturating_sub(width(right) + 7);
    let title_role = if app.focus == pane { Role::Title } else { Role::Text };
    let mut block = Block::bordered()
        .border_style(border)
        .title(Span::styled(format!(" {} ", shorten_middle(title, room)), style(app.look, title_role)));
    if !right.is_empty() {
        block = block.title(Line::from(Span::styled(format!(" {right} "), style(app.look, Role::Text))).right_aligned());
    }
    let inner = block.inner(area);
    frame.render_widget(block, area);
    inner
}

pub(super) fn message(app: &App, frame: &mut Frame<'_>, area: Rect, rows: &[Row]) {
    let area = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    for (line, row) in wrap(rows, usize::from(area.width)).into_iter().enumerate() {
        put(frame, area, line as u16, Line::styled(row.text, style(app.look, row.role)));
    }
}
