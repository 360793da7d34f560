//! An archive that passes by, taken apart into its entries: where the bytes of each begin and end, and what they hash to. Nothing is
//! held but headers and the few small files that are asked for.

use crate::archive::header::{self, BLOCK, EntryKind};
use crate::archive::walk::clean;
use crate::domain::hex::hex;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// Entries of one archive, at most: their list is held in memory, 60 MB of it.
const MOST_ENTRIES: usize = 200_000;

/// Bytes of all small files that are held.
const MOST_HELD: usize = 32 << 20;

/// A name that does not fit into a header.
const LONGEST_NAME: u64 = 8 << 10;

/// An entry as it stands in the archive: its headers, its body and what fills the last block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawEntry {
    /// Its name.
    pub path: String,
    /// Offset of its first header.
    pub offset: u64,
    /// Bytes, up to the next entry.
    pub length: u64,
    /// sha256 of them, lower-case hex.
    pub sha256: String,
}

/// What an archive consists of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entries {
    /// In their order. No name comes twice.
    pub all: Vec<RawEntry>,
    /// The content of the files that were asked for.
    pub held: BTreeMap<String, Vec<u8>>,
}

enum State {
    /// In a header.
    Header,
    /// In a list of holes that a header has no room for.
    Holes,
    /// So many bytes of the body are left, and after them so many that fill the block.
    Body(u64, u64),
    /// A block of zeros was seen.
    Ending,
    Ended,
    Wrong(String),
}

/// Takes an archive apart.
pub struct Splitter {
    hold: fn(&str) -> bool,
    state: State,
    block: Vec<u8>,
    at: u64,
    start: u64,
    hasher: Sha256,
    /// The entry whose body comes, and whether that is held.
    entry: Option<(String, bool)>,
    body: (u64, u64),
    long_name: Option<Vec<u8>>,
    naming: bool,
    content: Vec<u8>,
    held: usize,
    names: BTreeSet<String>,
    entries: Entries,
}

impl Splitter {
    /// `hold` says of which files the content is wanted.
    pub fn new(hold: fn(&str) -> bool) -> Self {
        Self {
            hold,
            state: State::Header,
            block: Vec::with_capacity(BLOCK as usize),
            at: 0,
            start: 0,
            hasher: Sha256::new(),
            entry: None,
            body: (0, 0),
            long_name: None,
            naming: false,
            content: Vec::new(),
            held: 0,
            names: BTreeSet::new(),
            entries: Entries::default(),
        }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let taken = match &mut self.state {
                State::Ended | State::Wrong(_) => return,
                State::Header | State::Holes | State::Ending => self.fill(bytes),
                State::Body(left, padding) => {
                    let (from, of) = if *left > 0 { (&mut *left, true) } else { (&mut *padding, false) };
                    let taken = usize::try_from(*from).unwrap_or(usize::MAX).min(bytes.len());
                    *from -= taken as u64;
                    let over = *left == 0 && *padding == 0;
                    self.hasher.update(&bytes[..taken]);
                    if of && (self.naming || self.entry.as_ref().is_some_and(|(_, held)| *held)) {
                        self.content.extend_from_slice(&bytes[..taken]);
                    }
                    if over {
                        self.end_of_body(self.at + taken as u64);
                    }
                    taken
                }
            };
            self.at += taken as u64;
            bytes = &bytes[taken..];
        }
    }

    /// What it consists of.
    ///
    /// # Errors
    /// In words, when it has no end, or is not what Qdrant writes.
    pub fn finish(self) -> Result<Entries, String> {
        match self.state {
            State::Ended => Ok(self.entries),
            State::Wrong(why) => Err(why),
            _ => Err("it has no end".into()),
        }
    }

    fn wrong(&mut self, why: impl Into<String>) {
        self.state = State::Wrong(why.into());
    }

    /// Fills a block, and reads it when it is full.
    fn fill(&mut self, bytes: &[u8]) -> usize {
        let taken = (BLOCK as usize - self.block.len()).min(bytes.len());
        if self.block.is_empty() && matches!(self.state, State::Header) && !self.naming && self.long_name.is_none() {
            self.start = self.at;
            self.hasher = Sha256::new();
        }
        self.block.extend_from_slice(&bytes[..taken]);
        if self.block.len() == BLOCK as usize {
            let mut block = [0; BLOCK as usize];
            block.copy_from_slice(&self.block);
            self.block.clear();
            self.read(&block, self.at + taken as u64);
        }
        taken
    }

    fn read(&mut self, block: &[u8; BLOCK as usize], end: u64) {
        let zeros = block.iter().all(|byte| *byte == 0);
        match self.state {
            State::Ending if zeros => self.state = State::Ended,
            State::Ending => self.wrong("a single block of zeros stands in it"),
            State::Header if zeros && self.long_name.is_some() => self.wrong("a name without an entry ends it"),
            State::Header if zeros => self.state = State::Ending,
            State::Header => {
                self.hasher.update(block);
                self.header(block, end);
            }
            _ => {
                self.hasher.update(block);
                // Offsets are not needed here, only whether more of them follow.
                match header::decode_spans(block, &mut Vec::new()) {
                    Ok(true) => {}
                    Ok(false) => self.begin_body(end),
                    Err(why) => self.wrong(why),
                }
            }
        }
    }

    fn header(&mut self, block: &[u8; BLOCK as usize], end: u64) {
        let decoded = match header::decode(block) {
            Ok(decoded) => decoded,
            Err(why) => return self.wrong(why),
        };
        self.body = (decoded.stored, (BLOCK - decoded.stored % BLOCK) % BLOCK);
        match decoded.kind {
            EntryKind::LongName if decoded.stored <= LONGEST_NAME && !self.naming && self.long_name.is_none() => {
                self.naming = true;
                self.begin_body(end);
            }
            EntryKind::LongName | EntryKind::Pax | EntryKind::Aside => self.wrong("it was not written by Qdrant"),
            EntryKind::File | EntryKind::Sparse | EntryKind::Directory => {
                let path = match clean(&self.long_name.take().unwrap_or(decoded.path)) {
                    Ok(path) => path,
                    Err(why) => return self.wrong(why),
                };
                if self.names.len() >= MOST_ENTRIES {
                    return self.wrong(format!("it has more than {MOST_ENTRIES} entries"));
                }
                if !self.names.insert(path.clone()) {
                    return self.wrong("a name comes twice in it");
                }
                let held = (self.hold)(&path) && decoded.kind == EntryKind::File;
                if held {
                    self.held = self.held.saturating_add(usize::try_from(decoded.stored).unwrap_or(usize::MAX));
                    if self.held > MOST_HELD {
                        return self.wrong("its small files are larger than is held in memory");
                    }
                }
                self.entry = Some((path, held));
                if decoded.extended { self.state = State::Holes } else { self.begin_body(end) }
            }
        }
    }

    fn begin_body(&mut self, at: u64) {
        self.content.clear();
        match self.body {
            (0, 0) => self.end_of_body(at),
            (left, padding) => self.state = State::Body(left, padding),
        }
    }

    fn end_of_body(&mut self, end: u64) {
        self.state = State::Header;
        if self.naming {
            self.naming = false;
            let mut name = std::mem::take(&mut self.content);
            while name.last() == Some(&0) {
                name.pop();
            }
            self.long_name = Some(name);
            return;
        }
        let Some((path, held)) = self.entry.take() else { return };
        if held {
            self.entries.held.insert(path.clone(), std::mem::take(&mut self.content));
        }
        let sha256 = hex(&std::mem::replace(&mut self.hasher, Sha256::new()).finalize());
        self.entries.all.push(RawEntry { path, offset: self.start, length: end - self.start, sha256 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(bytes: &[u8], step: usize) -> Result<Entries, String> {
        let mut splitter = Splitter::new(|path| path.ends_with("small.json"));
        bytes.chunks(step).for_each(|chunk| splitter.push(chunk));
        splitter.finish()
    }

    fn archive(long: &str) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        let mut add = |path: &str, content: &[u8]| {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, path, content).unwrap();
        };
        add("a/small.json", b"{}");
        add(long, &[7; 1025]);
        add("empty", b"");
        builder.into_inner().unwrap()
    }

    proptest! {
        #[test]
        fn its_entries_cover_it_whatever_the_pieces_it_comes_in(step in 1_usize..2000, long in "[a-z]{1,40}(/[a-z]{50,90}){0,3}") {
            let bytes = archive(&long);
            let entries = split(&bytes, step).unwrap();
            let paths: Vec<&str> = entries.all.iter().map(|entry| entry.path.as_str()).collect();
            prop_assert_eq!(paths, ["a/small.json", long.as_str(), "empty"]);
            let mut at = 0;
            for entry in &entries.all {
                prop_assert_eq!(entry.offset, at);
                at += entry.length;
                let range = &bytes[entry.offset as usize..at as usize];
                prop_assert_eq!(&hex(&Sha256::digest(range)), &entry.sha256);
            }
            prop_assert_eq!(&bytes[at as usize..at as usize + 1024], &[0; 1024][..]);
            prop_assert_eq!(entries.held.get("a/small.json").map(Vec::as_slice), Some(&b"{}"[..]));
        }
    }

    #[test]
    fn streams_of_real_servers_are_taken_apart_as_the_walk_sees_them() {
        for name in ["plain-shard-stream.tar", "plain-partial-after-5.tar", "plain-partial-full.tar"] {
            let bytes = std::fs::read(format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
            let entries = split(&bytes, 4096).unwrap();
            let mut counters = crate::archive::walk::Counters::default();
            let mut from = crate::archive::bytes::StreamBytes(bytes.as_slice());
            let mut walk = crate::archive::walk::Walk::new(&mut from, &mut counters, "", 0);
            let mut seen = Vec::new();
            while let Some(entry) = walk.next().unwrap() {
                seen.push((entry.path, entry.offset));
            }
            assert_eq!(entries.all.len(), seen.len(), "{name}");
            for (entry, (path, header)) in entries.all.iter().zip(seen) {
                // A long name stands before the header.
                let within = entry.offset..entry.offset + entry.length;
                assert!(entry.path == path && within.contains(&header), "{name}: {path}");
            }
        }
    }

    #[test]
    fn what_is_cut_or_not_qdrants_is_refused() {
        let bytes = archive("b");
        assert!(split(&bytes[..bytes.len() - 1024], 100).unwrap_err().contains("no end"));
        let mut broken = bytes.clone();
        broken[10] ^= 1;
        assert!(split(&broken, 100).unwrap_err().contains("checksum"));
        assert!(split(&archive("empty"), 100).unwrap_err().contains("twice"));
    }
}
