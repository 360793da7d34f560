//! Whether a shard is streamed as a whole, or only what changed since the last backup. A stream of changes is asked for only where
//! versions can tell them: of the same replica, written by the same version of the server, by a process that went on.

use crate::domain::backup::BackupId;
use crate::domain::ids::{CollectionName, PeerId, ShardId};
use crate::domain::lineage::Lineage;
use crate::domain::size::bytes;
use crate::domain::time::span;
use crate::qdrant::api::QdrantApi;
use crate::repository::index::Backup;
use crate::repository::manifest::Indexed;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// The last backup that has a list of the files of a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ops) struct Last {
    pub id: BackupId,
    pub folder: String,
    /// Version of the server.
    pub version: Option<String>,
    pub indexed: Indexed,
}

/// How a shard is streamed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ops) enum Way {
    /// What changed since then.
    Changes(Box<Last>),
    /// As a whole, and why.
    Whole(String),
}

/// What holds now, for all shards.
pub(in crate::ops) struct Now {
    pub at: Timestamp,
    /// Whole streams are asked for.
    pub full: bool,
    /// After so long a shard is streamed as a whole again.
    pub full_every: Duration,
    /// Version of the server.
    pub version: Option<String>,
}

/// The newest good backup of each shard that has a list of its files. `own` are the backups of the collection, the newest first.
pub(in crate::ops) fn last<'a>(own: impl IntoIterator<Item = &'a Backup>) -> BTreeMap<ShardId, Last> {
    let mut found = BTreeMap::new();
    for backup in own.into_iter().filter(|backup| backup.is_good()) {
        let Some(manifest) = &backup.manifest else { continue };
        for indexed in &manifest.indexes {
            found.entry(indexed.shard).or_insert_with(|| Last {
                id: backup.id.clone(),
                folder: backup.folder.clone(),
                version: manifest.qdrant_version.clone(),
                indexed: indexed.clone(),
            });
        }
    }
    found
}

/// How a shard is streamed from the replica of `peer`.
pub(in crate::ops) fn way(last: Option<&Last>, now: &Now, peer: Option<PeerId>) -> Way {
    let whole = |why: &str| Way::Whole(why.to_owned());
    if now.full {
        return whole("as asked");
    }
    let Some(last) = last else { return whole("no good backup of it lists its files yet") };
    let (indexed, half) = (&last.indexed, last.indexed.base_bytes / 2);
    let base_at = indexed.base.taken_at();
    match Duration::try_from(now.at.duration_since(base_at)) {
        Ok(age) if age > now.full_every => {
            return Way::Whole(format!("the last whole stream is older than {}", span(now.full_every)));
        }
        Ok(_) => {}
        Err(_) => return whole("the last whole stream is dated in the future"),
    }
    if last.version != now.version || now.version.is_none() {
        return whole("the server has another version than last time");
    }
    if Some(indexed.peer) != peer {
        return whole("another replica is streamed than last time");
    }
    if indexed.added > half {
        return Way::Whole(format!("what changed since the last whole stream is more than half of it, {}", bytes(half)));
    }
    Way::Changes(Box::new(last.clone()))
}

/// A node at this moment, if nothing is being restored in the collection; else why versions tell nothing.
///
/// # Errors
/// In words.
pub(in crate::ops) async fn lineage(from: &dyn QdrantApi, name: &CollectionName) -> Result<Lineage, String> {
    let silent = || "its node does not tell whether data was restored on it (telemetry)".to_owned();
    let restores = async || from.snapshot_activity(name).await.ok().flatten().map(|activity| activity.recovering > 0);
    // What runs, what was counted, and what runs: one that ends in between is counted by then, and one that nobody waits for is
    // counted when it begins.
    let before = restores().await;
    let lineage = from.lineage().await.ok().flatten().ok_or_else(silent)?;
    match (before, restores().await) {
        (Some(false), Some(false)) if lineage.unwaited > 0 => {
            Err("a shard was restored on its node and nobody waited for the end".into())
        }
        (Some(false), Some(false)) => Ok(lineage),
        (Some(true), _) | (_, Some(true)) => Err("data of it is being restored right now".into()),
        _ => Err(silent()),
    }
}

/// The node as it was then, if versions that it told then still tell what changed; else why not.
///
/// # Errors
/// In words.
pub(in crate::ops) fn unbroken(then: &Lineage, now: Result<Lineage, String>) -> Result<Lineage, String> {
    match now? {
        now if now == *then => Ok(now),
        _ => Err("its node was restarted since, or data was restored on it".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last() -> Last {
        let id = BackupId::new("20261122T041500Z-9f3c").unwrap();
        let indexed = Indexed {
            shard: 0,
            name: "shard-0.files.json".into(),
            size: 10,
            sha256: "a".repeat(64),
            bytes: 1000,
            parts: Vec::new(),
            base: BackupId::new("20261122T031500Z-9f3c").unwrap(),
            base_bytes: 1000,
            added: 500,
            peer: 7,
            lineage: Lineage { started: "x".into(), restores: 0, unwaited: 0 },
        };
        Last { folder: format!("a/x/{id}"), id, version: Some("1.16.3".into()), indexed }
    }

    fn now() -> Now {
        let version = Some("1.16.3".into());
        Now { at: "2026-11-23T03:15:00Z".parse().unwrap(), full: false, full_every: Duration::from_secs(86_400), version }
    }

    #[test]
    fn versions_tell_nothing_after_a_restart_or_a_restore() {
        let then = last().indexed.lineage;
        assert_eq!(unbroken(&then, Ok(then.clone())), Ok(then.clone()));
        let refused = |now: Result<Lineage, String>| unbroken(&then, now).unwrap_err();
        assert!(refused(Ok(Lineage { restores: 1, ..then.clone() })).contains("restored"));
        assert!(refused(Ok(Lineage { started: "y".into(), ..then.clone() })).contains("restarted"));
        assert_eq!(refused(Err("why".into())), "why");
    }

    #[test]
    fn changes_are_asked_for_only_where_versions_tell_them() {
        assert_eq!(way(Some(&last()), &now(), Some(7)), Way::Changes(Box::new(last())));
        let why = |last: Option<&Last>, now: &Now, peer| match way(last, now, peer) {
            Way::Whole(why) => why,
            Way::Changes(_) => panic!("changes"),
        };
        assert!(why(Some(&last()), &Now { full: true, ..now() }, Some(7)).contains("asked"));
        assert!(why(None, &now(), Some(7)).contains("no good backup"));
        assert!(why(Some(&last()), &now(), Some(8)).contains("another replica"));
        assert!(why(Some(&last()), &now(), None).contains("another replica"));
        for version in [None, Some("1.17.0".to_owned())] {
            assert!(why(Some(&last()), &Now { version, ..now() }, Some(7)).contains("another version"));
        }
        let unknown = Last { version: None, ..last() };
        assert!(why(Some(&unknown), &Now { version: None, ..now() }, Some(7)).contains("another version"));
        let later = Now { at: "2026-11-23T03:15:01Z".parse().unwrap(), ..now() };
        assert!(why(Some(&last()), &later, Some(7)).contains("older than"));
        let earlier = Now { at: "2026-11-22T03:14:59Z".parse().unwrap(), ..now() };
        assert!(why(Some(&last()), &earlier, Some(7)).contains("future"));
        let mut grown = last();
        grown.indexed.added = 501;
        assert!(why(Some(&grown), &now(), Some(7)).contains("more than half"));
    }
}
