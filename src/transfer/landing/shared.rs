//! What the threads of a landing share: the file, which ranges of it are there, and what was saved of that.

use crate::jobs::progress::Progress;
use crate::transfer::disk;
use crate::transfer::part::{self, Unfinished, part_path};
use crate::transfer::source::Expected;
use crate::transfer::spans::Spans;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Bytes.
    pub size: u64,
    /// sha256 in hex.
    pub sha256: String,
    /// Whether the file ends as a tar does, in two blocks of zeros.
    pub ends_as_tar: bool,
}

/// What the threads need of a file; tests put a disk of their own in its place.
pub(in crate::transfer) trait Medium: Send + Sync + 'static {
    fn reserve(&self, size: u64) -> std::io::Result<()>;
    fn write_all_at(&self, bytes: &[u8], at: u64) -> std::io::Result<()>;
    fn read_exact_at(&self, buffer: &mut [u8], at: u64) -> std::io::Result<()>;
    fn sync(&self) -> std::io::Result<()>;
    /// Whether `path` still means it.
    fn is(&self, path: &Path) -> bool;
}

impl Medium for File {
    fn reserve(&self, size: u64) -> std::io::Result<()> {
        disk::reserve(self, size)
    }

    fn write_all_at(&self, bytes: &[u8], at: u64) -> std::io::Result<()> {
        FileExt::write_all_at(self, bytes, at)
    }

    fn read_exact_at(&self, buffer: &mut [u8], at: u64) -> std::io::Result<()> {
        FileExt::read_exact_at(self, buffer, at)
    }

    fn sync(&self) -> std::io::Result<()> {
        self.sync_data()
    }

    fn is(&self, path: &Path) -> bool {
        part::is_named(self, path)
    }
}

/// What the threads of a landing share.
pub(super) struct Shared<M> {
    pub(super) file: M,
    pub(super) target: PathBuf,
    pub(super) source: String,
    pub(super) expected: Expected,
    pub(super) spans: Mutex<Spans>,
    pub(super) hashed: AtomicU64,
    /// All has arrived: hash to the end and sync. Otherwise the end of the queue means that it was broken off.
    pub(super) whole: AtomicBool,
    pub(super) paused: AtomicBool,
    /// A sync failed. The kernel says so once and then forgets; what it dropped is not known, so that nothing
    /// written since the last good sync may be counted as there.
    pub(super) unsynced: AtomicBool,
    pub(super) progress: Progress,
}

impl<M: Medium> Shared<M> {
    pub(super) fn spans(&self) -> MutexGuard<'_, Spans> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_named(&self) -> bool {
        self.file.is(&part_path(&self.target))
    }

    pub(super) fn sync(&self) -> std::io::Result<()> {
        if self.unsynced.load(Ordering::Acquire) {
            return Err(std::io::Error::other("an earlier sync failed"));
        }
        self.file.sync().inspect_err(|_| self.unsynced.store(true, Ordering::Release))
    }

    /// Syncs, then saves what was there before the sync. A save that fails costs what a crash would have to
    /// fetch again, nothing else.
    pub(super) fn checkpoint(&self) -> std::io::Result<()> {
        let spans = self.spans().clone();
        self.sync()?;
        // Without ranges nothing of it can be used again; the state still marks it as ours.
        let spans = if self.expected.ranged { spans } else { Spans::default() };
        let unfinished = Unfinished { source: self.source.clone(), expected: self.expected.clone(), spans };
        // Beside a foreign file our state would be wrong.
        if self.is_named() {
            let _ = part::save(&self.target, &unfinished);
        }
        Ok(())
    }
}

/// What the door sees of it.
pub(super) trait Watched: Send + Sync {
    fn spans(&self) -> Spans;
    fn hashed(&self) -> u64;
    fn paused(&self) -> bool;
    fn whole(&self, whole: bool);
    fn is_named(&self) -> bool;
}

impl<M: Medium> Watched for Shared<M> {
    fn spans(&self) -> Spans {
        Self::spans(self).clone()
    }

    fn hashed(&self) -> u64 {
        self.hashed.load(Ordering::Relaxed)
    }

    fn paused(&self) -> bool {
        self.paused.load(Ordering::Acquire)
    }

    fn whole(&self, whole: bool) {
        self.whole.store(whole, Ordering::Release);
    }

    fn is_named(&self) -> bool {
        Shared::is_named(self)
    }
}
