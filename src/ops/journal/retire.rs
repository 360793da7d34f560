//! Forgetting what was done long ago. Only records in `done/` go: open ones never lie there, and the marks of safety snapshots are
//! in an index of their own.

use crate::ops::journal::{Journal, done, to_the_millisecond};
use jiff::Timestamp;
use std::path::Path;
use std::time::Duration;

/// It is looked for old records once in so long.
const EVERY: Duration = Duration::from_secs(86_400);

/// The file whose age tells when that was last done.
const LOOKED: &str = "looked";

impl Journal {
    /// Removes records of what was done longer ago than is kept. What cannot be removed is tried again another day.
    pub(super) fn forget_old(&self, now: Timestamp) {
        let Some(oldest) = self.keeps.and_then(|keeps| now.checked_sub(keeps).ok()) else { return };
        let folder = self.done_folder();
        if !folder.is_dir() || looked_lately(&folder.join(LOOKED)) {
            return;
        }
        let _ = std::fs::write(folder.join(LOOKED), "");
        let oldest = to_the_millisecond(oldest);
        for place in done::days(&folder).into_iter().chain([folder]) {
            for path in done::files(&place) {
                if path.file_name().and_then(|name| name.to_str()).is_some_and(|name| is_older(name, &oldest)) {
                    let _ = std::fs::remove_file(path);
                }
            }
            // Only an empty one can be removed.
            let _ = std::fs::remove_dir(place);
        }
    }
}

fn looked_lately(file: &Path) -> bool {
    let age = file.metadata().and_then(|meta| meta.modified()).ok().and_then(|at| at.elapsed().ok());
    age.is_some_and(|age| age < EVERY)
}

/// Whether a file is a record that began before a time; both are written so that they sort by time.
fn is_older(name: &str, oldest: &str) -> bool {
    let Some(began) = name.strip_suffix(".ndjson").and_then(|id| id.get(..oldest.len())) else { return false };
    let written_alike = began.bytes().zip(oldest.bytes()).all(|(a, b)| a == b || (a.is_ascii_digit() && b.is_ascii_digit()));
    written_alike && began < oldest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::journal::record::Opening;

    #[test]
    fn only_old_records_that_are_done_go_and_once_a_day() {
        let dir = tempfile::tempdir().unwrap();
        let now: Timestamp = "2026-11-22T03:00:00Z".parse().unwrap();
        let journal = Journal::new(dir.path(), "ada").keeping(Duration::from_secs(30 * 86_400));
        let done = journal.done_folder();
        std::fs::create_dir_all(&done).unwrap();
        let files = [
            "20261001T030000000Z-1-0.ndjson",
            "20261101T030000000Z-1-0.ndjson",
            "notes.ndjson",
            "20261001T030000000Z-1-0.txt",
            "00000000x000000000Z-1-0.ndjson",
        ];
        for name in files {
            std::fs::write(done.join(name), "").unwrap();
        }
        let open = dir.path().join("journal/20260101T030000000Z-1-0.ndjson");
        std::fs::write(&open, "").unwrap();
        journal.begin(now, &Opening::new("copy", "a/x", "b/x")).unwrap();
        let left: Vec<bool> = files.iter().map(|name| done.join(name).exists()).collect();
        assert_eq!(left, [false, true, true, true, true]);
        assert!(open.exists(), "what is not in `done` stays, however old");
        std::fs::write(done.join(files[0]), "").unwrap();
        journal.begin(now, &Opening::new("copy", "a/x", "b/x")).unwrap();
        assert!(done.join(files[0]).exists(), "it was looked for today");
    }
}
