//! The names of the verbs, as plans, reports and the journal have them. No other file spells one.

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Takes a snapshot.
    Create,
    /// Downloads one.
    Download,
    /// Removes what an interrupted download left.
    Discard,
    /// Deletes snapshots.
    Delete,
    /// Restores one.
    Restore,
    /// Copies collections.
    Copy,
    /// Points an alias elsewhere.
    Switch,
    /// Deletes a collection.
    Drop,
    /// Brings a deleted collection back.
    Revive,
    /// Compares two collections.
    Compare,
    /// Goes on with an operation that broke off.
    Continue,
    /// Brings back what one replaced.
    RollBack,
    /// Removes what one left behind.
    CleanUp,
    /// Backs collections up.
    Backup,
    /// Removes what the retention rules do not keep.
    Prune,
    /// Reads backups, and compares.
    Verify,
    /// Restores a backup to a scratch name, and removes it.
    Drill,
    /// Says something of a backup.
    Annotate,
    /// Runs a command, and rolls back what it did when it fails.
    Guard,
}

impl Verb {
    const ALL: [Self; 19] = [
        Self::Create,
        Self::Download,
        Self::Discard,
        Self::Delete,
        Self::Restore,
        Self::Copy,
        Self::Switch,
        Self::Drop,
        Self::Revive,
        Self::Compare,
        Self::Continue,
        Self::RollBack,
        Self::CleanUp,
        Self::Backup,
        Self::Prune,
        Self::Verify,
        Self::Drill,
        Self::Annotate,
        Self::Guard,
    ];

    /// The word in plans, JSON and the journal.
    pub fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Download => "download",
            Self::Discard => "discard",
            Self::Delete => "delete",
            Self::Restore => "restore",
            Self::Copy => "copy",
            Self::Switch => "switch",
            Self::Drop => "drop",
            Self::Revive => "revive",
            Self::Compare => "compare",
            Self::Continue => "continue",
            Self::RollBack => "roll-back",
            Self::CleanUp => "clean-up",
            Self::Backup => "backup",
            Self::Prune => "prune",
            Self::Verify => "verify",
            Self::Drill => "drill",
            Self::Annotate => "annotate",
            Self::Guard => "guard",
        }
    }

    /// The verb of a word. Records of newer versions may have others.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.word() == word)
    }

    /// Whether it runs by a timer: then nothing is said of its success where nothing is to be said.
    pub fn is_routine(self) -> bool {
        matches!(self, Self::Backup | Self::Prune | Self::Verify | Self::Drill)
    }

    /// Whether it is there to prove something: then an answer that could not be had is no success.
    pub fn proves(self) -> bool {
        matches!(self, Self::Verify | Self::Drill)
    }

    /// Whether it brings data into its target.
    pub fn brings(self) -> bool {
        matches!(self, Self::Restore | Self::Copy | Self::Revive | Self::Continue | Self::RollBack)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_back() {
        for verb in Verb::ALL {
            assert_eq!(Verb::of(verb.word()), Some(verb));
        }
        assert_eq!(Verb::of("teleport"), None);
    }
}
