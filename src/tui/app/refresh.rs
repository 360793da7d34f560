//! What is asked by itself: visible lists when they are old, and instances whose jobs get no answer or get one again.
//!
//! Nothing is asked while a page lies over the lists, and what an answer does not change is not drawn again.

use crate::domain::ids::InstanceName;
use crate::domain::time;
use crate::jobs::row::JobRow;
use crate::tui::app::state::App;
use crate::tui::messages::effect::Effect;
use crate::tui::panes::list::Pane;
use crate::tui::panes::model::{InstanceState, Loadable};
use std::time::Duration;

/// An instance whose jobs get no answer is asked this often.
const PROBE: Duration = Duration::from_secs(5);

/// What was answered just now is not asked again.
const SETTLED: Duration = Duration::from_secs(2);

/// Lists that were asked about the same time are asked again together.
const TOGETHER: Duration = Duration::from_secs(5);

/// The ages of backups are looked up this often: a large bucket is slow to list, and they change by the hour.
const WATCHED: Duration = Duration::from_secs(300);

/// Collections that are read at once; of more those only that are seen.
const READ_AT_ONCE: usize = 200;

/// How notes of jobs begin that wait for a server to answer again.
const TROUBLE: [&str; 3] = ["retry", "the connection was lost", "the server does not answer"];

impl App {
    /// How long a visible list is shown before it is asked for again.
    fn interval(&self) -> Duration {
        Duration::from_secs(if self.look.ssh { 120 } else { 30 })
    }

    /// When the oldest visible list is due; `None` while something lies over them.
    pub(super) fn refresh_at(&self) -> Option<Duration> {
        if !self.layers.is_empty() {
            return None;
        }
        let current = self.model.instance()?;
        let views = self.model.instances.iter().map(|state| state.view.answered());
        let points = self.shown.as_ref().and_then(|address| self.model.points(address)).and_then(Loadable::answered);
        let all = views.chain([current.collections.answered(), points]);
        let watch = self.model.watch.answered().map(|at| at + WATCHED);
        let lists = all.flatten().min().map(|oldest| oldest + self.interval());
        [watch, lists].into_iter().flatten().min()
    }

    /// Asks for what is due.
    pub(super) fn refresh_old(&mut self) {
        let now = self.model.now.mono;
        if self.refresh_at().is_none_or(|due| due > now) {
            return;
        }
        let due = |answered: Option<Duration>| answered.is_some_and(|at| at + self.interval() <= now + TOGETHER);
        let views: Vec<InstanceName> =
            self.model.instances.iter().filter(|state| due(state.view.answered())).map(|state| state.name.clone()).collect();
        let collections = self.model.instance().filter(|state| due(state.collections.answered())).map(|state| state.name.clone());
        let points = self.shown.clone();
        let points = points.filter(|address| self.model.points(address).is_some_and(|list| due(list.answered())));
        if self.model.watch.answered().is_some_and(|at| at + WATCHED <= now + TOGETHER) {
            self.ask_watch();
        }
        views.iter().for_each(|name| self.ask_view(name));
        if let Some(name) = collections {
            self.ask_collections(&name);
        }
        if let Some(of) = points {
            self.ask_points(&of);
        }
    }

    pub(super) fn ask_view(&mut self, name: &InstanceName) {
        let ticket = self.model.ticket();
        if let Some(state) = self.model.instance_mut(name) {
            state.view.ask(ticket);
            self.effects.push(Effect::Instance(ticket, name.clone()));
        }
    }

    pub(super) fn ask_watch(&mut self) {
        let ticket = self.model.ticket();
        self.model.watch.ask(ticket);
        self.effects.push(Effect::Watch(ticket));
    }

    /// Of the instance that is shown each collection is read, unless there are many; of the others their names.
    pub(super) fn ask_collections(&mut self, name: &InstanceName) {
        let shown = self.model.instance().is_some_and(|state| state.name == *name);
        self.ask_collections_up_to(name, if shown { READ_AT_ONCE } else { 0 });
    }

    /// Each collection of all instances, where there are not many: for pages that show them together.
    pub(super) fn read_all_instances(&mut self) {
        let unread = |state: &&InstanceState| {
            state.collections.value().is_some_and(|all| all.items.len() <= READ_AT_ONCE && all.has_unread())
        };
        let names: Vec<InstanceName> = self.model.instances.iter().filter(unread).map(|state| state.name.clone()).collect();
        names.iter().for_each(|name| self.ask_collections_up_to(name, READ_AT_ONCE));
    }

    fn ask_collections_up_to(&mut self, name: &InstanceName, most: usize) {
        let ticket = self.model.ticket();
        if let Some(state) = self.model.instance_mut(name) {
            state.collections.ask(ticket);
            state.reading = false;
            self.effects.push(Effect::Collections(ticket, name.clone(), most));
        }
    }

    /// A job that gets no answer says something about its instances: they are asked at once, now and then while it lasts, and
    /// once more when it went on.
    pub(super) fn follow_jobs(&mut self) {
        let now = self.model.now.mono;
        let troubled = |row: &&JobRow| !row.is_finished() && TROUBLE.iter().any(|start| row.sample.note.starts_with(start));
        let concerned: Vec<Vec<InstanceName>> =
            self.model.jobs.rows.iter().filter(troubled).map(|row| self.model.jobs.moves(row.id)).collect();
        let mut asked = Vec::new();
        for state in &mut self.model.instances {
            let in_trouble = concerned.iter().any(|names| names.contains(&state.name));
            let was = self.troubled.contains(&state.name);
            // While an answer is awaited, or just came, the next one would say the same.
            let since = |wait| state.view.answered().is_some_and(|at| at + wait <= now);
            let begins = in_trouble && !was && since(SETTLED);
            if begins || (in_trouble && since(PROBE)) || (was && !in_trouble) {
                asked.push(state.name.clone());
            }
            // With two instances it is not known yet which one.
            let retrying = concerned.iter().any(|names| *names == [state.name.clone()]);
            self.dirty |= std::mem::replace(&mut state.retrying, retrying) != retrying;
        }
        self.troubled = concerned.into_iter().flatten().collect();
        asked.iter().for_each(|name| self.ask_view(name));
    }

    /// How old a list is, when that is worth a word: older than a minute, and older than it gets by itself.
    pub fn age_words<T>(&self, list: &Loadable<T>) -> Option<String> {
        let age = list.age(self.model.now.mono)?;
        let limit = self.old();
        (age >= limit).then(|| format!("{} m old", age.as_secs() / 60))
    }

    fn old(&self) -> Duration {
        Duration::from_secs(60).max(self.interval() + TOGETHER)
    }

    /// The ages that are shown, as far as they are seen: when they change, the screen does.
    pub(super) fn shown_ages(&self) -> Vec<String> {
        let now = self.model.now.wall;
        let mut ages = Vec::new();
        if let Some(state) = self.model.instance() {
            ages.extend(self.age_words(&state.collections));
        }
        if let Some(list) = self.shown.as_ref().and_then(|address| self.model.points(address)) {
            ages.extend(self.age_words(list));
        }
        let offset = self.collections.get(self.model.current).map_or(0, |list| list.offset);
        let visible = self.visible_collections();
        let rows = visible.iter().skip(offset).take(self.pane_height(Pane::Collections));
        ages.extend(rows.filter_map(|view| view.newest).map(|newest| time::age(now, newest)));
        ages
    }

    /// When a list's age has another word, if none is asked for before.
    pub(super) fn ages_change_at(&self) -> Option<Duration> {
        let now = self.model.now.mono;
        let next = |age: Duration| {
            let later = if age < self.old() { self.old() } else { Duration::from_secs((age.as_secs() / 60 + 1) * 60) };
            now + later.saturating_sub(age)
        };
        let collections = self.model.instance().and_then(|state| state.collections.age(now));
        let points = self.shown.as_ref().and_then(|address| self.model.points(address)).and_then(|list| list.age(now));
        [collections, points].into_iter().flatten().map(next).min()
    }
}
