//! What a snapshot is, in lines for people: label and text.

use crate::archive::contents::{Collection, Contents, Kind, Scope, Shard};
use crate::archive::versions::Bounds;
use crate::domain::size;
use std::collections::BTreeMap;

/// Lines of one kind at most: a screen is no listing.
const MOST: usize = 60;

/// A line.
pub type Line = (&'static str, String);

/// All lines. The same label may come several times in a row.
pub fn lines(contents: &Contents, bounds: &Bounds) -> Vec<Line> {
    let mut lines = vec![("kind", contents.kind.words().to_owned())];
    if let Some(size) = contents.size {
        let unpacked = contents.sizes.unpacked;
        let holes = if contents.scope == Scope::Whole && unpacked > size {
            format!(", {} unpacked: the rest is holes", size::bytes(unpacked))
        } else {
            String::new()
        };
        lines.push(("size", format!("{}{holes}", size::bytes(size))));
    }
    for found in contents.collections.iter().take(MOST) {
        collection(contents, found, &mut lines);
    }
    lines.extend(contents.aliases.iter().take(MOST).map(|(alias, of)| ("alias", format!("{alias} → {of}"))));
    let version = match (&bounds.at_least, &bounds.at_most) {
        (None, None) => "any version: it does not say".to_owned(),
        (Some(low), None) => format!("Qdrant {low} or newer"),
        (None, Some(high)) => format!("Qdrant {high} or older"),
        (Some(low), Some(high)) => format!("Qdrant {low} to {high}"),
    };
    if contents.kind != Kind::Unknown {
        lines.push(("written by", version));
    }
    lines
}

fn collection(contents: &Contents, collection: &Collection, lines: &mut Vec<Line>) {
    let name = collection.name.clone().unwrap_or_else(|| "not told by the file's name".into());
    let taken = collection.taken_at.as_ref().map(|at| format!(", taken {} UTC", moment(at))).unwrap_or_default();
    lines.push(("collection", format!("{name}{taken}")));
    if let Some(shape) = &collection.shape {
        lines.extend(shape.vectors_in_words().into_iter().take(MOST).map(|vector| ("vector", vector)));
        let sharding = if shape.custom_sharding { " for each key" } else { ", automatic" };
        let copies =
            if shape.replication_factor > 1 { format!(", {} replicas", shape.replication_factor) } else { String::new() };
        lines.push(("shards", format!("{}{sharding}{copies}", shape.shard_number)));
        if shape.on_disk_payload {
            lines.push(("payload", "on disk".into()));
        }
    }
    for key in collection.keys.iter().take(MOST) {
        let shards = key.shards.iter().take(20).map(u32::to_string).collect::<Vec<_>>().join(", ");
        lines.push(("shard key", format!("{} → {shards}", key.key)));
    }
    let indexes = collection.payload_schema.iter().take(MOST);
    let indexes: Vec<String> = indexes.map(|(field, kind)| format!("{field} {kind}")).collect();
    if !indexes.is_empty() {
        lines.push(("indexes", indexes.join(", ")));
    }
    if contents.scope == Scope::Whole {
        inside(collection, lines);
    }
}

fn inside(collection: &Collection, lines: &mut Vec<Line>) {
    lines.push(match collection.ids() {
        Some(ids) => ("points", format!("at most {}: an estimate, with deleted ones", size::exact(ids))),
        None => ("points", "not told by the files".into()),
    });
    lines.extend(collection.shards.values().take(MOST).map(|one| ("shard", shard(one))));
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for shape in collection.shards.values().flat_map(|shard| shard.segments.values()).filter_map(|segment| segment.shape.as_ref())
    {
        for vector in &shape.vectors {
            let name = if vector.name.is_empty() { String::new() } else { format!("{}: ", vector.name) };
            *kinds.entry(format!("{name}{} index, {} storage", vector.index, vector.storage)).or_default() += 1;
        }
    }
    lines.extend(kinds.into_iter().take(MOST).map(|(kind, n)| ("stored as", format!("{kind} ({})", segments(n)))));
    for (purpose, sizes) in collection.sizes() {
        let unpacked = match sizes.unpacked {
            same if same == sizes.stored => String::new(),
            more => format!(", {} unpacked", size::bytes(more)),
        };
        lines.push(("holds", format!("{} of {}{unpacked}", size::bytes(sizes.stored), purpose.words())));
    }
}

/// A time of RFC 3339 without its letters.
pub(in crate::archive) fn moment(at: &str) -> String {
    at.trim_end_matches('Z').replace('T', " ")
}

fn shard(shard: &Shard) -> String {
    let id = shard.id.map_or_else(String::new, |id| format!("{id}: "));
    let replicas: Vec<String> = shard.replicas.iter().take(9).map(|(peer, state)| format!("{state} on {peer}")).collect();
    let replicas = if replicas.is_empty() { String::new() } else { format!(", {}", replicas.join(", ")) };
    if shard.is_stub() {
        return format!("{id}a stub, the data was on another node{replicas}");
    }
    format!("{id}{}{replicas}", segments(shard.segments.len()))
}

/// So many of them.
pub(in crate::archive) fn segments(n: usize) -> String {
    if n == 1 { "1 segment".to_owned() } else { format!("{n} segments") }
}
