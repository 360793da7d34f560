#![forbid(unsafe_code)]
//! qsnap
pub mod domain;
pub mod config;
pub mod qdrant;
pub mod sandbox;
