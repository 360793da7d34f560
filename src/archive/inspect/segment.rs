//! A file of a segment.

use crate::archive::contents::{Segment, SegmentFlaw};
use crate::archive::damage::{Severity, Walked};
use crate::archive::formats::wrong::{DESTROYS, Wrong};
use crate::archive::formats::{self, Format, documents};
use crate::archive::inspect::{Reader, at};
use crate::archive::layout::{self, Purpose};
use crate::archive::segment_schema;
use crate::archive::shape::{SegmentShape, StoredVector};
use crate::archive::sizes::Sizes;
use crate::archive::walk::{Entry, Walk};
use crate::domain::text::sanitise;
use serde_json::Value;
use std::sync::Arc;

/// Flaws of a segment that are remembered.
const MAX_SEGMENT_FLAWS: usize = 40;

/// Longest `version.info`.
const VERSION: u64 = 40;

/// The version of segments that Qdrant up to 1.19 writes.
const KNOWN_VERSION: &[u8] = b"0.6.0";

const LOST: &str = "a server accepts this and drops the points of the segment without a word";

impl Reader<'_> {
    /// Reads a file of a segment.
    pub(super) fn in_segment(
        &mut self,
        walk: &mut Walk<'_>,
        within: &str,
        entry: &Entry,
        segment: &mut Segment,
        file: &str,
    ) -> Walked<()> {
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
                let text = if entry.size > VERSION { Vec::new() } else { walk.read(entry, VERSION)? };
                version(segment, &text);
            }
            "segment_manifest.json" => segment.has_manifest = true,
            "mutable_id_tracker.versions" | "id_tracker.versions" => {
                segment.has_versions = entry.size > 0;
                // One version of eight bytes for each point id (1.16.3 and 1.18.3: 400 bytes for 50 points).
                segment.versions = Some(entry.size / 8);
                if !entry.size.is_multiple_of(8) {
                    damage(segment, file, "it is cut: its versions take eight bytes each", LOST);
                }
            }
            _ => {}
        }
        if let Some(format) = formats::of(file).filter(|_| entry.size > 0) {
            segment.has_mappings |= matches!(format, Format::Ids | Format::IdChanges);
            self.format(walk, entry, segment, file, format)?;
        }
        self.remember(within, entry, segment.companions.room().saturating_sub(room))?;
        if purpose == Purpose::Vectors {
            self.vectors_of(within, entry, segment, file)?;
        }
        Ok(())
    }

    /// Reads as much of a file as its check needs.
    fn format(&mut self, walk: &mut Walk<'_>, entry: &Entry, segment: &mut Segment, file: &str, format: Format) -> Walked<()> {
        let head = walk.head(entry, format.limit())?;
        // What is cut is told as a cut.
        if (head.len() as u64) < entry.size.min(format.limit()) {
            return Ok(());
        }
        if let Err(wrong) = segment.companions.check(file, format, &head, entry.size) {
            flaw(segment, file, wrong);
        }
        Ok(())
    }

    fn segment_shape(&mut self, within: &str, entry: &Entry, segment: &mut Segment, state: &Value) -> Walked<()> {
        match SegmentShape::read(state) {
            Ok(shape) => {
                // RocksDB-era segments were written by servers whose words are not checked here.
                if !segment.has_rocks_dump {
                    for problem in segment_schema::segment(state) {
                        damage(segment, "segment.json", &problem, DESTROYS);
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

fn flaw(segment: &mut Segment, file: &str, wrong: Wrong) {
    if segment.flaws.len() < MAX_SEGMENT_FLAWS {
        let Wrong { severity, what, advice } = wrong;
        segment.flaws.push(SegmentFlaw { severity, file: sanitise(file), what, advice: advice.to_owned() });
    }
}

fn damage(segment: &mut Segment, file: &str, what: &str, advice: &'static str) {
    flaw(segment, file, Wrong { severity: Severity::Damage, what: what.to_owned(), advice });
}

fn version(segment: &mut Segment, text: &[u8]) {
    if !documents::is_version(text) {
        damage(segment, "version.info", "it is no version", DESTROYS);
    } else if text != KNOWN_VERSION && !segment.has_rocks_dump {
        let (severity, what) =
            (Severity::Doubt, format!("no Qdrant up to 1.19 writes a version {}", sanitise(&String::from_utf8_lossy(text))));
        flaw(segment, "version.info", Wrong { severity, what, advice: "another server may refuse it" });
    }
}

/// Once all files of a segment were seen: what belongs together must be there together, and must fit.
pub(super) fn judge(segment: &mut Segment) {
    // Nothing came, or it was judged at the end of its own archive.
    if segment.companions.is_empty() {
        return;
    }
    let shape = segment.shape.clone();
    let vectors = || shape.iter().flat_map(|shape| shape.vectors.iter());
    let dim = |folder: &str| {
        let is_of = |vector: &&StoredVector| {
            folder.strip_prefix(storage(vector, "vector_storage").as_str()).is_some_and(|rest| matches!(rest, "" | "/vectors"))
        };
        // Elements of other types are packed in ways that are not known here.
        let plain = |vector: &&StoredVector| matches!(vector.datatype.as_deref(), None | Some("float32" | "float16" | "uint8"));
        vectors().find(is_of).filter(plain).and_then(|vector| vector.size)
    };
    for (file, wrong) in segment.companions.inconsistent(dim) {
        flaw(segment, &file, wrong);
    }
    for missing in segment.companions.missing() {
        damage(segment, &missing.file, "it is not there, or empty, beside the files it belongs to", missing.why);
    }
    for vector in vectors().filter(|vector| vector.index == "hnsw") {
        let folder = storage(vector, "vector_index");
        if !segment.companions.has_graph(&folder) {
            damage(segment, &format!("{folder}/graph.bin"), "it is not there, and `segment.json` tells of an index", DESTROYS);
        }
    }
}

/// The folder of a vector.
fn storage(vector: &StoredVector, kind: &str) -> String {
    if vector.raw.is_empty() { kind.to_owned() } else { format!("{kind}-{}", vector.raw) }
}
