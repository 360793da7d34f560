#![forbid(unsafe_code)]
//! qsnap
pub mod domain;
pub mod config;
pub mod qdrant;
pub mod sandbox;
pub mod jobs;
pub mod transfer;
pub mod ops;
