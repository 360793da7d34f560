//! The evidence that the bytes of a recovery point are right.

/// The evidence that the bytes of a recovery point are right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// qsnap took it, and recorded what was in it.
    Recorded,
    /// A hash that the server made is known, in its list or in a file beside it.
    Listed,
    /// Nothing.
    Nothing,
}

impl Evidence {
    /// By a record of ours, else by a hash that the server made.
    pub fn by(recorded: bool, listed: bool) -> Self {
        match (recorded, listed) {
            (true, _) => Self::Recorded,
            (false, true) => Self::Listed,
            (false, false) => Self::Nothing,
        }
    }
}
