//! Lines below the header that stay: that this is the demo, and that the state folder cannot be written.

use crate::domain::text::shorten_end;
use crate::tui::look::text::{Row, wrap};
use crate::tui::look::theme::Role;
use crate::tui::messages::banner::Banner;
use crate::tui::messages::surroundings::Surroundings;

/// Lines below the header that stay: that this is the demo, and that the state folder cannot be written.
pub fn notices(banner: Banner, surroundings: &Surroundings, columns: u16) -> Vec<Row> {
    let columns = usize::from(columns);
    let mut rows = Vec::new();
    if banner == Banner::Demo {
        let words = " DEMO  two sandboxes with made-up data; everything works, leaving removes it all";
        rows.push(Row::new(Role::Look, shorten_end(words, columns)));
    }
    if let Some(why) = &surroundings.state {
        let words = format!(" No operation can start, and no history is kept: {why}");
        let mut wrapped = wrap(&[Row::new(Role::Danger, words).indented(1)], columns);
        wrapped.truncate(2);
        rows.extend(wrapped);
    }
    rows
}
