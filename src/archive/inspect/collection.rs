//! A collection's or a shard's archive, or a full one.

use crate::archive::bytes::Bytes;
use crate::archive::companions::Companions;
use crate::archive::contents::{Collection, Shard};
use crate::archive::damage::Walked;
use crate::archive::formats::{collection_config, payload_schema};
use crate::archive::inspect::segment::judge;
use crate::archive::inspect::tables::{keys, schema};
use crate::archive::inspect::{Reader, Signs, THING, at, parsed};
use crate::archive::layout::{self, InShard, Place};
use crate::archive::segment_schema;
use crate::archive::shape::Shape;
use crate::archive::walk::{Counters, Entry, Walk};
use crate::domain::text::one_line;

impl Reader<'_> {
    /// Reads to the end of the archive.
    pub(super) fn collection(
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
                    self.nested(&mut walk, &entry, stem)?;
                }
                Place::Config if !entry.directory => self.config(&mut walk, within, &entry, into, signs)?,
                Place::Keys if !entry.directory => {
                    into.has_keys = true;
                    match self.json(&mut walk, within, &entry, true)?.ok().as_ref().and_then(keys) {
                        Some((keys, as_map)) => (into.keys, into.keys_as_map) = (keys, as_map),
                        None => into.keys_unreadable = true,
                    }
                }
                Place::PayloadIndex if !entry.directory => self.payload_index(&mut walk, within, &entry, into)?,
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

    /// A collection's snapshot in a full one.
    fn nested(&mut self, walk: &mut Walk<'_>, entry: &Entry, stem: &str) -> Walked<()> {
        self.remember("", entry, THING)?;
        let mut nested = Collection { name: Some(one_line(stem, 255)), file: Some(stem.to_owned()), ..Collection::default() };
        let inner = format!("{}/", entry.path);
        let walked = walk.inside(entry, |bytes, counters, start| {
            self.collection(bytes, counters, &inner, start, &mut nested, &mut Signs::default())
        });
        nested.broken_off = !self.ended(walked)?;
        self.found.collections.push(nested);
        Ok(())
    }

    fn config(
        &mut self,
        walk: &mut Walk<'_>,
        within: &str,
        entry: &Entry,
        into: &mut Collection,
        signs: &mut Signs,
    ) -> Walked<()> {
        signs.config = true;
        let text = self.text(walk, within, entry, true)?;
        match parsed(&text) {
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
                    if into.config_flaws.is_empty() {
                        into.config_flaws.extend(collection_config::config(&text));
                    }
                }
                Err(problem) => into.config_problem = Some(problem),
            }
        }
        Ok(())
    }

    fn payload_index(&mut self, walk: &mut Walk<'_>, within: &str, entry: &Entry, into: &mut Collection) -> Walked<()> {
        into.has_payload_index = true;
        let text = self.text(walk, within, entry, true)?;
        if let Err(wrong) = payload_schema::of_collection(&text) {
            self.damage(at(within, entry, &wrong.what));
        }
        if let Some((schema, raw)) = parsed(&text).ok().as_ref().and_then(schema) {
            (into.payload_schema, into.payload_schema_raw) = (schema, raw);
        }
        Ok(())
    }
}
