//! What is wrong with a file of a segment, and what follows from it.

use crate::archive::damage::Severity;

/// Something wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// How bad.
    pub severity: Severity,
    /// What.
    pub what: String,
    /// What follows from it.
    pub advice: &'static str,
}

/// A server cannot load the segment.
pub const DESTROYS: &str = "a server fails to load the segment and has then already removed the live data";

/// A server makes the file again from others.
pub const MADE_AGAIN: &str = "Qdrant 1.16 restores this and makes the file again";

/// A server finds other points than it should.
pub const MISLEADS: &str = "a server fails to load the segment, or searches with this index find the wrong points";

/// A server does not survive it, or waits for ever.
pub const TAKES_DOWN: &str =
    "a server takes memory or time without end when it loads this, or refuses what it has begun to restore";

impl Wrong {
    /// No server loads it.
    pub fn damage(what: impl Into<String>) -> Self {
        Self { severity: Severity::Damage, what: what.into(), advice: DESTROYS }
    }

    /// Loading it costs the server its memory or its time.
    pub fn endless(what: impl Into<String>) -> Self {
        Self { severity: Severity::Damage, what: what.into(), advice: TAKES_DOWN }
    }

    /// A server may take it, and the index gives wrong answers.
    pub fn misleading(what: impl Into<String>) -> Self {
        Self { severity: Severity::Damage, what: what.into(), advice: MISLEADS }
    }

    /// A server gets along without it.
    pub fn mendable(what: impl Into<String>) -> Self {
        Self { severity: Severity::Look, what: what.into(), advice: MADE_AGAIN }
    }
}

/// What a check of one file gives.
pub type Checked = Result<(), Wrong>;
