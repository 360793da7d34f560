//! Backups of kind "shards": one replica of each shard, streamed from its node without using the server's disk.

use crate::domain::address::CollectionAddress;
use crate::domain::backup::RepositoryName;
use crate::domain::collection::CollectionInfo;
use crate::domain::ids::ShardId;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::proof::Proof;
use crate::ops::plan::Step;
use crate::ops::plan::finding::Finding;
use crate::ops::proof::sample;
use crate::ops::proof::unread::Unread;
use crate::ops::recovery::shard_stream;
use crate::ops::recovery::unfinished::Unfinished;
use crate::ops::request::backups::{BackupRequest, KindChoice};
use crate::ops::services::{Connection, OpenRepository, Services};
use crate::ops::steps::Steps;
use crate::ops::survey::shard_replicas::{self, Chosen};
use crate::qdrant::error::ApiError;
use crate::repository::layout;
use crate::repository::manifest::Object;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The first version that streams shards.
const STREAMS_SINCE: (u32, u32) = (1, 12);

/// From where shards are streamed, where that is asked for or fits best: on a cluster, because one replica of each is enough, and a
/// server needs no disk for it.
pub(super) async fn streams(
    request: &BackupRequest,
    connection: &Connection,
    info: Option<&CollectionInfo>,
) -> Result<Option<Chosen>, ApiError> {
    let fits = || async {
        let version = connection.whole().version().await.ok().flatten();
        let new_enough = version.is_some_and(|version| version.at_least(STREAMS_SINCE.0, STREAMS_SINCE.1));
        // Without its configuration a collection cannot be made again.
        connection.nodes.len() > 1 && new_enough && !request.keep_snapshot && info.is_some()
    };
    let shards = match request.kind {
        KindChoice::Snapshot => false,
        KindChoice::Shards => true,
        KindChoice::Auto => fits().await,
    };
    if shards { shard_replicas::choose(connection, &request.address).await.map(Some) } else { Ok(None) }
}

/// What a plan says of the way it is copied.
pub(super) fn how(streams: Option<&Chosen>, nodes: usize, limited: bool) -> Vec<Finding> {
    let Some(chosen) = streams else { return Vec::new() };
    let mut findings = Vec::new();
    let why = if nodes > 1 { "one replica of each is enough" } else { "as asked" };
    findings.push(Finding::good("kind", format!("{} shards are streamed, without the server's disk: {why}", chosen.nodes.len())));
    if !chosen.missing.is_empty() {
        let missing: Vec<String> = chosen.missing.iter().map(ToString::to_string).collect();
        findings.push(Finding::block(
            "shards",
            format!("shard {} has no Active replica on a node that answers", missing.join(", ")),
            "bring its node back; or --kind snapshot saves what the other nodes hold, as an incomplete backup",
        ));
    }
    if limited {
        let words = "a shard is not optimized while it streams, and the rate limit makes that longer";
        findings.push(Finding::look("limit", words, "raise `limit-rate` where production suffers from that"));
    }
    if chosen.moving {
        let words = "shards are moving between nodes: a replica may stop being Active meanwhile";
        findings.push(Finding::look("transfers", words, "wait until they have moved"));
    }
    findings
}

pub(super) fn stream_steps(repository: &RepositoryName, chosen: &Chosen) -> Vec<Step> {
    let nodes: BTreeSet<usize> = chosen.nodes.values().copied().collect();
    vec![
        Step::new("sample", "count the points and read a proof sample"),
        Step::new(
            "stream",
            format!(
                "{} shards from {} node(s) to {repository}, hashed on the way; each is locked against optimization while it streams",
                chosen.nodes.len(),
                nodes.len()
            ),
        ),
        Step::new("check", "read the headers of each: a server that fails midway ends its answer as if it were whole"),
        Step::new("manifest", "look whether every object is there, then write the manifest: only then the backup exists"),
    ]
}

/// Streams every shard into the repository, with the proof sample before and after.
pub(super) async fn stream_all(
    services: &Services,
    steps: &mut Steps<'_>,
    (connection, address): (&Arc<Connection>, &CollectionAddress),
    streams: &BTreeMap<ShardId, usize>,
    open: &Arc<OpenRepository>,
    unfinished: &Unfinished,
) -> Result<(Vec<Object>, Option<Proof>), Problem> {
    let progress = steps.job.progress.clone();
    let sampling = async { sample::before(connection, address, &progress).await.map_err(Unread::problem) };
    let before = steps.run("sample", "", sampling).await;
    // Replicas that were Active when it was planned may be behind by now.
    let now = shard_replicas::choose(connection, address).await.map_err(|error| error.into_problem(address.to_string()))?;
    if !now.missing.is_empty() || now.nodes.keys().ne(streams.keys()) {
        let words = "its shards changed since it was planned, or one has no Active replica any more";
        return Err(Problem::new(ProblemKind::PlanStale, words, address.to_string()).advise("nothing was backed up; try again"));
    }
    let taken_at = services.clock.now();
    let mut objects = Vec::new();
    for (shard, node) in &now.nodes {
        objects.push(stream(services, steps, (connection, *node), (address, *shard), (open, unfinished)).await?);
    }
    let recording = async { sample::after(connection, taken_at, before?, &progress).await.map_err(Unread::problem) };
    match steps.run("record", "", recording).await {
        Ok(proof) => Ok((objects, Some(proof))),
        Err(problem) => {
            let words = format!("no proof was recorded: {}; a restore can be counted, but not proven", problem.message);
            steps.note(words);
            Ok((objects, None))
        }
    }
}

async fn stream(
    services: &Services,
    steps: &mut Steps<'_>,
    (connection, node): (&Arc<Connection>, usize),
    (address, shard): (&CollectionAddress, ShardId),
    (open, unfinished): (&Arc<OpenRepository>, &Unfinished),
) -> Result<Object, Problem> {
    let from = connection.node(node)?.clone();
    let peer = from.cluster().await.ok().and_then(|cluster| cluster.peer);
    let name = layout::shard_object(shard);
    unfinished.names(services, &name).await?;
    let (key, progress) = (unfinished.key(&name), steps.job.progress.clone());
    let shown = format!("{}/collections/{}/shards/{shard}/snapshot", from.url(), address.collection);
    // Two streams of one shard: the second would wait for the first, and look like a server that hangs.
    let claim = format!("stream of shard {shard} of {} at {}", address.collection, from.url());
    let storing = async {
        let _claim = services.journal.wait_for_claim(&claim, &progress).await;
        let upload = open.bucket.upload(&key, shard_stream::LARGEST_SHARD).await?;
        progress.phase(&format!("streaming shard {shard}"), None);
        let download = match from.stream_shard(&address.collection, shard).await {
            Ok(download) => download,
            Err(error) => {
                let _ = upload.abort().await;
                return Err(error.into_problem(&shown));
            }
        };
        let limits = (&services.line(&address.instance)?, &open.throttle);
        let streamed = shard_stream::store(download, upload, limits, &progress, &shown).await?;
        // One that stopped being Active meanwhile may lack what the others have.
        let cluster = from.collection_cluster(&address.collection).await.map_err(|error| error.into_problem(&shown))?;
        let own = cluster.replicas.iter().find(|replica| replica.shard == shard && replica.peer.is_none());
        if own.is_none_or(|replica| replica.state != "Active") {
            let words = "its replica stopped being Active while it streamed";
            return Err(Problem::new(ProblemKind::Failed, words, &shown).advise("try again: another replica is taken then"));
        }
        Ok(streamed)
    };
    let streamed = steps.run("stream", &key, unfinished.alive(services, storing)).await?;
    let (size, sha256) = (streamed.size, streamed.sha256);
    steps.run("check", &key, shard_stream::check(open, (&key, size, &sha256), shard, &progress)).await?;
    Ok(Object {
        original: name.clone(),
        name,
        size,
        sha256,
        listed: false,
        node: from.url().to_string(),
        peer,
        shards: vec![shard],
    })
}
