//! Collections that are sharded by keys: what a server answers about them, and that they come back with their keys. On a
//! sandbox always, and on a real Qdrant where there is one; both as clusters of one node.

use crate::support::{Cli, RealQdrant, Server, World, wait_until};
use qsnap::domain::address::{CollectionAddress, Which};
use qsnap::ops::engine;
use qsnap::ops::plan::consent::Consent;
use qsnap::ops::request::Request;
use qsnap::ops::request::recovery_point::RecoveryPoint;
use qsnap::ops::request::restore::{Mode, RestoreRequest};
use qsnap::ops::request::route::Route;
use qsnap::sandbox::options::SandboxOptions;
use serde_json::{Value, json};

async fn alone(real: bool) -> Option<Server> {
    if real { RealQdrant::start(None).await } else { Some(Server::sandbox(None, vec![]).await) }
}

/// What a server refuses with.
async fn refusal(server: &Server, method: &str, path: &str, body: Value) -> String {
    let request = reqwest::Client::new().request(method.parse().unwrap(), format!("{}{path}", server.url())).json(&body);
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    answer["status"]["error"].as_str().unwrap_or_default().to_owned()
}

/// The number of each shard, its key and its points.
async fn shards(server: &Server, name: &str) -> Vec<(u64, Value, u64)> {
    let answer = server.raw("GET", &format!("/collections/{name}/cluster"), json!({})).await;
    let local = answer["result"]["local_shards"].as_array().unwrap();
    let shard = |shard: &Value| {
        (shard["shard_id"].as_u64().unwrap(), shard["shard_key"].clone(), shard["points_count"].as_u64().unwrap())
    };
    local.iter().map(shard).collect()
}

fn points(ids: std::ops::Range<u64>, key: Value) -> Value {
    let all: Vec<Value> = ids.map(|id| json!({"id": id, "vector": [id, 1, 2, 3], "payload": {"city": key}})).collect();
    json!({"points": all, "shard_key": key})
}

/// What a bare upload of a snapshot gives; measured on a real 1.16.3.
async fn answers(real: bool) {
    let (Some(server), Some(alone)) = (cluster(real).await, alone(real).await) else { return };
    let config = json!({"vectors": {"size": 4, "distance": "Dot"}, "sharding_method": "custom", "shard_number": 2});
    let upsert = "/collections/keyed/points?wait=true";
    for name in ["keyed", "half", "other"] {
        server.raw("PUT", &format!("/collections/{name}"), config.clone()).await;
    }
    server.fill("auto", 3).await;
    assert_eq!(shards(&server, "keyed").await, [], "no shards without keys");
    let says = async |path: &str, body: Value| refusal(&server, "PUT", path, body).await;
    assert_eq!(
        says(upsert, json!({"points": [{"id": 1, "vector": [1, 2, 3, 4]}]})).await,
        "Wrong input: Shard key not specified"
    );
    for (name, key) in
        [("keyed", json!("eu")), ("keyed", json!(7)), ("half", json!("eu")), ("other", json!("zz")), ("other", json!(7))]
    {
        server.raw("PUT", &format!("/collections/{name}/shards"), json!({"shard_key": key})).await;
    }
    assert_eq!(says(upsert, points(1..2, json!("no"))).await, "Wrong input: Shard key \"no\" not found");
    let again = says("/collections/keyed/shards", json!({"shard_key": "eu"})).await;
    assert_eq!(again, "Bad request: Sharding key \"eu\" already exists for collection keyed");
    let auto = says("/collections/auto/shards", json!({"shard_key": "eu"})).await;
    assert_eq!(auto, "Bad request: Shard Key cannot be created with Auto sharding method");
    let count = refusal(&server, "POST", "/collections/keyed/points/count", json!({"shard_key": "no"})).await;
    assert_eq!(count, "Bad request: Shard key \"no\" not found");
    alone.raw("PUT", "/collections/keyed", config).await;
    let single = refusal(&alone, "PUT", "/collections/keyed/shards", json!({"shard_key": "eu"})).await;
    assert_eq!(single, "Bad request: Distributed mode disabled");

    server.raw("PUT", upsert, points(1..41, json!("eu"))).await;
    server.raw("PUT", upsert, points(41..51, json!(7))).await;
    let keyed = shards(&server, "keyed").await;
    let keys: Vec<(u64, Value)> = keyed.iter().map(|(number, key, _)| (*number, key.clone())).collect();
    assert_eq!(keys, [(1, json!("eu")), (2, json!("eu")), (3, json!(7)), (4, json!(7))]);
    let read = server.raw("POST", "/collections/keyed/points", json!({"ids": [1, 41]})).await;
    let told: Vec<&Value> = read["result"].as_array().unwrap().iter().map(|point| &point["shard_key"]).collect();
    assert!(told.contains(&&json!("eu")) && told.contains(&&json!(7)), "{read}");

    let snapshot = server.raw("POST", "/collections/keyed/snapshots", json!({})).await["result"]["name"].clone();
    let location = format!("{}/collections/keyed/snapshots/{}", server.url(), snapshot.as_str().unwrap());
    for name in ["fresh", "half", "other"] {
        let recovered = server.raw("PUT", &format!("/collections/{name}/snapshots/recover"), json!({"location": location})).await;
        assert_eq!(recovered["result"], json!(true), "{name}");
    }
    assert_eq!(server.count("fresh").await, 0, "nothing is restored, and `true` said");
    assert_eq!(server.count("half").await, 40, "what has no shard is dropped");
    let other = shards(&server, "other").await;
    assert_eq!(other[0], (1, json!("zz"), keyed[0].2), "data finds its shard by the number, whatever key that has");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_answers_about_shard_keys() {
    answers(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_server_answers_about_shard_keys() {
    answers(true).await;
}

/// Sharded by keys: a server that makes such a collection itself restores nothing, and says `true`.
#[tokio::test(flavor = "multi_thread")]
async fn shard_keys_are_made_before_a_restore_on_a_sandbox() {
    keyed(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shard_keys_are_made_before_a_restore_on_a_real_server() {
    keyed(true).await;
}

/// A cluster of one.
async fn cluster(real: bool) -> Option<Server> {
    let options = SandboxOptions { cluster: true, ..SandboxOptions::default() };
    if real { RealQdrant::start_cluster().await } else { Some(Server::with(options, vec![]).await) }
}

async fn keyed(real: bool) {
    let Some(server) = cluster(real).await else { return };
    let config = json!({"vectors": {"size": 4, "distance": "Dot"}, "sharding_method": "custom", "shard_number": 2});
    server.raw("PUT", "/collections/keyed", config).await;
    for (key, first) in [("eu", 1), ("us", 100)] {
        server.raw("PUT", "/collections/keyed/shards", json!({"shard_key": key})).await;
        let points: Vec<_> =
            (first..first + 50).map(|id| json!({"id": id, "vector": [id, 1, 2, 3], "payload": {"city": key}})).collect();
        let body = json!({"shard_key": key, "points": points});
        server.raw("PUT", "/collections/keyed/points?wait=true", body).await;
    }
    let index = json!({"field_name": "city", "field_schema": "keyword"});
    server.raw("PUT", "/collections/keyed/index?wait=true", index).await;
    let cli = Cli::for_servers(&[("a", &server)]);
    assert_eq!(cli.run(&["snapshots", "create", "a/keyed"]).await.code, 0);
    let ran = cli.run(&["restore", "a/keyed@latest", "--to", "a/again", "--yes", "--output", "json"]).await;
    assert_eq!((ran.code, &ran.json()["verdict"]), (0, &json!("matches")), "{ran:?}");
    assert_eq!(server.count("again").await, 100);
    let shards = server.raw("GET", "/collections/again/cluster", json!({})).await;
    assert_eq!(shards["result"]["local_shards"].as_array().unwrap().len(), 4, "{shards}");
    let only = json!({"exact": true, "shard_key": "eu"});
    assert_eq!(server.raw("POST", "/collections/again/points/count", only).await["result"]["count"], 50);
    // Over what is there: the keys are the same, so that it may be replaced.
    let gone: Vec<u64> = (1..30).collect();
    server.raw("POST", "/collections/again/points/delete?wait=true", json!({"points": gone, "shard_key": "eu"})).await;
    let over = ["restore", "a/keyed@latest", "--to", "a/again", "--mode", "in-place", "--yes", "--confirm", "a/again"];
    let ran = cli.run(&over).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(server.count("again").await, 100);
    // Who writes to what was prepared, while the upload runs, keeps it.
    let world = World::open(&[("a", &server)]);
    let request = RestoreRequest::new(
        RecoveryPoint::Snapshot(CollectionAddress::parse("a/keyed").unwrap(), Which::Latest),
        CollectionAddress::parse("a/third").unwrap(),
        Mode::New,
        Route::Stream,
    );
    let throttle = world.services.throttle(&request.target.instance).unwrap().clone();
    let plan = world.plan(Request::Restore(request)).await.unwrap();
    throttle.set(Some(200_000));
    let handle = engine::start(&world.services, plan.approve(&Consent::Yes).unwrap());
    let made = async || {
        let cluster = reqwest::get(format!("{}/collections/third/cluster", server.url())).await.unwrap();
        let cluster: Value = cluster.json().await.unwrap();
        cluster["result"]["local_shards"].as_array().is_some_and(|shards| shards.len() == 4)
    };
    wait_until("the keys are made", std::time::Duration::from_secs(30), made).await;
    server.raw("PUT", "/collections/third/points?wait=true", points(900..903, json!("eu"))).await;
    throttle.set(None);
    let stale = handle.wait().await.unwrap_err();
    assert!(stale.message.contains("somebody wrote to the collection that was prepared"), "{stale:?}");
    assert!(!stale.advice.contains("clean-up") && world.services.journal.open().is_empty(), "it is not ours: {stale:?}");
    assert_eq!(server.count("third").await, 3);
    // A server outside a cluster cannot make keys: that is said before anything moves.
    if let Some(single) = alone(real).await {
        let cli = Cli::for_servers(&[("a", &server), ("b", &single)]);
        let refused = cli.run(&["copy", "a/keyed", "b", "--yes"]).await;
        assert!(refused.code == 7 && refused.stderr.contains("cannot make shard keys"), "{refused:?}");
    }
}
