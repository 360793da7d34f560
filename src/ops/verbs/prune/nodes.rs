//! Snapshots on the nodes of an instance. Each node is sorted by itself: a set of several nodes is kept or removed as a whole only
//! by chance, so that no node may lose what another one still has.

use crate::domain::address::CollectionAddress;
use crate::domain::problem::Problem;
use crate::domain::snapshot::SnapshotScope;
use crate::ops::plan::finding::Finding;
use crate::ops::request::backups::Of;
use crate::ops::retention::keep::{Candidate, Worth, decide};
use crate::ops::services::Services;
use crate::ops::steps::Steps;
use crate::ops::survey::locate::{Located, safeties, safeties_among, snapshots};
use crate::ops::verbs::prune::sorted::{Done, Item, Sorted};
use std::collections::{BTreeMap, BTreeSet};

/// What goes.
#[derive(Debug)]
pub(super) struct Removals(Vec<(CollectionAddress, Located)>);

/// Lists the snapshots, and sorts them.
pub(super) async fn sort(services: &Services, of: &Of) -> Result<(Sorted, Removals), Problem> {
    let mut sorted = Sorted::default();
    let mut removals = Removals(Vec::new());
    for address in addresses(services, of).await? {
        services.writable(&address.instance)?;
        sort_one(services, &address, &mut sorted, &mut removals).await?;
    }
    Ok((sorted, removals))
}

async fn addresses(services: &Services, of: &Of) -> Result<Vec<CollectionAddress>, Problem> {
    let Of::Instances(names) = of else {
        let Of::Collections(all) = of else { return Ok(Vec::new()) };
        return Ok(all.clone());
    };
    let mut all = Vec::new();
    for name in names {
        let connection = services.connection(name).await?;
        let mut listed = connection.whole().collections().await.map_err(|error| error.into_problem(name.as_str()))?;
        listed.sort();
        all.extend(listed.into_iter().map(|collection| CollectionAddress::new(name.clone(), collection)));
    }
    Ok(all)
}

async fn sort_one(
    services: &Services,
    address: &CollectionAddress,
    sorted: &mut Sorted,
    removals: &mut Removals,
) -> Result<(), Problem> {
    let connection = services.connection(&address.instance).await?;
    let marks = safeties(services, &crate::domain::address::Which::Latest).await?;
    let (listed, problems) = snapshots(&connection, address).await;
    for problem in problems {
        let words = format!("could not be listed, and stays: {problem}");
        sorted.findings.push(Finding::look("unread", words, problem.advice));
    }
    let keep = connection.instance.policy(&address.collection).keep.unwrap_or_default();
    if keep.is_empty() {
        let advice = format!("give `keep` in [instances.{}]; that of a repository does not hold for nodes", address.instance);
        sorted.findings.push(Finding::look("rules", format!("{address} has no rules: all its snapshots stay"), advice));
    }
    let marked = safeties_among(&marks, address, &listed);
    let running = made_by_those_that_run(services).await;
    let now = services.clock.now();
    let mut by_node: BTreeMap<usize, Vec<Located>> = BTreeMap::new();
    for located in listed {
        by_node.entry(located.node).or_default().push(located);
    }
    for group in by_node.into_values() {
        let candidates: Vec<Candidate> = group
            .iter()
            .map(|located| {
                let safety = marked.contains(&address.snapshot(&located.snapshot.name));
                // One that a backup or a copy made, and will remove, must not take the place of one that stays.
                let passing = running.contains(&address.snapshot(&located.snapshot.name));
                let worth = if located.snapshot.taken_at.is_some() && !passing { Worth::Good } else { Worth::Unknown };
                let hold = safety.then(|| "a safety snapshot, of what an overwrite replaced".to_owned());
                let hold = hold.or_else(|| passing.then(|| "of an operation that has not ended".to_owned()));
                Candidate { at: located.snapshot.taken_at.unwrap_or(now), worth, hold }
            })
            .collect();
        for (located, decision) in group.into_iter().zip(decide(&keep, now, &candidates)) {
            let shown = address.snapshot(&located.snapshot.name);
            let bytes = located.snapshot.size;
            if !decision.keeps() {
                removals.0.push((address.clone(), located));
            }
            sorted.items.push(Item { shown, bytes, decision });
        }
    }
    Ok(())
}

/// Snapshots that operations made which have not ended, or did not end well.
async fn made_by_those_that_run(services: &Services) -> BTreeSet<String> {
    let journal = services.journal.clone();
    let read = move || {
        let open = journal.read().into_iter().filter(|past| past.ended_at.is_none() || past.is_open());
        open.flat_map(|past| past.made.into_iter().map(|thing| thing.thing)).collect()
    };
    tokio::task::spawn_blocking(read).await.unwrap_or_default()
}

impl Removals {
    /// Deletes them one after the other; one that cannot be deleted stops no other.
    pub(super) async fn carry_out(&self, services: &Services, steps: &mut Steps<'_>) -> Result<Done, Problem> {
        let job = steps.job;
        let mut done = Done::default();
        for (address, located) in &self.0 {
            let connection = services.connection(&address.instance).await?;
            let node = connection.node(located.node)?.clone();
            let scope = SnapshotScope::Collection(address.collection.clone());
            let shown = address.snapshot(&located.snapshot.name);
            let deletion =
                async { node.delete_snapshot(&scope, &located.snapshot.name).await.map_err(|error| error.into_problem(&shown)) };
            match job.commit(steps.run("delete", &shown, deletion)).await {
                Ok(()) => {
                    done.removed += 1;
                    done.bytes += located.snapshot.size;
                }
                Err(problem) => done.failures.push(problem),
            }
        }
        Ok(done)
    }
}
