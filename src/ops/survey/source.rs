//! What is known of a recovery point before anything moves. Reads only, and at the same time what can be.

use crate::archive::contents::Collection;
use crate::domain::address::{Address, BackupAddress, CollectionAddress, SnapshotsOf, Which};
use crate::domain::collection::CollectionInfo;
use crate::domain::ids::{CollectionName, SnapshotName};
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::proof::Proof;
use crate::domain::settings::Settings;
use crate::domain::snapshot::{SnapshotScope, time_in_name};
use crate::domain::text::sanitise;
use crate::domain::time;
use crate::domain::version::ServerVersion;
use crate::ops::gates::evidence::Evidence;
use crate::ops::gates::{self, loss};
use crate::ops::plan::finding::Finding;
use crate::ops::request::recovery_point::RecoveryPoint;
use crate::ops::services::{Connection, OpenRepository, Services};
use crate::ops::survey::backups;
use crate::ops::survey::contents::{self, Content};
use crate::ops::survey::inspect::side_file;
use crate::ops::survey::locate::{choose, safeties, safeties_among, snapshots};
use crate::ops::survey::origin::Origin;
use crate::ops::survey::shard_backup::{self, ShardBackup};
use crate::ops::survey::storage::Member;
use crate::repository::index::Backup;
use crate::transfer::disk::disk_problem;
use jiff::Timestamp;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;

/// What is known of it.
pub(in crate::ops) struct Known {
    pub origin: Origin,
    /// As people read it.
    pub shown: String,
    /// What must not change until it is used.
    pub fingerprint: String,
    pub size: u64,
    /// The server that took it.
    pub version: Option<ServerVersion>,
    /// The collection as it was then.
    pub info: Option<CollectionInfo>,
    /// All that its configuration says.
    pub collection: Option<Box<Collection>>,
    pub content: Content,
    pub findings: Vec<Finding>,
    pub evidence: Evidence,
    /// Settings that were recorded when it was taken.
    recorded: Option<Settings>,
}

impl Known {
    /// The same, restored with so many replicas of each shard.
    ///
    /// # Errors
    /// When its collection is not made by qsnap: a snapshot brings its own configuration.
    pub(in crate::ops) fn with_replicas(&mut self, replicas: NonZeroU32) -> Result<(), Problem> {
        let Origin::Shards(shards) = &self.origin else {
            return Err(Problem::new(ProblemKind::Usage, "--replicas is for what is restored shard by shard", &self.shown)
                .advise("a snapshot brings its own number; change it afterwards on the server"));
        };
        let (open, address, backup) = (shards.open.clone(), shards.address.clone(), shards.backup.clone());
        let (manifest, proof) = (shards.manifest.clone(), shards.proof.clone());
        let shards = ShardBackup { open, address, backup, manifest, proof, replicas: Some(replicas) };
        self.info = shards.info();
        self.collection = shards.collection().map(Box::new);
        self.origin = Origin::Shards(Arc::new(shards));
        Ok(())
    }
}

/// Finds it, and reads what can be read.
///
/// What is restored `over` is no live source: it would be compared with itself.
pub(in crate::ops) async fn gather(
    services: &Services,
    source: &RecoveryPoint,
    over: Option<&CollectionAddress>,
) -> Result<Known, Problem> {
    let mut known = match source {
        RecoveryPoint::File(path) => file(services, path).await?,
        RecoveryPoint::Snapshot(address, which) => snapshot(services, address, which, over).await?,
        RecoveryPoint::Backup(address) => backup(services, address).await?,
        RecoveryPoint::Member(whole, collection) => member(services, whole, collection).await?,
        RecoveryPoint::Storage(..) => {
            let words = "it holds a whole instance, not one collection";
            return Err(Problem::new(ProblemKind::Usage, words, source.to_string()).advise(format!(
                "`qsnap restore --all {source} --to INSTANCE` restores all of it, `qsnap restore {source}#COLLECTION` one"
            )));
        }
        RecoveryPoint::Link(_) | RecoveryPoint::Stdin => {
            return Err(Problem::new(ProblemKind::Usage, "it can be looked into, and not restored from", source.to_string())
                .advise("save it as a file first, then restore that file"));
        }
    };
    // The snapshot's own shape: the collection may have changed since.
    known.info = known.content.info().or(known.info);
    known.collection = known.content.collection().cloned().map(Box::new).or(known.collection);
    // What the server told when it was taken is more than what the snapshot lists.
    if let (Some(info), Some(recorded)) = (&mut known.info, known.recorded.take()) {
        info.settings = recorded;
    }
    Ok(known)
}

async fn file(services: &Services, path: &Path) -> Result<Known, Problem> {
    let meta = std::fs::metadata(path).map_err(|error| disk_problem("read", path, &error))?;
    // An operation that is taken up again may be started from another folder; and a plan must find itself again.
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let shown = sanitise(&path.display().to_string());
    if !meta.is_file() || meta.len() == 0 {
        let what = if meta.is_file() { "is empty" } else { "is not a file" };
        return Err(Problem::new(ProblemKind::Usage, what, shown).advise("name a .snapshot file"));
    }
    let content = contents::read(services, &RecoveryPoint::File(path.clone())).await;
    let recorded = named_like(services, &path);
    let evidence = Evidence::by(recorded.is_some(), side_file(&path).is_some());
    Ok(Known {
        fingerprint: format!("{shown} of {} bytes", meta.len()),
        shown,
        size: meta.len(),
        version: recorded.as_ref().and_then(|(_, proof)| ServerVersion::parse(proof.qdrant_version.as_deref()?)),
        info: None,
        collection: None,
        content,
        findings: vec![gates::file_evidence(evidence), file_window(services, &path, recorded.as_ref().map(|(_, proof)| proof))],
        evidence,
        recorded: recorded.and_then(|(_, proof)| proof.settings),
        origin: Origin::File { path, size: meta.len(), sha256: None },
    })
}

/// The loss window of a file: its name tells when it was taken, the record how many points it had.
fn file_window(services: &Services, path: &Path, proof: Option<&Proof>) -> Finding {
    let taken_at = crate::domain::snapshot::taken_at_of_file(path).or(proof.map(|proof| proof.taken_at));
    window(services, taken_at, proof, None)
}

/// The loss window of what no list of a node shows: whether there is a newer one is not known.
fn window(services: &Services, taken_at: Option<Timestamp>, proof: Option<&Proof>, now: Option<u64>) -> Finding {
    let Some(taken_at) = taken_at else { return loss::unknown() };
    loss::window(&loss::Window {
        taken: time::second(taken_at),
        ago: time::ago(services.clock.now(), taken_at),
        then: proof.map(|proof| proof.points_max),
        now,
        newer: None,
        unseen: true,
    })
}

/// The record of a snapshot with this file's name: Qdrant's names hold collection, peer and second.
pub(in crate::ops) fn named_like(services: &Services, path: &Path) -> Option<(String, Proof)> {
    services.proofs.by_name(path.file_name()?.to_str()?)
}

async fn snapshot(
    services: &Services,
    address: &CollectionAddress,
    which: &Which,
    over: Option<&CollectionAddress>,
) -> Result<Known, Problem> {
    let connection = services.connection(&address.instance).await?;
    let safeties = safeties(services, which).await?;
    let listed = snapshots(&connection, address).await;
    let safeties = safeties_among(&safeties, address, &listed.0);
    let located = choose(&listed, &SnapshotsOf::Collection(address.clone()), which, &safeties)?;
    let node = connection.node(located.node)?.clone();
    let snapshot = located.snapshot.clone();
    let named = RecoveryPoint::Snapshot(address.clone(), Which::Named(snapshot.name.clone()));
    let (content, info, now, cluster) = tokio::join!(
        contents::read(services, &named),
        connection.whole().collection(&address.collection),
        counted(&connection, address),
        node.collection_cluster(&address.collection)
    );
    let info = info.ok();
    let proof = services.proofs.load(snapshot.sha256.as_deref());
    let evidence = Evidence::by(proof.is_some(), snapshot.sha256.is_some());
    let mut findings = vec![gates::checksum(snapshot.sha256.as_deref())];
    findings.push(gates::proof(proof.is_some(), now.is_some() && over != Some(address)));
    let shown = Address::Snapshot(address.clone(), Which::Named(snapshot.name.clone())).to_string();
    if safeties.contains(&shown) {
        findings.push(Finding::look(
            "safety snapshot",
            "it was taken before an overwrite: it holds what was replaced then",
            "take an older one, unless that is what you want back",
        ));
    }
    let newer = listed.0.iter().filter(|other| other.snapshot.taken_at > snapshot.taken_at);
    let newer = newer.map(|other| address.snapshot(&other.snapshot.name)).find(|shown| !safeties.contains(shown));
    findings.push(match snapshot.taken_at {
        Some(taken_at) => loss::window(&loss::Window {
            taken: time::second(taken_at),
            ago: time::ago(services.clock.now(), taken_at),
            then: proof.as_ref().map(|proof| proof.points_max),
            now,
            newer,
            unseen: !listed.1.is_empty(),
        }),
        None => loss::unknown(),
    });
    findings.push(match cluster {
        Ok(cluster) => gates::complete(&cluster.missing_here(), connection.nodes.len()),
        Err(error) => gates::not_checked("shards", &error.message),
    });
    Ok(Known {
        fingerprint: format!("{} of {} bytes", snapshot.name, snapshot.size),
        shown,
        size: snapshot.size,
        version: proof.as_ref().and_then(|proof| ServerVersion::parse(proof.qdrant_version.as_deref()?)),
        info,
        collection: None,
        content,
        findings,
        evidence,
        recorded: proof.and_then(|proof| proof.settings),
        origin: Origin::Node { connection, node: located.node, address: address.clone(), snapshot },
    })
}

/// A backup, which need not be of an instance that still exists.
async fn backup(services: &Services, asked: &BackupAddress) -> Result<Known, Problem> {
    let (open, backup) = backups::find(services, asked).await?;
    let address = BackupAddress::id(&asked.repository, &asked.collection, &backup.id);
    let shown = address.to_string();
    if shard_backup::is_one(&backup) {
        return by_shards(services, &open, backup, address).await;
    }
    let object = backups::whole_object(&backup, &shown)?.clone();
    let point = RecoveryPoint::Backup(address.clone());
    let (content, proof, now) = tokio::join!(
        contents::read(services, &point),
        backups::proof(&open, &backup),
        counted_where_configured(services, &address.collection)
    );
    let proof = proof?;
    let mut findings = vec![gates::backup(&backup, services.clock.now()), gates::checksum(Some(&object.sha256))];
    findings.push(gates::proof(proof.is_some(), false));
    findings.push(window(services, Some(backup.taken_at()), proof.as_ref(), now));
    Ok(Known {
        fingerprint: format!("{shown} with sha256 {}", object.sha256),
        size: object.size,
        version: backup.manifest.as_ref().and_then(|manifest| backups::version_of(manifest)),
        info: None,
        collection: None,
        content,
        findings,
        evidence: Evidence::by(proof.is_some(), true),
        recorded: proof.as_ref().and_then(|proof| proof.settings.clone()),
        origin: Origin::Backup { open, address, backup: Arc::new(backup), object, proof: proof.map(Box::new) },
        shown,
    })
}

/// A backup that is restored shard by shard.
async fn by_shards(
    services: &Services,
    open: &Arc<OpenRepository>,
    backup: Backup,
    address: BackupAddress,
) -> Result<Known, Problem> {
    let shown = address.to_string();
    let (proof, now) = tokio::join!(backups::proof(open, &backup), counted_where_configured(services, &address.collection));
    let proof = proof?;
    let Some(manifest) = backup.manifest.clone() else {
        return Err(Problem::new(ProblemKind::Failed, backup.state.reason(), shown));
    };
    let mut findings = vec![gates::backup(&backup, services.clock.now()), gates::proof(proof.is_some(), false)];
    findings.push(window(services, Some(backup.taken_at()), proof.as_ref(), now));
    let shards = ShardBackup {
        open: open.clone(),
        address,
        backup: Arc::new(backup),
        manifest: manifest.clone(),
        proof: proof.clone().map(Box::new),
        replicas: None,
    };
    Ok(Known {
        fingerprint: format!("{shown} with {} objects of {} bytes", manifest.objects.len(), manifest.size()),
        size: manifest.restored_size(),
        version: backups::version_of(&manifest),
        info: shards.info(),
        collection: shards.collection().map(Box::new),
        content: Content::Parts,
        findings,
        evidence: Evidence::by(proof.is_some(), true),
        recorded: proof.and_then(|proof| proof.settings),
        origin: Origin::Shards(Arc::new(shards)),
        shown,
    })
}

/// One collection in a snapshot of the full storage.
async fn member(services: &Services, whole: &RecoveryPoint, collection: &CollectionName) -> Result<Known, Problem> {
    let member = Member::find(services, whole, collection).await?;
    let shown = member.point().to_string();
    let content = contents::read(services, &member.point()).await;
    let proof = member.proof.as_deref();
    let evidence = Evidence::by(proof.is_some() && member.storage.expected.sha256.is_some(), false);
    let taken_at = time_in_name(&SnapshotName::new(member.file.clone())).or(proof.map(|proof| proof.taken_at));
    let now = match &member.storage.connection {
        Some(connection) => {
            counted(connection, &CollectionAddress::new(connection.instance.name.clone(), collection.clone())).await
        }
        None => None,
    };
    let window = window(services, taken_at, proof, now);
    Ok(Known {
        fingerprint: format!("{shown}, {}", member.place()),
        size: member.size,
        version: proof.and_then(|proof| ServerVersion::parse(proof.qdrant_version.as_deref()?)),
        info: None,
        collection: None,
        content,
        findings: vec![gates::proof(proof.is_some(), false), window],
        evidence,
        recorded: proof.and_then(|proof| proof.settings.clone()),
        origin: Origin::Member(Arc::new(member)),
        shown,
    })
}

/// Points of a collection now, where its instance is still known and answers.
async fn counted_where_configured(services: &Services, address: &CollectionAddress) -> Option<u64> {
    let connection = services.connection(&address.instance).await.ok()?;
    counted(&connection, address).await
}

/// Points now, as far as they can be counted without reading all of them: about as many, where the server refuses to count.
async fn counted(connection: &Connection, address: &CollectionAddress) -> Option<u64> {
    match connection.whole().count(&address.collection).await {
        Ok(points) => Some(points),
        Err(error) if error.is_damage() => None,
        Err(_) => connection.whole().collection(&address.collection).await.ok()?.points,
    }
}

/// Where the collection's snapshots lie on its nodes.
pub(in crate::ops) fn scope(address: &CollectionAddress) -> SnapshotScope {
    SnapshotScope::Collection(address.collection.clone())
}
