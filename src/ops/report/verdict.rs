//! What verification found.

/// What verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All that was compared is the same; the text says what was compared.
    Matches(String),
    /// Something differs.
    Differs(String),
    /// Nothing could be proven, and why.
    CouldNotCheck(String),
}

impl Verdict {
    /// The word on the screen and in JSON.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Matches(_) => "matches",
            Self::Differs(_) => "differs",
            Self::CouldNotCheck(_) => "could_not_check",
        }
    }

    /// The explanation.
    pub fn reason(&self) -> &str {
        match self {
            Self::Matches(reason) | Self::Differs(reason) | Self::CouldNotCheck(reason) => reason,
        }
    }

    /// As the journal keeps it: the word, then the explanation.
    pub fn record(&self) -> String {
        format!("{}: {}", self.word(), self.reason())
    }

    /// As one sentence.
    pub fn sentence(&self) -> String {
        match self {
            Self::Matches(reason) => format!("verified: {reason}"),
            Self::Differs(reason) => format!("DIFFERS: {reason}"),
            Self::CouldNotCheck(reason) => format!("not verified: {reason}"),
        }
    }
}
