//! Files of a segment that belong together: where one of a storage is there, the others must be. A server finds a
//! missing one only while it loads, after the live data is gone, or when a point is read (measured on 1.16.3: without
//! `page_0.dat`, `tracker.dat`, `bitmask.dat`, `gaps.dat` or `config.json` of the payload an upload costs the live
//! collection; without `chunk_0.mmap` or `status.dat` of a vector storage it is accepted, and reading fails).

use crate::archive::damage::Severity;
use crate::archive::facts::{Fact, Facts};
use crate::archive::formats::wrong::{DESTROYS, Wrong};
use crate::archive::formats::{Format, pointers, quantized, tables};
use crate::archive::layout::{self, Purpose};
use std::collections::BTreeMap;

/// Folders that are remembered for one segment. One with a hundred vectors and a hundred indexes has a thousand.
const MAX_FOLDERS: usize = 4_000;

/// What a folder takes in memory beside its name, with a dozen facts.
const FOLDER: usize = 640;

/// One file of a storage, as a bit.
type Files = u32;

const CONFIG: Files = 1;
const STATUS: Files = 1 << 1;
const CHUNK: Files = 1 << 2;
const TRACKER: Files = 1 << 3;
const PAGE: Files = 1 << 4;
const BITMASK: Files = 1 << 5;
const GAPS: Files = 1 << 6;
const FLAGS: Files = 1 << 7;
const GRAPH: Files = 1 << 8;
const LINKS: Files = 1 << 9;
const HNSW: Files = 1 << 10;
const QUANTIZED_CONFIG: Files = 1 << 11;
const QUANTIZED_META: Files = 1 << 12;
const IDS: Files = 1 << 13;
const DELETED_IDS: Files = 1 << 14;

/// Names of the bits, for what is said.
const NAMES: [(Files, &str); 15] = [
    (CONFIG, "config.json"),
    (STATUS, "status.dat"),
    (CHUNK, "chunk_0.mmap"),
    (TRACKER, "tracker.dat"),
    (PAGE, "page_0.dat"),
    (BITMASK, "bitmask.dat"),
    (GAPS, "gaps.dat"),
    (FLAGS, "flags_a.dat"),
    (GRAPH, "graph.bin"),
    (LINKS, "links_compressed.bin"),
    (HNSW, "hnsw_config.json"),
    (QUANTIZED_CONFIG, "quantized.config.json"),
    (QUANTIZED_META, "quantized.meta.json"),
    (IDS, "id_tracker.mappings"),
    (DELETED_IDS, "id_tracker.deleted"),
];

/// A page storage, which payloads, sparse vectors and payload indexes use.
const PAGES: Files = CONFIG | TRACKER | PAGE | BITMASK | GAPS;

/// Most flags that a server makes room for, whatever their file holds: a gigabyte.
const MAX_FLAGS: u64 = 1 << 33;

/// Largest element of a chunk: an offset of a multivector has twelve bytes.
const MAX_ELEMENT: u64 = 16;

/// What is known of the files of one segment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Companions {
    folders: BTreeMap<String, Folder>,
    /// A folder came that there was no room for: then nothing is said.
    overflow: bool,
    /// About what it takes in memory, in bytes.
    room: usize,
}

/// What is known of one folder.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Folder {
    files: Files,
    facts: Facts,
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
        "graph.bin" => GRAPH,
        "links.bin" | "links_compressed.bin" | "links_comp_vec.bin" => LINKS,
        "hnsw_config.json" => HNSW,
        "quantized.config.json" => QUANTIZED_CONFIG,
        "quantized.meta.json" => QUANTIZED_META,
        "id_tracker.mappings" => IDS,
        "id_tracker.deleted" => DELETED_IDS,
        _ if name.starts_with("flags_") => FLAGS,
        _ => 0,
    }
}

/// What the size of a file tells.
fn size_of(name: &str) -> Option<Fact> {
    Some(match name {
        "flags_a.dat" => Fact::FlagBytes,
        "flags_b.dat" => Fact::SecondFlagBytes,
        "bitmask.dat" => Fact::BitmaskBytes,
        "gaps.dat" => Fact::GapBytes,
        "quantized.data" => Fact::QuantizedBytes,
        "points_map_ids.bin" => Fact::RangeBytes,
        _ if name.starts_with("page_") => Fact::PageBytes,
        _ => return None,
    })
}

fn concerns(file: &str) -> bool {
    !matches!(layout::purpose(file), Purpose::RocksDb | Purpose::Wal | Purpose::Meta | Purpose::Other)
}

impl Companions {
    /// Notes a file of a segment. `stored` are its bytes in the archive: an empty file is none.
    pub fn add(&mut self, file: &str, size: u64) {
        let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
        let (bit, fact) = (bit(name), size_of(name));
        if size == 0 || !concerns(file) || (bit == 0 && fact.is_none()) {
            return;
        }
        let Some(known) = self.folder(folder) else { return };
        known.files |= bit;
        if let Some(fact) = fact {
            let largest = known.facts.entry(fact).or_default();
            *largest = size.max(*largest);
        }
        if name.starts_with("page_") {
            *known.facts.entry(Fact::Pages).or_default() += 1;
        }
    }

    fn folder(&mut self, folder: &str) -> Option<&mut Folder> {
        if !self.folders.contains_key(folder) && self.folders.len() >= MAX_FOLDERS {
            self.overflow = true;
            return None;
        }
        if !self.folders.contains_key(folder) {
            self.room += FOLDER + folder.len();
            self.folders.insert(folder.to_owned(), Folder::default());
        }
        self.folders.get_mut(folder)
    }

    /// Checks a file of `size` bytes that begins with `head`, and notes what it tells.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&mut self, file: &str, format: Format, head: &[u8], size: u64) -> Result<(), Wrong> {
        let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
        match self.folder(folder) {
            Some(known) => format.check(head, size, &mut known.facts),
            None => Ok(()),
        }
    }

    /// About what it takes in memory, in bytes.
    pub fn room(&self) -> usize {
        self.room
    }

    /// Whether no file was noted.
    pub fn is_empty(&self) -> bool {
        self.folders.is_empty() && !self.overflow
    }

    /// Whether there is a graph in this folder.
    pub fn has_graph(&self, folder: &str) -> bool {
        self.overflow || self.folders.get(folder).is_some_and(|folder| folder.files & (GRAPH | LINKS) != 0)
    }

    /// What is missing.
    pub fn missing(&self) -> Vec<Missing> {
        if self.overflow {
            return Vec::new();
        }
        let items = |folder: &Folder| folder.facts.get(&Fact::Items).copied();
        self.folders.iter().flat_map(|(folder, known)| missing_in(folder, known.files, items(known))).collect()
    }

    /// What does not fit together. `dim` tells the dimensions of the vectors that a folder is of.
    pub fn inconsistent(&self, dim: impl Fn(&str) -> Option<u64>) -> Vec<(String, Wrong)> {
        let judge = |(folder, known): (&String, &Folder)| {
            let facts = &known.facts;
            let found = pointers::consistent(facts)
                .or_else(|| flags(facts))
                .or_else(|| chunks(facts, dim(folder).filter(|_| folder.ends_with("/vectors"))))
                .or_else(|| quantized::consistent(facts, dim(folder)))
                .or_else(|| tables::consistent(facts));
            found.map(|(name, wrong)| (format!("{folder}/{name}"), wrong))
        };
        self.folders.iter().filter_map(judge).collect()
    }
}

/// Flags: a server that is told of more than there are makes room for all of them (1.16.3: one bit of a `status.dat`
/// takes all of its memory).
fn flags(facts: &Facts) -> Option<(&'static str, Wrong)> {
    let fact = |fact| facts.get(&fact).copied();
    let (count, second) = (fact(Fact::Flags)?, fact(Fact::SecondFlags)?);
    if second != 0 && fact(Fact::SecondFlagBytes).is_none() {
        return Some(("status.dat", Wrong::damage("it says that the flags are in a file that is not there")));
    }
    let held = fact(Fact::FlagBytes).max(fact(Fact::SecondFlagBytes))?.saturating_mul(8);
    if count <= held {
        return None;
    }
    let what = "it counts more than its file of flags can hold";
    if count > MAX_FLAGS {
        return Some(("status.dat", Wrong::endless(what)));
    }
    let advice = "a server takes the flags that are missing for unset";
    Some(("status.dat", Wrong { severity: Severity::Doubt, what: what.into(), advice }))
}

/// Chunks: a configuration that can be read is believed.
fn chunks(facts: &Facts, of_vectors: Option<u64>) -> Option<(&'static str, Wrong)> {
    let fact = |fact| facts.get(&fact).copied();
    let (size, vectors, dim) = (fact(Fact::ChunkSize)?, fact(Fact::ChunkVectors)?, fact(Fact::ChunkDim)?);
    let elements = vectors.checked_mul(dim).filter(|elements| *elements > 0);
    let fits = elements.is_some_and(|elements| size % elements == 0 && size / elements <= MAX_ELEMENT);
    if !fits {
        return Some(("config.json", Wrong::damage("its numbers do not fit each other")));
    }
    let other = of_vectors.filter(|of_vectors| *of_vectors != dim)?;
    Some(("config.json", Wrong::damage(format!("it is for vectors of {dim} dimensions, and `segment.json` says {other}"))))
}

fn missing_in(folder: &str, files: Files, items: Option<u64>) -> Vec<Missing> {
    let last = folder.rsplit('/').next().unwrap_or(folder);
    let needed = if files & (TRACKER | PAGE | BITMASK | GAPS) != 0 {
        PAGES
    } else if matches!(last, "vectors" | "offsets") && files & (CONFIG | STATUS | CHUNK) != 0 {
        // An empty storage has no chunk yet (1.16.3).
        if items == Some(0) { CONFIG | STATUS } else { CONFIG | STATUS | CHUNK }
    } else if files & (GRAPH | LINKS | HNSW) != 0 {
        GRAPH | LINKS
    } else if files & QUANTIZED_CONFIG != 0 {
        QUANTIZED_META
    } else if files & IDS != 0 {
        DELETED_IDS
    } else if files & FLAGS != 0 {
        STATUS
    } else if matches!(last, "deleted" | "has_values" | "is_null" | "trues" | "falses") && files & STATUS != 0 {
        FLAGS
    } else {
        0
    };
    let loaded = TRACKER | PAGE | GRAPH | LINKS | HNSW | QUANTIZED_CONFIG | IDS;
    let why = if folder.starts_with("payload_storage") || files & loaded != 0 {
        DESTROYS
    } else {
        "a server accepts this, and reading its points fails"
    };
    let absent = NAMES.iter().filter(|(bit, _)| needed & bit != 0 && files & bit == 0);
    let path = |name: &str| if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
    absent.map(|(_, name)| Missing { file: path(name), why }).collect()
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
        empty.check(vectors[1], Format::Items, &[0; 8], 8).unwrap();
        assert!(empty.missing().is_empty(), "no vectors, no chunk");
        assert_eq!(missing(&["vector_index-a/graph.bin"]), ["vector_index-a/links_compressed.bin"]);
        assert_eq!(missing(&["vector_index/links.bin"]), ["vector_index/graph.bin"]);
        assert_eq!(missing(&["vector_storage/quantized.config.json"]), ["vector_storage/quantized.meta.json"]);
        assert_eq!(missing(&["id_tracker.mappings"]), ["id_tracker.deleted"]);
        assert_eq!(missing(&["vector_storage/deleted/flags_a.dat"]), ["vector_storage/deleted/status.dat"]);
        assert!(missing(&["vector_storage/matrix.dat", "payload_index/config.json", "vector_index/config.json"]).is_empty());
    }

    #[test]
    fn flags_that_cannot_be_there_are_told() {
        let wrong = |count: u64, second: u64, others: &[&str]| {
            let mut companions = Companions::default();
            let file = "vector_storage/deleted/status.dat";
            companions.add(file, 16);
            companions.check(file, Format::Flags, &[count.to_le_bytes(), second.to_le_bytes()].concat(), 16).unwrap();
            others.iter().for_each(|name| companions.add(&format!("vector_storage/deleted/{name}"), 1 << 20));
            let found = companions.inconsistent(|_| None);
            found.into_iter().map(|(file, wrong)| (file, wrong.severity)).next()
        };
        let file = "vector_storage/deleted/status.dat".to_owned();
        assert_eq!(wrong(50, 0, &["flags_a.dat"]), None);
        assert_eq!(wrong(8 << 20, 1, &["flags_a.dat", "flags_b.dat"]), None);
        // 1.16.3 makes the file longer, as long as it has the memory.
        assert_eq!(wrong((8 << 20) + 1, 0, &["flags_a.dat"]), Some((file.clone(), Severity::Doubt)));
        assert_eq!(wrong(1 << 52, 0, &["flags_a.dat"]), Some((file.clone(), Severity::Damage)));
        assert_eq!(wrong(50, 1, &["flags_a.dat"]), Some((file, Severity::Damage)));
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
