//! Where a motion leads: positions in lists and in texts. Pure.

use crate::tui::keys::action::Motion;

/// Lines of a page.
const PAGE: usize = 8;

/// A position in a list after a motion.
pub fn moved(at: usize, motion: Motion, length: usize) -> usize {
    let last = length.saturating_sub(1);
    match motion {
        Motion::Up => at.saturating_sub(1),
        Motion::Down => at + 1,
        Motion::PageUp => at.saturating_sub(PAGE),
        Motion::PageDown => at + PAGE,
        Motion::Home => 0,
        Motion::End => last,
    }
    .min(last)
}

/// A scroll position after a motion; drawing holds it inside the text.
pub fn scrolled(at: usize, motion: Motion) -> usize {
    scrolled_by(at, motion, 10)
}

/// The same where a page has so many lines.
pub fn scrolled_by(at: usize, motion: Motion, page: usize) -> usize {
    match motion {
        Motion::Up => at.saturating_sub(1),
        Motion::Down => at + 1,
        Motion::PageUp => at.saturating_sub(page),
        Motion::PageDown => at + page,
        Motion::Home => 0,
        Motion::End => 10_000,
    }
}
