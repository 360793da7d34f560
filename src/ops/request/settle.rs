//! What is asked for of an operation that did not end well.

use crate::ops::request::verb::Verb;

/// How.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Do what was meant.
    Continue,
    /// Bring back what was there before.
    RollBack,
    /// Remove what was left behind.
    CleanUp,
}

impl Way {
    /// Its verb.
    pub fn verb(self) -> Verb {
        match self {
            Self::Continue => Verb::Continue,
            Self::RollBack => Verb::RollBack,
            Self::CleanUp => Verb::CleanUp,
        }
    }

    /// The word on the command line.
    pub fn word(self) -> &'static str {
        self.verb().word()
    }

    /// What the settled record says became of it.
    pub(in crate::ops) fn past(self) -> &'static str {
        match self {
            Self::Continue => "continued",
            Self::RollBack => "rolled back",
            Self::CleanUp => "cleaned up",
        }
    }
}

/// What to settle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettleRequest {
    /// The operation's id in the journal.
    pub id: String,
    /// How.
    pub way: Way,
}
