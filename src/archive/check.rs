//! Is a snapshot whole? Rules over what was read of it, each about something that a server finds too late or not at
//! all (measured on 1.18.3: a broken `segment.json` costs the live data; a missing id tracker, `version.info`,
//! vector or payload storage is accepted with `true`, and the points, vectors or payloads are gone).

use crate::archive::contents::{Collection, Contents, Kind, Scope, Segment, Shard};
use crate::archive::layout::Purpose;
use serde::Serialize;

/// How bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It restores, with something to know.
    Look,
    /// It does not restore, or not whole.
    Damage,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Flaw {
    /// How bad.
    pub severity: Severity,
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
    /// In words.
    pub verdict: String,
    /// Worst first, then in the order of the file.
    pub flaws: Vec<Flaw>,
}

/// Flaws that are listed; a hostile archive could fill memory with them.
const MAX_FLAWS: usize = 200;

/// Checks what was read from the first byte to the last.
pub fn check(contents: &Contents) -> Check {
    let mut rules = Rules { flaws: Vec::new(), count: 0 };
    for damage in &contents.damage {
        rules.add(Severity::Damage, damage.entry.clone(), Some(damage.offset), damage.what.clone(), "");
    }
    if contents.scope == Scope::End {
        let advice = "the headers of the whole file have to be read";
        rules.add(Severity::Damage, String::new(), None, "only its end was read".into(), advice);
    }
    if contents.kind == Kind::Partial {
        let advice = "it restores only on top of the state it was made against: it is no recovery point of its own";
        rules.look("", "it holds changed files only", advice);
    }
    for (index, collection) in contents.collections.iter().enumerate() {
        let within = match contents.kind {
            Kind::Full => format!("{}/", collection.name.clone().unwrap_or_else(|| format!("collection {index}"))),
            _ => String::new(),
        };
        rules.collection(contents, collection, &within);
    }
    rules.flaws.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.offset.cmp(&b.offset)));
    let damaged = rules.flaws.iter().filter(|flaw| flaw.severity == Severity::Damage).count();
    let whole = damaged == 0;
    let verdict = match rules.flaws.first() {
        None => format!("whole: {} entries, everything that a restore needs is there", contents.entries),
        Some(_) if whole => format!("whole, with {} to know", things(rules.count)),
        Some(first) => {
            let place = if first.entry.is_empty() { String::new() } else { format!("{}: ", first.entry) };
            let more = if damaged > 1 { format!(", and {} more", damaged - 1) } else { String::new() };
            format!("damaged: {place}{}{more}", first.what)
        }
    };
    Check { whole, verdict, flaws: rules.flaws }
}

fn things(n: usize) -> String {
    if n == 1 { "one thing".into() } else { format!("{n} things") }
}

struct Rules {
    flaws: Vec<Flaw>,
    count: usize,
}

const LOST: &str = "a server accepts this and drops the points of the segment without a word";

impl Rules {
    fn add(&mut self, severity: Severity, entry: String, offset: Option<u64>, what: String, advice: &str) {
        self.count += 1;
        if self.flaws.len() < MAX_FLAWS {
            self.flaws.push(Flaw { severity, entry, offset, what, advice: advice.to_owned() });
        }
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
        let rocks = collection.sizes().get(&Purpose::RocksDb).is_some_and(|sizes| sizes.unpacked > 0);
        if rocks {
            let advice = "1.18 and newer lose its points or refuse it: restore on 1.16 or 1.17, snapshot again, restore that";
            self.look(within, "its segments hold RocksDB data of 1.15 or older", advice);
        }
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
            self.look(within, what, "the snapshots of the other nodes have the rest: restore those too");
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
        let ending = if nested { ".tar/" } else { "/" };
        let inside = format!("{within}segments/{}{ending}", segment.id);
        let offset = Some(segment.offset);
        let mut damage = |file: &str, what: &str, advice: &str| {
            self.add(Severity::Damage, format!("{inside}{file}"), offset, what.to_owned(), advice);
        };
        if !segment.has_shape {
            let advice = "a server fails to load the segment and has then already removed the live data";
            damage("segment.json", "it is not there", advice);
        }
        if !segment.has_version {
            damage("version.info", "it is not there", LOST);
        }
        if partial {
            return;
        }
        let rocks = segment.sizes.contains_key(&Purpose::RocksDb);
        if !rocks && !segment.is_empty() {
            if !segment.has_mappings {
                damage("mutable_id_tracker.mappings", "there are no id mappings", LOST);
            }
            if !segment.has_versions {
                damage("mutable_id_tracker.versions", "there are no point versions", LOST);
            }
        }
        let Some(shape) = &segment.shape else { return };
        for vector in &shape.vectors {
            // RocksDB kept vectors of the `Memory` kind in its dump.
            if vector.storage != "Memory" && !segment.vectors_stored.contains(&vector.name) && !rocks {
                let folder =
                    if vector.name.is_empty() { "vector_storage/".into() } else { format!("vector_storage-{}/", vector.name) };
                damage(&folder, "its vectors are not there", "a server accepts this and serves vectors of zeros");
            }
        }
        if !rocks && !segment.sizes.contains_key(&Purpose::Payload) {
            damage("payload_storage/", "its payloads are not there", "a server accepts this and serves empty payloads");
        }
        if let Some(config) = &collection.shape {
            for vector in &config.vectors {
                let stored = shape.vectors.iter().find(|stored| stored.name == vector.name);
                let size = stored.map(|stored| stored.size);
                if size != Some(Some(vector.size)) {
                    let name = if vector.name.is_empty() { "the vector".to_owned() } else { format!("vector {}", vector.name) };
                    let what = match size.flatten() {
                        Some(size) => format!("{name} has {size} dimensions here and {} in the configuration", vector.size),
                        None => format!("{name} of the configuration is not in this segment"),
                    };
                    self.look(format!("{inside}segment.json"), what, "the segment and the configuration do not agree");
                }
            }
        }
    }
}

impl Check {
    /// Adds what was found by other means, such as a wrong hash.
    pub fn add_damage(&mut self, what: String, advice: &str) {
        if self.whole {
            self.verdict = format!("damaged: {what}");
        }
        self.whole = false;
        let flaw = Flaw { severity: Severity::Damage, entry: String::new(), offset: None, what, advice: advice.to_owned() };
        self.flaws.insert(0, flaw);
    }
}
