//! The jobs pane: what is shown and selected, what a cancel asks, what becomes of finished jobs.

use super::fixture::*;
use super::{assert_named, interrupted, sizes};
use crate::domain::address::CollectionAddress;
use crate::domain::problem::{Problem, ProblemKind};
use crate::jobs::row::{JobId, JobRow, JobState, OnCancel, Outcome};
use crate::ops::request::Request;
use crate::ops::request::recovery_point::RecoveryPoint;
use crate::ops::request::restore::{Mode, RestoreRequest};
use crate::ops::request::route::Route;
use crate::tui::layers::layer::Layer;
use crate::tui::messages::effect::Effect;
use crate::tui::messages::event::{Data, Event, Ticket};
use crate::tui::panes::jobs::{JobKey, Started};
use crate::tui::panes::list::Pane;

fn running(id: u64) -> JobRow {
    job(id, &format!("restore → staging/number-{id}"), JobState::Running, 0, None, "the server is restoring")
}

fn done(id: u64) -> JobRow {
    let outcome = Outcome::Succeeded { headline: "verified: 910 000 points".into(), good: true };
    job(id, &format!("copy → staging/number-{id}"), JobState::Finished(outcome), 0, None, "")
}

fn restore() -> Request {
    let target = CollectionAddress::parse("staging/products").unwrap();
    Request::Restore(RestoreRequest::new(RecoveryPoint::File("/x.snapshot".into()), target, Mode::InPlace, Route::Auto))
}

fn knows(ui: &mut Ui, id: u64, request: Request) {
    ui.app.model.jobs.started.insert(JobId(id), Started { request, touches: vec![], steps: Vec::new() });
}

fn cancels(ui: &Ui) -> usize {
    ui.effects.iter().filter(|effect| matches!(effect, Effect::Cancel(_))).count()
}

/// A restore over a collection, in the middle of it.
fn overwriting(columns: u16, rows: u16) -> Ui {
    let mut ui = Ui::new(columns, rows);
    knows(&mut ui, 1, restore());
    let mut row = job(1, "restore → staging/products", JobState::Running, 0, None, "keep the safety snapshot");
    let kept = "staging/products was not touched; kept: safety snapshot staging/products/products-1.snapshot";
    row.on_cancel = OnCancel {
        removes: vec!["the scratch collection staging/products-qsnap-proof-1".into()],
        keeps: Some(kept.into()),
        ..OnCancel::default()
    };
    ui.send(Event::Jobs(vec![row]));
    ui
}

#[test]
fn a_cancel_asks_and_says_what_it_does_now() {
    sizes(|columns, rows, name| {
        let mut ui = overwriting(columns, rows);
        ui.keys("3x");
        assert_named(&mut ui, &format!("cancel_{name}"));
        assert_eq!(cancels(&ui), 0, "one key cancels nothing");
        ui.keys("x x").keys("enter");
        assert_eq!((cancels(&ui), ui.app.layers.len()), (0, 0), "no is the answer that is marked");
        ui.keys("x right enter");
        assert_eq!(cancels(&ui), 1);
    });
    // When the job ends meanwhile, there is nothing to ask.
    let mut ui = overwriting(80, 24);
    ui.keys("3x");
    ui.send(Event::Jobs(vec![done(1)]));
    assert!(ui.app.layers.is_empty());
}

#[test]
fn a_cancel_that_comes_too_late_or_again_says_so() {
    let mut ui = overwriting(80, 24);
    let mut row = running(1);
    row.on_cancel.waits = true;
    ui.send(Event::Jobs(vec![row.clone()]));
    ui.keys("3x");
    assert!(ui.screen().contains("The server is at work and cannot be stopped"), "{}", ui.screen());
    ui.keys("esc");
    row.state = JobState::Canceling;
    row.on_cancel.removes = vec!["the scratch collection x".into()];
    ui.send(Event::Jobs(vec![row.clone()]));
    ui.keys("x");
    let screen = ui.screen();
    assert!(screen.contains("Stop cleaning up?") && screen.contains("the scratch collection x"), "{screen}");
    ui.keys("esc");
    row.state = JobState::Running;
    row.on_cancel.conducts = true;
    ui.send(Event::Jobs(vec![row]));
    ui.keys("x");
    assert!(ui.screen().contains("Its parts are canceled"), "{}", ui.screen());
}

#[test]
fn what_loses_nothing_is_canceled_at_once() {
    let mut ui = Ui::new(80, 24);
    knows(&mut ui, 1, Request::Download(interrupted("x.snapshot").request));
    let mut row = running(1);
    row.on_cancel.keeps = Some("the bytes are kept".into());
    ui.send(Event::Jobs(vec![row.clone()]));
    ui.keys("3x");
    assert_eq!(cancels(&ui), 1, "a download that can go on");
    row.on_cancel.keeps = None;
    ui.send(Event::Jobs(vec![row]));
    ui.keys("x");
    assert_eq!(cancels(&ui), 1);
    assert!(ui.screen().contains("what has arrived is lost"), "{}", ui.screen());
    let mut ui = Ui::new(80, 24);
    ui.send(Event::Jobs(vec![job(1, "restore", JobState::Queued("waits".into()), 0, None, "")]));
    ui.keys("3x");
    assert_eq!(cancels(&ui), 1, "what has not begun");
}

#[test]
fn running_jobs_are_seen_and_the_selection_stays_on_its_job() {
    let mut ui = Ui::new(80, 24);
    ui.send(Event::Jobs((1..8).map(done).collect()));
    let mut all: Vec<JobRow> = (1..8).map(done).collect();
    all.push(running(8));
    ui.send(Event::Jobs(all.clone()));
    assert_eq!(ui.app.job_key(), Some(JobKey::Job(JobId(8))), "a new job is selected while nobody uses the pane");
    assert!(ui.screen().contains("number-8"), "{}", ui.screen());
    // Who uses the pane keeps the selection, whatever begins or ends.
    ui.keys("3 down");
    assert_eq!(ui.app.job_key(), Some(JobKey::Job(JobId(7))));
    all.push(running(9));
    ui.send(Event::Jobs(all.clone()));
    assert_eq!(ui.app.job_key(), Some(JobKey::Job(JobId(7))));
    // Back in another pane the list shows its top again: what runs, the newest first.
    ui.keys("1");
    all.extend((10..14).map(running));
    ui.send(Event::Jobs(all));
    assert_eq!((ui.app.job_list.offset, ui.app.job_key()), (0, Some(JobKey::Job(JobId(13)))));
    let keys = ui.app.model.jobs.keys();
    assert_eq!(keys[..6], [13, 12, 11, 10, 9, 8].map(|id| JobKey::Job(JobId(id))));
}

#[test]
fn finished_jobs_fold_and_one_key_clears_them() {
    let mut ui = Ui::new(80, 24);
    let mut all: Vec<JobRow> = (1..40).map(done).collect();
    all[3].state = JobState::Finished(Outcome::Failed(Problem::new(ProblemKind::Failed, "the disk is full", "x")));
    all.push(running(40));
    ui.send(Event::Jobs(all));
    assert_eq!(ui.app.model.jobs.keys().len(), 5, "one that runs, three finished, and the others in one row");
    assert!(ui.app.pane_height(Pane::Collections) >= 9, "the lists keep their place");
    ui.keys("3G");
    sizes(|columns, rows, name| {
        ui.send(Event::Resize(columns, rows));
        assert_named(&mut ui, &format!("jobs_folded_{name}"));
    });
    ui.keys("enter");
    assert_eq!(ui.app.model.jobs.keys().len(), 41);
    ui.keys("G enter").keys("G del");
    let dismissed = |ui: &Ui| ui.effects.iter().filter(|effect| matches!(effect, Effect::Dismiss(_))).count();
    assert_eq!(dismissed(&ui), 39, "Del on the folded row dismisses all that is over");
    ui.keys("g z");
    assert_eq!(dismissed(&ui), 78, "z does so from any row");
}

#[test]
fn a_part_that_is_over_says_how_it_ended() {
    let mut ui = Ui::new(80, 24);
    let mut part = done(1);
    part.sample.phase = "tidy".into();
    ui.send(Event::Jobs(vec![part]));
    ui.keys("3 enter");
    let screen = ui.screen();
    assert!(screen.contains("verified: 910 000 points") && screen.contains("it took 1m15s"), "{screen}");
    assert!(!screen.contains("running for") && !screen.contains("tidy"), "{screen}");
    ui.keys("w");
    assert!(ui.effects.iter().any(|effect| matches!(effect, Effect::WriteReport(_, id) if id.ends_with("-1-1"))));
}

fn canceled_download(ui: &mut Ui) {
    let left = interrupted("products-7.snapshot");
    knows(ui, 1, Request::Download(left.request.clone()));
    let outcome = Outcome::Canceled { cleaned: true, kept: Some("the bytes are kept".into()) };
    ui.send(Event::Jobs(vec![job(1, "download prod-eu/products", JobState::Finished(outcome), 0, None, "")]));
    ui.send(Event::Data(Ticket(0), Data::Interrupted(vec![left], vec![])));
}

#[test]
fn a_canceled_download_goes_on_from_its_own_row() {
    let mut ui = Ui::new(80, 24);
    canceled_download(&mut ui);
    assert_eq!(ui.app.model.jobs.keys(), [JobKey::Job(JobId(1))], "one row for one file");
    assert!(ui.screen().contains("interrupted at 43%, resume?"), "{}", ui.screen());
    ui.keys("3 enter");
    assert_eq!(ui.asked(), Some(Request::Download(interrupted("products-7.snapshot").request)));
    // While it goes on, its new row stands for it.
    knows(&mut ui, 2, Request::Download(interrupted("products-7.snapshot").request));
    let mut rows = ui.app.model.jobs.rows.clone();
    rows.push(running(2));
    ui.send(Event::Jobs(rows));
    assert!(ui.app.model.jobs.resumes(JobId(1)).is_none() && ui.app.model.jobs.interrupted().count() == 0);
}

#[test]
fn downloads_of_one_snapshot_to_two_places_are_two() {
    let mut ui = Ui::new(80, 24);
    canceled_download(&mut ui);
    let mut other = interrupted("products-7.snapshot");
    other.request.target = "/elsewhere/products-7.snapshot".into();
    ui.send(Event::Data(Ticket(0), Data::Interrupted(vec![interrupted("products-7.snapshot"), other.clone()], vec![])));
    let keys = ui.app.model.jobs.keys();
    assert_eq!(keys, [JobKey::Job(JobId(1)), JobKey::Interrupted(other.request.target)]);
}

#[test]
fn a_cancel_says_what_it_kept() {
    let mut ui = overwriting(80, 24);
    let words = "canceled; staging/products was not touched; kept: safety snapshot x";
    ui.send(Event::Finished(JobId(1), Box::new(Err(Problem::new(ProblemKind::Canceled, words, "")))));
    assert!(ui.app.toast.as_ref().is_some_and(|toast| toast.text == words), "{:?}", ui.app.toast);
}

#[test]
fn old_results_do_not_wait_below_new_ones() {
    let mut ui = Ui::new(80, 24);
    let start = |ui: &mut Ui, keys: &str, id: u64| {
        ui.keys(keys);
        let mut plan = migrate_plan();
        plan.risk = crate::ops::plan::Risk::Safe;
        plan.changes = None;
        plan.findings.clear();
        ui.plan(Ok(plan));
        ui.keys("enter");
        let ticket = ui.effects.iter().rev().find_map(|effect| match effect {
            Effect::Start(ticket, ..) => Some(*ticket),
            _ => None,
        });
        ui.send(Event::Data(ticket.unwrap(), Data::Started(Box::new(Ok(JobId(id))))));
    };
    start(&mut ui, "m enter", 1);
    let mut after = report();
    after.next = vec![crate::ops::report::offer::delete(&CollectionAddress::parse("staging/x").unwrap())];
    ui.send(Event::Finished(JobId(1), Box::new(Ok(after))));
    // From the result to the next operation: its page takes the place of the old one.
    start(&mut ui, "enter down enter", 2);
    let shown: Vec<String> = ui.app.layers.iter().map(|layer| format!("{layer:?}")).collect();
    assert!(matches!(ui.app.layers.as_slice(), [Layer::Job { id: JobId(2), .. }]), "{shown:?}");
    // Errors of several jobs are one page.
    ui.keys("esc");
    for (id, why) in [(3, "the disk is full"), (4, "connection refused"), (5, "it is damaged")] {
        ui.send(Event::Finished(JobId(id), Box::new(Err(Problem::new(ProblemKind::Failed, why, "staging/x")))));
    }
    let screen = ui.screen();
    assert!(screen.contains("3 of them") && screen.contains("the disk is full") && screen.contains("it is damaged"), "{screen}");
    ui.keys("esc");
    assert!(ui.app.layers.is_empty());
}

#[test]
fn what_is_known_of_old_jobs_is_bounded() {
    let mut ui = Ui::new(80, 24);
    for id in 1..2_000 {
        knows(&mut ui, id, restore());
        ui.app.model.jobs.results.insert(JobId(id), Ok(report()));
        ui.app.model.jobs.update(vec![done(1), done(id.max(2))]);
    }
    let jobs = &ui.app.model.jobs;
    assert!(jobs.results.len() <= 202 && jobs.started.len() <= 202, "{} {}", jobs.results.len(), jobs.started.len());
    assert!(jobs.results.contains_key(&JobId(1)) && jobs.results.contains_key(&JobId(1_999)), "what has a row stays");
}
