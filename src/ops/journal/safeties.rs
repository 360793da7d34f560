//! Which snapshots hold what was replaced by an overwrite: `latest` never means one of them.

use crate::domain::address::CollectionAddress;
use crate::domain::ids::SnapshotName;
use crate::domain::snapshot::time_in_name;
use crate::ops::journal::event::{Made, Taking};
use crate::ops::journal::past::Past;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

/// What the journal says of them.
#[derive(Debug, Clone, Default)]
pub(in crate::ops) struct Safeties {
    /// Without the instance: the name of a snapshot has the server's own number in it, and the same server may be known by
    /// another name today.
    named: BTreeSet<String>,
    /// Ones that were being taken when the operation broke off, or are being taken now: their names are not known.
    taking: Vec<Taking>,
}

impl Safeties {
    /// Those of an index.
    pub(super) fn marked(named: BTreeSet<String>) -> Self {
        Self { named, taking: Vec::new() }
    }

    /// Takes what a record says.
    pub(in crate::ops) fn add(&mut self, past: &Past) {
        let named = past.made.iter().filter(|thing| thing.kind == Made::Safety);
        self.named.extend(named.map(|thing| beyond_instance(&thing.thing).to_owned()));
        self.taking.extend(past.taking.iter().filter(|taking| taking.kind == Made::Safety).cloned());
    }

    /// One by its address.
    pub(in crate::ops) fn add_named(&mut self, address: String) {
        self.named.insert(beyond_instance(&address).to_owned());
    }

    /// Whether this address is known to be one.
    #[cfg(test)]
    pub(in crate::ops) fn is_named(&self, address: &str) -> bool {
        self.named.contains(beyond_instance(address))
    }

    /// The addresses of those among the snapshots of a collection.
    pub(in crate::ops) fn among<'a>(
        &self,
        address: &CollectionAddress,
        listed: impl Iterator<Item = &'a SnapshotName> + Clone,
    ) -> BTreeSet<String> {
        let known = listed.clone().map(|name| address.snapshot(name)).filter(|shown| self.named.contains(beyond_instance(shown)));
        let mut found: BTreeSet<String> = known.collect();
        let target = address.to_string();
        for taking in self.taking.iter().filter(|taking| taking.collection == target) {
            found.extend(taken_by(taking, address, listed.clone(), CLOCKS).first().map(|name| address.snapshot(name)));
        }
        found
    }
}

/// An address without its instance.
pub(super) fn beyond_instance(address: &str) -> &str {
    address.split_once('/').map_or(address, |(_, rest)| rest)
}

/// How far the clocks of a server and of this machine may be apart.
const CLOCKS: SignedDuration = SignedDuration::from_secs(60);

/// Snapshots that may be the one that was being taken when an operation broke off, the first one first: they appeared since,
/// under a name that the server gives to snapshots of this collection, with a time within `apart` of when it was asked.
pub(in crate::ops) fn taken_by<'a>(
    taking: &Taking,
    address: &CollectionAddress,
    listed: impl Iterator<Item = &'a SnapshotName>,
    apart: SignedDuration,
) -> Vec<&'a SnapshotName> {
    let own = format!("{}-", address.collection.raw());
    let new = listed.filter(|name| name.raw().starts_with(&own) && !taking.known.iter().any(|known| known == name.raw()));
    let near = |time: Timestamp| taking.at.is_none_or(|at| time.duration_since(at).abs() <= apart);
    let mut found: Vec<(Timestamp, &SnapshotName)> =
        new.filter_map(|name| Some((time_in_name(name).filter(|time| near(*time))?, name))).collect();
    found.sort();
    found.into_iter().map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_later_is_somebody_elses() {
        let address = CollectionAddress::parse("a/x").unwrap();
        let name = |time: &str| SnapshotName::new(format!("x-1-2026-11-22-{time}.snapshot"));
        let (ours, later) = (name("02-00-01"), name("02-05-00"));
        let at = Some("2026-11-22T02:00:00.9Z".parse().unwrap());
        let taking = Taking { kind: Made::Safety, collection: "a/x".into(), known: Vec::new(), at };
        let found = |listed: &[&SnapshotName]| {
            taken_by(&taking, &address, listed.iter().copied(), CLOCKS).into_iter().cloned().collect::<Vec<_>>()
        };
        assert_eq!(found(&[&later, &ours]), [ours]);
        assert!(found(&[&later]).is_empty(), "the server never finished it, and this one is a recovery point");
        let mut named = Safeties::default();
        named.add_named("a/x/x-1-2026-11-22-02-05-00.snapshot".into());
        let elsewhere = CollectionAddress::parse("today/x").unwrap();
        assert_eq!(named.among(&elsewhere, [&later].into_iter()).len(), 1, "the same server by another name");
    }

    #[test]
    fn what_appeared_since_a_safety_snapshot_was_begun_is_one() {
        let address = CollectionAddress::parse("a/x").unwrap();
        let name = |time: &str| SnapshotName::new(format!("x-1-2026-11-22-{time}.snapshot"));
        let (old, ours, later) = (name("01-00-00"), name("02-00-00"), name("03-00-00"));
        let upload = SnapshotName::new("qsnap-20261122T013000Z-1-1-restore.snapshot");
        let taking = Taking { kind: Made::Safety, collection: "a/x".into(), known: vec![old.raw().to_owned()], at: None };
        let safeties = Safeties { named: BTreeSet::new(), taking: vec![taking] };
        let all = [&later, &upload, &ours, &old];
        assert_eq!(safeties.among(&address, all.into_iter()), [address.snapshot(&ours)].into());
        assert!(safeties.among(&CollectionAddress::parse("a/y").unwrap(), all.into_iter()).is_empty());
        assert!(safeties.among(&address, [&old].into_iter()).is_empty(), "the server never finished it");
    }
}
