//! L4: the interactive front end.
//!
//! [`app`] takes an event and returns effects: it does no I/O and waits for nothing. [`run`] carries effects out and sends back
//! what came of them. Drawing only reads. The keys are in [`keys`], what is seen in [`panes`], [`layers`] and [`wizards`].

pub mod app;
pub mod keys;
pub mod layers;
pub mod look;
pub mod messages;
pub mod panes;
pub mod run;
pub mod terminal;
pub mod wizards;

#[cfg(test)]
#[path = "../tests/screens/screens.rs"]
mod screens;

pub use messages::banner::Banner;
pub use messages::surroundings::Surroundings;
pub use run::runtime::{Ended, run};
pub use run::settings::Settings;
