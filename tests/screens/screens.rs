//! Whole screens as snapshots, and the picture in the README. Everything here is fixed: times, names,
//! versions. A visible change shows as a changed snapshot in `tests/snapshots`.

mod backups;
mod fixture;
mod forms;
mod gallery;
mod job_rows;
mod lists;
mod palette;
mod plans;
mod requests;
mod terminal;

use crate::domain::address::{CollectionAddress, Which};
use crate::domain::ids::SnapshotName;
use crate::domain::instance::Protection;
use crate::domain::problem::{Problem, ProblemKind};
use crate::jobs::row::JobId;
use crate::ops::journal::downloads::Interrupted;
use crate::ops::journal::event::{Made, Thing};
use crate::ops::journal::past::{Past, PastStep, Repeatable, State};
use crate::ops::plan::Risk;
use crate::ops::plan::consent::Consent;
use crate::ops::plan::finding::Finding;
use crate::ops::report::offer;
use crate::ops::report::verdict::Verdict;
use crate::ops::request::Request;
use crate::ops::request::collections::CompareRequest;
use crate::ops::request::recovery_point::RecoveryPoint;
use crate::ops::request::restore::{Mode, RestoreRequest};
use crate::ops::request::route::Route;
use crate::ops::request::settle::{SettleRequest, Way};
use crate::ops::request::snapshots::DownloadRequest;
use crate::tui::app::state::App;
use crate::tui::layers::layer::Layer;
use crate::tui::messages::banner::Banner;
use crate::tui::messages::effect::Effect;
use crate::tui::messages::event::{Data, Event, Now, Ticket};
use crate::tui::panes::jobs::Started;
use fixture::*;
use std::time::Duration;

pub(in crate::tui) use fixture::instance;

macro_rules! assert_screen {
    ($ui:expr, $name:literal) => {{
        let screen = $ui.screen();
        insta::with_settings!({snapshot_path => "../../tests/snapshots", prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!($name, screen);
        });
    }};
}

#[test]
fn the_base_screen_at_all_sizes() {
    assert_screen!(with_jobs(80, 24), "base_80x24");
    assert_screen!(with_jobs(120, 40), "base_120x40");
    assert_screen!(with_jobs(60, 20), "base_60x20");
    assert_screen!(with_jobs(40, 10), "base_40x10");
    assert_screen!(Ui::new(20, 5), "too_small_20x5");
}

#[test]
fn before_any_answer_the_screen_is_there() {
    let now = Now { mono: Duration::ZERO, wall: wall() };
    let app = App::new(&[instance("prod-eu", Protection::Protected)], settings(look()), Banner::Demo, (80, 24), now);
    let mut ui = Ui { app, mono: Duration::ZERO, effects: Vec::new() };
    assert_screen!(ui, "first_frame_80x24");
}

#[test]
fn ascii_and_colourless_screens_read_as_well() {
    let mut ui = with_jobs(80, 24);
    ui.app.look.unicode = false;
    ui.app.look.color = false;
    ui.keys("2");
    assert_screen!(ui, "base_ascii_mono_80x24");
}

#[test]
fn a_dead_instance_says_why_beside_the_others() {
    let mut ui = Ui::new(80, 24);
    ui.keys("left");
    assert_screen!(ui, "dead_instance_80x24");
}

#[test]
fn panes_filters_and_help() {
    assert_screen!(Ui::new(80, 24).keys("down"), "no_recovery_point_80x24");
    assert_screen!(Ui::new(80, 24).keys("/od"), "filter_typing_80x24");
    assert_screen!(Ui::new(80, 24).keys("/zzz enter"), "filter_without_match_80x24");
    assert_screen!(Ui::new(80, 24).keys("2?"), "help_80x24");
    assert_screen!(Ui::new(80, 24).keys("down down"), "points_of_one_minute_80x24");
    assert_screen!(Ui::new(60, 20).keys("enter"), "points_60x20");
}

#[test]
fn wizard_pages() {
    assert_screen!(Ui::new(80, 24).keys("m"), "migrate_form_80x24");
    assert_screen!(Ui::new(60, 20).keys("m"), "migrate_form_60x20");
    assert_screen!(Ui::new(80, 24).keys("2r"), "restore_form_80x24");
    assert_screen!(Ui::new(80, 24).keys("u tab tab tab"), "upload_form_80x24");
    for (columns, rows, name) in [(80, 24, "80x24"), (120, 40, "120x40"), (60, 20, "60x20")] {
        let mut ui = Ui::new(columns, rows);
        ui.keys("m enter");
        ui.plan(Ok(migrate_plan()));
        let screen = ui.screen();
        insta::with_settings!({snapshot_path => "../../tests/snapshots", prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!(format!("migrate_review_{name}"), screen);
        });
    }
    let mut ui = Ui::new(80, 24);
    ui.keys("m enter");
    ui.plan(Ok(migrate_plan()));
    ui.keys("right enter").keys("staging/product enter");
    assert_screen!(ui, "migrate_typing_80x24");
    let mut blocked = migrate_plan();
    blocked.findings.push(Finding::block(
        "version",
        "the target (1.16.3) is older than the source (1.18.3)",
        "upgrade the target first",
    ));
    let mut ui = Ui::new(80, 24);
    ui.keys("m enter");
    ui.plan(Ok(blocked));
    assert_screen!(ui, "migrate_blocked_80x24");
    let mut ui = Ui::new(80, 24);
    ui.keys("m enter");
    ui.plan(Err(
        Problem::new(ProblemKind::NotFound, "cannot count the points: Not found", "prod-eu/products").advise("refresh the list")
    ));
    assert_screen!(ui, "migrate_failed_80x24");
}

#[test]
fn jobs_in_detail_and_the_question_before_leaving() {
    for (columns, rows, name) in [(80, 24, "80x24"), (120, 40, "120x40"), (60, 20, "60x20")] {
        let mut ui = with_jobs(columns, rows);
        ui.keys("3 enter");
        let screen = ui.screen();
        insta::with_settings!({snapshot_path => "../../tests/snapshots", prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!(format!("job_running_{name}"), screen);
        });
    }
    let mut ui = with_jobs(80, 24);
    ui.send(Event::Finished(JobId(3), Box::new(Ok(report()))));
    ui.keys("3 enter");
    assert_screen!(ui, "job_report_80x24");
    let mut ui = with_jobs(80, 24);
    ui.keys("q");
    assert_screen!(ui, "quit_80x24");
}

fn interrupted(name: &str) -> Interrupted {
    let request = DownloadRequest {
        of: CollectionAddress::parse("prod-eu/products").unwrap().into(),
        which: Which::Named(SnapshotName::new(name)),
        target: format!("/backups/{name}").into(),
        overwrite: false,
    };
    Interrupted { request, size: 18_000_000_000, done: 7_900_000_000 }
}

#[test]
fn transfers_in_trouble_say_what_and_interrupted_ones_ask() {
    let download = || Request::Download(DownloadRequest { which: Which::Latest, ..interrupted("other.snapshot").request });
    for (columns, rows, name) in [(80, 24, "80x24"), (120, 40, "120x40"), (60, 20, "60x20")] {
        let mut ui = with_jobs(columns, rows);
        ui.app.model.jobs.started.insert(JobId(3), Started { request: download(), touches: vec![], steps: Vec::new() });
        ui.send(Event::Data(Ticket(0), Data::Interrupted(vec![interrupted("products-7.snapshot")], vec![])));
        let mut rows = jobs(31_600_000_000);
        rows[2].sample.note = "retry 2, in 4s: connection reset by peer".into();
        ui.send(Event::Jobs(rows));
        ui.keys("3 -");
        assert_eq!(ui.limits(), [Some(1_000_000_000)], "a step below what no limit is");
        let screen = ui.screen();
        insta::with_settings!({snapshot_path => "../../tests/snapshots", prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!(format!("jobs_troubled_{name}"), screen);
        });
    }
    let mut ui = Ui::new(80, 24);
    ui.send(Event::Data(Ticket(0), Data::Interrupted(vec![interrupted("products-7.snapshot")], vec![])));
    ui.keys("3 enter");
    let asked = ui.effects.iter().find_map(|effect| match effect {
        Effect::Plan(_, request) => Some(request.as_ref().clone()),
        _ => None,
    });
    assert_eq!(asked, Some(Request::Download(interrupted("products-7.snapshot").request)), "Enter plans the same download");
}

#[test]
fn the_inspector_says_what_is_in_a_recovery_point() {
    for (columns, rows, name) in [(80, 24, "80x24"), (120, 40, "120x40"), (60, 20, "60x20")] {
        let snapshot = |ui: &mut Ui, what: &str| {
            let screen = ui.screen();
            insta::with_settings!({snapshot_path => "../../tests/snapshots", prepend_module_to_snapshot => false, omit_expression => true}, {
                insta::assert_snapshot!(format!("inspect_{what}_{name}"), screen);
            });
        };
        let mut ui = Ui::new(columns, rows);
        ui.keys("2 i");
        snapshot(&mut ui, "asking");
        ui.inspected(vec![Ok(inspected("rich-two-shards.snapshot", false))]);
        ui.keys("down right down");
        snapshot(&mut ui, "whole");
        ui.keys("t");
        ui.inspected(vec![Ok(inspected("rich-two-shards.snapshot", true))]);
        ui.keys("tab");
        snapshot(&mut ui, "damaged");
        let mut ui = Ui::new(columns, rows);
        ui.keys("2 space down space i");
        let both = vec![Ok(inspected("plain.snapshot", false)), Ok(inspected("rich-two-shards.snapshot", false))];
        ui.inspected(both);
        snapshot(&mut ui, "two");
    }
}

#[test]
fn a_late_answer_and_a_problem_do_not_confuse_the_inspector() {
    let mut ui = Ui::new(80, 24);
    ui.keys("2 i t");
    let refused = Problem::new(ProblemKind::Failed, "the server gives no byte ranges", "prod-eu/products").advise("press c");
    ui.inspected(vec![Err(refused)]);
    let screen = ui.screen();
    assert!(screen.contains("no byte ranges") && screen.contains("press c"), "{screen}");
    // The first question was given up when the second was asked.
    let first = ui.effects.iter().find_map(|effect| match effect {
        Effect::Inspect(ticket, _, _, stop) => Some((*ticket, stop.is_cancelled())),
        _ => None,
    });
    let (ticket, stopped) = first.unwrap();
    assert!(stopped, "an older reading is stopped");
    ui.send(Event::Data(ticket, Data::Inspected(Box::new(Ok(inspected("plain.snapshot", false))))));
    assert!(ui.screen().contains("no byte ranges"), "an answer to an older question changes nothing");
    ui.keys("esc");
    assert!(ui.app.layers.is_empty());
}

#[test]
fn a_stale_plan_comes_back_with_the_reason() {
    let mut ui = Ui::new(80, 24);
    ui.keys("m enter");
    ui.plan(Ok(migrate_plan()));
    ui.keys("right enter").keys("staging/products enter");
    let ticket = started_ticket(&ui);
    ui.send(Event::Data(ticket, Data::Started(Box::new(Ok(JobId(9))))));
    let stale =
        Problem::new(ProblemKind::PlanStale, "the plan is stale: points in the target: was 3200000, is 0", "staging/products");
    ui.send(Event::Finished(JobId(9), Box::new(Err(stale))));
    ui.plan(Ok(migrate_plan()));
    assert_screen!(ui, "migrate_stale_80x24");
}

/// A restore that was killed in the middle of the overwrite.
fn broken_off() -> Past {
    let at = wall();
    let step = |name: &str, result: Option<&str>| PastStep {
        name: name.into(),
        detail: "staging/products".into(),
        at: Some(at),
        result: result.map(str::to_owned),
    };
    let thing = |kind, thing: &str| Thing { kind, thing: thing.into() };
    let target = CollectionAddress::parse("staging/products").unwrap();
    let source = RecoveryPoint::File("/backups/products-7.snapshot".into());
    Past {
        id: "20261122T025500120Z-3fa-0".into(),
        at,
        ended_at: None,
        operation: "restore".into(),
        source: "/backups/products-7.snapshot".into(),
        target: "staging/products".into(),
        command: "qsnap restore /backups/products-7.snapshot --to staging/products --mode in-place --yes".into(),
        who: "ada@bastion".into(),
        state: State::BrokenOff,
        steps: vec![
            step("safety snapshot", Some("ok")),
            step("proof restore", Some("ok")),
            step("proof verify", Some("matches: 4 200 000 points and 100 samples equal what was recorded")),
            step("restore", None),
        ],
        made: vec![
            thing(Made::Safety, "staging/products/products-9-2026-11-22-02-55-01.snapshot"),
            thing(Made::Scratch, "staging/products-qsnap-proof-20261122T025503Z"),
        ],
        report: serde_json::Value::Null,
        request: Some(Repeatable::Restore(RestoreRequest::new(source, target, Mode::InPlace, Route::Auto))),
        between: true,
        settled: None,
        handed: crate::ops::journal::past::Handed::default(),
        takes_up: None,
        parts: vec![],
        part_of: None,
        inside: None,
        taking: None,
        repaired: false,
    }
}

fn sizes(mut check: impl FnMut(u16, u16, &str)) {
    for (columns, rows, name) in [(80, 24, "80x24"), (120, 40, "120x40"), (60, 20, "60x20")] {
        check(columns, rows, name);
    }
}

fn assert_named(ui: &mut Ui, name: &str) {
    let screen = ui.screen();
    insta::with_settings!({snapshot_path => "../../tests/snapshots", prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!(name, screen);
    });
}

#[test]
fn the_recovery_guide_page_by_page() {
    sizes(|columns, rows, name| {
        let mut ui = Ui::new(columns, rows);
        ui.keys("D");
        assert_named(&mut ui, &format!("guide_happened_{name}"));
        ui.keys("enter");
        assert_named(&mut ui, &format!("guide_collection_{name}"));
        ui.keys("enter");
        assert_named(&mut ui, &format!("guide_point_{name}"));
        ui.keys("down enter");
        assert_named(&mut ui, &format!("guide_where_{name}"));
        // Back is always possible, a page at a time, and changes nothing.
        ui.keys("esc esc esc esc");
        assert!(ui.app.layers.is_empty());
        assert!(!ui.effects.iter().any(|effect| matches!(effect, Effect::Plan(..) | Effect::Start(..))), "{:?}", ui.effects);
        ui.keys("D down down enter");
        assert_named(&mut ui, &format!("guide_lost_{name}"));
        ui.keys("esc esc").keys("D down enter");
        assert_named(&mut ui, &format!("guide_deleted_{name}"));
    });
}

#[test]
fn the_guide_ends_in_the_plan_that_was_chosen() {
    let mut ui = Ui::new(80, 24);
    ui.keys("D enter enter down enter").keys("down enter");
    let asked = ui.effects.iter().find_map(|effect| match effect {
        Effect::Plan(_, request) => Some(request.as_ref().clone()),
        _ => None,
    });
    let Some(Request::Restore(request)) = asked else { panic!("{asked:?}") };
    assert_eq!((request.mode, request.target.to_string()), (Mode::InPlace, "prod-eu/products".into()));
    assert!(matches!(&request.source, RecoveryPoint::Snapshot(_, Which::Named(name)) if name.raw().contains("02-00-00")));
    // Out of the plan one comes back to the guide.
    ui.keys("esc");
    assert!(ui.screen().contains("Where should the data go?"));
}

#[test]
fn the_mark_of_the_guide_stays_on_its_moment_when_the_list_changes() {
    let mut ui = Ui::new(80, 24);
    ui.keys("D enter enter down");
    let address = CollectionAddress::parse("prod-eu/products").unwrap();
    let mut listing = points_of(&address);
    listing.items.remove(0);
    let state = ui.app.model.instance_mut(&address.instance).unwrap();
    let list = state.points.get_mut(&address.clone().into()).unwrap();
    list.ask(Ticket(9_999));
    list.answer(Ticket(9_999), Ok(listing), Now { mono: Duration::from_secs(1), wall: wall() });
    ui.keys("enter");
    let screen = ui.screen();
    assert!(screen.contains("Restore prod-eu/products as of 2026-11-22 02:00:00 UTC."), "{screen}");
}

#[test]
fn a_complaint_goes_when_it_is_answered() {
    let mut ui = Ui::new(80, 24);
    ui.keys("u enter");
    assert!(ui.screen().contains("missing"), "{}", ui.screen());
    ui.send(Event::Paste("/tmp/x.snapshot".into()));
    assert!(!ui.screen().contains("missing"), "{}", ui.screen());
}

#[test]
fn what_broke_off_is_decided_about() {
    sizes(|columns, rows, name| {
        let mut ui = Ui::new(columns, rows);
        ui.send(Event::Data(Ticket(0), Data::Interrupted(vec![], vec![broken_off()])));
        ui.keys("3");
        assert_named(&mut ui, &format!("open_row_{name}"));
        ui.keys("enter");
        assert_named(&mut ui, &format!("open_choices_{name}"));
        ui.keys("enter");
        let asked = ui.effects.iter().find_map(|effect| match effect {
            Effect::Plan(_, request) => Some(request.as_ref().clone()),
            _ => None,
        });
        let settle = SettleRequest { id: broken_off().id, way: Way::RollBack };
        assert_eq!(asked, Some(Request::Settle(settle)), "the safest comes first");
    });
    let mut ui = Ui::new(80, 24);
    ui.send(Event::Data(Ticket(0), Data::Interrupted(vec![], vec![broken_off()])));
    ui.keys("D");
    assert!(ui.screen().contains("did not end well"), "the guide begins with it");
    ui.keys("esc H");
    let ticket = ui.effects.iter().find_map(|effect| match effect {
        Effect::History(ticket) => Some(*ticket),
        _ => None,
    });
    ui.send(Event::Data(ticket.unwrap(), Data::History(vec![broken_off()])));
    assert_screen!(ui, "history_80x24");
    ui.keys("enter");
    assert_screen!(ui, "history_report_80x24");
}

#[test]
fn a_side_by_side_restore_ends_in_a_choice() {
    sizes(|columns, rows, name| {
        let mut ui = with_jobs(columns, rows);
        let to = CollectionAddress::parse("staging/products-restored-20261122T031200Z").unwrap();
        let mut done = report();
        done.operation = "restore";
        done.mode = Some("side-by-side");
        done.target = to.to_string();
        done.verdict = Some(Verdict::Matches("4 200 000 points and 100 samples equal what was recorded".into()));
        done.next = vec![offer::switch("shop", &to, "products"), offer::delete(&to)];
        ui.send(Event::Finished(JobId(3), Box::new(Ok(done))));
        ui.keys("3 enter");
        assert_named(&mut ui, &format!("job_next_{name}"));
        ui.keys("enter");
        assert_named(&mut ui, &format!("choose_next_{name}"));
        ui.keys("enter");
        assert!(matches!(ui.app.layers.last(), Some(Layer::Job { .. })), "the first choice leaves everything as it is");
        ui.keys("enter down enter");
        let asked =
            ui.effects.iter().any(|effect| matches!(effect, Effect::Plan(_, request) if matches!(**request, Request::Switch(_))));
        assert!(asked);
        ui.keys("esc esc w");
        assert!(ui.effects.iter().any(|effect| matches!(effect, Effect::WriteReport(_, id) if id.starts_with("2026"))));
    });
}

#[test]
fn the_report_of_a_failed_job_is_its_own() {
    let mut ui = with_jobs(80, 24);
    let failed = Problem::new(ProblemKind::Failed, "the disk is full", "prod-eu/sessions");
    ui.send(Event::Finished(JobId(3), Box::new(Err(failed))));
    ui.keys("esc 3 enter w");
    let written = ui.effects.iter().find_map(|effect| match effect {
        Effect::WriteReport(_, id) => Some(id.clone()),
        _ => None,
    });
    assert_eq!(written.as_deref(), Some("20261122T030000Z-1-3"), "and not that of whatever was begun last");
}

#[test]
fn collections_are_compared() {
    let asked = |ui: &Ui| {
        ui.effects.iter().rev().find_map(|effect| match effect {
            Effect::Plan(_, request) => Some(request.as_ref().clone()),
            _ => None,
        })
    };
    let compare = |first: &str, second: &str, deep: bool| {
        let address = |text: &str| CollectionAddress::parse(text).unwrap();
        Some(Request::Compare(CompareRequest { first: address(first), second: address(second), deep }))
    };
    let mut ui = Ui::new(80, 24);
    ui.keys("c");
    assert_screen!(ui, "compare_form_80x24");
    ui.keys("tab tab right enter");
    assert_eq!(asked(&ui), compare("prod-eu/products", "staging/products", true), "the same name elsewhere");
    // The instance itself: the same collection is refused by the form.
    let mut ui = Ui::new(80, 24);
    ui.keys("c left enter");
    assert!(ui.screen().contains("always equal to itself"), "{}", ui.screen());
    // Of two marked ones those, whatever is selected.
    let mut ui = Ui::new(80, 24);
    ui.keys("space space c enter");
    assert_eq!(asked(&ui), compare("prod-eu/products", "prod-eu/reviews", false));
    for (columns, rows, name) in [(80, 24, "80x24"), (120, 40, "120x40"), (60, 20, "60x20")] {
        let mut ui = with_jobs(columns, rows);
        ui.send(Event::Finished(JobId(3), Box::new(Ok(compared()))));
        ui.keys("3 enter");
        let screen = ui.screen();
        insta::with_settings!({snapshot_path => "../../tests/snapshots", prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!(format!("job_compared_{name}"), screen);
        });
    }
}

#[test]
fn marked_collections_migrate_together() {
    let mut ui = Ui::new(80, 24);
    ui.keys("space down space m");
    assert_screen!(ui, "fleet_form_80x24");
    ui.keys("enter");
    let asked = ui.effects.iter().find_map(|effect| match effect {
        Effect::Plan(_, request) => Some(request.as_ref().clone()),
        _ => None,
    });
    let Some(Request::Fleet(request)) = asked else { panic!("{asked:?}") };
    assert_eq!((request.collections.len(), request.to.as_str()), (2, "staging"));
    ui.keys("esc esc esc");
    assert!(ui.app.marked_collections.is_empty());
    ui.keys("space right");
    assert!(ui.app.marked_collections.is_empty(), "marks are of one instance");
}

fn started_ticket(ui: &Ui) -> Ticket {
    let start = ui.effects.iter().find_map(|effect| match effect {
        Effect::Start(ticket, ..) => Some(*ticket),
        _ => None,
    });
    start.unwrap()
}

#[test]
fn nothing_starts_without_the_typed_address_and_nothing_panics() {
    let mut seed = 0x5eed_u64;
    let mut next = move |n: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % n
    };
    let words = [
        "m", "r", "s", "d", "u", "X", "x", "D", "H", "space", "w", "enter", "esc", "left", "right", "tab", "down", "2", "3", "/",
        "?", "q", "a", "R", "y",
    ];
    for round in 0..60 {
        let mut ui = Ui::new(1 + next(250) as u16, 1 + next(80) as u16);
        for step in 0..60 {
            match next(12) {
                0 => ui.send(Event::Resize(1 + next(250) as u16, 1 + next(80) as u16)),
                1 => ui.send(Event::Paste("staging/produkts\n".into())),
                2 => ui.send(Event::Jobs(jobs(next(61_400_000_000)))),
                3 if ui.effects.iter().any(|effect| matches!(effect, Effect::Plan(..))) => ui.plan(Ok(migrate_plan())),
                _ => drop(ui.keys(words[next(words.len() as u64) as usize])),
            }
            if step % 6 == 0 {
                ui.buffer();
            }
            for effect in &ui.effects {
                if let Effect::Start(_, plan, consent) = effect {
                    assert_eq!(plan.risk, Risk::Destroys);
                    assert_eq!(*consent, Consent::Typed("staging/products".into()), "round {round}, step {step}");
                }
            }
        }
    }
}
