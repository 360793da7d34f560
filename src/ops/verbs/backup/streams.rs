//! Backups of kind "shards": one replica of each shard, streamed from its node without using the server's disk.

use crate::domain::backup::RepositoryName;
use crate::domain::collection::{CollectionInfo, CollectionStatus};
use crate::domain::ids::{CollectionName, PeerId, ShardId};
use crate::domain::lineage::Lineage;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::proof::Proof;
use crate::domain::repository::Repository;
use crate::ops::plan::Step;
use crate::ops::plan::finding::Finding;
use crate::ops::proof::sample;
use crate::ops::proof::unread::Unread;
use crate::ops::request::backups::{BackupRequest, KindChoice};
use crate::ops::services::Connection;
use crate::ops::steps::Steps;
use crate::ops::survey::increments::{self, Last, Way};
use crate::ops::survey::live_shards::lock;
use crate::ops::survey::shard_replicas::{self, Chosen, STREAMS_SINCE};
use crate::ops::verbs::backup::shard::{Replica, Shards};
use crate::qdrant::error::ApiError;
use crate::repository::index::Contents;
use crate::repository::layout::MANIFEST;
use crate::repository::manifest::{Indexed, LARGEST, Manifest, Object};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// From where each shard is streamed, and how.
#[derive(Debug)]
pub(super) struct Streams {
    pub(super) chosen: Chosen,
    pub(super) ways: BTreeMap<ShardId, Way>,
}

impl Streams {
    /// The peers whose changes are told.
    fn prefer(&self) -> BTreeMap<ShardId, PeerId> {
        let changes = self.ways.iter().filter_map(|(shard, way)| match way {
            Way::Changes(last) => Some((*shard, last.indexed.peer)),
            Way::Whole(_) => None,
        });
        changes.collect()
    }
}

/// From where shards are streamed, where that is asked for or fits best: on a cluster, because one replica of each is enough, and a
/// server needs no disk for it. `contents` are the backups that there are.
pub(super) async fn streams(
    request: &BackupRequest,
    connection: &Connection,
    info: Option<&CollectionInfo>,
    (contents, repository, now): (&Contents, &Repository, Timestamp),
) -> Result<Option<Streams>, ApiError> {
    let version = connection.whole().version().await.ok().flatten();
    let fits = || {
        let new_enough = version.is_some_and(|version| version.at_least(STREAMS_SINCE.0, STREAMS_SINCE.1));
        // Without its configuration a collection cannot be made again.
        connection.nodes.len() > 1 && new_enough && !request.how.keep_snapshot && info.is_some()
    };
    let shards = match request.how.kind {
        KindChoice::Snapshot => false,
        KindChoice::Shards => true,
        KindChoice::Auto => fits(),
    };
    if !shards {
        return Ok(None);
    }
    let own = || contents.backups.iter().filter(|backup| backup.collection == request.address);
    let last = increments::last(own());
    let prefer = last.iter().map(|(shard, last)| (*shard, last.indexed.peer)).collect();
    let chosen = shard_replicas::choose(connection, &request.address, &prefer).await?;
    let version = version.map(|version| version.to_string());
    let now = increments::Now { at: now, full: request.how.full, full_every: repository.full_every, version };
    let ways = ways(connection, (&request.address.collection, &chosen), &last, &now).await;
    Ok(Some(Streams { chosen, ways }))
}

/// How each shard is streamed.
async fn ways(
    connection: &Connection,
    (name, chosen): (&CollectionName, &Chosen),
    last: &BTreeMap<ShardId, Last>,
    now: &increments::Now,
) -> BTreeMap<ShardId, Way> {
    let mut lineages: BTreeMap<usize, Result<Lineage, String>> = BTreeMap::new();
    let mut ways = BTreeMap::new();
    for (shard, node) in &chosen.nodes {
        let mut way = increments::way(last.get(shard), now, chosen.peers.get(shard).copied());
        if let Way::Changes(last) = &way {
            if !lineages.contains_key(node) {
                let told = match connection.node(*node) {
                    Ok(from) => increments::lineage(from.as_ref(), name).await,
                    Err(problem) => Err(problem.message),
                };
                lineages.insert(*node, told);
            }
            let told = lineages.get(node).cloned().unwrap_or_else(|| Err(String::new()));
            way = match increments::unbroken(&last.indexed.lineage, told) {
                Ok(_) => way,
                Err(why) => Way::Whole(why),
            };
        }
        ways.insert(*shard, way);
    }
    ways
}

/// What a plan says of the way it is copied.
pub(super) fn how(streams: Option<&Streams>, status: Option<&CollectionStatus>, nodes: usize, limited: bool) -> Vec<Finding> {
    let Some(Streams { chosen, ways }) = streams else { return Vec::new() };
    let mut findings = Vec::new();
    findings.extend(status.map(|status| lock(status, limited)).unwrap_or_default());
    let why = if nodes > 1 { "one replica of each is enough" } else { "as asked" };
    findings.push(Finding::good("kind", format!("{} shards are streamed, without the server's disk: {why}", chosen.nodes.len())));
    findings.push(Finding::good("increment", in_words(ways)));
    if !chosen.missing.is_empty() {
        let missing: Vec<String> = chosen.missing.iter().map(ToString::to_string).collect();
        findings.push(Finding::block(
            "shards",
            format!("shard {} has no Active replica on a node that answers", missing.join(", ")),
            "bring its node back; or --kind snapshot saves what the other nodes hold, as an incomplete backup",
        ));
    }
    if chosen.moving {
        let words = "shards are moving between nodes: a replica may stop being Active meanwhile";
        findings.push(Finding::look("transfers", words, "wait until they have moved"));
    }
    findings
}

/// How many shards are streamed in which way, and why.
fn in_words(ways: &BTreeMap<ShardId, Way>) -> String {
    let mut groups: BTreeMap<String, Vec<ShardId>> = BTreeMap::new();
    for (shard, way) in ways {
        let words = match way {
            Way::Changes(last) => format!("only what changed since {}", last.id),
            Way::Whole(why) => format!("as a whole ({why})"),
        };
        groups.entry(words).or_default().push(*shard);
    }
    let all = ways.len();
    let group = |(words, shards): (String, Vec<ShardId>)| {
        if shards.len() == all { words } else { format!("{} of {all} {words}", shards.len()) }
    };
    groups.into_iter().map(group).collect::<Vec<_>>().join("; ")
}

pub(super) fn stream_steps(repository: &RepositoryName, Streams { chosen, ways }: &Streams) -> Vec<Step> {
    let nodes: BTreeSet<usize> = chosen.nodes.values().copied().collect();
    vec![
        Step::new("sample", "count the points and read a proof sample"),
        Step::new(
            "stream",
            format!(
                "{} shard(s) from {} node(s) to {repository}, {}; each is locked against optimization while it streams",
                chosen.nodes.len(),
                nodes.len(),
                in_words(ways)
            ),
        ),
        Step::new("check", "read the headers of each: a server that fails midway ends its answer as if it were whole"),
        Step::new("manifest", "look whether every object is there, then write the manifest: only then the backup exists"),
    ]
}

/// What was streamed.
pub(super) struct Streamed {
    pub(super) objects: Vec<Object>,
    pub(super) indexes: Vec<Indexed>,
    pub(super) proof: Option<Proof>,
    /// Shards whose node optimized something while they streamed: they may lack deletions.
    pub(super) unsettled: Vec<ShardId>,
}

impl Streamed {
    /// What may be missing, in words.
    pub(super) fn missing(&self) -> Option<String> {
        let shards: Vec<String> = self.unsettled.iter().map(ToString::to_string).collect();
        (!shards.is_empty())
            .then(|| format!("the latest deletions in shard {}: its node optimized it while it streamed", shards.join(", ")))
    }
}

/// Whether points tell that something changed, where the server says of every shard that nothing did: that is what it says, too,
/// after a roll-back and as many writes. Its telemetry tells of roll-backs; this is the second look.
async fn contradicted(shards: &Shards<'_>, steps: &Steps<'_>, streams: &Streams) -> Result<bool, Problem> {
    let lasts = streams.ways.values().filter_map(|way| match way {
        Way::Changes(last) => Some(last),
        Way::Whole(_) => None,
    });
    let Some(newest) = lasts.max_by_key(|last| &last.id) else { return Ok(false) };
    let manifest = shards.open.bucket.read(&format!("{}/{MANIFEST}", newest.folder), LARGEST).await?;
    let Some(proof) = manifest.and_then(|text| Manifest::proof(&text)) else { return Ok(false) };
    // What cannot be read contradicts nothing.
    Ok(matches!(sample::is_as_then(shards.connection, shards.address, &proof, &steps.job.progress).await, Ok(false)))
}

/// Streams every shard into the repository, with the proof sample before and after.
pub(super) async fn stream_all(shards: &Shards<'_>, steps: &mut Steps<'_>, streams: &Streams) -> Result<Streamed, Problem> {
    let Shards { services, connection, address, .. } = *shards;
    let progress = steps.job.progress.clone();
    let sampling = async { sample::before(connection, address, &progress).await.map_err(Unread::problem) };
    let before = steps.run("sample", "", sampling).await;
    // Replicas that were Active when it was planned may be behind by now.
    let now = shard_replicas::choose(connection, address, &streams.prefer()).await;
    let now = now.map_err(|error| error.into_problem(address.to_string()))?;
    if !now.missing.is_empty() || now.nodes.keys().ne(streams.chosen.nodes.keys()) {
        let words = "its shards changed since it was planned, or one has no Active replica any more";
        return Err(Problem::new(ProblemKind::PlanStale, words, address.to_string()).advise("nothing was backed up; try again"));
    }
    let taken_at = services.clock.now();
    let replica = |(shard, node): (&ShardId, &usize)| Replica { shard: *shard, node: *node, peer: now.peers.get(shard).copied() };
    let replicas: Vec<Replica> = now.nodes.iter().map(replica).collect();
    let mut all = Vec::new();
    for replica in &replicas {
        let unknown = Way::Whole(String::new());
        all.push(shards.save(steps, replica, streams.ways.get(&replica.shard).unwrap_or(&unknown)).await?);
    }
    if all.iter().all(|saved| saved.object.is_none()) && contradicted(shards, steps, streams).await? {
        steps.note("the server says that nothing changed, and points that were read are other ones: streamed as a whole");
        all.clear();
        for replica in &replicas {
            all.push(shards.again(steps, replica).await?);
        }
    }
    let unsettled = replicas.iter().zip(&all).filter(|(_, saved)| !saved.settled).map(|(replica, _)| replica.shard).collect();
    let (objects, indexes): (Vec<_>, Vec<_>) = all.into_iter().map(|saved| (saved.object, saved.indexed)).unzip();
    let (objects, indexes) = (objects.into_iter().flatten().collect(), indexes.into_iter().flatten().collect());
    let recording = async { sample::after(connection, taken_at, before?, &progress).await.map_err(Unread::problem) };
    let proof = steps.run("record", "", recording).await;
    if let Err(problem) = &proof {
        let words = format!("no proof was recorded: {}; a restore can be counted, but not proven", problem.message);
        steps.note(words);
    }
    Ok(Streamed { objects, indexes, proof: proof.ok(), unsettled })
}
