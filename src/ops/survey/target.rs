//! What is known of the place that a restore goes to. Reads only, and all at the same time.

use crate::domain::address::CollectionAddress;
use crate::domain::collection::{Alias, CollectionCluster, CollectionInfo};
use crate::domain::ids::CollectionName;
use crate::domain::instance::Protection;
use crate::domain::problem::Problem;
use crate::domain::size;
use crate::domain::version::ServerVersion;
use crate::ops::gates::server::{self, Right};
use crate::ops::gates::{self, TargetName};
use crate::ops::plan::facts::Facts;
use crate::ops::plan::finding::Finding;
use crate::ops::services::{Connection, Services};
use crate::ops::survey::first_route::End;
use crate::ops::survey::locate::{NameUse, name_use};
use crate::ops::survey::membership::membership;
use crate::ops::survey::placement::{self, is_silence};
use crate::ops::survey::source::Known;
use crate::qdrant::api::{ClusterInfo, QdrantApi, SnapshotActivity};
use crate::qdrant::error::{ApiError, ApiErrorKind};
use std::sync::Arc;

/// What is known of a target.
pub(in crate::ops) struct Target {
    pub address: CollectionAddress,
    pub connection: Arc<Connection>,
    /// The node that a restore goes to, and that is asked for what only one can tell.
    pub node: usize,
    pub name: NameUse,
    /// Exact points, where the name is taken and they can be counted.
    pub points: Option<u64>,
    /// Why a collection that exists cannot be read.
    pub unreadable: Option<String>,
    pub info: Option<CollectionInfo>,
    pub cluster: Result<CollectionCluster, String>,
    pub aliases: Vec<Alias>,
    /// Why they could not be listed.
    pub aliases_unseen: Option<String>,
    /// All collections of the instance.
    pub names: Vec<CollectionName>,
    pub version: Option<ServerVersion>,
    activity: Result<Option<SnapshotActivity>, String>,
    peers: Result<ClusterInfo, String>,
    right: Right,
    /// What is the matter with its nodes.
    nodes: Vec<Finding>,
}

/// Reads it.
pub(in crate::ops) async fn gather(services: &Services, address: &CollectionAddress) -> Result<Target, Problem> {
    services.instance(&address.instance)?;
    let connection = services.connection(&address.instance).await?;
    let index = placement::holder(&connection, address).await;
    let node = connection.node(index)?;
    let problem = |error: ApiError| error.into_problem(address.to_string());
    let name = &address.collection;
    let (used, version, aliases, names, count, info, cluster, activity, peers, right, members) = tokio::join!(
        name_use(&connection, address),
        node.version(),
        node.aliases(),
        node.collections(),
        node.count(name),
        node.collection(name),
        node.collection_cluster(name),
        node.snapshot_activity(name),
        node.cluster(),
        may_restore(&connection, address),
        members(&connection)
    );
    let used = used?;
    let exists = used == NameUse::Collection;
    // A collection that a failed restore left unreadable has no count, but can be restored over.
    let unreadable = match &count {
        Err(error) if exists && error.is_damage() => Some(error.message.clone()),
        _ => None,
    };
    let about = info.as_ref().ok().and_then(|info| info.points);
    let points = match count {
        Ok(points) if exists => Some(points),
        // A server that refuses to count says about how many there are.
        Err(error) if exists && unreadable.is_none() && is_silence(&error) => return Err(problem(error)),
        Err(_) if exists && unreadable.is_none() => about,
        _ => None,
    };
    let words = |error: ApiError| error.message;
    Ok(Target {
        address: address.clone(),
        name: used,
        points,
        unreadable,
        info: info.ok().filter(|_| exists),
        cluster: cluster.map_err(words),
        aliases_unseen: aliases.as_ref().err().map(|error| error.message.clone()),
        aliases: aliases.unwrap_or_default(),
        names: names.unwrap_or_default(),
        version: version.map_err(problem)?,
        activity: activity.map_err(words),
        peers: peers.map_err(words),
        right,
        nodes: members,
        node: index,
        connection,
    })
}

/// Of several nodes those that do not answer, or are not what they seem.
async fn members(connection: &Connection) -> Vec<Finding> {
    if connection.nodes.len() == 1 {
        return Vec::new();
    }
    let (membership, answers) =
        tokio::join!(membership(connection), futures_util::future::join_all(connection.nodes.iter().map(|node| node.live())));
    let silent = connection.nodes.iter().zip(answers).filter_map(|(node, answer)| {
        let error = answer.err()?;
        let words = format!("{} does not answer: {}", node.url(), error.message);
        Some(Finding::look(
            "nodes",
            words,
            "its replicas come when it is back, or not at all: the report says how many are missing",
        ))
    });
    let mut findings: Vec<Finding> = silent.collect();
    findings.extend(membership.findings());
    findings
}

/// Asks for the right to restore, by changing nothing of a collection that does not exist: who may not is refused with 401
/// or 403 before the server looks for it, who may with 404 (1.16.3). A key can write to a collection and still not restore
/// it, nor anything to the scratch name beside it (a JWT with `rw` on one).
async fn may_restore(connection: &Connection, address: &CollectionAddress) -> Right {
    if connection.instance.protection == Protection::ReadOnly {
        return Right::Unknown("the instance is read-only for qsnap: nothing is asked of it".into());
    }
    let beside = crate::domain::given_names::probe_name(&address.collection);
    match connection.whole().update_collection(&beside, &serde_json::json!({})).await {
        Ok(()) => Right::Granted,
        Err(error) => match error.kind {
            ApiErrorKind::NotFound if error.by_qdrant => Right::Granted,
            ApiErrorKind::Forbidden | ApiErrorKind::Unauthorized => Right::Denied(error.message),
            _ => Right::Unknown(error.message),
        },
    }
}

impl Target {
    /// A collection is there.
    pub(in crate::ops) fn occupied(&self) -> bool {
        self.name == NameUse::Collection
    }

    /// Aliases that point at this collection.
    pub(in crate::ops) fn own_aliases(&self) -> Vec<String> {
        let own = self.aliases.iter().filter(|alias| alias.collection == self.address.collection);
        own.map(|alias| alias.alias.clone()).collect()
    }

    /// Its node, as the end of a route.
    pub(in crate::ops) fn end(&self) -> End<'_> {
        End::of(&self.connection, self.node().url())
    }

    /// Peers of its cluster; 1 on a standalone server.
    pub(in crate::ops) fn peers(&self) -> usize {
        self.peers.as_ref().map_or(1, |peers| peers.peers.len().max(1))
    }

    /// Whether shard keys can be made: on a standalone server they cannot.
    pub(in crate::ops) fn is_cluster(&self) -> bool {
        self.peers.as_ref().is_ok_and(|peers| peers.peer.is_some())
    }

    pub(in crate::ops) fn node(&self) -> &Arc<dyn QdrantApi> {
        &self.connection.nodes[self.node]
    }

    /// Whether the key may change it.
    pub(in crate::ops) fn right_finding(&self) -> Finding {
        server::right(&self.right, self.address.instance.as_str())
    }

    /// Whether something else happens there.
    pub(in crate::ops) fn idle_finding(&self) -> Finding {
        match &self.activity {
            Ok(activity) => gates::idle(*activity, &self.address.to_string()),
            Err(why) => gates::not_checked("idle", why),
        }
    }

    /// The gates that concern a restore of this recovery point into it.
    pub(in crate::ops) fn findings(&self, overwrites: bool, source: &Known) -> Vec<Finding> {
        let mut findings = self.own_findings(overwrites, source.info.as_ref());
        findings.extend(self.keys_finding(overwrites, source));
        findings
    }

    /// The gates that concern a copy of a live collection into it.
    pub(in crate::ops) fn copy_findings(&self, overwrites: bool, (from, source): (&Self, &CollectionInfo)) -> Vec<Finding> {
        let mut findings = self.own_findings(true, Some(source));
        if source.custom_sharding() && !overwrites && !self.is_cluster() {
            findings.push(gates::sharding(Some(&[]), None, false));
        }
        if source.custom_sharding() && overwrites {
            // Data finds its shard by number: under other keys it would be found by the wrong ones, or not at all.
            findings.push(match (&from.cluster, &self.cluster) {
                (Ok(from), Ok(there)) => gates::same_keys(&from.keys(), &there.keys()),
                _ => gates::sharding(None, None, true),
            });
        }
        findings
    }

    fn own_findings(&self, overwrites: bool, source: Option<&CollectionInfo>) -> Vec<Finding> {
        let shown = self.address.to_string();
        let mut findings = vec![self.right_finding()];
        findings.extend(gates::name(self.address.collection.creation_problem()));
        if overwrites && self.occupied() {
            // It has to be secured first.
            findings.extend(gates::snapshot_name(&self.address.collection));
        }
        findings.push(gates::target(&self.target_name(), overwrites, &shown));
        match (&self.info, &self.unreadable, overwrites) {
            (Some(info), _, true) => findings.push(gates::shape(source, info)),
            (_, Some(why), true) => findings.push(gates::unreadable(&shown, why)),
            _ => {}
        }
        findings.push(self.idle_finding());
        findings.extend(self.nodes.iter().cloned());
        findings.push(match &self.peers {
            Ok(peers) => server::cluster(peers, self.connection.nodes.len(), self.address.instance.as_str()),
            Err(why) => gates::not_checked("cluster", why),
        });
        if overwrites && self.occupied() {
            match &self.cluster {
                Ok(cluster) => {
                    findings.extend(gates::safety_covers_all(&cluster.missing_here(), &shown));
                    findings.push(server::replicas(&cluster.unhealthy(), cluster.moving, &shown));
                }
                Err(why) => findings.push(gates::not_checked("replicas", why)),
            }
        }
        findings.push(server::protection(self.connection.instance.protection, self.address.instance.as_str()));
        findings
    }

    fn keys_finding(&self, overwrites: bool, source: &Known) -> Option<Finding> {
        let collection = source.collection.as_deref();
        let custom = source.info.as_ref().is_some_and(CollectionInfo::custom_sharding);
        let there = self.cluster.as_ref().map(CollectionCluster::keys).unwrap_or_default();
        let keys = collection.map(|collection| collection.keys.as_slice());
        custom.then(|| gates::sharding(keys, overwrites.then_some(&there), self.is_cluster()))
    }

    fn target_name(&self) -> TargetName {
        match &self.name {
            NameUse::Free => TargetName::Free,
            NameUse::Alias(real) => TargetName::Alias(real.to_string()),
            NameUse::Collection => TargetName::Taken(self.points),
        }
    }

    /// What must not change between plan and execution.
    pub(in crate::ops) fn facts(&self, facts: &mut Facts, overwrites: bool) {
        let word = match &self.name {
            NameUse::Free => "free".to_owned(),
            NameUse::Collection => "a collection".to_owned(),
            NameUse::Alias(real) => format!("alias of {real}"),
        };
        facts.text("target", word);
        if overwrites && self.occupied() {
            facts.points("points in the target", self.points.unwrap_or(0));
            facts.text("the target can be read", self.unreadable.is_none());
        }
    }

    /// The points in words, for what is lost.
    pub(in crate::ops) fn points_in_words(&self) -> String {
        match self.points {
            Some(points) => format!("{} points", size::exact(points)),
            None => "data, which cannot be read now,".to_owned(),
        }
    }
}
