//! How the snapshot of a shard is put together out of a stream of what changed, and what was there before.
//!
//! A partial stream (1.14.1 to 1.19) has for each segment that there is now its `segment_manifest.json`: which files it consists of,
//! and their versions. Files that are newer than the versions which the server was told are in the stream, the others are as they
//! were. `segment.json` and `version.info` are in no manifest, and always in the stream. What is not below `segments/` is new.
//! Of RocksDB, which the manifests of 1.16 name as files `::…`, nothing can be told: such shards are streamed as a whole.

use crate::archive::layout::{self, InShard, Place};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The manifest of a segment in a partial stream.
pub const SEGMENT_MANIFEST: &str = "segment_manifest.json";

/// Files of every segment that are in no manifest.
const ALWAYS: [&str; 2] = ["segment.json", "version.info"];

/// Names in a manifest that are no files (1.16).
const VIRTUAL: &str = "::";

#[derive(Deserialize)]
struct SegmentManifest {
    segment_id: String,
    segment_version: u64,
    file_versions: BTreeMap<String, Option<u64>>,
}

/// A shard, put together.
#[derive(Debug, Clone, PartialEq)]
pub struct Composed<P> {
    /// Its files, and where each is.
    pub files: Vec<(String, P)>,
    /// The versions of all of it: what the next stream is told.
    pub versions: Value,
}

/// Whether the content of an entry is needed to put a shard together.
pub fn is_manifest(path: &str) -> bool {
    segment_file(path).is_some_and(|(_, file)| file == SEGMENT_MANIFEST)
}

fn segment_file(path: &str) -> Option<(&str, &str)> {
    match layout::place(path) {
        Place::Shard(None, InShard::File(segment, file)) => Some((segment, file)),
        _ => None,
    }
}

/// Whether the files of a whole stream are such that changes can be told of them.
///
/// # Errors
/// In words, when not.
pub fn fits<'a>(files: impl IntoIterator<Item = &'a str>) -> Result<(), String> {
    for path in files {
        match layout::place(path) {
            Place::Shard(None, InShard::Archive(_)) => return Err("its segments are archives of their own".into()),
            Place::Shard(None, InShard::File(_, file)) if layout::purpose(file) == layout::Purpose::RocksDb => {
                return Err("it has RocksDB data, of which no versions are told".into());
            }
            Place::Shard(None, InShard::File(_, SEGMENT_MANIFEST)) => return Err("it is a stream of changes".into()),
            Place::Shard(None, _) | Place::Other => {}
            _ => return Err("it is no stream of a shard".into()),
        }
    }
    Ok(())
}

/// Puts a shard together: `before` are its files as they were when the server told the versions that it was asked with, `now` those of
/// the stream of changes, with the content of its manifests.
///
/// # Errors
/// In words, when anything does not add up: then the shard has to be streamed as a whole.
pub fn compose<P: Clone>(
    before: &[(String, P)],
    now: &[(String, P)],
    manifests: &BTreeMap<String, Vec<u8>>,
) -> Result<Composed<P>, String> {
    fits(now.iter().map(|(path, _)| path.as_str()).filter(|path| !is_manifest(path)))?;
    let (mut wanted, mut versions) = (BTreeMap::new(), Map::new());
    for (path, text) in manifests {
        let Some((segment, _)) = segment_file(path) else { continue };
        let (manifest, raw) = read(segment, text)?;
        versions.insert(segment.to_owned(), raw);
        wanted.insert(segment.to_owned(), manifest);
    }
    if wanted.is_empty() {
        return Err("it tells of no segment".into());
    }
    let outside = |path: &'_ str| segment_file(path).is_none().then(|| path.split('/').next().unwrap_or(path).to_owned());
    let came: BTreeSet<String> = now.iter().filter_map(|(path, _)| outside(path)).collect();
    if let Some(gone) = before.iter().filter_map(|(path, _)| outside(path)).find(|name| !came.contains(name)) {
        return Err(format!("{gone} is not in the stream any more"));
    }
    let mut files = Vec::new();
    let mut there: BTreeMap<&str, (BTreeSet<&str>, BTreeSet<&str>)> = BTreeMap::new();
    for (path, at) in now {
        let Some((segment, file)) = segment_file(path) else {
            files.push((path.clone(), at.clone()));
            continue;
        };
        if !wanted.contains_key(segment) {
            return Err(format!("{path} belongs to a segment without a manifest"));
        }
        if file != SEGMENT_MANIFEST {
            let (files_there, folders) = there.entry(segment).or_default();
            files_there.insert(file);
            folders.insert(folder(path, file));
            files.push((path.clone(), at.clone()));
        }
    }
    for (path, at) in before {
        let Some((segment, file)) = segment_file(path) else { continue };
        let Some(manifest) = wanted.get(segment) else { continue };
        let listed = manifest.file_versions.contains_key(file) || ALWAYS.contains(&file);
        let (files_there, folders) = there.entry(segment).or_default();
        if listed && files_there.insert(file) {
            folders.insert(folder(path, file));
            files.push((path.clone(), at.clone()));
        }
    }
    for (segment, manifest) in &wanted {
        let (files_there, folders) = there.remove(segment.as_str()).unwrap_or_default();
        let listed = manifest.file_versions.keys().map(String::as_str).filter(|file| !file.starts_with(VIRTUAL));
        if let Some(missing) = listed.chain(ALWAYS).find(|file| !files_there.contains(file)) {
            return Err(format!("{missing} of segment {segment} is neither in the stream nor in what was there before"));
        }
        if folders.len() > 1 {
            return Err(format!("files of segment {segment} lie in two layouts"));
        }
    }
    Ok(Composed { files, versions: Value::Object(versions) })
}

/// What stands before the name of a file within its segment: `segments/<id>/files/`, or without `files/` (1.19).
fn folder<'a>(path: &'a str, file: &str) -> &'a str {
    path.strip_suffix(file).unwrap_or(path)
}

fn read(segment: &str, text: &[u8]) -> Result<(SegmentManifest, Value), String> {
    let wrong = |_| format!("the manifest of segment {segment} cannot be read");
    let raw: Value = serde_json::from_slice(text).map_err(wrong)?;
    let manifest = SegmentManifest::deserialize(&raw).map_err(wrong)?;
    if manifest.segment_id != segment {
        return Err(format!("the manifest of segment {segment} is that of another one"));
    }
    if manifest.file_versions.values().flatten().any(|version| *version > manifest.segment_version) {
        return Err(format!("segment {segment} has a file that is newer than itself"));
    }
    Ok((manifest, raw))
}

/// A segment of which versions are told, and no file is there.
pub fn without_files<'a>(versions: &Value, files: impl Iterator<Item = &'a str>) -> Option<String> {
    let there: BTreeSet<&str> = files.filter_map(segment_file).map(|(segment, _)| segment).collect();
    versions.as_object()?.keys().find(|segment| !there.contains(segment.as_str())).cloned()
}

/// Whether the segments are the same, with the same versions.
pub fn is_same(before: &Value, after: &Value) -> bool {
    let (Some(before), Some(after)) = (before.as_object(), after.as_object()) else { return false };
    let version = |segment: Option<&Value>| segment.and_then(|segment| segment.get("segment_version")).and_then(Value::as_u64);
    let same = |id: &String| version(before.get(id)).is_some() && version(before.get(id)) == version(after.get(id));
    before.len() == after.len() && before.keys().all(same)
}

/// Whether nothing went back in time: a segment or file of `after` with a smaller version than in `before` was restored.
pub fn goes_on(before: &Value, after: &Value) -> bool {
    let (Some(before), Some(after)) = (before.as_object(), after.as_object()) else { return false };
    let version = |segment: &Value| segment.get("segment_version").and_then(Value::as_u64);
    let file = |segment: &Value, name: &str| segment.get("file_versions")?.get(name)?.as_u64();
    let file_went_back = |then: &Value, now: &Value| {
        let files = now.get("file_versions").and_then(Value::as_object).into_iter().flatten();
        files.into_iter().any(|(name, version)| !version.is_null() && file(then, name) > version.as_u64())
    };
    after.iter().all(|(id, now)| before.get(id).is_none_or(|then| version(then) <= version(now) && !file_went_back(then, now)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const SEGMENT: &str = "75ee299f";

    fn path(file: &str) -> String {
        format!("segments/{SEGMENT}/files/{file}")
    }

    fn manifest(files: &[&str]) -> BTreeMap<String, Vec<u8>> {
        let versions: Map<String, Value> = files.iter().map(|file| ((*file).to_owned(), Value::Null)).collect();
        let text = json!({"segment_id": SEGMENT, "segment_version": 4, "file_versions": versions}).to_string();
        BTreeMap::from([(path(SEGMENT_MANIFEST), text.into_bytes())])
    }

    fn files(names: &[&str], at: u32) -> Vec<(String, u32)> {
        let own =
            |name: &&str| if ["wal", "wal/closed-5", "replica_state.json"].contains(name) { (*name).into() } else { path(name) };
        names.iter().map(|name| (own(name), at)).collect()
    }

    #[test]
    fn each_file_is_the_newest_one_and_only_what_is_listed_stays() {
        let before = files(&["a", "b", "gone", "segment.json", "version.info", "wal/closed-5"], 1);
        let mut now = files(&[SEGMENT_MANIFEST, "b", "segment.json", "version.info", "wal", "replica_state.json"], 2);
        let other = ("segments/other/files/a".to_owned(), 1);
        let composed = compose(&[before, vec![other]].concat(), &now, &manifest(&["a", "b", "::ROCKS_DB"])).unwrap();
        now.remove(0);
        now.push((path("a"), 1));
        assert_eq!(composed.files, now);
        assert_eq!(composed.versions[SEGMENT]["segment_version"], 4);
    }

    #[test]
    fn what_does_not_add_up_is_refused() {
        let usual = ["segment.json", "version.info"];
        let now = files(&usual, 2);
        let refused = |before: &[(String, u32)], now: &[(String, u32)], manifests| compose(before, now, &manifests).unwrap_err();
        assert!(refused(&[], &now, manifest(&["a"])).contains("neither in the stream"));
        assert!(refused(&[], &now, BTreeMap::new()).contains("no segment"));
        assert!(refused(&[], &now[..1], manifest(&[])).contains("version.info"));
        let stranger = [now.clone(), vec![("segments/other/files/a".to_owned(), 2)]].concat();
        assert!(refused(&[], &stranger, manifest(&[])).contains("without a manifest"));
        let other = vec![(format!("segments/{SEGMENT}/a"), 1)];
        assert!(refused(&other, &now, manifest(&["a"])).contains("two layouts"));
        let rocks = [now.clone(), vec![(path("db_backup/1"), 2)]].concat();
        assert!(refused(&[], &rocks, manifest(&[])).contains("RocksDB"));
        let text = json!({"segment_id": "x", "segment_version": 1, "file_versions": {}}).to_string();
        assert!(refused(&[], &now, BTreeMap::from([(path(SEGMENT_MANIFEST), text.into_bytes())])).contains("another one"));
        let text = json!({"segment_id": SEGMENT, "segment_version": 1, "file_versions": {"a": 2}}).to_string();
        assert!(refused(&[], &now, BTreeMap::from([(path(SEGMENT_MANIFEST), text.into_bytes())])).contains("newer than itself"));
    }

    #[test]
    fn a_segment_without_files_is_seen() {
        let (one, other) = (path("segment.json"), "wal/closed-5".to_owned());
        let files = || [one.as_str(), other.as_str()].into_iter();
        assert_eq!(without_files(&json!({SEGMENT: {}}), files()), None);
        assert_eq!(without_files(&json!({SEGMENT: {}, "gone": {}}), files()), Some("gone".into()));
    }

    #[test]
    fn going_back_is_seen() {
        let at = |version: u64| json!({"a": {"segment_version": version}});
        assert!(goes_on(&at(3), &at(3)) && goes_on(&at(3), &at(4)) && !goes_on(&at(3), &at(2)));
        assert!(goes_on(&at(3), &json!({"b": {"segment_version": 1}})), "another segment");
        assert!(!goes_on(&json!([]), &at(3)));
        let file = |segment: u64, file: Value| json!({"a": {"segment_version": segment, "file_versions": {"x": file}}});
        assert!(goes_on(&file(3, json!(3)), &file(9, json!(3))) && goes_on(&file(3, json!(null)), &file(9, json!(null))));
        assert!(!goes_on(&file(3, json!(3)), &file(9, json!(2))), "the segment goes on, and a file of it does not");
    }

    #[test]
    fn a_real_stream_of_changes_is_put_together() {
        let read = |name: &str| {
            let bytes = std::fs::read(format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
            let mut splitter = crate::archive::entries::Splitter::new(is_manifest);
            splitter.push(&bytes);
            splitter.finish().unwrap()
        };
        let whole = read("plain-partial-full.tar");
        let changes = read("plain-partial-after-5.tar");
        let placed = |entries: &crate::archive::entries::Entries, at| -> Vec<(String, u32)> {
            entries.all.iter().map(|entry| (entry.path.clone(), at)).collect()
        };
        let composed = compose(&placed(&whole, 1), &placed(&changes, 2), &changes.held).unwrap();
        assert!(composed.files.iter().all(|(path, _)| !is_manifest(path)));
        assert!(composed.files.iter().any(|(_, at)| *at == 2));
        let again = compose(&[], &placed(&whole, 1), &whole.held).unwrap();
        assert_eq!(again.files.len() + whole.held.len(), whole.all.len());
    }
}
