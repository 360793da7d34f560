//! Forms: what they propose, and what becomes of it.

use super::fixture::*;
use super::{assert_named, sizes};
use crate::domain::problem::{Problem, ProblemKind};
use crate::ops::request::Request;
use crate::ops::request::restore::Mode;
use crate::tui::layers::layer::Layer;
use crate::tui::messages::effect::Effect;
use crate::tui::messages::event::{Data, Event};
use crate::tui::wizards::field::Shown;

/// The value of a field of the open form.
fn value(ui: &Ui, label: &str) -> String {
    let Some(Layer::Wizard(wizard)) = ui.app.layers.last() else { panic!("no form is open") };
    let lines = wizard.form.lines();
    match lines.iter().find(|line| line.label() == label).unwrap().shown() {
        Shown::Text { input, .. } => input.value().to_owned(),
        Shown::Choice { word, .. } => word.to_owned(),
    }
}

#[test]
fn the_name_follows_the_mode_until_it_is_edited() {
    let mut ui = Ui::new(80, 24);
    ui.keys("2r");
    assert_eq!((value(&ui, "mode"), value(&ui, "collection")), ("auto".into(), "products".into()));
    // Down to the mode, and through all of them. staging has products already.
    ui.keys("tab tab");
    for (mode, name) in
        [("new", "products-restored"), ("side-by-side", "products"), ("in-place", "products"), ("auto", "products")]
    {
        ui.keys("right");
        assert_eq!((value(&ui, "mode"), value(&ui, "collection")), (mode.into(), name.into()));
    }
    ui.keys("left enter");
    let Some(Request::Restore(request)) = ui.asked() else { panic!("{:?}", ui.asked()) };
    assert_eq!((request.mode, request.target.to_string()), (Mode::InPlace, "staging/products".into()));
    // What was typed is the user's, whatever the mode.
    let mut ui = Ui::new(80, 24);
    ui.keys("2r").keys("tab mine tab right right right");
    assert_eq!((value(&ui, "mode"), value(&ui, "collection")), ("in-place".into(), "mine".into()));
}

#[test]
fn a_copy_onto_its_own_instance_gets_another_name() {
    let mut ui = Ui::new(80, 24);
    ui.keys("m");
    assert_eq!((value(&ui, "to instance"), value(&ui, "collection")), ("staging".into(), "products".into()));
    ui.keys("left");
    assert_eq!((value(&ui, "to instance"), value(&ui, "collection")), ("prod-eu".into(), "products-copy".into()));
}

#[test]
fn a_download_goes_to_a_whole_path_and_the_first_key_replaces_it() {
    let mut ui = Ui::new(80, 24);
    ui.keys("2d");
    let screen = ui.screen();
    assert!(screen.contains("/home/ada") && screen.contains("Typing replaces"), "{screen}");
    let target = |ui: &Ui| match ui.asked() {
        Some(Request::Download(request)) => request.target.display().to_string(),
        other => panic!("{other:?}"),
    };
    ui.keys("/backups enter");
    assert_eq!(target(&ui), "/backups");
    let mut ui = Ui::new(80, 24);
    ui.keys("2d").keys("end /more enter");
    assert_eq!(target(&ui), "/home/ada/more");
    let mut ui = Ui::new(80, 24);
    ui.keys("2d").keys("x/ enter");
    assert_eq!(target(&ui), "/home/ada/x/", "what is relative is meant from here");
}

#[test]
fn what_needs_a_look_is_read_before_it_starts() {
    use crate::ops::plan::Risk;
    use crate::ops::plan::finding::Finding;
    use crate::ops::plan::tests::plan_of;
    let begins_with_yes = |finding| {
        let mut ui = Ui::new(80, 24);
        ui.keys("2d enter");
        let mut plan = plan_of(Risk::Safe, None);
        plan.findings.push(finding);
        ui.plan(Ok(plan));
        ui.keys("enter");
        ui.effects.iter().any(|effect| matches!(effect, crate::tui::messages::effect::Effect::Start(..)))
    };
    assert!(begins_with_yes(Finding::good("file", "/x/y.snapshot does not exist yet")));
    assert!(!begins_with_yes(Finding::look("name", "/backups does not exist: a FILE of that name is written", "")));
}

#[test]
fn a_dead_instance_is_not_proposed() {
    let mut ui = Ui::new(80, 24);
    let dead = || Problem::new(ProblemKind::Unreachable, "connection refused", "staging");
    let ticket = crate::tui::messages::event::Ticket(9_000);
    ui.app.model.instances[1].view.ask(ticket);
    let name = ui.app.model.instances[1].name.clone();
    ui.send(Event::Data(ticket, Data::Instance(name, Box::new(Err(dead())))));
    ui.keys("m");
    assert_eq!(value(&ui, "to instance"), "prod-eu", "lab is read-only, staging does not answer");
    ui.keys("right");
    assert!(ui.screen().contains("open; does not answer"), "{}", ui.screen());
}

#[test]
fn protection_is_seen_in_every_window() {
    for (columns, rows) in [(120, 40), (80, 24), (60, 20), (40, 10)] {
        let screen = Ui::new(columns, rows).screen();
        assert!(screen.contains("protected"), "{columns}x{rows}\n{screen}");
    }
    let screen = with_jobs(60, 20).screen();
    assert!(screen.contains("✗lab") && screen.contains("prod-eu protected"), "{screen}");
    let screen = Ui::new(80, 24).keys("2r").keys("left").screen();
    assert!(screen.contains("← prod-eu →  protected"), "{screen}");
}

#[test]
fn a_deleted_collection_is_picked_from_what_is_remembered() {
    sizes(|columns, rows, name| {
        let mut ui = Ui::new(columns, rows);
        ui.keys("D down enter");
        remember(&mut ui);
        ui.keys("down down");
        assert_named(&mut ui, &format!("revive_names_{name}"));
        assert_eq!(value(&ui, "collection"), "orders-2025");
        ui.keys("enter");
        let Some(Request::Revive(request)) = ui.asked() else { panic!("{:?}", ui.asked()) };
        assert_eq!(request.address.to_string(), "prod-eu/orders-2025");
    });
    let mut ui = Ui::new(80, 24);
    ui.keys("D down enter");
    remember(&mut ui);
    let screen = ui.screen();
    assert!(screen.contains("3 known from history and proofs"), "what exists is no candidate\n{screen}");
    // Typing filters, and a name that nobody remembers can be typed.
    ui.keys("inv");
    let screen = ui.screen();
    assert!(screen.contains("1 known") && screen.contains("invoices") && !screen.contains("orders"), "{screen}");
    ui.keys("entory enter");
    let Some(Request::Revive(request)) = ui.asked() else { panic!("{:?}", ui.asked()) };
    assert_eq!(request.address.to_string(), "prod-eu/inventory");
}

/// Answers the question for the names that history and proofs know.
fn remember(ui: &mut Ui) {
    use crate::domain::address::CollectionAddress;
    use crate::ops::survey::remembered::Remembered;
    let one = |address: &str| Remembered { address: CollectionAddress::parse(address).unwrap(), at: wall() };
    let all = ["prod-eu/orders", "prod-eu/orders-2025", "prod-eu/products", "staging/other", "prod-eu/invoices"].map(one);
    let asked = ui.effects.iter().rev().find_map(|effect| match effect {
        Effect::Remembered(ticket) => Some(*ticket),
        _ => None,
    });
    ui.send(Event::Data(asked.unwrap(), Data::Remembered(all.to_vec())));
}

#[test]
fn instances_are_shown_in_the_order_of_the_configuration() {
    let all = [
        instance("zeta", crate::domain::instance::Protection::Open),
        instance("alpha", crate::domain::instance::Protection::Open),
    ];
    let now = crate::tui::messages::event::Now { mono: std::time::Duration::ZERO, wall: wall() };
    let app = crate::tui::app::state::App::new(&all, settings(look()), crate::tui::messages::banner::Banner::None, (80, 24), now);
    let mut ui = Ui { app, mono: now.mono, effects: Vec::new() };
    let screen = ui.screen();
    assert!(screen.find("zeta").unwrap() < screen.find("alpha").unwrap(), "{screen}");
    ui.keys("u");
    assert_eq!(value(&ui, "to instance"), "zeta");
}
