//! The last requests to servers, the newest first.

use crate::tui::keys::action::Motion;
use crate::tui::keys::motion;
use crate::tui::messages::event::RequestRow;

/// What is shown of them.
#[derive(Debug, Default)]
pub struct RequestList {
    /// The newest first.
    pub rows: Vec<RequestRow>,
    /// First row shown. While it is none, the newest are seen as they come.
    pub scroll: usize,
    /// Only those that failed.
    pub failed_only: bool,
}

impl RequestList {
    /// Takes the state of the log. Who looks at older ones keeps them before the eyes while newer ones come.
    pub fn take(&mut self, rows: Vec<RequestRow>) {
        if self.scroll > 0
            && let Some(top) = self.shown().get(self.scroll).map(|row| (row.exchange.at, row.exchange.path.clone()))
        {
            self.rows = rows;
            let same = |row: &&RequestRow| row.exchange.at == top.0 && row.exchange.path == top.1;
            let shown = self.shown();
            self.scroll = shown.iter().position(same).unwrap_or_else(|| shown.len().saturating_sub(1));
            return;
        }
        self.rows = rows;
    }

    /// Moves through them, of which so many are seen at a time.
    pub fn go(&mut self, motion: Motion, page: usize) {
        self.scroll = motion::scrolled_by(self.scroll, motion, page).min(self.shown().len().saturating_sub(1));
    }

    /// Those that are to be seen.
    pub fn shown(&self) -> Vec<&RequestRow> {
        self.rows.iter().filter(|row| !self.failed_only || failed(row)).collect()
    }
}

/// Whether it was refused, or not answered.
pub fn failed(row: &RequestRow) -> bool {
    row.exchange.status.is_none_or(|status| status >= 400)
}
