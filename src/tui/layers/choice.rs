//! A list to choose one thing from, with words above it: what can be done after an operation, what becomes of one that
//! broke off, what was done here.

use crate::ops::journal::incident;
use crate::ops::journal::past::Past;
use crate::ops::journal::ways::ways;
use crate::ops::report::Report;
use crate::ops::request::Request;
use crate::ops::request::settle::{SettleRequest, Way};
use crate::tui::keys::action::{Action, View};
use crate::tui::keys::motion::moved;
use crate::tui::messages::event::Ticket;
use crate::tui::wizards::kind::Kind;

/// What a choice leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Then {
    /// A plan.
    Plan(Box<Kind>),
    /// The report of an operation in the journal: its title, its lines, and the operation's id.
    Report(String, Vec<String>, String),
    /// Back to where one was.
    Close,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// In a few words.
    pub label: String,
    /// What it means; may be empty.
    pub detail: String,
    /// What comes of it.
    pub then: Then,
}

impl Choice {
    /// A choice with what it leads to.
    pub fn new(label: impl Into<String>, detail: impl Into<String>, then: Then) -> Self {
        Self { label: label.into(), detail: detail.into(), then }
    }
}

/// The list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chooser {
    /// What it is about.
    pub title: String,
    /// What stands above.
    pub intro: Vec<String>,
    /// What there is.
    pub choices: Vec<Choice>,
    /// The marked one.
    pub selected: usize,
    /// The question whose answer fills it.
    pub awaits: Option<Ticket>,
}

impl Chooser {
    /// What can be done after an operation.
    pub fn after(report: &Report) -> Option<Self> {
        if report.next.is_empty() {
            return None;
        }
        let mut choices: Vec<Choice> =
            report.next.iter().map(|next| Choice::new(next.words.clone(), next.command(), plan(next.request.clone()))).collect();
        choices.insert(0, Choice::new("leave everything as it is", "", Then::Close));
        let verdict = report.verdict.as_ref().map(|verdict| verdict.sentence());
        let mut intro = vec![format!("{} → {}", report.source, report.target)];
        intro.extend(verdict);
        Some(Self { title: "What now?".into(), intro, choices, selected: 0, awaits: None })
    }

    /// What becomes of an operation that did not end well.
    pub fn open(past: &Past) -> Self {
        let words = |way: Way| match way {
            Way::CleanUp if !past.parts.is_empty() => {
                ("take it off the list", "nothing is removed; what did not begin is not done: the report has its commands")
            }
            Way::Continue => ("continue it", "what is proven is not repeated; the safety snapshot is kept"),
            Way::RollBack => ("roll back", "restore what was there before, and verify it"),
            Way::CleanUp => ("clean up", "remove what it left behind; recovery points stay"),
        };
        let settle = |way: Way| plan(Request::Settle(SettleRequest { id: past.id.clone(), way }));
        let mut choices: Vec<Choice> =
            ways(past).into_iter().map(|way| Choice::new(words(way).0, words(way).1, settle(way))).collect();
        choices.push(Choice::new("show all that is known", "steps with their times, and what is still there", report(past)));
        choices.push(Choice::new("decide later", "it stays in the jobs", Then::Close));
        let mut intro = vec![format!("{} → {}", past.source, past.target), past.outcome()];
        if past.is_between() {
            intro.push(format!("{} may be neither what it was nor what it should be.", past.target));
        }
        intro.extend(past.leftovers().iter().map(|thing| format!("left behind: {} {}", thing.kind.words(), thing.thing)));
        intro.extend(past.safety().map(|thing| format!("the way back: {}", thing.thing)));
        Self { title: format!("{} of {}", past.operation, past.target), intro, choices, selected: 0, awaits: None }
    }

    /// What was done here.
    pub fn history(all: &[Past]) -> Self {
        let choice = |past: &Past| {
            let label =
                format!("{}  {:<9} {} → {}", crate::domain::time::minute(past.at), past.operation, past.source, past.target);
            let detail = format!("{}, by {}", past.outcome(), past.who);
            Choice::new(label, detail, report(past))
        };
        let intro = if all.is_empty() { vec!["nothing was done yet".to_owned()] } else { Vec::new() };
        Self {
            title: "What was done here (UTC)".into(),
            intro,
            choices: all.iter().map(choice).collect(),
            selected: 0,
            awaits: None,
        }
    }

    /// An intention; gives what was chosen.
    pub fn act(&mut self, action: Action) -> Option<Then> {
        match action {
            Action::Move(motion) => self.selected = moved(self.selected, motion, self.choices.len()),
            Action::View(View::Enter) => return self.choices.get(self.selected).map(|choice| choice.then.clone()),
            _ => {}
        }
        None
    }
}

fn report(past: &Past) -> Then {
    Then::Report(format!("{} of {}", past.operation, past.target), incident::lines(past), past.id.clone())
}

fn plan(request: Request) -> Then {
    Then::Plan(Box::new(Kind::ready(request)))
}
