//! Backups in the panes: one list, the fleet, and what the keys ask for.

use super::fixture::*;
use super::{assert_named, sizes};
use crate::domain::address::{BackupAddress, CollectionAddress};
use crate::domain::backup::{BackupId, RepositoryName};
use crate::domain::ids::SnapshotName;
use crate::domain::policy::{Policy, Target};
use crate::domain::snapshot::SnapshotInfo;
use crate::ops::request::Request;
use crate::ops::request::backups::{AnnotateRequest, Annotation, KindChoice, VerifyRequest, Verifying};
use crate::ops::retention::freshness::{Taken, judge};
use crate::ops::survey::listing::{Listing, ProofState, RecoveryPointView, Stored};
use crate::ops::survey::watch::{Newest, Watch, Watched};
use crate::tui::messages::event::{Data, Event};
use std::time::Duration;

fn backup(collection: &str, id: &str, state: &'static str, hold: Option<&str>) -> RecoveryPointView {
    let collection = CollectionAddress::parse(collection).unwrap();
    let (repository, id) = (RepositoryName::new("offsite").unwrap(), BackupId::new(id).unwrap());
    let address = BackupAddress::id(&repository, &collection, &id);
    let taken_at = Some(id.taken_at());
    let snapshot = SnapshotInfo { name: SnapshotName::new(address.to_string()), size: 17_900_000_000, taken_at, sha256: None };
    let reason = if state == "good" { String::new() } else { "shard 1: its node did not answer".into() };
    let hold = hold.map(str::to_owned);
    let made_of = "shards, only what changed: a restore moves 17.9 GB, with data of 20261122T013000Z-9f3d";
    let stored =
        Stored { address, good: state == "good", state, reason, note: Some("weekly".into()), hold, made_of: made_of.into() };
    RecoveryPointView {
        of: collection.into(),
        node: 0,
        node_url: "s3://company-backups/qdrant".into(),
        snapshot,
        proof: ProofState::Recorded,
        points: Some((4_200_000, 4_200_000)),
        taken_with: None,
        safety: false,
        stored: Some(Box::new(stored)),
    }
}

fn with_backups(ui: &mut Ui) {
    let address = CollectionAddress::parse("prod-eu/products").unwrap();
    let mut listing: Listing<RecoveryPointView> = points_of(&address);
    listing.items.insert(1, backup("prod-eu/products", "20261122T023000Z-9f3c", "good", None));
    listing.items.insert(2, backup("prod-eu/products", "20261122T013000Z-9f3d", "incomplete", None));
    listing.items.insert(3, backup("prod-eu/products", "20261121T013000Z-9f3e", "good", Some("audit")));
    let ticket = ui.app.model.ticket();
    let state = ui.app.model.instance_mut(&address.instance).unwrap();
    state.points.get_mut(&address.clone().into()).unwrap().ask(ticket);
    ui.send(Event::Data(ticket, Data::Points(address.into(), Ok(listing))));
}

fn watched(address: &str, newest: Option<&str>, proven: Option<&str>, good: bool) -> Watched {
    let address = CollectionAddress::parse(address).unwrap();
    let target = |hours: u64| Target::AtMost(Duration::from_secs(hours * 3_600));
    let policy = Policy { rpo: target(1), prove_every: target(168), keep: None };
    let at = newest.map(|at| at.parse().unwrap());
    let proven_at = proven.map(|at| at.parse().unwrap());
    let taken: Vec<Taken> = at.map(|at| Taken { at, good: true, proven_at }).into_iter().collect();
    let newest = at.map(|at| Newest {
        repository: Some(RepositoryName::new("offsite").unwrap()),
        id: None,
        at,
        size: 1,
        seconds: None,
        points: None,
    });
    let freshness = judge(&policy, wall(), &taken);
    Watched { address, exists: Some(true), policy, freshness, newest, not_good: usize::from(!good), last_try: Some(good) }
}

pub(super) fn with_watch(ui: &mut Ui) {
    let items = vec![
        watched("prod-eu/reviews", None, None, true),
        watched("prod-eu/sessions", Some("2026-11-21T23:00:00Z"), Some("2026-11-21T23:30:00Z"), true),
        watched("staging/products", Some("2026-11-22T03:00:00Z"), None, false),
        watched("prod-eu/products", Some("2026-11-22T03:00:00Z"), Some("2026-11-22T03:05:00Z"), true),
    ];
    let ticket = ui.app.model.ticket();
    ui.app.model.watch.ask(ticket);
    ui.send(Event::Data(ticket, Data::Watch(Box::new(Watch { items, ..Watch::default() }))));
}

#[test]
fn snapshots_and_backups_are_one_list() {
    sizes(|columns, rows, name| {
        let mut ui = Ui::new(columns, rows);
        with_backups(&mut ui);
        ui.keys("2 j");
        assert_named(&mut ui, &format!("one_list_{name}"));
    });
    let mut ui = Ui::new(80, 24);
    with_backups(&mut ui);
    ui.keys("2 j j o");
    let screen = ui.screen();
    for words in ["offsite:prod-eu/products@20261122T013000Z-9f3d", "incomplete: shard 1", "note", "weekly"] {
        assert!(screen.contains(words), "{words}\n{screen}");
    }
}

#[test]
fn the_fleet_shows_the_worst_first_and_leads_to_it() {
    sizes(|columns, rows, name| {
        let mut ui = Ui::new(columns, rows);
        with_watch(&mut ui);
        assert!(ui.screen().contains("RPO 2 late"), "{}", ui.screen());
        ui.keys("0");
        assert_named(&mut ui, &format!("fleet_{name}"));
    });
    let mut ui = Ui::new(80, 24);
    with_watch(&mut ui);
    ui.keys("0 j b enter");
    let backup =
        |ui: &Ui| matches!(ui.asked(), Some(Request::Backup(request)) if request.address.to_string() == "prod-eu/sessions");
    assert!(backup(&ui), "{:?}", ui.asked());
    ui.keys("esc esc v");
    assert!(ui.screen().contains("b makes one"), "no id is known: {}", ui.screen());
    ui.keys("enter");
    let screen = ui.screen();
    assert!(screen.contains("▸sessions") && !screen.contains("Fleet"), "{screen}");
}

#[test]
fn the_details_of_a_backup_say_what_it_is_made_of() {
    sizes(|columns, rows, name| {
        let mut ui = Ui::new(columns, rows);
        with_backups(&mut ui);
        ui.keys("2 j enter");
        assert_named(&mut ui, &format!("details_backup_{name}"));
    });
}

#[test]
fn a_restore_to_a_cluster_asks_for_replicas() {
    let mut ui = Ui::new(80, 24);
    with_backups(&mut ui);
    let state = ui.app.model.instances.iter_mut().find(|state| state.name.as_str() == "staging").unwrap();
    let mut view = state.view.value().unwrap().clone();
    view.nodes = vec!["http://s0:6333".into(), "http://s1:6333".into()];
    let now = ui.app.model.now;
    let state = ui.app.model.instances.iter_mut().find(|state| state.name.as_str() == "staging").unwrap();
    state.view.ask(crate::tui::messages::event::Ticket(99));
    state.view.answer(crate::tui::messages::event::Ticket(99), Ok(view), now);
    ui.keys("2 j r");
    assert_named(&mut ui, "restore_form_cluster_80x24");
    ui.keys("tab tab tab tab right right enter");
    let asked = ui.asked();
    assert!(matches!(&asked, Some(Request::Restore(request)) if request.replicas == std::num::NonZeroU32::new(2)), "{asked:?}");
    // A snapshot brings its own number.
    let mut plain = Ui::new(80, 24);
    plain.keys("2 r");
    assert!(!plain.screen().contains("replicas"), "{}", plain.screen());
}

#[test]
fn a_backup_asks_where_to_and_how() {
    sizes(|columns, rows, name| {
        let mut ui = Ui::new(columns, rows);
        with_backups(&mut ui);
        ui.app.model.surroundings.repositories = vec![
            (RepositoryName::new("offsite").unwrap(), "s3://company-backups/qdrant".into()),
            (RepositoryName::new("nas").unwrap(), "/mnt/nas/qdrant".into()),
        ];
        ui.keys("b");
        assert_named(&mut ui, &format!("backup_form_{name}"));
        ui.keys("right enter");
        assert!(matches!(ui.asked(), Some(Request::Backup(request)) if request.repository == RepositoryName::new("nas").ok()));
    });
}

#[test]
fn the_keys_of_backups_ask_for_what_they_say() {
    let asked = |keys: &str| {
        let mut ui = Ui::new(80, 24);
        with_backups(&mut ui);
        ui.keys(keys);
        ui.asked()
    };
    let address = || {
        let (repository, id) = (RepositoryName::new("offsite").unwrap(), BackupId::new("20261122T023000Z-9f3c").unwrap());
        BackupAddress::id(&repository, &CollectionAddress::parse("prod-eu/products").unwrap(), &id)
    };
    let backup = |keys: &str| match asked(keys) {
        Some(Request::Backup(request)) => request,
        other => panic!("{other:?}"),
    };
    assert_eq!(backup("b enter").address.to_string(), "prod-eu/products");
    assert_eq!((backup("b enter").how.kind, backup("b enter").how.full), (KindChoice::Auto, false));
    let whole = backup("b tab right tab right enter");
    assert_eq!((whole.how.kind, whole.how.full), (KindChoice::Shards, true));
    assert_eq!(asked("2 j v"), Some(Request::Verify(VerifyRequest { which: Verifying::One(address()) })));
    let note = AnnotateRequest { backup: address(), says: Annotation::Note("weekly".into()) };
    assert_eq!(asked("2 j n enter"), Some(Request::Annotate(note)));
    assert!(matches!(asked("2 j j j h"), Some(Request::Annotate(AnnotateRequest { says: Annotation::Release, .. }))));
    assert!(matches!(asked("2 j X"), Some(Request::DeleteBackups(request)) if request.ids.len() == 1));
    assert!(matches!(asked("2 j d enter"), Some(Request::Save(_))));
    assert!(matches!(asked("p"), Some(Request::Prune(_))));
    // On a snapshot there is nothing to verify or hold, and it is said.
    let mut ui = Ui::new(80, 24);
    with_backups(&mut ui);
    ui.keys("2 h");
    assert!(ui.screen().contains("that is for backups in a repository"), "{}", ui.screen());
    // What is on nodes and what is in repositories is not deleted together.
    ui.keys("space j space X");
    assert!(ui.screen().contains("deleted separately"), "{}", ui.screen());
}

#[test]
fn the_oldest_first_means_the_age_that_is_shown() {
    let mut ui = Ui::new(80, 24);
    ui.keys("S");
    let names = |ui: &Ui| ui.app.visible_collections().iter().map(|view| view.address.collection.to_string()).collect::<Vec<_>>();
    assert_eq!(names(&ui)[0], "reviews", "it has no snapshot on its node");
    // What is in a repository is told later, and counts as well.
    let items = vec![watched("prod-eu/reviews", Some("2026-11-22T03:11:00Z"), None, true)];
    let ticket = ui.app.model.ticket();
    ui.app.model.watch.ask(ticket);
    ui.send(Event::Data(ticket, Data::Watch(Box::new(Watch { items, ..Watch::default() }))));
    assert_eq!(names(&ui).last().map(String::as_str), Some("reviews"), "{}", ui.screen());
}
