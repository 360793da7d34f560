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

/// What one backup needs of the folders of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// An object: its folder, and its name there.
    Object(String, String),
    /// A folder: which of its objects is not known yet.
    Folder(String),
    /// The manifest in this folder cannot be read: it may need anything that lies beside it.
    Unknown(String),
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
        for need in needs {
            match need {
                Need::Object(of, name) if of == folder => {
                    needed.names.insert(name.clone());
                }
                Need::Folder(of) if of == folder => needed.all = true,
                Need::Unknown(of) if of != folder && layout::group_of(of) == layout::group_of(folder) => needed.all = true,
                _ => {}
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
    parts.map(|part| Need::Object(layout::beside(folder, &part.backup), part.name.clone())).collect()
}

/// What a backup needs that is written right now: which objects is not known yet.
pub fn of_started(started: &Started) -> Vec<Need> {
    started.builds_on.iter().cloned().map(Need::Folder).collect()
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
    let folder_of = |key: &'_ str, file: &str| key.strip_suffix(file).map(|other| other.trim_end_matches('/').to_owned());
    let manifests = listing.entries.iter().filter_map(|entry| folder_of(&entry.key, MANIFEST));
    let finished: BTreeSet<String> = manifests.collect();
    let mut needs = Vec::new();
    for entry in &listing.entries {
        let Key::OfBackup { id, file, .. } = layout::read(&entry.key) else { continue };
        let Some(other) = folder_of(&entry.key, file).filter(|other| other != folder) else { continue };
        match file {
            MANIFEST => match manifest(bucket, cache, entry, &id).await {
                Ok(Ok(manifest)) => needs.extend(of_manifest(&other, &manifest)),
                Ok(Err(_)) => needs.push(Need::Unknown(other)),
                Err(problem) if problem.kind == ProblemKind::NotFound => {}
                Err(problem) => return Err(problem),
            },
            // Beside a manifest it is what a kill left: the manifest tells what is needed.
            STARTED if !finished.contains(&other) => needs.extend(begun(bucket, &entry.key, (&id, other)).await?),
            _ => {}
        }
    }
    Ok(needs)
}

async fn begun(bucket: &Bucket, key: &str, (id, other): (&BackupId, String)) -> Result<Vec<Need>, Problem> {
    let Some(text) = bucket.read(key, LARGEST).await? else { return Ok(Vec::new()) };
    Ok(match Started::read(&text, id) {
        Some(started) if started.removing => Vec::new(),
        Some(started) => of_started(&started),
        None => vec![Need::Unknown(other)],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn an_object_a_folder_and_what_nobody_can_read_are_needed() {
        let needs = [
            Need::Object("a/x/1".into(), "shard-0.tar".into()),
            Need::Folder("a/x/2".into()),
            Need::Object("a/y/1".into(), "shard-1.tar".into()),
        ];
        let one = Needed::of(&needs, "a/x/1");
        assert!(one.wants("shard-0.tar") && !one.wants("shard-1.tar") && !one.is_empty());
        assert!(Needed::of(&needs, "a/x/2").wants("anything"));
        assert!(Needed::of(&needs, "a/x/3").is_empty());
        let unknown = [Need::Unknown("a/x/9".into())];
        assert!(Needed::of(&unknown, "a/x/1").wants("shard-0.tar"), "it may need it");
        assert!(Needed::of(&unknown, "a/x/9").is_empty(), "it needs nothing of itself");
        assert!(Needed::of(&unknown, "a/y/1").is_empty(), "of another collection nothing");
        let entry = |key: &str, size| Entry { key: key.into(), size, modified: Timestamp::UNIX_EPOCH, version: String::new() };
        let entries = [entry("a/x/1/shard-0.tar", 7), entry("a/x/1/manifest.json", 2)];
        assert_eq!((freed(&needs, "a/x/1", &entries), freed(&unknown, "a/x/1", &entries)), (2, 0));
    }
}
