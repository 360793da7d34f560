//! Restoring shard by shard: the collection is made as it was, then each shard goes to a node that holds a replica of it. The other
//! replicas follow by themselves.

use crate::domain::collection::{CollectionCluster, CollectionInfo};
use crate::domain::ids::{PeerId, ShardId};
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::proof::Proof;
use crate::jobs::context::JobContext;
use crate::ops::gates::shard_keys::creation;
use crate::ops::proof::sample::{self, Before};
use crate::ops::proof::unread::Unread;
use crate::ops::recovery::delivered::{Broken, Delivered, Impact};
use crate::ops::recovery::destination::Destination;
use crate::ops::recovery::meant::{Meant, as_meant};
use crate::ops::recovery::optimizer::Patience;
use crate::ops::recovery::put_back::PutBack;
use crate::ops::recovery::shard_into::{ShardBytes, ShardDelivery};
use crate::ops::request::route::Route;
use crate::ops::services::Services;
use crate::ops::steps::Ledger;
use crate::ops::survey::backups;
use crate::ops::survey::live_shards::LiveShards;
use crate::ops::survey::placement;
use crate::ops::survey::shard_backup::ShardBackup;
use crate::qdrant::error::ApiError;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How often the states of replicas are asked.
const POLL: Duration = Duration::from_millis(250);

/// Replicas that make no progress for so long are left to themselves: verification tells what is there.
const PATIENCE: Duration = Duration::from_secs(120);

/// What is restored shard by shard.
#[derive(Clone, Copy)]
pub(in crate::ops) enum ShardsOf<'a> {
    /// A backup.
    Backup(&'a ShardBackup),
    /// A live collection.
    Live(&'a LiveShards),
}

impl<'a> ShardsOf<'a> {
    fn info(&self) -> Option<CollectionInfo> {
        match self {
            Self::Backup(backup) => backup.info(),
            Self::Live(live) => Some(live.info.clone()),
        }
    }

    /// The route of its bytes, and why it is not the shorter one.
    fn route(&self, services: &Services, destination: &Destination, asked: Route) -> (Route, Option<String>) {
        let Self::Live(live) = self else { return (Route::Stream, None) };
        let (route, why) = live.route(
            asked,
            &destination.connection,
            services.limited(&[&live.address.instance, &destination.address.instance]),
        );
        (route, (asked == Route::Auto && route == Route::Stream).then_some(why))
    }

    /// Where the bytes of each are, and how many, where that is known.
    async fn sources(&self, job: &JobContext) -> Result<(BTreeMap<ShardId, ShardBytes<'a>>, Option<u64>), Problem> {
        match self {
            Self::Backup(backup) => {
                let sources = backup.sources(&job.progress).await?;
                let total = sources.values().map(|source| source.expected.size).fold(0, u64::saturating_add);
                let line = backups::line(&backup.open);
                let each = sources.into_iter().map(|(shard, source)| (shard, ShardBytes::Stored(source, line.clone())));
                Ok((each.collect(), Some(total)))
            }
            Self::Live(live) => {
                let each = live.chosen.nodes.keys().map(|shard| (*shard, ShardBytes::Live(live)));
                Ok((each.collect(), None))
            }
        }
    }
}

/// Brings all shards into a name that is free, or into the collection that an earlier call made.
pub(in crate::ops) async fn deliver_shards(
    services: &Services,
    job: &JobContext,
    (from, asked): (ShardsOf<'_>, Route),
    destination: &Destination,
    (ledger, meant): (&Ledger, Meant),
) -> Result<Delivered, Broken> {
    let (sources, total) = from.sources(job).await?;
    let before = sampled(services, job, from).await;
    // All that took its time: somebody may have made a collection of that name.
    as_meant(destination, meant, &job.progress).await?;
    // Once it is made there is something to be cleaned up, whatever kills us.
    ledger.handed_over();
    let empty = job
        .on_failure(format!("the empty collection {}", destination.address), remove_empty(destination.clone(), ledger.clone()));
    let refused = |problem| Broken { problem, impact: Impact::No };
    if let Err(problem) = create(from, destination, &sources.keys().copied().collect::<Vec<_>>()).await {
        job.keep(empty);
        remove_empty(destination.clone(), ledger.clone()).await.map_err(refused)?;
        return Err(refused(problem));
    }
    let mut late = active(destination, job).await;
    job.progress.phase("streaming shards", total);
    let (route, reason) = from.route(services, destination, asked);
    let mut delivery = ShardDelivery {
        services,
        job,
        destination,
        ledger,
        patience: &Patience::new(None),
        route,
        falls_back: asked == Route::Auto,
        handed_over: false,
        reason,
        unsettled: Vec::new(),
        bytes: 0,
        must_look: false,
    };
    for (shard, source) in sources {
        let brought = delivery.bring(shard, source).await;
        if delivery.handed_over || brought.is_err() {
            job.keep(empty);
        }
        if brought.is_err() && !delivery.handed_over {
            remove_empty(destination.clone(), ledger.clone()).await?;
        }
        brought?;
        // The next one would compete with the transfers that bring this one to its other replicas. What did not become ready once
        // in all that time is waited for no more: the data goes first.
        if late.is_none() {
            late = active(destination, job).await;
        }
    }
    payload_indexes(job, from, destination).await;
    Ok(Delivered {
        route: delivery.route,
        reason: delivery.reason,
        replicas_late: late,
        bytes: delivery.bytes,
        uploaded: None,
        looked: delivery.must_look,
        unsettled: delivery.unsettled,
        proof: recorded(job, from, before).await,
    })
}

/// Payload indexes belong to the collection, and come with no shard.
async fn payload_indexes(job: &JobContext, from: ShardsOf<'_>, destination: &Destination) {
    if let Some(info) = from.info() {
        let indexes = PutBack { wanted: info.settings, all: false };
        let made = indexes.carry_out(&destination.connection, &destination.address).await;
        if let Err(problem) = made {
            job.progress.note(&format!("payload indexes could not all be made: {}", problem.message));
        }
    }
}

/// Removes the collection that was made, while nobody put anything into it.
pub(super) async fn remove_empty(destination: Destination, ledger: Ledger) -> Result<(), Problem> {
    let (node, name) = (destination.node()?, &destination.address.collection);
    let problem = |error: ApiError| error.into_problem(destination.address.to_string());
    if !node.exists(name).await.map_err(problem)? {
        ledger.gone(&destination.address.to_string());
    } else if node.is_empty(name).await.map_err(problem)? {
        node.delete_collection(name).await.map_err(problem)?;
        ledger.gone(&destination.address.to_string());
    }
    Ok(())
}

/// The second half of the proof.
async fn recorded(job: &JobContext, from: ShardsOf<'_>, before: Option<(Before, Timestamp)>) -> Option<Box<Proof>> {
    let (ShardsOf::Live(live), Some((before, taken_at))) = (from, before) else { return None };
    match sample::after(&live.connection, taken_at, before, &job.progress).await {
        Ok(proof) => Some(Box::new(proof)),
        Err(unread) => {
            job.progress.note(&format!("no proof was recorded: {}", Unread::problem(unread).message));
            None
        }
    }
}

/// The first half of the proof of a live collection, which may be written to while it is streamed.
async fn sampled(services: &Services, job: &JobContext, from: ShardsOf<'_>) -> Option<(Before, Timestamp)> {
    let ShardsOf::Live(live) = from else { return None };
    let before = sample::before(&live.connection, &live.address, &job.progress).await.ok()?;
    Some((before, services.clock.now()))
}

/// Makes the collection with the configuration that was recorded, and looks whether its shards have the old numbers.
async fn create(from: ShardsOf<'_>, destination: &Destination, shards: &[ShardId]) -> Result<(), Problem> {
    let (address, node) = (&destination.address, destination.node()?);
    let problem = |error: ApiError| error.into_problem(address.to_string());
    // One that is sharded by keys was made with them; else it is not there, as was just looked.
    if !node.exists(&address.collection).await.map_err(problem)? {
        let config = from.info().map(|info| info.settings.config().clone()).unwrap_or_default();
        node.create_collection(&address.collection, &creation(&config)).await.map_err(problem)?;
    }
    let made = node.collection_cluster(&address.collection).await.map_err(problem)?;
    let mut numbers: Vec<ShardId> = made.replicas.iter().map(|replica| replica.shard).collect();
    numbers.sort_unstable();
    numbers.dedup();
    if numbers == shards {
        return Ok(());
    }
    let words = format!("the server made shards {numbers:?}, the source has {shards:?}");
    Err(Problem::new(ProblemKind::Failed, words, address.to_string())
        .advise("nothing was restored; data would get into wrong shards"))
}

/// How often in a row everything must be as it should be: that other replicas are to be rebuilt reaches their nodes a moment after
/// the upload has ended (measured on 1.16.3: for that moment all are Active, and one of them is empty).
const SETTLED: u32 = 4;

/// Waits until every replica is Active everywhere, nothing moves, and the replicas of each shard hold equally many points, as long
/// as that makes progress. Says what is missing when it did not come to that.
async fn active(destination: &Destination, job: &JobContext) -> Option<String> {
    let (mut best, mut since, mut settled) = (0, tokio::time::Instant::now(), 0);
    let mut words = String::new();
    while since.elapsed() < PATIENCE {
        let answers = placement::clusters(&destination.connection, &destination.address).await;
        let state = state_of(&answers.into_iter().map(Result::ok).collect::<Vec<_>>());
        settled = if state.is_ready() { settled + 1 } else { 0 };
        // Where each shard has one replica there is none that could lag behind.
        if settled == SETTLED || (settled > 0 && state.all == state.shards) {
            return None;
        }
        if state.ready > best {
            (best, since) = (state.ready, tokio::time::Instant::now());
        }
        words = state.words();
        job.progress.note(&words);
        tokio::time::sleep(POLL).await;
    }
    Some(words)
}

#[derive(Debug, PartialEq, Eq)]
struct State {
    /// Replicas, as far as any node knows them.
    all: usize,
    shards: usize,
    /// Those that are Active in every view, and hold as many points as the others of their shard.
    ready: usize,
    moving: bool,
    /// Nodes that do not answer, or do not know the collection yet.
    silent: usize,
}

impl State {
    fn is_ready(&self) -> bool {
        self.ready == self.all && self.all > 0 && self.silent == 0 && !self.moving
    }

    fn words(&self) -> String {
        let silent = match self.silent {
            0 => String::new(),
            1 => "; 1 node does not answer".to_owned(),
            n => format!("; {n} nodes do not answer"),
        };
        format!("{} of {} replicas are ready{silent}", self.ready, self.all)
    }
}

/// What the views of all nodes amount to; `None` is a node that does not answer, or does not know the collection yet. Pure.
fn state_of(views: &[Option<CollectionCluster>]) -> State {
    let mut replicas: BTreeMap<(ShardId, PeerId), (bool, Option<u64>)> = BTreeMap::new();
    for view in views.iter().flatten() {
        for replica in &view.replicas {
            let entry = replicas.entry((replica.shard, replica.peer.unwrap_or(view.peer))).or_insert((true, None));
            entry.0 &= replica.state == "Active";
            entry.1 = entry.1.or(replica.points);
        }
    }
    let mut most: BTreeMap<ShardId, u64> = BTreeMap::new();
    for ((shard, _), (_, points)) in &replicas {
        let known = most.entry(*shard).or_default();
        *known = (*known).max(points.unwrap_or(0));
    }
    let silent = views.iter().filter(|view| view.is_none()).count();
    // What nobody saw on its own node is not known to be there.
    let seen: BTreeSet<PeerId> = views.iter().flatten().map(|view| view.peer).collect();
    let there = |peer: &PeerId| silent == 0 || seen.contains(peer);
    let full = |shard: &ShardId, points: &Option<u64>| points.is_none() || *points == most.get(shard).copied();
    State {
        all: replicas.len(),
        silent,
        shards: most.len(),
        ready: replicas.iter().filter(|((shard, peer), (active, points))| *active && there(peer) && full(shard, points)).count(),
        moving: views.iter().flatten().any(|view| view.moving > 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::collection::ShardReplica;

    fn view(peer: PeerId, replicas: &[(ShardId, Option<PeerId>, &str, Option<u64>)]) -> Option<CollectionCluster> {
        let replicas = replicas.iter().map(|(shard, peer, state, points)| ShardReplica {
            shard: *shard,
            key: None,
            peer: *peer,
            state: (*state).to_owned(),
            points: *points,
        });
        Some(CollectionCluster { peer, replicas: replicas.collect(), moving: 0 })
    }

    #[test]
    fn a_replica_is_ready_when_everybody_says_so_and_it_holds_what_the_others_hold() {
        let one = |state, points| view(1, &[(0, None, "Active", Some(points)), (0, Some(2), state, None)]);
        let two = |points| view(2, &[(0, None, "Active", Some(points)), (0, Some(1), "Active", None)]);
        let ready = |views: &[Option<CollectionCluster>]| (state_of(views).ready, state_of(views).all);
        assert_eq!(ready(&[one("Active", 9), two(9)]), (2, 2));
        assert_eq!(ready(&[one("Active", 9), two(0)]), (1, 2), "Active, and empty");
        assert_eq!(ready(&[one("Dead", 9), two(9)]), (1, 2), "one node says it is not");
        let away = state_of(&[one("Active", 9), None]);
        assert_eq!((away.ready, away.all, away.is_ready()), (1, 2, false), "what nobody saw on its own node");
        assert_eq!(away.words(), "1 of 2 replicas are ready; 1 node does not answer");
        let lone = view(1, &[(0, None, "Active", Some(9))]);
        assert!(
            !state_of(&[lone.clone(), None]).is_ready() && state_of(&[lone]).is_ready(),
            "a node that does not know of it yet"
        );
    }
}
