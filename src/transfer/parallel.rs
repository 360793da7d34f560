//! Fetching a file in several ranges at once, each with its own retries.
//!
//! One stream runs on through the file for as long as one suffices. When more bring more, each takes a block
//! at a time from the front of what is missing, so that the file grows nearly in order.

use crate::domain::problem::Problem;
use crate::domain::time;
use crate::jobs::progress::{self, Progress};
use crate::qdrant::api::Wanted;
use crate::qdrant::error::{ApiError, ApiErrorKind};
use crate::transfer::backoff::{Backoff, may_recover};
use crate::transfer::growth::Growth;
use crate::transfer::landing::{Intake, Landing};
use crate::transfer::source::{Expected, Line, Source, next_chunk};
use crate::transfer::spans::Spans;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Largest block of one request while several streams run.
const LARGEST: u64 = 16 << 20;

/// Smallest: below it a request costs more than it brings.
const SMALLEST: u64 = 1 << 20;

/// How often it is decided whether more streams would help.
const LOOK: Duration = Duration::from_millis(100);

/// Why a transfer ended without all bytes.
#[derive(Debug)]
pub enum Fault {
    /// The source: refused, or gone for too long.
    Source(ApiError),
    /// The file is another one now.
    Changed,
    /// The server gave ranges before, and gives none now.
    NoRanges,
    /// The disk or its thread; the landing knows more.
    Disk,
}

struct Fetch<'a> {
    source: &'a dyn Source,
    expected: &'a Expected,
    line: &'a Line,
    progress: &'a Progress,
    intake: Intake,
    /// Ranges not taken yet.
    todo: Mutex<Spans>,
    /// Streams that should run.
    wanted: AtomicUsize,
    /// Streams that run.
    running: AtomicUsize,
    arrived: AtomicU64,
    noted: AtomicBool,
}

/// After so long without another loss, streams that an outage took may come back.
const QUIET: Duration = Duration::from_secs(30);

/// Part of the file that one stream is at.
struct Claim {
    at: u64,
    end: u64,
}

/// Fetches all that `landing` lacks.
pub async fn fetch(
    source: &dyn Source,
    expected: &Expected,
    line: &Line,
    landing: &Landing,
    progress: &Progress,
) -> Result<(), Fault> {
    let fetch = Fetch {
        source,
        expected,
        line,
        progress,
        intake: landing.intake(),
        todo: Mutex::new(landing.spans().missing(expected.size)),
        wanted: AtomicUsize::new(1),
        running: AtomicUsize::new(0),
        arrived: AtomicU64::new(0),
        noted: AtomicBool::new(false),
    };
    let mut growth = Growth::new(line.streams);
    let mut most = line.streams;
    let mut lowered: Option<(std::time::Instant, u64)> = None;
    let mut streams = FuturesUnordered::new();
    let mut next = 0;
    let begun = progress::now();
    let mut ticks = tokio::time::interval(LOOK);
    loop {
        let missing = !fetch.todo().is_empty();
        if streams.is_empty() && !missing {
            return Ok(());
        }
        while missing && streams.len() < fetch.wanted.load(Relaxed).min(most) && (streams.is_empty() || fetch.worth_another()) {
            streams.push(fetch.stream(next));
            next += 1;
        }
        fetch.running.store(streams.len(), Relaxed);
        tokio::select! {
            Some(ended) = streams.next() => match ended {
                Ok(()) => {}
                // One stream too many for this server: the others take over its range.
                Err(fault) if !streams.is_empty() && tolerable(&fault) => {
                    most = streams.len();
                    lowered = Some((progress::now(), fetch.arrived.load(Relaxed)));
                }
                Err(fault) => return Err(fault),
            },
            _ = ticks.tick() => {
                // Only once bytes came again: a dead server must not get ever new tries.
                let again = |(since, before): (std::time::Instant, u64)| {
                    since.elapsed() > QUIET && fetch.arrived.load(Relaxed) > before
                };
                if lowered.is_some_and(again) {
                    (most, lowered) = (line.streams, None);
                }
                let held = line.throttle.is_holding() || landing.is_paused() || fetch.noted.load(Relaxed);
                fetch.wanted.store(growth.look(begun.elapsed(), fetch.arrived.load(Relaxed), held), Relaxed);
            }
        }
    }
}

/// Whether the other streams may go on without this one.
fn tolerable(fault: &Fault) -> bool {
    match fault {
        Fault::Source(error) => may_recover(error),
        Fault::NoRanges => true,
        Fault::Changed | Fault::Disk => false,
    }
}

impl Fetch<'_> {
    fn todo(&self) -> MutexGuard<'_, Spans> {
        self.todo.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another stream needs something to do that lasts longer than its request.
    fn worth_another(&self) -> bool {
        self.todo().total() >= SMALLEST
    }

    fn claim(&self, running_on: bool) -> Option<Claim> {
        let mut todo = self.todo();
        let streams = self.wanted.load(Relaxed).max(1) as u64;
        let block = if running_on { LARGEST } else { (todo.total() / (streams * 4)).clamp(SMALLEST, LARGEST) };
        todo.take_front(block).map(|(at, end)| Claim { at, end })
    }

    /// Takes the block after a claim, if it is free.
    fn extend(&self, claim: &mut Claim) -> bool {
        match self.todo().take_at(claim.end, LARGEST) {
            Some((_, end)) => {
                claim.end = end;
                true
            }
            None => false,
        }
    }

    async fn stream(&self, number: u64) -> Result<(), Fault> {
        let mut backoff = Backoff::new(self.line.first_wait, self.expected.size.wrapping_add(number + 1));
        loop {
            let running_on = self.wanted.load(Relaxed) == 1;
            if self.running.load(Relaxed) > self.wanted.load(Relaxed) {
                // One of those that brought nothing: it leaves its place.
                self.running.fetch_sub(1, Relaxed);
                return Ok(());
            }
            let Some(mut claim) = self.claim(running_on) else { return Ok(()) };
            while let Err(fault) = self.run(&mut claim, running_on, &mut backoff).await {
                // One answer without the range may be another node's, or a proxy's that has just started.
                let error = match &fault {
                    Fault::Source(error) => Some(error.clone()),
                    Fault::NoRanges => Some(self.no_ranges()),
                    Fault::Changed | Fault::Disk => None,
                };
                let wait = error.as_ref().and_then(|error| backoff.next_wait(error));
                let (Some(wait), Some(error)) = (wait, error) else {
                    self.todo().insert(claim.at, claim.end);
                    return Err(fault);
                };
                self.wait(wait, backoff.tries(), &error).await;
            }
        }
    }

    /// One request.
    async fn run(&self, claim: &mut Claim, running_on: bool, backoff: &mut Backoff) -> Result<(), Fault> {
        let to = (!running_on).then_some(claim.end);
        let wanted = Wanted { from: claim.at, to, etag: self.expected.etag.clone() };
        let mut answer = self.source.open(&wanted).await.map_err(|error| match error.kind {
            ApiErrorKind::Changed => Fault::Changed,
            _ => Fault::Source(error),
        })?;
        if answer.from != claim.at || (!answer.ranged && claim.at > 0) {
            return Err(Fault::NoRanges);
        }
        if answer.etag != self.expected.etag {
            return Err(Fault::Changed);
        }
        if let Some(total) = answer.total.filter(|total| *total != self.expected.size) {
            let words = format!("the answer has {total} bytes, the file {}", self.expected.size);
            return Err(Fault::Source(ApiError::new(ApiErrorKind::Cut, "read the snapshot", self.source.shown(), words)));
        }
        // A server that ignores the range of the first block sends the whole file; that is as good.
        let open_ended = answer.to.is_none_or(|to| to > claim.end);
        loop {
            if claim.at == claim.end && !(open_ended && self.extend(claim)) {
                break;
            }
            let chunk = next_chunk(&mut answer.body, self.line.stall, self.source.shown()).await.map_err(Fault::Source)?;
            let Some(mut chunk) = chunk else {
                let words = "the connection ended before the file did";
                return Err(Fault::Source(ApiError::new(ApiErrorKind::Cut, "read the snapshot", self.source.shown(), words)));
            };
            while open_ended && claim.at + chunk.len() as u64 > claim.end && self.extend(claim) {}
            chunk.truncate((claim.end - claim.at).min(chunk.len() as u64) as usize);
            let length = chunk.len() as u64;
            self.line.throttle.pass(length).await;
            if !self.intake.write(claim.at, chunk).await {
                return Err(Fault::Disk);
            }
            claim.at += length;
            self.arrived.fetch_add(length, Relaxed);
            self.progress.add(length);
            backoff.progressed(length);
            if self.noted.swap(false, Relaxed) {
                self.progress.note("");
            }
        }
        if !open_ended {
            // Read to its end, the connection can be used again.
            let _ = next_chunk(&mut answer.body, self.line.stall, "").await;
        }
        Ok(())
    }

    fn no_ranges(&self) -> ApiError {
        let words = "the server sent the whole file in place of a part";
        ApiError::new(ApiErrorKind::Cut, "read the snapshot", self.source.shown(), words)
    }

    async fn wait(&self, wait: Duration, tries: u32, error: &ApiError) {
        count_down(self.progress, wait, tries, &error.message, || self.noted.store(true, Relaxed)).await;
    }
}

/// Waits, and says so each second.
pub(in crate::transfer) async fn count_down(progress: &Progress, wait: Duration, tries: u32, why: &str, said: impl Fn()) {
    let until = tokio::time::Instant::now() + wait;
    loop {
        let left = until.saturating_duration_since(tokio::time::Instant::now());
        if left.is_zero() {
            return;
        }
        let shown = time::duration(Duration::from_secs(left.as_secs_f64().ceil() as u64));
        progress.note(&format!("retry {tries}, in {shown}: {why}"));
        said();
        tokio::time::sleep(left.min(Duration::from_secs(1))).await;
    }
}

/// A fault in words, where the landing need not be asked.
pub fn fault_problem(fault: Fault, source: &dyn Source) -> Option<Problem> {
    match fault {
        Fault::Source(error) => Some(error.into_problem(source.shown())),
        Fault::Changed => Some(crate::transfer::source::changed(source)),
        Fault::NoRanges | Fault::Disk => None,
    }
}
