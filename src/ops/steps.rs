//! Running the steps of an operation: each is journaled before and after, timed, and shown as a phase; so is
//! everything that the operation makes on the way.

use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::time::Clock;
use crate::jobs::context::JobContext;
use crate::jobs::progress;
use crate::ops::journal::claim::{Claim, Holder};
use crate::ops::journal::event::{Made, Part, TakenUp};
use crate::ops::journal::record::{Opening, Record};
use crate::ops::report::verdict::Verdict;
use crate::ops::report::{Report, StepRecord};
use crate::ops::services::Services;
use serde_json::json;
use std::sync::Arc;
use std::time::Instant;

/// The running operation.
pub struct Steps<'a> {
    services: &'a Services,
    /// Progress and cleanups.
    pub job: &'a JobContext,
    ledger: Ledger,
    done: Vec<StepRecord>,
    notes: Vec<String>,
    made: Vec<(Made, String)>,
    journal_failed: bool,
    /// Live data was given to the server: from here on stopping half-way is worse than a journal with a gap.
    past_return: bool,
    /// It consists of parts with records of their own.
    whole: bool,
    started: Instant,
    ended: bool,
    /// Held until the operation is over.
    claim: Option<Claim>,
}

/// What cleanups write to, which outlive the operation's own steps.
#[derive(Clone)]
pub struct Ledger {
    record: Record,
    clock: Arc<dyn Clock>,
}

impl Ledger {
    /// Notes that something is gone again. What is gone is gone, written or not.
    pub fn gone(&self, thing: &str) {
        let _ = self.record.gone(self.clock.now(), thing);
    }

    /// Notes that the server may replace data from now on. Too late to stop it when that cannot be written.
    pub fn handed_over(&self) {
        let _ = self.record.handed_over(self.clock.now());
    }

    /// Notes that the server refused what was handed over, before it touched anything.
    pub fn handed_back(&self) {
        let _ = self.record.handed_back(self.clock.now());
    }

    /// Notes that a snapshot is about to be taken, and which ones there are: after a kill the one that is new is ours.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn taking(&self, kind: Made, collection: &str, known: &[&str]) -> Result<(), Problem> {
        self.record.taking(self.clock.now(), kind, collection, known)
    }

    /// Notes that the snapshot was not taken after all, or is gone again.
    pub fn not_taken(&self, collection: &str) {
        let _ = self.record.not_taken(self.clock.now(), collection);
    }

    /// Notes that something was made, at once.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn made(&self, kind: Made, thing: &str) -> Result<(), Problem> {
        self.record.made(self.clock.now(), kind, thing)
    }
}

impl Drop for Steps<'_> {
    /// A canceled operation ends in the journal too; only a killed process leaves it open.
    fn drop(&mut self) {
        if !self.ended {
            self.claim_until_over();
            let report = json!({"steps": self.done});
            let result = if std::thread::panicking() { "crashed" } else { "canceled" };
            let _ = self.ledger.record.end(self.services.clock.now(), result, report);
        }
    }
}

impl<'a> Steps<'a> {
    /// Claims the target, if the operation changes it, and opens the journal.
    ///
    /// # Errors
    /// When another process works on the target, or the journal cannot be written: then nothing is started.
    pub fn begin(services: &'a Services, job: &'a JobContext, opening: &Opening, claims: bool) -> Result<Self, Problem> {
        // One step: the holder of the claim works on the target, and no other process begins.
        let claim = claims.then(|| services.journal.claim(&opening.target)).transpose()?;
        let record = services.journal.begin(services.clock.now(), opening)?;
        job.recorded_as(record.id());
        if let Some(claim) = &claim {
            let (operation, who) = (opening.operation.to_owned(), services.journal.operator().to_owned());
            claim.name(&Holder { operation, id: record.id(), who });
        }
        let mut steps = Self::with(services, job, record);
        steps.claim = claim;
        Ok(steps)
    }

    /// Begins without a journal, for what only reads.
    pub fn unrecorded(services: &'a Services, job: &'a JobContext) -> Self {
        let mut steps = Self::with(services, job, Record::nowhere());
        steps.journal_failed = true;
        steps
    }

    fn with(services: &'a Services, job: &'a JobContext, record: Record) -> Self {
        let ledger = Ledger { record, clock: services.clock.clone() };
        let started = progress::now();
        Self {
            services,
            job,
            ledger,
            done: Vec::new(),
            notes: Vec::new(),
            made: Vec::new(),
            journal_failed: false,
            past_return: false,
            whole: false,
            started,
            ended: false,
            claim: None,
        }
    }

    /// Runs one step.
    ///
    /// # Errors
    /// Those of `work`, and when the journal cannot be written: then the step does not happen.
    pub async fn run<T>(
        &mut self,
        name: &str,
        detail: &str,
        work: impl Future<Output = Result<T, Problem>>,
    ) -> Result<T, Problem> {
        let begun = self.ledger.record.step_begins(self.services.clock.now(), name, detail);
        self.written(begun)?;
        self.job.progress.step(name);
        let started = progress::now();
        let outcome = work.await;
        let result = outcome.as_ref().map_or_else(ToString::to_string, |_| "ok".to_owned());
        self.over(name, result, started);
        outcome
    }

    /// Runs a step that ends in a judgement, which is written too: it tells later what was proven. It only reads, so that a
    /// journal that cannot be written is no reason to leave it out, and never a verdict.
    pub async fn judge<T>(&mut self, name: &str, work: impl Future<Output = T>, words: impl Fn(&T) -> String) -> T {
        self.journal_failed |= self.ledger.record.step_begins(self.services.clock.now(), name, "").is_err();
        self.job.progress.step(name);
        let started = progress::now();
        let found = work.await;
        self.over(name, words(&found), started);
        found
    }

    /// Live data was given to the server: what is still to do is done, whether it can be written down or not.
    pub fn past_return(&mut self) {
        self.past_return = true;
    }

    fn written(&mut self, written: Result<(), Problem>) -> Result<(), Problem> {
        self.journal_failed |= written.is_err();
        if self.past_return { Ok(()) } else { written }
    }

    /// Notes what it consists of.
    ///
    /// # Errors
    /// When the journal cannot be written: then nothing of it is begun.
    pub fn consists_of(&mut self, parts: &[Part]) -> Result<(), Problem> {
        self.whole = true;
        self.ledger.record.parts(self.services.clock.now(), parts)
    }

    /// Notes how something ended that has a record of its own. That it cannot be written must not hide it.
    pub fn ended(&mut self, name: &str, result: String, seconds: f64) {
        let now = self.services.clock.now();
        let record = &self.ledger.record;
        let written = record.step_begins(now, name, "").and_then(|()| record.step_ends(now, name, &result));
        self.journal_failed |= written.is_err();
        self.done.push(StepRecord { name: name.to_owned(), seconds, result });
    }

    /// What happened has happened: a journal that cannot be written now must not hide the result.
    fn over(&mut self, name: &str, result: String, started: Instant) {
        self.journal_failed |= self.ledger.record.step_ends(self.services.clock.now(), name, &result).is_err();
        self.done.push(StepRecord { name: name.to_owned(), seconds: rounded(started), result });
    }

    /// Notes, before it happens, that something will exist that was not there before.
    ///
    /// # Errors
    /// When the journal cannot be written: then it must not be made.
    pub fn made(&mut self, kind: Made, thing: &str) -> Result<(), Problem> {
        let made = self.ledger.record.made(self.services.clock.now(), kind, thing);
        self.written(made)?;
        self.made.push((kind, thing.to_owned()));
        Ok(())
    }

    /// Notes that it is gone again, or was not made after all.
    pub fn gone(&mut self, thing: &str) {
        self.journal_failed |= self.ledger.record.gone(self.services.clock.now(), thing).is_err();
        self.made.retain(|(_, other)| other != thing);
    }

    /// Takes note of what a ledger wrote already.
    pub fn adopt(&mut self, kind: Made, thing: &str) {
        self.made.push((kind, thing.to_owned()));
    }

    /// Notes that everything in a collection is gone with it.
    pub fn gone_with(&mut self, collection: &str) {
        let inside = format!("{collection}/");
        let things: Vec<String> =
            self.made.iter().filter(|(_, thing)| thing.starts_with(&inside)).map(|(_, thing)| thing.clone()).collect();
        things.iter().chain(std::iter::once(&collection.to_owned())).for_each(|thing| self.gone(thing));
    }

    /// Takes up an operation that broke off: what it left is this one's now.
    ///
    /// # Errors
    /// When the journal cannot be written: then nothing is begun.
    pub fn take_up(&mut self, taken: &TakenUp) -> Result<(), Problem> {
        self.ledger.record.takes_up(self.services.clock.now(), taken)?;
        taken.things.iter().for_each(|thing| self.adopt(thing.kind, &thing.thing));
        Ok(())
    }

    /// Keeps something that the report must say.
    pub fn note(&mut self, words: impl Into<String>) {
        self.notes.push(words.into());
    }

    /// Cleanups come after the steps; no other operation may begin before they are over.
    /// How long each step took that is over.
    pub fn phases(&self) -> Vec<(String, f64)> {
        self.done.iter().map(|step| (step.name.clone(), step.seconds)).collect()
    }

    fn claim_until_over(&mut self) {
        if let Some(claim) = self.claim.take() {
            self.job.hold(Box::new(claim));
        }
    }

    /// For cleanups.
    pub fn ledger(&self) -> Ledger {
        self.ledger.clone()
    }

    /// Names the operation in the journal.
    pub fn id(&self) -> String {
        self.ledger.record.id()
    }

    /// Closes the journal, and completes the report with what only this knows.
    ///
    /// # Errors
    /// The operation's own.
    pub fn close(mut self, outcome: Result<Report, Problem>) -> Result<Report, Problem> {
        self.ended = true;
        let now = self.services.clock.now();
        let left: Vec<String> =
            self.made.iter().filter(|(kind, _)| *kind != Made::Collection).map(|(_, thing)| thing.clone()).collect();
        match outcome {
            Ok(mut report) => {
                // What parts of it left is in the report already.
                report.left_behind.extend(left);
                report.notes.append(&mut self.notes);
                report.id = self.id();
                report.steps = std::mem::take(&mut self.done);
                report.seconds = rounded(self.started);
                let result = match &report.rollback {
                    Some(Verdict::Matches(_)) => "rolled back",
                    Some(_) => "rollback not proven",
                    None if self.whole && report.parts.is_empty() => "failed",
                    None if self.whole && !report.failures.is_empty() => "partly done",
                    None => report.verdict.as_ref().map_or("done", Verdict::word),
                };
                self.journal_failed |= self.ledger.record.end(now, result, json!(report)).is_err();
                if self.journal_failed {
                    report
                        .notes
                        .push("the journal could not be written to the end: what it says of this operation has gaps".to_owned());
                }
                Ok(report)
            }
            Err(problem) => {
                self.claim_until_over();
                let result = if problem.kind == ProblemKind::Canceled { "canceled" } else { "failed" };
                let seconds = rounded(self.started);
                let report = json!({"problem": problem, "steps": self.done, "left_behind": left, "seconds": seconds});
                let _ = self.ledger.record.end(now, result, report);
                Err(problem)
            }
        }
    }
}

fn rounded(since: Instant) -> f64 {
    (since.elapsed().as_secs_f64() * 1_000.0).round() / 1_000.0
}
