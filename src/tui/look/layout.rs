//! Where things are: a pure function of the window's size.
//!
//! ```text
//! wide (≥120)                       normal (80–119)          narrow (<80)
//! header                            header                   header
//! collections │ points │ details    collections │ points     one pane
//! jobs                              jobs
//! toast                             toast                    toast
//! footer                            footer                   footer
//! ```

use ratatui::layout::{Constraint, Layout, Rect};

/// The smallest window that shows anything but a request for a larger one.
pub const SMALLEST: (u16, u16) = (40, 10);

/// Rectangles of the base screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Areas {
    /// Instances.
    pub header: Rect,
    /// Lines that stay: the demo's, and what is wrong with the state folder.
    pub notices: Rect,
    /// Pane 1; in a narrow window all panes have this place.
    pub collections: Rect,
    /// Pane 2.
    pub points: Rect,
    /// What is selected; only in a wide window.
    pub details: Option<Rect>,
    /// Pane 3.
    pub jobs: Rect,
    /// Messages.
    pub toast: Rect,
    /// Hints.
    pub footer: Rect,
    /// Whether one pane is shown at a time.
    pub narrow: bool,
}

/// Whether the window is too small.
pub fn too_small(area: Rect) -> bool {
    area.width < SMALLEST.0 || area.height < SMALLEST.1
}

/// Divides the window, for so many lines of notices and rows of jobs: their pane grows with them, up to a third of the window.
pub fn areas(area: Rect, notices: u16, jobs: usize) -> Areas {
    let narrow = area.width < 80;
    let smallest = (area.height / 5).clamp(4, 10);
    let wanted = u16::try_from(jobs.saturating_add(2)).unwrap_or(u16::MAX);
    let job_rows = if narrow { 0 } else { wanted.clamp(smallest, (area.height / 3).clamp(smallest, 12)) };
    let rows = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(notices),
        Constraint::Min(3),
        Constraint::Length(job_rows),
        Constraint::Length(1),
        Constraint::Length(1),
    ]);
    let [header, notices, middle, jobs, toast, footer] = rows.areas(area);
    if narrow {
        return Areas {
            header,
            notices,
            collections: middle,
            points: middle,
            details: None,
            jobs: middle,
            toast,
            footer,
            narrow,
        };
    }
    if area.width >= 120 {
        let columns = Layout::horizontal([Constraint::Fill(10), Constraint::Fill(12), Constraint::Fill(9)]);
        let [collections, points, details] = columns.areas(middle);
        return Areas { header, notices, collections, points, details: Some(details), jobs, toast, footer, narrow };
    }
    let [collections, points] = Layout::horizontal([Constraint::Fill(35), Constraint::Fill(45)]).areas(middle);
    Areas { header, notices, collections, points, details: None, jobs, toast, footer, narrow }
}

/// A dialog in the middle: at most `columns` × `rows`, never larger than the window.
pub fn dialog(area: Rect, columns: u16, rows: u16) -> Rect {
    let width = columns.min(area.width.saturating_sub(2)).max(1).min(area.width);
    let height = rows.min(area.height.saturating_sub(2)).max(1).min(area.height);
    Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height }
}

/// The first row to show, so that `selected` is visible and the list moves as little as possible.
pub fn scroll(selected: usize, offset: usize, height: usize, length: usize) -> usize {
    if height == 0 {
        return 0;
    }
    let last_start = length.saturating_sub(height);
    let offset = offset.min(last_start);
    if selected < offset {
        selected
    } else if selected >= offset + height {
        selected + 1 - height
    } else {
        offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_window_can_be_divided() {
        for width in (1..=200).step_by(9) {
            for height in (1..=60).step_by(4) {
                let area = Rect::new(0, 0, width, height);
                let areas = areas(area, 1, usize::from(width) % 7);
                for part in [areas.header, areas.collections, areas.points, areas.jobs, areas.footer] {
                    assert_eq!(part.intersection(area), part, "{width}x{height}");
                }
                let dialog = dialog(area, 70, 20);
                assert_eq!(dialog.intersection(area), dialog);
            }
        }
    }

    #[test]
    fn the_selection_stays_visible() {
        assert_eq!(scroll(0, 5, 3, 10), 0);
        assert_eq!(scroll(9, 0, 3, 10), 7);
        assert_eq!(scroll(4, 3, 3, 10), 3);
        assert_eq!(scroll(1, 9, 3, 2), 0);
        assert_eq!(scroll(0, 0, 0, 0), 0);
    }
}
