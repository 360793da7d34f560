//! Collections that this machine remembers: from the history and from recorded proofs. So that the name
//! of a deleted one can be picked from a list.

use crate::domain::address::{Address, CollectionAddress};
use crate::domain::given_names::is_scratch;
use crate::ops::services::Services;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// Its address.
    pub address: CollectionAddress,
    /// When it was last heard of.
    pub at: Timestamp,
}

/// All of them, each once, the one that was heard of last first. Reads files only.
pub fn collections(services: &Services) -> Vec<Remembered> {
    let mut last: BTreeMap<CollectionAddress, Timestamp> = BTreeMap::new();
    let mut note = |text: &str, at: Timestamp| {
        // Addresses have no space; words about one do, such as `a/x (deleted)`.
        if text.contains(' ') {
            return;
        }
        let address = match Address::parse(text) {
            Ok(Address::Collection(address) | Address::Snapshot(address, _)) => address,
            _ => return,
        };
        if !is_scratch(&address.collection) {
            let known = last.entry(address).or_insert(at);
            *known = at.max(*known);
        }
    };
    for past in services.journal.read() {
        note(&past.source, past.at);
        note(&past.target, past.at);
    }
    services.proofs.all().iter().for_each(|proof| note(&proof.source, proof.taken_at));
    let mut all: Vec<Remembered> = last.into_iter().map(|(address, at)| Remembered { address, at }).collect();
    all.sort_by_key(|one| std::cmp::Reverse(one.at));
    all
}
