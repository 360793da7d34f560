//! One suite over the client, on the sandbox always and on a real Qdrant where there is one.

use crate::support::{RealQdrant, Server, World};
use futures_util::StreamExt;
use qsnap::domain::ids::{CollectionName, InstanceName, SnapshotName};
use qsnap::domain::point::PointId;
use qsnap::domain::snapshot::SnapshotScope;
use qsnap::qdrant::api::{AliasAction, Fields, QdrantApi, Recover, Upload, Wanted};
use qsnap::qdrant::error::ApiErrorKind;
use serde_json::json;
use sha2::{Digest, Sha256};

#[tokio::test(flavor = "multi_thread")]
async fn the_sandbox_conforms() {
    suite(&Server::sandbox(Some("k"), vec![]).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_qdrant_conforms() {
    if let Some(server) = RealQdrant::start(Some("k")).await {
        suite(&server).await;
    }
}

async fn suite(server: &Server) {
    let world = World::open(&[("a", server)]);
    let connection = world.services.connection(&InstanceName::new("a").unwrap()).await.unwrap();
    let node = connection.nodes[0].as_ref();
    let name = CollectionName::new("alpha");
    collections(server, node, &name).await;
    points(node, &name).await;
    aliases(node, &name).await;
    snapshots(server, node, &name).await;
    shards_and_storage(node, &name).await;
    assert!(node.delete_collection(&name).await.unwrap());
    assert!(!node.delete_collection(&name).await.unwrap(), "an absent collection is deleted with `false`");
}

async fn collections(server: &Server, node: &dyn QdrantApi, name: &CollectionName) {
    assert!(node.version().await.unwrap().unwrap().at_least(1, 16));
    node.live().await.unwrap();
    assert_eq!(node.collection(name).await.unwrap_err().kind, ApiErrorKind::NotFound);
    assert!(!node.exists(name).await.unwrap());
    let scope = SnapshotScope::Collection(name.clone());
    assert_eq!(node.snapshots(&scope).await.unwrap_err().kind, ApiErrorKind::NotFound);
    let body = json!({"vectors": {"size": 4, "distance": "Dot"}});
    node.create_collection(name, &body).await.unwrap();
    assert_eq!(node.create_collection(name, &body).await.unwrap_err().kind, ApiErrorKind::Conflict);
    node.delete_collection(name).await.unwrap();
    server.fill(name.raw(), 250).await;
    assert_eq!(node.collections().await.unwrap(), std::slice::from_ref(name));
    let info = node.collection(name).await.unwrap();
    assert_eq!(info.vectors_in_words(), "4-d Dot");
    assert_eq!(info.payload_schema, [("city".to_owned(), "keyword".to_owned())]);
    assert_eq!(node.cluster().await.unwrap().peer, None);
    let cluster = node.collection_cluster(name).await.unwrap();
    assert!(cluster.missing_here().is_empty() && cluster.unhealthy().is_empty());
}

async fn points(node: &dyn QdrantApi, name: &CollectionName) {
    assert_eq!(node.count(name).await.unwrap(), 250);
    let (mut seen, mut offset) = (0, None);
    loop {
        let page = node.scroll(name, offset.as_ref(), 100, Fields::All).await.unwrap();
        seen += page.points.len();
        offset = page.next;
        if offset.is_none() {
            break;
        }
    }
    assert_eq!(seen, 250);
    let found = node.points(name, &[PointId::Number(7), PointId::Number(9_999)]).await.unwrap();
    assert_eq!(found.len(), 1);
    let ids = node.scroll(name, None, 250, Fields::Ids).await.unwrap();
    assert!(ids.points.len() == 250 && ids.points.iter().all(|point| point.digest == ids.points[0].digest), "ids alone");
    let sample = node.sample(name, 20).await.unwrap();
    assert_eq!(sample.len(), 20);
    let all = node.scroll(name, None, 250, Fields::All).await.unwrap().points;
    for point in sample {
        assert!(all.contains(&point), "a sampled point reads the same as a scrolled one: {point:?}");
    }
}

async fn aliases(node: &dyn QdrantApi, name: &CollectionName) {
    let alias = qsnap::domain::collection::Alias { alias: "live".into(), collection: name.clone() };
    node.update_aliases(&[AliasAction::Point(alias.clone())]).await.unwrap();
    assert_eq!(node.aliases().await.unwrap(), [alias]);
    assert!(node.exists(&CollectionName::new("live")).await.unwrap());
    node.update_aliases(&[AliasAction::Remove("live".into())]).await.unwrap();
    assert!(node.aliases().await.unwrap().is_empty());
}

async fn bytes_of(node: &dyn QdrantApi, scope: &SnapshotScope, name: &SnapshotName) -> Vec<u8> {
    let download = node.download(scope, name, &Wanted::default()).await.unwrap();
    let chunks: Vec<_> = download.body.map(|chunk| chunk.unwrap()).collect().await;
    chunks.concat()
}

/// Parts of a snapshot, by range and version.
async fn ranges(node: &dyn QdrantApi, scope: &SnapshotScope, name: &SnapshotName, bytes: &[u8]) {
    let size = bytes.len() as u64;
    let part = async |from: u64, to: Option<u64>, etag: Option<&str>| {
        let wanted = Wanted { from, to, etag: etag.map(str::to_owned) };
        let download = node.download(scope, name, &wanted).await?;
        let (first, length, total, etag) = (download.from, download.length, download.total, download.etag.clone());
        assert!(download.ranged, "{wanted:?}");
        let chunks: Vec<_> = download.body.map(|chunk| chunk.unwrap()).collect().await;
        let body = chunks.concat();
        assert_eq!((first, length, total), (from, Some(body.len() as u64), Some(size)), "{wanted:?}");
        let end = to.unwrap_or(size).min(size) as usize;
        assert!(body == bytes[from as usize..end], "{wanted:?}");
        Ok::<_, qsnap::qdrant::error::ApiError>(etag.unwrap())
    };
    let etag = part(0, Some(1), None).await.unwrap();
    for (from, to) in
        [(0, None), (0, Some(size)), (1, None), (size / 2, Some(size / 2 + 700)), (size - 1, None), (9, Some(size * 2))]
    {
        assert_eq!(part(from, to, Some(&etag)).await.unwrap(), etag);
    }
    let other = format!("\"{}x\"", etag.trim_matches('"'));
    assert_eq!(part(0, None, Some(&other)).await.unwrap_err().kind, ApiErrorKind::Changed);
    assert_eq!(part(10, Some(20), Some(&other)).await.unwrap_err().kind, ApiErrorKind::Changed);
    assert_eq!(part(size, None, Some(&etag)).await.unwrap_err().kind, ApiErrorKind::Changed);
}

fn upload(bytes: &[u8], file_name: &str, sha256: Option<String>) -> Upload {
    let body = futures_util::stream::iter([Ok(bytes::Bytes::copy_from_slice(bytes))]).boxed();
    Upload { file_name: file_name.into(), size: Some(bytes.len() as u64), body, sha256 }
}

async fn snapshots(server: &Server, node: &dyn QdrantApi, name: &CollectionName) {
    let scope = SnapshotScope::Collection(name.clone());
    let taken = node.create_snapshot(&scope).await.unwrap();
    assert_eq!(node.snapshots(&scope).await.unwrap(), std::slice::from_ref(&taken));
    assert_eq!(node.optimizing(name).await.unwrap(), Some(false), "nothing is to be optimized in so few points");
    let activity = node.snapshot_activity(name).await.unwrap();
    assert_eq!(activity.map(|activity| (activity.creating, activity.recovering)), Some((0, 0)));
    let bytes = bytes_of(node, &scope, &taken.name).await;
    let digest = qsnap::domain::hex::hex(&Sha256::digest(&bytes));
    assert_eq!(taken.sha256.as_deref(), Some(digest.as_str()));
    assert_eq!(taken.size, bytes.len() as u64);
    let none = SnapshotName::new("none.snapshot");
    let missing = node.download(&scope, &none, &Wanted::default()).await.err().unwrap();
    assert_eq!(missing.kind, ApiErrorKind::NotFound);
    ranges(node, &scope, &taken.name, &bytes).await;

    let beta = SnapshotScope::Collection(CollectionName::new("beta"));
    let wrong = node.upload(&beta, upload(&bytes, "w.snapshot", Some("0".repeat(64)))).await.unwrap_err();
    assert_eq!(wrong.kind, ApiErrorKind::Rejected, "{wrong:?}");
    let cut = node.upload(&beta, upload(&bytes[..bytes.len() / 2], "c.snapshot", None)).await.unwrap_err();
    assert_eq!(cut.kind, ApiErrorKind::Server, "{cut:?}");
    assert!(!node.exists(&CollectionName::new("beta")).await.unwrap());
    node.upload(&beta, upload(&bytes, "up.snapshot", Some(digest.clone()))).await.unwrap();
    assert_eq!(server.count("beta").await, 250);
    let kept = node.snapshots(&beta).await.unwrap();
    assert!(kept.iter().any(|snapshot| snapshot.name.raw() == "up.snapshot"), "an uploaded file stays: {kept:?}");

    let location = node.snapshot_url(&scope, &taken.name);
    let gamma = SnapshotScope::Collection(CollectionName::new("gamma"));
    let without_key = Recover { location: location.clone(), api_key: None, sha256: None };
    let refused = node.recover(&gamma, without_key).await.unwrap_err();
    assert!(refused.message.contains("Failed to download"), "{refused:?}");
    let api_key = server.key().map(qsnap::domain::secret::Secret::new);
    node.recover(&gamma, Recover { location, api_key, sha256: Some(digest) }).await.unwrap();
    assert_eq!(server.count("gamma").await, 250);

    node.delete_snapshot(&scope, &taken.name).await.unwrap();
    assert_eq!(node.delete_snapshot(&scope, &taken.name).await.unwrap_err().kind, ApiErrorKind::NotFound);
    for other in ["beta", "gamma"] {
        node.delete_collection(&CollectionName::new(other)).await.unwrap();
    }
}

async fn shards_and_storage(node: &dyn QdrantApi, name: &CollectionName) {
    let shard = SnapshotScope::Shard(name.clone(), 0);
    let taken = node.create_snapshot(&shard).await.unwrap();
    assert_eq!(node.snapshots(&shard).await.unwrap(), std::slice::from_ref(&taken));
    let bytes = bytes_of(node, &shard, &taken.name).await;
    assert_eq!(taken.size, bytes.len() as u64);
    node.upload(&shard, upload(&bytes, "s.snapshot", None)).await.unwrap();
    assert_eq!(node.count(name).await.unwrap(), 250);
    node.delete_snapshot(&shard, &taken.name).await.unwrap();
    let absent = SnapshotScope::Shard(name.clone(), 9);
    assert_eq!(node.snapshots(&absent).await.unwrap_err().kind, ApiErrorKind::NotFound);

    let full = node.create_snapshot(&SnapshotScope::Storage).await.unwrap();
    assert!(full.name.raw().starts_with("full-snapshot-"));
    assert_eq!(node.snapshots(&SnapshotScope::Storage).await.unwrap(), std::slice::from_ref(&full));
    node.delete_snapshot(&SnapshotScope::Storage, &full.name).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_are_told_apart() {
    use qsnap::domain::instance::Protection;
    let options = qsnap::sandbox::options::SandboxOptions {
        api_key: Some("k".into()),
        read_only_api_key: Some("r".into()),
        ..qsnap::sandbox::options::SandboxOptions::default()
    };
    let server = Server::with(options, vec![qsnap::sandbox::seed::SeedCollection::new("alpha", 5)]).await;
    let of = |name, key| crate::support::instance(name, &server.urls(), key, Protection::Open);
    let world = World::new(vec![of("none", None), of("wrong", Some("x")), of("read", Some("r"))]);
    for (name, kind) in [("none", ApiErrorKind::Unauthorized), ("wrong", ApiErrorKind::Unauthorized)] {
        let connection = world.services.connection(&InstanceName::new(name).unwrap()).await.unwrap();
        assert_eq!(connection.nodes[0].collections().await.unwrap_err().kind, kind, "{name}");
        assert!(connection.nodes[0].version().await.is_ok(), "the version needs no key");
    }
    let connection = world.services.connection(&InstanceName::new("read").unwrap()).await.unwrap();
    let scope = SnapshotScope::Collection(CollectionName::new("alpha"));
    assert!(connection.nodes[0].snapshots(&scope).await.is_ok());
    assert_eq!(connection.nodes[0].create_snapshot(&scope).await.unwrap_err().kind, ApiErrorKind::Forbidden);
}
