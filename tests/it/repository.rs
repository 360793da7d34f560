//! One suite over the stores of backups: memory, a directory, a server that speaks S3; others where the environment names them.

use crate::s3_server::{BUCKET, KEY, S3Server, SECRET};
use crate::support::say;
use bytes::Bytes;
use qsnap::domain::address::CollectionAddress;
use qsnap::domain::backup::{BackupId, RepositoryName};
use qsnap::domain::problem::ProblemKind;
use qsnap::domain::repository::{Place, Repository};
use qsnap::domain::secret::Secret;
use qsnap::domain::time::{Clock, SystemClock};
use qsnap::repository::bucket::{Bucket, collect};
use qsnap::repository::cache::Cache;
use qsnap::repository::credentials::Credentials;
use qsnap::repository::index::{State, scan};
use qsnap::repository::layout;
use qsnap::repository::listing::list;
use qsnap::repository::manifest::{Kind, Manifest, Object, Started, Whole};
use qsnap::repository::open::open;
use std::sync::Arc;
use std::time::Duration;

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

fn repository(place: &str) -> Repository {
    Repository::new(RepositoryName::new("offsite").unwrap(), Place::parse(place).unwrap())
}

fn s3(server: &S3Server, prefix: &str) -> Bucket {
    let endpoint = Some(server.url.parse().unwrap());
    let place = format!("s3://{BUCKET}{prefix}");
    let settings = Repository { endpoint, ..repository(&place) };
    open(settings, Credentials::Key { id: KEY.into(), secret: Secret::new(SECRET) }, &clock()).unwrap()
}

/// What must stay alive as long as the buckets.
struct Stores {
    buckets: Vec<(&'static str, Bucket)>,
    _folder: tempfile::TempDir,
    _server: S3Server,
}

fn stores() -> Stores {
    qsnap::compose::install_crypto();
    let folder = tempfile::tempdir().unwrap();
    let server = S3Server::start();
    let mut buckets = vec![
        ("memory", Bucket::in_memory(repository("/memory"))),
        ("directory", open(repository(folder.path().to_str().unwrap()), Credentials::Anonymous, &clock()).unwrap()),
        ("s3", s3(&server, "")),
        ("s3 with a prefix", s3(&server, "/teams/ä b")),
    ];
    // `.ci/run` starts other servers where they are to be had.
    if let Ok(endpoint) = std::env::var("QSNAP_TEST_S3") {
        let settings = Repository { endpoint: Some(endpoint.parse().unwrap()), ..repository(&format!("s3://{BUCKET}/suite")) };
        let credentials = Credentials::Key { id: KEY.into(), secret: Secret::new(SECRET) };
        buckets.push(("another S3 server", open(settings, credentials, &clock()).unwrap()));
    } else {
        say("skipped: QSNAP_TEST_S3 names no other S3 server");
    }
    if let Ok(endpoint) = std::env::var("QSNAP_TEST_AZURE") {
        let account = Some("devstoreaccount1".to_owned());
        let settings =
            Repository { endpoint: Some(endpoint.parse().unwrap()), account, ..repository(&format!("az://{BUCKET}/suite")) };
        // The key of every emulator, from its documentation.
        let key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
        let credentials = Credentials::Key { id: String::new(), secret: Secret::new(key) };
        buckets.push(("Azurite", open(settings, credentials, &clock()).unwrap()));
    } else {
        say("skipped: QSNAP_TEST_AZURE names no Azure emulator");
    }
    Stores { buckets, _folder: folder, _server: server }
}

/// Writes an object in chunks of `chunk` bytes.
async fn upload(bucket: &Bucket, key: &str, content: &[u8], chunk: usize) {
    let mut upload = bucket.upload(key, content.len() as u64).await.unwrap();
    for piece in content.chunks(chunk) {
        upload.write(Bytes::copy_from_slice(piece)).await.unwrap();
    }
    upload.finish().await.unwrap();
}

fn content(size: usize) -> Vec<u8> {
    (0..size).map(|n| (n * 7 % 251) as u8).collect()
}

#[tokio::test]
async fn small_objects_are_created_read_and_removed() {
    for (name, bucket) in &stores().buckets {
        let key = "prod/m%C3%A4ggi/20261122T031500Z-9f3c/notes/x.json";
        assert_eq!(bucket.read(key, 100).await.unwrap(), None, "{name}");
        assert_eq!(bucket.size(key).await.unwrap(), None, "{name}");
        bucket.create(key, b"one".to_vec()).await.unwrap();
        let again = bucket.create(key, b"two".to_vec()).await.unwrap_err();
        assert!(again.message.contains("exists already"), "{name}: {again}");
        assert_eq!(bucket.read(key, 100).await.unwrap().unwrap(), "one", "{name}");
        bucket.replace(key, b"three".to_vec()).await.unwrap();
        assert_eq!(bucket.size(key).await.unwrap(), Some(5), "{name}");
        assert!(bucket.read(key, 4).await.unwrap_err().message.contains("too large"), "{name}");
        let listed = list(bucket, "").await.unwrap();
        let keys: Vec<&str> = listed.entries.iter().map(|entry| entry.key.as_str()).collect();
        assert_eq!(keys, [key], "{name}");
        assert!(list(bucket, "prod/other").await.unwrap().entries.is_empty(), "{name}");
        assert_eq!(list(bucket, "prod/m%C3%A4ggi").await.unwrap().entries.len(), 1, "{name}");
        bucket.delete(key).await.unwrap();
        bucket.delete(key).await.unwrap();
        bucket.tidy_folders(key);
        assert!(list(bucket, "").await.unwrap().entries.is_empty(), "{name}");
    }
}

#[tokio::test]
async fn large_objects_are_written_in_parts_and_read_in_ranges() {
    const MIB: usize = 1 << 20;
    for (name, bucket) in &stores().buckets {
        for (size, chunk) in [(0, 1), (5 * MIB - 100_000, MIB), (8 * MIB, MIB), (8 * MIB + 1, 3 * MIB), (17 * MIB, 399_999)] {
            let key = format!("prod/products/20261122T031500Z-9f3c/{size}.snapshot");
            let content = content(size);
            upload(bucket, &key, &content, chunk).await;
            assert_eq!(bucket.size(&key).await.unwrap(), Some(size as u64), "{name}");
            if size > 0 {
                let (body, whole) = bucket.open(&key, 1..size as u64).await.unwrap();
                assert_eq!(whole, size as u64, "{name}");
                assert!(collect(body).await.unwrap() == content[1..], "{name}: {size}");
            }
            bucket.delete(&key).await.unwrap();
        }
        // What is broken off is not there.
        let key = "prod/products/20261122T031500Z-9f3c/broken.snapshot";
        let mut broken = bucket.upload(key, 0).await.unwrap();
        broken.write(Bytes::from(content(9 * MIB))).await.unwrap();
        assert_eq!(bucket.size(key).await.unwrap(), None, "{name}");
        broken.abort().await.unwrap();
        assert_eq!(bucket.size(key).await.unwrap(), None, "{name}");
        assert!(list(bucket, "").await.unwrap().entries.is_empty(), "{name}");
    }
}

/// A manifest of one object.
fn manifest(id: &str, collection: &CollectionAddress, size: u64) -> Manifest {
    let id = BackupId::new(id).unwrap();
    Manifest {
        format: 1,
        kind: Kind::Snapshot,
        instance: collection.instance.to_string(),
        collection: collection.collection.raw().into(),
        taken_at: id.taken_at(),
        finished_at: id.taken_at(),
        id,
        complete: true,
        missing: vec![],
        indexes: Vec::new(),
        objects: vec![Object {
            name: "7-x.snapshot".into(),
            original: "x.snapshot".into(),
            size,
            sha256: "a".repeat(64),
            listed: true,
            node: String::new(),
            peer: Some(7),
            shards: vec![],
        }],
        points_min: Some(1),
        points_max: Some(1),
        status: None,
        qdrant_version: None,
        qsnap_version: "0".into(),
        who: "ada".into(),
        run: None,
        run_collections: None,
        shards: None,
        shard_keys: vec![],
        aliases: vec![],
        config: serde_json::Value::Null,
        payload_schema: serde_json::Value::Null,
    }
}

async fn put_backup(bucket: &Bucket, manifest: &Manifest, object: usize) {
    let folder = layout::folder(&manifest.address().unwrap(), &manifest.id);
    bucket.create(&format!("{folder}/7-x.snapshot"), content(object)).await.unwrap();
    let text = serde_json::to_vec(&Whole { manifest, proof: None }).unwrap();
    bucket.create(&format!("{folder}/backup.json"), text).await.unwrap();
}

#[tokio::test]
async fn one_damaged_backup_hides_no_other() {
    for (name, bucket) in &stores().buckets {
        let address = |text: &str| CollectionAddress::parse(text).unwrap();
        let odd = address("prod/m%C3%A4ggi%2F100%25%20sure");
        let products = address("prod/products");
        put_backup(bucket, &manifest("20261122T010000Z-0001", &products, 10), 10).await;
        put_backup(bucket, &manifest("20261122T020000Z-0002", &products, 11), 10).await;
        put_backup(bucket, &manifest("20261122T030000Z-0003", &odd, 10), 10).await;
        let part =
            Manifest { complete: false, missing: vec!["shard 1".into()], ..manifest("20261122T040000Z-0004", &products, 10) };
        put_backup(bucket, &part, 10).await;
        // A folder that somebody copied, a newer format, bytes of nobody, an unfinished one, and strangers.
        let folder = |id: &str| format!("prod/products/{id}");
        let copied =
            serde_json::to_vec(&Whole { manifest: &manifest("20261122T010000Z-0001", &products, 10), proof: None }).unwrap();
        bucket.create(&format!("{}/backup.json", folder("20261122T050000Z-0005")), copied).await.unwrap();
        bucket.create(&format!("{}/backup.json", folder("20261122T060000Z-0006")), br#"{"format":9}"#.to_vec()).await.unwrap();
        bucket.create(&format!("{}/backup.json", folder("20261122T070000Z-0007")), vec![0xff; 10]).await.unwrap();
        let started = Started {
            format: 1,
            who: "ada".into(),
            at: "2026-11-22T08:00:00Z".parse().unwrap(),
            removing: false,
            objects: vec!["7-x.snapshot".into()],
            builds_on: vec![],
        };
        let text = serde_json::to_vec(&started).unwrap();
        bucket.create(&format!("{}/started.json", folder("20261122T080000Z-0008")), text).await.unwrap();
        for stranger in ["README.md", "prod/notes.txt", "prod/products/20261122T090000Z-0009/7-x.snapshot"] {
            bucket.create(stranger, b"x".to_vec()).await.unwrap();
        }
        let cache = Cache::default();
        for _ in 0..2 {
            let found = scan(bucket, &cache, None).await.unwrap();
            let state = |id: &str| {
                let backup = found.backups.iter().find(|backup| backup.id.as_str().ends_with(id));
                backup.map_or_else(|| panic!("{name}: {id}: {found:?}"), |backup| backup.state.clone())
            };
            assert_eq!(state("0001"), State::Good, "{name}");
            assert!(state("0002").reason().contains("10 bytes instead of 11"), "{name}");
            assert_eq!(state("0003"), State::Good, "{name}");
            assert_eq!(state("0004"), State::Incomplete("shard 1".into()), "{name}");
            assert!(state("0005").reason().contains("another backup"), "{name}");
            assert!(state("0006").reason().contains("newer qsnap"), "{name}");
            assert!(state("0007").reason().contains("damaged"), "{name}");
            assert_eq!(found.backups.iter().filter(|backup| backup.collection == odd).count(), 1, "{name}");
            assert_eq!(found.remains.len(), 1, "{name}");
            assert_eq!(found.remains[0].started.as_ref(), Some(&started), "{name}");
            assert!(state("0009").reason().contains("manifest is missing"), "{name}: data in a folder of ours is no stranger");
            assert_eq!(found.strangers.len(), 2, "{name}: {:?}", found.strangers);
            assert!(found.problems.is_empty(), "{name}: {:?}", found.problems);
        }
        assert_eq!(scan(bucket, &cache, Some(&odd)).await.unwrap().backups.len(), 1, "{name}");
        for entry in list(bucket, "").await.unwrap().entries {
            bucket.delete(&entry.key).await.unwrap();
            bucket.tidy_folders(&entry.key);
        }
    }
}

#[tokio::test]
async fn a_stores_refusals_say_what_to_do() {
    qsnap::compose::install_crypto();
    let server = S3Server::start();
    let endpoint: Option<url::Url> = Some(server.url.parse().unwrap());
    let opened = |place: &str, secret: &str| {
        let settings = Repository { endpoint: endpoint.clone(), ..repository(place) };
        open(settings, Credentials::Key { id: KEY.into(), secret: Secret::new(secret) }, &clock()).unwrap()
    };
    let bucket = list(&opened("s3://nothere", SECRET), "").await.unwrap_err();
    assert!(bucket.message.contains("no such bucket"), "{bucket:?}");
    let key = list(&opened(&format!("s3://{BUCKET}"), "hunter2"), "").await.unwrap_err();
    assert_eq!(key.kind, ProblemKind::NotAllowed, "{key:?}");
    assert!(!format!("{key:?}").contains("hunter2"));
    let settings = Repository { endpoint: Some("http://127.0.0.1:1".parse().unwrap()), ..repository("s3://x") };
    let away = open(settings, Credentials::Key { id: KEY.into(), secret: Secret::new(SECRET) }, &clock()).unwrap();
    let refused = tokio::time::timeout(Duration::from_secs(90), away.read("a", 1)).await.unwrap().unwrap_err();
    assert_eq!(refused.kind, ProblemKind::Unreachable, "{refused:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_directory_that_cannot_be_written_says_so() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("prod"), "a file where a folder should be").unwrap();
    let bucket = open(repository(folder.path().to_str().unwrap()), Credentials::Anonymous, &clock()).unwrap();
    assert!(bucket.create("prod/x", vec![1]).await.is_err());
    assert!(bucket.upload("prod/x", 1).await.is_err());
    bucket.create("other/x", vec![1]).await.unwrap();
}

#[tokio::test]
async fn a_link_is_signed_for_those_who_have_no_key() {
    qsnap::compose::install_crypto();
    let server = S3Server::start();
    let bucket = s3(&server, "/p");
    let key = "prod/a%2Fb/20261122T031500Z-9f3c/7-x%20y.snapshot";
    bucket.create(key, b"content".to_vec()).await.unwrap();
    let link = bucket.signed(key, Duration::from_secs(60)).await.unwrap().unwrap();
    assert!(!link.to_string().contains("Signature="), "{link}");
    let answer = reqwest::get(link.expose().clone()).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.text().await.unwrap(), "content");
    assert!(server.bucket().join("p").join(key).is_file(), "the key is the path");
}
