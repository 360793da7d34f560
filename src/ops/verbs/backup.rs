//! Backing one collection up: a snapshot on every node that holds shards of it, streamed from there into the repository without
//! a local copy, proven by hash and sample, and visible once its manifest is written.

mod shard;
mod streams;

use crate::domain::address::{BackupAddress, CollectionAddress};
use crate::domain::backup::{BackupId, RepositoryName};
use crate::domain::collection::{CollectionCluster, CollectionInfo, shards_by_key};
use crate::domain::ids::ShardId;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::proof::Proof;
use crate::domain::size;
use crate::domain::snapshot::SnapshotScope;
use crate::jobs::limits::Resource;
use crate::ops::gates;
use crate::ops::journal::event::Made;
use crate::ops::plan::facts::Facts;
use crate::ops::plan::finding::Finding;
use crate::ops::plan::{Plan, Step, Work};
use crate::ops::recovery::optimizer::Patience;
use crate::ops::recovery::records::random;
use crate::ops::recovery::take::{Taken, still_there, take};
use crate::ops::recovery::unfinished::Unfinished;
use crate::ops::report::Report;
use crate::ops::request::Request;
use crate::ops::request::backups::BackupRequest;
use crate::ops::services::{Connection, OpenRepository, Services};
use crate::ops::steps::Steps;
use crate::ops::survey::locate::{NameUse, name_use};
use crate::ops::survey::membership::membership;
use crate::ops::survey::{backups, placement};
use crate::ops::verbs::backup::shard::Shards;
use crate::ops::verbs::backup::streams::Streams;
use crate::qdrant::error::ApiError;
use crate::repository::index::Contents;
use crate::repository::layout::{MANIFEST, MARK, object};
use crate::repository::manifest::{FORMAT, Indexed, Kind, Manifest, Mark, Object, Whole};
use crate::transfer::pump::{Outlet, Pump};
use crate::transfer::source::{Expected, NodeSnapshot};
use crate::transfer::stored::store;
use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A store that takes nothing for so long is away: its window of parts may be slow to move.
const STALL: Duration = Duration::from_secs(600);

/// The backup to make.
#[derive(Debug)]
struct Backup {
    request: BackupRequest,
    repository: RepositoryName,
    /// Nodes that hold shards.
    nodes: Vec<usize>,
    /// How shards are streamed; of a backup of snapshots they are not.
    streams: Option<Streams>,
    /// What the backup will not hold, in words.
    missing: Option<String>,
    /// The run that it is a part of, and how many collections of the instance that has.
    run: Option<(BackupId, usize)>,
}

/// The plan, computed by reading only.
pub(super) async fn plan(services: &Services, request: BackupRequest) -> Result<Plan, Problem> {
    plan_in(services, request, None).await
}

/// The same, as a part of a run of several.
pub(super) async fn plan_in(
    services: &Services,
    request: BackupRequest,
    run: Option<(BackupId, usize)>,
) -> Result<Plan, Problem> {
    let address = &request.address.clone();
    let repository = services.repository(request.repository.as_ref())?.clone();
    let connection = services.connection(&address.instance).await?;
    let problem = |error: ApiError| error.into_problem(address.to_string());
    no_alias(&connection, address).await?;
    let reading = backups::contents(services, &repository.name, Some(address));
    let (held, contents) = tokio::join!(placement::held(&connection, address), reading);
    let (held, (open, contents)) = (held.map_err(problem)?, contents?);
    let info = connection.whole().collection(&address.collection).await;
    let known = (&contents, &repository, services.clock.now());
    let chosen = streams::streams(&request, &connection, info.as_ref().ok(), known).await.map_err(problem)?;
    let status = info.as_ref().ok().map(|info| info.status.clone());
    let source = source_of(address, info, !held.silent.is_empty()).map_err(problem)?;
    let holder = connection.node(placement::holder(&connection, address).await)?;
    let activity = holder.snapshot_activity(&address.collection).await.ok().flatten();
    let mut findings = vec![source];
    let limited = services.limited(&[&address.instance]) || open.bucket.repository.limit_rate.is_some();
    findings.extend(streams::how(chosen.as_ref(), status.as_ref(), connection.nodes.len(), limited));
    if chosen.is_none() {
        findings.extend(gates::snapshot_name(&address.collection));
    }
    findings.extend(held.findings());
    findings.extend(membership(&connection).await.findings());
    findings.push(gates::idle(activity, &address.to_string()));
    findings.push(destination(&open, &contents).await?);
    findings.extend(gates::repository(&open.bucket.repository));
    let mut facts = Facts::default();
    facts.text("nodes with shards", format!("{:?}", held.nodes));
    let target = format!("{}:{address}", repository.name);
    let request = BackupRequest { repository: Some(repository.name.clone()), ..request };
    let steps = match &chosen {
        Some(chosen) => streams::stream_steps(&repository.name, chosen),
        None => steps_of(&request, &repository.name, held.nodes.len()),
    };
    let needs = vec![Resource::Exclusive(address.to_string()), connection.slot(), open.slot()];
    let work = Backup {
        request: request.clone(),
        repository: repository.name,
        nodes: held.nodes.clone(),
        missing: held.missing_words().filter(|_| chosen.is_none()),
        streams: chosen,
        run,
    };
    Ok(Plan {
        title: format!("backup {address} → {}", work.repository),
        changes: Some((address.clone(), connection.instance.protection)),
        only_saves: true,
        tells: true,
        source: address.to_string(),
        target,
        steps,
        findings,
        facts,
        needs,
        ..Plan::of(Request::Backup(request), work)
    })
}

/// Refuses an alias: what it names may be another collection tomorrow.
async fn no_alias(connection: &Connection, address: &CollectionAddress) -> Result<(), Problem> {
    let NameUse::Alias(real) = name_use(connection, address).await? else { return Ok(()) };
    let real = CollectionAddress::new(address.instance.clone(), real);
    Err(Problem::new(ProblemKind::Usage, format!("is an alias of {real}"), address.to_string())
        .advise(format!("name {real} itself")))
}

/// What the collection is; with a silent node it may be saved although it cannot be read.
fn source_of(address: &CollectionAddress, info: Result<CollectionInfo, ApiError>, silent: bool) -> Result<Finding, ApiError> {
    match info {
        Ok(info) => Ok(Finding::good("source", format!("{address}: {}, status {}", info.vectors_in_words(), info.status.word()))),
        Err(error) if error.is_damage() && silent => {
            let words = format!("{address} cannot be read while a node does not answer: {}", error.message);
            let advice = "what the other nodes hold can be saved; the backup is incomplete, and not counted as good";
            Ok(Finding::look("source", words, advice))
        }
        Err(error) => Err(error),
    }
}

fn steps_of(request: &BackupRequest, repository: &RepositoryName, nodes: usize) -> Vec<Step> {
    let where_to = if nodes > 1 { format!("on {nodes} nodes") } else { "on the node".to_owned() };
    let mut steps = vec![
        Step::new("sample", "count the points and read a proof sample"),
        Step::new("snapshot", format!("take the snapshot {where_to}; it needs about the collection's size on the server's disk")),
        Step::new("store", format!("stream it to {repository}, hashed on the way, without a local copy")),
        Step::new("manifest", "look whether every object is there, then write the manifest: only then the backup exists"),
    ];
    if !request.how.keep_snapshot {
        steps.push(Step::new("tidy", "delete the snapshot on the node: the backup has it"));
    }
    steps
}

/// What a plan says of the repository.
async fn destination(open: &OpenRepository, contents: &Contents) -> Result<Finding, Problem> {
    let (name, place) = (&open.bucket.repository.name, &open.bucket.repository.place);
    let mark = backups::mark(open).await?;
    if mark.is_none() {
        return Ok(Finding::look(
            "repository",
            format!("{name} is empty: the first backup makes it ({place})"),
            "should there be backups already, check that it is mounted and that `url` is right",
        ));
    }
    let good = contents.backups.iter().filter(|backup| backup.is_good()).count();
    Ok(Finding::good("repository", format!("{name} ({place}): {good} good backup(s) of this collection")))
}

#[async_trait]
impl Work for Backup {
    async fn again(&self, services: &Services) -> Result<Plan, Problem> {
        plan(services, self.request.clone()).await
    }

    async fn run(&self, services: &Arc<Services>, plan: &Plan, steps: &mut Steps<'_>) -> Result<Report, Problem> {
        // One at a time, whichever process asks.
        let _claim = services.journal.claim(&plan.target)?;
        let address = &self.request.address;
        let connection = services.connection(&address.instance).await?;
        let open = services.open(&self.repository).await?;
        let began = services.clock.now();
        let id = BackupId::of(began, random());
        let shown = BackupAddress::id(&self.repository, address, &id).to_string();
        steps.made(Made::Backup, &shown)?;
        let unfinished = Unfinished::begin(services, &open, address, &id, steps).await?;
        mark(&open, &id, began).await?;
        let info = connection.whole().collection(&address.collection).await.ok();
        if let (true, None) = (self.streams.is_some(), &info) {
            let words = "its configuration could not be read, and shards alone do not tell how to make the collection again";
            return Err(Problem::new(ProblemKind::Failed, words, address.to_string()).advise("try again"));
        }
        let (mut taken, mut objects, mut indexes, mut proofs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut unsettled = None;
        if let Some(streams) = &self.streams {
            let (connection, open, unfinished, id) = (&connection, &open, &unfinished, &id);
            let patience = &Patience::new(self.request.how.optimizer_wait);
            let shards = Shards { services, connection, address, open, unfinished, id, patience };
            let streamed = streams::stream_all(&shards, steps, streams).await?;
            unsettled = streamed.missing();
            (objects, indexes) = (streamed.objects, streamed.indexes);
            proofs.extend(streamed.proof);
        } else {
            for node in self.nodes.iter().copied() {
                let snapshot = take(services, steps, (&connection, node, address), ("snapshot", Some(Made::Snapshot))).await?;
                let object = self.store(services, steps, (&connection, node), &open, &unfinished, &snapshot).await?;
                proofs.extend(snapshot.proof.clone());
                objects.push(object);
                taken.push((node, snapshot));
            }
        }
        let about = About { address, connection: &connection, info, began, id: &id };
        let mut manifest = self.manifest(services, about, (objects, indexes), &proofs).await;
        // Shards moved since the plan, or their node could not be waited for: what it says must hold for who reads it.
        let flaw = manifest.flaw().or(unsettled).filter(|_| manifest.complete);
        if let Some(flaw) = &flaw {
            (manifest.complete, manifest.missing) = (false, vec![flaw.clone()]);
        }
        let proof = merged(proofs);
        let bytes = manifest.size();
        borrowed(&manifest).into_iter().for_each(|words| steps.note(words));
        let writing = publish(&open, &unfinished, &manifest, proof.as_ref());
        let job = steps.job;
        job.commit(steps.run("manifest", &shown, writing)).await?;
        unfinished.done(steps).await;
        if manifest.config.is_null() {
            steps.note("the configuration of the collection could not be read: the manifest does not have it, the snapshot has");
        }
        let missing = self.incomplete(flaw, &shown);
        // The backup is there, whatever becomes of the snapshots that it was made of.
        let kept = self.tidy(steps, &connection, taken).await.err();
        let failures = missing.into_iter().chain(kept.map(|problem| {
            let advice = format!("the backup {shown} is there and good; {}", problem.advice);
            problem.advise(advice)
        }));
        Ok(Report { bytes, created: vec![shown.clone()], failures: failures.collect(), ..plan.report() })
    }
}

/// Marks a repository that has no backup yet.
async fn mark(open: &OpenRepository, id: &BackupId, now: Timestamp) -> Result<(), Problem> {
    if backups::mark(open).await?.is_some() {
        return Ok(());
    }
    let own = Mark { format: FORMAT, id: format!("{}-{:04x}", id, random()), created_at: now };
    let made = open.bucket.create(MARK, serde_json::to_vec_pretty(&own).unwrap_or_default()).await;
    // Of several first backups one makes it; the others find it.
    match (made, backups::mark(open).await?) {
        (Err(problem), None) => Err(problem),
        _ => Ok(()),
    }
}

/// What a manifest is of.
struct About<'a> {
    address: &'a CollectionAddress,
    connection: &'a Arc<Connection>,
    info: Option<CollectionInfo>,
    began: Timestamp,
    id: &'a BackupId,
}

impl Backup {
    /// Streams one snapshot into the repository.
    async fn store(
        &self,
        services: &Services,
        steps: &mut Steps<'_>,
        (connection, node): (&Arc<Connection>, usize),
        open: &Arc<OpenRepository>,
        unfinished: &Unfinished,
        taken: &Taken,
    ) -> Result<Object, Problem> {
        let address = &self.request.address;
        let snapshot = &taken.snapshot;
        let from = connection.node(node)?.clone();
        let cluster = from.collection_cluster(&address.collection).await.ok();
        let peer = cluster.as_ref().map(|cluster| cluster.peer);
        let name = object(peer, snapshot.name.raw());
        unfinished.names(services, &name).await?;
        let shown = address.snapshot(&snapshot.name);
        let scope = SnapshotScope::Collection(address.collection.clone());
        let source = NodeSnapshot { node: from.clone(), scope, name: snapshot.name.clone(), shown: shown.clone() };
        let job = steps.job;
        let storing = async {
            let probed = Expected::probe(&source, snapshot.size, snapshot.sha256.clone()).await;
            let expected = probed.map_err(|error| error.into_problem(&shown))?;
            let size = expected.size;
            job.progress.phase("storing", Some(size));
            let outlet =
                Outlet { throttle: open.throttle.clone(), stall: STALL, shown: open.bucket.shown(&name), wants_end: true };
            let line = services.line(&address.instance)?;
            let upload = open.bucket.upload(&unfinished.key(&name), size).await?;
            let pump = Pump::from_source(Arc::new(source), expected, line, outlet, &job.progress, std::future::ready(Ok(true)));
            let pump = store(pump, upload, &job.progress).await?;
            Ok((size, pump.sha256().unwrap_or_default().to_owned()))
        };
        let (size, sha256) = steps.run("store", &unfinished.key(&name), unfinished.alive(services, storing)).await?;
        let local = |cluster: CollectionCluster| {
            let own = cluster.replicas.into_iter().filter(|replica| replica.peer.is_none() && replica.state == "Active");
            own.map(|replica| replica.shard).collect()
        };
        Ok(Object {
            name,
            original: snapshot.name.raw().to_owned(),
            size,
            sha256,
            listed: snapshot.sha256.is_some(),
            node: from.url().to_string(),
            peer,
            shards: cluster.map(local).unwrap_or_default(),
        })
    }

    /// What the backup lacks, as the report says it.
    fn incomplete(&self, flaw: Option<String>, shown: &str) -> Option<Problem> {
        let again = match &flaw {
            Some(_) => "back up again when it is green, or with --kind snapshot",
            None => "bring that node back and back up again",
        };
        let advice = format!("the backup is incomplete, and not counted as good; {again}");
        self.missing.clone().or(flaw).map(|words| Problem::new(ProblemKind::Partly, words, shown).advise(advice))
    }

    async fn manifest(
        &self,
        services: &Services,
        about: About<'_>,
        (objects, indexes): (Vec<Object>, Vec<Indexed>),
        proofs: &[Proof],
    ) -> Manifest {
        let About { address, connection, info, began, id } = about;
        let aliases = connection.whole().aliases().await.unwrap_or_default();
        let own = aliases.into_iter().filter(|alias| alias.collection == address.collection);
        let version = connection.whole().version().await.ok().flatten();
        Manifest {
            format: FORMAT,
            id: id.clone(),
            kind: if self.streams.is_some() { Kind::Shards } else { Kind::Snapshot },
            instance: address.instance.to_string(),
            collection: address.collection.raw().to_owned(),
            taken_at: began,
            finished_at: services.clock.now(),
            complete: self.missing.is_none(),
            missing: self.missing.clone().into_iter().collect(),
            objects,
            indexes,
            points_min: proofs.iter().map(|proof| proof.points_min).min(),
            points_max: proofs.iter().map(|proof| proof.points_max).max(),
            status: info.as_ref().map(|info| info.status.word().to_owned()),
            qdrant_version: version.map(|version| version.to_string()),
            qsnap_version: env!("CARGO_PKG_VERSION").to_owned(),
            who: services.journal.operator().to_owned(),
            run: self.run.as_ref().map(|(run, _)| run.to_string()),
            run_collections: self.run.as_ref().map(|(_, count)| *count),
            shards: info.as_ref().map(CollectionInfo::shard_number),
            shard_keys: self.shard_keys(connection).await,
            aliases: own.map(|alias| alias.alias).collect(),
            config: info.as_ref().map(|info| json!({"params": info.params, "settings": info.settings})).unwrap_or_default(),
            payload_schema: info.map(|info| json!(info.payload_schema)).unwrap_or_default(),
        }
    }

    /// Each shard key with the numbers of its shards: data finds its shard by the number.
    async fn shard_keys(&self, connection: &Arc<Connection>) -> Vec<Value> {
        let answers = placement::clusters(connection, &self.request.address).await;
        let numbers: BTreeMap<ShardId, Value> = answers.into_iter().flatten().flat_map(|cluster| cluster.keys()).collect();
        shards_by_key(&numbers).into_iter().map(|(key, shards)| json!({"key": key, "shards": shards})).collect()
    }

    /// The snapshots on the nodes have served.
    async fn tidy(&self, steps: &mut Steps<'_>, connection: &Arc<Connection>, taken: Vec<(usize, Taken)>) -> Result<(), Problem> {
        for (node, snapshot) in taken {
            if !self.request.how.keep_snapshot {
                snapshot.remove(steps).await;
                continue;
            }
            let (info, begun): (_, Instant) = (snapshot.snapshot.clone(), snapshot.begun);
            let kept = still_there(connection, node, &self.request.address, &info, begun);
            steps.run("keep the snapshot", "", kept).await?;
            snapshot.keep(steps);
        }
        Ok(())
    }
}

/// Writes the manifest, if all that it names is there: then the backup exists.
async fn publish(
    open: &OpenRepository,
    unfinished: &Unfinished,
    manifest: &Manifest,
    proof: Option<&Proof>,
) -> Result<(), Problem> {
    unfinished.all_there(manifest).await?;
    let text = serde_json::to_vec_pretty(&Whole { manifest, proof }).unwrap_or_default();
    open.bucket.create(&unfinished.key(MANIFEST), text).await
}

/// What a backup takes from older ones, in words.
fn borrowed(manifest: &Manifest) -> Option<String> {
    let (stored, whole) = (manifest.size(), manifest.restored_size());
    (stored < whole).then(|| format!("{} stored; with what older backups hold it is {}", size::bytes(stored), size::bytes(whole)))
}

/// One proof of several nodes' snapshots: between them writes may go on, so that only what all agree on counts.
fn merged(proofs: Vec<Proof>) -> Option<Proof> {
    proofs.into_iter().reduce(|mut one, other| {
        one.points_min = one.points_min.min(other.points_min);
        one.points_max = one.points_max.max(other.points_max);
        one.samples.retain(|(id, digest)| other.samples.iter().all(|(known, now)| known != id || now == digest));
        one
    })
}
