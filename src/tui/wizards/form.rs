//! A form: what a wizard asks for before it plans. Each is a struct with a field for every line, and becomes a request.

use crate::ops::request::Request;
use crate::tui::messages::surroundings::Surroundings;
use crate::tui::panes::model::Model;
use crate::tui::wizards::field::{Field, TextField};
use std::fmt::Debug;

/// What is filled in.
pub trait Form: Debug {
    /// What the wizard is called.
    fn title(&self) -> String;

    /// What it is about, above the lines.
    fn about(&self) -> String;

    /// Its lines, from the first to the last; none where nothing is left to ask.
    fn lines(&self) -> Vec<&dyn Field> {
        Vec::new()
    }

    /// The same, to change them.
    fn lines_mut(&mut self) -> Vec<&mut dyn Field> {
        Vec::new()
    }

    /// A choice was changed: what is proposed for the other lines follows it.
    fn follow(&mut self, _: &Model) {}

    /// The line for which names are offered, and the instance that they are of.
    fn offered(&self) -> Option<Offered> {
        None
    }

    /// The text of that line.
    fn offered_line(&mut self) -> Option<&mut TextField> {
        None
    }

    /// What is asked for.
    ///
    /// # Errors
    /// What is wrong with the lines, in words.
    fn request(&self, surroundings: &Surroundings) -> Result<Request, String>;
}

/// A line for which names are offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// Which line.
    pub line: usize,
    /// What is typed there.
    pub typed: String,
    /// Of which instance the names are.
    pub instance: String,
}
