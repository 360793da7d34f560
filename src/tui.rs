//! L4: the interactive front end.
//!
//! [`app::App::update`] takes an event and returns effects: it does no I/O and waits for nothing. The
//! [`driver`] carries effects out and sends back what came of them. [`draw`] only reads. [`runtime`] is
//! the loop around them.

pub mod action;
pub mod answers;
pub mod app;
pub mod cancel;
pub mod caps;
pub mod choice;
pub mod draw;
pub mod driver;
pub mod effect;
pub mod event;
pub mod form;
pub mod frame;
pub mod glyphs;
pub mod guide;
pub mod inspector;
pub mod jobs;
pub mod keymap;
pub mod layers;
pub mod layout;
pub mod model;
pub mod offers;
pub mod operate;
pub mod over;
pub mod panes;
pub mod proposals;
pub mod rates;
pub mod refresh;
pub mod runtime;
pub mod selection;
pub mod specs;
pub mod surroundings;
pub mod terminal;
pub mod theme;
pub mod wizard;
pub mod words;
pub mod writer;

#[cfg(test)]
mod screens;

pub use runtime::{Ended, run};
pub use surroundings::Surroundings;

/// What the header says besides the instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Banner {
    /// Nothing.
    None,
    /// That this is the demo.
    Demo,
}
