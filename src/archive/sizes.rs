//! How large things in a snapshot are.

use serde::Serialize;

/// Bytes in the file, and bytes once unpacked with holes counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Sizes {
    /// In the file.
    pub stored: u64,
    /// Unpacked.
    pub unpacked: u64,
}

impl Sizes {
    /// Adds others.
    pub fn add(&mut self, other: Self) {
        self.stored = self.stored.saturating_add(other.stored);
        self.unpacked = self.unpacked.saturating_add(other.unpacked);
    }
}
