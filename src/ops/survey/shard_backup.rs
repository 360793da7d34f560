//! A backup that is restored shard by shard: a stream of each, or the snapshots of several nodes, of which none holds all.

use crate::archive::contents::{Collection, ShardKey};
use crate::archive::members::Unfit;
use crate::archive::shape::Shape;
use crate::archive::shard_parts::{self, ShardPiece};
use crate::domain::address::BackupAddress;
use crate::domain::collection::{CollectionInfo, CollectionStatus};
use crate::domain::ids::ShardId;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::proof::Proof;
use crate::domain::settings::Settings;
use crate::jobs::progress::Progress;
use crate::ops::plan::finding::Finding;
use crate::ops::services::OpenRepository;
use crate::ops::survey::backup_files::{self, BackupFile, FileSource};
use crate::ops::survey::{backups, inspect};
use crate::qdrant::error::ApiError;
use crate::repository::index::Backup;
use crate::repository::manifest::{Kind, Manifest, Object};
use crate::transfer::composed::{Composed, Part, Piece};
use crate::transfer::remote::{Cost, Ranges};
use bytes::Bytes;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The backup.
pub(in crate::ops) struct ShardBackup {
    pub open: Arc<OpenRepository>,
    pub address: BackupAddress,
    pub backup: Arc<Backup>,
    pub manifest: Arc<Manifest>,
    pub proof: Option<Box<Proof>>,
    /// So many replicas of each shard are made, and not as many as there were.
    pub replicas: Option<NonZeroU32>,
}

/// Whether a backup can only be restored shard by shard.
pub(in crate::ops) fn is_one(backup: &Backup) -> bool {
    backup.manifest.as_ref().is_some_and(|manifest| match manifest.kind {
        Kind::Shards => true,
        Kind::Snapshot => manifest.objects.len() > 1 && backups::whole_object(backup, "").is_err(),
    })
}

impl ShardBackup {
    /// Shards of which it has the data.
    pub(in crate::ops) fn shards(&self) -> BTreeSet<ShardId> {
        backup_files::files(&self.manifest).iter().flat_map(BackupFile::shards).collect()
    }

    /// The shards that the collection had.
    fn wanted(&self) -> BTreeSet<ShardId> {
        let keyed: BTreeSet<ShardId> = self.keys().into_iter().flat_map(|key| key.shards).collect();
        let count = self.manifest.shards.unwrap_or(self.shards().len() as u64);
        if keyed.is_empty() { (0..count.min(u64::from(ShardId::MAX)) as ShardId).collect() } else { keyed }
    }

    /// The shard keys, in the order of their numbers.
    fn keys(&self) -> Vec<ShardKey> {
        let read = |entry: &Value| {
            let (raw, shards) = (entry.get("key")?.clone(), entry.get("shards")?.clone());
            Some(ShardKey::new(raw, serde_json::from_value(shards).ok()?))
        };
        self.manifest.shard_keys.iter().filter_map(read).collect()
    }

    /// The collection in the words of a snapshot's files, for what makes shard keys.
    pub(in crate::ops) fn collection(&self) -> Option<Collection> {
        let config = self.info()?.settings.config().clone();
        let shape = Shape::read(&config).ok();
        Some(Collection { shape, config, keys: self.keys(), ..Collection::default() })
    }

    /// The collection as it was recorded; `None` where it was not.
    pub(in crate::ops) fn info(&self) -> Option<CollectionInfo> {
        let settings: Settings = serde_json::from_value(self.manifest.config.get("settings")?.clone()).ok()?;
        Some(
            CollectionInfo {
                status: CollectionStatus::Other(String::new()),
                optimizer_error: None,
                points: None,
                params: self.manifest.config.get("params").filter(|params| params.is_object())?.clone(),
                payload_schema: serde_json::from_value(self.manifest.payload_schema.clone()).unwrap_or_default(),
                settings,
            }
            .with_replicas(self.replicas),
        )
    }

    /// What a plan says of it.
    pub(in crate::ops) fn findings(&self, nodes: usize) -> Vec<Finding> {
        let (shards, info) = (self.shards(), self.info());
        let wanted = self.wanted();
        let count = wanted.len();
        let mut findings = Vec::new();
        if !wanted.is_subset(&shards) {
            findings.push(Finding::block(
                "shards",
                format!("it has the data of {} of {count} shards", wanted.intersection(&shards).count()),
                "restored it would lack the points of the others: choose a complete backup",
            ));
        } else {
            findings.push(Finding::good("shards", format!("all {count} shards are in it; each is restored by itself")));
        }
        match info {
            None => findings.push(Finding::block(
                "configuration",
                "how the collection was configured was not recorded, and it cannot be created without",
                "choose another backup",
            )),
            Some(info) if info.custom_sharding() && self.manifest.shard_keys.is_empty() => findings.push(Finding::block(
                "shard keys",
                "it is sharded by keys, and they were not recorded",
                "choose another backup: restored without its keys, its data would get into wrong shards",
            )),
            Some(info) if info.replication_factor() > nodes as u64 => findings.push(Finding::look(
                "replicas",
                format!("{} replicas of each shard are wanted, the target has {nodes} node(s)", info.replication_factor()),
                "each node gets one at most",
            )),
            Some(_) => {}
        }
        findings
    }

    /// The bytes of each shard.
    ///
    /// # Errors
    /// When an object cannot be read, or does not have what the manifest says.
    pub(in crate::ops) async fn sources(&self, progress: &Progress) -> Result<BTreeMap<ShardId, FileSource>, Problem> {
        let mut sources = BTreeMap::new();
        for file in backup_files::files(&self.manifest) {
            match (self.manifest.kind, file.shards().as_slice(), &file) {
                (Kind::Shards, [shard], _) => {
                    sources.insert(*shard, file.open(&self.open, &self.backup, self.shown(*shard)).await?);
                }
                (Kind::Snapshot, shards, BackupFile::Object(object)) => {
                    let wanted: Vec<ShardId> = shards.iter().copied().filter(|shard| !sources.contains_key(shard)).collect();
                    if !wanted.is_empty() {
                        self.take_out(object, &wanted, progress, &mut sources).await?;
                    }
                }
                _ => return Err(self.damaged(&file.original(), "it does not say which shard it is")),
            }
        }
        Ok(sources)
    }

    fn shown(&self, shard: ShardId) -> String {
        format!("{} shard {shard}", self.address)
    }

    fn damaged(&self, name: &str, words: &str) -> Problem {
        Problem::new(ProblemKind::Failed, format!("{name}: {words}"), self.address.to_string())
            .advise("`qsnap verify` reads all of it; choose another backup")
    }

    /// The shards in the snapshot of a node.
    async fn take_out(
        &self,
        object: &Object,
        wanted: &[ShardId],
        progress: &Progress,
        sources: &mut BTreeMap<ShardId, FileSource>,
    ) -> Result<(), Problem> {
        // A part of a file has no hash of its own: all of it is read first.
        let read =
            inspect::stored(&self.open, &self.backup, &BackupFile::Object(object.clone()), self.address.to_string(), progress)
                .await?;
        if read.damaged() {
            let words = format!("{}: its bytes are not those that the manifest names, or its archive is damaged", object.name);
            return Err(Problem::new(ProblemKind::Difference, words, self.address.to_string())
                .advise("nothing was restored from it; choose another backup"));
        }
        let stop = CancellationToken::new();
        let _guard = stop.clone().drop_guard();
        let (source, expected) = backups::source(&self.open, &self.backup, object, self.address.to_string());
        let of = Arc::new(Part { source: Arc::new(source), expected: expected.clone() });
        let (line, cost) = (backups::line(&self.open), Arc::new(Cost::default()));
        let mut ranges = Ranges::new(of.source.clone(), expected, line, cost, stop);
        let read = tokio::task::spawn_blocking(move || shard_parts::shards(&mut ranges)).await;
        let mut found = match read.map_err(|error| self.damaged(&object.name, &error.to_string()))? {
            Ok(found) => found,
            Err(Unfit::Damage(damage)) => return Err(self.damaged(&object.name, &damage.what)),
            Err(Unfit::Source(error)) => {
                return Err(match error.downcast::<ApiError>() {
                    Ok(error) => error.into_problem(self.address.to_string()),
                    Err(error) => self.damaged(&object.name, &error.to_string()),
                });
            }
        };
        for shard in wanted {
            let Some(pieces) = found.remove(shard) else {
                return Err(self.damaged(&object.name, &format!("shard {shard} is not in it")));
            };
            let pieces = pieces.into_iter().map(|piece| match piece {
                ShardPiece::Own(bytes) => Piece::Own(Bytes::from(bytes)),
                ShardPiece::Range(start, length) => Piece::Range { of: of.clone(), start, length },
            });
            let composed = Composed::new(pieces, self.shown(*shard));
            let expected = composed.expected();
            sources.insert(*shard, FileSource { source: Arc::new(composed), expected });
        }
        Ok(())
    }
}
