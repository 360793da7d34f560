//! What a user is told when something fails: what, on what, why, and what to do next.

use crate::domain::text::one_line;
use serde::Serialize;
use std::fmt;

/// The class of a problem. The command line turns it into an exit code, the UI into a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// The command or the configuration is wrong; nothing was tried.
    Usage,
    /// An operation failed.
    Failed,
    /// Some of several targets failed.
    Partly,
    /// Verification found a difference, or bytes do not match their checksum.
    Difference,
    /// The server does not allow it: key missing, wrong, or without the right.
    NotAllowed,
    /// The server could not be reached, or did not answer in time.
    Unreachable,
    /// qsnap refused: no consent, protected, read-only.
    Refused,
    /// What was asked for does not exist.
    NotFound,
    /// The server changed since the plan was shown.
    PlanStale,
    /// Stopped by the user.
    Canceled,
    /// The connection was lost after the request was sent: the server may or may not have done it.
    Unknown,
}

/// One problem, ready to be shown. Texts are sanitised when it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
pub struct Problem {
    /// Its class.
    pub kind: ProblemKind,
    /// What failed and why, one sentence.
    pub message: String,
    /// On what: an address, URL or path.
    pub on: String,
    /// What to do next; may be empty when there is nothing sensible to say.
    pub advice: String,
}

impl Problem {
    /// Makes a problem; `on` may be empty.
    pub fn new(kind: ProblemKind, message: impl AsRef<str>, on: impl AsRef<str>) -> Self {
        Self { kind, message: one_line(message.as_ref(), 600), on: one_line(on.as_ref(), 200), advice: String::new() }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn advise(mut self, advice: impl AsRef<str>) -> Self {
        self.advice = one_line(advice.as_ref(), 600);
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.on.is_empty() { f.write_str(&self.message) } else { write!(f, "{}: {}", self.on, self.message) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_text_cannot_steer_the_terminal() {
        let problem = Problem::new(ProblemKind::Failed, "bad\n\u{1b}[2Jthing", "prod/x\u{202e}y");
        assert_eq!(problem.to_string(), "prod/x�y: bad �[2Jthing");
    }
}
