//! Names of steps that the journal gives a meaning: they tell later what an operation did to its target.

/// Names of the steps, which tell in the journal what the bringing was for.
#[derive(Debug, Clone, Copy)]
pub(in crate::ops) struct Stage {
    pub restore: &'static str,
    pub verify: &'static str,
}

/// Into the collection that was asked for.
pub(in crate::ops) const RESTORE: Stage = Stage { restore: "restore", verify: "verify" };
/// Into a scratch collection, to see whether it can be done.
pub(in crate::ops) const PROOF: Stage = Stage { restore: "proof restore", verify: "proof verify" };
/// The old data, over what went wrong.
pub(in crate::ops) const ROLL_BACK: Stage = Stage { restore: "roll back", verify: "verify the rollback" };

/// The step that makes a collection with its shard keys, before anything is brought into it.
pub(in crate::ops) const SHARD_KEYS: &str = "shard keys";
/// The step that compares what was brought with its living source.
pub(in crate::ops) const EVERY_POINT: &str = "compare every point";

/// What is left to the person after a restore beside the live collection; no step of the job.
pub(in crate::ops) const CHOOSE: &str = "choose";

/// The step that takes the safety snapshot.
pub(in crate::ops) const SAFETY: &str = "safety snapshot";

/// The step that tells after an error whether the live data is as it was.
pub(crate) const LOOK: &str = "look at the live data";

/// The step that compares what was overwritten with the proof restore of the same bytes.
pub(crate) const COMPARE_WITH_PROOF: &str = "compare with the proof restore";

/// The step of a guard that notes which aliases pointed at the collection.
pub(in crate::ops) const ALIASES_BEFORE: &str = "aliases before";

/// Its step: the command has the collection.
pub(in crate::ops) const GUARDED_COMMAND: &str = "guarded command";
