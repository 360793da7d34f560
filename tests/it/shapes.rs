//! The shapes of collections that people have: each goes through create, download, restore and a deep comparison, and each
//! has a wrong twin, with one value or one parameter changed, that must be found and named.

use crate::support::{RealQdrant, Server, World, files};
use qsnap::domain::address::{CollectionAddress, Which, encode};
use qsnap::ops::report::verdict::Verdict;
use qsnap::ops::request::Request;
use qsnap::ops::request::collections::CompareRequest;
use qsnap::ops::request::recovery_point::RecoveryPoint;
use qsnap::ops::request::restore::{Mode, RestoreRequest};
use qsnap::ops::request::route::Route;
use qsnap::ops::request::snapshots::{CreateRequest, DownloadRequest};
use serde_json::{Value, json};
use std::sync::Arc;

/// A shape.
struct Shape {
    name: &'static str,
    /// Body that creates it.
    body: Value,
    /// Payload indexes.
    indexes: Vec<Value>,
    points: Vec<Value>,
    /// What makes the wrong twin: a request on the copy, and what the comparison must say.
    twin: (&'static str, &'static str, Value),
    named: &'static str,
}

fn dot(size: u64) -> Value {
    json!({"size": size, "distance": "Dot"})
}

fn plain_points() -> Vec<Value> {
    (1..=12).map(|id| json!({"id": id, "vector": [id, 0.5, -1.25, 2.0], "payload": {"city": "Oslo", "n": id}})).collect()
}

/// A plain collection with this name.
fn named(name: &'static str) -> Shape {
    Shape {
        name,
        body: json!({"vectors": dot(4)}),
        indexes: vec![],
        points: plain_points(),
        twin: ("POST", "points/payload?wait=true", json!({"payload": {"n": 99}, "points": [3]})),
        named: "1 changed",
    }
}

/// A plain collection with other settings; the twin changes one of them.
fn configured(name: &'static str, settings: Value, patch: Value, words: &'static str) -> Shape {
    let mut body = json!({"vectors": dot(4)});
    for (key, value) in settings.as_object().unwrap() {
        body[key] = value.clone();
    }
    Shape { body, twin: ("PATCH", "", patch), named: words, ..named(name) }
}

/// A plain collection with a payload index; the twin has another one.
fn indexed(name: &'static str, schema: Value, other: Value, words: &'static str) -> Shape {
    let index = |schema: Value| json!({"field_name": "city", "field_schema": schema});
    Shape { indexes: vec![index(schema)], twin: ("PUT", "index?wait=true", index(other)), named: words, ..named(name) }
}

/// Vectors of another kind; the twin has another vector in one point.
fn vectors(name: &'static str, vectors: Value, one: impl Fn(u64) -> Value, other: Value) -> Shape {
    let points = (1..=6).map(|id| json!({"id": id, "vector": one(id), "payload": {"n": id}})).collect();
    let changed = json!({"points": [{"id": 4, "vector": other, "payload": {"n": 4}}]});
    Shape { body: json!({"vectors": vectors}), points, twin: ("PUT", "points?wait=true", changed), ..named(name) }
}

fn shapes() -> Vec<Shape> {
    let mut all: Vec<Shape> =
        ["100% sure", "a b+c&d=e#f", "名前-データ", "-rf", "--help", ".hidden", "~tilde", "caf\u{e9}", "cafe\u{301}"]
            .map(named)
            .into();
    all.extend([
        vectors(
            "multivector",
            json!({"size": 3, "distance": "Cosine", "multivector_config": {"comparator": "max_sim"}, "hnsw_config": {"m": 0}}),
            |id| json!([[id, 1, 2], [3, 4, id]]),
            json!([[4, 1, 2], [3, 4, 5]]),
        ),
        vectors("uint8", json!({"size": 4, "distance": "Dot", "datatype": "uint8"}), |id| json!([id, 1, 2, 255]), json!([4, 1, 2, 254])),
        vectors("float16", json!({"size": 4, "distance": "Euclid", "datatype": "float16"}), |id| json!([id, 0.1, -2, 9]), json!([4, 0.1, -2, 10])),
        vectors(
            "odd vector names",
            json!({"a b c": dot(2), "ß-日本": dot(2), "..": dot(2), "": dot(2)}),
            |id| json!({"a b c": [id, 1], "ß-日本": [1, id], "..": [2, id], "": [id, id]}),
            json!({"a b c": [4, 1], "ß-日本": [1, 4], "..": [2, 5], "": [4, 4]}),
        ),
        vectors("some without vectors", json!({"v": dot(2)}), |id| if id == 2 { json!({}) } else { json!({"v": [id, 1]}) }, json!({})),
        Shape {
            body: json!({"sparse_vectors": {"s": {"modifier": "idf", "index": {"datatype": "float16", "on_disk": false}}}}),
            points: vec![
                json!({"id": 1, "vector": {"s": {"indices": [0, 4_294_967_295_u32], "values": [0.5, 1.5]}}}),
                json!({"id": 2, "vector": {"s": {"indices": [], "values": []}}}),
                json!({"id": 3, "vector": {}}),
            ],
            twin: ("PUT", "points?wait=true", json!({"points": [{"id": 1, "vector": {"s": {"indices": [0], "values": [0.5]}}}]})),
            ..named("sparse")
        },
        Shape {
            body: json!({"vectors": {}}),
            points: vec![json!({"id": 1, "vector": {}, "payload": {"a": 1}})],
            twin: ("POST", "points/payload?wait=true", json!({"payload": {"a": 2}, "points": [1]})),
            ..named("no vectors")
        },
        Shape {
            body: json!({"vectors": dot(4), "shard_number": 3}),
            points: vec![],
            twin: ("PUT", "points?wait=true", json!({"points": [{"id": 1, "vector": [1, 2, 3, 4]}]})),
            named: "1 only in the second",
            ..named("three empty shards")
        },
        Shape {
            points: vec![
                json!({"id": 0, "vector": [1, 2, 3, 4]}),
                json!({"id": 18_446_744_073_709_551_615_u64, "vector": [1, 2, 3, 5]}),
                json!({"id": "f0000000-0000-4000-8000-00000000000f", "vector": [1, 2, 3, 6]}),
            ],
            twin: ("POST", "points/delete?wait=true", json!({"points": [18_446_744_073_709_551_615_u64]})),
            named: "1 only in the first",
            ..named("extreme ids")
        },
        Shape {
            body: json!({"vectors": dot(2), "on_disk_payload": true}),
            points: vec![json!({"id": 1, "vector": [1, 2], "payload": {"": "empty key", "max": 18_446_744_073_709_551_615_u64,
                "tiny": 1e-310, "control": "\u{1}\u{1b}[2J\n", "deep": {"a": [1, {"b": null}]}, "n": 8.564_005_663_967_553e-134}})],
            // The neighbour of the number: one bit apart.
            twin: (
                "POST",
                "points/payload?wait=true",
                serde_json::from_str(r#"{"payload": {"n": 8.564005663967554e-134}, "points": [1]}"#).unwrap(),
            ),
            ..named("odd payload")
        },
        configured("metadata", json!({"metadata": {"a": {"b": 1}}}), json!({"metadata": {"a": {"b": 2}}}), "metadata.a.b: 1 and 2"),
        configured("hnsw", json!({"hnsw_config": {"m": 8, "payload_m": 4}}), json!({"hnsw_config": {"m": 9}}), "hnsw_config.m: 8 and 9"),
        configured(
            "optimizers",
            json!({"optimizers_config": {"indexing_threshold": 5_000}, "wal_config": {"wal_capacity_mb": 1}}),
            json!({"optimizers_config": {"indexing_threshold": 6_000}}),
            "optimizer_config.indexing_threshold: 5000 and 6000",
        ),
        configured("on disk payload", json!({"on_disk_payload": true}), json!({"params": {"on_disk_payload": false}}), "params.on_disk_payload"),
        configured(
            "scalar",
            json!({"quantization_config": {"scalar": {"type": "int8", "quantile": 0.99, "always_ram": true}}}),
            json!({"quantization_config": "Disabled"}),
            "quantization_config",
        ),
        configured(
            "binary two bits",
            json!({"quantization_config": {"binary": {"encoding": "two_bits", "query_encoding": "scalar8bits"}}}),
            json!({"quantization_config": {"binary": {"encoding": "one_bit"}}}),
            "quantization_config.binary",
        ),
        configured(
            "product",
            json!({"quantization_config": {"product": {"compression": "x16"}}}),
            json!({"quantization_config": {"product": {"compression": "x8"}}}),
            "quantization_config.product.compression",
        ),
        configured(
            "inline storage",
            json!({"hnsw_config": {"inline_storage": true}, "quantization_config": {"scalar": {"type": "int8"}}}),
            json!({"hnsw_config": {"inline_storage": false}}),
            "hnsw_config.inline_storage: true and false",
        ),
        configured(
            "strict",
            json!({"strict_mode_config": {"enabled": true, "max_query_limit": 5, "search_allow_exact": false, "max_timeout": 60,
                "unindexed_filtering_retrieve": false, "read_rate_limit": 600}}),
            json!({"strict_mode_config": {"max_query_limit": 6}}),
            "strict_mode_config.max_query_limit: 5 and 6",
        ),
        indexed("keyword", json!("keyword"), json!("integer"), "payload index city"),
        indexed("tenant", json!({"type": "keyword", "is_tenant": true}), json!({"type": "keyword", "is_tenant": false}), "payload index city"),
        indexed(
            "principal",
            json!({"type": "integer", "lookup": true, "range": true, "is_principal": true}),
            json!({"type": "integer", "lookup": true, "range": true}),
            "is_principal",
        ),
        indexed(
            "text",
            json!({"type": "text", "tokenizer": "multilingual", "stopwords": {"languages": ["english"], "custom": ["x"]},
                "stemmer": {"type": "snowball", "language": "english"}, "phrase_matching": true}),
            json!({"type": "text", "tokenizer": "multilingual", "stopwords": {"languages": ["english"], "custom": ["x"]},
                "stemmer": {"type": "snowball", "language": "german"}, "phrase_matching": true}),
            "german",
        ),
        indexed("tokenizer", json!({"type": "text", "tokenizer": "word"}), json!({"type": "text", "tokenizer": "whitespace"}), "whitespace"),
    ]);
    // The twin of the one without vectors in some points lacks a vector.
    all
}

async fn request(server: &Server, name: &str, (method, path, body): (&str, &str, Value)) {
    let path = if path.is_empty() { String::new() } else { format!("/{path}") };
    server.raw(method, &format!("/collections/{}{path}", percent(name)), body).await;
}

fn percent(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string()
}

async fn goes_through(world: &World, server: &Server, shape: Shape) {
    let name = shape.name;
    server.raw("PUT", &format!("/collections/{}", percent(name)), shape.body).await;
    for index in shape.indexes {
        request(server, name, ("PUT", "index?wait=true", index)).await;
    }
    if !shape.points.is_empty() {
        request(server, name, ("PUT", "points?wait=true", json!({"points": shape.points}))).await;
    }
    let address = |name: &str| CollectionAddress::parse(&format!("a/{}", encode(name))).unwrap();
    let copy = format!("{name} copy");
    let taken = world
        .run(Request::Create(CreateRequest { of: address(name).into() }))
        .await
        .unwrap_or_else(|why| panic!("{name}: {why}"));
    assert!(taken.notes.is_empty(), "{name}: {:?}", taken.notes);
    let folder = world.home.path().join(encode(name).replace('%', "_"));
    std::fs::create_dir(&folder).unwrap();
    let download = DownloadRequest { of: address(name).into(), which: Which::Latest, target: folder.clone(), overwrite: false };
    world.run(Request::Download(download)).await.unwrap_or_else(|why| panic!("{name}: {why}"));
    let file = folder.join(&files(&folder)[0]);
    let restore = RestoreRequest::new(RecoveryPoint::File(file), address(&copy), Mode::New, Route::Upload);
    let restored = world.run(Request::Restore(restore)).await.unwrap_or_else(|why| panic!("{name}: {why}: {}", why.advice));
    // An empty collection has no sample, and nothing else to be proven by.
    assert!(matches!(restored.verdict, Some(Verdict::Matches(_))), "{name}: {restored:?}");
    let compare = || Request::Compare(CompareRequest { first: address(name), second: address(&copy), deep: true });
    let equal = world.run(compare()).await.unwrap_or_else(|why| panic!("{name}: {why}"));
    assert!(matches!(equal.verdict, Some(Verdict::Matches(_))), "{name}: {equal:?}");
    request(server, &copy, shape.twin).await;
    let found = world.run(compare()).await.unwrap_or_else(|why| panic!("{name}: {why}"));
    let verdict = found.verdict.clone().unwrap();
    assert!(matches!(verdict, Verdict::Differs(_)) && verdict.reason().contains(shape.named), "{name}: {verdict:?}");
    // Other settings or points do not hide that everything else is equal.
    let sampled =
        world.run(Request::Compare(CompareRequest { first: address(name), second: address(&copy), deep: false })).await.unwrap();
    assert!(!matches!(sampled.verdict, Some(Verdict::CouldNotCheck(_))), "{name}: {sampled:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shape_goes_through_and_its_wrong_twin_is_found() {
    let Some(server) = RealQdrant::start(None).await else { return };
    let world = Arc::new(World::open(&[("a", &server)]));
    let server = Arc::new(server);
    let mut left = shapes().into_iter();
    let mut running = tokio::task::JoinSet::new();
    loop {
        while running.len() < 6 {
            let Some(shape) = left.next() else { break };
            let (world, server) = (world.clone(), server.clone());
            running.spawn(async move { goes_through(&world, &server, shape).await });
        }
        match running.join_next().await {
            Some(ended) => ended.unwrap(),
            None => break,
        }
    }
}
