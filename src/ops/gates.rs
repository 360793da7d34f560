//! The gates: what a plan checks before a byte moves. Pure rules over facts that were read.

pub mod evidence;
pub mod loss;
pub mod server;
pub(in crate::ops) mod shard_keys;

use crate::archive::contents::ShardKey;
use crate::domain::collection::CollectionInfo;
use crate::domain::ids::{CollectionName, ShardId};
use crate::domain::repository::Repository;
use crate::domain::shape;
use crate::domain::size::{bytes, exact};
use crate::domain::version::{ServerVersion, VersionStep, version_step};
use crate::ops::gates::evidence::Evidence;
use crate::ops::plan::finding::{Finding, Level};
use crate::qdrant::api::SnapshotActivity;
use crate::repository::bucket::READ_ONLY;
use crate::repository::index::{Backup, State};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;

/// Gates that a person may overrule with `--force NAME`: each is about what may be, not about what is sure to break.
pub const FORCEABLE: &[&str] = &["version", "rights", "proof"];

/// Turns the blocking findings that were overruled into ones that need a look.
///
/// # Errors
/// When a gate cannot be overruled, in words.
pub fn force(findings: &mut [Finding], forced: &[String]) -> Result<(), String> {
    if let Some(unknown) = forced.iter().find(|name| !FORCEABLE.contains(&name.as_str())) {
        let unknown = crate::domain::text::one_line(unknown, 40);
        return Err(format!("`{unknown}` cannot be forced; what can be: {}", FORCEABLE.join(", ")));
    }
    for finding in findings.iter_mut().filter(|finding| finding.level == Level::Block) {
        if forced.iter().any(|name| name == finding.check) {
            finding.level = Level::Look;
            finding.message = format!("FORCED: {}", finding.message);
        }
    }
    Ok(())
}

/// A gate that could not be looked at.
pub fn not_checked(check: &'static str, why: &str) -> Finding {
    Finding::look(check, format!("could not be checked: {why}"), "check it yourself before you continue")
}

/// Same or next minor version (maintainers' rule; the server checks nothing before live data is gone).
pub fn version(source: Option<ServerVersion>, target: Option<ServerVersion>) -> Finding {
    let (Some(source), Some(target)) = (source, target) else {
        return Finding::look(
            "version",
            "the Qdrant version that took the snapshot is not recorded (a snapshot does not hold it)",
            "restore into a new name first; same or next minor version is supported",
        );
    };
    match version_step(source, target) {
        VersionStep::Supported => Finding::good("version", format!("{source} to {target}")),
        VersionStep::FarAhead => Finding::look(
            "version",
            format!("{source} to {target} skips a minor version, which Qdrant does not support"),
            "restore into a new name and verify, or go through each minor version",
        ),
        VersionStep::Downgrade => Finding::block(
            "version",
            format!("the target ({target}) is older than the source ({source})"),
            "upgrade the target first; an older server may destroy the existing data before it fails",
        ),
    }
}

/// Whether the file on the server has the size that the list says.
pub fn listed_size(listed: u64, offered: u64) -> Option<Finding> {
    (listed != offered).then(|| {
        Finding::block(
            "size",
            format!("the server offers {} bytes, its list says {}", exact(offered), exact(listed)),
            "it is being written or was replaced: refresh the list and try again",
        )
    })
}

/// Whether a download can be taken up where it broke.
pub fn ranges(ranged: bool, streams: usize) -> Finding {
    if ranged {
        Finding::good("ranges", format!("the server gives ranges: up to {streams} streams, and a break costs nothing"))
    } else {
        Finding::look(
            "ranges",
            "the server gives no ranges (it keeps its snapshots in S3, or a proxy stands between): one stream",
            "if it breaks it starts again from zero; the node's own address may serve better",
        )
    }
}

/// Whether the local disk has room.
pub fn room(free: Option<u64>, needed: u64) -> Option<Finding> {
    let (free, needed, fits) = match free {
        Some(free) => (bytes(free), bytes(needed), free >= needed),
        None => return Some(Finding::look("disk", "the free space there is not known", "a full disk pauses the download")),
    };
    Some(if fits {
        Finding::good("disk", format!("{needed} needed, {free} free"))
    } else {
        Finding::block("disk", format!("{needed} needed, only {free} free"), "free some space, or choose another folder")
    })
}

/// What the target's name is used for.
pub enum TargetName {
    /// Free.
    Free,
    /// A collection with so many points; `None` when it cannot be read.
    Taken(Option<u64>),
    /// An alias of another collection.
    Alias(String),
}

/// Whether the target's name fits the mode.
pub fn target(name: &TargetName, in_place: bool, address: &str) -> Finding {
    match name {
        TargetName::Alias(real) => Finding::block(
            "target",
            format!("{address} is an alias of {real}; restoring to an alias would overwrite {real}"),
            format!("name the collection itself, or a free name (alias of {real})"),
        ),
        TargetName::Free if in_place => Finding::good("target", format!("{address} does not exist yet; nothing is overwritten")),
        TargetName::Free => Finding::good("target", format!("{address} is free")),
        TargetName::Taken(points) if in_place => Finding::look(
            "target",
            format!("{address} exists with {}, which will be replaced", points_in_words(*points)),
            "a safety snapshot is taken first, unless that is skipped or impossible",
        ),
        TargetName::Taken(points) => Finding::block(
            "target",
            format!("{address} exists with {}", points_in_words(*points)),
            "choose a free name, mode side-by-side, or overwrite it on purpose with mode in-place",
        ),
    }
}

fn points_in_words(points: Option<u64>) -> String {
    points.map_or_else(|| "data that cannot be read".to_owned(), |points| format!("{} points", exact(points)))
}

/// A collection that the server cannot read has nothing that could be secured.
pub fn unreadable(address: &str, why: &str) -> Finding {
    Finding::look(
        "readable",
        format!("{address} cannot be read: {why}"),
        "no safety snapshot can be taken of it, and there is no way back; restoring over it is what repairs it",
    )
}

/// Vectors and shard number must equal, or the server refuses (1.18.3, recover.rs).
pub fn shape(source: Option<&CollectionInfo>, target: &CollectionInfo) -> Finding {
    let Some(source) = source else {
        return Finding::look(
            "shape",
            format!(
                "the snapshot's shape is not known; the target has {} and {} shards",
                target.vectors_in_words(),
                target.shard_number()
            ),
            "the server refuses a snapshot of another shape before it touches anything",
        );
    };
    let differences = shape::shape_differences(source, target);
    if !differences.is_empty() {
        let words = differences.join("; ");
        let (vectors, theirs) = (source.vectors_in_words(), target.vectors_in_words());
        let words = if source.vectors() == target.vectors() {
            format!("the shapes differ: {words}")
        } else {
            format!("vectors differ: source {vectors}, target {theirs}")
        };
        return Finding::block(
            "shape",
            words,
            "restore to a free name, or delete the target first (all vector settings must be equal, on_disk included)",
        );
    }
    Finding::good("shape", format!("{}, {} shard(s) on both sides", source.vectors_in_words(), source.shard_number()))
}

/// Whether the shards of what is restored and of what is there have the same keys.
pub fn same_keys(own: &BTreeMap<ShardId, Value>, there: &BTreeMap<ShardId, Value>) -> Finding {
    if own == there {
        return Finding::good("sharding", format!("the same keys and shards on both sides: {}", shard_keys::words(own)));
    }
    let words = format!("the shards have other keys: source {}; target {}", shard_keys::words(own), shard_keys::words(there));
    Finding::block("sharding", words, "restore or copy to a free name: the keys are then made as the source has them")
}

/// The server says `true` and restores nothing when shard keys are missing (qdrant#10135): they are made first.
/// `keys` are those of the snapshot, `there` those of an existing target.
pub fn sharding(keys: Option<&[ShardKey]>, there: Option<&BTreeMap<ShardId, Value>>, cluster: bool) -> Finding {
    let Some(keys) = keys else {
        return Finding::block(
            "sharding",
            "it is sharded by keys, and the snapshot's keys could not be read",
            "`qsnap inspect POINT --check` tells more; download it, and restore the file",
        );
    };
    let numbers = shard_keys::numbers(keys);
    if let Some(there) = there {
        return same_keys(&numbers, there);
    }
    if !cluster {
        return Finding::block(
            "sharding",
            "it is sharded by keys, and a server outside a cluster cannot make shard keys",
            "restore into a server in cluster mode, or start one with `--snapshot FILE:NAME`",
        );
    }
    match shard_keys::order(keys) {
        Ok(steps) => {
            Finding::good("sharding", format!("{} shard keys are made first: {}", steps.len(), shard_keys::words(&numbers)))
        }
        Err(why) => Finding::block("sharding", why, "start a server with `--snapshot FILE:NAME` instead"),
    }
}

/// One node's snapshot holds only its own shards.
pub fn complete(missing: &[ShardId], nodes: usize) -> Finding {
    if missing.is_empty() {
        return Finding::good("shards", "every shard is in the snapshot");
    }
    Finding::block(
        "shards",
        format!("shards {missing:?} live on other nodes: one node's snapshot does not hold them ({nodes} nodes configured)"),
        "`qsnap backup` saves every shard of a cluster, and `qsnap restore` brings them anywhere from there",
    )
}

/// Two recoveries, or a snapshot and a recovery, on one collection get into each other's way.
pub fn idle(activity: Option<SnapshotActivity>, address: &str) -> Finding {
    match activity {
        None => Finding::look(
            "idle",
            format!("{address}: the server has no counters (before 1.16)"),
            "make sure that no other client is restoring it now",
        ),
        Some(activity) if activity.recovering > 0 => {
            Finding::block("idle", format!("{address} is being restored right now"), "wait until that is over")
        }
        Some(activity) if activity.creating > 0 => {
            Finding::look("idle", format!("a snapshot of {address} is being taken right now"), "the server queues the next one")
        }
        Some(_) => Finding::good("idle", format!("nothing else happens on {address}")),
    }
}

/// Whether the bytes can be proven to arrive unchanged.
pub fn checksum(sha256: Option<&str>) -> Finding {
    match sha256 {
        Some(_) => Finding::good("checksum", "sha256 is known and will be compared"),
        None => Finding::look(
            "checksum",
            "the server gives no sha256 (uploaded file, S3 storage, or older than 1.8)",
            "only the size and the end of the archive can be checked",
        ),
    }
}

/// Whether anything may be written to a repository, or removed from it.
pub fn repository(repository: &Repository) -> Option<Finding> {
    let words = format!("{} is read-only for qsnap", repository.name);
    repository.read_only.then(|| Finding::block("repository", words, READ_ONLY))
}

/// Whether a backup is worth restoring, as far as its repository tells.
pub fn backup(backup: &Backup, now: Timestamp) -> Finding {
    let look = |words: String| Finding::look("backup", words, "choose another one where you can: `qsnap backups list`");
    match &backup.state {
        State::Good if backup.taken_at() > now => {
            look("it is dated in the future: the clock of this machine, or of the one that took it, is wrong".into())
        }
        State::Good => match backup.standing.proven_at {
            Some(at) => Finding::good("backup", format!("complete, and proven {}", crate::domain::time::ago(now, at))),
            None => Finding::good("backup", "complete; it was never proven by verify, drill or restore"),
        },
        State::Incomplete(why) => look(format!("it is incomplete: {why}")),
        State::Doubtful(why) => Finding::look("backup", why.clone(), "every byte is compared while it is restored"),
        State::Bad(why) => Finding::block(
            "backup",
            format!("it is damaged: {why}"),
            "choose another one: `qsnap backups list` shows what there is",
        ),
        State::Unreadable(why) => {
            Finding::block("backup", why.clone(), "choose another one: `qsnap backups list` shows what there is")
        }
    }
}

/// Whether the result can be proven.
pub fn proof(recorded: bool, source_alive: bool) -> Finding {
    match (recorded, source_alive) {
        (true, _) => Finding::good("proof", "points and a sample were recorded when it was taken"),
        (false, true) => Finding::look(
            "proof",
            "nothing was recorded when it was taken; the result is compared with the live source",
            "snapshots taken with qsnap can be proven exactly",
        ),
        (false, false) => Finding::look(
            "proof",
            "nothing was recorded when it was taken, and there is no live source: points are only counted",
            "snapshots taken with qsnap can be proven exactly",
        ),
    }
}

/// What marks a safety snapshot is on the machine that took it: elsewhere the newest may be one.
pub fn unmarked(latest: bool, recorded: bool) -> Option<Finding> {
    (latest && !recorded).then(|| {
        Finding::look(
            "latest",
            "nothing is recorded here of the newest snapshot: it may be the safety snapshot of an overwrite from another machine",
            "such a one holds what was replaced: see when it was taken, and name the one that you mean",
        )
    })
}

/// The safety snapshot of one node must hold all that is overwritten.
pub fn safety_covers_all(missing: &[ShardId], address: &str) -> Option<Finding> {
    (!missing.is_empty()).then(|| {
        Finding::block(
            "safety",
            format!("shards {missing:?} of {address} live on other nodes: the safety snapshot would not hold them"),
            "restore into a new name; overwriting a collection that is spread over nodes is not done yet",
        )
    })
}

/// What is known of a file's bytes before they are hashed.
pub fn file_evidence(evidence: Evidence) -> Finding {
    match evidence {
        Evidence::Recorded => Finding::good(
            "proof",
            "a snapshot of this name was recorded when it was taken; the file's sha256 is compared before anything is sent",
        ),
        Evidence::Listed => Finding::look(
            "proof",
            "nothing was recorded of it; the sha256 in the file beside it is compared before anything is sent",
            "snapshots taken with qsnap on this machine can be proven exactly",
        ),
        Evidence::Nothing => Finding::look(
            "proof",
            "nothing proves these bytes yet; whether they are recorded under another name is known after hashing",
            "snapshots taken with qsnap on this machine can be proven exactly",
        ),
    }
}

/// Bytes that nothing vouches for may be damaged so that no server notices (measured on 1.18.3: 200 kB of vectors
/// overwritten, accepted with `true` and the right count). Over data that is there they need more than a yes.
pub fn overwriting_unproven(evidence: Evidence) -> Option<Finding> {
    (evidence == Evidence::Nothing).then(|| {
        Finding::block(
            "proof",
            "nothing proves these bytes: no record, no sha256. A server does not notice overwritten vectors",
            "restore it side by side and look; or overwrite anyway with --force proof",
        )
    })
}

/// A client that writes while a collection is overwritten loses its writes, and makes the result look wrong.
pub fn writers(address: &str) -> Finding {
    Finding::look(
        "writers",
        format!("what is written to {address} from now until the verdict is lost, and can make a good restore look wrong"),
        "stop what writes to it first",
    )
}

/// The url route gives the source's key to the target, which fetches with it.
pub fn key_handed_over(source: &str, target: &str) -> Finding {
    Finding::look(
        "key",
        format!("{target} is given the API key of {source}, to fetch with"),
        "choose the route stream if that must not be",
    )
}

/// Longest name of a collection that a server can make a snapshot of: it puts peer, time and an ending of its own behind the
/// name for a temporary file, whose name may have 255 bytes (measured on 1.16.3: 195 works, 199 does not).
const LONGEST_NAME: usize = 195;

/// Whether a snapshot of a collection of this name can be taken.
pub fn snapshot_name(name: &CollectionName) -> Option<Finding> {
    let bytes = name.raw().len();
    (bytes > LONGEST_NAME).then(|| {
        Finding::block(
            "name",
            format!("its name has {bytes} bytes: Qdrant cannot take a snapshot of a collection whose name has more than {LONGEST_NAME}"),
            "points have to be copied to a collection with a shorter name: a collection cannot be renamed",
        )
    })
}

/// A name that the server would not accept.
pub fn name(problem: Option<String>) -> Option<Finding> {
    problem.map(|why| Finding::block("name", why, "choose another name"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::collection::CollectionStatus;
    use crate::ops::plan::finding::Level;
    use serde_json::json;

    fn info(size: u64, shards: u64) -> CollectionInfo {
        CollectionInfo {
            status: CollectionStatus::Green,
            optimizer_error: None,
            points: None,
            params: json!({"vectors": {"size": size, "distance": "Dot"}, "shard_number": shards}),
            payload_schema: vec![],
            settings: crate::domain::settings::Settings::default(),
        }
    }

    fn v(text: &str) -> Option<ServerVersion> {
        ServerVersion::parse(text)
    }

    #[test]
    fn versions() {
        assert_eq!(version(v("1.16.3"), v("1.17.0")).level, Level::Good);
        assert_eq!(version(v("1.16.3"), v("1.18.3")).level, Level::Look);
        assert_eq!(version(v("1.18.3"), v("1.16.3")).level, Level::Block);
        assert_eq!(version(None, v("1.16.3")).level, Level::Look);
    }

    #[test]
    fn targets() {
        assert_eq!(target(&TargetName::Free, false, "a/b").level, Level::Good);
        assert_eq!(target(&TargetName::Taken(Some(5)), false, "a/b").level, Level::Block);
        assert_eq!(target(&TargetName::Taken(Some(5)), true, "a/b").level, Level::Look);
        for in_place in [true, false] {
            assert_eq!(target(&TargetName::Alias("x".into()), in_place, "a/b").level, Level::Block);
        }
    }

    #[test]
    fn shapes() {
        assert_eq!(shape(Some(&info(4, 1)), &info(4, 1)).level, Level::Good);
        assert_eq!(shape(Some(&info(4, 1)), &info(8, 1)).level, Level::Block);
        assert_eq!(shape(Some(&info(4, 1)), &info(4, 2)).level, Level::Block);
        assert_eq!(shape(None, &info(4, 2)).level, Level::Look);
    }

    #[test]
    fn keys_of_shards() {
        let key = |key: &str, shards: &[u32]| ShardKey { key: key.into(), raw: json!(key), shards: shards.to_vec() };
        let good = [key("a", &[1]), key("b", &[2])];
        let gap = [key("a", &[1]), key("b", &[3])];
        let same = BTreeMap::from([(1, json!("a")), (2, json!("b"))]);
        let other = BTreeMap::from([(1, json!("b")), (2, json!("a"))]);
        for (keys, there, cluster, level) in [
            (Some(&good[..]), None, true, Level::Good),
            (Some(&good[..]), None, false, Level::Block),
            (Some(&gap[..]), None, true, Level::Block),
            (None, None, true, Level::Block),
            (Some(&good[..]), Some(&same), false, Level::Good),
            (Some(&good[..]), Some(&other), true, Level::Block),
        ] {
            assert_eq!(sharding(keys, there, cluster).level, level, "{keys:?} {there:?}");
        }
    }

    #[test]
    fn only_some_gates_can_be_forced_and_it_stays_visible() {
        let block = |check| Finding::block(check, "words", "advice");
        let mut findings = [block("version"), block("content"), block("proof")];
        assert!(force(&mut findings, &["content".into()]).unwrap_err().contains("version, rights, proof"));
        assert_eq!(findings[0].level, Level::Block);
        force(&mut findings, &["version".into(), "proof".into()]).unwrap();
        let levels: Vec<Level> = findings.iter().map(|finding| finding.level).collect();
        assert_eq!(levels, [Level::Look, Level::Block, Level::Look]);
        assert!(findings[0].message.starts_with("FORCED"));
    }

    #[test]
    fn bytes_that_nothing_vouches_for_do_not_replace_data() {
        for (evidence, blocks) in [(Evidence::Recorded, false), (Evidence::Listed, false), (Evidence::Nothing, true)] {
            assert_eq!(overwriting_unproven(evidence).is_some(), blocks, "{evidence:?}");
        }
        assert_eq!(file_evidence(Evidence::Recorded).level, Level::Good);
        assert_eq!(file_evidence(Evidence::Nothing).level, Level::Look);
    }

    #[test]
    fn a_busy_collection_is_left_alone() {
        let busy = |creating, recovering| Some(SnapshotActivity { creating, recovering });
        assert_eq!(idle(busy(0, 0), "a").level, Level::Good);
        assert_eq!(idle(busy(1, 0), "a").level, Level::Look);
        assert_eq!(idle(busy(1, 1), "a").level, Level::Block);
        assert_eq!(idle(None, "a").level, Level::Look);
    }

    #[test]
    fn whatever_is_not_good_has_advice() {
        let all = [
            version(v("1.18.3"), v("1.16.3")),
            target(&TargetName::Taken(Some(1)), true, "a"),
            complete(&[1], 1),
            checksum(None),
            proof(false, false),
            loss::unknown(),
            not_checked("idle", "no answer"),
            unreadable("a", "500"),
            writers("a"),
        ];
        for finding in all {
            assert!(!finding.advice.is_empty(), "{finding:?}");
        }
    }
}
