//! What the header says besides the instances.

/// What the header says besides the instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Banner {
    /// Nothing.
    None,
    /// That this is the demo.
    Demo,
}
