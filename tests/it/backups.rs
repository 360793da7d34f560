//! Backups into a repository and back: on the sandbox, and on a real server where there is one; in a directory, and over S3.

use crate::s3_server::{BUCKET, KEY, S3Server, SECRET};
use crate::support::{RealQdrant, Server, World, instance};
use qsnap::config::repositories::{ConfiguredRepository, StoreCredentials};
use qsnap::config::secret_source::SecretSource;
use qsnap::domain::address::{BackupAddress, CollectionAddress, WhichBackup};
use qsnap::domain::backup::RepositoryName;
use qsnap::domain::ids::CollectionName;
use qsnap::domain::instance::Protection;
use qsnap::domain::problem::ProblemKind;
use qsnap::domain::repository::{Place, Repository};
use qsnap::domain::secret::Secret;
use qsnap::ops::report::verdict::Verdict;
use qsnap::ops::request::Request;
use qsnap::ops::request::backups::{BackupRequest, How};
use qsnap::ops::request::recovery_point::RecoveryPoint;
use qsnap::ops::request::restore::{Mode, RestoreRequest};
use qsnap::ops::request::route::Route;
use qsnap::ops::survey::backups;
use qsnap::repository::index::State;

fn address(text: &str) -> CollectionAddress {
    CollectionAddress::parse(text).unwrap()
}

fn offsite() -> RepositoryName {
    RepositoryName::new("offsite").unwrap()
}

fn backup(of: &str) -> Request {
    Request::Backup(BackupRequest { address: address(of), repository: None, how: How::default() })
}

fn restore(of: &str, to: &str, mode: Mode, route: Route) -> Request {
    let source = BackupAddress { repository: offsite(), collection: address(of), which: WhichBackup::Latest };
    Request::Restore(RestoreRequest::new(RecoveryPoint::Backup(source), address(to), mode, route))
}

fn in_directory(folder: &std::path::Path) -> ConfiguredRepository {
    let repository = Repository::new(offsite(), Place::parse(folder.to_str().unwrap()).unwrap());
    ConfiguredRepository { repository, credentials: StoreCredentials::Anonymous }
}

fn over_s3(server: &S3Server) -> ConfiguredRepository {
    let place = Place::parse(&format!("s3://{BUCKET}/qdrant")).unwrap();
    let endpoint = Some(server.url.parse().unwrap());
    let repository = Repository { endpoint, ..Repository::new(offsite(), place) };
    let secret = SecretSource::Inline(Secret::new(SECRET));
    ConfiguredRepository { repository, credentials: StoreCredentials::Key { id: KEY.into(), secret } }
}

fn world(a: &Server, b: &Server, repository: ConfiguredRepository) -> World {
    let of = |name: &str, server: &Server| instance(name, &server.urls(), server.key(), Protection::Open);
    World::with_repositories(vec![of("a", a), of("b", b)], vec![repository])
}

async fn there_and_back((a, b): (&Server, &Server), raw: &str, repository: ConfiguredRepository, by: &[(Route, &str, &str)]) {
    a.fill(raw, 1_000).await;
    let world = world(a, b, repository);
    let shown = CollectionAddress::new(address("a/x").instance, CollectionName::new(raw)).to_string();
    let name = shown.as_str();
    for _ in 0..2 {
        let report = world.run(backup(name)).await.unwrap();
        assert!(report.created[0].starts_with(&format!("offsite:{name}@")), "{report:?}");
        assert!(report.left_behind.is_empty() && report.failures.is_empty() && report.bytes > 0, "{report:?}");
        assert!(a.snapshots(raw).await.is_empty(), "the snapshot on the node has served");
    }
    let (_, contents) = backups::contents(&world.services, &offsite(), None).await.unwrap();
    assert_eq!(contents.backups.len(), 2);
    assert!(contents.remains.is_empty() && contents.strangers.is_empty() && contents.problems.is_empty(), "{contents:?}");
    for backup in &contents.backups {
        assert_eq!(backup.state, State::Good);
        let manifest = backup.manifest.as_ref().unwrap();
        assert_eq!((manifest.points_min, manifest.points_max), (Some(1_000), Some(1_000)));
        assert!(manifest.objects[0].listed && manifest.complete && manifest.config["params"].is_object(), "{manifest:?}");
    }
    for (route, to, went) in by {
        let report = world.run(restore(name, &format!("b/{to}"), Mode::New, *route)).await.unwrap();
        assert_eq!(report.verdict.as_ref().map(Verdict::word), Some("matches"), "{report:?}");
        assert_eq!((report.route, report.samples.unwrap().same), (Some(*went), 100), "{report:?}");
        assert_eq!(b.count(to).await, 1_000);
    }
    let report = world.run(restore(name, name, Mode::InPlace, Route::Auto)).await.unwrap();
    assert_eq!(report.verdict.as_ref().map(Verdict::word), Some("matches"), "{report:?}");
    let (_, contents) = backups::contents(&world.services, &offsite(), Some(&address(name))).await.unwrap();
    assert!(contents.backups[0].standing.proven_at.is_some(), "a restore that matches is a proof: {contents:?}");
}

const STREAMED: &[(Route, &str, &str)] = &[(Route::Auto, "auto", "stream")];
const LINKED: &[(Route, &str, &str)] = &[(Route::Url, "by-link", "url"), (Route::Stream, "by-stream", "stream")];

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_takes_and_gives_back_on_sandboxes() {
    let (a, b) = (Server::sandbox(Some("ka"), vec![]).await, Server::sandbox(None, vec![]).await);
    let folder = tempfile::tempdir().unwrap();
    there_and_back((&a, &b), "mäggi 1%", in_directory(folder.path()), STREAMED).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_takes_and_gives_back_on_real_servers() {
    if let (Some(a), Some(b)) = (RealQdrant::start(Some("ka")).await, RealQdrant::start(None).await) {
        let folder = tempfile::tempdir().unwrap();
        there_and_back((&a, &b), "mäggi 1%", in_directory(folder.path()), STREAMED).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_takes_and_gives_back_on_real_servers() {
    if let (Some(a), Some(b)) = (RealQdrant::start(Some("ka")).await, RealQdrant::start(None).await) {
        let server = S3Server::start();
        // The test server keeps whole keys in names of files: they must be short.
        there_and_back((&a, &b), "mä", over_s3(&server), LINKED).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_leaves_nothing_that_looks_like_a_backup() {
    let (a, b) = (Server::sandbox(None, vec![]).await, Server::sandbox(None, vec![]).await);
    a.fill("products", 1_000).await;
    let folder = tempfile::tempdir().unwrap();
    let world = world(&a, &b, in_directory(folder.path()));
    for fault in ["any:wrong-checksum", "download:vanish", "create:status=500"] {
        a.faults().add_all(fault).unwrap();
        let problem = world.run(backup("a/products")).await.unwrap_err();
        assert!(!problem.advice.is_empty(), "{fault}: {problem:?}");
        a.faults().clear();
        let (_, contents) = backups::contents(&world.services, &offsite(), None).await.unwrap();
        assert!(contents.backups.is_empty() && contents.remains.is_empty(), "{fault}: {contents:?}");
        assert!(a.snapshots("products").await.is_empty(), "{fault}");
    }
    world.run(backup("a/products")).await.unwrap();
    let none = world.run(restore("a/other", "b/x", Mode::New, Route::Auto)).await.unwrap_err();
    assert_eq!(none.kind, ProblemKind::NotFound, "{none:?}");
    // A backup whose bytes changed is found before a server restores from it.
    let (_, contents) = backups::contents(&world.services, &offsite(), None).await.unwrap();
    let object = &contents.backups[0].manifest.as_ref().unwrap().objects[0];
    let file = folder.path().join(contents.backups[0].key(&object.name));
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    std::fs::write(&file, &bytes).unwrap();
    let damaged = world.run(restore("a/products", "b/damaged", Mode::New, Route::Stream)).await;
    assert!(damaged.is_err(), "{damaged:?}");
    assert_eq!(b.raw("GET", "/collections", serde_json::Value::Null).await["result"]["collections"].as_array().unwrap().len(), 0);
    // One that was cut is not even offered as the latest.
    std::fs::write(&file, &bytes[..100]).unwrap();
    let cut = world.run(restore("a/products", "b/cut", Mode::New, Route::Stream)).await.unwrap_err();
    assert!(cut.message.contains("none of its 1 backups is good"), "{cut:?}");
}
