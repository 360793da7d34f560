//! Recovery that cannot make it worse: every mode with good and damaged recovery points, kills at every step, and what
//! comes after; on two sandboxes always and on two real servers where there is a binary.

use crate::archive::edited;
use crate::support::{RealQdrant, Server, World};
use qsnap::domain::address::{CollectionAddress, Which};
use qsnap::domain::ids::SnapshotName;
use qsnap::domain::problem::{Problem, ProblemKind};
use qsnap::ops::plan::consent::Need;
use qsnap::ops::report::Report;
use qsnap::ops::report::verdict::Verdict;
use qsnap::ops::request::Request;
use qsnap::ops::request::collections::{DropRequest, ReviveRequest, SwitchRequest};
use qsnap::ops::request::recovery_point::RecoveryPoint;
use qsnap::ops::request::restore::{Mode, RestoreRequest};
use qsnap::ops::request::route::Route;
use qsnap::ops::request::settle::{SettleRequest, Way};
use qsnap::ops::request::snapshots::CreateRequest;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub fn address(text: &str) -> CollectionAddress {
    CollectionAddress::parse(text).unwrap()
}

pub async fn servers(real: bool, n: usize) -> Option<Vec<Server>> {
    let mut all = Vec::new();
    for index in 0..n {
        let key = (index == 0).then_some("ka");
        all.push(if real { RealQdrant::start(key).await? } else { Server::sandbox(key, vec![]).await });
    }
    Some(all)
}

/// Everything that can be read of a collection, or that it cannot.
pub async fn content(server: &Server, name: &str) -> Option<BTreeMap<String, Value>> {
    let client = reqwest::Client::new();
    let mut request = client.post(format!("{}/collections/{name}/points/scroll", server.url()));
    if let Some(key) = server.key() {
        request = request.header("api-key", key);
    }
    let body = json!({"limit": 100_000, "with_payload": true, "with_vector": true});
    let answer = request.json(&body).send().await.unwrap();
    if !answer.status().is_success() {
        return None;
    }
    let page: Value = answer.json().await.unwrap();
    let points = page["result"]["points"].as_array().unwrap();
    Some(points.iter().map(|point| (point["id"].to_string(), point.clone())).collect())
}

pub async fn exists(server: &Server, name: &str) -> bool {
    server.raw("GET", &format!("/collections/{name}/exists"), json!({})).await["result"]["exists"] == true
}

pub async fn names(server: &Server) -> Vec<String> {
    let list = server.raw("GET", "/collections", json!({})).await;
    let mut names: Vec<String> =
        list["result"]["collections"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

async fn alias(server: &Server, alias: &str, collection: &str) {
    let action = json!({"actions": [{"create_alias": {"alias_name": alias, "collection_name": collection}}]});
    server.raw("POST", "/collections/aliases", action).await;
}

/// Changes some points, so that old and new content can be told apart.
pub async fn change(server: &Server, name: &str) {
    let points: Vec<Value> =
        (1..=40).map(|id| json!({"id": id, "vector": [9, 9, 9, id], "payload": {"city": "Rome", "n": 0}})).collect();
    server.raw("PUT", &format!("/collections/{name}/points?wait=true"), json!({"points": points})).await;
    let gone: Vec<u64> = (290..=300).collect();
    server.raw("POST", &format!("/collections/{name}/points/delete?wait=true"), json!({"points": gone})).await;
}

/// Bytes of vectors, overwritten: a server takes them without a word.
fn overwrite_vectors(bytes: &[u8], real: bool) -> Vec<u8> {
    if !real {
        return edited(
            bytes,
            &|path, content| {
                let content = if path.ends_with("points.ndjson") {
                    String::from_utf8(content).unwrap().replace("-1.25", "-7.25").into_bytes()
                } else {
                    content
                };
                vec![(path.to_owned(), content)]
            },
            "",
        );
    }
    let mut bytes = bytes.to_vec();
    let pattern: Vec<u8> = [0.5_f32, -1.25].iter().flat_map(|number| number.to_le_bytes()).collect();
    let mut at = 0;
    let mut n = 0;
    while let Some(found) = bytes[at..].windows(8).position(|window| window == pattern) {
        at += found;
        bytes[at..at + 8].fill(0);
        n += 1;
    }
    assert!(n >= 250, "{n} vectors are in the file");
    bytes
}

fn broken_segment(bytes: &[u8]) -> Vec<u8> {
    let edit = |path: &str, content| {
        let content = if path.ends_with("/segment.json") { b"{\"config\":".to_vec() } else { content };
        vec![(path.to_owned(), content)]
    };
    edited(bytes, &edit, "")
}

struct Scene {
    world: World,
    /// The good snapshot, as a local file of its own name.
    good: PathBuf,
    /// A snapshot of a collection of another shape.
    other: PathBuf,
}

/// `a/live` with 300 points and a snapshot, that is downloaded; `b/live` with other content.
async fn scene(a: &Server, b: &Server) -> Scene {
    a.fill("live", 300).await;
    a.raw("PUT", "/collections/wide", json!({"vectors": {"size": 8, "distance": "Dot"}})).await;
    b.fill("live", 300).await;
    change(b, "live").await;
    let world = World::open(&[("a", a), ("b", b)]);
    let folder = world.home.path().join("files");
    std::fs::create_dir(&folder).unwrap();
    let mut files = Vec::new();
    for name in ["a/live", "a/wide"] {
        world.run(Request::Create(CreateRequest { of: address(name).into() })).await.unwrap();
        let download = qsnap::ops::request::snapshots::DownloadRequest {
            of: address(name).into(),
            which: Which::Latest,
            target: folder.clone(),
            overwrite: false,
        };
        let report = world.run(Request::Download(download)).await.unwrap();
        files.push(PathBuf::from(&report.created[0]));
    }
    let other = files.pop().unwrap();
    Scene { world, good: files.pop().unwrap(), other }
}

fn restore(source: RecoveryPoint, target: &str, mode: Mode) -> RestoreRequest {
    RestoreRequest::new(source, address(target), mode, Route::Auto)
}

async fn run_file(scene: &Scene, file: &Path, target: &str, mode: Mode) -> Result<Report, Problem> {
    scene.world.run(Request::Restore(restore(RecoveryPoint::File(file.to_owned()), target, mode))).await
}

/// Each damage, in each mode, under the snapshot's own name and under another one.
async fn no_damage_reaches_the_live_data(real: bool) {
    let Some(servers) = servers(real, 2).await else { return };
    let (a, b) = (&servers[0], &servers[1]);
    let scene = scene(a, b).await;
    alias(b, "shop", "live").await;
    let before = content(b, "live").await.unwrap();
    let good = std::fs::read(&scene.good).unwrap();
    let own_name = scene.good.file_name().unwrap();
    let damages: [(&str, Vec<u8>, &str); 4] = [
        ("cut", good[..good.len() / 2 / 512 * 512].to_vec(), "cut"),
        ("broken segment.json", broken_segment(&good), "segment.json"),
        ("overwritten vectors", overwrite_vectors(&good, real), "sha256"),
        ("another shape", std::fs::read(&scene.other).unwrap(), "vectors differ"),
    ];
    for (what, bytes, words) in damages {
        for renamed in [false, true] {
            let folder = scene.world.home.path().join(format!("{what} {renamed}"));
            std::fs::create_dir(&folder).unwrap();
            let file = folder.join(if renamed { std::ffi::OsStr::new("renamed.snapshot") } else { own_name });
            std::fs::write(&file, &bytes).unwrap();
            for mode in [Mode::New, Mode::SideBySide, Mode::InPlace] {
                let target = if mode == Mode::New { "b/fresh" } else { "b/live" };
                let case = format!("{what}, {mode:?}, renamed: {renamed}");
                let outcome = run_file(&scene, &file, target, mode).await;
                // What nothing vouches for may be looked at beside the live data, and must not replace it.
                let unknown = what == "overwritten vectors" && renamed;
                let shape_is_free = what == "another shape" && mode != Mode::InPlace;
                match &outcome {
                    Ok(report) if (unknown || shape_is_free) && mode != Mode::InPlace => {
                        if unknown {
                            assert!(matches!(report.verdict, Some(Verdict::CouldNotCheck(_))), "{case}: {report:?}");
                        }
                        let made = address(&report.target);
                        scene.world.run(Request::Drop(DropRequest { address: made, with_aliases: false })).await.unwrap();
                    }
                    Ok(report) => panic!("{case}: {report:?}"),
                    Err(problem) => {
                        let words = if unknown { "nothing proves" } else { words };
                        let words = if what == "another shape" && !renamed { "sha256" } else { words };
                        let text = format!("{} {}", problem.message, problem.advice);
                        assert!(text.contains(words) || text.contains("vectors differ"), "{case}: {problem:?}");
                    }
                }
                assert_eq!(content(b, "live").await.as_ref(), Some(&before), "{case}: the live data is as it was");
                assert_eq!(names(b).await, ["live"], "{case}: nothing is left behind");
            }
        }
    }
    // The file on the source node itself is damaged: the server compares its hash before it touches anything.
    let report = run_file(&scene, &scene.good, "b/live", Mode::InPlace).await.unwrap();
    assert!(matches!(report.verdict, Some(Verdict::Matches(_))), "{report:?}");
    assert_eq!(content(b, "live").await, content(a, "live").await, "a good one goes through");
    assert_eq!(names(b).await, ["live"]);
    assert_eq!(report.created.len(), 1, "the safety snapshot is kept: {report:?}");
    assert_eq!(b.snapshots("live").await.len(), 1, "and no uploaded file");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_damage_reaches_the_live_data_of_a_sandbox() {
    no_damage_reaches_the_live_data(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_damage_reaches_the_live_data_of_a_real_server() {
    no_damage_reaches_the_live_data(true).await;
}

/// From a node, side by side, with the alias switched, the old one deleted, and back.
async fn side_by_side_ends_in_a_choice(real: bool) {
    let Some(servers) = servers(real, 2).await else { return };
    let (a, b) = (&servers[0], &servers[1]);
    let scene = scene(a, b).await;
    let old = content(b, "live").await.unwrap();
    alias(b, "shop", "live").await;
    let source = RecoveryPoint::Snapshot(address("a/live"), Which::Latest);
    // The name is taken: without a mode it goes beside it.
    let report = scene.world.run(Request::Restore(restore(source, "b/live", Mode::Auto))).await.unwrap();
    assert!(matches!(report.verdict, Some(Verdict::Matches(_))), "{report:?}");
    assert_eq!(report.mode, Some("side-by-side"));
    let beside = address(&report.target);
    assert!(beside.collection.raw().starts_with("live-restored-"), "{beside}");
    assert_eq!(content(b, beside.collection.raw()).await, content(a, "live").await);
    assert_eq!(content(b, "live").await, Some(old.clone()));
    assert_eq!(content(b, "shop").await, Some(old.clone()), "the alias is not switched by itself");
    let Some(Request::Switch(switch)) = report.next.first().map(|next| next.request.clone()) else { panic!("{report:?}") };
    assert_eq!(switch, SwitchRequest::new("shop", &beside));
    let switched = scene.world.run(Request::Switch(switch.clone())).await.unwrap();
    assert!(matches!(switched.verdict, Some(Verdict::Matches(_))), "{switched:?}");
    assert_eq!(content(b, "shop").await, content(a, "live").await);
    // What an alias points at cannot be deleted; the other one can.
    let refused = scene.world.run(Request::Drop(DropRequest { address: beside.clone(), with_aliases: false })).await.unwrap_err();
    assert_eq!(refused.kind, ProblemKind::Refused, "{refused:?}");
    let again = scene.world.run(Request::Switch(switch)).await.unwrap_err();
    assert_eq!(again.kind, ProblemKind::Refused, "{again:?}");
    let back = switched.next[0].request.clone();
    scene.world.run(back).await.unwrap();
    assert_eq!(content(b, "shop").await, Some(old));
    scene.world.run(Request::Drop(DropRequest { address: beside, with_aliases: false })).await.unwrap();
    assert_eq!(names(b).await, ["live"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn side_by_side_ends_in_a_choice_on_sandboxes() {
    side_by_side_ends_in_a_choice(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn side_by_side_ends_in_a_choice_on_real_servers() {
    side_by_side_ends_in_a_choice(true).await;
}

/// The overwrite itself goes wrong, after the proof was good: the old data comes back by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_overwrite_is_rolled_back() {
    let servers = servers(false, 2).await.unwrap();
    let (a, b) = (&servers[0], &servers[1]);
    let scene = scene(a, b).await;
    let before = content(b, "live").await.unwrap();
    for (faults, skip_proof, rolled) in [
        // The second restore breaks the collection, as a disk that fills up would.
        ("recover:break@1*1", false, true),
        ("recover:break*1", true, true),
        // The server fails before it has touched anything.
        ("recover:status=500@1*1", false, false),
    ] {
        let source = RecoveryPoint::Snapshot(address("a/live"), Which::Latest);
        let mut request = restore(source, "b/live", Mode::InPlace);
        request.skips.proof = skip_proof;
        request.route = Route::Url;
        let plan = scene.world.plan(Request::Restore(request)).await.unwrap();
        assert_eq!(plan.need(), Need::Typed("b/live".into()));
        b.faults().add_all(faults).unwrap();
        let problem = scene.world.run_plan(plan).await.unwrap_err();
        b.faults().clear();
        assert_eq!(content(b, "live").await.as_ref(), Some(&before), "{faults}: {problem:?}");
        assert_eq!(problem.message.contains("rolled back"), rolled, "{faults}: {problem:?}");
        assert_eq!(names(b).await, ["live"], "{faults}: {problem:?}");
        let past = scene.world.services.journal.read();
        assert!(!past[0].is_open(), "{faults}: {:?}", past[0]);
    }
}

/// A restore into a free name that fails half-way leaves something; it is named, and removed on request.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_failed_restore_left_under_a_free_name_can_be_removed() {
    let servers = servers(false, 2).await.unwrap();
    let (a, b) = (&servers[0], &servers[1]);
    let scene = scene(a, b).await;
    let source = RecoveryPoint::Snapshot(address("a/live"), Which::Latest);
    let request = RestoreRequest { route: Route::Url, ..restore(source, "b/fresh", Mode::New) };
    let plan = scene.world.plan(Request::Restore(request)).await.unwrap();
    b.faults().add_all("recover:break*1").unwrap();
    let problem = scene.world.run_plan(plan).await.unwrap_err();
    assert!(problem.advice.contains("the name was free before"), "{problem:?}");
    assert!(exists(b, "fresh").await);
    let open = scene.world.services.journal.open();
    assert_eq!(open.len(), 1, "{open:?}");
    let plan = scene.world.plan(Request::Settle(SettleRequest { id: open[0].id.clone(), way: Way::CleanUp })).await.unwrap();
    assert_eq!(plan.need(), Need::Typed("b/fresh".into()));
    scene.world.run_plan(plan).await.unwrap();
    assert!(!exists(b, "fresh").await);
    assert!(scene.world.services.journal.open().is_empty());
    let again = scene.world.plan(Request::Settle(SettleRequest { id: open[0].id.clone(), way: Way::CleanUp })).await;
    assert_eq!(again.unwrap_err().kind, ProblemKind::Refused);
}

/// A deleted collection whose snapshot is still on its node's disk.
async fn a_deleted_collection_comes_back(real: bool) {
    let Some(servers) = servers(real, 1).await else { return };
    let a = &servers[0];
    a.fill("live", 300).await;
    let before = content(a, "live").await.unwrap();
    let world = World::open(&[("a", a)]);
    world.run(Request::Create(CreateRequest { of: address("a/live").into() })).await.unwrap();
    let name = a.snapshots("live").await[0].clone();
    a.raw("DELETE", "/collections/live", json!({})).await;
    assert!(content(a, "live").await.is_none());
    let look = world.run(Request::Revive(ReviveRequest { address: address("a/live"), snapshot: None })).await.unwrap();
    assert_eq!(look.created, [format!("a/live/{name}")], "{look:?}");
    assert!(names(a).await.is_empty(), "looking leaves nothing");
    let missing = ReviveRequest { address: address("a/live"), snapshot: Some(Which::Named(SnapshotName::new("nope"))) };
    assert_eq!(world.run(Request::Revive(missing)).await.unwrap_err().kind, ProblemKind::NotFound);
    assert!(names(a).await.is_empty());
    let report = world.run(look.next[0].request.clone()).await.unwrap();
    assert!(matches!(report.verdict, Some(Verdict::Matches(_))), "{report:?}");
    assert_eq!(content(a, "live").await, Some(before.clone()));
    assert_eq!(names(a).await, ["live"]);
    assert_eq!(a.snapshots("live").await, std::slice::from_ref(&name), "its snapshots can be listed again");
    let info = a.raw("GET", "/collections/live", json!({})).await;
    assert_eq!(info["result"]["payload_schema"]["city"]["data_type"], "keyword", "{info}");
    // While it exists there is nothing to look for.
    let refused = world.run(Request::Revive(ReviveRequest { address: address("a/live"), snapshot: None })).await.unwrap_err();
    assert_eq!(refused.kind, ProblemKind::Refused, "{refused:?}");
    // The newest is a safety snapshot, of what an overwrite replaced: it is not what is meant by the latest.
    change(a, "live").await;
    let source = RecoveryPoint::Snapshot(address("a/live"), Which::Named(SnapshotName::new(name)));
    world.run(Request::Restore(restore(source, "a/live", Mode::InPlace))).await.unwrap();
    assert_eq!(a.snapshots("live").await.len(), 2);
    a.raw("DELETE", "/collections/live", json!({})).await;
    let look = world.run(Request::Revive(ReviveRequest { address: address("a/live"), snapshot: None })).await.unwrap();
    assert_eq!(look.next.iter().filter(|next| next.words.contains("safety snapshot")).count(), 1, "{look:?}");
    world.run(Request::Revive(ReviveRequest { address: address("a/live"), snapshot: Some(Which::Latest) })).await.unwrap();
    assert_eq!(content(a, "live").await, Some(before));
    // A name that never was.
    let never = world.run(Request::Revive(ReviveRequest { address: address("a/never"), snapshot: None })).await.unwrap_err();
    assert_eq!(never.kind, ProblemKind::NotFound);
    assert_eq!(names(a).await, ["live"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_collection_comes_back_on_a_sandbox() {
    a_deleted_collection_comes_back(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_collection_comes_back_on_a_real_server() {
    a_deleted_collection_comes_back(true).await;
}
