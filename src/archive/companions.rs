//! Files of a segment that belong together: where one of a storage is there, the others must be. A server finds a
//! missing one only while it loads, after the live data is gone, or when a point is read (measured on 1.16.3: without
//! `page_0.dat`, `tracker.dat`, `bitmask.dat`, `gaps.dat` or `config.json` of the payload an upload costs the live
//! collection; without `chunk_0.mmap` or `status.dat` of a vector storage it is accepted, and reading fails).

use crate::archive::layout::{self, Purpose};
use std::collections::BTreeMap;

/// Folders that are remembered for one segment. One with a hundred vectors and a hundred indexes has a thousand.
const MAX_FOLDERS: usize = 4_000;

/// One file of a storage, as a bit.
type Files = u16;

const CONFIG: Files = 1;
const STATUS: Files = 1 << 1;
const CHUNK: Files = 1 << 2;
const TRACKER: Files = 1 << 3;
const PAGE: Files = 1 << 4;
const BITMASK: Files = 1 << 5;
const GAPS: Files = 1 << 6;
const FLAGS: Files = 1 << 7;

/// Names of the bits, for what is said.
const NAMES: [(Files, &str); 8] = [
    (CONFIG, "config.json"),
    (STATUS, "status.dat"),
    (CHUNK, "chunk_0.mmap"),
    (TRACKER, "tracker.dat"),
    (PAGE, "page_0.dat"),
    (BITMASK, "bitmask.dat"),
    (GAPS, "gaps.dat"),
    (FLAGS, "flags_a.dat"),
];

/// A page storage, which payloads, sparse vectors and payload indexes use.
const PAGES: Files = CONFIG | TRACKER | PAGE | BITMASK | GAPS;

/// What is known of the files of one segment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Companions {
    folders: BTreeMap<String, Folder>,
    /// A folder came that there was no room for: then nothing is said.
    overflow: bool,
}

/// What is known of one folder.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Folder {
    files: Files,
    /// How many items it says that it has.
    items: Option<u64>,
    /// Bytes of its flags: a bit each.
    flags: u64,
    /// How many flags it says that it has, and in which of its two files.
    flagged: Option<(u64, u64)>,
}

/// A file that is missing beside others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Path within the segment.
    pub file: String,
    /// Why it must be there.
    pub why: &'static str,
}

fn bit(name: &str) -> Files {
    match name {
        "config.json" => CONFIG,
        "status.dat" => STATUS,
        "tracker.dat" => TRACKER,
        "bitmask.dat" => BITMASK,
        "gaps.dat" => GAPS,
        "chunk_0.mmap" => CHUNK,
        "page_0.dat" => PAGE,
        _ if name.starts_with("flags_") => FLAGS,
        _ => 0,
    }
}

impl Companions {
    /// Notes a file of a segment. `stored` are its bytes in the archive: an empty file is none.
    pub fn add(&mut self, file: &str, size: u64) {
        let concerns = matches!(layout::purpose(file), Purpose::Vectors | Purpose::Payload | Purpose::PayloadIndex);
        let Some((folder, name)) = file.rsplit_once('/').filter(|_| concerns) else { return };
        let bit = if size == 0 { 0 } else { bit(name) };
        if bit == 0 {
            return;
        }
        if !self.folders.contains_key(folder) && self.folders.len() >= MAX_FOLDERS {
            self.overflow = true;
            return;
        }
        let known = self.folders.entry(folder.to_owned()).or_default();
        known.files |= bit;
        if bit == FLAGS {
            known.flags = known.flags.max(size);
        }
    }

    /// Notes how many flags a folder says that it has, and in which of its two files.
    pub fn flagged(&mut self, file: &str, count: u64, of: u64) {
        if let Some((folder, _)) = file.rsplit_once('/')
            && let Some(known) = self.folders.get_mut(folder)
        {
            known.flagged = Some((count, of));
        }
    }

    /// Files that say more flags than there are. A server that loads one takes memory without end, or refuses what it has
    /// begun to restore (measured on 1.16.3: one bit of a `status.dat`).
    pub fn impossible(&self) -> Vec<String> {
        let wrong = |folder: &Folder| {
            let held = folder.flags.saturating_mul(8);
            folder.flagged.is_some_and(|(count, of)| of > 1 || (folder.files & FLAGS != 0 && count > held))
        };
        self.folders.iter().filter(|(_, folder)| wrong(folder)).map(|(folder, _)| format!("{folder}/status.dat")).collect()
    }

    /// Notes how many items a storage says that it has.
    pub fn counted(&mut self, file: &str, items: u64) {
        if let Some((folder, _)) = file.rsplit_once('/')
            && let Some(known) = self.folders.get_mut(folder)
        {
            known.items = Some(items);
        }
    }

    /// About what it takes in memory, in bytes.
    pub fn room(&self) -> usize {
        self.folders.keys().map(|folder| 128 + folder.len()).sum()
    }

    /// What is missing.
    pub fn missing(&self) -> Vec<Missing> {
        if self.overflow {
            return Vec::new();
        }
        self.folders.iter().flat_map(|(folder, known)| missing_in(folder, known.files, known.items)).collect()
    }
}

fn missing_in(folder: &str, files: Files, items: Option<u64>) -> Vec<Missing> {
    let last = folder.rsplit('/').next().unwrap_or(folder);
    let needed = if files & (TRACKER | PAGE | BITMASK | GAPS) != 0 {
        PAGES
    } else if matches!(last, "vectors" | "offsets") && files & (CONFIG | STATUS | CHUNK) != 0 {
        // An empty storage has no chunk yet (1.16.3).
        if items == Some(0) { CONFIG | STATUS } else { CONFIG | STATUS | CHUNK }
    } else if files & FLAGS != 0 {
        STATUS
    } else if matches!(last, "deleted" | "has_values" | "is_null") && files & STATUS != 0 {
        FLAGS
    } else {
        0
    };
    let why = if folder.starts_with("payload_storage") || files & (TRACKER | PAGE) != 0 {
        "a server fails to load the segment and has then already removed the live data"
    } else {
        "a server accepts this, and reading its points fails"
    };
    let absent = NAMES.iter().filter(|(bit, _)| needed & bit != 0 && files & bit == 0);
    absent.map(|(_, name)| Missing { file: format!("{folder}/{name}"), why }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(files: &[&str]) -> Vec<String> {
        let mut companions = Companions::default();
        files.iter().for_each(|file| companions.add(file, 1));
        companions.missing().into_iter().map(|missing| missing.file).collect()
    }

    #[test]
    fn each_storage_needs_its_own() {
        let pages = ["tracker.dat", "page_0.dat", "config.json", "bitmask.dat", "gaps.dat"];
        for folder in ["payload_storage", "vector_storage-words/store", "payload_index/x-city-map"] {
            let all: Vec<String> = pages.iter().map(|name| format!("{folder}/{name}")).collect();
            let all: Vec<&str> = all.iter().map(String::as_str).collect();
            assert!(missing(&all).is_empty());
            for without in 0..all.len() {
                let rest: Vec<&str> = all.iter().copied().filter(|file| *file != all[without]).collect();
                assert_eq!(missing(&rest), [all[without]]);
            }
        }
        let vectors = ["vector_storage/vectors/config.json", "vector_storage/vectors/status.dat"];
        assert_eq!(missing(&vectors), ["vector_storage/vectors/chunk_0.mmap"]);
        let mut empty = Companions::default();
        vectors.iter().for_each(|file| empty.add(file, 1));
        empty.counted(vectors[1], 0);
        assert!(empty.missing().is_empty(), "no vectors, no chunk");
        assert_eq!(missing(&["vector_storage/deleted/flags_a.dat"]), ["vector_storage/deleted/status.dat"]);
        assert!(missing(&["vector_storage/matrix.dat", "payload_index/config.json", "vector_index/config.json"]).is_empty());
    }

    #[test]
    fn flags_that_cannot_be_there_are_told() {
        let wrong = |count, of| {
            let mut companions = Companions::default();
            companions.add("vector_storage/deleted/status.dat", 16);
            companions.flagged("vector_storage/deleted/status.dat", count, of);
            companions.add("vector_storage/deleted/flags_a.dat", 1 << 20);
            companions.impossible()
        };
        assert!(wrong(50, 0).is_empty() && wrong(8 << 20, 1).is_empty());
        assert_eq!(wrong((8 << 20) + 1, 0), ["vector_storage/deleted/status.dat"]);
        assert_eq!(wrong(50, 2).len(), 1);
    }

    #[test]
    fn an_empty_file_is_none() {
        let mut companions = Companions::default();
        companions.add("vector_storage/vectors/config.json", 80);
        companions.add("vector_storage/vectors/status.dat", 8);
        companions.add("vector_storage/vectors/chunk_0.mmap", 0);
        assert_eq!(companions.missing().len(), 1);
    }
}
