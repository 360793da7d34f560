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
use std::os::unix::fs::OpenOptionsExt;
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

/// `NAME.corrupt`: bytes that are not what they should be, for whoever wants to look.
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

/// Removes bytes and state.
pub fn discard(target: &Path) -> Result<(), Problem> {
    let part = part_path(target);
    forget(target);
    match std::fs::remove_file(&part) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(disk_problem("remove", &part, &error)),
        _ => Ok(()),
    }
}

/// Opens the part, for this process alone. A link in its place is refused: it could lead anywhere.
pub fn open(target: &Path, keep: bool) -> Result<File, Problem> {
    let path = part_path(target);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).custom_flags(no_follow());
    let file = options.open(&path).map_err(|error| disk_problem("open", &path, &error))?;
    if let Err(TryLockError::WouldBlock) = file.try_lock() {
        return Err(Problem::new(ProblemKind::Failed, "another qsnap is writing this file", path.display().to_string())
            .advise("wait for it, or choose another name or folder"));
    }
    if !keep {
        forget(target);
        file.set_len(0).map_err(|error| disk_problem("empty", &path, &error))?;
    }
    Ok(file)
}

/// Whether some process has it open as [`open`] does.
pub fn in_use(target: &Path) -> bool {
    let Ok(file) = OpenOptions::new().read(true).custom_flags(no_follow()).open(part_path(target)) else { return false };
    matches!(file.try_lock(), Err(TryLockError::WouldBlock))
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
        let first = open(&target, true).unwrap();
        assert!(in_use(&target));
        assert!(open(&target, true).unwrap_err().message.contains("another qsnap"));
        drop(first);
        open(&target, true).unwrap();
    }

    #[test]
    fn a_link_in_its_place_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let precious = dir.path().join("precious");
        std::fs::write(&precious, "x").unwrap();
        let target = dir.path().join("a.snapshot");
        std::os::unix::fs::symlink(&precious, part_path(&target)).unwrap();
        assert!(open(&target, false).is_err());
        assert_eq!(std::fs::read_to_string(&precious).unwrap(), "x");
    }
}
