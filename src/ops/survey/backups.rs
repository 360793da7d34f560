//! Backups in repositories: which there are, and which one an address means. Reads only.

use crate::domain::address::{BackupAddress, CollectionAddress, WhichBackup};
use crate::domain::backup::RepositoryName;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::proof::Proof;
use crate::domain::size;
use crate::domain::version::ServerVersion;
use crate::ops::retention::keep::{Candidate, Worth};
use crate::ops::services::{OpenRepository, Services};
use crate::repository::index::{self, Backup, Contents, State, scan};
use crate::repository::layout::{MANIFEST, MARK};
use crate::repository::manifest::{FORMAT, Kind, LARGEST, Manifest, Mark, Object};
use crate::repository::records::Record;
use crate::transfer::source::{Expected, Line};
use crate::transfer::stored::StoredObject;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a repository holds, of all collections or of one.
///
/// # Errors
/// When it cannot be opened or listed.
pub async fn contents(
    services: &Services,
    name: &RepositoryName,
    only: Option<&CollectionAddress>,
) -> Result<(Arc<OpenRepository>, Contents), Problem> {
    let open = services.open(name).await?;
    let contents = scan(&open.bucket, &open.cache, only).await?;
    Ok((open, contents))
}

/// The backup that an address means.
///
/// # Errors
/// When there is none, or the repository cannot be read.
pub async fn find(services: &Services, address: &BackupAddress) -> Result<(Arc<OpenRepository>, Backup), Problem> {
    let (open, contents) = contents(services, &address.repository, Some(&address.collection)).await?;
    let found = choose(&contents, address)?;
    Ok((open, found))
}

/// The one that is meant among those that are listed: the newest good one, or the one of this id, whatever it is worth. Pure.
///
/// # Errors
/// When there is none, or what could not be read may be newer.
pub fn choose(contents: &Contents, address: &BackupAddress) -> Result<Backup, Problem> {
    let own = contents.backups.iter().filter(|backup| backup.collection == address.collection);
    let found = match &address.which {
        // What could not be read may be newer: "latest" must not quietly mean an older one.
        WhichBackup::Latest => match contents.problems.first() {
            Some(problem) => return Err(problem.clone()),
            None => own.clone().filter(|backup| backup.is_good()).max_by_key(|backup| (backup.taken_at(), backup.id.clone())),
        },
        WhichBackup::Id(id) => own.clone().find(|backup| backup.id == *id),
    };
    if let Some(found) = found {
        return Ok(found.clone());
    }
    if let Some(problem) = contents.problems.first() {
        return Err(problem.clone());
    }
    let words = match own.count() {
        0 => "there is no backup of this collection".to_owned(),
        n if address.which == WhichBackup::Latest => format!("none of its {n} backups is good"),
        _ => "there is no such backup".to_owned(),
    };
    let list = format!("`qsnap backups list {}` shows what there is", address.collection);
    Err(Problem::new(ProblemKind::NotFound, words, address.to_string()).advise(list))
}

/// The mark at the root of a repository.
///
/// # Errors
/// When it cannot be read, or is of a newer version.
pub(in crate::ops) async fn mark(open: &OpenRepository) -> Result<Option<Mark>, Problem> {
    let Some(text) = open.bucket.read(MARK, 1 << 16).await? else { return Ok(None) };
    let on = open.bucket.shown(MARK);
    match serde_json::from_slice::<Mark>(&text) {
        Ok(mark) if mark.format <= FORMAT => Ok(Some(mark)),
        Ok(mark) => Err(Problem::new(ProblemKind::Usage, format!("the repository has format {}", mark.format), on)
            .advise(format!("this qsnap writes format {FORMAT}: use a newer qsnap"))),
        Err(_) => Err(Problem::new(ProblemKind::Failed, "the mark of the repository is damaged", on)
            .advise("look who wrote it; delete it if the backups beside it are qsnap's")),
    }
}

/// All that is said of a backup, the oldest first.
///
/// # Errors
/// When a record cannot be read.
pub async fn records(open: &OpenRepository, backup: &Backup) -> Result<Vec<Record>, Problem> {
    index::records(&open.bucket, &open.cache, backup).await
}

/// The backups of one collection as the rules of retention see them. The one that was proven last stays: without it nothing of the
/// collection is proven any more.
pub(in crate::ops) fn candidates(group: &[&Backup]) -> Vec<Candidate> {
    let restorable = |backup: &Backup| matches!(backup.state, State::Good | State::Doubtful(_));
    let proven = |backup: &&&Backup| restorable(backup) && backup.standing.proven_at.is_some();
    let last = group.iter().filter(proven).max_by_key(|backup| backup.taken_at()).map(|backup| backup.id.clone());
    let of = |backup: &&Backup| {
        let plain = candidate(backup);
        let hold = plain.hold.or_else(|| (last.as_ref() == Some(&backup.id)).then(|| "the newest that was proven".to_owned()));
        Candidate { hold, ..plain }
    };
    group.iter().map(of).collect()
}

/// A backup as the rules of retention see it.
fn candidate(backup: &Backup) -> Candidate {
    let worth = match backup.state {
        State::Good => Worth::Good,
        State::Incomplete(_) | State::Bad(_) => Worth::NotGood,
        State::Doubtful(_) | State::Unreadable(_) => Worth::Unknown,
    };
    Candidate { at: backup.taken_at(), worth, hold: backup.standing.hold.clone() }
}

/// What a backup consists of, in words.
pub fn made_of(manifest: &Manifest) -> String {
    let others: BTreeSet<String> =
        manifest.parts().filter(|part| part.backup != manifest.id).map(|part| part.backup.to_string()).collect();
    let whole = size::bytes(manifest.restored_size());
    match (manifest.kind, manifest.increments().next().is_some(), others.is_empty()) {
        (Kind::Snapshot, ..) => "snapshot".to_owned(),
        (Kind::Shards, false, _) => "shards, whole".to_owned(),
        (Kind::Shards, true, true) => format!("shards, only what changed, which was all: a restore moves {whole}"),
        (Kind::Shards, true, false) => {
            let others: Vec<String> = others.into_iter().collect();
            format!("shards, only what changed: a restore moves {whole}, with data of {}", others.join(", "))
        }
    }
}

/// The proof in the manifest of a backup.
///
/// # Errors
/// When the manifest cannot be read.
pub(in crate::ops) async fn proof(open: &OpenRepository, backup: &Backup) -> Result<Option<Proof>, Problem> {
    let text = open.bucket.read(&backup.key(MANIFEST), LARGEST).await?;
    Ok(text.and_then(|text| Manifest::proof(&text)))
}

/// The object that a restore takes: the only one, or one that holds every shard.
///
/// # Errors
/// When there is none: then several nodes' snapshots belong together.
pub(in crate::ops) fn whole_object<'a>(backup: &'a Backup, shown: &str) -> Result<&'a Object, Problem> {
    let unreadable = || {
        Problem::new(ProblemKind::Failed, backup.state.reason(), shown)
            .advise("choose another backup; `qsnap backups list` shows what there is")
    };
    let manifest = backup.manifest.as_ref().ok_or_else(unreadable)?;
    if let [only] = manifest.objects.as_slice() {
        return Ok(only);
    }
    let all = manifest.shards.unwrap_or(u64::MAX);
    let holds_all = |object: &&Object| !object.shards.is_empty() && object.shards.len() as u64 == all;
    manifest.objects.iter().find(holds_all).ok_or_else(|| {
        let words = format!("it consists of {} node snapshots, none of which holds every shard", manifest.objects.len());
        Problem::new(ProblemKind::Usage, words, shown)
            .advise("restore it to a new name: its shards are then gathered out of all of them")
    })
}

/// An object as a source of bytes, with what is known of it.
pub(in crate::ops) fn source(open: &OpenRepository, backup: &Backup, object: &Object, shown: String) -> (StoredObject, Expected) {
    let source = StoredObject { bucket: open.bucket.clone(), key: backup.key(&object.name), size: object.size, shown };
    let expected = Expected { size: object.size, sha256: Some(object.sha256.clone()), etag: None, ranged: true };
    (source, expected)
}

/// How the way to a repository is used.
pub(in crate::ops) fn line(open: &OpenRepository) -> Line {
    Line { throttle: open.throttle.clone(), ..Line::default() }
}

/// The server that took it, where that was recorded.
pub(in crate::ops) fn version_of(manifest: &Manifest) -> Option<ServerVersion> {
    ServerVersion::parse(manifest.qdrant_version.as_deref()?)
}
