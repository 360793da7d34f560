//! Names beside another one: of scratch collections, and of what is restored side by side.

use crate::domain::ids::CollectionName;
use crate::domain::time::compact;
use jiff::Timestamp;

/// What tells a scratch collection from all others.
const SCRATCH: &str = "qsnap-proof";

/// Whether a name is one that only scratch collections have.
pub fn is_scratch(name: &CollectionName) -> bool {
    name.raw().contains(&format!("-{SCRATCH}-"))
}

/// `<name>-qsnap-proof-<time>-<process>-<job>`, beside the collection: unique, also when two restores run.
pub fn scratch_name(name: &CollectionName, now: Timestamp, job: u64) -> CollectionName {
    beside(name, SCRATCH, &format!("{}-{:x}-{job}", compact(now), std::process::id()))
}

/// A name like that of a scratch collection, which nothing ever has: to ask for rights on it.
pub fn probe_name(name: &CollectionName) -> CollectionName {
    beside(name, SCRATCH, "right")
}

/// Longest name that is made: servers add peer and time for files, and a file's name has at most 255 bytes.
const LONGEST: usize = 180;

/// A name beside another one.
pub fn beside(name: &CollectionName, what: &str, time: &str) -> CollectionName {
    let suffix = format!("-{what}-{time}");
    let mut base = name.raw().to_owned();
    while base.len() + suffix.len() > LONGEST {
        base.pop();
    }
    CollectionName::new(format!("{base}{suffix}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scratch_collections_are_known_by_their_name() {
        let name = scratch_name(&CollectionName::new("products"), "2026-11-22T03:00:00Z".parse().unwrap(), 7);
        assert!(is_scratch(&name) && !is_scratch(&CollectionName::new("products-qsnap")));
    }

    #[test]
    fn names_beside_another_stay_within_what_a_server_takes() {
        let long = CollectionName::new("日".repeat(85));
        let name = beside(&long, "restored", "20261122T030000Z");
        assert!(name.raw().len() <= LONGEST && name.raw().ends_with("-restored-20261122T030000Z"));
        assert!(name.creation_problem().is_none());
    }
}
