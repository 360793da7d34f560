//! What an overwrite leaves out by choice.

use serde::{Deserialize, Serialize};

/// What is left out by choice; the plan and its consent name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Skips {
    /// No safety snapshot: no rollback.
    pub safety: bool,
    /// No restore to a scratch name first.
    pub proof: bool,
}

impl Skips {
    /// What is left out in the end: of what cannot be read no safety snapshot can be taken.
    pub(in crate::ops) fn possible(self, readable: bool) -> Self {
        Self { safety: self.safety || !readable, ..self }
    }
}
