//! From a key on what is selected to a wizard, an inspector, or an effect.

use crate::domain::address::{CollectionAddress, Which};
use crate::domain::ids::CollectionName;
use crate::domain::size;
use crate::ops::request::Request;
use crate::ops::request::backups::{Annotation, Of, PruneIn, PruneRequest};
use crate::ops::request::inspect::Depth;
use crate::ops::request::recovery_point::RecoveryPoint;
use crate::ops::request::restore::Set;
use crate::ops::survey::listing::RecoveryPointView;
use crate::tui::app::rates;
use crate::tui::app::state::App;
use crate::tui::keys::action::Command;
use crate::tui::layers::choice::{Chooser, Then};
use crate::tui::layers::fleet::Fleet;
use crate::tui::layers::guide::Turn;
use crate::tui::layers::inspector::Inspector;
use crate::tui::layers::layer::{Layer, Subject};
use crate::tui::layers::requests::RequestList;
use crate::tui::messages::effect::Effect;
use crate::tui::panes::jobs::JobKey;
use crate::tui::panes::list::Pane;
use crate::tui::panes::model::Loadable;
use crate::tui::wizards::kind::Kind;
use crate::tui::wizards::wizard::Wizard;

impl App {
    pub(super) fn operate(&mut self, verb: Command) {
        if let Some(why) = self.disabled(verb) {
            self.say(&why, true);
            return;
        }
        match verb {
            Command::Cancel => self.cancel(),
            Command::DismissAll => self.dismiss_all(),
            Command::Dismiss if self.layers.is_empty() && self.job_key() == Some(JobKey::Folded) => self.dismiss_all(),
            Command::Dismiss => {
                match self.interrupted().filter(|_| self.layers.is_empty()).map(|left| left.request.target.clone()) {
                    Some(file) => self.open_wizard(Kind::discard(file)),
                    None => self.effects.extend(self.current_job().map(Effect::Dismiss)),
                }
            }
            Command::Slower | Command::Faster => self.change_rate(verb == Command::Faster),
            Command::Details => self.details(),
            Command::Inspect => self.inspect(),
            Command::Mark => self.mark(),
            Command::MarkRange => self.mark_range(),
            Command::MarkInvert => self.mark_invert(),
            Command::Fleet => self.layers.push(Layer::Fleet(Fleet::default())),
            Command::Guide => {
                self.read_all_instances();
                self.layers.push(Layer::Guide(Box::default()));
            }
            Command::History => self.history(),
            Command::Requests => {
                self.layers.push(Layer::Requests(RequestList::default()));
                self.ask_requests();
            }
            Command::Next => self.next(),
            Command::Report => self.write_report(),
            Command::Tree => self.read_on(Depth::Headers),
            Command::Through => self.read_on(Depth::Bytes),
            _ => {
                if let Some(kind) = self.kind_for(verb) {
                    self.open_wizard(kind);
                }
            }
        }
    }

    /// The newest recovery point that passes the filter, in whatever order they are shown. What was replaced by an overwrite is
    /// newest right after it, and not what is meant.
    fn newest_point(&self) -> Option<&RecoveryPointView> {
        let points = self.listed_points();
        points.iter().find(|point| point.is_wanted()).or(points.first()).copied()
    }

    fn selected_point(&self) -> Option<RecoveryPoint> {
        // On the collections the newest recovery point is meant.
        let point = if self.focus == Pane::Points { self.point() } else { self.newest_point() };
        point.map(RecoveryPointView::point)
    }

    fn details(&mut self) {
        let point = self.point().filter(|_| self.focus == Pane::Points);
        let of = match (point, self.collection()) {
            (Some(point), _) => Subject::Point(point.of.clone(), (point.node, point.snapshot.name.clone())),
            (None, Some(view)) => Subject::Collection(view.address.clone()),
            (None, None) => return,
        };
        if let Subject::Collection(address) = &of {
            self.ask_shards(address.clone());
        }
        self.layers.push(Layer::Details { of, scroll: 0 });
    }

    /// Where its shards are is asked when its page is opened: for a whole list it would be a request to every node for each.
    fn ask_shards(&mut self, address: CollectionAddress) {
        let ticket = self.model.ticket();
        if let Some(state) = self.model.instance_mut(&address.instance) {
            let mut map = Loadable::Never;
            map.ask(ticket);
            state.shards = Some((address.clone(), map));
            self.effects.push(Effect::Shards(ticket, address));
        }
    }

    fn inspect(&mut self) {
        let points = match (self.marked.len(), self.selected_point()) {
            (2, _) => self.marked.clone(),
            (_, Some(point)) => vec![point],
            (_, None) => return self.say("its recovery points are not listed yet", true),
        };
        let inspector = Inspector::new(points);
        let depth = inspector.first_depth();
        self.layers.push(Layer::Inspector(Box::new(inspector)));
        self.read_on(depth);
    }

    fn read_on(&mut self, depth: Depth) {
        let (now, model) = (self.model.now.mono, &mut self.model);
        if let Some(Layer::Inspector(inspector)) = self.layers.last_mut() {
            let effects = inspector.read(depth, now, || model.ticket());
            if effects.is_empty() {
                self.say("that is read already", false);
            }
            self.effects.extend(effects);
        }
    }

    pub(super) fn open_wizard(&mut self, kind: Kind) {
        let mut wizard = Wizard::new(kind, &self.model);
        if wizard.form.offered().is_some() {
            let ticket = self.model.ticket();
            wizard.offers.asked(ticket);
            self.effects.push(Effect::Remembered(ticket));
        }
        let ticket = self.model.ticket();
        let step = wizard.begin(ticket, &self.model);
        self.layers.push(Layer::Wizard(Box::new(wizard)));
        self.follow(step);
    }

    fn dismiss_all(&mut self) {
        let over = self.model.jobs.rows.iter().filter(|row| row.is_finished()).map(|row| row.id);
        self.effects.extend(over.map(Effect::Dismiss));
        self.model.jobs.unfolded = false;
    }

    /// One step of the rate limit, for every instance that the selected job moves bytes from or to.
    fn change_rate(&mut self, faster: bool) {
        let Some(id) = self.current_job() else { return };
        let running = self.model.jobs.reading(id).rate;
        for name in self.model.jobs.moves(id) {
            let Some(state) = self.model.instance_mut(&name) else { continue };
            let limit = rates::next(state.limit_rate, running, faster);
            state.limit_rate = limit;
            let words = limit.map_or_else(|| "no limit".to_owned(), |rate| format!("at most {}", size::rate(rate as f64)));
            self.say(&format!("{name}: {words}"), false);
            self.effects.push(Effect::LimitRate(name, limit));
        }
    }

    fn kind_for(&self, verb: Command) -> Option<Kind> {
        let collection = self.collection().map(|view| view.address.clone());
        // On the collections the newest recovery point is meant; in a list that is not loaded yet it has no name.
        let point = if self.focus == Pane::Points { self.point() } else { self.newest_point() };
        let named = point.map(RecoveryPointView::point);
        let stored = point.and_then(|point| point.stored.clone());
        match verb {
            Command::Backup if !self.marked_collections.is_empty() => Some(Kind::Backup(self.marked_addresses())),
            Command::Backup => collection.map(|address| Kind::Backup(vec![address])),
            Command::Verify => stored.map(|stored| Kind::verify(stored.address)),
            Command::Note => {
                stored.map(|stored| Kind::Annotate(stored.address, Annotation::Note(stored.note.unwrap_or_default())))
            }
            Command::Hold => stored.map(|stored| match stored.hold {
                Some(_) => Kind::Annotate(stored.address, Annotation::Release),
                None => Kind::Annotate(stored.address, Annotation::Hold(String::new())),
            }),
            Command::Prune => {
                let each =
                    if self.marked_collections.is_empty() { collection.into_iter().collect() } else { self.marked_addresses() };
                let request = PruneRequest { place: PruneIn::Repository(None), of: Of::Collections(each) };
                Some(Kind::ready(Request::Prune(request)))
            }
            Command::Snapshot => self.subject().map(Kind::snapshot),
            Command::Migrate if !self.marked_collections.is_empty() => {
                let from = self.model.instance()?.name.clone();
                Some(Kind::Fleet(from, self.marked_collections.clone()))
            }
            Command::Migrate => collection.map(Kind::Migrate),
            Command::Compare => match (&self.marked_collections[..], &self.model.instance()?.name) {
                ([first, second], on) => {
                    let on = |name: &CollectionName| CollectionAddress::new(on.clone(), name.clone());
                    Some(Kind::Compare(on(first), Some(on(second))))
                }
                _ => collection.map(|address| Kind::Compare(address, None)),
            },
            Command::Upload => Some(Kind::Upload(None)),
            Command::Download => named.map(Kind::Download),
            Command::Delete if !self.marked.is_empty() => Kind::delete(&self.marked),
            Command::Delete => named.and_then(|point| Kind::delete(&[point])),
            Command::Restore if self.whole() => named.map(|point| Kind::RestoreAll(Set::Storage(point))),
            Command::Restore => {
                named.or_else(|| collection.map(|address| RecoveryPoint::Snapshot(address, Which::Latest))).map(Kind::Restore)
            }
            _ => None,
        }
    }

    /// What was sent to servers so far.
    pub(super) fn ask_requests(&mut self) {
        let ticket = self.model.ticket();
        self.effects.push(Effect::Requests(ticket));
    }

    fn history(&mut self) {
        let ticket = self.model.ticket();
        self.effects.push(Effect::History(ticket));
        let mut reading = Chooser::history(&[]);
        reading.intro = vec!["reading the journal …".into()];
        reading.awaits = Some(ticket);
        self.layers.push(Layer::Choose(Box::new(reading)));
    }

    /// The choices after the job that is shown.
    fn next(&mut self) {
        let report = self.current_job().and_then(|id| self.model.jobs.results.get(&id)?.as_ref().ok());
        if let Some(chooser) = report.and_then(Chooser::after) {
            self.layers.push(Layer::Choose(Box::new(chooser)));
        }
    }

    fn write_report(&mut self) {
        let row = self.current_job().and_then(|id| self.model.jobs.row(id));
        // Rows are forgotten before results are.
        let reported = || {
            let report = self.current_job().and_then(|id| self.model.jobs.results.get(&id)?.as_ref().ok())?;
            (!report.id.is_empty()).then(|| report.id.clone())
        };
        let id = match self.layers.last() {
            Some(Layer::Text { of: Some(id), .. }) => Some(id.clone()),
            _ => row.and_then(|row| row.record.clone()).or_else(reported),
        };
        match id {
            Some(id) => {
                let ticket = self.model.ticket();
                self.effects.push(Effect::WriteReport(ticket, id));
            }
            None => self.say("the journal has no record of it: there is no report", true),
        }
    }

    /// What was chosen in a list.
    pub(super) fn chosen(&mut self, then: Then) {
        match then {
            Then::Close => drop(self.layers.pop()),
            Then::Report(title, lines, id) => self.layers.push(Layer::Text { title, lines, scroll: 0, of: Some(id) }),
            Then::Plan(kind) => self.open_wizard(*kind),
        }
    }

    /// A turn of the recovery guide.
    pub(super) fn turn(&mut self, turn: Turn) {
        match turn {
            Turn::Stay => {}
            Turn::Close => drop(self.layers.pop()),
            Turn::Plan(kind) => self.open_wizard(*kind),
            Turn::Choose(chooser) => self.layers.push(Layer::Choose(chooser)),
            Turn::Ask(address) => self.ask_points(&address.into()),
        }
    }
}
