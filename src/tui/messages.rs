//! What goes between the app and the world: events come in, effects go out. Plain values; what carries them is in
//! [`crate::tui::run`].

pub mod banner;
pub mod effect;
pub mod event;
pub mod surroundings;
