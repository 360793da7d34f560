//! What a repository holds: backups, what unfinished ones left, and what is not ours. One damaged object hides no other.

use crate::domain::address::CollectionAddress;
use crate::domain::backup::BackupId;
use crate::domain::ids::{CollectionName, InstanceName};
use crate::domain::problem::{Problem, ProblemKind};
use crate::repository::bucket::Bucket;
use crate::repository::cache::{Cache, manifest, record};
use crate::repository::entry::Entry;
use crate::repository::layout::{self, Key, MANIFEST, NOTES, STARTED};
use crate::repository::listing;
use crate::repository::manifest::{FORMAT, LARGEST, Manifest, Started};
use crate::repository::needs::{self, Need, Needed};
use crate::repository::records::{Record, Standing};
use futures_util::StreamExt;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Small objects that are read at the same time.
const AT_ONCE: usize = 32;

/// What a backup is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Complete, all its objects are there with their sizes, and no proof found damage.
    Good,
    /// A node or shard is missing in it.
    Incomplete(String),
    /// An object is missing or changed, or a proof found damage.
    Bad(String),
    /// It shares data with a backup in which damage was found, and was not looked at since.
    Doubtful(String),
    /// Its manifest cannot be read: damaged, foreign, or of a newer version.
    Unreadable(String),
}

impl State {
    /// The word in lists and JSON.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Incomplete(_) => "incomplete",
            Self::Bad(_) => "bad",
            Self::Doubtful(_) => "doubtful",
            Self::Unreadable(_) => "unreadable",
        }
    }

    /// Why it is not good; empty when it is.
    pub fn reason(&self) -> &str {
        match self {
            Self::Good => "",
            Self::Incomplete(why) | Self::Bad(why) | Self::Doubtful(why) | Self::Unreadable(why) => why,
        }
    }
}

/// A backup.
#[derive(Debug, Clone, PartialEq)]
pub struct Backup {
    /// Of what.
    pub collection: CollectionAddress,
    /// Which.
    pub id: BackupId,
    /// Its folder, below the root of the repository.
    pub folder: String,
    /// Its manifest, where that can be read.
    pub manifest: Option<Arc<Manifest>>,
    /// What it is worth.
    pub state: State,
    /// Bytes of all that lies in its folder.
    pub size: u64,
    /// What was said of it since.
    pub standing: Standing,
    /// All that lies in its folder.
    pub entries: Vec<Entry>,
}

impl Backup {
    /// When it was taken.
    pub fn taken_at(&self) -> Timestamp {
        self.manifest.as_ref().map_or_else(|| self.id.taken_at(), |manifest| manifest.taken_at)
    }

    /// Whether it is worth restoring.
    pub fn is_good(&self) -> bool {
        self.state == State::Good
    }

    /// Whether it is made of data of another one.
    pub fn is_made_of(&self, other: &BackupId) -> bool {
        self.manifest.iter().flat_map(|manifest| manifest.parts()).any(|part| part.backup == *other)
    }

    /// Whether both are made of the same data, in whole or in part.
    pub fn shares_data_with(&self, other: &Self) -> bool {
        let parts = |backup: &Self| -> BTreeSet<String> {
            backup.manifest.iter().flat_map(|manifest| manifest.parts()).map(|part| part.key(&backup.folder)).collect()
        };
        !parts(self).is_disjoint(&parts(other))
    }

    /// What it needs of others.
    pub fn needs(&self) -> Vec<Need> {
        let unreadable = || self.entries.iter().any(|entry| entry.key == self.key(MANIFEST));
        match &self.manifest {
            Some(manifest) => needs::of_manifest(&self.folder, manifest),
            None if unreadable() => vec![Need::Unknown(self.folder.clone())],
            None => Vec::new(),
        }
    }

    /// The key of one of its objects.
    pub fn key(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }
}

/// A folder without a manifest: a backup that is written right now, or one that never was finished.
#[derive(Debug, Clone, PartialEq)]
pub struct Remains {
    /// Of what.
    pub collection: CollectionAddress,
    /// Which it would be.
    pub id: BackupId,
    /// The folder.
    pub folder: String,
    /// What it says of itself, where that can be read.
    pub started: Option<Started>,
    /// All that lies in the folder.
    pub entries: Vec<Entry>,
    /// What other backups need of it.
    pub needed: Needed,
}

impl Remains {
    /// It was a backup, and was removed; what is left of it are parts of others, or goes with the next clean-up.
    pub fn is_removed(&self) -> bool {
        self.started.as_ref().is_some_and(|started| started.removing)
    }

    /// What lies in a folder whose word is gone, or was never written.
    fn without_word(collection: CollectionAddress, path: String, folder: Folder, removing: bool) -> Self {
        let at = folder.entries.iter().map(|entry| entry.modified).max().unwrap_or_default();
        let (objects, builds_on) = (Vec::new(), Vec::new());
        let began = Started { format: FORMAT, who: String::new(), at, removing, objects, builds_on };
        let (id, entries, needed) = (folder.id, folder.entries, Needed::default());
        Self { collection, id, folder: path, started: Some(began), entries, needed }
    }

    /// Whether all that it has but the word on it is needed by others.
    pub fn is_all_needed(&self) -> bool {
        let named = self.started.iter().flat_map(|started| started.objects.iter());
        let there = named.filter(|name| self.entries.iter().any(|entry| entry.key == format!("{}/{name}", self.folder)));
        !self.needed.is_empty() && there.into_iter().all(|name| self.needed.wants(name))
    }

    /// What it needs of others, where it is written right now.
    pub fn needs(&self) -> Vec<Need> {
        match &self.started {
            None => vec![Need::Unknown(self.folder.clone())],
            Some(started) if started.removing => Vec::new(),
            Some(started) => needs::of_started(started),
        }
    }

    /// When anything in it was last written, by whichever clock says the latest.
    pub fn last_sign(&self) -> Timestamp {
        let written = self.entries.iter().map(|entry| entry.modified).max();
        let said = self.started.as_ref().map(|started| started.at);
        written.into_iter().chain(said).max().unwrap_or_else(|| self.id.taken_at())
    }
}

/// All of a repository, or of one collection in it.
#[derive(Debug, Clone, Default)]
pub struct Contents {
    /// Backups by collection, the newest first.
    pub backups: Vec<Backup>,
    /// What has no manifest.
    pub remains: Vec<Remains>,
    /// Keys that are not ours.
    pub strangers: Vec<String>,
    /// What could not be read, and may hold more backups.
    pub problems: Vec<Problem>,
    /// Damage that hides no backup.
    pub remarks: Vec<Problem>,
}

struct Folder {
    address: Option<CollectionAddress>,
    id: BackupId,
    entries: Vec<Entry>,
}

/// Reads what there is, of all collections or of `only` one.
///
/// # Errors
/// When nothing can be listed.
pub async fn scan(bucket: &Bucket, cache: &Cache, only: Option<&CollectionAddress>) -> Result<Contents, Problem> {
    let below = only.map(layout::group);
    let listing = listing::list(bucket, below.as_deref().unwrap_or_default()).await?;
    let (unlisted, problems): (Vec<String>, Vec<Problem>) = listing.problems.into_iter().unzip();
    let mut contents = Contents { strangers: listing.strange, problems, ..Contents::default() };
    let mut folders: BTreeMap<String, Folder> = BTreeMap::new();
    for entry in listing.entries {
        match layout::read(&entry.key) {
            Key::Mark => {}
            Key::Stranger => contents.strangers.push(entry.key),
            Key::OfBackup { instance, collection, id, .. } => {
                let path = format!("{instance}/{collection}/{id}");
                let address = layout::collection(instance, collection);
                let folder = folders.entry(path).or_insert_with(|| Folder { address, id, entries: Vec::new() });
                folder.entries.push(entry);
            }
        }
    }
    // Of a folder of which a part could not be listed nothing is judged: what is not seen may be a hold, or its data.
    let hidden = |path: &str| unlisted.iter().any(|key| path.starts_with(key.as_str()) || key.starts_with(path));
    let sizes: HashMap<String, u64> =
        folders.values().flat_map(|folder| folder.entries.iter().map(|entry| (entry.key.clone(), entry.size))).collect();
    let there = There { sizes: &sizes, hidden: &hidden };
    let shown = folders.into_iter().filter(|(path, _)| !hidden(path));
    let each = shown.map(|(path, folder)| look(bucket, cache, &there, path, folder));
    let mut looked = futures_util::stream::iter(each).buffer_unordered(AT_ONCE);
    while let Some(found) = looked.next().await {
        match found {
            Looked::Backup(backup, problems) => {
                contents.backups.push(*backup);
                contents.remarks.extend(problems);
            }
            Looked::Gone => {}
            Looked::Remains(remains) => contents.remains.push(remains),
            Looked::Strange(keys) => contents.strangers.extend(keys),
            Looked::Problem(problem) => contents.problems.push(problem),
        }
    }
    let of_backups = contents.backups.iter().flat_map(Backup::needs);
    let needs: Vec<Need> = of_backups.chain(contents.remains.iter().flat_map(Remains::needs)).collect();
    for left in &mut contents.remains {
        left.needed = Needed::of(&needs, &left.folder);
    }
    doubt(&mut contents.backups);
    // Two of one second are told apart by when they were taken, not by what is random in their ids.
    let order = |backup: &Backup| std::cmp::Reverse((backup.taken_at(), backup.id.clone()));
    contents.backups.sort_by(|a, b| a.collection.cmp(&b.collection).then_with(|| order(a).cmp(&order(b))));
    contents.remains.sort_by(|a, b| a.folder.cmp(&b.folder));
    contents.strangers.sort();
    Ok(contents)
}

/// A backup in which damage was found is made of objects that others are made of as well, and which of them is damaged no note
/// says. Those others are not good until they are themselves found to be, or the backup is whose stream the object is.
fn doubt(backups: &mut [Backup]) {
    let mut doubtful: BTreeMap<String, (Timestamp, BackupId)> = BTreeMap::new();
    for backup in backups.iter() {
        let (Some(at), Some(manifest)) = (backup.standing.bad_at, &backup.manifest) else { continue };
        for part in manifest.parts() {
            let found = doubtful.entry(part.key(&backup.folder)).or_insert_with(|| (at, backup.id.clone()));
            if at > found.0 {
                *found = (at, backup.id.clone());
            }
        }
    }
    for backup in backups.iter() {
        let (Some(sound), Some(manifest)) = (backup.standing.proven_at, &backup.manifest) else { continue };
        for own in manifest.parts().filter(|part| part.backup == backup.id).map(|part| part.key(&backup.folder)) {
            if doubtful.get(&own).is_some_and(|(at, _)| *at < sound) {
                doubtful.remove(&own);
            }
        }
    }
    for backup in backups.iter_mut().filter(|backup| backup.state == State::Good) {
        let Some(manifest) = &backup.manifest else { continue };
        let since = backup.standing.proven_at;
        let shared = manifest.parts().filter_map(|part| doubtful.get(&part.key(&backup.folder)));
        if let Some((_, id)) = shared.filter(|(at, _)| since.is_none_or(|since| since < *at)).max() {
            let words =
                format!("it has data that {id} has, too, in which damage was found; `qsnap verify` tells whether it is here");
            backup.state = State::Doubtful(words);
        } else if let Some(words) = &backup.standing.doubted {
            backup.state = State::Doubtful(words.clone());
        }
    }
}

/// What lies in other folders.
struct There<'a> {
    sizes: &'a HashMap<String, u64>,
    hidden: &'a (dyn Fn(&str) -> bool + Sync),
}

enum Looked {
    Gone,
    Backup(Box<Backup>, Vec<Problem>),
    Remains(Remains),
    Strange(Vec<String>),
    Problem(Problem),
}

async fn look(bucket: &Bucket, cache: &Cache, there: &There<'_>, path: String, folder: Folder) -> Looked {
    let file = |name: &str| folder.entries.iter().find(|entry| entry.key.strip_prefix(&path) == Some(&format!("/{name}")));
    if let Some(entry) = file(MANIFEST) {
        let entry = entry.clone();
        return backup(bucket, cache, there, (path, folder), &entry).await;
    }
    let only_unwritten = folder.entries.iter().all(|entry| entry.key.rsplit('/').next().is_some_and(layout::is_unwritten));
    if let (true, Some(collection)) = (only_unwritten, address_of_key(&path, folder.address.clone())) {
        // A backup that was killed before it could say that it began.
        return Looked::Remains(Remains::without_word(collection, path, folder, false));
    }
    let Some(started) = file(STARTED) else {
        return without_manifest(path, folder);
    };
    let read = match started.size {
        // Nothing that qsnap writes: what was begun is not known.
        size if size > LARGEST => Ok(None),
        _ => bucket.read(&started.key, LARGEST).await,
    };
    let started = match read {
        Ok(text) => text.and_then(|text| Started::read(&text, &folder.id)),
        Err(problem) => return Looked::Problem(problem),
    };
    match address_of_key(&path, folder.address) {
        Some(collection) => {
            let needed = Needed::default();
            Looked::Remains(Remains { collection, id: folder.id, folder: path, started, entries: folder.entries, needed })
        }
        None => Looked::Strange(folder.entries.into_iter().map(|entry| entry.key).collect()),
    }
}

/// The collection that a key names. Of a cut one the key itself stands for the name until a manifest tells it.
fn address_of_key(path: &str, address: Option<CollectionAddress>) -> Option<CollectionAddress> {
    address.or_else(|| {
        let mut parts = path.split('/');
        let instance = InstanceName::new(parts.next()?).ok()?;
        Some(CollectionAddress::new(instance, CollectionName::new(parts.next()?)))
    })
}

async fn backup(bucket: &Bucket, cache: &Cache, there: &There<'_>, (path, folder): (String, Folder), entry: &Entry) -> Looked {
    let read = manifest(bucket, cache, entry, &folder.id).await;
    let read = match read {
        Ok(read) => read,
        // Removed since it was listed: it is no backup any more, and no trouble.
        Err(problem) if problem.kind == ProblemKind::NotFound => return Looked::Gone,
        // The store is away: that says nothing of the backup.
        Err(problem) => return Looked::Problem(problem),
    };
    let known = read.as_ref().ok().and_then(|manifest| manifest.address());
    let mut state = match &read {
        Err(why) => State::Unreadable(why.clone()),
        Ok(manifest) => judge(manifest, &path, &folder, known.as_ref(), there),
    };
    let Some(collection) =
        known.filter(|_| !matches!(state, State::Unreadable(_))).or_else(|| address_of_key(&path, folder.address))
    else {
        return Looked::Strange(folder.entries.into_iter().map(|entry| entry.key).collect());
    };
    let notes = format!("{path}/{NOTES}/");
    let (mut records, mut problems) = (Vec::new(), Vec::new());
    for entry in folder.entries.iter().filter(|entry| entry.key.starts_with(&notes)) {
        match record(bucket, cache, entry).await {
            Ok(Some(record)) => records.push(record),
            Ok(None) if layout::is_note(&path, &entry.key) && is_there(bucket, entry).await => {
                problems.push(unreadable_note(bucket, entry));
            }
            Ok(None) => {}
            Err(problem) => return Looked::Problem(problem),
        }
    }
    let mut standing = Standing::of(&records);
    if !problems.is_empty() && standing.hold.is_none() {
        // What it says may be that nothing must remove it.
        standing.hold = Some("a note of it cannot be read".into());
    }
    if let (State::Good, Some(why)) = (&state, &standing.bad) {
        state = State::Bad(why.clone());
    }
    let size = folder.entries.iter().fold(0_u64, |sum, entry| sum.saturating_add(entry.size));
    let (id, folder, entries) = (folder.id, path, folder.entries);
    Looked::Backup(Box::new(Backup { collection, id, folder, manifest: read.ok(), state, size, standing, entries }), problems)
}

/// Whether an object is still there, or that cannot be told.
async fn is_there(bucket: &Bucket, entry: &Entry) -> bool {
    !matches!(bucket.size(&entry.key).await, Ok(None))
}

fn unreadable_note(bucket: &Bucket, entry: &Entry) -> Problem {
    Problem::new(ProblemKind::Failed, "a note of a backup cannot be read: it is damaged", bucket.shown(&entry.key))
        .advise("its backup stays, as if it were held; remove the note if it says nothing that matters")
}

/// A folder with neither manifest nor `started.json`: where data or notes of ours lie in it, it was a backup.
fn without_manifest(path: String, folder: Folder) -> Looked {
    let data =
        |entry: &Entry| entry.key.ends_with(".snapshot") || entry.key.ends_with(".tar") || layout::is_note(&path, &entry.key);
    let was_one = folder.entries.iter().any(data);
    let address = address_of_key(&path, folder.address.clone()).filter(|_| was_one);
    if let (Some(collection), true) = (&address, folder.entries.iter().all(|entry| layout::is_note(&path, &entry.key))) {
        // A note that came when all else had been removed: the next clean-up takes it.
        return Looked::Remains(Remains::without_word(collection.clone(), path, folder, true));
    }
    match address {
        None => Looked::Strange(folder.entries.into_iter().map(|entry| entry.key).collect()),
        Some(collection) => {
            let size = folder.entries.iter().fold(0_u64, |sum, entry| sum.saturating_add(entry.size));
            let state = State::Unreadable("its manifest is missing".into());
            let (id, standing, entries) = (folder.id, Standing::default(), folder.entries);
            let backup = Backup { collection, id, folder: path, manifest: None, state, size, standing, entries };
            Looked::Backup(Box::new(backup), Vec::new())
        }
    }
}

fn judge(manifest: &Manifest, path: &str, folder: &Folder, known: Option<&CollectionAddress>, there: &There<'_>) -> State {
    let own = known.is_some_and(|known| path == layout::folder(known, &folder.id));
    if !own {
        return State::Unreadable("the manifest is that of another collection: the folder was renamed or copied".into());
    }
    let own = manifest.objects.iter().map(|object| (object.name.clone(), path.to_owned(), &object.name, object.size));
    let lists = manifest.indexes.iter().map(|index| (index.name.clone(), path.to_owned(), &index.name, index.size));
    let others = manifest.parts().filter(|part| part.backup != manifest.id).map(|part| {
        let folder = layout::beside(path, &part.backup);
        (format!("{} of the older backup {}", part.name, part.backup), folder, &part.name, part.size)
    });
    for (shown, folder, name, size) in own.chain(lists).chain(others) {
        match there.sizes.get(&format!("{folder}/{name}")) {
            None if (there.hidden)(&folder) => {
                return State::Unreadable(format!("whether {shown} is there could not be listed"));
            }
            None => return State::Bad(format!("{shown} is missing")),
            Some(found) if *found != size => return State::Bad(format!("{shown} has {found} bytes instead of {size}")),
            Some(_) => {}
        }
    }
    match (manifest.complete, manifest.missing.as_slice()) {
        (true, _) => State::Good,
        (false, []) => State::Incomplete("it does not say what is missing".into()),
        (false, missing) => State::Incomplete(missing.join("; ")),
    }
}

/// All that is said of a backup, the oldest first.
///
/// # Errors
/// When a record cannot be read.
pub async fn records(bucket: &Bucket, cache: &Cache, backup: &Backup) -> Result<Vec<Record>, Problem> {
    let notes = format!("{}/{NOTES}/", backup.folder);
    let mut records = Vec::new();
    for entry in backup.entries.iter().filter(|entry| entry.key.starts_with(&notes)) {
        records.extend(record(bucket, cache, entry).await?);
    }
    records.sort_by_key(|record| record.at);
    Ok(records)
}
