//! The age of the last good backup of every collection, against what is wanted. Reads only; what could not be read is unknown,
//! and never late.

use crate::domain::address::CollectionAddress;
use crate::domain::backup::{BackupId, RepositoryName};
use crate::domain::given_names::is_scratch;
use crate::domain::instance::Instance;
use crate::domain::policy::{Policy, Target};
use crate::domain::problem::Problem;
use crate::ops::retention::freshness::{Freshness, Level, Taken, judge};
use crate::ops::services::Services;
use crate::ops::survey::listing::CollectionView;
use crate::ops::survey::{backups, listing};
use crate::repository::index::{Backup, Contents};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The newest good backup of a collection.
#[derive(Debug, Clone, PartialEq)]
pub struct Newest {
    /// Where it is; `None` for a snapshot on a node.
    pub repository: Option<RepositoryName>,
    /// Which it is; `None` for a snapshot on a node.
    pub id: Option<BackupId>,
    /// When it was taken.
    pub at: Timestamp,
    /// Bytes.
    pub size: u64,
    /// How long it took.
    pub seconds: Option<f64>,
    /// Points in it.
    pub points: Option<u64>,
}

/// One collection.
#[derive(Debug, Clone, PartialEq)]
pub struct Watched {
    /// Which.
    pub address: CollectionAddress,
    /// It is there; `None` when its instance did not answer.
    pub exists: Option<bool>,
    /// What is wanted.
    pub policy: Policy,
    /// Whether that holds.
    pub freshness: Freshness,
    /// The newest good one.
    pub newest: Option<Newest>,
    /// Backups that are not good.
    pub not_good: usize,
    /// Whether the last try ended in a good backup; `None` when there was none.
    pub last_try: Option<bool>,
}

/// All of them, the worst first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Watch {
    /// Collections.
    pub items: Vec<Watched>,
    /// What could not be read, by instance or repository.
    pub problems: Vec<(String, Problem)>,
    /// No repository is configured: snapshots on nodes are counted.
    pub nodes_only: bool,
}

impl Watch {
    /// The worst of all.
    pub fn level(&self) -> Level {
        let found = self.items.iter().fold(Level::Ok, |level, item| level.worst(item.freshness.level));
        if self.problems.is_empty() { found } else { found.worst(Level::Unknown) }
    }

    /// How many collections are on each level: ok, warning, critical, unknown.
    pub fn counts(&self) -> [usize; 4] {
        let mut counts = [0; 4];
        for item in &self.items {
            counts[usize::from(item.freshness.level.code())] += 1;
        }
        counts
    }

    /// When the newest good one of each collection was taken.
    pub fn newest(&self) -> BTreeMap<&CollectionAddress, Timestamp> {
        self.items.iter().filter_map(|item| Some((&item.address, item.newest.as_ref()?.at))).collect()
    }

    /// Whether anything is wanted of any collection.
    pub fn has_targets(&self) -> bool {
        self.items.iter().any(|item| item.policy.has_target())
    }
}

/// What is known of the collections of an instance.
struct Known {
    /// With their newest snapshot on a node, where that was asked for.
    collections: BTreeMap<CollectionAddress, Option<Timestamp>>,
    /// Those that exist and are not looked at.
    others: BTreeSet<CollectionAddress>,
}

/// Of how many collections the snapshots on nodes are looked up, where there is no repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Of each: monitoring must not pass one over.
    All,
    /// Of each of an instance that has at most so many; of a larger one, of those of which something is wanted.
    UpTo(usize),
}

/// Looks at every instance and repository at the same time. `most` replaces every configured target age.
pub async fn watch(services: &Services, most: Option<Duration>, reach: Reach) -> Watch {
    let nodes_only = services.repositories().is_empty();
    let instances = services.instances();
    let asked = instances.iter().map(|instance| known(services, instance, nodes_only.then_some(reach)));
    let read = services.repositories().iter().map(|repository| backups::contents(services, &repository.name, None));
    let (asked, read) = tokio::join!(futures_util::future::join_all(asked), futures_util::future::join_all(read));
    let mut watch = Watch { nodes_only, ..Watch::default() };
    let mut stored: BTreeMap<CollectionAddress, Vec<(RepositoryName, Backup)>> = BTreeMap::new();
    let mut unread = Vec::new();
    for (repository, result) in services.repositories().iter().zip(read) {
        let name = &repository.name;
        match result {
            Ok((open, Contents { backups, problems, remarks, .. })) => {
                watch.problems.extend(backups::mark(&open).await.err().map(|problem| (name.to_string(), problem)));
                for backup in backups {
                    stored.entry(backup.collection.clone()).or_default().push((name.clone(), backup));
                }
                unread.extend(problems.iter().map(|problem| format!("a part of {name} could not be read: {}", problem.message)));
                watch.problems.extend(problems.into_iter().chain(remarks).map(|problem| (name.to_string(), problem)));
            }
            Err(problem) => {
                unread.push(format!("{name} could not be read: {}", problem.message));
                watch.problems.push((name.to_string(), problem));
            }
        }
    }
    for (instance, result) in instances.iter().zip(asked) {
        let own = stored.keys().filter(|address| address.instance == instance.name).cloned();
        let mut addresses: BTreeSet<CollectionAddress> = own.collect();
        let known = match result {
            Ok(known) => {
                addresses.extend(known.collections.keys().cloned());
                Some(known)
            }
            Err(problem) => {
                watch.problems.push((instance.name.to_string(), problem));
                None
            }
        };
        // What a drill or a proof left is nobody's data.
        for address in addresses.into_iter().filter(|address| !is_scratch(&address.collection)) {
            let backups = stored.remove(&address).unwrap_or_default();
            watch.items.push(look(services, instance, address, known.as_ref(), (backups, most), &unread));
        }
    }
    watch.items.sort_by(|a, b| {
        let weight = |item: &Watched| std::cmp::Reverse(item.freshness.level.weight());
        (weight(a), a.freshness.newest, &a.address).cmp(&(weight(b), b.freshness.newest, &b.address))
    });
    watch
}

async fn known(services: &Services, instance: &Instance, snapshots_of: Option<Reach>) -> Result<Known, Problem> {
    let name = &instance.name;
    if let Some(reach) = snapshots_of {
        let mut listing = match reach {
            Reach::All => listing::collections(services, name).await?,
            Reach::UpTo(most) => listing::collections_up_to(services, name, most).await?,
        };
        let mut others = BTreeSet::new();
        if listing.has_unread() {
            let wanted = |view: &CollectionView| instance.policy(&view.address.collection).has_target();
            let (look, rest): (Vec<_>, Vec<_>) = listing.items.into_iter().partition(wanted);
            others.extend(rest.into_iter().map(|view| view.address));
            listing = listing::views(services, name, look).await?;
        }
        if let (true, true, Some(problem)) = (listing.items.is_empty(), others.is_empty(), listing.problems.into_iter().next()) {
            return Err(problem);
        }
        let each = listing.items.into_iter().map(|view| (view.address, view.newest));
        return Ok(Known { collections: each.collect(), others });
    }
    let connection = services.connection(name).await?;
    let names = connection.whole().collections().await.map_err(|error| error.into_problem(name.as_str()))?;
    let each = names.into_iter().map(|collection| (CollectionAddress::new(name.clone(), collection), None));
    Ok(Known { collections: each.collect(), others: BTreeSet::new() })
}

fn look(
    services: &Services,
    instance: &Instance,
    address: CollectionAddress,
    known: Option<&Known>,
    (backups, most): (Vec<(RepositoryName, Backup)>, Option<Duration>),
    unread: &[String],
) -> Watched {
    let now = services.clock.now();
    let mut policy = instance.policy(&address.collection);
    if let Some(most) = most {
        policy.rpo = Target::AtMost(most);
    }
    let on_node = known.and_then(|known| known.collections.get(&address).copied().flatten());
    let mut taken: Vec<Taken> = backups.iter().map(|(_, backup)| of_backup(backup)).collect();
    taken.extend(on_node.map(|at| Taken { at, good: true, proven_at: None }));
    let mut freshness = judge(&policy, now, &taken);
    let exists = known.map(|known| known.collections.contains_key(&address) || known.others.contains(&address));
    if exists == Some(false) {
        // Nobody can back it up any more: what was late is late no longer.
        freshness.level = Level::Ok;
        freshness.words = vec!["the collection does not exist any more".into()];
        if !backups.is_empty() && !backups.iter().any(|(_, backup)| backup.is_good()) {
            freshness.level = Level::Warning;
            freshness.words.push("and none of its backups is good".into());
        }
    } else if freshness.level != Level::Ok && !unread.is_empty() {
        // What could not be read may hold a younger one.
        freshness.level = Level::Unknown;
        freshness.words.splice(0..0, unread.iter().cloned());
    }
    let good = backups.iter().filter(|(_, backup)| backup.is_good() && Some(backup.taken_at()) == freshness.newest);
    let newest = good.map(|(repository, backup)| newest(repository, backup)).next();
    let of_node = || on_node.map(|at| Newest { repository: None, id: None, at, size: 0, seconds: None, points: None });
    let last_try = backups.iter().max_by_key(|(_, backup)| backup.taken_at()).map(|(_, backup)| backup.is_good());
    let not_good = backups.iter().filter(|(_, backup)| !backup.is_good()).count();
    Watched { address, exists, policy, freshness, newest: newest.or_else(of_node), not_good, last_try }
}

fn of_backup(backup: &Backup) -> Taken {
    Taken { at: backup.taken_at(), good: backup.is_good(), proven_at: backup.standing.proven_at }
}

fn newest(repository: &RepositoryName, backup: &Backup) -> Newest {
    let manifest = backup.manifest.as_ref();
    let seconds = manifest.map(|manifest| manifest.finished_at.as_second().saturating_sub(manifest.taken_at.as_second()) as f64);
    Newest {
        repository: Some(repository.clone()),
        id: Some(backup.id.clone()),
        at: backup.taken_at(),
        size: backup.size,
        seconds,
        points: manifest.and_then(|manifest| manifest.points_max),
    }
}
