//! The gates: what a plan checks before a byte moves. Pure rules over facts that were read.

use crate::domain::collection::CollectionInfo;
use crate::domain::ids::ShardId;
use crate::domain::size::{bytes, exact};
use crate::domain::version::{ServerVersion, VersionStep, version_step};
use crate::ops::flow::Finding;
use crate::qdrant::api::SnapshotActivity;

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
            "upgrade the target first; an older server may destroy what is there before it notices",
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
    /// A collection with so many points.
    Taken(u64),
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
            format!("{address} exists with {} points, which will be replaced", exact(*points)),
            "a safety snapshot of it is taken first and kept",
        ),
        TargetName::Taken(points) => Finding::block(
            "target",
            format!("{address} exists with {} points", exact(*points)),
            "choose a free name, or overwrite it on purpose with mode in-place",
        ),
    }
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
    if source.vectors() != target.vectors() {
        return Finding::block(
            "shape",
            format!("vectors differ: source {}, target {}", source.vectors_in_words(), target.vectors_in_words()),
            "restore to a free name, or delete the target first (all vector settings must be equal, on_disk included)",
        );
    }
    if source.shard_number() != target.shard_number() {
        return Finding::block(
            "shape",
            format!("shard numbers differ: source {}, target {}", source.shard_number(), target.shard_number()),
            "restore to a free name, or delete the target first",
        );
    }
    Finding::good("shape", format!("{}, {} shard(s) on both sides", source.vectors_in_words(), source.shard_number()))
}

/// The server says `true` and restores nothing when shard keys are missing (qdrant#10135).
pub fn sharding(source: Option<&CollectionInfo>) -> Option<Finding> {
    source.filter(|info| info.custom_sharding()).map(|_| {
        Finding::block(
            "sharding",
            "the collection uses custom sharding: Qdrant would answer `true` and restore nothing",
            "create the shard keys on the target and restore shard by shard; qsnap does not do this yet",
        )
    })
}

/// One node's snapshot holds only its own shards.
pub fn complete(missing: &[ShardId], nodes: usize) -> Finding {
    if missing.is_empty() {
        return Finding::good("shards", "every shard is in the snapshot");
    }
    Finding::block(
        "shards",
        format!("shards {missing:?} live on other nodes: one node's snapshot does not hold them ({nodes} nodes configured)"),
        "restore each node's snapshot on its node; qsnap does not gather the shards of a cluster yet",
    )
}

/// Two recoveries, or a snapshot and a recovery, on one collection get into each other's way.
pub fn idle(activity: Option<SnapshotActivity>, address: &str) -> Finding {
    match activity {
        None => Finding::look(
            "idle",
            format!("{address}: the server has no counters (before 1.16)"),
            "make sure that nobody else restores it now",
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

/// The url route gives the source's key to the target, which fetches with it.
pub fn key_handed_over(source: &str, target: &str) -> Finding {
    Finding::look(
        "key",
        format!("{target} is given the API key of {source}, to fetch with"),
        "choose the route stream if that must not be",
    )
}

/// The loss window, in plain words.
pub fn loss_window(taken: &str, ago: &str, points_then: Option<u64>, points_now: Option<u64>) -> Finding {
    let then = points_then.map_or_else(|| "not recorded".to_owned(), exact);
    let now = points_now.map_or_else(|| "unknown".to_owned(), exact);
    Finding::look(
        "loss window",
        format!("taken {taken} UTC, {ago}; writes since then are not in it; points then {then}, now {now}"),
        "use a newer recovery point if there is one",
    )
}

/// A name that the server would not accept.
pub fn name(problem: Option<String>) -> Option<Finding> {
    problem.map(|why| Finding::block("name", why, "choose another name"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::collection::CollectionStatus;
    use crate::ops::flow::Level;
    use serde_json::json;

    fn info(size: u64, shards: u64) -> CollectionInfo {
        CollectionInfo {
            status: CollectionStatus::Green,
            optimizer_error: None,
            points: None,
            params: json!({"vectors": {"size": size, "distance": "Dot"}, "shard_number": shards}),
            payload_schema: vec![],
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
        assert_eq!(target(&TargetName::Taken(5), false, "a/b").level, Level::Block);
        assert_eq!(target(&TargetName::Taken(5), true, "a/b").level, Level::Look);
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
        let mut custom = info(4, 1);
        custom.params["sharding_method"] = json!("custom");
        assert_eq!(sharding(Some(&custom)).map(|finding| finding.level), Some(Level::Block));
        assert_eq!(sharding(Some(&info(4, 1))), None);
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
            target(&TargetName::Taken(1), true, "a"),
            complete(&[1], 1),
            checksum(None),
            proof(false, false),
            loss_window("x", "y", None, Some(3)),
        ];
        for finding in all {
            assert!(!finding.advice.is_empty(), "{finding:?}");
        }
    }
}
