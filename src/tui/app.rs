//! The app: one state ([`state`]), changed by events only. It does no I/O and waits for nothing; it returns effects. Each file
//! has one part of what the app does.

pub mod answers;
pub mod canceling;
mod command_palette;
pub mod draw;
pub mod footer_view;
mod long_lists;
mod marks;
mod mouse;
pub mod operate;
mod ordering;
pub mod over;
pub mod rates;
pub mod refresh;
pub mod selection;
pub mod state;
mod typing;
mod visible;
