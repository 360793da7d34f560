//! The unfinished file beside its target: `NAME.part` with the bytes, `NAME.part.state` with what they are.
//!
//! The state says which file of which server this will be and which ranges of it are on disk. It is replaced
//! as a whole, and only after the ranges it names were synced: after a power failure it never promises bytes
//! that are not there.

use crate::domain::problem::{Problem, ProblemKind};
use crate::transfer::disk::{disk_problem, sync_folder};
use crate::transfer::source::Expected;
use crate::transfer::spans::Spans;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A state is small: a few ranges. More is not ours.
const MAX_STATE: u64 = 1 << 20;

const FORMAT: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    format: u32,
    source: String,
    size: u64,
    sha256: Option<String>,
    etag: Option<String>,
    spans: Vec<(u64, u64)>,
}

/// An unfinished download on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// Address of what it will be.
    pub source: String,
    /// What was known of the file.
    pub expected: Expected,
    /// What of it is there.
    pub spans: Spans,
}

impl Unfinished {
    /// Whether its bytes are bytes of this file. A hash tells of the content wherever it lies; without one the size
    /// and ETag of two files of different sources may be equal.
    pub fn holds(&self, source: &str, expected: &Expected) -> bool {
        let hashed = self.expected.sha256.is_some() && expected.sha256.is_some();
        self.expected.same_bytes(expected) && (hashed || self.source == source)
    }
}

fn beside(target: &Path, ending: &str) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_os_string();
    name.push(ending);
    target.with_file_name(name)
}

/// `NAME.part`
pub fn part_path(target: &Path) -> PathBuf {
    beside(target, ".part")
}

/// `NAME.part.state`
pub fn state_path(target: &Path) -> PathBuf {
    beside(target, ".part.state")
}

/// `NAME.corrupt`: bytes that are not what they should be, kept for inspection.
pub fn corrupt_path(target: &Path) -> PathBuf {
    beside(target, ".corrupt")
}

/// Reads what an earlier try left beside `target`; nothing where nothing usable is.
pub fn unfinished(target: &Path) -> Option<Unfinished> {
    let length = std::fs::symlink_metadata(part_path(target)).ok().filter(std::fs::Metadata::is_file)?.len();
    let mut text = String::new();
    File::open(state_path(target)).ok()?.take(MAX_STATE).read_to_string(&mut text).ok()?;
    let stored: Stored = serde_json::from_str(&text).ok()?;
    let spans = Spans::checked(&stored.spans, stored.size.min(length))?;
    let expected = Expected { size: stored.size, sha256: stored.sha256, etag: stored.etag, ranged: true };
    (stored.format == FORMAT).then_some(Unfinished { source: stored.source, expected, spans })
}

/// Writes the state, replacing the old one as a whole.
pub fn save(target: &Path, unfinished: &Unfinished) -> std::io::Result<()> {
    let expected = &unfinished.expected;
    let stored = Stored {
        format: FORMAT,
        source: unfinished.source.clone(),
        size: expected.size,
        sha256: expected.sha256.clone(),
        etag: expected.etag.clone(),
        spans: unfinished.spans.pairs().to_vec(),
    };
    let path = state_path(target);
    let fresh = beside(target, ".part.state.new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).custom_flags(no_follow()).open(&fresh)?;
    file.write_all(&serde_json::to_vec(&stored)?)?;
    file.sync_all()?;
    std::fs::rename(&fresh, &path)?;
    sync_folder(&path);
    Ok(())
}

/// Removes the state; the bytes stay.
pub fn forget(target: &Path) {
    let _ = std::fs::remove_file(state_path(target));
}

/// Removes bytes and state. The caller has them open, or knows that no process has.
pub fn remove(target: &Path) -> Result<(), Problem> {
    let part = part_path(target);
    // The state last: a kill in between leaves no bytes without a state.
    match std::fs::remove_file(&part) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(disk_problem("remove", &part, &error)),
        _ => forget(target),
    }
    Ok(())
}

/// Removes bytes and state, unless some process is at them.
pub fn discard(target: &Path) -> Result<(), Problem> {
    let path = part_path(target);
    let file = OpenOptions::new().read(true).custom_flags(no_follow()).open(&path);
    // Held until it is removed: no other process begins in between.
    if let Ok(file) = &file
        && let Err(TryLockError::WouldBlock) = file.try_lock()
    {
        return Err(busy(&path));
    }
    remove(target)
}

/// Whether a path still means this file.
pub fn is_named(file: &File, path: &Path) -> bool {
    let (Ok(mine), Ok(named)) = (file.metadata(), std::fs::symlink_metadata(path)) else { return false };
    (named.dev(), named.ino()) == (mine.dev(), mine.ino())
}

fn busy(path: &Path) -> Problem {
    Problem::new(ProblemKind::Failed, "another qsnap is writing this file", path.display().to_string())
        .advise("wait for it, or choose another name or folder")
}

/// How often another process may take the name away while it is opened.
const CONTESTED: u32 = 8;

/// Opens the part, for this process alone, with what an earlier try left if that is `wanted`. A link in its place is
/// refused: it could lead anywhere. What is not wanted is never emptied but unlinked: the name may have become that of
/// a file that was published meanwhile.
pub fn open(target: &Path, wanted: impl Fn(&Unfinished) -> bool) -> Result<(File, Option<Unfinished>), Problem> {
    let path = part_path(target);
    let failed = |error: std::io::Error| disk_problem("open", &path, &error);
    for _ in 0..CONTESTED {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).custom_flags(no_follow());
        let file = options.open(&path).map_err(failed)?;
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            return Err(busy(&path));
        }
        // Locked, but still what the name means?
        if !is_named(&file, &path) {
            continue;
        }
        let mine = file.metadata().map_err(failed)?;
        // A second name: a kill in the middle of publishing left both, and the other one is a good file.
        let alone = mine.nlink() == 1;
        let left = if alone { unfinished(target).filter(&wanted) } else { None };
        if left.is_some() || (alone && mine.len() == 0) {
            if left.is_none() {
                forget(target);
            }
            return Ok((file, left));
        }
        remove(target)?;
    }
    Err(busy(&path))
}

/// Whether some process has it open as [`open`] does.
pub fn in_use(target: &Path) -> bool {
    let Ok(file) = OpenOptions::new().read(true).custom_flags(no_follow()).open(part_path(target)) else { return false };
    // A shared lock: it delays a writer for a moment only, and other readers not at all.
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

fn no_follow() -> i32 {
    rustix::fs::OFlags::NOFOLLOW.bits() as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(spans: Spans) -> Unfinished {
        let expected = Expected { size: 100, sha256: Some("aa".into()), etag: Some("\"x\"".into()), ranged: true };
        Unfinished { source: "prod/x/a.snapshot".into(), expected, spans }
    }

    #[test]
    fn what_is_saved_is_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("a.snapshot");
        assert_eq!(unfinished(&target), None);
        std::fs::write(part_path(&target), [0; 100]).unwrap();
        let mut spans = Spans::of(0, 40);
        spans.insert(60, 100);
        save(&target, &left(spans.clone())).unwrap();
        assert_eq!(unfinished(&target), Some(left(spans)));
        discard(&target).unwrap();
        assert_eq!(unfinished(&target), None);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_state_that_promises_too_much_is_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("a.snapshot");
        std::fs::write(part_path(&target), [0; 50]).unwrap();
        save(&target, &left(Spans::of(0, 60))).unwrap();
        assert_eq!(unfinished(&target), None, "the file is shorter");
        for text in ["", "{}", "null", "{\"format\":1}", &"x".repeat(3_000_000)] {
            std::fs::write(state_path(&target), text).unwrap();
            assert_eq!(unfinished(&target), None);
        }
    }

    #[test]
    fn two_processes_never_write_one_file() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("a.snapshot");
        assert!(!in_use(&target));
        let first = open(&target, |_| true).unwrap();
        assert!(in_use(&target));
        assert!(open(&target, |_| true).unwrap_err().message.contains("another qsnap"));
        drop(first);
        open(&target, |_| true).unwrap();
    }

    #[test]
    fn a_published_file_is_never_emptied_through_its_second_name() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("a.snapshot");
        std::fs::write(&target, [7; 100]).unwrap();
        // A kill between the two steps of publishing.
        std::fs::hard_link(&target, part_path(&target)).unwrap();
        save(&target, &left(Spans::of(0, 100))).unwrap();
        let (file, left) = open(&target, |_| true).unwrap();
        assert_eq!((left, file.metadata().unwrap().len()), (None, 0));
        std::io::Write::write_all(&mut &file, b"other bytes").unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), [7; 100]);
    }

    #[test]
    fn what_is_not_wanted_is_unlinked_and_not_emptied() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("a.snapshot");
        std::fs::write(part_path(&target), [7; 100]).unwrap();
        save(&target, &left(Spans::of(0, 100))).unwrap();
        let reader = File::open(part_path(&target)).unwrap();
        let (file, kept) = open(&target, |_| false).unwrap();
        assert_eq!((kept, file.metadata().unwrap().len()), (None, 0));
        assert_eq!(reader.metadata().unwrap().len(), 100, "a process that had it open still has its bytes");
        assert!(discard(&target).is_err(), "somebody is at it");
        drop(file);
        discard(&target).unwrap();
    }

    #[test]
    fn without_a_hash_only_the_same_source_counts() {
        let ours = left(Spans::of(0, 40));
        assert!(ours.holds("prod/x/a.snapshot", &ours.expected) && ours.holds("other/x/a.snapshot", &ours.expected));
        let mut unhashed = ours.clone();
        unhashed.expected.sha256 = None;
        assert!(unhashed.holds("prod/x/a.snapshot", &unhashed.expected));
        assert!(!unhashed.holds("other/x/a.snapshot", &unhashed.expected));
    }

    #[test]
    fn a_link_in_its_place_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let precious = dir.path().join("precious");
        std::fs::write(&precious, "x").unwrap();
        let target = dir.path().join("a.snapshot");
        std::os::unix::fs::symlink(&precious, part_path(&target)).unwrap();
        assert!(open(&target, |_| false).is_err());
        assert_eq!(std::fs::read_to_string(&precious).unwrap(), "x");
    }
}
