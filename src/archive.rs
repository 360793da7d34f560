//! L1: the `.snapshot` format: going through the tar, telling what is in it, checking it. Works over a local file,
//! byte ranges of a remote one, or a plain stream; unpacks nothing to disk.
//!
//! Everything in an archive is hostile: every size has a limit, every name is checked, nothing is trusted that was
//! not looked at.

pub mod bytes;
pub mod check;
pub mod companions;
pub mod contents;
pub mod damage;
pub mod differences;
pub mod entries;
pub mod facts;
pub mod formats;
pub mod header;
pub mod inspect;
pub mod layout;
pub mod members;
pub mod partial;
pub mod segment_schema;
pub mod shape;
pub mod shard_parts;
pub mod sizes;
pub mod strange;
pub mod summary;
pub mod tail;
pub mod tree;
pub mod versions;
mod walk;
