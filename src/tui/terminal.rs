//! The terminal itself: raw mode, the alternate screen, and putting everything back whatever happens.

pub mod screen;
pub mod split_keys;
pub mod writer;
