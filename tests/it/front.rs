//! What operations say to whoever looks at them, in both front ends alike.

use crate::support::{Cli, Server, World, wait_until};
use qsnap::domain::address::{CollectionAddress, Which};
use qsnap::domain::problem::ProblemKind;
use qsnap::jobs::row::{JobState, Outcome};
use qsnap::ops::engine;
use qsnap::ops::plan::Plan;
use qsnap::ops::plan::consent::{Consent, Need};
use qsnap::ops::plan::finding::Level;
use qsnap::ops::request::Request;
use qsnap::ops::request::recovery_point::RecoveryPoint;
use qsnap::ops::request::restore::{Mode, RestoreRequest};
use qsnap::ops::request::route::Route;
use qsnap::ops::request::snapshots::CreateRequest;
use qsnap::ops::survey::remembered;
use qsnap::sandbox::seed::SeedCollection;
use std::time::Duration;

fn address(text: &str) -> CollectionAddress {
    CollectionAddress::parse(text).unwrap()
}

fn seed(name: &str) -> SeedCollection {
    SeedCollection { snapshot_ages: vec![60], ..SeedCollection::new(name, 60) }
}

fn restore(source: &str, target: &str, mode: Mode) -> Request {
    let source = RecoveryPoint::Snapshot(address(source), Which::Latest);
    Request::Restore(RestoreRequest::new(source, address(target), mode, Route::Auto))
}

fn mode(plan: &Plan) -> Mode {
    let Request::Restore(request) = &plan.request else { panic!("{plan:?}") };
    request.mode
}

#[tokio::test(flavor = "multi_thread")]
async fn side_by_side_of_nothing_is_a_new_collection_and_says_so() {
    let a = Server::sandbox(None, vec![seed("products")]).await;
    let b = Server::sandbox(None, vec![SeedCollection { alias: Some("shop".into()), ..seed("live") }]).await;
    let world = World::open(&[("a", &a), ("b", &b)]);
    let plan = world.plan(restore("a/products", "b/products", Mode::SideBySide)).await.unwrap();
    assert_eq!((mode(&plan), plan.target.as_str(), plan.consequence.as_str()), (Mode::New, "b/products", ""), "{plan:?}");
    assert_eq!(plan.need(), Need::Yes);
    let said = plan.findings.iter().find(|finding| finding.check == "mode").unwrap();
    assert_eq!(said.level, Level::Look);
    assert!(said.message.contains("b/products does not exist"), "{said:?}");
    assert!(plan.command().contains("--mode new"), "{}", plan.command());
    // Of what is there nothing is lost, and an alias has no points of its own.
    let taken = world.plan(restore("a/products", "b/live", Mode::SideBySide)).await.unwrap();
    assert_eq!(taken.consequence, "b/live keeps its 60 points; nothing of it is touched");
    let alias = world.plan(restore("a/products", "b/shop", Mode::SideBySide)).await.unwrap();
    assert_eq!(alias.consequence, "b/shop is an alias of live, which is not touched");
    assert!(alias.target.starts_with("b/live-restored-"), "{}", alias.target);
    let report = world.run_plan(plan).await.unwrap();
    assert_eq!((report.mode, report.target.as_str()), (Some("new"), "b/products"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canceled_overwrite_names_the_safety_snapshot_that_stays() {
    let server = Server::sandbox(None, vec![seed("products")]).await;
    let world = World::open(&[("a", &server)]);
    let plan = world.plan(restore("a/products", "a/products", Mode::InPlace)).await.unwrap();
    let handle = engine::start(&world.services, plan.approve(&Consent::Typed("a/products".into())).unwrap());
    let jobs = &world.services.jobs;
    let row = || jobs.rows().into_iter().find(|row| row.id == handle.id).unwrap();
    wait_until("the safety snapshot is looked at", Duration::from_secs(30), async || {
        row().sample.phase == "keep the safety snapshot"
    })
    .await;
    assert!(row().on_cancel.keeps.is_some_and(|words| words.contains("kept: safety snapshot a/products/products-")));
    jobs.cancel(handle.id);
    let id = handle.id;
    let problem = handle.wait().await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::Canceled);
    let start = "canceled; a/products was not touched; kept: safety snapshot a/products/products-";
    assert!(problem.message.starts_with(start), "{problem:?}");
    wait_until("the row is over", Duration::from_secs(10), async || {
        jobs.rows().iter().any(|row| row.id == id && row.is_finished())
    })
    .await;
    let state = jobs.rows().into_iter().find(|row| row.id == id).unwrap().state;
    let JobState::Finished(Outcome::Canceled { cleaned: true, kept: Some(kept) }) = &state else { panic!("{state:?}") };
    assert!(kept.contains("was not touched") && kept.contains("kept: safety snapshot"), "{kept}");
    assert_eq!(server.snapshots("products").await.len(), 2, "it is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_does_not_exist_is_not_taken_for_a_file_name_without_a_word() {
    let server = Server::sandbox(None, vec![seed("products")]).await;
    let cli = Cli::for_servers(&[("a", &server)]);
    std::fs::create_dir(cli.path("there")).unwrap();
    let plan = |to: &'static str| {
        let cli = &cli;
        async move {
            let ran = cli.run(&["--dry-run", "--output", "json", "snapshots", "download", "a/products@latest", "--to", to]).await;
            let findings = ran.json()["plan"]["findings"].as_array().unwrap().clone();
            findings.into_iter().find(|finding| finding["check"] == "name").map(|finding| finding["message"].to_string())
        }
    };
    let said = plan("backups").await.unwrap();
    assert!(said.contains("backups does not exist: a FILE of that name is written"), "{said}");
    for clear in ["there", "there/", "mine.snapshot", "missing/"] {
        assert_eq!(plan(clear).await, None, "{clear}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn switching_an_alias_asks_for_the_alias_in_both_front_ends() {
    let server = Server::sandbox(None, vec![SeedCollection { alias: Some("shop".into()), ..seed("old") }, seed("new")]).await;
    let url = server.url();
    let cli = Cli::new(&format!("[instances.a]\nurl = '{url}'\nprotection = 'protected'\n"));
    let plan = cli.run(&["--dry-run", "--output", "json", "alias", "a/shop", "new"]).await.json();
    assert_eq!(plan["plan"]["needs"]["confirm"], "a/shop", "{plan}");
    let command = plan["plan"]["command"].as_str().unwrap();
    assert!(command.ends_with("qsnap alias a/shop new --yes --confirm 'a/shop'"), "{command}");
    let refused = cli.run(&["alias", "a/shop", "new", "--yes", "--confirm", "a/new"]).await;
    assert_eq!(refused.code, 7, "{refused:?}");
    let switched = cli.run(&["alias", "a/shop", "new", "--yes", "--confirm", "a/shop"]).await;
    assert_eq!(switched.code, 0, "{switched:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_collections_are_remembered_by_history_and_proofs() {
    let server = Server::sandbox(None, vec![seed("orders"), seed("other")]).await;
    let world = World::open(&[("a", &server)]);
    world.run(Request::Create(CreateRequest { of: address("a/orders").into() })).await.unwrap();
    world.run(restore("a/other", "a/else", Mode::New)).await.unwrap();
    let names: Vec<String> = remembered::collections(&world.services).into_iter().map(|one| one.address.to_string()).collect();
    for name in ["a/orders", "a/other", "a/else"] {
        assert_eq!(names.iter().filter(|known| *known == name).count(), 1, "{name}: {names:?}");
    }
}
