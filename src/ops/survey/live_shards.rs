//! A live collection that is copied shard by shard: from which node each is streamed, and how the collection is configured.

use crate::archive::contents::{Collection, ShardKey};
use crate::archive::shape::Shape;
use crate::domain::address::CollectionAddress;
use crate::domain::collection::{CollectionInfo, CollectionStatus, shards_by_key};
use crate::domain::ids::ShardId;
use crate::domain::problem::{Problem, ProblemKind};
use crate::ops::plan::finding::Finding;
use crate::ops::request::route::Route;
use crate::ops::services::Connection;
use crate::ops::survey::first_route::{End, first_route};
use crate::ops::survey::shard_replicas::{self, Chosen};
use crate::qdrant::api::QdrantApi;
use crate::qdrant::error::ApiError;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What streams of shards and the optimizer of their node do to each other.
pub(in crate::ops) fn lock(status: &CollectionStatus, limited: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    if *status == CollectionStatus::Yellow {
        let words = "the collection is being optimized, and a stream would lack its latest deletions: that is waited for";
        findings.push(Finding::look("optimizer", words, "for ten minutes, unless --optimizer-wait says otherwise for a backup"));
    }
    if limited {
        let words = "a shard is not optimized while it streams, and the rate limit makes that longer";
        findings.push(Finding::look("limit", words, "raise `limit-rate` where production suffers from that"));
    }
    findings
}

/// A live collection, and from where its shards come.
pub(in crate::ops) struct LiveShards {
    pub connection: Arc<Connection>,
    pub address: CollectionAddress,
    pub info: CollectionInfo,
    /// The node of each shard.
    pub chosen: Chosen,
}

impl LiveShards {
    /// Asks all nodes.
    ///
    /// # Errors
    /// When none answers.
    pub(in crate::ops) async fn find(
        connection: &Arc<Connection>,
        address: &CollectionAddress,
        info: CollectionInfo,
    ) -> Result<Self, ApiError> {
        let chosen = shard_replicas::choose(connection, address, &BTreeMap::new()).await?;
        Ok(Self { connection: connection.clone(), address: address.clone(), info, chosen })
    }

    /// What a plan says of the shards.
    pub(in crate::ops) fn findings(&self, targets: usize, limited: bool) -> Vec<Finding> {
        let Chosen { nodes, missing, moving, .. } = &self.chosen;
        let mut findings = Vec::new();
        if missing.is_empty() {
            let words = format!("{} shards, each streamed from a node that holds it; no snapshot is taken", nodes.len());
            findings.push(Finding::good("shards", words));
        } else {
            let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
            findings.push(Finding::block(
                "shards",
                format!("shard {} has no Active replica on a node that answers", missing.join(", ")),
                "bring its node back, and give all nodes of the cluster in the configuration",
            ));
        }
        if *moving {
            let words = "shards are moving between nodes: a replica may stop being Active meanwhile";
            findings.push(Finding::look("transfers", words, "wait until they have moved"));
        }
        findings.extend(lock(&self.info.status, limited));
        let replicas = self.info.replication_factor();
        if replicas > targets as u64 {
            let words = format!("{replicas} replicas of each shard are wanted, the target has {targets} node(s)");
            findings.push(Finding::look("replicas", words, "each node gets one at most"));
        }
        if self.info.custom_sharding() && self.chosen.keys.is_empty() {
            let words = "it is sharded by keys, and no node tells them";
            findings.push(Finding::block("shard keys", words, "copy it when its nodes answer"));
        }
        findings
    }

    /// The route of its shards to a target, and why. One for all: that a key is handed over is shown before, and not decided shard
    /// by shard.
    pub(in crate::ops) fn route(&self, asked: Route, target: &Connection, limited: bool) -> (Route, String) {
        let sources = self.chosen.nodes.values().filter_map(|index| self.connection.nodes.get(*index));
        let pairs = sources.flat_map(|source| target.nodes.iter().map(move |node| (source, node)));
        let each = pairs.map(|(source, node)| {
            let from = End::of(&self.connection, source.url()).with_collection(&self.address.collection);
            first_route(asked, Some(from), End::of(target, node.url()), limited)
        });
        let all: Vec<(Route, String)> = each.collect();
        let through = all.iter().find(|(route, _)| *route != Route::Url).cloned();
        through.or_else(|| all.into_iter().next()).unwrap_or((Route::Stream, "no node holds a shard".into()))
    }

    /// The node that streams a shard.
    ///
    /// # Errors
    /// When there is none.
    pub(in crate::ops) fn node(&self, shard: ShardId) -> Result<&Arc<dyn QdrantApi>, Problem> {
        let none = || {
            Problem::new(ProblemKind::PlanStale, format!("no node holds shard {shard} any more"), self.address.to_string())
                .advise("nothing more was copied; plan again")
        };
        self.connection.node(self.chosen.nodes.get(&shard).copied().ok_or_else(none)?)
    }

    /// The collection in the words of a snapshot's files, for what makes shard keys.
    pub(in crate::ops) fn collection(&self) -> Collection {
        let config = self.info.settings.config().clone();
        let keys = shards_by_key(&self.chosen.keys).into_iter().map(|(raw, shards)| ShardKey::new(raw, shards)).collect();
        Collection { shape: Shape::read(&config).ok(), config, keys, ..Collection::default() }
    }
}
