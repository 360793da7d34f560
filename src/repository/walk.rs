//! Listing a repository that is a directory. One folder that cannot be read hides no other; nothing goes round in circles.

use crate::domain::problem::Problem;
use crate::repository::bucket::Bucket;
use crate::repository::entry::{Entry, Listing};
use crate::repository::folder::io_problem;

use jiff::Timestamp;
use std::fs::Metadata;
use std::path::{Path, PathBuf};

/// Folders below the root are never deeper than this: instance, collection, backup, notes, and two to see what is not ours.
const DEEPEST: usize = 6;

/// All files below the folder `below` of the repository at `root`.
///
/// # Errors
/// When the folder itself cannot be read.
pub(in crate::repository) async fn walk(bucket: &Bucket, root: PathBuf, below: &str) -> Result<Listing, Problem> {
    let below = below.to_owned();
    let walked = tokio::task::spawn_blocking(move || {
        let mut walk = Walk { real: root.canonicalize().unwrap_or_else(|_| root.clone()), root, ..Walk::default() };
        walk.folder(&below, 0);
        walk
    });
    let walk = walked.await.map_err(|error| io_problem(&std::io::Error::other(error), "list", &bucket.shown("")))?;
    let mut listing = Listing { entries: walk.entries, strange: walk.strange, problems: Vec::new() };
    for (key, error) in walk.failed {
        let problem = io_problem(&error, "list", &bucket.shown(&key));
        listing.problems.push((key, problem));
    }
    match listing.problems.first() {
        Some((_, problem)) if listing.entries.is_empty() => Err(problem.clone()),
        _ => Ok(listing),
    }
}

#[derive(Default)]
struct Walk {
    root: PathBuf,
    /// The root without links.
    real: PathBuf,
    entries: Vec<Entry>,
    strange: Vec<String>,
    failed: Vec<(String, std::io::Error)>,
}

impl Walk {
    fn folder(&mut self, key: &str, depth: usize) {
        let items = match std::fs::read_dir(self.root.join(key)) {
            Ok(items) => items,
            // Removed while it was looked at; or nothing was ever backed up of that collection.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !(key.is_empty() && depth == 0) => return,
            Err(error) => return self.failed.push((key.to_owned(), error)),
        };
        for item in items {
            match item {
                Ok(item) => self.item(key, &item, depth),
                Err(error) => self.failed.push((key.to_owned(), error)),
            }
        }
    }

    fn item(&mut self, folder: &str, item: &std::fs::DirEntry, depth: usize) {
        let name = item.file_name();
        let Some(name) = name.to_str() else {
            return self.strange.push(join(folder, &name.to_string_lossy()));
        };
        let key = join(folder, name);
        let path = item.path();
        let meta = match std::fs::metadata(&path) {
            Ok(meta) => meta,
            // Removed meanwhile, a link to nothing, or one to itself.
            Err(_) if path.is_symlink() => return self.strange.push(key),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
            Err(error) => return self.failed.push((key, error)),
        };
        if meta.is_file() {
            self.entries.push(Entry { key, size: meta.len(), modified: modified(&meta), version: version(&meta) });
        } else if !meta.is_dir() || depth >= DEEPEST || (path.is_symlink() && self.is_inside(&path)) {
            // A pipe or a device, what is too deep to be ours, and a link that leads back into the repository.
            self.strange.push(key);
        } else {
            self.folder(&key, depth + 1);
        }
    }

    fn is_inside(&self, path: &Path) -> bool {
        path.canonicalize().is_ok_and(|real| real.starts_with(&self.real) || self.real.starts_with(&real))
    }
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

fn modified(meta: &Metadata) -> Timestamp {
    meta.modified().ok().and_then(|at| Timestamp::try_from(at).ok()).unwrap_or_default()
}

/// A file that is replaced is another file; one that is written again has another time.
fn version(meta: &Metadata) -> String {
    #[cfg(unix)]
    let file = std::os::unix::fs::MetadataExt::ino(meta);
    #[cfg(not(unix))]
    let file = 0;
    format!("{file:x}-{:x}-{:x}", modified(meta).as_nanosecond(), meta.len())
}
