//! What came of effects: data, finished jobs, and what is asked next.

use crate::domain::address::{CollectionAddress, SnapshotsOf};
use crate::domain::ids::{CollectionName, InstanceName};
use crate::domain::problem::{Problem, ProblemKind};
use crate::jobs::row::{JobId, JobOutput};
use crate::ops::journal::downloads::Interrupted;
use crate::ops::journal::past::Past;
use crate::ops::report::Report;
use crate::ops::request::Request;
use crate::ops::request::recovery_point::RecoveryPoint;
use crate::ops::survey::inspect::Inspected;
use crate::ops::survey::listing::{CollectionView, Listing, RecoveryPointView};
use crate::ops::survey::shard_map::ShardMap;
use crate::ops::survey::watch::Watch;
use crate::tui::app::state::App;
use crate::tui::layers::choice::Chooser;
use crate::tui::layers::layer::Layer;
use crate::tui::messages::effect::Effect;
use crate::tui::messages::event::{Data, Ticket};
use crate::tui::panes::jobs::JobKey;
use crate::tui::panes::keys::point_keys;
use crate::tui::panes::list::{ListState, Pane};
use crate::tui::panes::model::Loadable;
use crate::tui::panes::order::CollectionOrder;
use crate::tui::wizards::wizard::Wizard;
use std::time::Duration;

/// A selection rests this long before its recovery points are asked for.
const REST: Duration = Duration::from_millis(150);

type Listed = Result<Listing<RecoveryPointView>, Problem>;

/// What stands between two errors on one page.
const RULE: &str = "· · ·";

impl App {
    pub(super) fn data(&mut self, ticket: Ticket, data: Data) {
        let now = self.model.now;
        // A list that is as it was is not drawn again.
        let list = matches!(data, Data::Instance(..) | Data::Collections(..) | Data::Points(..) | Data::Watch(_));
        self.dirty |= !list;
        match data {
            Data::Instance(name, result) => {
                if let Some(state) = self.model.instance_mut(&name) {
                    self.dirty |= state.view.answer(ticket, *result, now);
                }
            }
            Data::Collections(name, mut result) => {
                self.forget_marks(&name, &result);
                if let Ok(listing) = &mut result {
                    self.keep_what_was_read(&name, listing);
                    let stored = self.model.watch.value().map(Watch::newest).unwrap_or_default();
                    self.collection_order.sort(&mut listing.items, &stored);
                }
                if let Some(state) = self.model.instance_mut(&name) {
                    state.version += 1;
                    self.dirty |= state.collections.answer(ticket, result, now);
                }
            }
            Data::Views(name, result) => self.views_read(&name, result),
            Data::Points(address, result) => self.points_listed(ticket, address, result),
            Data::Watch(watch) => self.watched(ticket, *watch),
            Data::Plan(result) => {
                if let Some(wizard) = self.wizard_mut() {
                    wizard.planned(ticket, *result, now);
                }
            }
            Data::Inspected(result) => self.inspected(ticket, *result),
            Data::Requests(rows) => {
                if let Some(Layer::Requests(list)) = self.layers.last_mut() {
                    list.take(rows);
                }
            }
            Data::Started(result) => self.started(ticket, *result),
            Data::Interrupted(list, open) => self.left_open(list, open),
            Data::Remembered(all) => {
                if let Some(wizard) = self.wizard_mut() {
                    wizard.offers.answer(ticket, all);
                }
            }
            Data::Shards(address, result) => self.shards_told(ticket, &address, result),
            Data::State(why) => self.model.surroundings.state = why,
            Data::History(all) => {
                let awaits = |layer: &&mut Layer| matches!(layer, Layer::Choose(chooser) if chooser.awaits == Some(ticket));
                if let Some(Layer::Choose(chooser)) = self.layers.iter_mut().find(awaits) {
                    **chooser = Chooser::history(&all);
                }
            }
            Data::Wrote(Ok(path)) => self.say(&format!("wrote {path}"), false),
            Data::Wrote(Err(why)) => self.say(&why, true),
            Data::Copied(Ok(())) => self.say("sent to the terminal's clipboard", false),
            Data::Copied(Err(why)) => self.say(&why, true),
        }
    }

    fn watched(&mut self, ticket: Ticket, watch: Watch) {
        let changed = self.model.watch.answer(ticket, Ok(watch), self.model.now);
        self.dirty |= changed;
        if changed && self.collection_order == CollectionOrder::Age {
            self.sort_collections();
        }
    }

    fn started(&mut self, ticket: Ticket, result: Result<JobId, Problem>) {
        match (self.wizard_mut(), result) {
            (Some(wizard), result) => {
                let step = wizard.started(ticket, result);
                self.follow(step);
            }
            (None, Err(problem)) => self.show_problem("It was not started", &problem),
            (None, Ok(_)) => {}
        }
    }

    fn inspected(&mut self, ticket: Ticket, result: Result<Inspected, Problem>) {
        let inspector = self.layers.iter_mut().rev().find_map(|layer| match layer {
            Layer::Inspector(inspector) => Some(inspector),
            _ => None,
        });
        if let Some(inspector) = inspector {
            inspector.answer(ticket, result);
        }
    }

    /// A mark on a collection that is gone would be acted on unseen.
    fn forget_marks(&mut self, name: &InstanceName, result: &Result<Listing<CollectionView>, Problem>) {
        if let (Ok(listing), true) = (result, self.model.instance().is_some_and(|state| state.name == *name)) {
            let there = |name: &CollectionName| listing.items.iter().any(|view| view.address.collection == *name);
            self.marked_collections.retain(there);
        }
    }

    fn points_listed(&mut self, ticket: Ticket, of: SnapshotsOf, result: Listed) {
        // A mark on what is gone would be acted on unseen.
        if let Ok(listing) = &result {
            let there = |marked: &RecoveryPoint| listing.items.iter().any(|point| point.point() == *marked);
            self.marked.retain(|marked| marked.snapshots_of().as_ref() != Some(&of) || there(marked));
        }
        let now = self.model.now;
        if let Some(state) = self.model.instance_mut(of.instance()) {
            let list = state.points.entry(of).or_insert(Loadable::Never);
            self.dirty |= list.answer(ticket, result, now);
        }
    }

    fn shards_told(&mut self, ticket: Ticket, address: &CollectionAddress, result: Result<ShardMap, Problem>) {
        let now = self.model.now;
        let state = self.model.instance_mut(&address.instance).and_then(|state| state.shards.as_mut());
        if let Some((_, map)) = state.filter(|(of, _)| of == address) {
            self.dirty |= map.answer(ticket, result, now);
        }
    }

    fn left_open(&mut self, list: Vec<Interrupted>, open: Vec<Past>) {
        let more = open.len() > self.model.jobs.open.len();
        (self.model.jobs.interrupted, self.model.jobs.open) = (list, open);
        if more {
            self.say("an operation did not end well: decide about it in the jobs (3, Enter), or D", true);
        }
    }

    fn wizard_mut(&mut self) -> Option<&mut Wizard> {
        self.layers.iter_mut().rev().find_map(|layer| match layer {
            Layer::Wizard(wizard) => Some(wizard.as_mut()),
            _ => None,
        })
    }

    fn show_problem(&mut self, title: &str, problem: &Problem) {
        let mut lines = vec![problem.to_string()];
        if !problem.advice.is_empty() {
            lines.push(String::new());
            lines.push(format!("What to do: {}", problem.advice));
        }
        // A second error goes into the page of the first, so that one key closes both.
        if let Some(Layer::Text { title: shown, lines: before, scroll, of: None }) = self.layers.last_mut()
            && shown.starts_with(title)
        {
            let several = before.iter().filter(|line| line.as_str() == RULE).count() + 2;
            lines.push(RULE.to_owned());
            lines.append(before);
            *before = lines;
            *shown = format!("{title} · {several} of them");
            *scroll = 0;
            return;
        }
        self.layers.push(Layer::Text { title: title.to_owned(), lines, scroll: 0, of: None });
    }

    pub(super) fn finished(&mut self, id: JobId, result: Result<Report, Problem>) {
        self.dirty = true;
        self.notify(id, &result);
        let started = self.model.jobs.started.get(&id).cloned();
        let watched = self.layers.iter().any(|layer| matches!(layer, Layer::Job { id: shown, .. } if *shown == id));
        let stale = matches!(&result, Err(problem) if problem.kind == ProblemKind::PlanStale);
        match (&result, &started) {
            (Err(problem), Some(started)) if stale && watched => {
                self.layers.retain(|layer| !matches!(layer, Layer::Job { id: shown, .. } if *shown == id));
                let ticket = self.model.ticket();
                let (wizard, effect) = Wizard::again(&self.model, started.request.clone(), problem.message.clone(), ticket);
                self.layers.push(Layer::Wizard(Box::new(wizard)));
                self.effects.push(effect);
            }
            (Err(problem), _) if problem.kind == ProblemKind::Canceled => self.say(&problem.message, false),
            (Err(problem), _) if !watched => self.show_problem("A job failed", problem),
            (Ok(report), _) if !watched => {
                let words = report.verdict.as_ref().map_or_else(|| "done".to_owned(), |verdict| verdict.sentence());
                let good = report.headline().1;
                let first = report.comparison.as_ref().map_or_else(String::new, |found| format!("{} ", found.first));
                self.say(&format!("{} {first}{}: {words}", report.operation, report.target), !good);
            }
            _ => {}
        }
        self.model.jobs.results.insert(id, result);
        let ticket = self.model.ticket();
        self.effects.push(Effect::Interrupted(ticket));
        if started.is_some() {
            self.ask_watch();
        }
        // Which instances an operation that broke off concerns stands in the journal only.
        if started.as_ref().is_some_and(|started| matches!(started.request, Request::Settle(_))) {
            self.refresh();
        }
        for name in started.map(|started| started.touches).unwrap_or_default() {
            self.refresh_instance(&name);
        }
    }

    /// Tells of a long job that ended while somebody looks elsewhere, where that is wanted.
    fn notify(&mut self, id: JobId, result: &Result<Report, Problem>) {
        let long = |after| self.model.jobs.row(id).is_some_and(|row| row.elapsed >= after);
        if self.looked_at || !self.notify_after.is_some_and(long) {
            return;
        }
        let how = match result {
            Ok(report) if report.headline().1 => "done",
            Ok(_) => "done, look at the result",
            Err(problem) if problem.kind == ProblemKind::Canceled => "canceled",
            Err(_) => "failed",
        };
        let title = self.model.jobs.row(id).map_or_else(String::new, |row| row.title.clone());
        self.effects.push(Effect::Notify(format!("qsnap: {title}: {how}")));
    }

    pub(super) fn refresh(&mut self) {
        let names: Vec<_> = self.model.instances.iter().map(|state| state.name.clone()).collect();
        for name in names {
            self.refresh_instance(&name);
        }
        self.ask_watch();
    }

    fn refresh_instance(&mut self, name: &crate::domain::ids::InstanceName) {
        let shown = self.shown.clone().filter(|of| of.instance() == name);
        if let Some(state) = self.model.instance_mut(name) {
            state.points.retain(|of, _| shown.as_ref() == Some(of));
        }
        self.ask_view(name);
        self.ask_collections(name);
        if let Some(of) = shown {
            self.ask_points(&of);
        }
    }

    pub(super) fn ask_points(&mut self, of: &SnapshotsOf) {
        let ticket = self.model.ticket();
        if let Some(state) = self.model.instance_mut(of.instance()) {
            state.points.entry(of.clone()).or_insert(Loadable::Never).ask(ticket);
            self.effects.push(Effect::Points(ticket, of.clone()));
        }
    }

    /// After every event: selections stay on their things, and the shown collection's points are asked for
    /// once the selection rests.
    pub(super) fn settle(&mut self) {
        let mono = self.model.now.mono;
        if self.toast.as_ref().is_some_and(|toast| toast.until <= mono) {
            self.toast = None;
            self.dirty = true;
        }
        // With no job left there is nothing to ask any more.
        if matches!(self.layers.last(), Some(Layer::Quit { .. })) && self.model.jobs.active() == 0 {
            self.layers.pop();
            self.say("the last job is over", false);
        }
        if self.cancel_is_moot() {
            self.layers.pop();
            self.say("the job is over", false);
        }
        let rows = self.collection_rows();
        let height = self.pane_height(Pane::Collections);
        if let Some(list) = self.collections.get_mut(self.model.current) {
            list.settle(&rows.keys, height);
        }
        let shown = self.subject();
        if shown != self.shown {
            self.points = ListState::default();
            let first = self.shown.is_none();
            self.shown = shown.clone();
            self.rest_until = shown.is_some().then(|| if first { mono } else { mono + REST });
        }
        if self.rest_until.is_some_and(|due| due <= mono) {
            self.rest_until = None;
            let unknown =
                shown.as_ref().is_some_and(|address| self.model.points(address).is_none_or(|list| *list == Loadable::Never));
            if let (Some(address), true) = (&shown, unknown) {
                self.ask_points(address);
                self.dirty = true;
            }
        }
        let keys = point_keys(&self.visible_points());
        let height = self.pane_height(Pane::Points);
        self.points.settle(&keys, height);
        self.settle_jobs();
        self.refresh_old();
        self.read_what_is_seen();
        let ages = self.shown_ages();
        if ages != self.ages {
            self.ages = ages;
            self.dirty = true;
        }
    }

    /// The selection stays on its job. Without focus the pane shows its top, and a new job is selected.
    fn settle_jobs(&mut self) {
        let keys = self.model.jobs.keys();
        let height = self.pane_height(Pane::Jobs);
        let used = self.focus == Pane::Jobs;
        let newest = self.model.jobs.rows.iter().map(|row| row.id).max();
        if newest > self.newest_job {
            self.newest_job = newest;
            let at = keys.iter().position(|key| newest.map(JobKey::Job).as_ref() == Some(key));
            if let (Some(at), false) = (at, used) {
                self.job_list.select(&keys, at, height);
            }
        }
        self.job_list.settle(&keys, height);
        if !used {
            self.job_list.offset = 0;
        }
    }
}
