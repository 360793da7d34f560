//! `qsnap compare`: what is equal, and what is not, on the sandbox and on a real Qdrant.

use crate::support::{Cli, RealQdrant, Server};
use qsnap::sandbox::seed::SeedCollection;
use serde_json::{Value, json};

async fn finds_every_kind_of_difference(server: &Server) {
    let cli = Cli::for_servers(&[("a", server)]);
    let (uuid, other) = ("0b6a5a1e-0000-4000-8000-000000000001", "f0000000-0000-4000-8000-00000000000f");
    for name in ["one", "two"] {
        let config = json!({"vectors": {"size": 4, "distance": "Dot"}, "shard_number": 2});
        server.raw("PUT", &format!("/collections/{name}"), config).await;
        let vector = |n: u64| json!([n, 1, 2, 3]);
        let mut points: Vec<Value> = (0..2_500).map(|n| json!({"id": n * 3, "vector": vector(n), "payload": {"n": n}})).collect();
        points.extend([uuid, other].map(|id| json!({"id": id, "vector": vector(1), "payload": {}})));
        for chunk in points.chunks(1_000) {
            server.raw("PUT", &format!("/collections/{name}/points?wait=true"), json!({"points": chunk})).await;
        }
    }
    let deep = ["compare", "a/one", "a/two", "--deep", "--output", "json"];
    let equal = cli.run(&deep).await;
    assert_eq!(equal.code, 0, "{equal:?}");
    let equal = equal.json();
    assert_eq!((equal["verdict"].as_str(), equal["comparison"]["same"].as_u64()), (Some("matches"), Some(2_502)));
    // One payload, one vector, one missing on each side; a UUID among them.
    let upsert = |point: Value| json!({"points": [point]});
    for point in [
        json!({"id": 600, "vector": [200, 1, 2, 3], "payload": {"n": 201}}),
        json!({"id": 3, "vector": [1, 1, 2, 4], "payload": {"n": 1}}),
        json!({"id": 4, "vector": [0, 0, 0, 1], "payload": {}}),
    ] {
        server.raw("PUT", "/collections/two/points?wait=true", upsert(point)).await;
    }
    server.raw("POST", "/collections/two/points/delete?wait=true", json!({"points": [other, 7_497]})).await;
    let found = cli.run(&deep).await;
    assert_eq!(found.code, 4, "{found:?}");
    let found = found.json();
    assert_eq!(found["comparison"]["changed"], json!({"count": 2, "first": [3, 600]}));
    assert_eq!(found["comparison"]["only_in_first"], json!({"count": 2, "first": [7_497, other]}));
    assert_eq!(found["comparison"]["only_in_second"], json!({"count": 1, "first": [4]}));
    assert_eq!(found["comparison"]["same"], 2_498);
    assert_eq!(found["comparison"]["points"], json!({"first": 2_502, "second": 2_501}));
    let past = cli.run(&["history", "show", found["id"].as_str().unwrap(), "--markdown"]).await.stdout;
    for words in ["| only in the first | 2 (ids 7497, ", "| changed | 2 (ids 3, 600) |", "every point"] {
        assert!(past.contains(words), "{words}: {past}");
    }
    // A name that leads to the same collection proves nothing.
    let alias = json!({"actions": [{"create_alias": {"alias_name": "uno", "collection_name": "one"}}]});
    server.raw("POST", "/collections/aliases", alias).await;
    let same = cli.run(&["compare", "a/uno", "a/one"]).await;
    assert!(same.code == 2 && same.stderr.contains("equal to itself"), "{same:?}");
    // It only reads: a journal that cannot be written is no reason not to. One that cannot be read is told.
    let shut = Cli::for_servers(&[("a", server)]);
    std::fs::write(shut.path("state"), "a file where the folder should be").unwrap();
    let unwritten = shut.run(&["compare", "a/one", "a/two", "--deep"]).await;
    assert!(unwritten.code == 4 && unwritten.stdout.contains("the journal could not be written"), "{unwritten:?}");
    let unread = shut.run(&["history"]).await;
    assert!(unread.code == 1 && unread.stderr.contains("the journal cannot be read"), "{unread:?}");
    let sampled = cli.run(&["compare", "a/one", "a/two"]).await;
    assert_eq!(sampled.code, 4, "the counts differ: {sampled:?}");
    let absent = cli.run(&["compare", "a/one", "a/absent"]).await;
    assert!(absent.code == 1 && absent.stderr.contains("a/absent"), "{absent:?}");
    assert_eq!(cli.run(&["compare", "a/one", "a"]).await.code, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_difference_is_found() {
    finds_every_kind_of_difference(&Server::sandbox(None, vec![SeedCollection::new("x", 3)]).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_difference_is_found_on_a_real_server() {
    if let Some(server) = RealQdrant::start(None).await {
        finds_every_kind_of_difference(&server).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_shape_is_a_difference() {
    let seeds = vec![
        SeedCollection { dimensions: 8, ..SeedCollection::new("x", 10) },
        SeedCollection { dimensions: 8, shards: 2, ..SeedCollection::new("y", 10) },
    ];
    let server = Server::sandbox(None, seeds).await;
    let cli = Cli::for_servers(&[("a", &server)]);
    let found = cli.run(&["compare", "a/x", "a/y", "--deep"]).await;
    assert!(found.code == 4 && found.stdout.contains("1 and 2 shards"), "{found:?}");
}
