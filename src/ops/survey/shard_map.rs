//! Where the shards of a collection are: which replica on which node, in which state, with how many points.

use crate::domain::address::CollectionAddress;
use crate::domain::collection::CollectionCluster;
use crate::domain::ids::{PeerId, ShardId};
use crate::domain::problem::Problem;
use crate::domain::size::exact;
use crate::domain::text::one_line;
use crate::ops::services::Services;
use crate::ops::survey::placement;
use crate::qdrant::api::ApiResult;
use serde_json::Value;
use std::collections::BTreeMap;

/// One replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replica {
    /// The peer that holds it.
    pub peer: PeerId,
    /// The address of that peer, where one is configured and answers.
    pub node: Option<String>,
    /// `Active`, `Dead`, …
    pub state: String,
    /// Points in it, where its node told; approximate.
    pub points: Option<u64>,
}

/// One shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    /// Which.
    pub id: ShardId,
    /// Its key.
    pub key: Option<Value>,
    /// Its replicas, by peer.
    pub replicas: Vec<Replica>,
}

/// All of them, and the nodes that did not answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ShardMap {
    /// By number.
    pub shards: Vec<Shard>,
    /// What could not be asked.
    pub problems: Vec<Problem>,
}

/// Asks every node.
///
/// # Errors
/// When none answers.
pub async fn shard_map(services: &Services, address: &CollectionAddress) -> Result<ShardMap, Problem> {
    let connection = services.connection(&address.instance).await?;
    let answers = placement::clusters(&connection, address).await;
    let urls: Vec<String> = connection.nodes.iter().map(|node| node.url().to_string()).collect();
    let map = merged(&urls, answers, &address.to_string());
    match map.problems.first() {
        Some(problem) if map.shards.is_empty() => Err(problem.clone()),
        _ => Ok(map),
    }
}

/// What each node tells of its own replicas counts; of those of others it knows the state only.
fn merged(urls: &[String], answers: Vec<ApiResult<CollectionCluster>>, on: &str) -> ShardMap {
    let mut map = ShardMap::default();
    let mut told: Vec<(String, CollectionCluster)> = Vec::new();
    for (url, answer) in urls.iter().zip(answers) {
        match answer {
            Ok(cluster) => told.push((url.clone(), cluster)),
            Err(error) => map.problems.push(error.into_problem(on)),
        }
    }
    let nodes: BTreeMap<PeerId, &String> = told.iter().map(|(url, cluster)| (cluster.peer, url)).collect();
    let mut shards: BTreeMap<ShardId, (Option<Value>, BTreeMap<PeerId, Replica>)> = BTreeMap::new();
    for (_, cluster) in &told {
        for replica in &cluster.replicas {
            let (key, replicas) = shards.entry(replica.shard).or_default();
            *key = key.take().or_else(|| replica.key.clone());
            let (own, peer) = (replica.peer.is_none(), replica.peer.unwrap_or(cluster.peer));
            let node = nodes.get(&peer).map(|url| (*url).clone());
            let seen = Replica { peer, node, state: replica.state.clone(), points: replica.points };
            if own || !replicas.contains_key(&peer) {
                replicas.insert(peer, seen);
            }
        }
    }
    map.shards =
        shards.into_iter().map(|(id, (key, replicas))| Shard { id, key, replicas: replicas.into_values().collect() }).collect();
    map
}

impl Shard {
    /// What it is called: `shard 3`, with its key.
    pub fn name(&self) -> String {
        match &self.key {
            None => format!("shard {}", self.id),
            Some(Value::String(key)) => format!("shard {} ({})", self.id, one_line(key, 40)),
            Some(key) => format!("shard {} ({})", self.id, one_line(&key.to_string(), 40)),
        }
    }
}

impl Replica {
    /// In words: where, in which state, how many points.
    pub fn words(&self) -> String {
        let place = self.node.clone().unwrap_or_else(|| format!("peer {} (not configured, or silent)", self.peer));
        let points = self.points.map_or_else(String::new, |points| format!(", {} points", exact(points)));
        format!("{place} {}{points}", self.state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::collection::ShardReplica;
    use crate::qdrant::error::{ApiError, ApiErrorKind};

    #[test]
    fn a_node_knows_its_own_best_and_the_silent_one_is_named() {
        let replica = |shard, peer, state: &str, points| ShardReplica { shard, key: None, peer, state: state.into(), points };
        let one = CollectionCluster {
            peer: 1,
            replicas: vec![
                replica(0, None, "Active", Some(391)),
                replica(0, Some(2), "Active", None),
                replica(1, Some(3), "Dead", None),
            ],
            moving: 0,
        };
        let two = CollectionCluster {
            peer: 2,
            replicas: vec![
                replica(0, None, "Partial", Some(200)),
                replica(0, Some(1), "Active", None),
                replica(1, Some(3), "Dead", None),
            ],
            moving: 0,
        };
        let dead = ApiError::new(ApiErrorKind::Unreachable, "ask", "http://c", "refused");
        let urls: Vec<String> = ["http://a", "http://b", "http://c"].map(str::to_owned).to_vec();
        let map = merged(&urls, vec![Ok(one), Ok(two), Err(dead)], "prod/x");
        let words: Vec<String> = map.shards.iter().flat_map(|shard| shard.replicas.iter().map(Replica::words)).collect();
        assert_eq!(
            words,
            ["http://a Active, 391 points", "http://b Partial, 200 points", "peer 3 (not configured, or silent) Dead"]
        );
        assert_eq!((map.shards.len(), map.problems.len(), map.shards[1].name().as_str()), (2, 1, "shard 1"));
    }
}
