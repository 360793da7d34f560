//! A file from a source to the disk, whatever the line does: ranges in parallel where the server gives them,
//! one stream and a new start where it gives none. What is left of an earlier try, and where it goes on: [`crate::transfer::part`].

use crate::domain::problem::{Problem, ProblemKind};
use crate::jobs::progress::Progress;
use crate::qdrant::api::Wanted;
use crate::qdrant::error::{ApiError, ApiErrorKind};
use crate::transfer::backoff::Backoff;
use crate::transfer::landing::{Landing, PRECIOUS, Site, Written};
use crate::transfer::parallel::{self, Fault, count_down, fault_problem};
use crate::transfer::part;
use crate::transfer::publish::Ready;
use crate::transfer::source::{Expected, Line, Source, changed, next_chunk};
use std::path::Path;
use tokio_util::task::TaskTracker;

/// What to fetch, and where to.
pub struct Job<'a> {
    /// From.
    pub source: &'a dyn Source,
    /// What is known of it.
    pub expected: Expected,
    /// How.
    pub line: &'a Line,
    /// The final name; written is `<target>.part`.
    pub target: &'a Path,
    /// Where it is counted.
    pub progress: &'a Progress,
    /// Ends when what was broken off is saved.
    pub tasks: &'a TaskTracker,
    /// Called when it turns out that nothing of it can be kept after all.
    pub on_fallback: &'a (dyn Fn() + Sync),
}

impl Job<'_> {
    /// Fetches it. What came is kept for another try when the server gives ranges.
    pub async fn run(mut self) -> Result<(Written, Ready), Problem> {
        let mut backoff = Backoff::new(self.line.first_wait, self.expected.size);
        let mut note = String::new();
        loop {
            let landing = Landing::open(&self.site())?;
            self.progress.phase("downloading", Some(self.expected.size));
            self.progress.resume(landing.spans().total());
            self.progress.note(&note);
            let fetched = if self.expected.ranged {
                parallel::fetch(self.source, &self.expected, self.line, &landing, self.progress).await
            } else {
                self.in_one(&landing).await
            };
            let fault = match fetched {
                Ok(()) => return landing.finish(self.progress).await,
                Err(fault) => fault,
            };
            // The threads must be done with the file before anybody opens it again.
            let stopped = landing.failure().await;
            match fault {
                Fault::Disk => return Err(stopped),
                // A broken line or a restarted proxy must not cost the bytes already here.
                Fault::NoRanges if part::unfinished(self.target).is_some_and(|left| left.spans.total() >= PRECIOUS) => {
                    let words = "the server gives no byte ranges any more, so that the part cannot be continued now";
                    return Err(Problem::new(ProblemKind::Failed, words, self.source.shown()).advise(
                        "try again later, or from the node's own address; discard the part to start over in one stream",
                    ));
                }
                Fault::NoRanges => {
                    (self.on_fallback)();
                    note = "the server stopped giving ranges: started again in one stream".to_owned();
                    self.expected.ranged = false;
                }
                Fault::Source(error) if !self.expected.ranged && error.kind == ApiErrorKind::Changed => {
                    return Err(changed(self.source));
                }
                Fault::Source(error) if !self.expected.ranged => match backoff.next_wait(&error) {
                    Some(wait) => {
                        let why = format!("{}; it starts again from zero", error.message);
                        count_down(self.progress, wait, backoff.tries(), &why, || {}).await;
                        note = format!("started again: {}", error.message);
                    }
                    None => return Err(error.into_problem(self.source.shown())),
                },
                fault => return Err(fault_problem(fault, self.source).unwrap_or_else(|| changed(self.source))),
            }
        }
    }

    fn site(&self) -> Site<'_> {
        Site {
            target: self.target,
            source: self.source.shown(),
            expected: &self.expected,
            progress: self.progress,
            tasks: self.tasks,
        }
    }

    async fn in_one(&self, landing: &Landing) -> Result<(), Fault> {
        let wanted = Wanted { from: 0, to: None, etag: self.expected.etag.clone() };
        let mut answer = self.source.open(&wanted).await.map_err(Fault::Source)?;
        let intake = landing.intake();
        let mut at = 0;
        loop {
            let chunk = match next_chunk(&mut answer.body, self.line.stall, self.source.shown()).await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                // All is there: how the connection ends does not matter.
                Err(_) if at == self.expected.size => break,
                Err(error) => return Err(Fault::Source(error)),
            };
            let length = chunk.len() as u64;
            self.line.throttle.pass(length).await;
            if at + length > self.expected.size {
                return Err(Fault::Changed);
            }
            if !intake.write(at, chunk).await {
                return Err(Fault::Disk);
            }
            at += length;
            self.progress.add(length);
        }
        // Without a length in the answer a cut looks like an end.
        if at < self.expected.size {
            let words = format!("the answer ended after {at} of {} bytes", self.expected.size);
            return Err(Fault::Source(ApiError::new(ApiErrorKind::Cut, "read the snapshot", self.source.shown(), words)));
        }
        Ok(())
    }
}

/// What is said of a file that was broken off.
pub fn kept_words(part: &Path) -> String {
    format!(
        "what arrived is kept in {}; the same download continues from there",
        crate::domain::text::sanitise(&part.display().to_string())
    )
}
