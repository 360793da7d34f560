//! Which snapshots hold what was replaced by an overwrite: `latest` never means one of them.

use crate::domain::address::CollectionAddress;
use crate::domain::ids::SnapshotName;
use crate::domain::snapshot::time_in_name;
use crate::ops::create::shown;
use crate::ops::history::Past;
use crate::ops::journal::{Made, Taking};
use std::collections::BTreeSet;

/// What the journal says of them.
#[derive(Debug, Clone, Default)]
pub(in crate::ops) struct Safeties {
    named: BTreeSet<String>,
    /// Ones that were being taken when the operation broke off, or are being taken now: their names are not known.
    taking: Vec<Taking>,
}

impl Safeties {
    /// Takes what a record says.
    pub(in crate::ops) fn add(&mut self, past: &Past) {
        let named = past.made.iter().filter(|thing| thing.kind == Made::Safety);
        self.named.extend(named.map(|thing| thing.thing.clone()));
        self.taking.extend(past.taking.iter().filter(|taking| taking.kind == Made::Safety).cloned());
    }

    /// One by its address.
    pub(in crate::ops) fn add_named(&mut self, address: String) {
        self.named.insert(address);
    }

    /// Whether this address is known to be one.
    #[cfg(test)]
    pub(in crate::ops) fn is_named(&self, address: &str) -> bool {
        self.named.contains(address)
    }

    /// The addresses of those among the snapshots of a collection.
    pub(in crate::ops) fn among<'a>(
        &self,
        address: &CollectionAddress,
        listed: impl Iterator<Item = &'a SnapshotName> + Clone,
    ) -> BTreeSet<String> {
        let known = listed.clone().map(|name| shown(address, name)).filter(|shown| self.named.contains(shown));
        let mut found: BTreeSet<String> = known.collect();
        let target = address.to_string();
        for taking in self.taking.iter().filter(|taking| taking.collection == target) {
            found.extend(taken_by(taking, address, listed.clone()).map(|name| shown(address, name)));
        }
        found
    }
}

/// The snapshot that was being taken when an operation broke off: the first one that appeared since, under a name that the
/// server gives to snapshots of this collection.
pub(in crate::ops) fn taken_by<'a>(
    taking: &Taking,
    address: &CollectionAddress,
    listed: impl Iterator<Item = &'a SnapshotName>,
) -> Option<&'a SnapshotName> {
    let own = format!("{}-", address.collection.raw());
    let new = listed.filter(|name| name.raw().starts_with(&own) && !taking.known.iter().any(|known| known == name.raw()));
    new.filter_map(|name| Some((time_in_name(name)?, name))).min().map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_appeared_since_a_safety_snapshot_was_begun_is_one() {
        let address = CollectionAddress::parse("a/x").unwrap();
        let name = |time: &str| SnapshotName::new(format!("x-1-2026-11-22-{time}.snapshot"));
        let (old, ours, later) = (name("01-00-00"), name("02-00-00"), name("03-00-00"));
        let upload = SnapshotName::new("qsnap-20261122T013000Z-1-1-restore.snapshot");
        let taking = Taking { kind: Made::Safety, collection: "a/x".into(), known: vec![old.raw().to_owned()] };
        let safeties = Safeties { named: BTreeSet::new(), taking: vec![taking] };
        let all = [&later, &upload, &ours, &old];
        assert_eq!(safeties.among(&address, all.into_iter()), [shown(&address, &ours)].into());
        assert!(safeties.among(&CollectionAddress::parse("a/y").unwrap(), all.into_iter()).is_empty());
        assert!(safeties.among(&address, [&old].into_iter()).is_empty(), "the server never finished it");
    }
}
