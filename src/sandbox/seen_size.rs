//! The size of a collection as strict mode knows it.

/// The size of a collection as strict mode knows it: measured at every 32nd check.
#[derive(Debug, Clone, Default)]
pub struct SeenSize {
    pub(super) calls: u64,
    pub(super) points: u64,
    pub(super) vector_bytes: u64,
    pub(super) payload_bytes: u64,
}
