//! L1: running work, its progress, its limits and its end. Knows nothing of Qdrant.
//!
//! Rare events (queued, started, finished) go through a bounded channel and are never lost; frequent
//! ones (bytes) are atomics that a reader samples.

pub mod context;
mod gate;
pub mod limits;
pub mod manager;
pub mod progress;
pub mod row;
