//! The inspector: what is in a recovery point, or what is different between two. A small state machine; reading
//! is the driver's.

use crate::archive::differences::{Difference, differences};
use crate::archive::tree::Row;
use crate::domain::problem::Problem;
use crate::jobs::progress::{Progress, Sample};
use crate::ops::request::inspect::{Depth, InspectRequest};
use crate::ops::request::recovery_point::RecoveryPoint;
use crate::ops::survey::inspect::Inspected;
use crate::tui::keys::action::{Action, Motion, View};
use crate::tui::messages::effect::Effect;
use crate::tui::messages::event::Ticket;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Lines of a page.
const PAGE: usize = 10;

/// A half of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// What it is.
    Summary,
    /// What is in it.
    Tree,
}

/// A reading that is under way.
#[derive(Debug)]
pub struct Reading {
    ticket: Ticket,
    /// How much is read.
    pub depth: Depth,
    /// When it began.
    pub since: Duration,
    progress: Progress,
    /// How far it is.
    pub sample: Sample,
    _stop: DropGuard,
}

/// One recovery point that is looked at.
#[derive(Debug)]
pub struct Looked {
    /// Which.
    pub point: RecoveryPoint,
    /// What is known of it.
    pub found: Option<Box<Inspected>>,
    /// Why not more is known.
    pub problem: Option<Problem>,
    /// What is being read.
    pub reading: Option<Reading>,
}

/// The inspector.
#[derive(Debug)]
pub struct Inspector {
    /// One, or two to compare.
    pub looked: Vec<Looked>,
    /// The half that the arrows move in.
    pub half: Half,
    /// First line of the summary, or of the differences.
    pub scroll: usize,
    /// Selected row of the tree.
    pub selected: usize,
    /// Folders that are not as they are at first: those of the first level open, all others closed.
    toggled: BTreeSet<String>,
    /// What is different, once both are read.
    pub differences: Option<Vec<Difference>>,
}

impl Inspector {
    /// Looks at one point, or compares two.
    pub fn new(points: Vec<RecoveryPoint>) -> Self {
        let looked = |point| Looked { point, found: None, problem: None, reading: None };
        Self {
            looked: points.into_iter().map(looked).collect(),
            half: Half::Summary,
            scroll: 0,
            selected: 0,
            toggled: BTreeSet::new(),
            differences: None,
        }
    }

    /// What two are compared by is only known from all headers.
    pub fn first_depth(&self) -> Depth {
        if self.looked.len() > 1 { Depth::Headers } else { Depth::End }
    }

    /// Starts reading; `ticket` gives one for each point.
    pub fn read(&mut self, depth: Depth, now: Duration, mut ticket: impl FnMut() -> Ticket) -> Vec<Effect> {
        let mut effects = Vec::new();
        // What is known already is not read again: the hash would be lost by it.
        let known = |looked: &Looked| match (depth, &looked.found) {
            (Depth::Headers, Some(found)) => found.check.is_some(),
            (Depth::Bytes, Some(found)) => found.hashed.is_some(),
            _ => false,
        };
        if self.looked.iter().all(known) {
            return effects;
        }
        self.differences = None;
        for looked in &mut self.looked {
            let stop = CancellationToken::new();
            let progress = Progress::default();
            let request = InspectRequest { point: looked.point.clone(), depth };
            let ticket = ticket();
            effects.push(Effect::Inspect(ticket, Box::new(request), progress.clone(), stop.clone()));
            looked.problem = None;
            let sample = progress.sample();
            // An older reading ends here: its guard is dropped.
            looked.reading = Some(Reading { ticket, depth, since: now, progress, sample, _stop: stop.drop_guard() });
        }
        effects
    }

    /// An answer.
    pub fn answer(&mut self, ticket: Ticket, result: Result<Inspected, Problem>) {
        let expected = |looked: &&mut Looked| looked.reading.as_ref().is_some_and(|reading| reading.ticket == ticket);
        let Some(looked) = self.looked.iter_mut().find(expected) else { return };
        looked.reading = None;
        match result {
            Ok(found) => {
                looked.found = Some(Box::new(found));
                // To the tree, unless the summary is being read.
                if self.rows().len() > 1 && self.looked.len() == 1 && self.looked[0].has_tree() && self.scroll == 0 {
                    self.half = Half::Tree;
                }
            }
            Err(problem) => looked.problem = Some(problem),
        }
        self.selected = self.selected.min(self.rows().len().saturating_sub(1));
        if let [Looked { found: Some(first), .. }, Looked { found: Some(second), .. }] = &self.looked[..] {
            self.differences = Some(differences(&first.contents, &second.contents));
        }
    }

    /// Whether something is being read.
    pub fn reads(&self) -> bool {
        self.looked.iter().any(|looked| looked.reading.is_some())
    }

    /// Looks how far it is.
    pub fn sample(&mut self) {
        for reading in self.looked.iter_mut().filter_map(|looked| looked.reading.as_mut()) {
            reading.sample = reading.progress.sample();
        }
    }

    /// Rows of the tree as it is unfolded.
    pub fn rows(&self) -> Vec<Row<'_>> {
        let Some(found) = self.looked.first().and_then(|looked| looked.found.as_ref()) else { return Vec::new() };
        found.contents.tree.rows(&|path, depth| self.toggled.contains(path) != (depth == 0))
    }

    /// A key. The caller does `Close`.
    pub fn act(&mut self, action: Action) {
        match action {
            Action::Move(motion) if self.half == Half::Tree && self.looked.len() == 1 => {
                let last = self.rows().len().saturating_sub(1);
                self.selected = match motion {
                    Motion::Up => self.selected.saturating_sub(1),
                    Motion::Down => self.selected + 1,
                    Motion::PageUp => self.selected.saturating_sub(PAGE),
                    Motion::PageDown => self.selected + PAGE,
                    Motion::Home => 0,
                    Motion::End => last,
                }
                .min(last);
            }
            Action::Move(motion) => self.scroll = crate::tui::keys::motion::scrolled(self.scroll, motion),
            Action::View(View::Next | View::Previous) => {
                self.half = if self.half == Half::Tree { Half::Summary } else { Half::Tree };
            }
            Action::View(View::Right) => self.fold(true),
            Action::View(View::Left) => self.fold(false),
            Action::View(View::Enter) => self.turn(),
            _ => {}
        }
    }

    fn turn(&mut self) {
        let row = self.rows().into_iter().nth(self.selected).filter(Row::is_folder).map(|row| row.path);
        if let Some(path) = row.filter(|_| self.half == Half::Tree)
            && !self.toggled.remove(&path)
        {
            self.toggled.insert(path);
        }
    }

    /// Unfolds; or folds, or goes to the folder above.
    fn fold(&mut self, open: bool) {
        if self.half != Half::Tree {
            return;
        }
        let rows = self.rows();
        let Some(row) = rows.get(self.selected) else { return };
        let is_open = self.toggled.contains(&row.path) != (row.depth == 0);
        if row.is_folder() && is_open != open {
            self.turn();
        } else if !open {
            let above = rows[..self.selected].iter().rposition(|other| other.depth < row.depth);
            self.selected = above.unwrap_or(self.selected);
        }
    }

    /// Its title.
    pub fn title(&self) -> String {
        match &self.looked[..] {
            [one] => format!("Inspect {}", one.point),
            _ => "Two recovery points".into(),
        }
    }

    /// The same as a command line.
    pub fn command(&self) -> String {
        let address = |looked: &Looked| looked.point.to_string();
        match &self.looked[..] {
            [first, second] => format!("qsnap inspect {} --diff {}", address(first), address(second)),
            [one, ..] => {
                let options = match one.found.as_ref() {
                    Some(found) if found.hashed.is_some() => " --tree --checksum",
                    Some(found) if found.check.is_some() => " --tree --check",
                    _ => "",
                };
                format!("qsnap inspect {}{options}", address(one))
            }
            [] => String::new(),
        }
    }
}

impl Looked {
    /// Whether all headers were read.
    pub fn has_tree(&self) -> bool {
        self.found.as_ref().is_some_and(|found| found.check.is_some())
    }
}
