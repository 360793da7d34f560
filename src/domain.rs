//! L0: plain values. No I/O, no async, nothing of the other layers.
//!
//! The words defined here are the words on the screen, in the command line and in the README:
//! *instance*, *collection*, *snapshot*, *recovery point*, *plan*, *job*, *verdict*.

pub mod access;
pub mod address;
pub mod backup;
pub mod collection;
pub mod given_names;
pub mod hex;
pub mod ids;
pub mod instance;
pub mod keep;
pub mod lineage;
pub mod point;
pub mod policy;
pub mod problem;
pub mod proof;
pub mod repository;
pub mod request_log;
pub mod secret;
pub mod settings;
pub mod shape;
pub mod size;
pub mod snapshot;
pub mod text;
pub mod time;
pub mod version;
