//! A shard: its state, its log, and the segments in it.

use crate::archive::companions::Companions;
use crate::archive::contents::{Segment, Shard};
use crate::archive::damage::Walked;
use crate::archive::formats::wrong::Checked;
use crate::archive::formats::{collection_config, documents, wal};
use crate::archive::inspect::segment::judge;
use crate::archive::inspect::{Reader, THING, parsed};
use crate::archive::layout::{self, InShard};
use crate::archive::segment_schema;
use crate::archive::sizes::Sizes;
use crate::archive::walk::{Entry, Walk};
use crate::domain::text::{one_line, sanitise};
use serde_json::Value;

/// Replicas of a shard that are remembered.
const MAX_PEERS: usize = 100;

/// Flaws of a shard that are remembered.
const MAX_SHARD_FLAWS: usize = 40;

/// Small files beside a shard that are remembered.
const MAX_HINTS: usize = 8;

impl Reader<'_> {
    /// Reads an entry of a shard.
    pub(super) fn in_shard(
        &mut self,
        walk: &mut Walk<'_>,
        within: &str,
        entry: &Entry,
        shard: &mut Shard,
        place: InShard<'_>,
    ) -> Walked<()> {
        match place {
            InShard::Wal => self.log(walk, within, entry, shard)?,
            InShard::ShardConfig if !entry.directory => {
                shard.has_config = true;
                let text = self.text(walk, within, entry, false)?;
                flaw(shard, "shard_config.json", documents::shard_config(&text));
            }
            InShard::ReplicaState if !entry.directory => {
                shard.has_state = true;
                let text = self.text(walk, within, entry, false)?;
                replica_state(shard, &text);
            }
            InShard::Hint(name) if shard.hints.len() < MAX_HINTS && !entry.directory => {
                shard.hints.push(name.to_owned());
                if name.ends_with("_clocks.json") {
                    let text = self.text(walk, within, entry, false)?;
                    flaw(shard, name, documents::clocks(&text));
                }
            }
            InShard::Archive(id) if !entry.directory => self.archived(walk, within, entry, shard, id)?,
            InShard::File(id, file) => {
                let segment = self.segment_of(shard, id, within, entry)?;
                self.in_segment(walk, within, entry, segment, file)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// A segment that is an archive of its own.
    fn archived(&mut self, walk: &mut Walk<'_>, within: &str, entry: &Entry, shard: &mut Shard, id: &str) -> Walked<()> {
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
        Ok(())
    }

    /// The log, or a file of it.
    fn log(&mut self, walk: &mut Walk<'_>, within: &str, entry: &Entry, shard: &mut Shard) -> Walked<()> {
        shard.has_wal = true;
        shard.wal.add(Sizes { stored: entry.stored, unpacked: entry.size });
        if entry.directory {
            return Ok(());
        }
        let name = entry.path.rsplit('/').next().unwrap_or_default();
        if wal::is_index(&entry.path) && entry.size <= wal::INDEX {
            let text = self.text(walk, within, entry, false)?;
            flaw(shard, "wal/first-index", wal::index(&text));
        } else if wal::is_segment(&entry.path) {
            let head = walk.head(entry, wal::HEADER)?;
            flaw(shard, &format!("wal/{}", sanitise(name)), wal::segment(&head));
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
}

fn flaw(shard: &mut Shard, file: &str, checked: Checked) {
    if let Err(wrong) = checked
        && shard.state_flaws.len() < MAX_SHARD_FLAWS
    {
        shard.state_flaws.push((file.to_owned(), wrong.what));
    }
}

fn replica_state(shard: &mut Shard, text: &[u8]) {
    match parsed(text) {
        Ok(state) => {
            shard.is_local = state.get("is_local").and_then(Value::as_bool);
            let peers = state.get("peers").and_then(Value::as_object).into_iter().flatten();
            let read = |(peer, state): (&String, &Value)| (one_line(peer, 24), one_line(state.as_str().unwrap_or("?"), 24));
            shard.replicas = peers.take(MAX_PEERS).map(read).collect();
            let mut flaws = segment_schema::replica_state(&state);
            if flaws.is_empty() {
                flaws.extend(collection_config::replica_state(text));
            }
            shard.state_flaws.extend(flaws.into_iter().map(|what| ("replica_state.json".to_owned(), what)));
        }
        Err(what) => shard.state_flaws.push(("replica_state.json".into(), what)),
    }
}
