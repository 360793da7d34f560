//! What is wanted of backups: how old the last good one may be, how old its proof, and how many are kept.

use crate::domain::keep::Keep;
use std::time::Duration;

/// A target age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Target {
    /// Not said here: the wider setting holds.
    #[default]
    Inherit,
    /// `"none"`: there is no target.
    None,
    /// At most this old.
    AtMost(Duration),
}

impl Target {
    /// This one, or the wider one where it says nothing.
    #[must_use]
    pub fn or(self, wider: Self) -> Self {
        if self == Self::Inherit { wider } else { self }
    }

    /// The age, if there is a target.
    pub fn age(self) -> Option<Duration> {
        match self {
            Self::AtMost(age) => Some(age),
            Self::Inherit | Self::None => None,
        }
    }
}

/// What is wanted, for everything, an instance or a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Policy {
    /// Age of the last good recovery point.
    pub rpo: Target,
    /// Age of its last proof.
    pub prove_every: Target,
    /// Retention; `None` where the wider setting holds.
    pub keep: Option<Keep>,
}

impl Policy {
    /// Whether something is wanted of the age of backups or of their proofs.
    pub fn has_target(&self) -> bool {
        self.rpo.age().is_some() || self.prove_every.age().is_some()
    }

    /// What this says, and the wider policy where it says nothing.
    #[must_use]
    pub fn or(self, wider: Self) -> Self {
        Self { rpo: self.rpo.or(wider.rpo), prove_every: self.prove_every.or(wider.prove_every), keep: self.keep.or(wider.keep) }
    }
}
