//! Downloads that did not end: what a killed process, a lost line or a cancel left on disk.
//!
//! A download that can be resumed leaves a note in `<state>/transfers` when it begins and removes it when it
//! ends well. Until then the record says where the partial bytes are.

use crate::domain::address::{SnapshotsOf, Which};
use crate::domain::hex::hex;
use crate::domain::ids::SnapshotName;
use crate::ops::request::snapshots::DownloadRequest;
use crate::transfer::part::{self, part_path};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::{Path, PathBuf};

/// A note so young may be of a download that has not made its file yet.
const FRESH: std::time::Duration = std::time::Duration::from_secs(60);

/// A note is one line; more is not ours.
const MAX_NOTE: u64 = 64 << 10;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interrupted {
    /// What would go on with it.
    pub request: DownloadRequest,
    /// Bytes of the whole file.
    pub size: u64,
    /// Bytes that are there.
    pub done: u64,
}

impl Interrupted {
    /// The file it will be.
    pub fn file(&self) -> &Path {
        &self.request.target
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Note {
    address: String,
    snapshot: String,
    file: PathBuf,
    overwrite: bool,
}

/// The folder of the notes.
#[derive(Debug)]
pub struct InterruptedStore {
    folder: PathBuf,
}

impl InterruptedStore {
    /// Notes go to `<state>/transfers`.
    pub fn new(state_dir: &Path) -> Self {
        Self { folder: state_dir.join("transfers") }
    }

    fn path(&self, file: &Path) -> PathBuf {
        let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        self.folder.join(format!("{}.json", &hex(&Sha256::digest(file.as_os_str().as_encoded_bytes()))[..32]))
    }

    /// A download into `file` begins. A note that cannot be written costs the row in the jobs, nothing else.
    pub fn begin(&self, of: &SnapshotsOf, snapshot: &SnapshotName, file: &Path, overwrite: bool) {
        let note = Note {
            address: of.to_string(),
            snapshot: snapshot.raw().to_owned(),
            file: std::path::absolute(file).unwrap_or_else(|_| file.to_owned()),
            overwrite,
        };
        let _ = std::fs::create_dir_all(&self.folder)
            .and_then(|()| std::fs::write(self.path(file), serde_json::to_vec(&note).unwrap_or_default()));
    }

    /// It ended, or was discarded.
    pub fn end(&self, file: &Path) {
        let _ = std::fs::remove_file(self.path(file));
    }

    /// All that can be resumed and that no process works on, by file name.
    pub fn list(&self) -> Vec<Interrupted> {
        let Ok(folder) = std::fs::read_dir(&self.folder) else { return Vec::new() };
        let mut found: Vec<Interrupted> = folder.flatten().filter_map(|entry| self.read(&entry.path())).collect();
        found.sort_by(|a, b| a.request.target.cmp(&b.request.target));
        found
    }

    fn read(&self, path: &Path) -> Option<Interrupted> {
        let mut text = String::new();
        std::fs::File::open(path).ok()?.take(MAX_NOTE).read_to_string(&mut text).ok()?;
        let note: Note = serde_json::from_str(&text).ok()?;
        if !part_path(&note.file).exists() {
            // Not while its disk is not mounted, and not a note whose download is about to begin.
            let old = path.metadata().and_then(|meta| meta.modified()).ok().and_then(|at| at.elapsed().ok()) > Some(FRESH);
            if old && note.file.parent().is_some_and(Path::exists) {
                let _ = std::fs::remove_file(path);
            }
            return None;
        }
        let left = part::unfinished(&note.file).filter(|_| !part::in_use(&note.file))?;
        let of = SnapshotsOf::parse(&note.address).ok()?;
        let which = Which::Named(SnapshotName::new(&note.snapshot));
        let request = DownloadRequest { of, which, target: note.file, overwrite: note.overwrite };
        Some(Interrupted { request, size: left.expected.size, done: left.spans.total() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transfer::part::Unfinished;
    use crate::transfer::source::Expected;
    use crate::transfer::spans::Spans;

    #[test]
    fn what_was_begun_and_is_still_there_is_listed() {
        let dir = tempfile::tempdir().unwrap();
        let store = InterruptedStore::new(dir.path());
        assert!(store.list().is_empty());
        let file = dir.path().join("a.snapshot");
        let of = SnapshotsOf::parse("prod/products").unwrap();
        store.begin(&of, &SnapshotName::new("a.snapshot"), &file, false);
        std::fs::write(part_path(&file), [0; 10]).unwrap();
        assert!(store.list().is_empty(), "nothing tells what the bytes are");
        let expected = Expected { size: 20, sha256: None, etag: Some("e".into()), ranged: true };
        let left = Unfinished { source: "prod/products/a.snapshot".into(), expected, spans: Spans::of(0, 8) };
        part::save(&file, &left).unwrap();
        let listed = store.list();
        assert_eq!((listed.len(), listed[0].done, listed[0].size), (1, 8, 20));
        assert_eq!(listed[0].request.which, Which::Named(SnapshotName::new("a.snapshot")));
        let lock = part::open(&file, |_| true).unwrap();
        assert!(store.list().is_empty(), "another process is at it");
        drop(lock);
        part::discard(&file).unwrap();
        assert!(store.list().is_empty());
        let note = std::fs::read_dir(dir.path().join("transfers")).unwrap().next();
        let note = note.expect("a young note stays: its download may be about to begin").unwrap().path();
        let long_ago = std::time::SystemTime::now() - 2 * FRESH;
        std::fs::File::options().write(true).open(note).unwrap().set_modified(long_ago).unwrap();
        assert!(store.list().is_empty());
        assert_eq!(std::fs::read_dir(dir.path().join("transfers")).unwrap().count(), 0, "its note is gone");
    }
}
