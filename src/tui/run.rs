//! The loop around the app: keys and signals in, effects carried out, frames drawn. The only room of the terminal UI that does
//! I/O besides [`crate::tui::terminal`].

pub mod driver;
pub mod frame_clock;
pub mod runtime;
pub mod settings;
