//! Which node: the one place that decides. Questions about the whole instance go to any live node
//! ([`Connection::whole`]); a snapshot is on the node that lists it; what is made or restored goes to a live node that holds
//! the collection's shards.

use crate::domain::address::CollectionAddress;
use crate::domain::collection::CollectionCluster;
use crate::domain::ids::{PeerId, ShardId};
use crate::domain::problem::Problem;
use crate::ops::plan::finding::Finding;
use crate::ops::services::Connection;
use crate::qdrant::api::{ApiResult, ClusterInfo};
use crate::qdrant::error::{ApiError, ApiErrorKind};
use std::collections::BTreeSet;

/// Whether a failed call means that the node does not answer at all, rather than that it refuses.
pub(in crate::ops) fn is_silence(error: &ApiError) -> bool {
    matches!(
        error.kind,
        ApiErrorKind::Unreachable
            | ApiErrorKind::Timeout
            | ApiErrorKind::Cut
            | ApiErrorKind::Proxy
            | ApiErrorKind::OutcomeUnknown
    )
}

/// How each node answers, asked all at once: `None` when it does.
pub(in crate::ops) async fn silent(connection: &Connection) -> Vec<Option<ApiError>> {
    let asked = connection.nodes.iter().map(|node| node.collections());
    let answers = futures_util::future::join_all(asked).await;
    answers.into_iter().map(|answer| answer.err().filter(is_silence)).collect()
}

/// Whether a node of the cluster does not answer, or may not: one that is not configured cannot be asked.
pub(in crate::ops) async fn node_is_missing(connection: &Connection) -> bool {
    let asked = connection.nodes.iter().map(|node| node.cluster());
    let answers = futures_util::future::join_all(asked).await;
    let answering: BTreeSet<PeerId> = answers.iter().filter_map(|answer| answer.as_ref().ok()?.peer).collect();
    let of = |answer: &ApiResult<ClusterInfo>| match answer {
        Ok(cluster) => cluster.peers.iter().any(|peer| !answering.contains(peer)),
        Err(error) => is_silence(error),
    };
    answers.iter().any(of)
}

/// What a list says of a node that does not answer.
pub(in crate::ops) fn unseen(connection: &Connection, error: &ApiError) -> Problem {
    let name = connection.instance.name.as_str();
    let problem = error.clone().into_problem(name);
    let advice = format!("snapshots on that node are not seen; {}", problem.advice);
    problem.advise(advice)
}

/// A node that answers; the first one where none does.
pub(in crate::ops) async fn any(connection: &Connection) -> usize {
    if connection.nodes.len() > 1 {
        // The node that answers is asked first afterwards.
        let _ = connection.whole().collections().await;
    }
    connection.preferred()
}

/// What each node says of a collection's shards, asked all at once.
pub(in crate::ops) async fn clusters(connection: &Connection, address: &CollectionAddress) -> Vec<ApiResult<CollectionCluster>> {
    let asked = connection.nodes.iter().map(|node| node.collection_cluster(&address.collection));
    futures_util::future::join_all(asked).await
}

/// The node to take a snapshot on, or to restore to: the live one that holds most of the collection's shards. For a
/// collection that does not exist any live one.
pub(in crate::ops) async fn holder(connection: &Connection, address: &CollectionAddress) -> usize {
    if connection.nodes.len() == 1 {
        return 0;
    }
    let answers = clusters(connection, address).await;
    let held = answers.iter().enumerate().filter_map(|(index, answer)| {
        let cluster = answer.as_ref().ok()?;
        let local = cluster.replicas.iter().filter(|replica| replica.peer.is_none() && replica.state == "Active").count();
        Some((local, std::cmp::Reverse(index)))
    });
    match held.max() {
        Some((_, std::cmp::Reverse(index))) => index,
        None => any(connection).await,
    }
}

/// What the nodes that answer hold of a collection.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::ops) struct Held {
    /// Nodes with shards of it, in the order of the configuration.
    pub nodes: Vec<usize>,
    /// Shards that none of them holds.
    pub missing: BTreeSet<ShardId>,
    /// Nodes that do not answer, with why.
    pub silent: Vec<(String, String)>,
    /// Nodes where replicas move or are not active, with what is the matter.
    troubled: Vec<(String, String)>,
}

/// Asks every node.
///
/// # Errors
/// When one refuses, or none answers.
pub(in crate::ops) async fn held(connection: &Connection, address: &CollectionAddress) -> Result<Held, ApiError> {
    let answers = clusters(connection, address).await;
    let mut held = Held::default();
    let mut lacking: Option<BTreeSet<ShardId>> = None;
    let mut silence: Option<ApiError> = None;
    for (index, (node, answer)) in connection.nodes.iter().zip(answers).enumerate() {
        let url = node.url().to_string();
        let cluster = match answer {
            Ok(cluster) => cluster,
            Err(error) if is_silence(&error) => {
                held.silent.push((url, error.message.clone()));
                silence.get_or_insert(error);
                continue;
            }
            Err(error) => return Err(error),
        };
        // What a node that is not active holds is no recovery point.
        let all: BTreeSet<ShardId> = cluster.replicas.iter().map(|replica| replica.shard).collect();
        let local: BTreeSet<ShardId> =
            cluster.replicas.iter().filter(|replica| replica.peer.is_none()).map(|replica| replica.shard).collect();
        let lacks: BTreeSet<ShardId> = &all - &local;
        lacking = Some(lacking.map_or_else(|| lacks.clone(), |before| &before & &lacks));
        if !local.is_empty() {
            held.nodes.push(index);
        }
        if cluster.moving > 0 || !cluster.unhealthy().is_empty() {
            held.troubled.push((url, cluster.unhealthy().join(", ")));
        }
    }
    let Some(missing) = lacking else {
        return Err(
            silence.unwrap_or_else(|| ApiError::new(ApiErrorKind::Unreachable, "ask the nodes", "", "none is configured"))
        );
    };
    held.missing = missing;
    if held.nodes.is_empty() && held.missing.is_empty() {
        // A collection with shard keys has no shard before its first key: any node can tell its configuration.
        held.nodes.push(any(connection).await);
    }
    Ok(held)
}

impl Held {
    /// What a plan says of it.
    pub(in crate::ops) fn findings(&self) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self
            .troubled
            .iter()
            .map(|(url, what)| {
                let advice = "wait until replicas are Active: their snapshots may be unusable";
                Finding::look("replicas", format!("{url}: {what}"), advice)
            })
            .collect();
        findings.extend(self.silent.iter().map(|(url, why)| {
            Finding::look(
                "nodes",
                format!("{url} does not answer: {why}"),
                "no snapshot is taken on it; what it keeps is not seen",
            )
        }));
        let missing: Vec<&ShardId> = self.missing.iter().collect();
        match (missing.is_empty(), self.silent.is_empty()) {
            (true, _) => {}
            (false, true) => findings.push(Finding::block(
                "shards",
                format!("shards {missing:?} live on nodes that are not configured: the snapshots would not hold them"),
                "give all nodes of the cluster in the configuration: nodes = [\"https://…\", …]",
            )),
            (false, false) => findings.push(Finding::look(
                "shards",
                self.missing_words().unwrap_or_default(),
                "what the other nodes hold can be saved now; bring the node back for the rest",
            )),
        }
        findings
    }

    /// Shards that the snapshots will not hold, because their node does not answer.
    pub(in crate::ops) fn missing_words(&self) -> Option<String> {
        let missing: Vec<&ShardId> = self.missing.iter().collect();
        let silent: Vec<&str> = self.silent.iter().map(|(url, _)| url.as_str()).collect();
        (!missing.is_empty() && !silent.is_empty()).then(|| {
            format!("shards {missing:?} are on no node that answers ({} does not): they are not in it", silent.join(", "))
        })
    }
}
