//! Lists: how they are kept fresh, how old they are, what the header knows of the servers.

use super::fixture::*;
use super::{assert_named, sizes};
use crate::domain::address::{CollectionAddress, Which};
use crate::domain::problem::{Problem, ProblemKind};
use crate::jobs::row::{JobId, JobState};
use crate::ops::request::Request;
use crate::ops::request::snapshots::DownloadRequest;
use crate::ops::survey::listing::{CollectionView, Listing};
use crate::tui::messages::effect::Effect;
use crate::tui::messages::event::{Data, Event, Now};
use crate::tui::panes::jobs::Started;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::time::Duration;

/// A tick so many seconds after the start; gives what is asked, and does not answer it.
fn tick(ui: &mut Ui, seconds: u64) -> Vec<Effect> {
    let now = Now { mono: Duration::from_secs(seconds), wall: wall() };
    ui.app.update(Event::Tick, now)
}

fn names(effects: &[Effect]) -> Vec<String> {
    let name = |effect: &Effect| match effect {
        Effect::Instance(_, name) => format!("view {name}"),
        Effect::Collections(_, name, _) => format!("collections {name}"),
        Effect::Points(_, address) => format!("points {address}"),
        other => format!("{other:?}"),
    };
    effects.iter().map(name).collect()
}

/// Answers as before, and says whether that made the screen dirty.
fn same_answers(ui: &mut Ui, effects: Vec<Effect>, seconds: u64) -> bool {
    ui.app.take_dirty();
    ui.mono = Duration::from_secs(seconds);
    ui.effects.extend(effects);
    ui.answer();
    ui.app.take_dirty()
}

#[test]
fn visible_lists_are_asked_again_by_themselves_and_nothing_is_drawn_when_nothing_changed() {
    let mut ui = Ui::new(80, 24);
    assert!(tick(&mut ui, 39).is_empty());
    let due = ui.app.wake_at().unwrap().as_secs();
    assert!((39..=43).contains(&due), "{due}");
    let asked = tick(&mut ui, 43);
    let all = ["view prod-eu", "view staging", "view lab", "collections prod-eu", "points prod-eu/products"];
    assert_eq!(names(&asked), all, "what is seen, and no more");
    assert!(tick(&mut ui, 44).is_empty(), "not again while an answer is awaited");
    assert!(!same_answers(&mut ui, asked, 45), "the same answers draw nothing");
    assert!(tick(&mut ui, 70).is_empty());
    assert_eq!(tick(&mut ui, 75).len(), 5);
    // Over SSH more rarely.
    let mut ui = Ui::new(80, 24);
    ui.app.look.ssh = true;
    assert!(tick(&mut ui, 125).is_empty());
    assert_eq!(tick(&mut ui, 135).len(), 5);
}

#[test]
fn nothing_is_asked_while_a_page_lies_over_the_lists_and_their_age_is_told() {
    let mut ui = Ui::new(80, 24);
    ui.keys("m");
    assert!(tick(&mut ui, 300).is_empty());
    assert!(ui.screen().contains("4 m old · 5"), "{}", ui.screen());
    ui.app.take_dirty();
    assert!(tick(&mut ui, 305).is_empty() && !ui.app.take_dirty(), "the same minute");
    let next = ui.app.wake_at().unwrap();
    assert!(next > Duration::from_secs(305) && next <= Duration::from_secs(371), "{next:?}");
    tick(&mut ui, next.as_secs() + 1);
    assert!(ui.app.take_dirty() && ui.screen().contains("5 m old"), "{}", ui.screen());
    ui.keys("esc");
    assert!(!ui.screen().contains("old"), "they are asked again at once\n{}", ui.screen());
}

#[test]
fn a_list_that_cannot_be_read_again_stays_with_its_age() {
    let mut ui = Ui::new(80, 24);
    let asked = tick(&mut ui, 200);
    let refused = || Problem::new(ProblemKind::Unreachable, "connection refused", "prod-eu");
    for effect in asked {
        let (ticket, data) = match effect {
            Effect::Collections(ticket, name, _) => (ticket, Data::Collections(name, Err(refused()))),
            Effect::Points(ticket, address) => (ticket, Data::Points(address, Err(refused()))),
            Effect::Instance(ticket, name) => (ticket, Data::Instance(name, Box::new(Err(refused())))),
            Effect::Watch(ticket) => (ticket, Data::Watch(Box::default())),
            other => panic!("{other:?}"),
        };
        ui.app.update(Event::Data(ticket, data), Now { mono: Duration::from_secs(201), wall: wall() });
    }
    let screen = ui.screen();
    assert!(screen.contains("! 3 m old · 5") && screen.contains("products"), "{screen}");
    ui.keys("?");
    assert!(ui.screen().contains("ask all servers again"), "{}", ui.screen());
}

#[test]
fn the_header_follows_a_job_that_gets_no_answer_and_one_that_goes_on() {
    let mut ui = Ui::new(80, 24);
    let address = CollectionAddress::parse("prod-eu/sessions").unwrap();
    let request =
        Request::Download(DownloadRequest { of: address.into(), which: Which::Latest, target: "/x".into(), overwrite: false });
    ui.app.model.jobs.started.insert(JobId(1), Started { request, touches: vec![], steps: Vec::new() });
    let mut row = job(1, "download prod-eu/sessions", JobState::Running, 5, Some(10), "downloading");
    let mut rows = |ui: &mut Ui, seconds: u64, note: &str| {
        row.sample.note = note.into();
        let now = Now { mono: Duration::from_secs(seconds), wall: wall() };
        ui.app.update(Event::Jobs(vec![row.clone()]), now)
    };
    assert!(rows(&mut ui, 14, "").is_empty());
    let asked = rows(&mut ui, 15, "retry 1, in 2s: connection refused");
    assert_eq!(names(&asked), ["view prod-eu"], "the job's trouble is a reason to ask");
    assert!(ui.screen().contains("!prod-eu retrying"), "{}", ui.screen());
    assert!(rows(&mut ui, 16, "retry 1, in 1s: connection refused").is_empty(), "an answer is awaited");
    let Effect::Instance(ticket, name) = &asked[0] else { panic!("{asked:?}") };
    let refused = Problem::new(ProblemKind::Unreachable, "connection refused", "prod-eu");
    let answer = Data::Instance(name.clone(), Box::new(Err(refused)));
    ui.app.update(Event::Data(*ticket, answer), Now { mono: Duration::from_secs(17), wall: wall() });
    assert!(ui.screen().contains("✗prod-eu unreachable"), "{}", ui.screen());
    assert_eq!(names(&rows(&mut ui, 23, "retry 2, in 4s: connection refused")), ["view prod-eu"], "now and then");
    let again = rows(&mut ui, 25, "");
    assert_eq!(names(&again), ["view prod-eu"], "it goes on: the header must not stay red");
    same_answers(&mut ui, again, 26);
    assert!(ui.screen().contains("●prod-eu 1.18.3"), "{}", ui.screen());
}

#[test]
fn enter_on_a_recovery_point_tells_all_that_is_known_of_it() {
    sizes(|columns, rows, name| {
        let mut ui = Ui::new(columns, rows);
        ui.keys("2 enter");
        assert_named(&mut ui, &format!("details_point_{name}"));
        let screen = ui.screen();
        for text in ["2026-11-22 03:00:00 UTC", "18 000 000 000 bytes", "count and sample recorded", "taken by Qdrant 1.18.3"] {
            assert!(screen.contains(text), "{text}\n{screen}");
        }
        ui.keys("y");
        let copied = ui.effects.iter().find_map(|effect| match effect {
            Effect::Copy(text) => Some(text.clone()),
            _ => None,
        });
        let copied = copied.unwrap();
        assert!(copied.contains(&"5b".repeat(32)) && copied.contains("2026-11-22-03-00-00.snapshot"), "whole: {copied}");
        // From here what is usual is one key away.
        ui.keys("r");
        assert!(ui.screen().contains("to instance"), "{}", ui.screen());
        ui.keys("esc esc");
        assert!(ui.app.layers.is_empty());
        ui.keys("1 o");
        assert_named(&mut ui, &format!("details_collection_{name}"));
        let screen = ui.screen();
        for text in ["4 200 000", "768-d Cosine", "brand keyword", "shop", "green"] {
            assert!(screen.contains(text), "{text}\n{screen}");
        }
    });
    // A collection that is in trouble says why; what vanished from the list is not made up.
    let mut ui = Ui::new(80, 24);
    ui.keys("G up o");
    assert!(ui.screen().contains("no space left on device"), "{}", ui.screen());
    ui.app.model.instances[0].collections = crate::tui::panes::model::Loadable::Never;
    assert!(ui.screen().contains("not in the list any more"), "{}", ui.screen());
}

#[test]
fn names_have_the_room_that_points_and_status_do_not_need() {
    let mut ui = Ui::new(80, 24);
    let screen = ui.screen();
    let room = |screen: &str| screen.lines().find_map(|line| line.split_once("tradem")?.1.split(' ').next().map(str::len));
    assert!(room(&screen) >= Some(12), "{screen}");
    let ticket = crate::tui::messages::event::Ticket(9_000);
    let mut listing = collections_of(&ui.app.model.instances[0].name).unwrap();
    listing.items.retain(|view| view.status.as_ref().is_some_and(|status| status.word() == "green"));
    ui.app.model.instances[0].collections.ask(ticket);
    let name = ui.app.model.instances[0].name.clone();
    ui.send(Event::Data(ticket, Data::Collections(name, Ok(listing))));
    let screen = ui.screen();
    assert!(room(&screen) >= Some(14), "with all green no status is needed\n{screen}");
}

#[test]
fn without_a_configuration_the_first_screen_says_how_to_begin() {
    sizes(|columns, rows, name| {
        let mut ui = Ui::new(columns, rows);
        ui.app.model.surroundings.no_config = Some("/home/ada/.config/qsnap/config.toml".into());
        // The server that is looked for without one does not answer.
        ui.keys("left");
        assert_named(&mut ui, &format!("first_steps_{name}"));
        let screen = ui.screen();
        for text in ["qsnap config init", "qsnap --url http://HOST:6333", "qsnap demo"] {
            assert!(screen.contains(text), "{text}\n{screen}");
        }
    });
    let mut ui = Ui::new(200, 60);
    ui.keys("left");
    assert!(!ui.screen().contains("qsnap config init"), "who has a configuration needs no lesson");
}

#[test]
fn a_state_folder_that_cannot_be_written_is_said_as_long_as_it_is_so() {
    let mut ui = Ui::new(80, 24);
    let asked = ui.effects.iter().find_map(|effect| match effect {
        Effect::CheckState(ticket) => Some(*ticket),
        _ => None,
    });
    let why = "/home/ada/.local/state/qsnap/journal: the journal cannot be written: Permission denied (os error 13)";
    ui.send(Event::Data(asked.unwrap(), Data::State(Some(why.into()))));
    sizes(|columns, rows, name| {
        ui.send(Event::Resize(columns, rows));
        assert_named(&mut ui, &format!("no_state_{name}"));
    });
    ui.keys("m esc 2 j");
    assert!(ui.screen().contains("No operation can start"), "{}", ui.screen());
}

#[test]
fn deleting_means_all_that_are_marked() {
    let mut ui = Ui::new(80, 24);
    ui.keys("2 space space space X");
    let Some(Request::Delete(request)) = ui.asked() else { panic!("{:?}", ui.asked()) };
    let names: Vec<String> = request.names.iter().map(ToString::to_string).collect();
    assert_eq!(names.len(), 3, "three marked, and the selected one is not");
    assert!(names[0].contains("22-03-00-00") && names[2].contains("21-03-00-00"), "{names:?}");
    assert!(ui.screen().contains("Delete 3 recovery points of prod-eu/products"), "{}", ui.screen());
    // Without marks the selected one.
    let mut ui = Ui::new(80, 24);
    ui.keys("2 down X");
    let Some(Request::Delete(request)) = ui.asked() else { panic!("{:?}", ui.asked()) };
    assert_eq!(request.names.len(), 1);
    // What takes one must not quietly take another than the marked one.
    let mut ui = Ui::new(80, 24);
    ui.keys("2 space space r");
    assert!(ui.app.layers.is_empty() && ui.screen().contains("2 are marked, and this takes one"), "{}", ui.screen());
    ui.keys("esc 2 g space up r");
    assert!(ui.screen().contains("to instance"), "the marked one is the selected one\n{}", ui.screen());
}

#[test]
fn marks_of_several_collections_are_not_deleted_together_and_gone_ones_are_forgotten() {
    let mut ui = Ui::new(80, 24);
    ui.keys("2 space 1 down down 2 space X");
    assert!(ui.asked().is_none() && ui.screen().contains("of several collections"), "{}", ui.screen());
    ui.keys("esc 2 space 1 up up 2 X");
    assert!(ui.asked().is_none() && ui.screen().contains("the marked ones are of prod-eu/sessions"), "{}", ui.screen());
    let mut ui = Ui::new(80, 24);
    ui.keys("2 space");
    let address = CollectionAddress::parse("prod-eu/products").unwrap();
    let mut listing = points_of(&address);
    listing.items.remove(0);
    ui.send(Event::Data(crate::tui::messages::event::Ticket(0), Data::Points(address.into(), Ok(listing))));
    assert!(ui.app.marked.is_empty());
}

#[test]
fn a_late_answer_of_the_history_replaces_no_other_list() {
    let mut ui = Ui::new(80, 24);
    ui.keys("H");
    let asked = ui.effects.iter().find_map(|effect| match effect {
        Effect::History(ticket) => Some(*ticket),
        _ => None,
    });
    ui.keys("esc").keys("D down down enter");
    let before = ui.screen();
    assert!(before.contains("A node or an instance was lost"), "{before}");
    ui.send(Event::Data(asked.unwrap(), Data::History(vec![])));
    assert_eq!(ui.screen(), before);
}

#[test]
fn marks_go_on_reach_over_a_range_and_turn_round() {
    let mut ui = Ui::new(80, 24);
    ui.keys("space");
    assert!(ui.screen().contains("●products") && ui.screen().contains("▸reviews"), "it goes on to the next\n{}", ui.screen());
    ui.keys("down M");
    let marked = |ui: &Ui| ui.app.marked_collections.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(marked(&ui), ["products", "reviews", "sessions"]);
    assert!(ui.screen().contains("3 marked: m migrates, b backs up, p prunes all of them"), "{}", ui.screen());
    ui.keys("*");
    assert_eq!(marked(&ui), ["trademarks-of-our-suppliers-2026", "日本語の商品"]);
    // What the filter hides is not touched by a turn.
    ui.keys("/ p r o enter *");
    assert_eq!(marked(&ui).last().map(String::as_str), Some("products"));
    // A range without a beginning says how one is made.
    let mut ui = Ui::new(80, 24);
    ui.keys("M");
    assert!(ui.screen().contains("mark the first of them with Space") && ui.app.marked_collections.is_empty(), "{}", ui.screen());
}

#[test]
fn another_order_keeps_the_selection_the_marks_and_what_newest_means() {
    let mut ui = Ui::new(80, 24);
    let names = |ui: &Ui| ui.app.visible_collections().iter().map(|view| view.address.collection.to_string()).collect::<Vec<_>>();
    ui.keys("space S");
    assert_eq!(names(&ui)[..2], ["reviews", "日本語の商品"], "without a recovery point first, then the oldest");
    assert!(ui.screen().contains("▸reviews") && ui.screen().contains("●products"), "{}", ui.screen());
    ui.keys("S");
    assert_eq!(names(&ui)[0], "sessions", "the most points first");
    // A refresh keeps the order.
    let (ticket, name) = (crate::tui::messages::event::Ticket(9_100), ui.app.model.instances[0].name.clone());
    ui.app.model.instances[0].collections.ask(ticket);
    ui.send(Event::Data(ticket, Data::Collections(name.clone(), collections_of(&name))));
    assert_eq!(names(&ui)[0], "sessions");
    ui.keys("S");
    assert_eq!(names(&ui)[0], "products", "by name again");
    ui.keys("g 2 S S");
    let first = ui.app.visible_points()[0].snapshot.taken_at.unwrap().to_string();
    assert!(first.starts_with("2026-11-20"), "the oldest first: {first}");
    ui.keys("1 d");
    assert!(ui.screen().contains("2026-11-22-03"), "the newest is meant, whatever stands first\n{}", ui.screen());
}

#[test]
fn of_a_long_list_those_are_read_that_are_seen() {
    let mut ui = Ui::new(80, 24);
    let name = ui.app.model.instances[0].name.clone();
    let all = |read: bool| {
        let one = collections_of(&name).unwrap().items.remove(0);
        let each = (0..1_000).map(|at| CollectionView {
            address: CollectionAddress::parse(&format!("prod-eu/c{at}")).unwrap(),
            status: one.status.clone().filter(|_| read),
            points: Some(7).filter(|_| read),
            recovery_points: Some(1).filter(|_| read),
            newest: one.newest.filter(|_| read),
            read,
            ..one.clone()
        });
        each.collect::<Vec<_>>()
    };
    let ticket = crate::tui::messages::event::Ticket(9_200);
    ui.app.model.instances[0].collections.ask(ticket);
    let listing = Listing { items: all(false), problems: Vec::new() };
    let effects = ui.app.update(Event::Data(ticket, Data::Collections(name.clone(), Ok(listing))), ui.app.model.now);
    let asked = |effects: &[Effect]| {
        let views =
            effects.iter().filter_map(|effect| if let Effect::Views(_, views) = effect { Some(views.clone()) } else { None });
        views.collect::<Vec<_>>()
    };
    let first = asked(&effects);
    assert!(first.len() == 1 && first[0].len() < 20, "one screen, and no more: {first:?}");
    assert!(
        ui.screen().contains("▸c0 ") && ui.screen().matches('✗').count() == 1,
        "what is not read yet is not wrong\n{}",
        ui.screen()
    );
    // While they are read nothing else is asked for, however far one scrolls; then what is seen by then.
    let effects = ui.app.update(Event::Key(KeyEvent::new(KeyCode::End, KeyModifiers::NONE)), ui.app.model.now);
    assert!(asked(&effects).is_empty());
    let names: Vec<String> = first[0].iter().map(|view| view.address.to_string()).collect();
    let read = all(true).into_iter().filter(|view| names.contains(&view.address.to_string())).collect();
    let read = Listing { items: read, problems: Vec::new() };
    let effects = ui.app.update(Event::Data(ticket, Data::Views(name.clone(), Ok(read))), ui.app.model.now);
    let next = asked(&effects);
    assert!(next.len() == 1 && next[0].iter().all(|view| view.address.to_string().as_str() > "prod-eu/c9"), "{next:?}");
    // Names that come again leave what was read to be seen, until it is read again.
    ui.keys("g");
    assert!(ui.screen().contains("c0                        7 12 m"), "{}", ui.screen());
    ui.app.model.instances[0].collections.ask(ticket);
    let listing = Listing { items: all(false), problems: Vec::new() };
    ui.app.update(Event::Data(ticket, Data::Collections(name, Ok(listing))), ui.app.model.now);
    assert!(ui.screen().contains("c0                        7 12 m"), "{}", ui.screen());
}
