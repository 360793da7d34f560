//! Files that a server reads while it loads a segment: how much of each a check reads, and what must be true of it.
//! What is here was read in the sources of 1.16.3 and tried on it.

pub mod collection_config;
pub mod documents;
pub mod graph;
pub mod ids;
pub mod payload_schema;
pub mod pointers;
pub mod quantized;
mod reader;
pub mod tables;
pub mod wal;
pub mod wrong;

use crate::archive::damage::Severity;
use crate::archive::facts::{Fact, Facts};
use crate::archive::formats::wrong::{Checked, Wrong};
use crate::archive::layout::{self, InShard, Place};

/// Largest document that is read: the centroids of product quantization take a megabyte for 768 dimensions.
const DOCUMENT: u64 = 4 << 20;

/// What is read of a list whose entries are judged one by one.
const LIST: u64 = 64 << 10;

/// What is read of a file of which only the beginning matters. A remote file costs no request more for it.
const HEAD: u64 = 4 << 10;

/// A file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `hnsw_config.json`
    HnswConfig,
    /// `graph.bin`
    Graph,
    /// The links of a graph.
    Links(graph::Links),
    /// `quantized.config.json`
    QuantizedConfig,
    /// `quantized.meta.json`
    QuantizedMeta,
    /// `config.json` of a page storage. Only that of payloads may not say whether values are compressed: they are.
    PageConfig {
        /// It is that of payloads.
        of_payloads: bool,
    },
    /// `config.json` of a chunked storage.
    ChunkConfig,
    /// `tracker.dat`
    Pointers,
    /// `status.dat` of a chunked storage.
    Items,
    /// `status.dat` of flags.
    Flags,
    /// `config.json` of all payload indexes.
    Indexed,
    /// A small document of one payload index.
    IndexDocument(documents::OfIndex),
    /// `version.info`, `sparse_index_config.json` or `indices_tracker.json` of a sparse index.
    SparseDocument(documents::OfSparse),
    /// `inverted_index_config.json`
    PostingConfig,
    /// `inverted_index.dat`
    PostingLists,
    /// A hash table of a payload index.
    HashTable,
    /// `point_to_values.bin`
    PointValues,
    /// `postings.dat`
    TextPostings,
    /// `points_map.bin`
    GeoRanges,
    /// `id_tracker.mappings`
    Ids,
    /// `mutable_id_tracker.mappings`
    IdChanges,
}

/// The format of a file of a segment, if a check reads it.
pub fn of(file: &str) -> Option<Format> {
    let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
    let last = folder.rsplit('/').next().unwrap_or(folder);
    if folder.is_empty() {
        return match name {
            "id_tracker.mappings" => Some(Format::Ids),
            "mutable_id_tracker.mappings" => Some(Format::IdChanges),
            _ => None,
        };
    }
    if file.starts_with("vector_index") {
        return of_vector_index(name);
    }
    if file.starts_with("vector_storage") {
        return match (last, name) {
            (_, "quantized.config.json") => Some(Format::QuantizedConfig),
            (_, "quantized.meta.json") => Some(Format::QuantizedMeta),
            ("store", "config.json") => Some(Format::PageConfig { of_payloads: false }),
            (_, "config.json") => Some(Format::ChunkConfig),
            ("store", "tracker.dat") => Some(Format::Pointers),
            ("deleted", "status.dat") => Some(Format::Flags),
            (_, "status.dat") => Some(Format::Items),
            _ => None,
        };
    }
    match (folder, name) {
        ("payload_index", "config.json") => Some(Format::Indexed),
        ("payload_storage", "config.json") => Some(Format::PageConfig { of_payloads: true }),
        ("payload_storage", "tracker.dat") => Some(Format::Pointers),
        _ if folder.starts_with("payload_index/") => of_field_index(name),
        _ => None,
    }
}

fn of_vector_index(name: &str) -> Option<Format> {
    Some(match name {
        "hnsw_config.json" => Format::HnswConfig,
        "graph.bin" => Format::Graph,
        "links.bin" => Format::Links(graph::Links::Plain),
        "links_compressed.bin" => Format::Links(graph::Links::Compressed),
        "links_comp_vec.bin" => Format::Links(graph::Links::WithVectors),
        "inverted_index_config.json" => Format::PostingConfig,
        "inverted_index.dat" => Format::PostingLists,
        "version.info" => Format::SparseDocument(documents::OfSparse::Version),
        "sparse_index_config.json" => Format::SparseDocument(documents::OfSparse::Config),
        "indices_tracker.json" => Format::SparseDocument(documents::OfSparse::Dimensions),
        _ => return None,
    })
}

fn of_field_index(name: &str) -> Option<Format> {
    Some(match name {
        "config.json" => Format::PageConfig { of_payloads: false },
        "tracker.dat" => Format::Pointers,
        "status.dat" => Format::Flags,
        "mmap_field_index_config.json" => Format::IndexDocument(documents::OfIndex::Values),
        "mmap_field_index_stats.json" => Format::IndexDocument(documents::OfIndex::Geo),
        "histogram_config.json" => Format::IndexDocument(documents::OfIndex::Histogram),
        "values_to_points.bin" | "vocab.dat" => Format::HashTable,
        "point_to_values.bin" => Format::PointValues,
        "postings.dat" => Format::TextPostings,
        "points_map.bin" => Format::GeoRanges,
        _ => return None,
    })
}

impl Format {
    /// Bytes that are read from the beginning of such a file.
    pub fn limit(self) -> u64 {
        match self {
            Self::HnswConfig
            | Self::QuantizedConfig
            | Self::QuantizedMeta
            | Self::PageConfig { .. }
            | Self::ChunkConfig
            | Self::Indexed
            | Self::IndexDocument(_)
            | Self::SparseDocument(_)
            | Self::PostingConfig => DOCUMENT,
            Self::Graph | Self::PostingLists | Self::GeoRanges | Self::Ids | Self::IdChanges => LIST,
            Self::Links(_)
            | Self::Pointers
            | Self::Items
            | Self::Flags
            | Self::HashTable
            | Self::PointValues
            | Self::TextPostings => HEAD,
        }
    }

    /// Whether the whole file must be at hand to say anything.
    fn is_document(self) -> bool {
        self.limit() == DOCUMENT
    }

    /// Checks a file of `size` bytes that begins with `head`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(self, head: &[u8], size: u64, facts: &mut Facts) -> Checked {
        if self.is_document() && size > DOCUMENT {
            let what = format!("it takes {} and was not read", crate::domain::size::bytes(size));
            return Err(Wrong { severity: Severity::Doubt, what, advice: "such a file has some hundred bytes" });
        }
        match self {
            Self::HnswConfig => documents::hnsw(head),
            Self::Graph => graph::graph(head, size),
            Self::Links(kind) => graph::links(kind, head, size),
            Self::QuantizedConfig => quantized::config(head, facts),
            Self::QuantizedMeta => quantized::meta(head, facts),
            Self::PageConfig { of_payloads } => documents::pages(head, of_payloads, facts),
            Self::ChunkConfig => documents::chunks(head, facts),
            Self::Pointers => pointers::pointers(head, size, facts),
            Self::Items => number(head, &[Fact::Items], facts),
            Self::Flags => number(head, &[Fact::Flags, Fact::SecondFlags], facts),
            Self::Indexed => payload_schema::indexed(head),
            Self::IndexDocument(kind) => documents::of_index(kind, head),
            Self::SparseDocument(kind) => documents::of_sparse(kind, head, facts),
            Self::PostingConfig => documents::posting_config(head, facts),
            Self::PostingLists => {
                tables::posting_lists(head, size, facts);
                Ok(())
            }
            Self::HashTable => tables::hash_table(head, size),
            Self::PointValues => tables::point_values(head, size),
            Self::TextPostings => tables::text_postings(head, size),
            Self::GeoRanges => tables::geo_ranges(head, size, facts),
            Self::Ids => ids::mappings(head, size),
            Self::IdChanges => ids::changes(head, size),
        }
    }

    /// Whether a check judges the byte at this offset: what a server does with a change there is known.
    fn judges(self, offset: u64) -> bool {
        match self {
            Self::Links(kind) => offset < kind.header(),
            // Where a value is and how long it is can be judged within limits only.
            Self::Pointers => offset < pointers::HEADER || (offset - pointers::HEADER) % pointers::SLOT < 8 && offset < HEAD,
            Self::Items => offset < 8,
            Self::Flags => offset < 16,
            Self::HashTable => offset < tables::TABLE_HEADER,
            Self::PointValues => offset < tables::VALUES_HEADER,
            Self::TextPostings => offset < 8,
            _ => offset < self.limit(),
        }
    }
}

/// Eight bytes for each fact.
fn number(head: &[u8], facts: &[Fact], into: &mut Facts) -> Checked {
    for (fact, bytes) in facts.iter().zip(head.chunks(8)) {
        if let Ok(bytes) = <[u8; 8]>::try_from(bytes) {
            into.insert(*fact, u64::from_le_bytes(bytes));
        }
    }
    if head.len() < 8 * facts.len() {
        return Err(Wrong::damage("it is too short"));
    }
    Ok(())
}

/// Whether a check of a snapshot judges the byte at this offset of the file with this path.
pub fn reads(path: &str, offset: u64) -> bool {
    let inside = match layout::place(path.split_once(".tar/").map_or(path, |(archive, _)| archive)) {
        Place::Config | Place::Keys | Place::PayloadIndex => return true,
        Place::Shard(_, InShard::ShardConfig | InShard::ReplicaState | InShard::Hint(_)) => return true,
        Place::Shard(_, InShard::Wal) => {
            return wal::is_index(path) || offset < wal::HEADER;
        }
        Place::Shard(_, InShard::File(_, file)) => file,
        _ => match path.split_once(".tar/") {
            Some((_, inside)) => layout::in_segment(inside),
            None => return false,
        },
    };
    matches!(inside, "segment.json" | "version.info") || of(inside).is_some_and(|format| format.judges(offset))
}
