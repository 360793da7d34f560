//! The app: an event in, effects out. No I/O, nothing awaited, no clock of its own.

use crate::config::terminal::Notify;
use crate::domain::address::SnapshotsOf;
use crate::domain::ids::{CollectionName, InstanceName};
use crate::domain::instance::Instance;
use crate::jobs::row::{JobId, JobRow, JobState, Outcome};
use crate::ops::request::recovery_point::RecoveryPoint;
use crate::tui::keys::action::{Action, AppAction, Command, Motion, View};
use crate::tui::keys::binding::Context;
use crate::tui::keys::own_keys::Keys;
use crate::tui::layers::choice::Chooser;
use crate::tui::layers::layer::Layer;
use crate::tui::look::caps::Look;
use crate::tui::look::layout;
use crate::tui::messages::banner::Banner;
use crate::tui::messages::effect::Effect;
use crate::tui::messages::event::{Data, Event, Now};
use crate::tui::panes::jobs::JobKey;
use crate::tui::panes::keys::point_keys;
use crate::tui::panes::list::{CollectionKey, ListState, MarkedRow, Pane, PointKey};
use crate::tui::panes::model::Model;
use crate::tui::panes::notices::notices;
use crate::tui::panes::order::{CollectionOrder, PointOrder};
use crate::tui::panes::rows::Visible;
use crate::tui::run::settings::Settings;
use crate::tui::wizards::kind::Kind;

use ratatui::layout::Rect;
use std::time::Duration;

/// A short message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toast {
    /// What it says.
    pub text: String,
    /// Whether it needs a look.
    pub look: bool,
    pub(super) until: Duration,
}

/// The state of the user interface.
#[derive(Debug)]
pub struct App {
    /// Data.
    pub model: Model,
    /// How it looks.
    pub look: Look,
    /// The keys that hold.
    pub keys: Keys,
    /// How long a job must have run to be told of when the window is not looked at.
    pub(super) notify_after: Option<Duration>,
    /// Whether the window is looked at, as far as the terminal says so.
    pub(super) looked_at: bool,
    /// What the header says besides.
    pub banner: Banner,
    /// The focused pane.
    pub focus: Pane,
    /// Selection among collections, by instance.
    pub collections: Vec<ListState<CollectionKey>>,
    /// Selection among recovery points.
    pub points: ListState<PointKey>,
    /// Selection among jobs.
    pub job_list: ListState<JobKey>,
    /// Recovery points that are marked, to be compared.
    pub marked: Vec<RecoveryPoint>,
    /// Collections of the shown instance that are marked, to be migrated together.
    pub marked_collections: Vec<CollectionName>,
    /// Where the last mark was set: a range begins there.
    pub(super) mark_from: Option<MarkedRow>,
    /// The order of the collections.
    pub collection_order: CollectionOrder,
    /// The order of the recovery points.
    pub point_order: PointOrder,
    /// What lies over the base screen.
    pub layers: Vec<Layer>,
    /// The message.
    pub toast: Option<Toast>,
    /// Columns and rows of the window.
    pub size: (u16, u16),
    /// Counts ticks, for the spinner.
    pub ticks: u64,
    pub(super) shown: Option<SnapshotsOf>,
    pub(super) rest_until: Option<Duration>,
    pub(super) quit_when_idle: bool,
    /// Instances of which a job gets no answer.
    pub(super) troubled: Vec<InstanceName>,
    /// The ages that were shown last.
    pub(super) ages: Vec<String>,
    /// The newest job that was seen.
    pub(super) newest_job: Option<JobId>,
    /// There may be newer requests in the log than are shown.
    pub(super) requests_seen: bool,
    pub(super) dirty: bool,
    /// The rows of the collections, as they were worked out last.
    pub(super) visible: Visible,
    pub(super) effects: Vec<Effect>,
}

impl App {
    /// The app before anything is known.
    pub fn new(instances: &[Instance], settings: Settings, banner: Banner, size: (u16, u16), now: Now) -> Self {
        let Settings { look, keys, terminal } = settings;
        Self {
            model: Model::new(instances, now),
            look,
            keys,
            notify_after: (terminal.notify != Notify::Off).then_some(terminal.notify_after),
            looked_at: true,
            banner,
            focus: Pane::Collections,
            collections: instances.iter().map(|_| ListState::default()).collect(),
            points: ListState::default(),
            job_list: ListState::default(),
            marked: Vec::new(),
            marked_collections: Vec::new(),
            mark_from: None,
            collection_order: CollectionOrder::default(),
            point_order: PointOrder::default(),
            layers: Vec::new(),
            toast: None,
            size,
            ticks: 0,
            shown: None,
            rest_until: None,
            quit_when_idle: false,
            troubled: Vec::new(),
            ages: Vec::new(),
            newest_job: None,
            requests_seen: false,
            visible: Visible::default(),
            dirty: true,
            effects: Vec::new(),
        }
    }

    /// What to ask first.
    pub fn start(&mut self) -> Vec<Effect> {
        self.refresh();
        let ticket = self.model.ticket();
        self.effects.push(Effect::Interrupted(ticket));
        let ticket = self.model.ticket();
        self.effects.push(Effect::CheckState(ticket));
        std::mem::take(&mut self.effects)
    }

    /// Whether something visible changed since the last call.
    pub fn take_dirty(&mut self) -> bool {
        std::mem::take(&mut self.dirty)
    }

    /// When it wants to be woken by a tick, besides the ticks of running jobs.
    pub fn wake_at(&self) -> Option<Duration> {
        let toast = self.toast.as_ref().map(|toast| toast.until);
        [toast, self.rest_until, self.refresh_at(), self.ages_change_at()].into_iter().flatten().min()
    }

    /// Whether something moves, so that ticks are wanted.
    pub fn moves(&self) -> bool {
        self.model.jobs.active() > 0 || self.layers.iter().any(|layer| matches!(layer, Layer::Inspector(i) if i.reads()))
    }

    /// Takes an event; gives what the world should do.
    pub fn update(&mut self, event: Event, now: Now) -> Vec<Effect> {
        self.model.now = now;
        match event {
            Event::Key(key) => {
                self.dirty = true;
                if std::mem::take(&mut self.quit_when_idle) {
                    self.say("staying", false);
                }
                self.key(&key);
            }
            Event::Paste(text) => {
                self.dirty = true;
                self.paste(&text);
            }
            Event::Focus(gained) => self.looked_at = gained,
            Event::Click(at) => self.click(at),
            Event::Wheel(motion) => self.turn_wheel(motion),
            Event::Resize(columns, rows) => {
                self.size = (columns, rows);
                self.dirty = true;
            }
            Event::Jobs(rows) => {
                self.dirty |= self.model.jobs.update(rows);
                self.follow_jobs();
            }
            Event::Finished(id, result) => self.finished(id, *result),
            Event::Data(ticket, data) => {
                // What was answered stands in the log of requests.
                self.requests_seen |= !matches!(data, Data::Requests(_));
                self.data(ticket, data);
            }
            Event::Tick => {
                self.requests_seen = true;
                self.ticks = self.ticks.wrapping_add(1);
                for layer in &mut self.layers {
                    if let Layer::Inspector(inspector) = layer
                        && inspector.reads()
                    {
                        inspector.sample();
                        self.dirty = true;
                    }
                }
            }
            Event::Resumed => {
                self.dirty = true;
                if self.model.jobs.active() > 0 {
                    self.say("jobs stood still while the program was stopped; connections may have timed out", true);
                }
            }
        }
        self.settle();
        if std::mem::take(&mut self.requests_seen) && matches!(self.layers.last(), Some(Layer::Requests(_))) {
            self.ask_requests();
        }
        self.quit_if_idle();
        std::mem::take(&mut self.effects)
    }

    fn quit_if_idle(&mut self) {
        if self.quit_when_idle && self.model.jobs.active() == 0 {
            self.quit_when_idle = false;
            let bad = |row: &JobRow| {
                matches!(row.state, JobState::Finished(Outcome::Failed(_) | Outcome::Succeeded { good: false, .. }))
            };
            if self.model.jobs.rows.iter().any(bad) {
                self.say("a job did not end well: look at it before you leave", true);
            } else {
                self.effects.push(Effect::Quit);
            }
        }
    }

    /// Which keys mean what, now.
    pub fn context(&self) -> Context {
        if let Some(layer) = self.layers.last() {
            return layer.context();
        }
        let filtering = match self.focus {
            Pane::Collections => self.collections.get(self.model.current).is_some_and(|list| list.typing),
            Pane::Points => self.points.typing,
            Pane::Jobs => false,
        };
        match self.focus {
            _ if filtering => Context::Filter,
            Pane::Collections => Context::Collections,
            Pane::Points => Context::Points,
            Pane::Jobs => Context::Jobs,
        }
    }

    pub(super) fn say(&mut self, text: &str, look: bool) {
        let length = Duration::from_secs(if look { 8 } else { 4 });
        self.toast = Some(Toast { text: text.to_owned(), look, until: self.model.now.mono + length });
        self.dirty = true;
    }

    pub(super) fn act(&mut self, action: Action) {
        match action {
            Action::App(AppAction::Suspend) => self.effects.push(Effect::Suspend),
            Action::View(View::Repaint) => self.effects.push(Effect::Repaint),
            Action::App(AppAction::Interrupt) if !self.layers.is_empty() => drop(self.layers.pop()),
            Action::App(_) => self.quit(),
            Action::View(View::Help) => self.help(),
            action if self.layers.is_empty() => self.act_on_base(action),
            action => self.act_on_layer(action),
        }
    }

    /// The keys of what is on top; in the help itself the key closes it.
    fn help(&mut self) {
        if matches!(self.layers.last(), Some(Layer::Help { .. })) {
            self.layers.pop();
            return;
        }
        let of = self.context();
        self.layers.push(Layer::Help { of, scroll: 0, search: String::new() });
    }

    fn quit(&mut self) {
        if self.model.jobs.active() == 0 {
            self.effects.push(Effect::Quit);
        } else {
            self.layers.push(Layer::Quit { choice: 0 });
        }
    }

    fn act_on_base(&mut self, action: Action) {
        match action {
            Action::Move(motion) => self.go(motion),
            Action::Do(verb) => self.operate(verb),
            Action::View(View::Next) => self.focus = self.focus.next(),
            Action::View(View::Previous) => self.focus = self.focus.previous(),
            Action::View(View::Pane(number)) => {
                self.focus = [Pane::Collections, Pane::Points, Pane::Jobs][usize::from(number.clamp(1, 3)) - 1];
            }
            Action::View(View::Left) => self.turn_instance(false),
            Action::View(View::Right) => self.turn_instance(true),
            Action::View(View::Enter) => self.enter(),
            Action::View(View::Back) => self.back(),
            Action::View(View::Filter) => self.set_typing(true),
            Action::View(View::Refresh) => {
                self.refresh();
                self.say("asking all servers again", false);
            }
            Action::View(View::Copy) => self.copy_address(),
            Action::View(View::Palette) => self.open_palette(),
            Action::View(View::Order) => self.reorder(),
            Action::View(View::Help | View::Repaint | View::All) | Action::App(_) => {}
        }
    }

    pub(super) fn go(&mut self, motion: Motion) {
        let height = self.pane_height(self.focus);
        match self.focus {
            Pane::Collections => {
                let rows = self.collection_rows();
                if let Some(list) = self.collections.get_mut(self.model.current) {
                    list.go(motion, &rows.keys, height);
                }
            }
            Pane::Points => {
                let keys = point_keys(&self.visible_points());
                self.points.go(motion, &keys, height);
            }
            Pane::Jobs => {
                let keys = self.model.jobs.keys();
                self.job_list.go(motion, &keys, height);
            }
        }
    }

    /// Where things are in a window of this size.
    pub fn areas(&self, window: Rect) -> layout::Areas {
        layout::areas(
            window,
            notices(self.banner, &self.model.surroundings, window.width).len() as u16,
            self.model.jobs.keys().len(),
        )
    }

    /// Rows that a pane can show.
    pub fn pane_height(&self, pane: Pane) -> usize {
        let areas = self.areas(Rect::new(0, 0, self.size.0, self.size.1));
        let area = match pane {
            Pane::Collections => areas.collections,
            Pane::Points => areas.points,
            Pane::Jobs => areas.jobs,
        };
        let frame_and_heading = if pane == Pane::Jobs { 2 } else { 3 };
        usize::from(area.height.saturating_sub(frame_and_heading))
    }

    fn turn_instance(&mut self, forward: bool) {
        let count = self.model.instances.len();
        if count > 1 {
            self.show_instance(if forward { (self.model.current + 1) % count } else { (self.model.current + count - 1) % count });
        }
    }

    /// Shows another instance, by its place in the list.
    pub(super) fn show_instance(&mut self, at: usize) {
        if at != self.model.current {
            self.model.current = at;
            self.points = ListState::default();
            // Marks are of one instance: those of another one would be migrated unseen.
            self.marked_collections.clear();
            // Of what was not shown only the names are known.
            let state = self.model.instance();
            let unread = state.and_then(|state| state.collections.value()).is_some_and(|all| all.has_unread());
            if let (Some(name), true) = (state.map(|state| state.name.clone()), unread) {
                self.ask_collections(&name);
            }
        }
    }

    fn enter(&mut self) {
        match (self.context(), self.focus) {
            (Context::Filter, _) => self.set_typing(false),
            (_, Pane::Collections) => self.focus = Pane::Points,
            (_, Pane::Points) => self.operate(Command::Details),
            (_, Pane::Jobs) if self.undecided().is_some() => {
                let chooser = self.undecided().map(Chooser::open);
                self.layers.extend(chooser.map(|chooser| Layer::Choose(Box::new(chooser))));
            }
            (_, Pane::Jobs) => self.enter_job(),
        }
    }

    fn enter_job(&mut self) {
        let left = self.job().and_then(|id| self.model.jobs.resumes(id)).or_else(|| self.interrupted());
        let request = left.map(|left| left.request.clone());
        match (self.job_key(), request) {
            (_, Some(request)) => self.open_wizard(Kind::resume(request)),
            (Some(JobKey::Job(id)), _) => self.layers.push(Layer::Job { id, scroll: 0 }),
            (Some(JobKey::Folded), _) => self.model.jobs.unfolded = !self.model.jobs.unfolded,
            _ => self.say("there is no job yet", false),
        }
    }

    fn back(&mut self) {
        let had_filter = self.filter_mut().is_some_and(|filter| !std::mem::take(filter).is_empty());
        let was_typing = self.context() == Context::Filter;
        self.set_typing(false);
        let had_marks = match self.focus {
            Pane::Points => !std::mem::take(&mut self.marked).is_empty(),
            Pane::Collections => !std::mem::take(&mut self.marked_collections).is_empty(),
            Pane::Jobs => false,
        };
        if !had_filter && !was_typing && !had_marks {
            self.focus = Pane::Collections;
        }
    }

    fn copy_address(&mut self) {
        let text = match (self.focus, self.point(), self.subject()) {
            (Pane::Points, Some(point), _) => Some(point.point().to_string()),
            (_, _, Some(of)) => Some(of.to_string()),
            _ => None,
        };
        match text {
            Some(text) => self.effects.push(Effect::Copy(text)),
            None => self.say("nothing is selected", false),
        }
    }
}
