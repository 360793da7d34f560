//! The terminal itself: raw mode, the alternate screen, and putting everything back whatever happens.

pub mod notification;
pub mod screen;
pub mod split_keys;
pub mod writer;
