//! Reads a snapshot and tells what is in it. Nothing is unpacked to disk, and memory does not grow with the file.

mod collection;
mod segment;
mod shard;
mod tables;

use crate::archive::bytes::{Bytes, fill};
use crate::archive::contents::{Collection, Contents, Kind, Scope};
use crate::archive::damage::{Damage, Stop, Walked};
use crate::archive::shape::SegmentShape;
use crate::archive::sizes::Sizes;
use crate::archive::tree::Tree;
use crate::archive::walk::{Counters, Entry, Walk};
use crate::domain::ids::SnapshotName;
use crate::domain::snapshot::parse_name;
use crate::domain::text::{one_line, sanitise};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::sync::Arc;

/// Largest configuration that is read. A config of 100 named vectors takes 20 kB.
const MAX_CONFIG: u64 = 1 << 20;

/// Memory for what is remembered of shards, segments and configurations, in bytes.
const ROOM: usize = 24 << 20;

/// About what a collection, shard or segment costs.
const THING: usize = 600;

/// Bytes that JSON takes in memory for one in the file, at worst: an object of one short field takes 600 (serde_json).
const JSON: usize = 100;

/// Zeros behind the end of an archive that are looked at: a tar pads to ten kilobytes.
const PADDING: usize = 64 << 10;

/// Damaged places that are remembered one by one.
const MAX_DAMAGE: usize = 100;

/// What is asked while reading.
pub trait Watcher {
    /// Called for every entry: `at` bytes of the file are behind. An error ends the reading.
    fn passed(&mut self, entries: u64, at: u64) -> io::Result<()>;
}

impl<F: FnMut(u64, u64) -> io::Result<()>> Watcher for F {
    fn passed(&mut self, entries: u64, at: u64) -> io::Result<()> {
        self(entries, at)
    }
}

/// Reads from the first byte of a file to the last. `name` is its name, which tells collection and time.
///
/// # Errors
/// When the bytes cannot be had. Damage is no error: it is what was found.
pub fn inspect(bytes: &mut dyn Bytes, name: Option<&str>, watcher: &mut dyn Watcher) -> io::Result<Contents> {
    read(bytes, name, watcher, Scope::Whole)
}

/// The same for bytes that start somewhere in the file.
pub(in crate::archive) fn read(
    bytes: &mut dyn Bytes,
    name: Option<&str>,
    watcher: &mut dyn Watcher,
    scope: Scope,
) -> io::Result<Contents> {
    let mut reader = Reader { found: empty(scope), last_shape: None, doubled: None, seen: HashSet::new(), used: 0, watcher };
    let mut counters = Counters::default();
    reader.archive(bytes, &mut counters, name)?;
    reader.found.entries = counters.entries;
    Ok(reader.found)
}

fn empty(scope: Scope) -> Contents {
    Contents {
        kind: Kind::Unknown,
        scope,
        size: None,
        entries: 0,
        sizes: Sizes::default(),
        collections: Vec::new(),
        aliases: BTreeMap::new(),
        damage: Vec::new(),
        behind: 0,
        tree: Tree::default(),
    }
}

struct Reader<'w> {
    found: Contents,
    /// The shape of the segment before: most are the same, and kept once.
    last_shape: Option<Arc<SegmentShape>>,
    /// Nested archives that appeared twice: what is in them is not told of again.
    doubled: Option<String>,
    /// Hashes of the paths so far: a name that comes twice is unpacked over the first.
    seen: HashSet<u64>,
    used: usize,
    watcher: &'w mut dyn Watcher,
}

/// What the outermost archive turned out to have.
#[derive(Default)]
struct Signs {
    full: bool,
    config: bool,
    shard_in_path: bool,
    shard_bare: bool,
    nested: bool,
    manifest: bool,
}

impl Signs {
    fn kind(&self) -> Kind {
        if self.full {
            Kind::Full
        } else if self.config || self.shard_in_path {
            Kind::Collection
        } else if self.manifest {
            Kind::Partial
        } else if self.shard_bare {
            if self.nested { Kind::Shard } else { Kind::ShardStream }
        } else {
            Kind::Unknown
        }
    }
}

impl Reader<'_> {
    fn damage(&mut self, damage: Damage) {
        // One cut ends the archives it lies in, one after another: it is told once, by the innermost.
        let told = self.found.damage.last().is_some_and(|last| last.offset == damage.offset);
        if self.found.damage.len() < MAX_DAMAGE && !told {
            self.found.damage.push(damage);
        }
    }

    /// Counts what is remembered for good.
    fn remember(&mut self, within: &str, entry: &Entry, bytes: usize) -> Walked<()> {
        self.used = self.used.saturating_add(bytes);
        if self.used <= ROOM {
            return Ok(());
        }
        Err(Stop::Damage(too_much(within, entry)))
    }

    /// The text of an entry that is JSON. It is `kept` for good once parsed, or only looked at.
    fn text(&mut self, walk: &mut Walk<'_>, within: &str, entry: &Entry, kept: bool) -> Walked<Vec<u8>> {
        let text = walk.read(entry, MAX_CONFIG)?;
        let room = text.len().saturating_mul(JSON);
        if self.used.saturating_add(room) > ROOM {
            return Err(Stop::Damage(too_much(within, entry)));
        }
        self.used += if kept { room } else { 0 };
        Ok(text)
    }

    /// The JSON of an entry. It is `kept` for good, or only looked at.
    fn json(&mut self, walk: &mut Walk<'_>, within: &str, entry: &Entry, kept: bool) -> Walked<Result<Value, String>> {
        Ok(parsed(&self.text(walk, within, entry, kept)?))
    }

    /// Notes damage; what else ended a walk is passed on.
    fn ended(&mut self, walked: Walked<()>) -> io::Result<bool> {
        match walked {
            Ok(()) => Ok(true),
            Err(Stop::Damage(damage)) => {
                self.damage(damage);
                Ok(false)
            }
            Err(Stop::Source(error)) => Err(error),
        }
    }

    fn entry(&mut self, within: &str, entry: &Entry, is_archive: bool, counters: u64) -> io::Result<()> {
        let path = format!("{within}{}", entry.path);
        let mut hasher = DefaultHasher::new();
        path.hash(&mut hasher);
        if !entry.directory && !self.seen.insert(hasher.finish()) {
            let inside_of_one = self.doubled.as_ref().is_some_and(|archive| path.starts_with(archive.as_str()));
            if !inside_of_one {
                self.damage(at(within, entry, "it appears twice: unpacked, the later one would replace the earlier"));
            }
            if is_archive {
                self.doubled = Some(format!("{path}/"));
            }
        }
        if !entry.directory && !is_archive {
            let sizes = Sizes { stored: entry.stored, unpacked: entry.size };
            self.found.sizes.add(sizes);
            self.found.tree.add(&sanitise(&path), sizes, entry.sparse());
        }
        self.watcher.passed(counters, entry.offset)
    }

    /// The outermost archive.
    fn archive(&mut self, bytes: &mut dyn Bytes, counters: &mut Counters, name: Option<&str>) -> io::Result<()> {
        let mut signs = Signs::default();
        let mut collection = named(name);
        let walked = self.collection(bytes, counters, "", 0, &mut collection, &mut signs);
        collection.broken_off = !self.ended(walked)?;
        if !collection.broken_off {
            self.found.behind = behind(bytes)?;
        }
        self.found.kind = signs.kind();
        match self.found.kind {
            Kind::Unknown => {
                if self.found.damage.is_empty() {
                    let what = "it is a tar archive, but nothing in it is of a Qdrant snapshot".into();
                    self.damage(Damage { entry: String::new(), offset: 0, what, limit: false });
                }
            }
            Kind::Full => self.full(&collection),
            _ => self.found.collections.push(collection),
        }
        Ok(())
    }

    /// What the configuration of a full snapshot says about the collections in it.
    fn full(&mut self, collection: &Collection) {
        let mapping = collection.config.get("collections_mapping").and_then(Value::as_object);
        if mapping.is_none() && self.found.damage.is_empty() {
            let what = "`config.json` does not say which collection is in which file".into();
            self.damage(Damage { entry: "config.json".into(), offset: 0, what, limit: false });
        }
        let aliases = collection.config.get("collections_aliases").and_then(Value::as_object);
        let aliases = aliases.into_iter().flatten();
        let read = |(alias, of): (&String, &Value)| Some((one_line(alias, 120), one_line(of.as_str()?, 120)));
        self.found.aliases = aliases.filter_map(read).collect();
        for (of, file) in mapping.into_iter().flatten() {
            let file = file.as_str().unwrap_or_default();
            let stem = file.strip_suffix(".snapshot").unwrap_or(file);
            let parsed = named(Some(file));
            let it = self.found.collections.iter_mut().find(|known| known.file.as_deref() == Some(stem));
            match it {
                Some(known) => {
                    known.name = Some(one_line(of, 120));
                    (known.peer, known.taken_at) = (parsed.peer, parsed.taken_at);
                }
                None if self.found.scope == Scope::End => {
                    self.found.collections.push(Collection { name: Some(one_line(of, 120)), ..parsed });
                }
                None => {
                    let what = format!("`config.json` names it for the collection {}, and it is not there", one_line(of, 80));
                    self.damage(Damage { entry: one_line(file, 120), offset: 0, what, limit: false });
                }
            }
        }
    }
}

/// Bytes that follow the end of the archive and are no padding. Qdrant stops at the end (1.16.3).
fn behind(bytes: &mut dyn Bytes) -> io::Result<u64> {
    let mut buffer = vec![0; PADDING];
    let n = fill(bytes, &mut buffer)?;
    if buffer[..n].iter().all(|byte| *byte == 0) {
        return Ok(0);
    }
    Ok(n as u64 + bytes.skip(u64::MAX / 2)?)
}

fn parsed(text: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(text).map_err(|error| one_line(&error.to_string(), 120))
}

fn too_much(within: &str, entry: &Entry) -> Damage {
    Damage { limit: true, ..at(within, entry, "more is described up to here than is held in memory") }
}

fn at(within: &str, entry: &Entry, what: &str) -> Damage {
    let entry_path = sanitise(&format!("{within}{}", entry.path));
    Damage { entry: entry_path, offset: entry.offset, what: what.to_owned(), limit: false }
}

fn named(name: Option<&str>) -> Collection {
    let parsed = name.and_then(|name| parse_name(&SnapshotName::new(name)));
    Collection {
        name: parsed.as_ref().map(|parsed| one_line(&parsed.collection, 255)),
        peer: parsed.as_ref().and_then(|parsed| parsed.peer.to_string().parse().ok()),
        taken_at: parsed.map(|parsed| parsed.taken_at.to_string()),
        ..Collection::default()
    }
}
