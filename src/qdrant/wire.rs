//! The server's JSON, read leniently: unknown keys are ignored, unknown words pass, and every field
//! that some version leaves out is optional (1.7 to 1.19).

use crate::domain::collection::{Alias, CollectionCluster, CollectionInfo, CollectionStatus, ShardReplica};
use crate::domain::ids::{CollectionName, SnapshotName};
use crate::domain::lineage::Lineage;
use crate::domain::point::{Point, PointId};
use crate::domain::settings::Settings;
use crate::domain::snapshot::{SnapshotInfo, time_in_name};
use crate::domain::text::one_line;
use crate::domain::time::parse_server_time;
use crate::domain::version::ServerVersion;
use crate::qdrant::api::{ClusterInfo, ScrollPage, SnapshotActivity};
use crate::qdrant::digest::WirePoint;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// `{"result": …, "status": "ok" | {"error": …}, "time": …}`
#[derive(Deserialize)]
pub struct Envelope {
    /// Absent with 202 and with errors.
    #[serde(default)]
    pub result: Value,
    /// A word, or an object with the error.
    pub status: Value,
}

/// The error text in a body, wherever it is: JSON envelope or plain text.
pub fn error_text(body: &str) -> String {
    let parsed: Option<Envelope> = serde_json::from_str(body).ok();
    let words = parsed.as_ref().and_then(|envelope| match &envelope.status {
        Value::String(word) => Some(word.as_str()),
        other => other.get("error").and_then(Value::as_str),
    });
    one_line(words.unwrap_or(body), 400)
}

/// Whether a body has the form in which Qdrant says what is wrong.
pub fn is_error(body: &str) -> bool {
    let parsed: Option<Envelope> = serde_json::from_str(body).ok();
    parsed.is_some_and(|envelope| envelope.status.get("error").is_some_and(Value::is_string))
}

/// Whether a body is a web page, as proxies send it.
pub fn looks_like_html(body: &str) -> bool {
    let start = body.trim_start().get(..14).unwrap_or(body.trim_start()).to_ascii_lowercase();
    start.starts_with("<html") || start.starts_with("<!doctype html") || start.starts_with("<head")
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct Collections {
    collections: Vec<Named>,
}

/// `GET /collections`
pub fn collections(result: Value) -> serde_json::Result<Vec<CollectionName>> {
    let parsed: Collections = serde_json::from_value(result)?;
    Ok(parsed.collections.into_iter().map(|named| CollectionName::new(named.name)).collect())
}

#[derive(Deserialize)]
struct Info {
    status: String,
    #[serde(default)]
    optimizer_status: Value,
    points_count: Option<u64>,
    config: Value,
    #[serde(default)]
    payload_schema: BTreeMap<String, Value>,
}

/// `GET /collections/{c}`
pub fn collection(result: Value) -> serde_json::Result<CollectionInfo> {
    let info: Info = serde_json::from_value(result)?;
    let error = info.optimizer_status.get("error").and_then(Value::as_str);
    let settings = Settings::of(&info.config, &info.payload_schema);
    let fields = info.payload_schema.iter();
    let word = |field: &Value| {
        let kind = field.get("data_type").unwrap_or(&Value::Null);
        kind.as_str().map_or_else(|| kind.to_string(), str::to_owned)
    };
    Ok(CollectionInfo {
        status: CollectionStatus::parse(&info.status),
        optimizer_error: error.map(|text| one_line(text, 300)),
        points: info.points_count,
        params: info.config.get("params").cloned().unwrap_or(Value::Null),
        payload_schema: fields.map(|(name, field)| (one_line(name, 200), one_line(&word(field), 60))).collect(),
        settings,
    })
}

#[derive(Deserialize)]
struct Aliases {
    aliases: Vec<WireAlias>,
}

#[derive(Deserialize)]
struct WireAlias {
    alias_name: String,
    collection_name: String,
}

/// `GET /aliases`
pub fn aliases(result: Value) -> serde_json::Result<Vec<Alias>> {
    let parsed: Aliases = serde_json::from_value(result)?;
    let each = parsed.aliases.into_iter();
    Ok(each.map(|a| Alias { alias: a.alias_name, collection: CollectionName::new(a.collection_name) }).collect())
}

#[derive(Deserialize)]
struct Cluster {
    status: String,
    peer_id: Option<u64>,
    #[serde(default)]
    peers: BTreeMap<String, Value>,
    #[serde(default)]
    consensus_thread_status: Value,
}

/// `GET /cluster`
pub fn cluster(result: Value) -> serde_json::Result<ClusterInfo> {
    let parsed: Cluster = serde_json::from_value(result)?;
    let word = parsed.consensus_thread_status.get("consensus_thread_status").and_then(Value::as_str);
    let mut peers: Vec<u64> = parsed.peers.keys().filter_map(|id| id.parse().ok()).collect();
    peers.sort_unstable();
    Ok(ClusterInfo {
        peer: parsed.peer_id.filter(|_| parsed.status == "enabled"),
        peers,
        consensus_works: word.is_none_or(|word| word == "working"),
    })
}

#[derive(Deserialize)]
struct WireCollectionCluster {
    peer_id: u64,
    #[serde(default)]
    local_shards: Vec<WireShard>,
    #[serde(default)]
    remote_shards: Vec<WireShard>,
    #[serde(default)]
    shard_transfers: Vec<Value>,
    resharding_operations: Option<Vec<Value>>,
}

#[derive(Deserialize)]
struct WireShard {
    shard_id: u32,
    shard_key: Option<Value>,
    peer_id: Option<u64>,
    state: String,
    points_count: Option<u64>,
}

/// `GET /collections/{c}/cluster`
pub fn collection_cluster(result: Value) -> serde_json::Result<CollectionCluster> {
    let parsed: WireCollectionCluster = serde_json::from_value(result)?;
    let shards = parsed.local_shards.into_iter().chain(parsed.remote_shards);
    Ok(CollectionCluster {
        peer: parsed.peer_id,
        replicas: shards
            .map(|s| ShardReplica {
                shard: s.shard_id,
                key: s.shard_key,
                peer: s.peer_id,
                state: one_line(&s.state, 30),
                points: s.points_count,
            })
            .collect(),
        moving: parsed.shard_transfers.len() + parsed.resharding_operations.map_or(0, |list| list.len()),
    })
}

#[derive(Deserialize)]
struct WireSnapshot {
    name: String,
    creation_time: Option<String>,
    #[serde(default)]
    size: u64,
    checksum: Option<String>,
}

/// One `SnapshotDescription`.
pub fn snapshot(result: Value) -> serde_json::Result<SnapshotInfo> {
    serde_json::from_value(result).map(from_wire)
}

/// A list of them.
pub fn snapshots(result: Value) -> serde_json::Result<Vec<SnapshotInfo>> {
    let parsed: Vec<WireSnapshot> = serde_json::from_value(result)?;
    Ok(parsed.into_iter().map(from_wire).collect())
}

fn from_wire(wire: WireSnapshot) -> SnapshotInfo {
    let name = SnapshotName::new(wire.name);
    // The time in the name is the server's own; the listing's is the file's birth time, which copies change.
    let taken_at = time_in_name(&name).or_else(|| wire.creation_time.as_deref().and_then(parse_server_time));
    let is_sha256 = |text: &String| text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    SnapshotInfo { name, size: wire.size, taken_at, sha256: wire.checksum.filter(is_sha256).map(|hex| hex.to_lowercase()) }
}

#[derive(Deserialize)]
struct Answer<T> {
    result: T,
}

#[derive(Deserialize)]
struct Page {
    #[serde(deserialize_with = "digested")]
    points: Vec<Point>,
    next_page_offset: Option<PointId>,
}

#[derive(Deserialize)]
struct Points(#[serde(deserialize_with = "digested")] Vec<Point>);

/// Each point becomes its digest before the next one is read.
fn digested<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Point>, D::Error> {
    struct Each;
    impl<'de> Visitor<'de> for Each {
        type Value = Vec<Point>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of points")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut points = Vec::new();
            while let Some(point) = list.next_element::<WirePoint>()? {
                points.push(point.into());
            }
            Ok(points)
        }
    }
    deserializer.deserialize_seq(Each)
}

/// `POST …/points/scroll`, and `…/points/query`, which has no offset: the whole answer, as it came.
pub fn page(answer: &[u8]) -> serde_json::Result<ScrollPage> {
    let parsed: Answer<Page> = serde_json::from_slice(answer)?;
    Ok(ScrollPage { points: parsed.result.points, next: parsed.result.next_page_offset, bytes: answer.len() })
}

/// `POST …/points`: the whole answer, as it came.
pub fn points(answer: &[u8]) -> serde_json::Result<Vec<Point>> {
    let parsed: Answer<Points> = serde_json::from_slice(answer)?;
    Ok(parsed.result.0)
}

#[derive(Deserialize)]
struct Counters {
    id: String,
    #[serde(default)]
    running_snapshots: u64,
    #[serde(default)]
    running_snapshot_recovery: u64,
}

/// `GET /telemetry?details_level=2`: the counters of one collection; `None` where the server has none.
pub fn activity(result: &Value, name: &CollectionName) -> Option<SnapshotActivity> {
    let list = result.get("collections")?.get("snapshots")?.as_array()?;
    let counters = list.iter().filter_map(|value| Counters::deserialize(value).ok());
    let mut sum = SnapshotActivity::default();
    for each in counters.filter(|counters| counters.id == name.raw()) {
        sum.creating += each.running_snapshots;
        sum.recovering += each.running_snapshot_recovery;
    }
    Some(sum)
}

/// `GET /telemetry`: since when the process runs, and how often it was asked to replace data. All calls count, also those that
/// failed: what they left is not known. Calls of other nodes are among those of gRPC (1.16.3 `src/tonic/mod.rs:318`).
pub fn lineage(result: &Value) -> Option<Lineage> {
    let started = result.get("app")?.get("startup")?.as_str()?.to_owned();
    let requests = result.get("requests")?;
    let replaces = |call: &str| {
        let call = call.to_ascii_lowercase();
        ["recover", "snapshots/upload", "initiate"].iter().any(|word| call.contains(word))
    };
    let all = requests.get("rest")?.get("responses")?.as_object()?;
    let rest =
        all.iter().filter(|(call, _)| replaces(call)).flat_map(|(_, by_status)| by_status.as_object().into_iter().flatten());
    let grpc = requests.get("grpc").and_then(|grpc| grpc.get("responses")).and_then(Value::as_object);
    let grpc = grpc.into_iter().flatten().filter(|(call, _)| replaces(call));
    let count = |told: &Value| told.get("count").and_then(Value::as_u64).unwrap_or(1);
    let sum = |counts: &mut dyn Iterator<Item = u64>| counts.fold(0_u64, u64::saturating_add);
    let accepted = |(call, by_status): (&String, &Value)| {
        by_status.get("202").filter(|_| replaces(call) && call.contains("/shards/")).map(count)
    };
    let unwaited = sum(&mut all.iter().filter_map(accepted));
    let restores = sum(&mut rest.chain(grpc).map(|(_, told)| count(told)));
    Some(Lineage { started, restores, unwaited })
}

/// `GET /collections/{c}/optimizations`: whether any is under way (`ongoing` in 1.16.3, `running` in 1.19.0).
pub fn optimizing(result: &Value) -> Option<bool> {
    let under_way = result.get("ongoing").or_else(|| result.get("running"))?;
    Some(!under_way.as_array()?.is_empty())
}

/// The version in an answer of telemetry.
pub(in crate::qdrant) fn application(result: &Value) -> Option<ServerVersion> {
    let app = result.get("app")?;
    let text = |key: &str| app.get(key).and_then(Value::as_str);
    text("name").filter(|name| name.contains("qdrant"))?;
    ServerVersion::parse(text("version")?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn errors_are_found_wherever_they_are() {
        assert_eq!(error_text(r#"{"status":{"error":"Not found: x"},"time":0}"#), "Not found: x");
        assert_eq!(error_text(r#"{"status":"already_in_progress","time":0}"#), "already_in_progress");
        assert_eq!(error_text("Invalid API key or JWT"), "Invalid API key or JWT");
        assert!(looks_like_html("\n<!DOCTYPE html><html>"));
        assert!(!looks_like_html("日"));
    }

    #[test]
    fn old_and_new_servers_are_tolerated() {
        let old = json!({"status": "green", "config": {}, "vectors_count": null, "points_count": null, "segments_count": 1});
        assert_eq!(collection(old).unwrap().points, None);
        let new = json!({"status": "purple", "config": {"params": {"shard_number": 2}}, "optimizer_status": {"error": "x"},
            "payload_schema": {"city": {"data_type": "keyword", "points": 1}}, "update_queue": {"length": 0}});
        let info = collection(new).unwrap();
        assert_eq!((info.status.word(), info.shard_number()), ("purple", 2));
        assert_eq!(info.payload_schema, [("city".to_owned(), "keyword".to_owned())]);
    }

    #[test]
    fn peer_ids_keep_all_their_bits() {
        let result = json!({"status": "enabled", "peer_id": u64::MAX, "peers": {"18446744073709551615": {"uri": "x"}},
            "consensus_thread_status": {"consensus_thread_status": "stopped_with_err", "err": "x"}});
        let info = cluster(result).unwrap();
        assert_eq!((info.peer, info.peers, info.consensus_works), (Some(u64::MAX), vec![u64::MAX], false));
        assert_eq!(cluster(json!({"status": "disabled"})).unwrap().peer, None);
    }

    #[test]
    fn a_checksum_that_is_none_is_dropped() {
        let info = snapshot(json!({"name": "x.snapshot", "creation_time": null, "size": 1, "checksum": "abc"})).unwrap();
        assert_eq!((info.sha256, info.taken_at), (None, None));
    }

    #[test]
    fn what_replaces_data_counts_whoever_asked() {
        let result = json!({"app": {"startup": "2026-11-27T00:17:57.520Z"}, "requests": {
            "rest": {"responses": {
                "PUT /collections/{name}/snapshots/recover": {"200": {"count": 2}, "400": {"count": 1}},
                "POST /collections/{collection}/shards/{shard}/snapshots/upload": {"200": {"count": 1}},
                "POST /collections/{collection}/shards/{shard}/snapshot/partial/create": {"304": {"count": 9}},
                "PUT /collections/{name}/points": {"200": {"count": 50}}}},
            "grpc": {"responses": {"/qdrant.ShardSnapshots/Recover": {"count": 1}, "/qdrant.CollectionsInternal/Initiate": {"count": 1}}}}});
        let told = lineage(&result).unwrap();
        assert_eq!((told.started.as_str(), told.restores), ("2026-11-27T00:17:57.520Z", 6));
        assert_eq!(lineage(&json!({"app": {"startup": "x"}})), None, "without the counters nothing is known");
    }

    #[test]
    fn optimizations_are_told_in_two_spellings() {
        assert_eq!(optimizing(&json!({"ongoing": [{"name": "Segment Optimizing"}]})), Some(true));
        assert_eq!(optimizing(&json!({"ongoing": []})), Some(false));
        assert_eq!(optimizing(&json!({"summary": {}, "running": [{"uuid": "x"}]})), Some(true));
        assert_eq!((optimizing(&json!({"running": "x"})), optimizing(&json!(true))), (None, None));
    }

    #[test]
    fn restores_of_shards_that_nobody_waited_for_are_counted_by_themselves() {
        let count = |n: u64| json!({"count": n});
        let told = json!({"app": {"startup": "2026-11-27T07:00:00Z"}, "requests": {"rest": {"responses": {
            "POST /collections/{collection}/shards/{shard}/snapshots/upload": {"200": count(2), "202": count(3)},
            "PUT /collections/{name}/snapshots/recover": {"202": count(4)},
            "POST /collections/{name}/points": {"202": count(9)}}}}});
        let lineage = lineage(&told).unwrap();
        assert_eq!((lineage.restores, lineage.unwaited), (9, 3));
        assert_eq!(super::lineage(&json!({"app": {}})), None);
    }

    #[test]
    fn telemetry_of_old_servers_has_no_counters() {
        let name = CollectionName::new("a");
        assert_eq!(activity(&json!({"collections": {"number_of_collections": 1}}), &name), None);
        let result = json!({"collections": {"snapshots": [{"id": "a", "running_snapshots": 1, "running_snapshot_recovery": 2}]}});
        assert_eq!(activity(&result, &name), Some(SnapshotActivity { creating: 1, recovering: 2 }));
    }
}
