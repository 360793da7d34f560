//! The recovery guide: from "what happened?" to a plan, one decision a page, in words that need no manual. It changes
//! nothing itself: its last page opens the plan, which wants its own consent.
//!
//! ```text
//! what happened? ──> which collection? ──> which recovery point? ──> where to? ──> plan, consent, verdict
//!        └── deleted: which instance and name ──> look on the node's disk ──> bring back
//! ```

use crate::domain::address::{CollectionAddress, Which};
use crate::domain::ids::InstanceName;
use crate::domain::instance::Protection;
use crate::domain::{size, time};
use crate::ops::request::Request;
use crate::ops::request::recovery_point::RecoveryPoint;
use crate::ops::request::restore::{Mode, RestoreRequest};
use crate::ops::request::route::Route;
use crate::ops::survey::listing::{CollectionView, ProofState, RecoveryPointView};
use crate::tui::keys::action::{Action, View};
use crate::tui::keys::motion::moved;
use crate::tui::layers::choice::{Choice, Chooser, Then};
use crate::tui::panes::model::{Loadable, Model};
use crate::tui::wizards::kind::Kind;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happened {
    /// Points were deleted or changed, or the data is damaged.
    Damaged,
    /// A deploy went wrong.
    Deploy,
    /// Nothing: it is a rehearsal.
    Rehearsal,
}

/// A page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// What happened?
    Happened,
    /// Which collection?
    Collection,
    /// Which recovery point?
    Point,
    /// Where to?
    Where,
}

/// What comes of a choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// Another page, or the same.
    Stay,
    /// Its recovery points are wanted.
    Ask(CollectionAddress),
    /// A plan is made.
    Plan(Box<Kind>),
    /// Another list.
    Choose(Box<Chooser>),
    /// The guide ends.
    Close,
}

/// What a line of a page means.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    Happened(Happened),
    Collection(CollectionAddress),
    Point(RecoveryPoint),
    Go(Box<Kind>),
    Open(Box<Chooser>),
}

/// A line of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// In a few words.
    pub label: String,
    /// What it means.
    pub detail: String,
    answer: Answer,
}

/// The guide.
#[derive(Debug)]
pub struct Guide {
    /// Each page with its marked line, which is known by what it means: lists change while they are read.
    pages: Vec<(Page, Option<Answer>)>,
    happened: Happened,
    collection: Option<CollectionAddress>,
    point: Option<RecoveryPoint>,
}

impl Default for Guide {
    fn default() -> Self {
        Self { pages: vec![(Page::Happened, None)], happened: Happened::Rehearsal, collection: None, point: None }
    }
}

impl Guide {
    /// The page that is shown.
    pub fn page(&self) -> Page {
        self.pages.last().map_or(Page::Happened, |(page, _)| *page)
    }

    /// The marked line.
    pub fn selected(&self, lines: &[Line]) -> usize {
        let marked = self.pages.last().and_then(|(_, marked)| marked.as_ref());
        marked.and_then(|marked| lines.iter().position(|line| line.answer == *marked)).unwrap_or(0)
    }

    /// The title, with how far one is.
    pub fn title(&self) -> String {
        let step = self.pages.len();
        format!("Recovery guide · step {step} of 5")
    }

    /// What stands above the lines.
    pub fn intro(&self, model: &Model) -> Vec<String> {
        match self.page() {
            Page::Happened => vec![
                "What happened?".into(),
                "Nothing is changed before you have seen a plan and agreed to it. Esc goes back.".into(),
            ],
            Page::Collection => vec!["Which collection is it about?".into()],
            Page::Point => {
                let mut lines = vec![format!("To which moment should {} go back?", self.shown())];
                let now = self.points_now(model).map(|points| format!("It has {} points now. ", size::exact(points)));
                lines.push(format!("{}What was written after that moment is not in it.", now.unwrap_or_default()));
                if let Some(problem) = self.listing(model).and_then(Loadable::problem) {
                    lines.push(format!("They could not be listed: {problem}"));
                } else if self.listing(model).and_then(Loadable::value).is_none() {
                    lines.push("asking the server …".into());
                } else if self.points(model).is_empty() {
                    lines.push("There is no recovery point on its node. A file that was downloaded before can be used.".into());
                }
                lines
            }
            Page::Where => {
                vec![
                    format!("Restore {} as of {}.", self.shown(), self.moment(model)),
                    "Where should the data go?".into(),
                    "Over it: the data is restored to a scratch name first. Nothing live is touched before.".into(),
                ]
            }
        }
    }

    /// The chosen moment, or the name of the snapshot where that tells none.
    fn moment(&self, model: &Model) -> String {
        let Some(chosen) = &self.point else { return String::new() };
        let taken = self.points(model).iter().find(|point| point.point() == *chosen).and_then(|point| point.snapshot.taken_at);
        taken.map_or_else(|| chosen.to_string(), |at| format!("{} UTC", time::second(at)))
    }

    fn shown(&self) -> String {
        self.collection.as_ref().map(ToString::to_string).unwrap_or_default()
    }

    fn listing<'m>(&self, model: &'m Model) -> Option<&'m Loadable<crate::ops::survey::listing::Listing<RecoveryPointView>>> {
        model.points(&self.collection.clone()?.into())
    }

    fn points<'m>(&self, model: &'m Model) -> &'m [RecoveryPointView] {
        self.listing(model).and_then(Loadable::value).map_or(&[], |listing| &listing.items)
    }

    /// The lines of the page.
    pub fn lines(&self, model: &Model) -> Vec<Line> {
        match self.page() {
            Page::Happened => happened_lines(model),
            Page::Collection => self.collection_lines(model),
            Page::Point => self.point_lines(model),
            Page::Where => self.where_lines(model),
        }
    }

    fn collection_lines(&self, model: &Model) -> Vec<Line> {
        let all = model.instances.iter().flat_map(|state| state.collections.value().map_or(&[][..], |listing| &listing.items));
        let line = |view: &CollectionView| {
            let unknown = if view.read { "cannot be read" } else { "not asked yet" };
            let points = view.points.map_or_else(|| unknown.to_owned(), |points| format!("{} points", size::exact(points)));
            let newest = match (view.newest, view.recovery_points) {
                (Some(at), _) => format!("newest recovery point {}", time::ago(model.now.wall, at)),
                (None, Some(0)) if view.safety_snapshots > 0 => "only safety snapshots on its node".to_owned(),
                (None, Some(0)) => "no recovery point on its node".to_owned(),
                _ => "recovery points unknown".to_owned(),
            };
            let answer = Answer::Collection(view.address.clone());
            Line { label: view.address.to_string(), detail: format!("{points}, {newest}"), answer }
        };
        all.map(line).collect()
    }

    fn points_now(&self, model: &Model) -> Option<u64> {
        let address = self.collection.as_ref()?;
        let state = model.instances.iter().find(|state| state.name == address.instance)?;
        state.collections.value()?.items.iter().find(|view| view.address == *address)?.points
    }

    fn point_lines(&self, model: &Model) -> Vec<Line> {
        let line = |point: &RecoveryPointView| {
            let taken = point.snapshot.taken_at;
            let when = taken.map_or_else(|| point.snapshot.name.to_string(), |at| format!("{} UTC", time::second(at)));
            let ago = taken.map(|at| format!("{}, ", time::ago(model.now.wall, at))).unwrap_or_default();
            let proof = match point.proof {
                _ if point.safety => "safety snapshot: what was there before an overwrite",
                ProofState::Proven(_) if point.stored.is_some() => "it was found good",
                ProofState::Proven(_) => "a restore of it was proven",
                ProofState::Recorded => "it can be proven",
                ProofState::None => "nothing was recorded to prove it with",
            };
            Line {
                label: when,
                detail: format!("{ago}{}, {}{proof}", size::bytes(point.snapshot.size), kept_in(point)),
                answer: Answer::Point(point.point()),
            }
        };
        let mut lines: Vec<Line> = self.points(model).iter().map(line).collect();
        lines.push(from_a_file(self.collection.clone()));
        lines
    }

    fn where_lines(&self, model: &Model) -> Vec<Line> {
        let (Some(collection), Some(point)) = (&self.collection, &self.point) else { return Vec::new() };
        let source = point.clone();
        let go = |target: CollectionAddress, mode: Mode| {
            let request = RestoreRequest::new(source.clone(), target, mode, Route::Auto);
            Answer::Go(Box::new(Kind::ready(Request::Restore(request))))
        };
        let mut lines = vec![Line {
            label: format!("beside it, under a new name on {}", collection.instance),
            detail: "nothing that is live is touched; then choose: switch an alias to it, keep both, or delete it".into(),
            answer: go(collection.clone(), Mode::SideBySide),
        }];
        if self.happened != Happened::Rehearsal {
            lines.push(Line {
                label: format!("over it: {collection}"),
                detail: "a safety snapshot is taken, the snapshot is proven on a scratch name, and a failure is rolled back"
                    .into(),
                answer: go(collection.clone(), Mode::InPlace),
            });
        }
        let others = model.instances.iter().filter(|state| state.name != collection.instance);
        lines.extend(others.filter(|state| state.protection != Protection::ReadOnly).map(|state| Line {
            label: format!("on another instance: {}", state.name),
            detail: "under its own name where that is free, else beside what has it".into(),
            answer: go(CollectionAddress::new(state.name.clone(), collection.collection.clone()), Mode::Auto),
        }));
        lines
    }

    /// An intention.
    pub fn act(&mut self, action: Action, model: &Model) -> Turn {
        let lines = self.lines(model);
        match action {
            Action::Move(motion) => {
                let at = moved(self.selected(&lines), motion, lines.len());
                if let Some((_, marked)) = self.pages.last_mut() {
                    *marked = lines.into_iter().nth(at).map(|line| line.answer);
                }
                Turn::Stay
            }
            Action::View(View::Back) => {
                self.pages.pop();
                if self.pages.is_empty() { Turn::Close } else { Turn::Stay }
            }
            Action::View(View::Enter) => match lines.get(self.selected(&lines)).cloned() {
                Some(line) => self.answer(line.answer, model),
                None => Turn::Stay,
            },
            _ => Turn::Stay,
        }
    }

    fn answer(&mut self, answer: Answer, model: &Model) -> Turn {
        match answer {
            Answer::Happened(happened) => {
                self.happened = happened;
                self.pages.push((Page::Collection, None));
                Turn::Stay
            }
            Answer::Collection(address) => {
                self.collection = Some(address.clone());
                // A newer one may be listed while this page is read: the mark stays on its moment.
                let first = self.points(model).first().map(|point| Answer::Point(point.point()));
                self.pages.push((Page::Point, first));
                Turn::Ask(address)
            }
            Answer::Point(point) => {
                self.point = Some(point);
                self.pages.push((Page::Where, None));
                Turn::Stay
            }
            Answer::Go(kind) => Turn::Plan(kind),
            Answer::Open(chooser) => Turn::Choose(chooser),
        }
    }
}

/// Where a backup is, and what it is worth; a snapshot is on its node.
fn kept_in(point: &RecoveryPointView) -> String {
    let Some(stored) = &point.stored else { return String::new() };
    let worth = if stored.good { String::new() } else { format!(", {}", stored.state) };
    format!("in {}{worth}, ", stored.address.repository)
}

fn from_a_file(collection: Option<CollectionAddress>) -> Line {
    Line {
        label: "from a file that was downloaded before".into(),
        detail: "give its path, and the collection it should become".into(),
        answer: Answer::Go(Box::new(Kind::Upload(collection))),
    }
}

fn happened_lines(model: &Model) -> Vec<Line> {
    let line = |label: &str, detail: &str, answer| Line { label: label.to_owned(), detail: detail.to_owned(), answer };
    let mut lines: Vec<Line> = model
        .jobs
        .open
        .iter()
        .map(|past| {
            let label = format!("a {} of {} did not end well: decide about it first", past.operation, past.target);
            Line { label, detail: past.outcome(), answer: Answer::Open(Box::new(Chooser::open(past))) }
        })
        .collect();
    lines.extend([
        line(
            "points were deleted or changed by mistake, or data is damaged",
            "the collection is there, but wrong or unreadable",
            Answer::Happened(Happened::Damaged),
        ),
        line(
            "a whole collection was deleted",
            "its snapshots may still be on the server's disk, but are not listed any more",
            Answer::Go(Box::new(Kind::Revive(first_instance(model)))),
        ),
        line(
            "a node or a whole instance was lost",
            "restore into a fresh one: from snapshots of another instance, or from a file",
            Answer::Open(Box::new(lost(model))),
        ),
        line("a deploy or a migration went wrong", "go back to the moment before it", Answer::Happened(Happened::Deploy)),
        line(
            "nothing: I want to rehearse",
            "a restore beside the live data, which is not touched",
            Answer::Happened(Happened::Rehearsal),
        ),
    ]);
    lines
}

fn first_instance(model: &Model) -> Option<InstanceName> {
    model.instance().map(|state| state.name.clone())
}

/// Where the recovery points can be when the instance that made them is gone.
fn lost(model: &Model) -> Chooser {
    let mut choices = vec![Choice::new(
        "from a file that was downloaded before",
        "give its path, and the collection it should become on the fresh instance",
        Then::Plan(Box::new(Kind::Upload(None))),
    )];
    for state in &model.instances {
        for view in state.collections.value().map_or(&[][..], |listing| &listing.items) {
            if view.recovery_points.unwrap_or(0) > 0 || !view.read {
                choices.push(Choice::new(
                    format!("from the newest recovery point of {}", view.address),
                    "choose the fresh instance as its target",
                    Then::Plan(Box::new(Kind::Restore(RecoveryPoint::Snapshot(view.address.clone(), Which::Latest)))),
                ));
            }
        }
    }
    Chooser {
        title: "A node or an instance was lost".into(),
        intro: vec![
            "Start a fresh Qdrant of the same or the next minor version, and add it to the configuration.".into(),
            "What was kept on the lost node's own disk is lost with it. From where can the data come?".into(),
        ],
        choices,
        selected: 0,
        awaits: None,
    }
}
