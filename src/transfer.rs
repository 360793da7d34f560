//! L2: bytes from a source to a sink, hashed and counted on the way, in constant memory.
//!
//! A [`download`] lands in a file ([`landing`]), in [`parallel`] ranges where the server gives them; a
//! [`pump`] feeds an upload from a file or from another server. What goes wrong on the way is decided by small
//! pure parts: [`backoff`], [`growth`], [`spans`].

pub mod backoff;
pub mod composed;
pub mod disk;
pub mod download;
pub mod growth;
pub mod hashing;
pub mod indexed_shard;
pub mod landing;
pub mod local;
pub mod meter;
pub mod parallel;
pub mod part;
pub mod publish;
pub mod pump;
pub mod remote;
pub mod source;
pub mod spans;
pub mod stored;
pub mod throttle;
