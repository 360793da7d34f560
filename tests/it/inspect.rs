//! `qsnap inspect` and the gate of restore plans: over the wire, on the sandbox and on a real Qdrant.

use crate::archive::fixture;
use crate::support::{Cli, QSNAP, RealQdrant, Server, say};
use qsnap::sandbox::seed::SeedCollection;
use serde_json::{Value, json};
use std::time::Duration;

fn seeded() -> Vec<SeedCollection> {
    vec![SeedCollection { filler: 3_000_000, shards: 2, snapshot_ages: vec![60, 7200], ..SeedCollection::new("x", 200) }]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_snapshot_is_read_by_ranges() {
    let server = Server::sandbox(None, seeded()).await;
    let cli = Cli::for_servers(&[("a", &server)]);
    let end = cli.run(&["inspect", "a/x@latest", "--output", "json"]).await;
    assert_eq!(end.code, 0, "{end:?}");
    let end = end.json();
    assert_eq!(
        (end["kind"].as_str(), end["scope"].as_str(), end["requests"].as_u64()),
        (Some("collection"), Some("end"), Some(1))
    );
    assert_eq!(end["collections"][0]["shape"]["shard_number"], 2);
    assert!(end["fetched"].as_u64().unwrap() <= 64 << 10);
    let tree = cli.run(&["inspect", "a/x@latest", "--tree", "--output", "json"]).await.json();
    assert_eq!(tree["check"]["whole"], true, "{tree}");
    assert_eq!(tree["points_at_most"][0], 200);
    assert!(tree["tree"].as_array().unwrap().iter().any(|row| row["path"].as_str().unwrap().contains("chunk_0.mmap")));
    assert!(tree["fetched"].as_u64().unwrap() < 300_000, "{}", tree["fetched"]);
    // The same by its link, whose query may be a secret.
    let link = format!("{}/collections/x/snapshots/{}?X-Signature=hush", server.url(), server.snapshots("x").await[0]);
    let linked = cli.run(&["inspect", &link, "--check", "--output", "json"]).await;
    assert!(linked.code == 0 && !linked.stdout.contains("hush"), "{linked:?}");
    assert_eq!(linked.json()["check"]["whole"], true);
    let gone = cli.run(&["inspect", &link.replace("/x-", "/y-")]).await;
    assert!(gone.code == 1 && gone.stderr.contains("still valid") && !gone.stderr.contains("hush"), "{gone:?}");
    let read = cli.run(&["inspect", "a/x@latest", "--checksum", "--output", "json"]).await.json();
    assert_eq!(read["sha256"], read["listed_sha256"]);
    assert_eq!(read["fetched"], read["size"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_ranges_it_says_so_and_can_be_read_through() {
    let server = Server::sandbox(None, seeded()).await;
    server.faults().add_all("download:ignore-range").unwrap();
    let cli = Cli::for_servers(&[("a", &server)]);
    let refused = cli.run(&["inspect", "a/x@latest"]).await;
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("no byte ranges") && refused.stderr.contains("--checksum"), "{refused:?}");
    let through = cli.run(&["inspect", "a/x@latest", "--checksum"]).await;
    assert_eq!(through.code, 0, "{through:?}");
    assert!(through.stdout.contains("as listed") && through.stdout.contains("whole:"), "{through:?}");
    // Other bytes than are listed: a finding, with the exit code of a difference.
    server.faults().clear();
    server.faults().add_all("any:wrong-checksum").unwrap();
    let wrong = cli.run(&["inspect", "a/x@latest", "--checksum"]).await;
    assert_eq!(wrong.code, 4, "{wrong:?}");
    assert!(wrong.stdout.contains("sha256 is not the listed one"), "{wrong:?}");
    server.faults().clear();
    server.faults().add_all("download:vanish@1").unwrap();
    let gone = cli.run(&["inspect", "a/x@latest", "--check"]).await;
    assert!(gone.code == 1 && !gone.stderr.contains("damaged"), "a source that fails is no damage: {gone:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gigabyte_is_told_by_little() {
    let server = crate::measure::Sandbox::start(QSNAP, &["--points", "0", "--snapshot-size", "1GiB"]);
    let cli = Cli::new(&format!("[instances.a]\nurl = '{}'\n", server.url));
    for (arguments, most) in [(&["inspect", "a/big@latest"][..], 100_000), (&["inspect", "a/big@latest", "--check"], 2_000_000)] {
        let ran = cli.run(&[arguments, &["--output", "json"]].concat()).await;
        let fetched = ran.json()["fetched"].as_u64().unwrap();
        say(&format!("{}: {fetched} bytes of 1 GiB", arguments.join(" ")));
        assert!(ran.code == 0 && fetched > 0 && fetched <= most, "{ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_files_are_refused_before_anything_is_sent() {
    let server = Server::sandbox(None, seeded()).await;
    let cli = Cli::for_servers(&[("a", &server)]);
    let rich = fixture("rich-two-shards.snapshot");
    let mut broken = rich.clone();
    let at = rich.windows(16).position(|window| window == b"{\"initial_versio").unwrap();
    broken[at] = b'[';
    for (name, bytes, words) in [
        ("broken", broken, "segment.json"),
        ("cut", rich[..rich.len() / 2].to_vec(), "it is cut"),
        ("partial", fixture("plain-partial-full.tar"), "partial shard snapshot"),
        ("full", fixture("full-storage.snapshot"), "it is a full snapshot"),
        ("shard", fixture("plain-shard.snapshot"), "it is a shard snapshot"),
        ("html", b"<html>502 Bad Gateway</html>".repeat(60), "HTML"),
        ("text", b"Must provide an API key".to_vec(), "Must provide an API key"),
    ] {
        let file = format!("./{name}.snapshot");
        std::fs::write(cli.path(&file), bytes).unwrap();
        let over = ["restore", file.as_str(), "--to", "a/x", "--mode", "in-place", "--yes", "--confirm", "a/x"];
        let ran = cli.run(&over).await;
        assert_eq!(ran.code, 7, "{name}: {ran:?}");
        assert!(ran.stderr.contains(words), "{name}: {ran:?}");
        let ran = cli.run(&["snapshots", "upload", file.as_str(), "--to", "a/new", "--yes"]).await;
        assert!(ran.code == 7 && ran.stderr.contains(words), "{name}: {ran:?}");
        assert_eq!(server.count("x").await, 200);
        let looked = cli.run(&["inspect", &file]).await;
        let expected = if matches!(name, "partial" | "full" | "shard") { 0 } else { 4 };
        assert_eq!(looked.code, expected, "{name}: {looked:?}");
    }
    // Two files side by side, and what is no file at all.
    std::fs::write(cli.path("plain.snapshot"), fixture("plain.snapshot")).unwrap();
    std::fs::write(cli.path("rich.snapshot"), &rich).unwrap();
    let compared = cli.run(&["inspect", "plain.snapshot", "--diff", "rich.snapshot"]).await;
    assert!(compared.code == 0 && compared.stdout.contains("params.shard_number"), "{compared:?}");
    for nothing in ["/", "./absent.snapshot", "a/x/absent.snapshot"] {
        let ran = cli.run(&["inspect", nothing]).await;
        assert!(ran.code == 1 && ran.stderr.contains("hint:"), "{nothing}: {ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshots_of_a_real_server_are_whole() {
    let Some(server) = RealQdrant::start(None).await else { return };
    server.fill("real", 3_000).await;
    let cli = Cli::for_servers(&[("a", &server)]);
    assert_eq!(cli.run(&["snapshots", "create", "a/real"]).await.code, 0);
    let ran = cli.run(&["inspect", "a/real@latest", "--check", "--checksum", "--output", "json"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let found = ran.json();
    assert_eq!(found["check"]["whole"], true);
    assert_eq!(found["sha256"], found["listed_sha256"]);
    assert!(found["points_at_most"][0].as_u64() >= Some(3_000), "{}", found["points_at_most"]);
    let ranged = cli.run(&["inspect", "a/real@latest", "--check", "--output", "json"]).await.json();
    for same in ["kind", "collections", "check", "entries", "size"] {
        assert_eq!(ranged[same], found[same], "{same}: by ranges as read through");
    }
}

/// A server stops at the end of an archive: what follows it is no reason to refuse it, for a check or for a restore.
#[tokio::test(flavor = "multi_thread")]
async fn what_follows_the_end_is_restored_as_a_server_restores_it() {
    let Some(server) = RealQdrant::start(None).await else { return };
    server.fill("x", 50).await;
    server.raw("POST", "/collections/x/snapshots", json!({})).await;
    let link = format!("{}/collections/x/snapshots/{}", server.url(), server.snapshots("x").await[0]);
    let mut bytes = reqwest::get(link).await.unwrap().bytes().await.unwrap().to_vec();
    bytes.extend([b'x'; 777]);
    let cli = Cli::for_servers(&[("a", &server)]);
    std::fs::write(cli.path("junk.snapshot"), bytes).unwrap();
    let looked = cli.run(&["inspect", "./junk.snapshot", "--check"]).await;
    assert!(looked.code == 0 && looked.stdout.contains("777 B follow the end"), "{looked:?}");
    let ran = cli.run(&["restore", "./junk.snapshot", "--to", "a/y", "--yes"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(server.count("y").await, 50);
}

/// 1.16.3 does not tell whether it was built with RocksDB.
#[tokio::test(flavor = "multi_thread")]
async fn rocksdb_data_is_not_promised_to_be_read() {
    let Some(server) = RealQdrant::start(None).await else { return };
    let cli = Cli::for_servers(&[("a", &server)]);
    let rocks = crate::archive::with_rocks(&fixture("plain.snapshot"));
    std::fs::write(cli.path("rocks.snapshot"), rocks).unwrap();
    let plan = cli.run(&["restore", "./rocks.snapshot", "--to", "a/x", "--dry-run"]).await;
    assert!(plan.code == 0 && plan.stdout.contains("may not be able to read it"), "{plan:?}");
}

/// Archives that are made to hurt: each must get its verdict in little memory and little time.
fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let header = |name: &str, kind: tar::EntryType, size: u64| {
        let mut header = tar::Header::new_gnu();
        header.set_path(name).unwrap();
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_cksum();
        header.as_bytes().to_vec()
    };
    let file = tar::EntryType::Regular;
    let entries = |count: usize, name: &dyn Fn(usize) -> String| -> Vec<u8> {
        (0..count).flat_map(|n| header(&name(n), file, 0)).chain(vec![0; 1024]).collect()
    };
    // One header, with other digits and the sum that they make: a million are wanted.
    let mut million = Vec::with_capacity(850_000 * 512);
    let mut block = header("0/segments/s/files/0000000", file, 0);
    let sum: u32 = block[..148].iter().chain(&block[156..]).map(|byte| u32::from(*byte)).sum();
    for n in 0..850_000_u32 {
        let digits = format!("{n:07}");
        block[19..26].copy_from_slice(digits.as_bytes());
        let more: u32 = digits.bytes().map(|byte| u32::from(byte - b'0')).sum();
        block[148..155].copy_from_slice(format!("{:07o}", sum + more + 8 * 32).as_bytes());
        million.extend_from_slice(&block);
    }
    let mut json = header("config.json", file, 900_000);
    json.extend(b"[".iter().chain(b"0,".iter().cycle().take(899_998)).chain(b"0"));
    json.resize(json.len().next_multiple_of(512) + 1024, 0);
    let mut deep = header("config.json", file, 1 << 20);
    deep.resize(512 + (1 << 20), b'[');
    deep.resize(deep.len() + 1024, 0);
    vec![
        ("more entries than anything has", million),
        ("many segments", entries(60_000, &|n| format!("0/segments/segment-number-{n}.tar"))),
        ("many shards", entries(60_000, &|n| format!("{n}/wal/x"))),
        ("many vectors", entries(60_000, &|n| format!("0/segments/s/files/vector_storage-{n}/x"))),
        ("many collections", entries(60_000, &|n| format!("c{n}.snapshot"))),
        ("many folders", entries(60_000, &|n| format!("a{n}/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z"))),
        ("a huge size", header("0/segments/x.tar", file, u64::MAX / 2)),
        ("a huge name", header("././@LongLink", tar::EntryType::GNULongName, 1 << 40)),
        ("a large document", json),
        ("a deep document", deep),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn archives_that_are_made_to_hurt_do_not() {
    if !crate::measure::possible() {
        say("skipped: no /proc");
        return;
    }
    let cli = Cli::new("");
    for (what, bytes) in bombs() {
        let file = cli.path("bomb.snapshot");
        std::fs::write(&file, bytes).unwrap();
        let ran = crate::measure::run(cli.command(&["inspect", "./bomb.snapshot", "--tree", "--quiet"]));
        say(&format!("{what}: {} MiB, {:.1} s", ran.peak_kib >> 10, ran.seconds));
        assert!(ran.code == 4 || ran.code == 0, "{what}: {ran:?}");
        assert!(ran.peak_kib < 64 << 10, "{what}: {ran:?}");
    }
}

/// Shapes whose segments look different: empty, indexed, on disk, quantized, sparse, payload only, odd names.
#[tokio::test(flavor = "multi_thread")]
async fn any_shape_of_a_real_server_is_whole() {
    let Some(server) = RealQdrant::start(None).await else { return };
    let cli = Cli::for_servers(&[("a", &server)]);
    let dense = |extra: Value| {
        let mut vector = json!({"size": 8, "distance": "Dot"});
        vector.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        vector
    };
    let index_soon = json!({"indexing_threshold": 10, "memmap_threshold": 10});
    let one: Value = (0..8).map(|n| json!(0.1 * f64::from(n))).collect();
    let sparse = json!({"indices": [1, 7], "values": [0.5, 1.0]});
    for (name, config, vector) in [
        ("empty", json!({"vectors": dense(json!({}))}), Value::Null),
        ("indexed", json!({"vectors": dense(json!({})), "optimizers_config": index_soon}), one.clone()),
        (
            "on-disk",
            json!({"vectors": dense(json!({"on_disk": true})), "on_disk_payload": true, "optimizers_config": index_soon}),
            one.clone(),
        ),
        (
            "quantized",
            json!({"vectors": dense(json!({"datatype": "float16"})), "quantization_config": {"scalar": {"type": "int8"}}, "optimizers_config": index_soon}),
            one.clone(),
        ),
        ("sparse", json!({"vectors": {}, "sparse_vectors": {"words": {"index": {"on_disk": true}}}}), json!({"words": sparse})),
        ("payload-only", json!({"vectors": {}}), json!({})),
        (
            "odd names",
            json!({"vectors": {"a b/c": dense(json!({})), "unused": dense(json!({}))}, "shard_number": 3}),
            json!({"a b/c": one}),
        ),
        ("keyed", json!({"vectors": dense(json!({})), "sharding_method": "custom"}), Value::Null),
    ] {
        let path = format!("/collections/{}", name.replace(' ', "%20"));
        server.raw("PUT", &path, config).await;
        if !vector.is_null() {
            let point = |id| json!({"id": id, "vector": vector, "payload": {"city": "x", "n": id}});
            let points: Value = (0..600).map(point).collect();
            server.raw("PUT", &format!("{path}/points?wait=true"), json!({"points": points})).await;
        }
        let green = async || server.raw("GET", &path, Value::Null).await["result"]["status"] == "green";
        crate::support::wait_until("the optimizer rests", Duration::from_secs(60), green).await;
        let address = format!("a/{}", name.replace(' ', "%20"));
        assert_eq!(cli.run(&["snapshots", "create", &address]).await.code, 0, "{name}");
        let ran = cli.run(&["inspect", &format!("{address}@latest"), "--check", "--output", "json"]).await;
        assert_eq!(ran.code, 0, "{name}: {ran:?}");
        let points = ran.json()["points_at_most"][0].as_u64();
        let expected = if vector.is_null() { 0 } else { 600 };
        assert!(points >= Some(expected) && points < Some(expected + 400), "{name}: {points:?}");
    }
}
