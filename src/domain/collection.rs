//! What qsnap knows of a collection.

use crate::domain::ids::{CollectionName, PeerId, ShardId};
use crate::domain::settings::Settings;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::num::NonZeroU32;

/// Health as the server reports it. Unknown words stay readable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CollectionStatus {
    /// Ready.
    Green,
    /// Optimising.
    Yellow,
    /// Optimisations pending and not started.
    Grey,
    /// Error.
    Red,
    /// A word of a newer server.
    Other(String),
}

impl CollectionStatus {
    /// Reads the server's word.
    pub fn parse(word: &str) -> Self {
        match word {
            "green" => Self::Green,
            "yellow" => Self::Yellow,
            "grey" => Self::Grey,
            "red" => Self::Red,
            other => Self::Other(crate::domain::text::one_line(other, 20)),
        }
    }

    /// The word.
    pub fn word(&self) -> &str {
        match self {
            Self::Green => "green",
            Self::Yellow => "yellow",
            Self::Grey => "grey",
            Self::Red => "red",
            Self::Other(word) => word,
        }
    }
}

impl Serialize for CollectionStatus {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

/// Collection info, reduced to what is compared and shown.
#[derive(Debug, Clone, PartialEq)]
pub struct CollectionInfo {
    /// Health.
    pub status: CollectionStatus,
    /// Text of an optimiser error, sanitised.
    pub optimizer_error: Option<String>,
    /// Approximate number of points; nullable since 1.7.
    pub points: Option<u64>,
    /// `config.params`: vectors, sparse vectors, shards, replication.
    pub params: Value,
    /// Indexed payload fields and their types, sorted.
    pub payload_schema: Vec<(String, String)>,
    /// All of its configuration, and its payload indexes with their parameters.
    pub settings: Settings,
}

impl CollectionInfo {
    /// `params.shard_number`; 1 when absent.
    pub fn shard_number(&self) -> u64 {
        self.params.get("shard_number").and_then(Value::as_u64).unwrap_or(1)
    }

    /// `params.replication_factor`; 1 when absent.
    pub fn replication_factor(&self) -> u64 {
        self.params.get("replication_factor").and_then(Value::as_u64).unwrap_or(1)
    }

    /// The same with another number of replicas of each shard, where one is asked for.
    #[must_use]
    pub fn with_replicas(mut self, replicas: Option<NonZeroU32>) -> Self {
        let Some(replicas) = replicas else { return self };
        if let Some(params) = self.params.as_object_mut() {
            params.insert("replication_factor".into(), replicas.get().into());
        }
        self.settings = self.settings.with_replicas(replicas);
        self
    }

    /// Whether shards are named by keys.
    pub fn custom_sharding(&self) -> bool {
        self.params.get("sharding_method").and_then(Value::as_str) == Some("custom")
    }

    /// The vectors part, which Qdrant compares for full equality on recover (1.18.3, recover.rs).
    pub fn vectors(&self) -> Value {
        self.params.get("vectors").cloned().unwrap_or(Value::Null)
    }

    /// What data depends on, of each dense vector: size, distance, number type, and whether there are several. The unnamed
    /// one is "".
    pub fn vectors_of_data(&self) -> BTreeMap<String, Vec<Value>> {
        let of = |vector: &Value| {
            let part = |key: &str| vector.get(key).filter(|value| !value.is_null()).cloned().unwrap_or(Value::Null);
            let datatype = vector.get("datatype").filter(|kind| !kind.is_null()).cloned().unwrap_or_else(|| "float32".into());
            vec![part("size"), part("distance"), datatype, part("multivector_config")]
        };
        let vectors = self.vectors();
        if vectors.get("size").is_some_and(Value::is_number) {
            return BTreeMap::from([(String::new(), of(&vectors))]);
        }
        vectors.as_object().into_iter().flatten().map(|(name, vector)| (name.clone(), of(vector))).collect()
    }

    /// Vectors in words: `768-d Cosine`, `text 8-d Cosine, tokens 4-d Dot`.
    pub fn vectors_in_words(&self) -> String {
        let one = |vector: &Value| {
            let size = vector.get("size").and_then(Value::as_u64)?;
            let distance = vector.get("distance").and_then(Value::as_str)?;
            Some(format!("{size}-d {}", crate::domain::text::one_line(distance, 20)))
        };
        let vectors = self.vectors();
        if let Some(text) = one(&vectors) {
            return text;
        }
        let named = vectors
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(name, vector)| Some(format!("{} {}", crate::domain::text::one_line(name, 30), one(vector)?)));
        let words = named.collect::<Vec<_>>().join(", ");
        if words.is_empty() { "no dense vectors".into() } else { words }
    }
}

/// An alias and the collection behind it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Alias {
    /// The alias, as the server spells it.
    pub alias: String,
    /// The collection it points to.
    pub collection: CollectionName,
}

/// One shard as a node sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardReplica {
    /// Shard id.
    pub shard: ShardId,
    /// Its key, where shards are named by keys.
    pub key: Option<Value>,
    /// Peer that holds the replica; `None` for the local one.
    pub peer: Option<PeerId>,
    /// `Active`, `Dead`, …; unknown words pass through, sanitised.
    pub state: String,
    /// Points, known for local replicas only; approximate.
    pub points: Option<u64>,
}

/// `GET /collections/{c}/cluster` of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectionCluster {
    /// The peer that answered.
    pub peer: PeerId,
    /// Local and remote replicas.
    pub replicas: Vec<ShardReplica>,
    /// Shard transfers and resharding operations under way.
    pub moving: usize,
}

impl CollectionCluster {
    /// Shards that this node does not hold itself.
    pub fn missing_here(&self) -> Vec<ShardId> {
        let local: Vec<ShardId> = self.replicas.iter().filter(|r| r.peer.is_none()).map(|r| r.shard).collect();
        let mut missing: Vec<ShardId> = self.replicas.iter().map(|r| r.shard).filter(|shard| !local.contains(shard)).collect();
        missing.sort_unstable();
        missing.dedup();
        missing
    }

    /// The shards of each key, as a server names them.
    pub fn keys(&self) -> BTreeMap<ShardId, Value> {
        self.replicas.iter().filter_map(|replica| Some((replica.shard, replica.key.clone()?))).collect()
    }

    /// Replicas that are not Active, as `shard 0 Dead`.
    pub fn unhealthy(&self) -> Vec<String> {
        self.unhealthy_where(|_| true)
    }

    /// The same, of replicas on some peers only.
    pub fn unhealthy_where(&self, on: impl Fn(PeerId) -> bool) -> Vec<String> {
        let bad = self.replicas.iter().filter(|r| r.state != "Active" && on(r.peer.unwrap_or(self.peer)));
        bad.map(|r| format!("shard {} {}", r.shard, r.state)).collect()
    }
}

/// The keys of these shards, each with its shards, in the order of their numbers.
pub fn shards_by_key(keys: &BTreeMap<ShardId, Value>) -> Vec<(Value, Vec<ShardId>)> {
    let mut grouped: Vec<(Value, Vec<ShardId>)> = Vec::new();
    for (shard, key) in keys {
        match grouped.iter_mut().find(|(known, _)| known == key) {
            Some((_, shards)) => shards.push(*shard),
            None => grouped.push((key.clone(), vec![*shard])),
        }
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn info(params: Value) -> CollectionInfo {
        CollectionInfo {
            status: CollectionStatus::Green,
            optimizer_error: None,
            points: None,
            params,
            payload_schema: Vec::new(),
            settings: Settings::default(),
        }
    }

    #[test]
    fn vectors_read_as_words() {
        assert_eq!(info(json!({"vectors": {"size": 4, "distance": "Dot"}})).vectors_in_words(), "4-d Dot");
        let named = json!({"vectors": {"text": {"size": 8, "distance": "Cosine"}, "t2": {"size": 4, "distance": "Dot"}}});
        assert_eq!(info(named).vectors_in_words(), "t2 4-d Dot, text 8-d Cosine");
        assert_eq!(info(json!({})).vectors_in_words(), "no dense vectors");
    }

    #[test]
    fn shards_on_other_nodes_are_found() {
        let replica = |shard, peer, state: &str| ShardReplica { shard, key: None, peer, state: state.into(), points: None };
        let cluster = CollectionCluster {
            peer: 1,
            replicas: vec![replica(0, None, "Active"), replica(0, Some(2), "Dead"), replica(1, Some(2), "Active")],
            moving: 0,
        };
        assert_eq!(cluster.missing_here(), [1]);
        assert_eq!(cluster.unhealthy(), ["shard 0 Dead"]);
    }
}
