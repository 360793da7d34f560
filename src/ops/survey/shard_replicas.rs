//! From which node each shard is streamed: one Active replica of each is enough. The work is spread over the nodes, and no replica
//! is taken that is moving.

use crate::domain::address::CollectionAddress;
use crate::domain::collection::CollectionCluster;
use crate::domain::ids::{PeerId, ShardId};
use crate::ops::services::Connection;
use crate::ops::survey::placement;
use crate::qdrant::error::ApiError;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The first version that streams shards.
pub(in crate::ops) const STREAMS_SINCE: (u32, u32) = (1, 12);

/// Which node streams which shard.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::ops) struct Chosen {
    /// Index of the node, by shard.
    pub nodes: BTreeMap<ShardId, usize>,
    /// The peers of these nodes.
    pub peers: BTreeMap<ShardId, PeerId>,
    /// Shards without an Active replica on a node that answers.
    pub missing: BTreeSet<ShardId>,
    /// Shards or transfers are under way.
    pub moving: bool,
    /// The shard keys, where there are any.
    pub keys: BTreeMap<ShardId, Value>,
}

/// Asks every node. A shard that was streamed from a peer before is streamed from it again, where it can be: `prefer`.
///
/// # Errors
/// When none answers.
pub(in crate::ops) async fn choose(
    connection: &Connection,
    address: &CollectionAddress,
    prefer: &BTreeMap<ShardId, PeerId>,
) -> Result<Chosen, ApiError> {
    let answers = placement::clusters(connection, address).await;
    let (mut told, mut failure) = (Vec::new(), None);
    for (index, answer) in answers.into_iter().enumerate() {
        match answer {
            Ok(cluster) => told.push((index, cluster)),
            Err(error) => {
                failure.get_or_insert(error);
            }
        }
    }
    match (told.is_empty(), failure) {
        (true, Some(error)) => Err(error),
        _ => Ok(spread(&told, prefer)),
    }
}

/// Shards with the fewest choices first, each to the preferred peer, or the node that has the least to do. Pure.
fn spread(told: &[(usize, CollectionCluster)], prefer: &BTreeMap<ShardId, PeerId>) -> Chosen {
    let all: BTreeSet<ShardId> =
        told.iter().flat_map(|(_, cluster)| cluster.replicas.iter().map(|replica| replica.shard)).collect();
    let mut candidates: Vec<(ShardId, Vec<usize>)> = all
        .iter()
        .map(|shard| {
            let active = |cluster: &CollectionCluster| {
                cluster
                    .replicas
                    .iter()
                    .any(|replica| replica.shard == *shard && replica.peer.is_none() && replica.state == "Active")
            };
            (*shard, told.iter().filter(|(_, cluster)| active(cluster)).map(|(index, _)| *index).collect())
        })
        .collect();
    candidates.sort_by_key(|(shard, nodes)| (nodes.len(), *shard));
    let mut load: BTreeMap<usize, usize> = BTreeMap::new();
    let moving = told.iter().any(|(_, cluster)| cluster.moving > 0);
    let keys = told.iter().flat_map(|(_, cluster)| cluster.keys()).collect();
    let mut chosen = Chosen { moving, keys, ..Chosen::default() };
    for (shard, nodes) in candidates {
        let peer = |node: usize| told.iter().find(|(index, _)| *index == node).map(|(_, cluster)| cluster.peer);
        let other = |node: usize| prefer.get(&shard).is_some_and(|prefer| peer(node) != Some(*prefer));
        match nodes.into_iter().min_by_key(|node| (other(*node), load.get(node).copied().unwrap_or(0), *node)) {
            Some(node) => {
                *load.entry(node).or_default() += 1;
                chosen.nodes.insert(shard, node);
                chosen.peers.extend(peer(node).map(|peer| (shard, peer)));
            }
            None => {
                chosen.missing.insert(shard);
            }
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::collection::ShardReplica;

    fn node(peer: u64, local: &[(ShardId, &str)], remote: &[ShardId]) -> CollectionCluster {
        let replica = |shard, peer, state: &str| ShardReplica { shard, key: None, peer, state: state.into(), points: None };
        let own = local.iter().map(|(shard, state)| replica(*shard, None, state));
        let others = remote.iter().map(|shard| replica(*shard, Some(99), "Active"));
        CollectionCluster { peer, replicas: own.chain(others).collect(), moving: 0 }
    }

    #[test]
    fn shards_are_spread_and_only_active_replicas_are_taken() {
        let told = [
            (0, node(1, &[(0, "Active"), (1, "Active"), (2, "Active"), (3, "Dead")], &[])),
            (1, node(2, &[(0, "Active"), (1, "Active"), (3, "Active")], &[2])),
        ];
        let chosen = spread(&told, &BTreeMap::new());
        assert_eq!(chosen.nodes, BTreeMap::from([(0, 0), (1, 1), (2, 0), (3, 1)]));
        assert!(chosen.missing.is_empty());
        assert_eq!(chosen.peers, BTreeMap::from([(0, 1), (1, 2), (2, 1), (3, 2)]));
        let again = spread(&told, &BTreeMap::from([(0, 2), (1, 1), (2, 2)]));
        assert_eq!(again.nodes, BTreeMap::from([(0, 1), (1, 0), (2, 0), (3, 1)]), "those of before, where they are Active");
        let alone = spread(&[(0, node(1, &[(0, "Active"), (1, "Partial")], &[2]))], &BTreeMap::new());
        assert_eq!((alone.nodes.len(), alone.missing), (1, BTreeSet::from([1, 2])));
    }
}
