//! The snapshot of a shard, put together by the list of its files out of the objects of a repository that hold them.

use crate::repository::bucket::Bucket;
use crate::repository::shard_index::{At, ShardIndex};
use crate::transfer::composed::{Composed, Part, Piece, Sha};
use crate::transfer::source::Expected;
use crate::transfer::stored::StoredObject;
use bytes::Bytes;
use std::sync::Arc;

/// What ends an archive.
const END: &[u8] = &[0; 1024];

/// Puts it together. `folder` is that of any backup of the collection, `shown` what the user knows the shard by.
/// Every byte is compared with the list while it is read.
pub fn indexed_shard(bucket: &Arc<Bucket>, folder: &str, index: &ShardIndex, shown: &str) -> Composed {
    let part = |key: String, size: u64| {
        let shown = format!("{shown}, in {}", bucket.shown(&key));
        let source = StoredObject { bucket: bucket.clone(), key, size, shown };
        Arc::new(Part { source: Arc::new(source), expected: Expected { size, sha256: None, etag: None, ranged: true } })
    };
    let objects = index.objects.iter();
    let parts: Vec<Arc<Part>> = objects.map(|held| part(held.key(folder), held.size)).collect();
    let piece = |At(object, start, length, sha256): &At| {
        let of = parts.get(*object)?.clone();
        Some(Piece::Proven { of, start: *start, parts: vec![(*length, sha(sha256)?)], passed: 0 })
    };
    let pieces = index.in_order().into_iter().filter_map(piece);
    Composed::new(pieces.chain([Piece::Own(Bytes::from_static(END))]), shown.to_owned())
}

/// The list was checked when it was read: every hash has its digits.
fn sha(digits: &str) -> Option<Sha> {
    let mut sha = Sha::default();
    for (at, byte) in sha.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(at * 2..at * 2 + 2)?, 16).ok()?;
    }
    Some(sha)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_read() {
        let digits = "00ff".repeat(16);
        let read = sha(&digits).unwrap();
        assert_eq!(crate::domain::hex::hex(&read), digits);
        assert!(sha("00").is_none() && sha(&"zz".repeat(32)).is_none());
    }
}
