//! Is a snapshot whole? Rules over what was read of it, each about something that a server finds too late or not at
//! all (measured on 1.18.3: a broken `segment.json` costs the live data; a missing id tracker, `version.info`,
//! vector or payload storage is accepted with `true`, and the points, vectors or payloads are gone).

use crate::archive::contents::{Collection, Contents, Kind, Scope, Segment, Shard};
use crate::archive::layout::Purpose;
use crate::archive::shape::{SegmentShape, Shape};
use serde::Serialize;
use std::collections::BTreeSet;

pub use crate::archive::damage::Severity;

/// What a flaw is about, for those who treat it in their own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// What was found and what is missing.
    Content,
    /// Data that only some versions read.
    RocksDb,
    /// Shards that other nodes held.
    Stubs,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Flaw {
    /// How bad.
    pub severity: Severity,
    /// About what.
    pub topic: Topic,
    /// Which entry, as a path through the archives; empty when it is none.
    pub entry: String,
    /// Offset in the file, where there is one place.
    pub offset: Option<u64>,
    /// What.
    pub what: String,
    /// What follows from it, or what to do.
    pub advice: String,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Whole: nothing worse than [`Severity::Look`].
    pub whole: bool,
    /// Damaged places; more than are listed, perhaps.
    pub damaged: usize,
    /// In words.
    pub verdict: String,
    /// Worst first, then in the order of the file.
    pub flaws: Vec<Flaw>,
}

/// Flaws of each severity that are listed; a hostile archive could fill memory with them.
const MAX_FLAWS: usize = 200;

/// Checks what was read from the first byte to the last.
pub fn check(contents: &Contents) -> Check {
    let mut rules = Rules::default();
    for damage in &contents.damage {
        let (severity, advice) = match damage.limit {
            true => (Severity::Doubt, "it may be whole: qsnap does not hold that much in memory"),
            false => (Severity::Damage, ""),
        };
        rules.add(severity, damage.entry.clone(), Some(damage.offset), damage.what.clone(), advice);
    }
    if contents.scope == Scope::End {
        let advice = "the headers of the whole file have to be read";
        rules.add(Severity::Doubt, String::new(), None, "only its end was read".into(), advice);
    }
    if contents.kind == Kind::Partial {
        let advice = "it restores only on top of the state it was made against: it is no recovery point of its own";
        rules.look("", "it holds changed files only", advice);
    }
    if contents.behind > 0 {
        let what = format!("{} follow the end of the archive", crate::domain::size::bytes(contents.behind));
        rules.look("", what, "a server ignores them; the file is not as the server wrote it");
    }
    for (index, collection) in contents.collections.iter().enumerate() {
        let within = match contents.kind {
            Kind::Full => match &collection.file {
                Some(file) => format!("{}.snapshot/", crate::domain::text::one_line(file, 255)),
                None => format!("collection {index}/"),
            },
            _ => String::new(),
        };
        rules.collection(contents, collection, &within);
    }
    rules.flaws.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.offset.cmp(&b.offset)));
    let (damaged, doubts) = (rules.count(Severity::Damage), rules.count(Severity::Doubt));
    let looks = rules.count(Severity::Look);
    let first = rules.flaws.first().map_or_else(String::new, |first| {
        let place = if first.entry.is_empty() { String::new() } else { format!("{}: ", first.entry) };
        format!("{place}{}", first.what)
    });
    let more = |n: usize| if n > 1 { format!(", and {} more", n - 1) } else { String::new() };
    let verdict = match (damaged, doubts, looks) {
        (0, 0, 0) => format!("whole: {} entries, every file that a server needs to load it is there", contents.entries),
        (0, 0, n) => format!("whole, with {} to know", things(n)),
        (0, n, _) => format!("could not be judged: {first}{}", more(n)),
        (n, ..) => format!("damaged: {first}{}", more(n)),
    };
    Check { whole: damaged + doubts == 0, damaged, verdict, flaws: rules.flaws }
}

fn things(n: usize) -> String {
    if n == 1 { "one thing".into() } else { format!("{n} things") }
}

#[derive(Default)]
struct Rules {
    flaws: Vec<Flaw>,
    /// All of each severity, listed or not: those not listed count, too.
    counts: [usize; 3],
}

const LOST: &str = "a server accepts this and drops the points of the segment without a word";
const DESTROYS: &str = "a server fails to load the segment and has then already removed the live data";

impl Rules {
    fn add(&mut self, severity: Severity, entry: String, offset: Option<u64>, what: String, advice: &str) {
        self.push(Flaw { severity, topic: Topic::Content, entry, offset, what, advice: advice.to_owned() });
    }

    fn push(&mut self, flaw: Flaw) {
        let count = &mut self.counts[flaw.severity as usize];
        *count += 1;
        if *count <= MAX_FLAWS {
            self.flaws.push(flaw);
        }
    }

    fn count(&self, severity: Severity) -> usize {
        self.counts[severity as usize]
    }

    fn damage(&mut self, entry: impl Into<String>, what: impl Into<String>, advice: &str) {
        self.add(Severity::Damage, entry.into(), None, what.into(), advice);
    }

    fn look(&mut self, entry: impl Into<String>, what: impl Into<String>, advice: &str) {
        self.add(Severity::Look, entry.into(), None, what.into(), advice);
    }

    fn collection(&mut self, contents: &Contents, collection: &Collection, within: &str) {
        // Of what follows a break nothing can be said but the break.
        let cut = collection.broken_off;
        if matches!(contents.kind, Kind::Collection | Kind::Full) {
            let config = format!("{within}config.json");
            match (&collection.shape, &collection.config_problem) {
                (_, Some(problem)) => self.damage(config, format!("it cannot be read: {problem}"), "no server restores this"),
                (None, None) if !cut => self.damage(config, "it is not there", "no server restores this"),
                _ => {}
            }
            for problem in collection.config_flaws.iter().filter(|_| collection.config_problem.is_none()) {
                self.damage(format!("{within}config.json"), problem.clone(), "no server restores this");
            }
            if !collection.has_version && !cut {
                self.damage(format!("{within}version.info"), "it is not there", "no server restores this");
            }
            if !collection.has_payload_index && !cut {
                let advice = "a server accepts this; payload indexes have to be made again";
                self.look(format!("{within}payload_index.json"), "it is not there", advice);
            }
            if !cut {
                self.shards_named(collection, within);
            }
        }
        for shard in collection.shards.values() {
            let within = shard.id.map_or_else(|| within.to_owned(), |id| format!("{within}{id}/"));
            self.shard(contents, collection, shard, &within, cut);
        }
        if let (Some(shape), false) = (&collection.shape, cut) {
            self.unnamed(shape, collection, within);
        }
        if collection.shards.values().flat_map(|shard| shard.segments.values()).any(Segment::needs_rocks) {
            let advice = "1.18 and newer lose its points or refuse it, and so do the Linux release binaries of 1.16.2, 1.16.3 and 1.17.0: restore it on 1.16.1, snapshot again, restore that";
            let what = "its segments hold RocksDB data of 1.15 or older".to_owned();
            self.about(Topic::RocksDb, within, what, advice);
        }
    }

    fn about(&mut self, topic: Topic, entry: &str, what: String, advice: &str) {
        let (entry, advice) = (entry.to_owned(), advice.to_owned());
        self.push(Flaw { severity: Severity::Look, topic, entry, offset: None, what, advice });
    }

    fn shards_named(&mut self, collection: &Collection, within: &str) {
        let Some(shape) = &collection.shape else { return };
        let named: Vec<u32> = if shape.custom_sharding {
            collection.keys.iter().flat_map(|key| key.shards.iter().copied()).collect()
        } else {
            (0..shape.shard_number.min(10_000)).collect()
        };
        if shape.custom_sharding && !collection.has_keys {
            self.damage(format!("{within}shard_key_mapping.json"), "it is not there, and the shards are named by keys", "");
        }
        if collection.keys_unreadable {
            self.keys_unreadable(shape.custom_sharding, within);
        }
        for id in &named {
            if !collection.shards.contains_key(&Some(*id)) {
                let what = format!("shard {id} is not there, and the configuration names it");
                self.damage(format!("{within}{id}/"), what, "a restore would miss its points");
            }
        }
        for id in collection.shards.keys().flatten().filter(|id| !named.contains(id)) {
            let what = "the configuration does not name this shard";
            self.look(format!("{within}{id}/"), what, "a server ignores it, or a resharding was under way");
        }
        let stubs = collection.shards.values().filter(|shard| shard.is_stub()).count();
        if stubs > 0 {
            let what = format!("{stubs} of {} shards are stubs: other nodes held them", collection.shards.len());
            self.about(Topic::Stubs, within, what, "the snapshots of the other nodes have the rest: restore those too");
        }
    }

    /// Vectors of segments that the configuration does not name.
    fn unnamed(&mut self, shape: &Shape, collection: &Collection, within: &str) {
        let known = |name: &String| {
            shape.vectors.iter().any(|vector| vector.name == *name)
                || shape.sparse_vectors.iter().any(|vector| vector.name == *name)
        };
        let segments = collection.shards.values().flat_map(|shard| shard.segments.values());
        let vectors = segments.filter_map(|segment| segment.shape.as_ref()).flat_map(|shape| &shape.vectors);
        let unnamed: BTreeSet<&String> = vectors.map(|vector| &vector.name).filter(|name| !known(name)).collect();
        for name in unnamed {
            let name = if name.is_empty() { "the unnamed vector".to_owned() } else { format!("vector {name}") };
            let (entry, what) = (format!("{within}config.json"), format!("it lacks {name}, which a segment has"));
            // One vector may have been deleted (1.18); that all were is not likely.
            match shape.vectors.is_empty() && shape.sparse_vectors.is_empty() {
                true => self.damage(entry, what, "no server restores this"),
                false => self.add(Severity::Doubt, entry, None, what, "a server may refuse it"),
            }
        }
    }

    /// Shard keys that cannot be read: a server looks at them only where there are some (1.16.3).
    fn keys_unreadable(&mut self, needed: bool, within: &str) {
        let (entry, what) = (format!("{within}shard_key_mapping.json"), "the shard keys cannot be read");
        match needed {
            true => self.damage(entry, what, "no server restores this"),
            false => self.look(entry, what, "a server does not need them: the shards have no keys"),
        }
    }

    fn shard(&mut self, contents: &Contents, collection: &Collection, shard: &Shard, within: &str, cut: bool) {
        if cut {
            // Only what was complete before the cut is judged.
            for segment in shard.segments.values().filter(|segment| segment.has_version) {
                self.segment(contents, collection, segment, within);
            }
            return;
        }
        if !shard.has_config {
            self.damage(format!("{within}shard_config.json"), "it is not there", "no server restores this shard");
        }
        if !shard.has_state {
            self.damage(format!("{within}replica_state.json"), "it is not there", "no server restores this shard");
        }
        for problem in &shard.state_flaws {
            self.damage(format!("{within}{}", problem.0), problem.1.clone(), "no server restores this shard");
        }
        if shard.is_stub() {
            return;
        }
        if shard.segments.is_empty() {
            self.damage(format!("{within}segments/"), "there are no segments", "no server restores this shard");
        }
        if !shard.has_wal {
            self.damage(
                format!("{within}wal"),
                "it is not there",
                "a server answers with an error and leaves an empty collection",
            );
        }
        for segment in shard.segments.values() {
            self.segment(contents, collection, segment, within);
        }
    }

    fn segment(&mut self, contents: &Contents, collection: &Collection, segment: &Segment, within: &str) {
        // Its archive broke off: that is reported, and nothing can be said of what would have followed.
        if segment.broken_off {
            return;
        }
        let partial = contents.kind == Kind::Partial;
        let nested = !matches!(contents.kind, Kind::ShardStream | Kind::Partial);
        let ending = if nested { ".tar/snapshot/files/" } else { "/files/" };
        let place = Place { inside: format!("{within}segments/{}{ending}", segment.id), offset: segment.offset };
        if !segment.has_shape {
            self.in_segment(&place, "segment.json", "it is not there", DESTROYS);
        }
        if !segment.has_version {
            self.in_segment(&place, "version.info", "it is not there", LOST);
        }
        if segment.has_manifest && !partial {
            self.in_segment(&place, "segment_manifest.json", "it stands here", "a server refuses a partial snapshot here");
        }
        if partial {
            return;
        }
        for flaw in &segment.flaws {
            let entry = format!("{}{}", place.inside, flaw.file);
            self.add(flaw.severity, entry, Some(place.offset), flaw.what.clone(), &flaw.advice);
        }
        self.id_tracker(segment, &place);
        self.storages(segment, &place);
        if let (Some(config), Some(shape)) = (&collection.shape, &segment.shape) {
            self.agreement(config, shape, &place);
        }
    }

    fn in_segment(&mut self, place: &Place, file: &str, what: &str, advice: &str) {
        self.add(Severity::Damage, format!("{}{file}", place.inside), Some(place.offset), what.to_owned(), advice);
    }

    fn id_tracker(&mut self, segment: &Segment, place: &Place) {
        if segment.has_rocks() || segment.is_empty() {
            return;
        }
        if !segment.has_mappings && !segment.has_versions {
            // A server that is killed before it writes them leaves the same, and has the points in its log (1.16.3): the
            // files do not tell the two apart.
            self.add(
                Severity::Doubt,
                format!("{}mutable_id_tracker.mappings", place.inside),
                Some(place.offset),
                "there are neither id mappings nor point versions, though there are vectors or payloads".to_owned(),
                "a server that was killed leaves it so, and loses nothing; if the files were taken away, its points are lost without a \
                 word: count them after the restore",
            );
            return;
        }
        if !segment.has_mappings {
            self.in_segment(place, "mutable_id_tracker.mappings", "there are no id mappings", LOST);
        }
        if !segment.has_versions {
            self.in_segment(place, "mutable_id_tracker.versions", "there are no point versions", LOST);
        }
    }

    fn storages(&mut self, segment: &Segment, place: &Place) {
        let Some(shape) = &segment.shape else { return };
        for vector in &shape.vectors {
            // RocksDB kept vectors of the `Memory` kind in its dump.
            let in_dump = segment.has_rocks() && matches!(vector.storage.as_str(), "Memory" | "on_disk" | "");
            if !in_dump && !segment.vectors_stored.contains(&vector.raw) {
                let named = format!("vector_storage-{}/", vector.name);
                let folder = if vector.name.is_empty() { "vector_storage/" } else { &named };
                self.in_segment(place, folder, "its vectors are not there", "a server accepts this and serves vectors of zeros");
            }
        }
        if !segment.has_rocks() && !segment.sizes.contains_key(&Purpose::Payload) {
            let advice = "a server accepts this and serves empty payloads";
            self.in_segment(place, "payload_storage/", "its payloads are not there", advice);
        }
    }

    /// A segment of another shape than its collection: a server fails to load it after the live data is gone (1.16.3).
    fn agreement(&mut self, config: &Shape, shape: &SegmentShape, place: &Place) {
        let named = |name: &str| if name.is_empty() { "the vector".to_owned() } else { format!("vector {name}") };
        for vector in &config.vectors {
            let Some(stored) = shape.vectors.iter().find(|stored| stored.name == vector.name && stored.size.is_some()) else {
                self.lacks(place, &named(&vector.name));
                continue;
            };
            if stored.size != Some(vector.size) {
                let size = stored.size.unwrap_or_default();
                let what = format!("{} has {size} dimensions here and {} in the configuration", named(&vector.name), vector.size);
                self.in_segment(place, "segment.json", &what, DESTROYS);
            }
            if stored.distance.as_ref().is_some_and(|distance| *distance != vector.distance) {
                let here = stored.distance.clone().unwrap_or_default();
                let what =
                    format!("{} is compared by {here} here and by {} in the configuration", named(&vector.name), vector.distance);
                self.in_segment(place, "segment.json", &what, "searches would give other results, or fail");
            }
        }
        for vector in &config.sparse_vectors {
            if !shape.vectors.iter().any(|stored| stored.name == vector.name && stored.size.is_none()) {
                self.lacks(place, &format!("sparse vector {}", vector.name));
            }
        }
    }
}

impl Rules {
    /// A segment without a vector of the configuration: 1.16.3 refuses it. Newer servers can add vectors.
    fn lacks(&mut self, place: &Place, vector: &str) {
        let (entry, what) = (format!("{}segment.json", place.inside), format!("{vector} of the configuration is not in it"));
        self.add(Severity::Doubt, entry, Some(place.offset), what, "a server may refuse it");
    }
}

/// Where a segment is.
struct Place {
    /// Path of its files.
    inside: String,
    /// Offset of its first header.
    offset: u64,
}

impl Check {
    /// Adds what was found by other means, such as a wrong hash.
    pub fn add_damage(&mut self, what: String, advice: &str) {
        if self.whole {
            self.verdict = format!("damaged: {what}");
        }
        self.whole = false;
        self.damaged += 1;
        let (severity, topic, entry) = (Severity::Damage, Topic::Content, String::new());
        let flaw = Flaw { severity, topic, entry, offset: None, what, advice: advice.to_owned() };
        self.flaws.insert(0, flaw);
    }
}
