//! A collection's snapshot holds each shard as a folder with its number. Taken out, without that folder's name, it is the snapshot
//! of that shard: the same entries under shorter names. Each entry's header is written anew, its body is a range of the file.

use crate::archive::bytes::Bytes;
use crate::archive::header::BLOCK;
use crate::archive::layout::{self, InShard, Place};
use crate::archive::members::Unfit;
use crate::archive::walk::{Counters, Walk};
use std::collections::{BTreeMap, BTreeSet};

/// Entries, of each of which a header is held: 50 000 take 25 MB. 200 shards of 50 segments and their logs stay below.
const MOST_ENTRIES: usize = 50_000;

/// A piece of the snapshot of a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShardPiece {
    /// These bytes.
    Own(Vec<u8>),
    /// So many bytes of the collection's snapshot, from this offset on.
    Range(u64, u64),
}

/// The snapshots of the shards that have data in it, by number. Descriptions of shards that other nodes held are none.
///
/// # Errors
/// When it is damaged, or cannot be read.
pub fn shards(bytes: &mut dyn Bytes) -> Result<BTreeMap<u32, Vec<ShardPiece>>, Unfit> {
    let mut counters = Counters::default();
    let mut walk = Walk::new(bytes, &mut counters, "", 0);
    let mut found: BTreeMap<u32, Vec<ShardPiece>> = BTreeMap::new();
    let (mut with_data, mut entries) = (BTreeSet::new(), 0);
    while let Some(entry) = walk.next()? {
        let Place::Shard(Some(shard), inside) = layout::place(&entry.path) else { continue };
        let Some((_, name)) = entry.path.split_once('/') else { continue };
        if matches!(inside, InShard::Archive(_) | InShard::File(..) | InShard::Wal) {
            with_data.insert(shard);
        }
        entries += 1;
        if entries > MOST_ENTRIES {
            return Err(limit(&entry.path, entry.offset, "it has more entries than are held in memory"));
        }
        let pieces = found.entry(shard).or_default();
        pieces.push(ShardPiece::Own(
            renamed(walk.header(), name, entry.directory)
                .ok_or_else(|| limit(&entry.path, entry.offset, "its name is too long to be written anew"))?,
        ));
        let (from, to) = walk.behind_header();
        pieces.push(ShardPiece::Range(from, to - from));
    }
    found.retain(|shard, _| with_data.contains(shard));
    // Two blocks of zeros end an archive.
    found.values_mut().for_each(|pieces| pieces.push(ShardPiece::Own(vec![0; 2 * BLOCK as usize])));
    Ok(found)
}

fn limit(entry: &str, offset: u64, what: &str) -> Unfit {
    let what = what.to_owned();
    Unfit::Damage(crate::archive::damage::Damage { entry: crate::domain::text::one_line(entry, 120), offset, what, limit: true })
}

/// The header with another name, and the checksum that belongs to it; `None` where the name has no room.
fn renamed(header: &[u8; BLOCK as usize], name: &str, directory: bool) -> Option<Vec<u8>> {
    const NAME: std::ops::Range<usize> = 0..100;
    const CHECKSUM: std::ops::Range<usize> = 148..156;
    let name = if directory { format!("{}/", name.trim_end_matches('/')) } else { name.to_owned() };
    if name.len() > NAME.len() {
        return None;
    }
    let mut header = header.to_vec();
    header[NAME].fill(0);
    header[..name.len()].copy_from_slice(name.as_bytes());
    // In a header of POSIX the front of a long name stands elsewhere, too.
    if &header[257..263] == b"ustar\0" {
        header[345..500].fill(0);
    }
    header[CHECKSUM].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[CHECKSUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Some(header)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::bytes::StreamBytes;

    fn composed(whole: &[u8], pieces: &[ShardPiece]) -> Vec<u8> {
        let mut all = Vec::new();
        for piece in pieces {
            match piece {
                ShardPiece::Own(bytes) => all.extend_from_slice(bytes),
                ShardPiece::Range(from, length) => all.extend_from_slice(&whole[*from as usize..(from + length) as usize]),
            }
        }
        all
    }

    #[test]
    fn each_shard_comes_out_as_an_archive_of_its_own() {
        let mut builder = tar::Builder::new(Vec::new());
        let mut add = |path: &str, content: &[u8]| {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, path, content).unwrap();
        };
        add("0/segments/a.tar", &[1; 700]);
        add("0/wal/open-1", b"log");
        add("0/replica_state.json", b"{}");
        add("3/segments/b.tar", b"second");
        add("7/replica_state.json", b"{}");
        add("config.json", b"{}");
        let whole = builder.into_inner().unwrap();
        let found = shards(&mut StreamBytes(whole.as_slice())).unwrap();
        assert_eq!(found.keys().copied().collect::<Vec<_>>(), [0, 3], "the stub of 7 is none");
        let names = |shard: u32| {
            let bytes = composed(&whole, &found[&shard]);
            let mut archive = tar::Archive::new(std::io::Cursor::new(bytes));
            let mut read = Vec::new();
            for entry in archive.entries().unwrap() {
                let mut entry = entry.unwrap();
                let mut content = Vec::new();
                std::io::Read::read_to_end(&mut entry, &mut content).unwrap();
                read.push((entry.path().unwrap().display().to_string(), content.len()));
            }
            read
        };
        assert_eq!(names(0), [("segments/a.tar".into(), 700), ("wal/open-1".into(), 3), ("replica_state.json".into(), 2)]);
        assert_eq!(names(3), [("segments/b.tar".to_owned(), 6)]);
        assert!(shards(&mut StreamBytes(&whole[..900])).is_err());
    }
}
