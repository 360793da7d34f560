//! The last step of a download: from `.part` to its final name, or to `.corrupt`.

use crate::domain::problem::{Problem, ProblemKind};
use crate::transfer::disk::{disk_problem, sync_folder};
use crate::transfer::part::{self, corrupt_path, part_path};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A whole file that waits for its final name. It stays locked until it has one.
pub struct Ready {
    target: PathBuf,
    held: Box<dyn Held>,
}

/// Keeps a part locked, and knows whether its name still means it.
pub(in crate::transfer) trait Held: Send {
    /// Whether the `.part` is still the file that was written and hashed.
    fn is_named(&self) -> bool;
}

/// Renames, but never over an existing file.
fn rename_to_free(from: &Path, to: &Path) -> std::io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE).map_err(std::io::Error::from) {
        // File systems that cannot: a link never replaces either.
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => {
            std::fs::hard_link(from, to)?;
            let _ = std::fs::remove_file(from);
            Ok(())
        }
        renamed => renamed,
    }
}

impl Ready {
    /// A file that was written as the part of `target`.
    pub(in crate::transfer) fn new(target: PathBuf, held: Box<dyn Held>) -> Self {
        Self { target, held }
    }

    /// Gives it its final name. An existing file is replaced only when `overwrite` says so.
    pub fn publish(self, overwrite: bool) -> Result<PathBuf, Problem> {
        let part = part_path(&self.target);
        if !self.held.is_named() {
            return Err(taken_away(&part));
        }
        let renamed = if overwrite { std::fs::rename(&part, &self.target) } else { rename_to_free(&part, &self.target) };
        renamed.map_err(|error| disk_problem("name", &self.target, &error))?;
        part::forget(&self.target);
        sync_folder(&self.target);
        Ok(self.target)
    }

    /// Keeps it as `.corrupt`, for inspection; never under the final name.
    pub fn keep_as_corrupt(self) -> PathBuf {
        let (part, corrupt) = (part_path(&self.target), corrupt_path(&self.target));
        if !self.held.is_named() {
            return part;
        }
        match std::fs::rename(&part, &corrupt) {
            Ok(()) => {
                part::forget(&self.target);
                corrupt
            }
            Err(_) => part,
        }
    }
}

/// Somebody removed or replaced the part while it was written.
fn taken_away(part: &Path) -> Problem {
    let words = "somebody removed or replaced the unfinished file meanwhile";
    Problem::new(ProblemKind::Failed, words, part.display().to_string())
        .advise("what was downloaded is lost with it; look who else writes there, then download again")
}
