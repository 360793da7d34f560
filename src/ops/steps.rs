//! Running the steps of an operation: each is journaled before and after, timed, and shown as a phase.

use crate::domain::problem::Problem;
use crate::jobs::manager::JobContext;
use crate::jobs::progress;
use crate::ops::journal::Record;
use crate::ops::report::StepRecord;
use crate::ops::services::Services;
use std::time::Instant;

/// The running operation.
pub struct Steps<'a> {
    services: &'a Services,
    /// Progress and cleanups.
    pub job: &'a JobContext,
    record: Record,
    done: Vec<StepRecord>,
    left_behind: Vec<String>,
    started: Instant,
    ended: bool,
}

impl Drop for Steps<'_> {
    /// A failed or canceled operation ends in the journal too; only a killed process leaves it open.
    fn drop(&mut self) {
        if !self.ended {
            let _ = self.record.end(self.services.clock.now(), "not finished: failed or canceled");
        }
    }
}

impl<'a> Steps<'a> {
    /// Opens the journal.
    pub fn begin(
        services: &'a Services,
        job: &'a JobContext,
        operation: &str,
        source: &str,
        target: &str,
    ) -> Result<Self, Problem> {
        let record = services.journal.begin(services.clock.now(), operation, source, target)?;
        Ok(Self { services, job, record, done: Vec::new(), left_behind: Vec::new(), started: progress::now(), ended: false })
    }

    /// Runs one step.
    pub async fn run<T>(
        &mut self,
        name: &str,
        detail: &str,
        work: impl Future<Output = Result<T, Problem>>,
    ) -> Result<T, Problem> {
        self.record.step_begins(self.services.clock.now(), name, detail)?;
        self.job.progress.phase(name, None);
        let started = progress::now();
        let outcome = work.await;
        let result = outcome.as_ref().map_or_else(ToString::to_string, |_| "ok".to_owned());
        self.done.push(StepRecord { name: name.to_owned(), seconds: rounded(started), result: result.clone() });
        // What happened has happened: a journal that cannot be written now must not hide the result.
        if self.record.step_ends(self.services.clock.now(), name, &result).is_err() {
            self.journal_failed();
        }
        outcome
    }

    /// Notes that something stays behind.
    pub fn leaves(&mut self, thing: String) {
        if self.record.left_behind(self.services.clock.now(), &thing).is_err() {
            self.journal_failed();
        }
        self.left_behind.push(thing);
    }

    fn journal_failed(&mut self) {
        let words = "the journal could not be written to the end".to_owned();
        if !self.left_behind.contains(&words) {
            self.left_behind.push(words);
        }
    }

    /// Closes the journal; gives the steps, what is left behind, and the seconds.
    pub fn end(mut self, result: &str) -> (Vec<StepRecord>, Vec<String>, f64) {
        self.ended = true;
        if self.record.end(self.services.clock.now(), result).is_err() {
            self.journal_failed();
        }
        (std::mem::take(&mut self.done), std::mem::take(&mut self.left_behind), rounded(self.started))
    }
}

fn rounded(since: Instant) -> f64 {
    (since.elapsed().as_secs_f64() * 1_000.0).round() / 1_000.0
}
