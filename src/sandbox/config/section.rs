//! Sections of a configuration: which keys they have, and which values these take (1.16.3).

use crate::sandbox::answer::Refusal;
use serde_json::{Map, Value};

/// What a key takes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// `true` or `false`.
    Flag,
    /// A whole number with this minimum.
    Whole(u64),
    /// A whole number other than 0; 0 is a type error (400).
    NonZero,
    /// A number that is not negative.
    Number,
    /// A number from 0 to 1.
    Share,
    /// A whole number, or `"auto"`, which is kept as null.
    WholeOrAuto,
    /// One of these words.
    Word(&'static [&'static str]),
    /// An object.
    Object,
}

/// A key and what it takes.
pub(super) type Key = (&'static str, Kind);

/// Keys of `hnsw_config`.
pub(super) const HNSW: &[Key] = &[
    ("m", Kind::Whole(0)),
    ("ef_construct", Kind::Whole(4)),
    ("full_scan_threshold", Kind::Whole(10)),
    ("max_indexing_threads", Kind::Whole(0)),
    ("on_disk", Kind::Flag),
    ("payload_m", Kind::Whole(0)),
    ("inline_storage", Kind::Flag),
];

/// Keys of `optimizers_config`; the last one is of 1.18.
pub(super) const OPTIMIZERS: &[Key] = &[
    ("deleted_threshold", Kind::Share),
    ("vacuum_min_vector_number", Kind::Whole(100)),
    ("default_segment_number", Kind::Whole(0)),
    ("max_segment_size", Kind::Whole(1)),
    ("memmap_threshold", Kind::Whole(0)),
    ("indexing_threshold", Kind::Whole(0)),
    ("flush_interval_sec", Kind::Whole(0)),
    ("max_optimization_threads", Kind::WholeOrAuto),
    ("prevent_unoptimized", Kind::Flag),
];

/// Keys of `wal_config`.
pub(super) const WAL: &[Key] =
    &[("wal_capacity_mb", Kind::Whole(1)), ("wal_segments_ahead", Kind::Whole(0)), ("wal_retain_closed", Kind::Whole(1))];

/// Keys of `params` that can be changed.
pub(super) const PARAMS: &[Key] = &[
    ("replication_factor", Kind::NonZero),
    ("write_consistency_factor", Kind::NonZero),
    ("read_fan_out_factor", Kind::Whole(0)),
    ("on_disk_payload", Kind::Flag),
];

/// Keys of `strict_mode_config`.
pub(super) const STRICT: &[Key] = &[
    ("enabled", Kind::Flag),
    ("max_query_limit", Kind::Whole(1)),
    ("max_timeout", Kind::Whole(1)),
    ("unindexed_filtering_retrieve", Kind::Flag),
    ("unindexed_filtering_update", Kind::Flag),
    ("search_max_hnsw_ef", Kind::Whole(0)),
    ("search_allow_exact", Kind::Flag),
    ("search_max_oversampling", Kind::Number),
    ("upsert_max_batchsize", Kind::Whole(0)),
    ("max_collection_vector_size_bytes", Kind::Whole(0)),
    ("read_rate_limit", Kind::Whole(1)),
    ("write_rate_limit", Kind::Whole(1)),
    ("max_collection_payload_size_bytes", Kind::Whole(0)),
    ("max_points_count", Kind::Whole(1)),
    ("filter_max_conditions", Kind::Whole(0)),
    ("condition_max_size", Kind::Whole(0)),
    ("multivector_config", Kind::Object),
    ("sparse_config", Kind::Object),
    ("max_payload_index_count", Kind::Whole(0)),
];

/// Keys of a sparse vector's `index`.
pub(super) const SPARSE_INDEX: &[Key] =
    &[("full_scan_threshold", Kind::Whole(0)), ("on_disk", Kind::Flag), ("datatype", Kind::Word(DATATYPES))];

/// Types of vector elements.
pub(super) const DATATYPES: &[&str] = &["float32", "uint8", "float16"];

/// Reads a request body. A wrong type fails at once (400), values out of range are collected and fail at the end (422).
#[derive(Debug, Default)]
pub(super) struct Reader {
    out_of_range: Vec<String>,
}

impl Reader {
    /// The known keys of the section `name` of `body` that are not null; `None` where the section is absent or null.
    pub(super) fn section(&mut self, body: &Value, name: &str, keys: &[Key]) -> Result<Option<Map<String, Value>>, Refusal> {
        self.section_at(&body[name], name, keys)
    }

    /// The same for a value, with the path that a refusal names.
    pub(super) fn section_at(&mut self, given: &Value, path: &str, keys: &[Key]) -> Result<Option<Map<String, Value>>, Refusal> {
        if given.is_null() {
            return Ok(None);
        }
        let given = given.as_object().ok_or_else(|| wrong_type(given, "a map"))?;
        let mut kept = Map::new();
        for (key, kind) in keys {
            if let Some(value) = given.get(*key).filter(|value| !value.is_null()) {
                kept.insert((*key).to_owned(), self.value(value, &format!("{path}.{key}"), *kind)?);
            }
        }
        Ok(Some(kept))
    }

    /// A whole number of `body`, `otherwise` where there is none.
    pub(super) fn whole(&mut self, body: &Value, key: &str, least: u64, otherwise: u64) -> Result<u64, Refusal> {
        match &body[key] {
            Value::Null => Ok(otherwise),
            value => Ok(self.value(value, key, Kind::Whole(least))?.as_u64().unwrap_or(otherwise)),
        }
    }

    /// Refuses what was out of range.
    pub(super) fn finish(self) -> Result<(), Refusal> {
        if self.out_of_range.is_empty() {
            return Ok(());
        }
        Err(Refusal::new(422, format!("Validation error in JSON body: [{}]", self.out_of_range.join("; "))))
    }

    fn value(&mut self, value: &Value, path: &str, kind: Kind) -> Result<Value, Refusal> {
        match kind {
            Kind::Flag if value.is_boolean() => {}
            Kind::Flag => return Err(wrong_type(value, "a boolean")),
            Kind::Number if value.is_number() => {}
            Kind::Number => return Err(wrong_type(value, "f64")),
            Kind::Object if value.is_object() => {}
            Kind::Object => return Err(wrong_type(value, "a map")),
            Kind::NonZero if value.as_u64().is_some_and(|number| number > 0) => {}
            Kind::NonZero => return Err(wrong_type(value, "a nonzero u32")),
            Kind::Whole(least) => {
                let number = value.as_u64().ok_or_else(|| wrong_type(value, "usize"))?;
                if number < least {
                    self.out_of_range.push(format!("{path}: value {number} invalid, must be {least} or larger"));
                }
            }
            Kind::Share => {
                let number = value.as_f64().ok_or_else(|| wrong_type(value, "f64"))?;
                if !(0.0..=1.0).contains(&number) {
                    self.out_of_range.push(format!("{path}: value {number:?} invalid, must be from 0.0 to 1.0"));
                }
            }
            Kind::WholeOrAuto if value == "auto" => return Ok(Value::Null),
            Kind::WholeOrAuto if value.is_u64() => {}
            Kind::WholeOrAuto => return Err(no_variant("MaxOptimizationThreads")),
            Kind::Word(words) => {
                if !value.as_str().is_some_and(|word| words.contains(&word)) {
                    return Err(wrong_type(value, &format!("one of {}", words.join(", "))));
                }
            }
        }
        Ok(value.clone())
    }
}

/// Replaces keys of an object by those of another.
pub(super) fn overlay(target: &mut Value, changes: Map<String, Value>) {
    match target {
        Value::Object(map) => map.extend(changes),
        _ => *target = Value::Object(changes),
    }
}

/// 400 for a value of another type.
pub(super) fn wrong_type(value: &Value, expected: &str) -> Refusal {
    let found = match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => format!("boolean `{flag}`"),
        Value::Number(number) => format!("number `{number}`"),
        Value::String(text) => format!("string \"{text}\""),
        Value::Array(_) => "sequence".to_owned(),
        Value::Object(_) => "map".to_owned(),
    };
    Refusal::new(400, format!("Format error in JSON body: invalid type: {found}, expected {expected}"))
}

/// 400 for a value that fits none of the alternatives.
pub(super) fn no_variant(name: &str) -> Refusal {
    Refusal::new(400, format!("Format error in JSON body: data did not match any variant of untagged enum {name}"))
}

/// Metadata that a request gives.
pub(super) fn metadata(body: &Value) -> Result<Option<Map<String, Value>>, Refusal> {
    match &body["metadata"] {
        Value::Null => Ok(None),
        Value::Object(map) => Ok(Some(map.clone())),
        other => Err(wrong_type(other, "a map")),
    }
}
