//! Writing what is said of a backup: notes, holds, proofs.

use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::time::compact;
use crate::ops::report::verdict::Verdict;
use crate::ops::services::{OpenRepository, Services};
use crate::repository::index::{Backup, State, scan};
use crate::repository::layout::{MANIFEST, NOTES, part};
use crate::repository::manifest::FORMAT;
use crate::repository::records::{Found, Record, Says};
use crate::repository::removal::{self, Removed};
use std::hash::{BuildHasher, Hasher};

/// A record that is to be written.
pub(in crate::ops) struct Entry {
    pub says: Says,
    pub text: String,
    pub found: Option<Found>,
    pub phases: Vec<(String, f64)>,
}

/// What a verdict says of a backup.
pub(in crate::ops) fn found(verdict: &Verdict) -> Found {
    match verdict {
        Verdict::Matches(_) => Found::Good,
        Verdict::Differs(_) => Found::Bad,
        Verdict::CouldNotCheck(_) => Found::Unknown,
    }
}

/// Writes a record into the folder of a backup, as an object of its own.
///
/// # Errors
/// When it cannot be written, or the backup is gone.
pub(in crate::ops) async fn write(services: &Services, open: &OpenRepository, folder: &str, entry: Entry) -> Result<(), Problem> {
    let (at, who) = (services.clock.now(), services.journal.operator());
    let record = Record {
        format: FORMAT,
        says: entry.says,
        at,
        who: who.to_owned(),
        text: crate::domain::text::sanitise(&entry.text),
        found: entry.found,
        phases: entry.phases,
    };
    let name = format!("{}-{}-{:04x}.json", compact(at), part(who), random());
    let text = serde_json::to_vec_pretty(&record).unwrap_or_default();
    let key = format!("{folder}/{NOTES}/{name}");
    open.bucket.create(&key, text).await?;
    // Removed meanwhile, it would leave a folder that nobody removes.
    if matches!(open.bucket.size(&format!("{folder}/{MANIFEST}")).await, Ok(None)) {
        open.bucket.delete(&key).await?;
        open.bucket.tidy_folders(&key);
        return Err(Problem::new(ProblemKind::NotFound, "the backup was removed meanwhile", open.bucket.shown(folder)));
    }
    Ok(())
}

/// Removes a backup; where damage was found in it, those that share its data are told before.
///
/// # Errors
/// Those of [`removal::remove`]; and those of the store while they are told: then it is not removed.
pub(in crate::ops) async fn remove(services: &Services, open: &OpenRepository, backup: &Backup) -> Result<Removed, Problem> {
    hand_on_doubt(services, open, backup).await?;
    removal::remove(&open.bucket, &open.cache, backup, (services.journal.operator(), services.clock.now())).await
}

/// Tells backups that share data with one in which damage was found, before that one is removed: its note goes with it.
async fn hand_on_doubt(services: &Services, open: &OpenRepository, bad: &Backup) -> Result<(), Problem> {
    if bad.standing.bad.is_none() {
        return Ok(());
    }
    let contents = scan(&open.bucket, &open.cache, Some(&bad.collection)).await?;
    let doubtful = |other: &&Backup| matches!(other.state, State::Doubtful(_)) && other.shares_data_with(bad);
    for other in contents.backups.iter().filter(doubtful) {
        let text = format!("it has data that {} had, in which damage was found; `qsnap verify` tells whether it is here", bad.id);
        let entry = Entry { says: Says::Doubt, text, found: None, phases: Vec::new() };
        match write(services, open, &other.folder, entry).await {
            Err(problem) if problem.kind != ProblemKind::NotFound => return Err(problem),
            _ => {}
        }
    }
    Ok(())
}

/// Four hex digits that tell two names of the same second apart.
pub(in crate::ops) fn random() -> u16 {
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    (random & 0xffff) as u16
}
