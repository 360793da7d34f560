//! The list of the files of a shard's snapshot, an object beside the manifest: where the entry of each lies in the streams that were
//! stored, and which versions the server told. A restore puts the snapshot together by it; the next increment builds on it.
//!
//! ```text
//! {"format":1,"shard":0,
//!  "objects":[{"backup":"20261127T031500Z-9f3c","name":"shard-0.tar","size":…,"sha256":"…"}],
//!  "files":{"segments/…/files/segment.json":[0,OFFSET,LENGTH,"sha256 of these bytes"]},
//!  "versions":{…}}
//! ```
//!
//! An entry is what stands in the archive: its headers, its body, and what fills the last block.

use crate::domain::hex;
use crate::domain::ids::ShardId;
use crate::repository::manifest::{FORMAT, Held, Manifest};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// A list larger than this is none.
pub const LARGEST: u64 = 256 << 20;

/// A shard larger than this is none: one PiB. Sums of lengths stay far from what a number can hold.
const MOST_BYTES: u64 = 1 << 50;

/// Where an entry lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct At(
    /// In which object, by its place in the list of objects.
    pub usize,
    /// Offset of the first byte.
    pub u64,
    /// Bytes.
    pub u64,
    /// sha256 of them, lower-case hex.
    pub String,
);

/// The list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShardIndex {
    /// Format of the layout.
    pub format: u32,
    /// Which shard.
    pub shard: ShardId,
    /// Objects that entries lie in, the oldest first.
    pub objects: Vec<Held>,
    /// The entries by name.
    pub files: BTreeMap<String, At>,
    /// The versions of segments and files, as the server told them.
    pub versions: Value,
}

impl ShardIndex {
    /// One of these entries; objects that have none are left out.
    pub fn of(shard: ShardId, objects: &[Held], files: Vec<(String, At)>, versions: Value) -> Self {
        let used: Vec<usize> = (0..objects.len()).filter(|number| files.iter().any(|(_, at)| at.0 == *number)).collect();
        let place = |number: usize| used.iter().position(|used| *used == number).unwrap_or_default();
        let files = files.into_iter().map(|(path, at)| (path, At(place(at.0), at.1, at.2, at.3))).collect();
        let objects = used.iter().filter_map(|number| objects.get(*number).cloned()).collect();
        Self { format: FORMAT, shard, objects, files, versions }
    }

    /// Reads it; `sha256` is what the manifest says of it.
    ///
    /// # Errors
    /// Says what is wrong with it, in one sentence.
    pub fn read(text: &[u8], sha256: &str) -> Result<Self, String> {
        if hex::sha256(text) != sha256 {
            return Err("the list of its files has other bytes than the manifest says".into());
        }
        let index: Self = serde_json::from_slice(text).map_err(|error| format!("the list of its files is damaged: {error}"))?;
        if index.format > FORMAT {
            return Err(format!("the list of its files has format {}: use a newer qsnap", index.format));
        }
        let fits = |At(object, offset, length, sha): &At| {
            let end = offset.checked_add(*length);
            let size = index.objects.get(*object).map(|object| object.size);
            let digits = sha.len() == 64 && sha.bytes().all(|byte| byte.is_ascii_hexdigit());
            digits && end.zip(size).is_some_and(|(end, size)| end <= size)
        };
        let named = index.objects.iter().all(|held| Manifest::may_name(&held.name));
        let below = |path: &String| !path.starts_with('/') && path.split('/').all(|part| part != "..");
        if !named
            || !index.files.keys().all(below)
            || !index.files.values().all(fits)
            || index.bytes() > MOST_BYTES
            || index.overlaps()
        {
            return Err("the list of its files contradicts itself".into());
        }
        Ok(index)
    }

    /// Whether two entries share bytes: no archive has that, and a small object would become an endless file.
    fn overlaps(&self) -> bool {
        self.in_order().windows(2).any(|two| two[0].0 == two[1].0 && two[0].1.saturating_add(two[0].2) > two[1].1)
    }

    /// As it is stored.
    pub fn text(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Bytes of the snapshot when it is put together: all entries, and the two blocks that end an archive.
    pub fn bytes(&self) -> u64 {
        self.files.values().fold(1024, |sum: u64, at| sum.saturating_add(at.2))
    }

    /// The entries in the order in which they are read: object by object, from front to back.
    pub fn in_order(&self) -> Vec<&At> {
        let mut all: Vec<&At> = self.files.values().collect();
        all.sort_by_key(|at| (at.0, at.1));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::backup::BackupId;
    use serde_json::json;

    fn held(id: &str, size: u64) -> Held {
        Held { backup: BackupId::new(id).unwrap(), name: "shard-0.tar".into(), size, sha256: "a".repeat(64) }
    }

    #[test]
    fn it_is_read_back_and_a_hostile_one_is_not() {
        let objects =
            [held("20261122T031500Z-9f3c", 5000), held("20261122T041500Z-9f3c", 10), held("20261122T051500Z-9f3c", 2000)];
        let at = |object, offset| At(object, offset, 1000, "b".repeat(64));
        let files = vec![("x".to_owned(), at(2, 1000)), ("y".to_owned(), at(0, 2000)), ("z".to_owned(), at(0, 0))];
        let index = ShardIndex::of(0, &objects, files, json!({}));
        assert_eq!(index.objects.len(), 2, "of one nothing is used any more");
        assert_eq!(index.bytes(), 3000 + 1024);
        assert_eq!(index.in_order().iter().map(|at| (at.0, at.1)).collect::<Vec<_>>(), [(0, 0), (0, 2000), (1, 1000)]);
        let read = |index: &ShardIndex| {
            let text = index.text();
            ShardIndex::read(&text, &hex::sha256(&text))
        };
        assert_eq!(read(&index).unwrap(), index);
        assert!(ShardIndex::read(&index.text(), &"0".repeat(64)).unwrap_err().contains("other bytes"));
        for (object, offset, length) in [(7, 0, 1), (0, 4500, 1000), (0, u64::MAX, 1), (0, 999, 1), (0, 0, 1000)] {
            let mut bad = index.clone();
            bad.files.insert("x".into(), At(object, offset, length, "b".repeat(64)));
            assert!(read(&bad).unwrap_err().contains("contradicts"), "{object} {offset} {length}");
        }
        for path in ["/x", "../x", "a/../../x"] {
            let mut bad = index.clone();
            let at = bad.files.remove("x").unwrap();
            bad.files.insert(path.into(), at);
            assert!(read(&bad).unwrap_err().contains("contradicts"), "{path}");
        }
        let huge = vec![held("20261122T031500Z-9f3c", u64::MAX), held("20261122T041500Z-9f3c", u64::MAX)];
        let all = |object| At(object, 0, u64::MAX, "b".repeat(64));
        let endless = ShardIndex::of(0, &huge, vec![("x".to_owned(), all(0)), ("y".to_owned(), all(1))], json!({}));
        assert!(read(&endless).unwrap_err().contains("contradicts"), "sums do not overflow");
        let mut bad = index.clone();
        bad.objects[0].name = "../x".into();
        assert!(read(&bad).is_err());
        assert!(read(&ShardIndex { format: 2, ..index }).unwrap_err().contains("newer"));
    }
}
