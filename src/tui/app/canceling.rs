//! The question before a job is canceled. It says what a cancel does at this moment, and begins with no.

use crate::jobs::row::{JobRow, JobState};
use crate::ops::request::Request;
use crate::tui::app::state::App;
use crate::tui::keys::action::{Action, View};
use crate::tui::layers::cancel::Question;
use crate::tui::layers::layer::Layer;
use crate::tui::messages::effect::Effect;

impl App {
    /// Cancels the job that is selected or shown; asks first where something is lost or half done.
    pub(super) fn cancel(&mut self) {
        let Some(id) = self.current_job() else { return };
        let Some(row) = self.model.jobs.row(id) else { return };
        if self.cancel_costs_nothing(row) {
            self.effects.push(Effect::Cancel(id));
        } else {
            self.layers.push(Layer::Cancel(Question { id, yes: false }));
        }
    }

    fn cancel_costs_nothing(&self, row: &JobRow) -> bool {
        let request = self.model.jobs.started.get(&row.id).map(|started| &started.request);
        match (&row.state, request) {
            (JobState::Queued(_), _) => true,
            (JobState::Canceling, _) => false,
            (_, Some(Request::Download(_))) => row.on_cancel.keeps.is_some(),
            (_, Some(Request::Compare(_) | Request::Discard(_))) => true,
            _ => false,
        }
    }

    /// An answer to the question on top.
    pub(super) fn answer_cancel(&mut self, action: Action) {
        let Some(Layer::Cancel(question)) = self.layers.last_mut() else { return };
        match action {
            Action::View(View::Left) => question.yes = false,
            Action::View(View::Right) => question.yes = true,
            Action::View(View::Enter) => {
                let Question { id, yes } = *question;
                self.layers.pop();
                self.effects.extend(yes.then_some(Effect::Cancel(id)));
            }
            Action::View(View::Back) => drop(self.layers.pop()),
            _ => {}
        }
    }

    /// Whether the job that is asked about is over: then there is nothing to ask any more.
    pub(super) fn cancel_is_moot(&self) -> bool {
        let Some(Layer::Cancel(question)) = self.layers.last() else { return false };
        self.model.jobs.row(question.id).is_none_or(JobRow::is_finished)
    }
}
