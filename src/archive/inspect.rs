//! Reads a snapshot and tells what is in it. Nothing is unpacked to disk, and memory does not grow with the file.

use crate::archive::bytes::Bytes;
use crate::archive::companions::Companions;
use crate::archive::contents::{Collection, Contents, Kind, Scope, Segment, Shard, ShardKey, Sizes};
use crate::archive::damage::{Damage, Stop, Walked};
use crate::archive::layout::{self, InShard, Place, Purpose};
use crate::archive::segment_schema;
use crate::archive::shape::{SegmentShape, Shape};
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

    /// The JSON of an entry. It is `kept` for good, or only looked at.
    fn json(&mut self, walk: &mut Walk<'_>, within: &str, entry: &Entry, kept: bool) -> Walked<Result<Value, String>> {
        let text = walk.read(entry, MAX_CONFIG)?;
        let room = text.len().saturating_mul(JSON);
        if self.used.saturating_add(room) > ROOM {
            return Err(Stop::Damage(too_much(within, entry)));
        }
        self.used += if kept { room } else { 0 };
        Ok(serde_json::from_slice(&text).map_err(|error| one_line(&error.to_string(), 120)))
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
        self.found.kind = signs.kind();
        match self.found.kind {
            Kind::Unknown => {
                if self.found.damage.is_empty() {
                    let what = "it is a tar archive, but nothing in it is of a Qdrant snapshot".into();
                    self.damage(Damage { entry: String::new(), offset: 0, what, limit: false });
                }
            }
            Kind::Full => {
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
                            let what =
                                format!("`config.json` names it for the collection {}, and it is not there", one_line(of, 80));
                            self.damage(Damage { entry: one_line(file, 120), offset: 0, what, limit: false });
                        }
                    }
                }
            }
            _ => self.found.collections.push(collection),
        }
        Ok(())
    }

    /// A collection's or a shard's archive, or a full one.
    fn collection(
        &mut self,
        bytes: &mut dyn Bytes,
        counters: &mut Counters,
        within: &str,
        base: u64,
        into: &mut Collection,
        signs: &mut Signs,
    ) -> Walked<()> {
        let mut walk = Walk::new(bytes, counters, within, base);
        while let Some(entry) = walk.next()? {
            let entries = walk.entries();
            let place = layout::place(&entry.path);
            let nested_collection = matches!(place, Place::Collection(_)) && within.is_empty() && !entry.directory;
            let nested_segment = matches!(place, Place::Shard(_, InShard::Archive(_))) && !entry.directory;
            self.entry(within, &entry, nested_collection || nested_segment, entries)?;
            into.has_holes |= entry.sparse();
            if entry.directory {
                into.has_directories |= !entry.path.ends_with("wal");
            }
            match place {
                Place::Collection(stem) if nested_collection => {
                    signs.full = true;
                    self.remember(within, &entry, THING)?;
                    let mut nested =
                        Collection { name: Some(one_line(stem, 255)), file: Some(stem.to_owned()), ..Collection::default() };
                    let inner = format!("{}/", entry.path);
                    let walked = walk.inside(&entry, |bytes, counters, start| {
                        self.collection(bytes, counters, &inner, start, &mut nested, &mut Signs::default())
                    });
                    nested.broken_off = !self.ended(walked)?;
                    self.found.collections.push(nested);
                }
                Place::Config if !entry.directory => {
                    signs.config = true;
                    match self.json(&mut walk, within, &entry, true)? {
                        Ok(config) => into.config = config,
                        Err(problem) => into.config_problem = Some(problem),
                    }
                    if into.config.get("collections_mapping").is_some() && within.is_empty() {
                        signs.full = true;
                    } else if into.config_problem.is_none() {
                        match Shape::read(&into.config) {
                            Ok(shape) => {
                                into.shape = Some(shape);
                                into.config_flaws = segment_schema::collection(&into.config);
                            }
                            Err(problem) => into.config_problem = Some(problem),
                        }
                    }
                }
                Place::Keys if !entry.directory => {
                    into.has_keys = true;
                    match self.json(&mut walk, within, &entry, true)?.ok().as_ref().and_then(keys) {
                        Some((keys, as_map)) => (into.keys, into.keys_as_map) = (keys, as_map),
                        None => self.damage(at(within, &entry, "the shard keys cannot be read")),
                    }
                }
                Place::PayloadIndex if !entry.directory => {
                    into.has_payload_index = true;
                    match self.json(&mut walk, within, &entry, true)?.ok().as_ref().and_then(schema) {
                        Some((schema, raw)) => (into.payload_schema, into.payload_schema_raw) = (schema, raw),
                        None => self.damage(at(within, &entry, "the payload indexes cannot be read")),
                    }
                }
                Place::Version => into.has_version |= !entry.directory,
                Place::Shard(id, inside) => {
                    signs.shard_in_path |= id.is_some();
                    signs.shard_bare |= id.is_none();
                    signs.nested |= matches!(inside, InShard::Archive(_));
                    if !into.shards.contains_key(&id) {
                        self.remember(within, &entry, THING)?;
                    }
                    let shard = into.shards.entry(id).or_insert_with(|| Shard { id, ..Shard::default() });
                    self.in_shard(&mut walk, within, &entry, shard, inside)?;
                    signs.manifest |= matches!(inside, InShard::File(_, "segment_manifest.json"));
                }
                _ => {}
            }
        }
        // Segments that are not nested end with the archive.
        for segment in into.shards.values_mut().flat_map(|shard| shard.segments.values_mut()) {
            judge(segment);
            segment.companions = Companions::default();
        }
        Ok(())
    }

    fn in_shard(
        &mut self,
        walk: &mut Walk<'_>,
        within: &str,
        entry: &Entry,
        shard: &mut Shard,
        place: InShard<'_>,
    ) -> Walked<()> {
        match place {
            InShard::Wal => {
                shard.has_wal = true;
                shard.wal.add(Sizes { stored: entry.stored, unpacked: entry.size });
            }
            InShard::ShardConfig if !entry.directory => {
                shard.has_config = true;
                let config = self.json(walk, within, entry, false)?;
                if !config.as_ref().is_ok_and(|config| config.get("type").is_some_and(Value::is_string)) {
                    let what = config.err().unwrap_or_else(|| "it has no `type`".into());
                    shard.state_flaws.push(("shard_config.json".into(), what));
                }
            }
            InShard::ReplicaState if !entry.directory => {
                shard.has_state = true;
                match self.json(walk, within, entry, false)? {
                    Ok(state) => {
                        shard.is_local = state.get("is_local").and_then(Value::as_bool);
                        let peers = state.get("peers").and_then(Value::as_object).into_iter().flatten();
                        let read =
                            |(peer, state): (&String, &Value)| (one_line(peer, 24), one_line(state.as_str().unwrap_or("?"), 24));
                        shard.replicas = peers.take(MAX_PEERS).map(read).collect();
                        let flaws = segment_schema::replica_state(&state);
                        shard.state_flaws.extend(flaws.into_iter().map(|what| ("replica_state.json".to_owned(), what)));
                    }
                    Err(what) => shard.state_flaws.push(("replica_state.json".into(), what)),
                }
            }
            InShard::Hint(name) if shard.hints.len() < 8 => shard.hints.push(name.to_owned()),
            InShard::Archive(id) if !entry.directory => {
                let segment = self.segment_of(shard, id, within, entry)?;
                let inner = format!("{within}{}/", entry.path);
                let walked = walk.inside(entry, |bytes, counters, start| {
                    let mut nested = Walk::new(bytes, counters, &inner, start).without_end_blocks();
                    while let Some(entry) = nested.next()? {
                        self.entry(&inner, &entry, false, nested.entries())?;
                        self.in_segment(&mut nested, &inner, &entry, segment, layout::in_segment(&entry.path))?;
                    }
                    Ok(())
                });
                segment.broken_off = !self.ended(walked)?;
                if !segment.broken_off {
                    judge(segment);
                }
                self.used = self.used.saturating_sub(segment.companions.room());
                segment.companions = Companions::default();
            }
            InShard::File(id, file) => {
                let segment = self.segment_of(shard, id, within, entry)?;
                self.in_segment(walk, within, entry, segment, file)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn segment_of<'s>(&mut self, shard: &'s mut Shard, id: &str, within: &str, entry: &Entry) -> Walked<&'s mut Segment> {
        if !shard.segments.contains_key(id) {
            self.remember(within, entry, THING + 2 * id.len())?;
        }
        let fresh = || Segment { id: id.to_owned(), offset: entry.offset, ..Segment::default() };
        Ok(shard.segments.entry(id.to_owned()).or_insert_with(fresh))
    }

    fn in_segment(&mut self, walk: &mut Walk<'_>, within: &str, entry: &Entry, segment: &mut Segment, file: &str) -> Walked<()> {
        if entry.directory {
            return Ok(());
        }
        let purpose = layout::purpose(file);
        segment.files += 1;
        segment.has_points |= layout::tells_of_points(file, entry.stored, entry.sparse());
        segment.has_rocks_dump |= file.starts_with("db_backup/") && entry.stored > 0;
        segment.sizes.entry(purpose).or_default().add(Sizes { stored: entry.stored, unpacked: entry.size });
        let room = segment.companions.room();
        segment.companions.add(file, entry.size);
        self.remember(within, entry, segment.companions.room().saturating_sub(room))?;
        match file {
            "segment.json" => {
                segment.has_shape = true;
                match self.json(walk, within, entry, false)? {
                    Ok(state) => self.segment_shape(within, entry, segment, &state)?,
                    Err(problem) => self.damage(at(within, entry, &format!("it cannot be read: {problem}"))),
                }
            }
            "version.info" => {
                segment.has_version = true;
                if entry.size > 40 || !segment_schema::is_version(&walk.read(entry, 40)?) {
                    flaw(segment, file, "it is no version", DESTROYS);
                }
            }
            "segment_manifest.json" => segment.has_manifest = true,
            "mutable_id_tracker.mappings" | "id_tracker.mappings" => segment.has_mappings = entry.size > 0,
            "mutable_id_tracker.versions" | "id_tracker.versions" => {
                segment.has_versions = entry.size > 0;
                // One version of eight bytes for each point id (1.16.3 and 1.18.3: 400 bytes for 50 points).
                segment.versions = Some(entry.size / 8);
                if !entry.size.is_multiple_of(8) {
                    flaw(segment, file, "it is cut: its versions take eight bytes each", LOST);
                }
            }
            _ if file.ends_with("/status.dat") && entry.size == 8 && purpose == Purpose::Vectors => {
                let text = walk.read(entry, 8)?;
                if let Ok(count) = <[u8; 8]>::try_from(text.as_slice()) {
                    segment.companions.counted(file, u64::from_le_bytes(count));
                }
                self.vectors_of(within, entry, segment, file)?;
            }
            _ if file.ends_with("/status.dat") && entry.size == 16 => {
                let text = walk.read(entry, 16)?;
                if let Ok(both) = <[u8; 16]>::try_from(text.as_slice()) {
                    let both = u128::from_le_bytes(both);
                    segment.companions.flagged(file, both as u64, (both >> 64) as u64);
                }
                self.vectors_of(within, entry, segment, file)?;
            }
            _ if file.ends_with("/config.json") && entry.size <= MAX_SMALL => {
                match self.json(walk, within, entry, false)? {
                    Err(_) => flaw(segment, file, "it is no JSON", DESTROYS),
                    Ok(config) if file == "payload_index/config.json" && !config["indexed_fields"].is_object() => {
                        flaw(segment, file, "it does not say which fields are indexed", DESTROYS);
                    }
                    Ok(config) if file == "payload_storage/config.json" && !config["page_size_bytes"].is_u64() => {
                        flaw(segment, file, "it does not say how large its pages are", DESTROYS);
                    }
                    Ok(_) => {}
                }
                self.vectors_of(within, entry, segment, file)?;
            }
            _ if purpose == Purpose::Vectors => self.vectors_of(within, entry, segment, file)?,
            _ => {}
        }
        Ok(())
    }

    fn segment_shape(&mut self, within: &str, entry: &Entry, segment: &mut Segment, state: &Value) -> Walked<()> {
        match SegmentShape::read(state) {
            Ok(shape) => {
                // RocksDB-era segments were written by servers whose words are not checked here.
                if !segment.has_rocks_dump {
                    for problem in segment_schema::segment(state) {
                        flaw(segment, "segment.json", &problem, DESTROYS);
                    }
                }
                let same = self.last_shape.as_ref().filter(|last| last.is_like(&shape)).cloned();
                let kept = match same {
                    Some(kept) => kept,
                    None => {
                        self.remember(within, entry, 500 * shape.vectors.len())?;
                        Arc::new(shape)
                    }
                };
                self.last_shape = Some(kept.clone());
                segment.shape = Some(kept);
            }
            Err(problem) => {
                self.damage(at(within, entry, &format!("it cannot be read: {problem}")));
                segment.shape_problem = Some(problem);
            }
        }
        Ok(())
    }

    fn vectors_of(&mut self, within: &str, entry: &Entry, segment: &mut Segment, file: &str) -> Walked<()> {
        for vector in layout::vectors_of(file) {
            if !segment.vectors_stored.contains(vector) {
                self.remember(within, entry, 100 + vector.len())?;
                segment.vectors_stored.insert(vector.to_owned());
            }
        }
        Ok(())
    }
}

/// A configuration of a storage takes a hundred bytes.
const MAX_SMALL: u64 = 256 << 10;

/// Replicas of a shard that are remembered.
const MAX_PEERS: usize = 100;

/// Flaws of a segment that are remembered.
const MAX_SEGMENT_FLAWS: usize = 40;

const DESTROYS: &str = "a server fails to load the segment and has then already removed the live data";
const TAKES_DOWN: &str = "a server takes memory without end when it loads this, or refuses what it has begun to restore";
const LOST: &str = "a server accepts this and drops the points of the segment without a word";

fn flaw(segment: &mut Segment, file: &str, what: &str, advice: &str) {
    if segment.flaws.len() < MAX_SEGMENT_FLAWS {
        segment.flaws.push((sanitise(file), what.to_owned(), advice.to_owned()));
    }
}

/// Once all files of a segment were seen: what belongs together must be there together.
fn judge(segment: &mut Segment) {
    for file in segment.companions.impossible() {
        flaw(segment, &file, "it counts more than its file of flags can hold", TAKES_DOWN);
    }
    for missing in segment.companions.missing() {
        flaw(segment, &missing.file, "it is not there, or empty, beside the files it belongs to", missing.why);
    }
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

/// A list of `{key, shard_ids}` since 1.13, a map of key to ids before.
fn keys(value: &Value) -> Option<(Vec<ShardKey>, bool)> {
    let word = |key: &Value| match key {
        Value::String(text) => one_line(text, 120),
        other => one_line(&other.to_string(), 40),
    };
    let ids = |ids: &Value| -> Option<Vec<u32>> {
        ids.as_array()?.iter().map(|id| id.as_u64().and_then(|id| u32::try_from(id).ok())).collect()
    };
    match value {
        Value::Array(list) => {
            let read = |one: &Value| {
                let raw = one.get("key")?;
                Some(ShardKey { key: word(raw), raw: raw.clone(), shards: ids(one.get("shard_ids")?)? })
            };
            Some((list.iter().map(read).collect::<Option<_>>()?, false))
        }
        Value::Object(map) => {
            let read = |(key, list): (&String, &Value)| {
                Some(ShardKey { key: one_line(key, 120), raw: Value::String(key.clone()), shards: ids(list)? })
            };
            Some((map.iter().map(read).collect::<Option<_>>()?, true))
        }
        Value::Null => Some((Vec::new(), false)),
        _ => None,
    }
}

/// `{"schema": {field: "keyword"}}`, or an object with a `type` in place of the word.
fn schema(value: &Value) -> Option<(BTreeMap<String, String>, serde_json::Map<String, Value>)> {
    let kind = |schema: &Value| match schema {
        Value::String(word) => one_line(word, 40),
        other => {
            let tagged = other.get("type").or_else(|| other.get("data_type")).and_then(Value::as_str);
            one_line(tagged.unwrap_or("?"), 40)
        }
    };
    let schema = value.get("schema")?.as_object()?;
    Some((schema.iter().map(|(field, of)| (one_line(field, 120), kind(of))).collect(), schema.clone()))
}
