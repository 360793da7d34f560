//! Bytes as people and servers write them.

use sha2::{Digest, Sha256};
use std::fmt::Write;

/// sha256 of a text, in lower-case hex.
pub fn sha256(text: &[u8]) -> String {
    hex(&Sha256::digest(text))
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
