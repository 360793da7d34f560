//! Which objects of a removed backup others are made of. Increments take bytes from the streams of older backups, whose manifests may
//! go before them; what they need stays.
//!
//! A backup and a removal that run at the same time need no lock. The backup writes on what it builds (`started.json`), then looks
//! whether the manifest of that is still there. The removal deletes the manifest, then looks who builds on it. Whichever comes
//! second sees the other.

use crate::domain::backup::BackupId;
use crate::domain::problem::{Problem, ProblemKind};
use crate::repository::bucket::Bucket;
use crate::repository::cache::{Cache, manifest};
use crate::repository::entry::Entry;
use crate::repository::layout::{self, Key, MANIFEST, STARTED};
use crate::repository::listing;
use crate::repository::manifest::{LARGEST, Manifest, Started};
use std::collections::BTreeSet;

/// What one backup needs of another's folder: an object, or all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    folder: String,
    name: Option<String>,
}

/// What others need of a folder.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Needed {
    all: bool,
    names: BTreeSet<String>,
}

impl Needed {
    /// Those of these needs that are of this folder.
    pub fn of<'a>(needs: impl IntoIterator<Item = &'a Need>, folder: &str) -> Self {
        let mut needed = Self::default();
        for need in needs.into_iter().filter(|need| need.folder == folder) {
            match &need.name {
                Some(name) => {
                    needed.names.insert(name.clone());
                }
                None => needed.all = true,
            }
        }
        needed
    }

    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        !self.all && self.names.is_empty()
    }

    /// Whether this object is.
    pub fn wants(&self, name: &str) -> bool {
        self.all || self.names.contains(name)
    }
}

/// What the backup in a folder needs of others.
pub fn of_manifest(folder: &str, manifest: &Manifest) -> Vec<Need> {
    let parts = manifest.parts().filter(|part| part.backup != manifest.id);
    parts.map(|part| Need { folder: layout::beside(folder, &part.backup), name: Some(part.name.clone()) }).collect()
}

/// What a backup needs that is written right now: which objects is not known yet.
pub fn of_started(started: &Started) -> Vec<Need> {
    started.builds_on.iter().map(|folder| Need { folder: folder.clone(), name: None }).collect()
}

/// Bytes of a folder that are free once it is removed: those that no other backup is made of.
pub fn freed(needs: &[Need], folder: &str, entries: &[Entry]) -> u64 {
    let needed = Needed::of(needs, folder);
    let name =
        |entry: &Entry| entry.key.strip_prefix(folder).map_or(String::new(), |name| name.trim_start_matches('/').to_owned());
    entries.iter().filter(|entry| !needed.wants(&name(entry))).map(|entry| entry.size).sum()
}

/// What others need of a folder, by what is there right now.
///
/// # Errors
/// Those of the store.
pub async fn needed(bucket: &Bucket, cache: &Cache, folder: &str) -> Result<Needed, Problem> {
    // A listing is not of one moment: of a backup that ends meanwhile it may miss the manifest, and the word before it as well.
    let mut needs = read(bucket, cache, folder).await?;
    needs.extend(read(bucket, cache, folder).await?);
    Ok(Needed::of(&needs, folder))
}

async fn read(bucket: &Bucket, cache: &Cache, folder: &str) -> Result<Vec<Need>, Problem> {
    let listing = listing::list(bucket, layout::group_of(folder)).await?;
    if let Some((_, problem)) = listing.problems.into_iter().next() {
        return Err(problem);
    }
    let mut needs = Vec::new();
    for entry in &listing.entries {
        let Key::OfBackup { id, file, .. } = layout::read(&entry.key) else { continue };
        let Some(other) = entry.key.strip_suffix(file).map(|other| other.trim_end_matches('/')) else { continue };
        match file {
            _ if other == folder => {}
            MANIFEST => match manifest(bucket, cache, entry, &id).await {
                Ok(Ok(manifest)) => needs.extend(of_manifest(other, &manifest)),
                // What it needs is not known.
                Ok(Err(_)) => needs.push(Need { folder: folder.to_owned(), name: None }),
                Err(problem) if problem.kind == ProblemKind::NotFound => {}
                Err(problem) => return Err(problem),
            },
            STARTED => needs.extend(begun(bucket, &entry.key, &id, folder).await?),
            _ => {}
        }
    }
    Ok(needs)
}

async fn begun(bucket: &Bucket, key: &str, id: &BackupId, folder: &str) -> Result<Vec<Need>, Problem> {
    let Some(text) = bucket.read(key, LARGEST).await? else { return Ok(Vec::new()) };
    Ok(match Started::read(&text, id) {
        Some(started) if started.removing => Vec::new(),
        Some(started) => of_started(&started),
        None => vec![Need { folder: folder.to_owned(), name: None }],
    })
}
