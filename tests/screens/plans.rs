//! Plans: what must be seen before anybody agrees.

use super::fixture::*;
use super::{assert_named, sizes};
use crate::domain::address::{CollectionAddress, Which};
use crate::domain::ids::SnapshotName;
use crate::domain::instance::Protection;
use crate::ops::plan::finding::Finding;
use crate::ops::plan::tests::plan_of;
use crate::ops::plan::{Plan, Risk, Step};
use crate::ops::request::Request;
use crate::ops::request::recovery_point::RecoveryPoint;
use crate::ops::request::restore::{Mode, RestoreRequest};
use crate::ops::request::route::Route;

/// A restore over a collection, with all that its gates usually say.
fn over() -> Plan {
    let mut plan = plan_of(Risk::Destroys, Some(Protection::Open));
    plan.title = "restore → staging/products".into();
    plan.consequence = "the 3 200 points of staging/products are replaced; a safety snapshot is taken first and kept".into();
    plan.steps = vec![
        Step::new("safety snapshot", "take a snapshot of staging/products as it is now, and keep it"),
        Step::new("proof restore", "restore to a scratch collection beside it, and verify that: nothing live is touched yet"),
        Step::new("restore", "82.4 MB into staging/products by url (the target fetches from the source; else through qsnap)"),
        Step::new("verify", "count staging/products, compare schema and sample, and compare it with the proof restore"),
        Step::new("roll back", "only if that fails: bring the safety snapshot back, and verify it"),
        Step::new("tidy", "remove the scratch collection, and the uploaded files once the verdict is good"),
    ];
    let look = Finding::look;
    plan.findings = vec![
        Finding::good("checksum", "sha256 is known and will be compared"),
        look("version", "the Qdrant version that took the snapshot is not recorded", "restore into a new name first"),
        look(
            "proof",
            "nothing was recorded when it was taken, and there is no live source",
            "snapshots taken with qsnap can be proven",
        ),
        look("loss window", "taken 2026-11-16 22:42:07 UTC, 9 d ago; writes since then are not in it", "no newer one is listed"),
        look("target", "staging/products exists with 3 200 points, which will be replaced", "a safety snapshot is taken first"),
        look("url recovery", "whether the target can fetch it shows only when it tries", "if it refuses, nothing was touched"),
        look(
            "server disk",
            "about 247.2 MB are needed on the target's disk besides the existing data",
            "look there if you are not sure",
        ),
        look("writers", "what is written to staging/products from now until the verdict is lost", "stop what writes to it first"),
        Finding::good("replicas", "all replicas of staging/products are active"),
    ];
    let name = "products-7462152614201081-2026-11-16-22-42-07.snapshot";
    let target = CollectionAddress::parse("staging/products").unwrap();
    let point = RecoveryPoint::Snapshot(target.clone(), Which::Named(SnapshotName::new(name)));
    plan.request = Request::Restore(RestoreRequest::new(point, target, Mode::InPlace, Route::Auto));
    plan
}

fn shown(columns: u16, rows: u16) -> Ui {
    let mut ui = Ui::new(columns, rows);
    ui.keys("m enter");
    ui.plan(Ok(over()));
    ui
}

#[test]
fn warnings_and_the_command_of_a_usual_plan_are_seen_without_scrolling() {
    sizes(|columns, rows, name| assert_named(&mut shown(columns, rows), &format!("plan_over_{name}")));
    for (columns, rows) in [(80, 24), (120, 40)] {
        let screen = shown(columns, rows).screen();
        for check in ["version", "proof", "loss window", "target", "url recovery", "server disk", "writers"] {
            assert!(screen.contains(&format!("! {check}: ")), "{check} at {columns}x{rows}\n{screen}");
        }
        for text in ["are replaced", "$ qsnap restore", "--mode in-place", "✓ 2 checks passed", "safety snapshot, proof restore"]
        {
            let text = if rows == 40 { text.split(',').next().unwrap() } else { text };
            assert!(screen.contains(text), "{text} at {columns}x{rows}\n{screen}");
        }
        assert!(!screen.contains("↑↓ lines"), "nothing is below the fold\n{screen}");
    }
}

#[test]
fn a_key_unfolds_what_is_folded() {
    let mut ui = shown(80, 90);
    let folded = ui.screen();
    assert!(!folded.contains("all replicas of staging/products are active"), "{folded}");
    let whole = ui.keys("v").screen();
    for text in ["✓ replicas: all replicas of staging/products are active", "stop what writes to it first", "verdict is good"] {
        assert!(whole.contains(text), "{text}\n{whole}");
    }
    assert_eq!(ui.keys("v").screen(), folded);
}

#[test]
fn what_blocks_is_shown_in_full_and_first() {
    let mut plan = over();
    plan.findings.push(Finding::block("room", "the disk of staging is full", "make room first"));
    let mut ui = Ui::new(80, 24);
    ui.keys("m enter");
    ui.plan(Ok(plan));
    let screen = ui.screen();
    let at = |text: &str| screen.find(text).unwrap_or_else(|| panic!("{text}\n{screen}"));
    assert!(at("✗ room: the disk of staging is full") < at("! version"), "{screen}");
    assert!(at("make room first") < at("! version"), "{screen}");
}

#[test]
fn advice_of_a_blocked_download_names_what_the_form_has() {
    let mut plan = plan_of(Risk::Safe, None);
    let advice = "choose another folder or file name, or allow overwriting it (--overwrite)";
    plan.findings.push(Finding::block("file", "/home/ada/x.snapshot exists already", advice));
    let mut ui = Ui::new(80, 24);
    ui.keys("2d");
    let form = ui.screen();
    ui.keys("enter");
    ui.plan(Ok(plan));
    let screen = ui.screen();
    assert!(!screen.contains("--overwrite"), "{screen}");
    for field in ["if it exists", "folder or file"] {
        assert!(form.contains(field) && screen.contains(field), "{field}\n{form}\n{screen}");
    }
}

#[test]
fn help_is_there_in_plans_forms_the_guide_and_the_history() {
    let help = |keys: &str, key: &str| {
        let mut ui = with_jobs(80, 24);
        ui.keys(keys).keys(key);
        let screen = ui.screen();
        assert!(screen.contains("Keys here"), "{keys}\n{screen}");
        ui.keys("esc");
        assert!(!ui.screen().contains("Keys here"));
    };
    for (keys, key) in
        [("m", "f1"), ("D", "?"), ("D", "f1"), ("H", "?"), ("q", "?"), ("3 enter", "?"), ("2 enter", "?"), ("/x", "f1")]
    {
        help(keys, key);
    }
    let mut ui = shown(80, 24);
    ui.keys("?");
    let screen = ui.screen();
    assert!(screen.contains("Keys here") && screen.contains("show every check"), "{screen}");
    ui.keys("? ?");
    assert_eq!(ui.app.layers.len(), 2, "the help has no help of its own");
}
