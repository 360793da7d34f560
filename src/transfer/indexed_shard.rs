//! The snapshot of a shard, put together by the list of its files out of the objects of a repository that hold them; and the file that
//! became of it, compared with the list.

use crate::archive::entries::{RawEntry, Splitter};
use crate::repository::bucket::Bucket;
use crate::repository::shard_index::{At, ShardIndex};
use crate::transfer::composed::{Composed, Part, Piece, Sha};
use crate::transfer::source::Expected;
use crate::transfer::stored::StoredObject;
use bytes::Bytes;
use std::io::Read;
use std::sync::Arc;

/// Bytes that are read at once.
const CHUNK: usize = 1 << 20;

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

/// Why a file is not the shard of this list; `None` where every entry has its bytes.
///
/// # Errors
/// When it cannot be read.
pub fn unlike(mut file: impl Read, index: &ShardIndex) -> std::io::Result<Option<String>> {
    let mut splitter = Splitter::new(|_| false);
    let mut chunk = vec![0; CHUNK];
    loop {
        match file.read(&mut chunk)? {
            0 => break,
            n => splitter.push(&chunk[..n]),
        }
    }
    let entries = match splitter.finish() {
        Ok(entries) => entries.all,
        Err(why) => return Ok(Some(why)),
    };
    let listed = |entry: &&RawEntry| index.files.get(&entry.path).is_some_and(|at| at.2 == entry.length && at.3 == entry.sha256);
    Ok(match entries.iter().find(|entry| !listed(entry)) {
        Some(entry) => Some(format!("{} has other bytes than were stored: its sha256 is another one", entry.path)),
        None if entries.len() != index.files.len() => Some(format!("it has {} of {} files", entries.len(), index.files.len())),
        None => None,
    })
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
    fn a_file_with_a_changed_byte_or_without_an_entry_is_not_the_shard() {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, content) in [("a", vec![1; 700]), ("b", vec![2; 40])] {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            builder.append_data(&mut header, path, content.as_slice()).unwrap();
        }
        let whole = builder.into_inner().unwrap();
        let mut splitter = Splitter::new(|_| false);
        splitter.push(&whole);
        let all = splitter.finish().unwrap().all;
        let files = all.into_iter().map(|entry| (entry.path, At(0, entry.offset, entry.length, entry.sha256))).collect();
        let index = ShardIndex::of(0, &[], files, serde_json::Value::Null);
        assert_eq!(index.files.len(), 2);
        let why = |bytes: &[u8]| unlike(bytes, &index).unwrap();
        assert_eq!(why(&whole), None);
        let mut damaged = whole.clone();
        damaged[512 + 650] ^= 1;
        assert!(why(&damaged).unwrap().starts_with("a has other bytes"));
        assert!(why(&whole[512 + 1024..]).unwrap().contains("1 of 2 files"));
        assert!(why(&whole[..1600]).is_some(), "it has no end");
    }

    #[test]
    fn hashes_are_read() {
        let digits = "00ff".repeat(16);
        let read = sha(&digits).unwrap();
        assert_eq!(crate::domain::hex::hex(&read), digits);
        assert!(sha("00").is_none() && sha(&"zz".repeat(32)).is_none());
    }
}
