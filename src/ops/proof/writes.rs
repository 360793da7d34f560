//! Whether a collection was written to between two moments. Equal counts do not tell: as many points can go as come. The number of
//! the last operation of each shard does; it is the newest version of its segments, which optimizing does not change.

use crate::domain::address::CollectionAddress;
use crate::domain::ids::ShardId;
use crate::ops::services::Connection;
use crate::ops::survey::placement;
use serde_json::Value;
use std::collections::BTreeMap;

/// Replicas that are asked, at most: of more it is not known.
const MOST_REPLICAS: usize = 128;

/// The last operation of every replica, by node and shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ops) struct Marks(BTreeMap<(usize, ShardId), u64>);

impl Marks {
    /// Asks all nodes; `None` where one of them does not tell (before 1.14.1, or a key with rights to one collection only).
    pub(in crate::ops) async fn read(connection: &Connection, address: &CollectionAddress) -> Option<Self> {
        let mut replicas = Vec::new();
        for (node, answer) in placement::clusters(connection, address).await.into_iter().enumerate() {
            let own = answer.ok()?.replicas.into_iter().filter(|replica| replica.peer.is_none());
            replicas.extend(own.map(|replica| (node, replica.shard)));
        }
        if replicas.is_empty() || replicas.len() > MOST_REPLICAS {
            return None;
        }
        let mut marks = BTreeMap::new();
        for (node, shard) in replicas {
            let told = connection.nodes.get(node)?.shard_versions(&address.collection, shard).await.ok()?;
            marks.insert((node, shard), newest(&told)?);
        }
        Some(Self(marks))
    }
}

fn newest(versions: &Value) -> Option<u64> {
    let segments = versions.as_object()?.values();
    segments
        .map(|segment| segment.get("segment_version").and_then(Value::as_u64))
        .collect::<Option<Vec<u64>>>()?
        .into_iter()
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_newest_segment_tells_the_last_operation() {
        let told = json!({"a": {"segment_version": 7}, "b": {"segment_version": 9}});
        assert_eq!(newest(&told), Some(9));
        assert_eq!((newest(&json!({})), newest(&json!({"a": {}})), newest(&json!([]))), (None, None, None));
    }
}
