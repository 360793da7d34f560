//! Removing a backup, so that a kill at any moment leaves either a whole backup or something that says it is being removed:
//! `started.json` with the names → the manifest → the objects → the notes → `started.json`. On a full disk the manifest is renamed
//! to `started.json` instead. Only exact keys that a manifest, or `started.json`, names are deleted; what else lies in the folder
//! stays. Objects that other backups are made of stay as well, and `started.json` with them: see [`super::needs`].

use crate::domain::problem::{Problem, ProblemKind};
use crate::repository::bucket::Bucket;
use crate::repository::cache::Cache;
use crate::repository::entry::Entry;
use crate::repository::index::{Backup, Remains};
use crate::repository::layout::{self, MANIFEST, PART, STARTED, is_unwritten};
use crate::repository::listing;
use crate::repository::manifest::{FORMAT, LARGEST, Manifest, Started};
use crate::repository::needs::{self, Needed};
use crate::repository::records::{Record, Standing};
use jiff::Timestamp;
use std::time::Duration;

/// A record larger than this is none.
const LARGEST_RECORD: u64 = 1 << 20;

/// A folder without a manifest in which nothing was written for so long is no running backup: one writes again and again.
pub const ABANDONED: Duration = Duration::from_secs(86_400);

/// What came of a removal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removed {
    /// It is gone.
    Gone,
    /// It is no backup any more; so many bytes of it stay, because others are made of them.
    DataStays(u64),
    /// Somebody holds it by now.
    Held(String),
    /// It is not there any more, or is another one by now.
    Absent,
}

/// Removes a backup, unless somebody held it meanwhile.
///
/// # Errors
/// When its manifest cannot be read, so that it is not known what belongs to it; and those of the store. It is then either whole,
/// or being removed, and the next try goes on.
pub async fn remove(bucket: &Bucket, cache: &Cache, backup: &Backup, (who, now): (&str, Timestamp)) -> Result<Removed, Problem> {
    let Some(manifest) = &backup.manifest else {
        return Err(Problem::new(
            ProblemKind::Failed,
            "what belongs to it is not known: its manifest cannot be read",
            &backup.folder,
        )
        .advise(format!("nothing was removed; look at {}, and remove the folder by hand", bucket.shown(&backup.folder))));
    };
    let entries = whole_listing(bucket, &backup.folder).await?;
    let seen =
        |entries: &[Entry]| entries.iter().find(|entry| entry.key == backup.key(MANIFEST)).map(|entry| entry.version.clone());
    let there = seen(&entries);
    if there.is_none() || there != seen(&backup.entries) {
        return Ok(Removed::Absent);
    }
    let notes: Vec<&Entry> = entries.iter().filter(|entry| layout::is_note(&backup.folder, &entry.key)).collect();
    if let Some(why) = hold(bucket, &notes).await? {
        return Ok(Removed::Held(why));
    }
    let started = Started {
        format: FORMAT,
        who: who.to_owned(),
        at: now,
        removing: true,
        objects: manifest.names().map(str::to_owned).collect(),
        builds_on: Vec::new(),
    };
    let said = bucket.replace(&backup.key(STARTED), serde_json::to_vec_pretty(&started).unwrap_or_default()).await;
    match said {
        Ok(()) => bucket.delete(&backup.key(MANIFEST)).await?,
        // A full disk has room for no word more: the manifest itself becomes the word.
        Err(problem) => match bucket.rename(&backup.key(MANIFEST), &backup.key(STARTED)).await? {
            true => {}
            false => return Err(problem),
        },
    }
    // Only on what has a list of its files can others build.
    let needed =
        if manifest.indexes.is_empty() { Needed::default() } else { needs::needed(bucket, cache, &backup.folder).await? };
    rest(bucket, (&backup.folder, &started.objects), &needed, &notes, &entries).await
}

/// Whether nothing works on it any more: it is being removed, or was abandoned.
pub fn is_abandoned(remains: &Remains, now: Timestamp) -> bool {
    remains.is_removed() || remains.last_sign() < now.saturating_sub(ABANDONED).unwrap_or(Timestamp::MIN)
}

/// Removes what an unfinished backup, or an unfinished removal, left.
///
/// # Errors
/// When it is not known what was written; and those of the store.
pub async fn remove_remains(bucket: &Bucket, cache: &Cache, remains: &Remains) -> Result<Removed, Problem> {
    let Some(started) = &remains.started else {
        return Err(Problem::new(
            ProblemKind::Failed,
            "what was written is not known: its started.json is damaged",
            &remains.folder,
        )
        .advise(format!("nothing was removed; look at {}, and remove the folder by hand", bucket.shown(&remains.folder))));
    };
    // It may have become a backup meanwhile.
    if bucket.size(&format!("{}/{MANIFEST}", remains.folder)).await?.is_some() {
        return Ok(Removed::Absent);
    }
    // Nor may it be written to again since it was listed.
    let now = bucket.read(&format!("{}/{STARTED}", remains.folder), LARGEST).await?;
    let now = now.and_then(|text| Started::read(&text, &remains.id));
    if now.is_some_and(|now| !now.removing && now.at > started.at) {
        return Ok(Removed::Absent);
    }
    let entries = whole_listing(bucket, &remains.folder).await?;
    let notes: Vec<&Entry> = entries.iter().filter(|entry| layout::is_note(&remains.folder, &entry.key)).collect();
    let needed = if started.removing { needs::needed(bucket, cache, &remains.folder).await? } else { Needed::default() };
    rest(bucket, (&remains.folder, &started.objects), &needed, &notes, &entries).await
}

/// All that lies in a folder: what cannot be listed may be a hold.
async fn whole_listing(bucket: &Bucket, folder: &str) -> Result<Vec<Entry>, Problem> {
    let listing = listing::list(bucket, folder).await?;
    match listing.problems.into_iter().next() {
        Some((_, problem)) => Err(problem),
        None => Ok(listing.entries),
    }
}

async fn rest(
    bucket: &Bucket,
    (folder, objects): (&str, &[String]),
    needed: &Needed,
    notes: &[&Entry],
    all: &[Entry],
) -> Result<Removed, Problem> {
    let unwritten =
        |entry: &&Entry| entry.key.strip_prefix(folder).and_then(|name| name.strip_prefix('/')).is_some_and(is_unwritten);
    for entry in all.iter().filter(unwritten) {
        bucket.delete(&entry.key).await?;
    }
    let size = |name: &String| all.iter().find(|entry| entry.key == format!("{folder}/{name}")).map(|entry| entry.size);
    let mut stays = None;
    for name in objects.iter().filter(|name| Manifest::may_name(name)) {
        if needed.wants(name) {
            stays = size(name).map(|size| size + stays.unwrap_or(0)).or(stays);
            continue;
        }
        bucket.delete(&format!("{folder}/{name}")).await?;
        bucket.delete(&format!("{folder}/{name}{PART}")).await?;
    }
    for note in notes {
        bucket.delete(&note.key).await?;
        bucket.tidy_folders(&note.key);
    }
    if let Some(bytes) = stays {
        return Ok(Removed::DataStays(bytes));
    }
    bucket.delete(&format!("{folder}/{STARTED}")).await?;
    bucket.tidy_folders(&format!("{folder}/{STARTED}"));
    Ok(Removed::Gone)
}

/// Why a backup is held, by the records that are there right now.
async fn hold(bucket: &Bucket, notes: &[&Entry]) -> Result<Option<String>, Problem> {
    let mut records = Vec::new();
    for note in notes {
        let text = if note.size > LARGEST_RECORD { None } else { bucket.read(&note.key, LARGEST_RECORD).await? };
        match text.and_then(|text| serde_json::from_slice::<Record>(&text).ok()) {
            Some(record) => records.push(record),
            // What it says may be that nothing must remove it.
            None => return Ok(Some("a note of it cannot be read".into())),
        }
    }
    Ok(Standing::of(&records).hold)
}
