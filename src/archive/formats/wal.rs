//! The write-ahead log of a shard: what a server reads before any of its entries.

use crate::archive::formats::documents::parse;
use crate::archive::formats::wrong::{Checked, Wrong};
use serde::Deserialize;

/// Bytes of a segment of the log that say what it is.
pub const HEADER: u64 = 4;

/// What they are.
const MAGIC: &[u8] = b"wal\0";

/// Largest index that is read: it has one number.
pub const INDEX: u64 = 4 << 10;

/// Whether a file of a shard is the index of its log.
pub fn is_index(path: &str) -> bool {
    path.ends_with("wal/first-index")
}

/// Whether a file of a shard is a segment of its log.
pub fn is_segment(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.starts_with("open-") || name.starts_with("closed-")
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct Index {
    ack_index: u64,
}

/// Checks the index.
///
/// # Errors
/// What is wrong with it.
pub fn index(text: &[u8]) -> Checked {
    parse::<Index>(text).map(drop).map_err(Wrong::damage)
}

/// Checks the beginning of a segment.
///
/// # Errors
/// What is wrong with it.
pub fn segment(head: &[u8]) -> Checked {
    if head.is_empty() || head.starts_with(MAGIC) { Ok(()) } else { Err(Wrong::damage("it does not begin as a log does")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_begins_as_a_log() {
        assert!(is_index("0/wal/first-index") && is_segment("wal/open-1") && is_segment("wal/closed-7") && !is_segment("wal"));
        assert!(index(br#"{"ack_index":0}"#).is_ok());
        assert!(index(b"{").is_err() && index(br#"{"ack_indey":0}"#).is_err());
        assert!(segment(b"wal\0").is_ok() && segment(b"").is_ok());
        assert!(segment(b"wam\0").is_err() && segment(b"wal\x01").is_err());
    }
}
