//! Why a collection, or a part of it, could not be read. A verdict stands on the difference: what a server cannot read of
//! its own data is damage; a refusal, a limit, a time-out or a lost line says nothing of the data.

use crate::domain::problem::Problem;
use crate::qdrant::error::ApiError;

/// Why.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::ops) enum Unread {
    /// The server answers that it cannot read it, or that it is not there.
    Broken(Problem),
    /// It was not read, and nothing follows from that.
    Unknown(Problem),
}

impl Unread {
    /// Judges a failed call on `address`.
    pub(in crate::ops) fn of(error: ApiError, address: &str) -> Self {
        let broken = error.is_damage();
        let problem = error.into_problem(address);
        if broken { Self::Broken(problem) } else { Self::Unknown(problem) }
    }

    /// What went wrong.
    pub(in crate::ops) fn problem(self) -> Problem {
        match self {
            Self::Broken(problem) | Self::Unknown(problem) => problem,
        }
    }
}
