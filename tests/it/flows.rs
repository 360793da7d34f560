//! Whole operations, on two sandboxes always and on two real servers where there is a binary.

use crate::support::{Cli, RealQdrant, Server, World, files, instance};
use qsnap::domain::address::{CollectionAddress, Which};
use qsnap::domain::ids::SnapshotName;
use qsnap::domain::instance::Protection;
use qsnap::domain::problem::ProblemKind;
use qsnap::ops::plan::Risk;
use qsnap::ops::plan::consent::{Consent, Need};
use qsnap::ops::report::verdict::Verdict;
use qsnap::ops::request::Request;
use qsnap::ops::request::copy::CopyRequest;
use qsnap::ops::request::recovery_point::RecoveryPoint;
use qsnap::ops::request::restore::{Mode, RestoreRequest};
use qsnap::ops::request::route::Route;
use qsnap::ops::request::snapshots::{CreateRequest, DeleteRequest, DownloadRequest};
use qsnap::sandbox::options::SandboxOptions;
use qsnap::sandbox::seed::SeedCollection;
use serde_json::json;

fn address(text: &str) -> CollectionAddress {
    CollectionAddress::parse(text).unwrap()
}

fn create(text: &str) -> Request {
    Request::Create(CreateRequest { of: address(text).into() })
}

fn copy(source: &str, target: &str, route: Route) -> Request {
    Request::Copy(CopyRequest::new(address(source), address(target), route))
}

fn restore(source: &str, target: &str, mode: Mode, route: Route) -> Request {
    let source = RecoveryPoint::Snapshot(address(source), Which::Latest);
    Request::Restore(RestoreRequest::new(source, address(target), mode, route))
}

/// Two servers of a kind, one with a key.
async fn pair(real: bool) -> Option<(Server, Server)> {
    if real {
        return Some((RealQdrant::start(Some("ka")).await?, RealQdrant::start(None).await?));
    }
    Some((Server::sandbox(Some("ka"), vec![]).await, Server::sandbox(None, vec![]).await))
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_works_on_sandboxes() {
    let (a, b) = pair(false).await.unwrap();
    everything(&a, &b).await;
    headless(&a, &b).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_works_on_real_servers() {
    if let Some((a, b)) = pair(true).await {
        everything(&a, &b).await;
        headless(&a, &b).await;
    }
}

async fn everything(a: &Server, b: &Server) {
    a.fill("products", 1_200).await;
    let world = World::open(&[("a", a), ("b", b)]);

    let report = world.run(create("a/products")).await.unwrap();
    assert_eq!(report.created.len(), 1);
    assert_eq!(a.snapshots("products").await.len(), 1);

    let folder = world.home.path().join("downloads");
    std::fs::create_dir(&folder).unwrap();
    let download = Request::Download(DownloadRequest {
        of: address("a/products").into(),
        which: Which::Latest,
        target: folder.clone(),
        overwrite: false,
    });
    let report = world.run(download.clone()).await.unwrap();
    assert!(matches!(report.verdict, Some(Verdict::Matches(_))), "{report:?}");
    let name = files(&folder)[0].clone();
    let again = world.run(download).await.unwrap_err();
    assert_eq!(again.kind, ProblemKind::Refused, "an existing file is kept: {again:?}");

    for (route, name) in [(Route::Url, "by-url"), (Route::Stream, "by-stream")] {
        let report = world.run(restore("a/products", &format!("b/{name}"), Mode::New, route)).await.unwrap();
        assert_eq!(report.verdict.as_ref().map(Verdict::word), Some("matches"), "{report:?}");
        assert_eq!(report.samples.unwrap().same, 100);
        assert_eq!(b.count(name).await, 1_200);
        assert!(b.snapshots(name).await.is_empty(), "the uploaded file is deleted after the verdict");
    }

    let source = RecoveryPoint::File(folder.join(&name));
    let from_file = RestoreRequest::new(source, address("b/from-file"), Mode::New, Route::Upload);
    let report = world.run(Request::Restore(from_file)).await.unwrap();
    assert_eq!(report.verdict.as_ref().map(Verdict::word), Some("matches"), "a file finds its proof by its hash: {report:?}");

    migrate(a, b, &world).await;

    let doomed = a.snapshots("products").await;
    let names = doomed.iter().map(|name| SnapshotName::new(name.clone())).collect();
    world.run(Request::Delete(DeleteRequest { of: address("a/products").into(), names })).await.unwrap();
    assert!(a.snapshots("products").await.is_empty());
    assert_eq!(a.count("products").await, 1_200, "the collection is not touched");
}

async fn migrate(a: &Server, b: &Server, world: &World) {
    let before = a.snapshots("products").await;
    let report = world.run(copy("a/products", "b/products", Route::Auto)).await.unwrap();
    // Two addresses of this machine may be two tunnels: that the target can fetch is not taken for granted.
    assert_eq!((report.verdict.as_ref().map(Verdict::word), report.route), (Some("matches"), Some("stream")), "{report:?}");
    assert!(report.route_reason.as_ref().unwrap().contains("reachable-as"), "{report:?}");
    assert_eq!(a.snapshots("products").await, before, "the copy's own snapshot is gone, the others stay");

    // Over what is there: the target differs now, and must be typed.
    b.raw("POST", "/collections/products/points/delete?wait=true", json!({"points": [1, 2, 3]})).await;
    let plan = world.plan(copy("a/products", "b/products", Route::Stream)).await.unwrap();
    assert_eq!((plan.risk, plan.need()), (Risk::Destroys, Need::Typed("b/products".into())));
    for consent in [Consent::None, Consent::Yes, Consent::Typed("a/products".into())] {
        assert_eq!(plan.clone().approve(&consent).unwrap_err().kind, ProblemKind::Refused);
    }
    let report = world.run_plan(plan).await.unwrap();
    assert_eq!(report.verdict.as_ref().map(Verdict::word), Some("matches"), "{report:?}");
    assert_eq!(b.count("products").await, 1_200);
    assert_eq!(b.snapshots("products").await.len(), 1, "the safety snapshot stays, the uploaded file does not");

    // The way back: the safety snapshot has what was overwritten. `latest` never means it.
    let refused = world.run(restore("b/products", "b/back", Mode::New, Route::Auto)).await.unwrap_err();
    assert!(refused.message.contains("only safety snapshots"), "{refused:?}");
    let named = Which::Named(SnapshotName::new(&b.snapshots("products").await[0]));
    let source = RecoveryPoint::Snapshot(address("b/products"), named);
    let request = RestoreRequest::new(source, address("b/back"), Mode::New, Route::Auto);
    let report = world.run(Request::Restore(request)).await.unwrap();
    assert_eq!(
        (report.verdict.as_ref().map(Verdict::word), report.points.unwrap().found),
        (Some("matches"), 1_197),
        "{report:?}"
    );

    // A target of another shape is refused before anything moves.
    b.raw("PUT", "/collections/other", json!({"vectors": {"size": 8, "distance": "Dot"}})).await;
    let refused = world.run(copy("a/products", "b/other", Route::Auto)).await.unwrap_err();
    assert_eq!(refused.kind, ProblemKind::Refused, "{refused:?}");

    // A name that is taken is not restored over without saying so.
    let refused = world.run(restore("a/products", "b/products", Mode::New, Route::Auto)).await.unwrap_err();
    assert_eq!(refused.kind, ProblemKind::Refused, "{refused:?}");
}

/// The same through the binary, with JSON.
async fn headless(a: &Server, b: &Server) {
    let cli = Cli::for_servers(&[("a", a), ("b", b)]);
    let ran = cli.run(&["snapshots", "create", "a/products", "--output", "json"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let list = cli.run(&["snapshots", "list", "a/products", "--output", "json"]).await.json();
    let point = list["items"][0]["address"].as_str().unwrap().to_owned();
    assert_eq!(list["items"][0]["recorded"], json!(true));
    let ran = cli.run(&["snapshots", "download", &point, "--output", "json"]).await;
    assert_eq!((ran.code, &ran.json()["verdict"]), (0, &json!("matches")), "{ran:?}");
    let plan = cli.run(&["restore", &point, "--to", "b/cli", "--dry-run", "--output", "json"]).await;
    assert_eq!((plan.code, &plan.json()["plan"]["operation"]), (0, &json!("restore")), "{plan:?}");
    let ran = cli.run(&["restore", &point, "--to", "b/cli", "--output", "json"]).await;
    assert_eq!(ran.code, 7, "without a terminal nothing asks: {ran:?}");
    assert!(ran.stderr.contains("--yes"), "{ran:?}");
    let ran = cli.run(&["restore", &point, "--to", "b/cli", "--yes", "--output", "json"]).await;
    let report = ran.json();
    assert_eq!((ran.code, &report["verdict"], &report["points"]["found"]), (0, &json!("matches"), &json!(1_200)), "{ran:?}");
    let ran = cli.run(&["copy", "a/products", "b/cli", "--yes", "--output", "json"]).await;
    assert_eq!(ran.code, 7, "{ran:?}");
    let ran = cli.run(&["copy", "a/products", "b/cli", "--yes", "--confirm", "b/cli", "--output", "json"]).await;
    assert_eq!((ran.code, &ran.json()["verdict"]), (0, &json!("matches")), "{ran:?}");
    let ran = cli.run(&["snapshots", "delete", &point, "--yes", "--confirm", "a/products"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let ran = cli.run(&["collections", "--output", "json"]).await;
    assert!(ran.json()["items"].as_array().unwrap().len() >= 3, "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_must_not_fetch_is_streamed_to() {
    let a = Server::sandbox(None, vec![SeedCollection::new("x", 50)]).await;
    let b = Server::with(SandboxOptions { url_recovery: false, ..SandboxOptions::default() }, vec![]).await;
    let mut instances = [("a", &a), ("b", &b)].map(|(name, server)| instance(name, &server.urls(), None, Protection::Open));
    instances[0].instance.reachable_as = instances[0].instance.nodes.clone();
    let world = World::new(instances.into());
    let report = world.run(copy("a/x", "b/x", Route::Auto)).await.unwrap();
    assert_eq!((report.route, report.verdict.as_ref().map(Verdict::word)), (Some("stream"), Some("matches")));
    assert!(report.route_reason.as_ref().unwrap().contains("disabled"), "{report:?}");
    let refused = world.run(copy("a/x", "b/y", Route::Url)).await.unwrap_err();
    assert!(refused.message.contains("disabled"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_that_comes_too_late_waits_for_the_truth() {
    let a = Server::sandbox(None, vec![SeedCollection::new("x", 50)]).await;
    let b = Server::sandbox(None, vec![SeedCollection::new("x", 10)]).await;
    b.faults().add_all("recover:delay=1s").unwrap();
    let world = World::open(&[("a", &a), ("b", &b)]);
    // With a proof restore first, a cancel would still be in time.
    let mut request = CopyRequest::new(address("a/x"), address("b/x"), Route::Url);
    request.skips.proof = true;
    let plan = world.plan(Request::Copy(request)).await.unwrap();
    let handle = qsnap::ops::engine::start(&world.services, plan.approve(&Consent::Typed("b/x".into())).unwrap());
    let phase = || world.services.jobs.rows()[0].sample.phase.clone();
    let deadline = std::time::Duration::from_secs(30);
    crate::support::wait_until("the target restores", deadline, async || phase().contains("the target fetches")).await;
    world.services.jobs.cancel(handle.id);
    let report = handle.wait().await.unwrap();
    assert_eq!(report.verdict.as_ref().map(Verdict::word), Some("matches"), "{report:?}");
    assert_eq!(b.count("x").await, 50);
    assert_eq!(a.snapshots("x").await.len(), 0, "and it tidied up");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_in_time_leaves_everything_as_it_was() {
    let a = Server::sandbox(None, vec![SeedCollection { filler: 20_000_000, ..SeedCollection::new("x", 50) }]).await;
    let b = Server::with(SandboxOptions { rate: Some(5_000_000), ..SandboxOptions::default() }, vec![]).await;
    let world = World::open(&[("a", &a), ("b", &b)]);
    let plan = world.plan(copy("a/x", "b/x", Route::Stream)).await.unwrap();
    let handle = qsnap::ops::engine::start(&world.services, plan.approve(&Consent::Yes).unwrap());
    let moved = || world.services.jobs.rows()[0].sample.moved;
    let deadline = std::time::Duration::from_secs(30);
    crate::support::wait_until("bytes move", deadline, async || moved() > 0).await;
    world.services.jobs.cancel(handle.id);
    let problem = handle.wait().await.unwrap_err();
    assert_eq!((problem.kind, problem.message.as_str()), (ProblemKind::Canceled, "canceled"));
    assert_eq!(a.snapshots("x").await.len(), 0, "the copy's snapshot is deleted");
    let answer = b.raw("GET", "/collections/x/exists", json!({})).await;
    assert_eq!(answer["result"]["exists"], json!(false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_became_stale_does_nothing() {
    let a = Server::sandbox(None, vec![SeedCollection::new("x", 50)]).await;
    let b = Server::sandbox(None, vec![SeedCollection::new("x", 10)]).await;
    let world = World::open(&[("a", &a), ("b", &b)]);
    let plan = world.plan(copy("a/x", "b/x", Route::Auto)).await.unwrap();
    b.raw("PUT", "/collections/x/points?wait=true", json!({"points": [{"id": 777, "vector": [0, 0, 0, 0, 0, 0, 0, 0]}]})).await;
    let stale = world.run_plan(plan).await.unwrap_err();
    assert_eq!(stale.kind, ProblemKind::PlanStale, "{stale:?}");
    assert_eq!(b.count("x").await, 11, "nothing was done");
    let plan = world.plan(copy("a/x", "b/free", Route::Auto)).await.unwrap();
    b.raw("PUT", "/collections/free", json!({"vectors": {"size": 8, "distance": "Dot"}})).await;
    assert_eq!(world.run_plan(plan).await.unwrap_err().kind, ProblemKind::PlanStale);
}

/// An upload takes long; who makes a collection of its target's name meanwhile keeps it.
async fn made_during_the_upload(a: &Server, b: &Server) {
    a.fill("x", 3_000).await;
    let world = World::open(&[("a", a), ("b", b)]);
    let throttle = world.services.throttle(&address("b/x").instance).unwrap().clone();
    throttle.set(Some(500_000));
    let plan = world.plan(copy("a/x", "b/x", Route::Stream)).await.unwrap();
    let handle = qsnap::ops::engine::start(&world.services, plan.approve(&Consent::Yes).unwrap());
    let streams = || {
        let sample = world.services.jobs.rows()[0].sample.clone();
        sample.phase == "streaming" && sample.moved > 0
    };
    crate::support::wait_until("bytes move", std::time::Duration::from_secs(30), async || streams()).await;
    b.fill("x", 7).await;
    throttle.set(None);
    let stale = handle.wait().await.unwrap_err();
    assert_eq!(stale.kind, ProblemKind::PlanStale, "{stale:?}");
    assert!(stale.advice.contains("b/x has 7 points"), "{stale:?}");
    assert_eq!((b.count("x").await, b.snapshots("x").await.len()), (7, 0), "nothing of it was touched, nothing is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_made_during_an_upload_is_kept_by_a_sandbox() {
    let (a, b) = pair(false).await.unwrap();
    made_during_the_upload(&a, &b).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_made_during_an_upload_is_kept_by_a_real_server() {
    if let Some((a, b)) = pair(true).await {
        made_during_the_upload(&a, &b).await;
    }
}

/// A server that stumbles right at the end of a long upload is asked again; and a cancel is heard meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_stumble_at_the_end_of_an_upload_costs_nothing() {
    let a = Server::sandbox(None, vec![SeedCollection { filler: 3_000_000, ..SeedCollection::new("x", 50) }]).await;
    let b = Server::sandbox(None, vec![]).await;
    let world = World::open(&[("a", &a), ("b", &b)]);
    let throttle = world.services.throttle(&address("b/x").instance).unwrap().clone();
    let begin = async || {
        throttle.set(Some(1_000_000));
        let plan = world.plan(copy("a/x", "b/x", Route::Stream)).await.unwrap();
        let handle = qsnap::ops::engine::start(&world.services, plan.approve(&Consent::Yes).unwrap());
        let id = handle.id;
        let row = move |rows: Vec<qsnap::jobs::row::JobRow>| rows.into_iter().find(|row| row.id == id).unwrap().sample;
        let streams = async || {
            let sample = row(world.services.jobs.rows());
            sample.phase == "streaming" && sample.moved > 0
        };
        crate::support::wait_until("bytes move", std::time::Duration::from_secs(30), streams).await;
        handle
    };
    let handle = begin().await;
    b.faults().add_all("list:status=503*6").unwrap();
    throttle.set(None);
    let report = handle.wait().await.unwrap();
    assert!(matches!(report.verdict, Some(Verdict::Matches(_))), "{report:?}");
    assert_eq!(world.services.jobs.rows()[0].record.as_ref(), Some(&report.id), "a job knows its record");
    assert_eq!(b.count("x").await, 50);
    b.raw("DELETE", "/collections/x", json!({})).await;
    b.faults().clear();
    let handle = begin().await;
    b.faults().add_all("list:status=503").unwrap();
    throttle.set(None);
    let asks = async || world.services.jobs.rows().iter().any(|row| row.sample.note.contains("as it was"));
    crate::support::wait_until("it asks", std::time::Duration::from_secs(30), asks).await;
    world.services.jobs.cancel(handle.id);
    assert_eq!(handle.wait().await.unwrap_err().kind, ProblemKind::Canceled);
    b.faults().clear();
    let answer = b.raw("GET", "/collections/x/exists", json!({})).await;
    assert_eq!(answer["result"]["exists"], json!(false), "without its end nothing is restored");
    assert!(world.services.journal.open().is_empty(), "{:?}", world.services.journal.open());
}

#[tokio::test(flavor = "multi_thread")]
async fn protection_is_enforced_below_the_front_ends() {
    let a = Server::sandbox(None, vec![SeedCollection { snapshot_ages: vec![60], ..SeedCollection::new("x", 50) }]).await;
    let of = |name, protection| instance(name, &a.urls(), None, protection);
    let world =
        World::new(vec![of("open", Protection::Open), of("guarded", Protection::Protected), of("frozen", Protection::ReadOnly)]);
    assert_eq!(world.plan(create("guarded/x")).await.unwrap().need(), Need::Yes);
    let into_guarded = world.plan(restore("open/x", "guarded/new", Mode::New, Route::Auto)).await.unwrap();
    assert_eq!(into_guarded.need(), Need::Typed("guarded/new".into()));
    for request in
        [create("frozen/x"), restore("open/x", "frozen/new", Mode::New, Route::Auto), copy("open/x", "frozen/y", Route::Auto)]
    {
        let refused = world.run(request).await.unwrap_err();
        assert_eq!(refused.kind, ProblemKind::Refused, "{refused:?}");
    }
    let refused = world.run(copy("frozen/x", "open/y", Route::Auto)).await.unwrap_err();
    assert_eq!(refused.kind, ProblemKind::Refused, "a copy would take a snapshot on its source: {refused:?}");
    assert_eq!(a.snapshots("x").await.len(), 1, "nothing was taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_is_never_overwritten_through() {
    let a = Server::sandbox(None, vec![SeedCollection { alias: Some("shop".into()), ..SeedCollection::new("x", 50) }]).await;
    let world = World::open(&[("a", &a)]);
    let refused = world.run(copy("a/x", "a/shop", Route::Auto)).await.unwrap_err();
    assert_eq!(refused.kind, ProblemKind::Refused, "{refused:?}");
    assert_eq!(a.count("x").await, 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn shards_of_other_nodes_block_a_copy_over_what_exists() {
    let options = SandboxOptions { nodes: 3, ..SandboxOptions::default() };
    let cluster = Server::with(options, vec![SeedCollection { shards: 3, ..SeedCollection::new("x", 300) }]).await;
    let b = Server::sandbox(None, vec![]).await;
    let world = World::open(&[("c", &cluster), ("b", &b)]);
    let report = world.run(create("c/x")).await.unwrap();
    assert_eq!(report.created.len(), 3, "one snapshot on each node: {report:?}");
    b.fill("x", 5).await;
    let refused = world.run(copy("c/x", "b/x", Route::Auto)).await.unwrap_err();
    assert!(refused.message.contains("other nodes"), "{refused:?}");
    assert_eq!(b.count("x").await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_that_the_server_accepts_is_seen() {
    let a = Server::sandbox(None, vec![SeedCollection::new("x", 400)]).await;
    let b = Server::sandbox(None, vec![]).await;
    let world = World::open(&[("a", &a), ("b", &b)]);
    let plan = world.plan(create("a/x")).await.unwrap();
    world.run_plan(plan).await.unwrap();
    world.run(restore("a/x", "b/x", Mode::New, Route::Auto)).await.unwrap();
    // Somebody changes every point of the restored collection: the count stays right.
    let points: Vec<_> = (1..=400).map(|id| json!({"id": id, "vector": [0, 0, 0, 0, 0, 0, 0, 9]})).collect();
    b.raw("PUT", "/collections/x/points?wait=true", json!({"points": points})).await;
    let connection = world.services.connection(&address("b/x").instance).await.unwrap();
    let snapshot = a.snapshots("x").await;
    let source = world.services.connection(&address("a/x").instance).await.unwrap();
    let which = Which::Named(SnapshotName::new(snapshot[0].clone()));
    let located = qsnap::ops::survey::locate::locate(&world.services, &source, &address("a/x").into(), &which).await.unwrap();
    let proof = world.services.proofs.load(located.snapshot.sha256.as_deref()).unwrap();
    let expected = qsnap::ops::proof::verify::Reference::of(qsnap::ops::proof::verify::Expected::Recorded(proof));
    let progress = qsnap::jobs::progress::Progress::default();
    let found = qsnap::ops::proof::verify::verify(&connection, &address("b/x"), &expected, &progress).await;
    assert_eq!((found.verdict.word(), found.points.unwrap().found, found.samples.unwrap().changed), ("differs", 400, 100));
}
