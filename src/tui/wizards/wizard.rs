//! Wizards: small state machines that lead from a key to a started job.
//!
//! ```text
//! Form ──> Planning ──> Review ──> Typing ──> Starting ──> (the job's own layer)
//!   ^          │           │          │
//!   └──────────┴── Esc ────┴──────────┘        a stale plan comes back to Planning
//! ```
//!
//! The machine never holds an approval: it emits [`Effect::Start`] with the plan and the consent, and
//! `ops` decides. A defect here cannot destroy anything without consent.

use crate::domain::problem::Problem;
use crate::jobs::row::JobId;
use crate::ops::plan::consent::{Consent, Need};
use crate::ops::plan::finding::Level;
use crate::ops::plan::{Plan, Risk};
use crate::ops::request::Request;
use crate::tui::keys::action::{Action, Motion, View};
use crate::tui::keys::binding::Context;
use crate::tui::keys::motion::scrolled;
use crate::tui::messages::effect::Effect;
use crate::tui::messages::event::{Now, Ticket};
use crate::tui::panes::model::Model;
use crate::tui::wizards::field;
use crate::tui::wizards::form::{Form, Offered};
use crate::tui::wizards::forms::form_of;
use crate::tui::wizards::kind::Kind;
use crate::tui::wizards::offers::Offers;
use crossterm::event::KeyEvent;
use std::time::Duration;
use tui_input::Input;

/// Enter this soon after a page appeared is taken for a slip.
const SETTLE: Duration = Duration::from_millis(300);

/// Where the wizard stands.
#[derive(Debug)]
pub enum Page {
    /// Fields are filled in.
    Form,
    /// The plan is computed.
    Planning(Ticket),
    /// The plan is shown.
    Review {
        /// The plan.
        plan: Box<Plan>,
        /// Whether *start* is marked; the other button is *no*.
        yes: bool,
        /// First line shown.
        scroll: usize,
        /// Whether every check and each step is shown in full.
        all: bool,
        /// When it appeared.
        since: Duration,
    },
    /// The address is typed.
    Typing {
        /// The plan.
        plan: Box<Plan>,
        /// What is to be typed.
        expected: String,
        /// What was typed.
        input: Input,
    },
    /// Consent was given; the job is about to appear.
    Starting(Ticket),
    /// It could not be planned or started.
    Failed(Problem),
}

/// A wizard.
#[derive(Debug)]
pub struct Wizard {
    /// What is filled in.
    pub form: Box<dyn Form>,
    /// The focused line of the form.
    pub focus: usize,
    /// Where it stands.
    pub page: Page,
    /// The steps of the plan that was shown last, each with what it does.
    pub steps: Vec<String>,
    /// What is wrong with the fields.
    pub complaint: Option<String>,
    /// Why the plan is shown again.
    pub stale: Option<String>,
    /// Names to pick from.
    pub offers: Offers,
    request: Option<Request>,
}

/// What comes of an input.
#[derive(Debug)]
pub enum Step {
    /// Nothing beyond the wizard.
    Stay,
    /// The world is asked for something.
    Effect(Effect),
    /// The wizard ends.
    Close,
    /// The user is told something.
    Say(&'static str),
    /// The wizard ends, its job goes on.
    Job(JobId),
}

impl Wizard {
    /// A wizard with sensible beginnings.
    pub fn new(kind: Kind, model: &Model) -> Self {
        let form = form_of(kind, model);
        // What is offered is asked for, and still empty; a name typed into a choice would be lost.
        let focus = form.offered().map_or(0, |offered| offered.line);
        Self {
            form,
            focus,
            page: Page::Form,
            steps: Vec::new(),
            complaint: None,
            stale: None,
            offers: Offers::default(),
            request: None,
        }
    }

    /// A wizard that plans a request anew, because its plan was stale.
    pub fn again(model: &Model, request: Request, why: String, ticket: Ticket) -> (Self, Effect) {
        let mut wizard = Self::new(Kind::of(&request), model);
        wizard.stale = Some(why);
        wizard.request = Some(request.clone());
        wizard.page = Page::Planning(ticket);
        (wizard, Effect::Plan(ticket, Box::new(request)))
    }

    /// Begins: with the form, or with planning where there is nothing to fill in.
    pub fn begin(&mut self, ticket: Ticket, model: &Model) -> Step {
        if self.form.lines().is_empty() { self.plan(ticket, model) } else { Step::Stay }
    }

    /// Which keys mean what.
    pub fn context(&self) -> Context {
        match self.page {
            Page::Form => Context::Form,
            Page::Planning(_) | Page::Starting(_) => Context::Waiting,
            Page::Review { .. } => Context::Review,
            Page::Typing { .. } => Context::Typing,
            Page::Failed(_) => Context::Text,
        }
    }

    /// Types a key into the focused text, if there is one.
    pub fn type_key(&mut self, key: &KeyEvent) -> bool {
        let used = match &mut self.page {
            Page::Typing { input, .. } => field::edit(input, key),
            Page::Form => self.form.lines_mut().into_iter().nth(self.focus).is_some_and(|line| line.type_key(key)),
            _ => false,
        };
        if used {
            self.complaint = None;
            self.filter_offers();
        }
        used
    }

    /// Pastes into the focused text, if there is one.
    pub fn paste(&mut self, text: &str) -> bool {
        self.complaint = None;
        match &mut self.page {
            Page::Typing { input, .. } => {
                field::paste(input, text);
                true
            }
            Page::Form => {
                let taken = self.form.lines_mut().into_iter().nth(self.focus).is_some_and(|line| line.paste(text));
                self.filter_offers();
                taken
            }
            _ => false,
        }
    }

    /// The line for which names are offered, where it has the focus.
    fn offered(&self) -> Option<Offered> {
        self.form.offered().filter(|offered| self.offers.wanted() && offered.line == self.focus)
    }

    fn filter_offers(&mut self) {
        if let Some(offered) = self.offered() {
            self.offers.filter(&offered.typed);
        }
    }

    /// An arrow: in a line with offers it picks one, else it goes to another line.
    fn arrow(&mut self, motion: Motion, model: &Model) {
        let picked = self.offered().and_then(|offered| self.offers.pick(motion, &offered.instance, model));
        match picked {
            Some(name) => {
                if let Some(line) = self.form.offered_line() {
                    line.choose(&name);
                }
                self.complaint = None;
            }
            None => self.move_in_form(if motion == Motion::Up { View::Previous } else { View::Next }, model),
        }
    }

    /// An intention of the user.
    pub fn act(&mut self, action: Action, ticket: Ticket, model: &Model) -> Step {
        let now = model.now;
        match (&mut self.page, action) {
            (_, Action::View(View::Back)) => self.back(),
            (Page::Form, Action::View(View::Enter)) => self.plan(ticket, model),
            (Page::Form, Action::View(view)) => {
                self.move_in_form(view, model);
                Step::Stay
            }
            (Page::Form, Action::Move(motion)) => {
                self.arrow(motion, model);
                Step::Stay
            }
            (Page::Review { yes, .. }, Action::View(View::Left)) => {
                *yes = false;
                Step::Stay
            }
            (Page::Review { yes, plan, .. }, Action::View(View::Right)) => {
                *yes = plan.blocked().is_empty();
                Step::Stay
            }
            (Page::Review { scroll, .. }, Action::Move(motion)) => {
                *scroll = scrolled(*scroll, motion);
                Step::Stay
            }
            (Page::Review { all, scroll, .. }, Action::View(View::All)) => {
                (*all, *scroll) = (!*all, 0);
                Step::Stay
            }
            (Page::Review { plan, .. }, Action::View(View::Copy)) => Step::Effect(Effect::Copy(plan.command())),
            (Page::Review { since, .. }, Action::View(View::Enter)) if now.mono.saturating_sub(*since) < SETTLE => {
                Step::Say("the plan has just appeared: read it, then press Enter again")
            }
            (Page::Review { yes: false, .. }, Action::View(View::Enter)) => self.back(),
            (Page::Review { .. }, Action::View(View::Enter)) => self.consent(ticket),
            (Page::Typing { .. }, Action::View(View::Enter)) => self.typed(ticket),
            (Page::Failed(problem), Action::View(View::Copy)) => {
                Step::Effect(Effect::Copy(format!("{problem}\n{}", problem.advice)))
            }
            _ => Step::Stay,
        }
    }

    fn move_in_form(&mut self, view: View, model: &Model) {
        let count = self.form.lines().len().max(1);
        match view {
            View::Next => self.focus = (self.focus + 1) % count,
            View::Previous => self.focus = (self.focus + count - 1) % count,
            View::Left | View::Right => {
                if let Some(line) = self.form.lines_mut().into_iter().nth(self.focus) {
                    line.turn(view == View::Right);
                    self.complaint = None;
                }
                self.form.follow(model);
            }
            _ => {}
        }
    }

    fn back(&mut self) -> Step {
        self.complaint = None;
        let page = std::mem::replace(&mut self.page, Page::Form);
        match page {
            Page::Typing { plan, .. } => {
                self.page = Page::Review { plan, yes: false, scroll: 0, all: false, since: Duration::ZERO };
                Step::Stay
            }
            Page::Planning(_) | Page::Review { .. } | Page::Failed(_) if !self.form.lines().is_empty() => Step::Stay,
            // The start is on its way: whatever comes of it shows in the jobs.
            _ => Step::Close,
        }
    }

    fn plan(&mut self, ticket: Ticket, model: &Model) -> Step {
        match self.form.request(&model.surroundings) {
            Ok(request) => {
                self.request = Some(request.clone());
                self.stale = None;
                self.complaint = None;
                self.page = Page::Planning(ticket);
                Step::Effect(Effect::Plan(ticket, Box::new(request)))
            }
            Err(why) => {
                self.complaint = Some(why);
                Step::Stay
            }
        }
    }

    /// The request that was planned last.
    pub fn request(&self) -> Option<&Request> {
        self.request.as_ref()
    }

    /// The plan is there, or could not be computed. Late answers are dropped.
    pub fn planned(&mut self, ticket: Ticket, result: Result<Plan, Problem>, now: Now) {
        if !matches!(self.page, Page::Planning(awaited) if awaited == ticket) {
            return;
        }
        self.page = match result {
            Ok(plan) => {
                self.steps = plan.steps.iter().map(|step| format!("{}: {}", step.name, step.text)).collect();
                // What needs a look is read first: only a plan that risks nothing and raises nothing begins with yes.
                let clear = plan.findings.iter().all(|finding| finding.level == Level::Good);
                let yes = plan.risk == Risk::Safe && clear;
                Page::Review { plan: Box::new(plan), yes, scroll: 0, all: false, since: now.mono }
            }
            Err(problem) => Page::Failed(problem),
        };
    }

    fn consent(&mut self, ticket: Ticket) -> Step {
        let Page::Review { plan, .. } = std::mem::replace(&mut self.page, Page::Starting(ticket)) else { return Step::Stay };
        match plan.need() {
            Need::Nothing => Step::Effect(Effect::Start(ticket, plan, Consent::None)),
            Need::Yes => Step::Effect(Effect::Start(ticket, plan, Consent::Yes)),
            Need::Typed(expected) => {
                self.page = Page::Typing { plan, expected, input: Input::default() };
                Step::Stay
            }
        }
    }

    fn typed(&mut self, ticket: Ticket) -> Step {
        let Page::Typing { expected, input, .. } = &self.page else { return Step::Stay };
        if input.value() != expected {
            self.complaint = Some(format!("that is not {expected}"));
            return Step::Stay;
        }
        let Page::Typing { plan, input, .. } = std::mem::replace(&mut self.page, Page::Starting(ticket)) else {
            return Step::Stay;
        };
        Step::Effect(Effect::Start(ticket, plan, Consent::Typed(input.value().to_owned())))
    }

    /// The job started, or was refused.
    pub fn started(&mut self, ticket: Ticket, result: Result<JobId, Problem>) -> Step {
        if !matches!(self.page, Page::Starting(awaited) if awaited == ticket) {
            return Step::Stay;
        }
        match result {
            Ok(job) => Step::Job(job),
            Err(problem) => {
                self.page = Page::Failed(problem);
                Step::Stay
            }
        }
    }
}
