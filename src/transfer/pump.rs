//! Feeding an upload: from a file, or from another server without touching the disk.
//!
//! A task reads ahead into a bounded queue, hashes, and keeps to the limits of both sides. When the source
//! breaks, it is opened again where it broke while the upload stays open. The last chunk is held back until
//! the hash is known to be right: a target restores only whole uploads, so that wrong bytes restore nothing.

use crate::archive::entries::Splitter;
use crate::domain::hex::hex;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::size;
use crate::jobs::progress::Progress;
use crate::qdrant::api::{Download, Wanted};
use crate::qdrant::error::{ApiError, ApiErrorKind};
use crate::transfer::backoff::Backoff;
use crate::transfer::disk::disk_problem;
use crate::transfer::parallel::count_down;
use crate::transfer::source::{Expected, Line, Source, changed, next_chunk};
use crate::transfer::throttle::Throttle;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// Chunks that may wait for the target. With chunks of at most 400 kB this stays far below the memory budget.
const QUEUE: usize = 16;

/// Read size of local files.
const STEP: usize = 256 << 10;

#[derive(Debug, Default)]
struct State {
    /// Bytes of the whole; of a stream they are known when it has ended.
    size: AtomicU64,
    /// Bytes that were put into the queue.
    offered: AtomicU64,
    /// Bytes that the upload took from it.
    sent: AtomicU64,
    failure: Mutex<Option<Problem>>,
    /// sha256 of all bytes of a source, once all were read.
    sha256: OnceLock<String>,
    given_up: CancellationToken,
}

impl State {
    fn fail(&self, problem: Problem) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(problem);
        self.given_up.cancel();
    }
}

/// How the target's side is used, and what it is called.
#[derive(Debug, Clone)]
pub struct Outlet {
    /// Its limit.
    pub throttle: Throttle,
    /// Taking nothing for so long is a fault.
    pub stall: Duration,
    /// Its address.
    pub shown: String,
    /// Whether what has no listed hash must at least end as a tar does before its last bytes are handed over.
    pub wants_end: bool,
}

/// What an upload sends.
pub type Body = BoxStream<'static, std::io::Result<Bytes>>;

/// Runs when the target took the last byte, and the body does not end before it is done. When it says no, the body breaks
/// instead of ending, so that the target restores nothing; an error is what the pump gave up for.
pub trait AtEnd: Future<Output = Result<bool, Problem>> + Send + 'static {}

impl<F: Future<Output = Result<bool, Problem>> + Send + 'static> AtEnd for F {}

/// A running pump; it stops when dropped.
pub struct Pump {
    state: Arc<State>,
    outlet: Outlet,
    _task: AbortOnDropHandle<()>,
}

type Outcome = Result<(), Problem>;

impl Pump {
    /// From a source. Progress counts what the target took; `at_end` runs when it took the last byte.
    pub fn from_source(
        source: Arc<dyn Source>,
        expected: Expected,
        line: Line,
        outlet: Outlet,
        progress: &Progress,
        at_end: impl AtEnd,
    ) -> (Self, Body) {
        let (notes, wants_end) = (progress.clone(), outlet.wants_end);
        Self::start(expected.size, outlet, progress, at_end, move |feed| async move {
            Relay { source: source.as_ref(), expected: &expected, line: &line, notes: &notes, wants_end }.run(feed).await
        })
    }

    /// From a stream that is open and cannot be opened again, of an archive: it must come to its end before its last bytes are
    /// handed over.
    pub fn from_stream(
        download: Download,
        line: Line,
        shown: String,
        outlet: Outlet,
        progress: &Progress,
        at_end: impl AtEnd,
    ) -> (Self, Body) {
        Self::start(u64::MAX, outlet, progress, at_end, move |feed| relay_stream(download, line, shown, feed))
    }

    /// From a local file of `size` bytes.
    pub fn from_file(
        file: File,
        path: PathBuf,
        size: u64,
        outlet: Outlet,
        progress: &Progress,
        at_end: impl AtEnd,
    ) -> (Self, Body) {
        Self::start(size, outlet, progress, at_end, move |feed| read_file(file, path, size, feed))
    }

    #[expect(clippy::disallowed_methods, reason = "reads ahead of the upload; ends with the pump")]
    fn start<F: Future<Output = Outcome> + Send + 'static>(
        size: u64,
        outlet: Outlet,
        progress: &Progress,
        at_end: impl AtEnd,
        work: impl FnOnce(Feed) -> F,
    ) -> (Self, Body) {
        let (chunks, receiver) = mpsc::channel(QUEUE);
        let state = Arc::new(State { size: AtomicU64::new(size), ..State::default() });
        let work = work(Feed { chunks: chunks.clone(), throttle: outlet.throttle.clone(), state: state.clone() });
        let failing = state.clone();
        let task = tokio::spawn(async move {
            if let Err(problem) = work.await {
                failing.fail(problem);
                // An error in the body, and not its end: the request breaks off.
                let _ = chunks.send(Err(std::io::Error::other("the source failed"))).await;
            }
        });
        let body = body(receiver, state.clone(), progress.clone(), at_end);
        (Self { state, outlet, _task: AbortOnDropHandle::new(task) }, body)
    }

    /// Bytes that the upload took.
    pub fn sent(&self) -> u64 {
        self.state.sent.load(Ordering::Relaxed)
    }

    /// sha256 of a source, in hex, once all of it was read.
    pub fn sha256(&self) -> Option<&str> {
        self.state.sha256.get().map(String::as_str)
    }

    /// Why it gave up, if it did.
    pub fn failure(&self) -> Option<Problem> {
        self.state.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until the target has taken nothing for too long though something is there for it. What the
    /// machines between buffer counts as taken, so that this says nothing of the last megabytes.
    async fn stalled(&self) -> Problem {
        let (mut seen, mut since) = (self.sent(), tokio::time::Instant::now());
        while since.elapsed() < self.outlet.stall {
            tokio::time::sleep(self.outlet.stall / 8).await;
            let (sent, offered) = (self.sent(), self.state.offered.load(Ordering::Relaxed));
            if sent != seen || offered == sent {
                (seen, since) = (sent, tokio::time::Instant::now());
            }
        }
        let words = format!("the target took no byte for {}", crate::domain::time::duration(self.outlet.stall));
        Problem::new(ProblemKind::Unreachable, words, &self.outlet.shown)
            .advise("it restores only whole uploads, so nothing changed there; look at its load and disk, then try again")
    }

    /// Waits until the pump gives up: the source is lost, the hash is wrong, or the target takes nothing.
    pub async fn given_up(&self) -> Problem {
        tokio::select! {
            () = self.state.given_up.cancelled() => {}
            problem = self.stalled() => return problem,
        }
        self.failure().unwrap_or_else(|| Problem::new(ProblemKind::Failed, "the transfer stopped", ""))
    }
}

fn body(receiver: mpsc::Receiver<std::io::Result<Bytes>>, state: Arc<State>, progress: Progress, at_end: impl AtEnd) -> Body {
    let begin = (receiver, state, progress, Some(Box::pin(at_end)));
    stream::unfold(begin, |(mut receiver, state, progress, mut at_end)| async move {
        match receiver.recv().await {
            Some(item) => {
                if let Ok(chunk) = &item {
                    state.sent.fetch_add(chunk.len() as u64, Ordering::Relaxed);
                    progress.add(chunk.len() as u64);
                }
                Some((item, (receiver, state, progress, at_end)))
            }
            None => {
                // A pump that was stopped ends its body early, and that is no end: of a body without a length the target
                // could not tell.
                let whole = state.sent.load(Ordering::Relaxed) >= state.size.load(Ordering::Relaxed);
                let goes_on = match at_end.take() {
                    Some(at_end) if whole => at_end.await.unwrap_or_else(|problem| {
                        state.fail(problem);
                        false
                    }),
                    Some(_) => false,
                    None => true,
                };
                // What the target has must not look whole to it.
                (!goes_on).then(|| {
                    let stopped = std::io::Error::other("stopped before the last byte was acknowledged");
                    (Err(stopped), (receiver, state, progress, None))
                })
            }
        }
    })
    .boxed()
}

/// The queue to the target.
struct Feed {
    chunks: mpsc::Sender<std::io::Result<Bytes>>,
    throttle: Throttle,
    state: Arc<State>,
}

impl Feed {
    async fn send(&self, chunk: Bytes) {
        let length = chunk.len() as u64;
        self.throttle.pass(length).await;
        self.state.offered.fetch_add(length, Ordering::Relaxed);
        if self.chunks.send(Ok(chunk)).await.is_err() {
            // The request is over; its own error says why.
            std::future::pending::<()>().await;
        }
    }
}

/// Counts bytes, and the zeros at their end.
#[derive(Default)]
struct End {
    size: u64,
    zeros: u64,
}

impl End {
    fn take(&mut self, chunk: &[u8]) {
        let zeros = chunk.iter().rev().take_while(|byte| **byte == 0).count();
        self.zeros = if zeros == chunk.len() { self.zeros + zeros as u64 } else { zeros as u64 };
        self.size += chunk.len() as u64;
    }

    /// Whole blocks, of which the last two are zeros.
    fn is_of_a_tar(&self) -> bool {
        self.size >= 1024 && self.size.is_multiple_of(512) && self.zeros >= 1024
    }
}

/// Passes a stream on, and reads its headers on the way: a server that fails midway ends its answer as if it were whole.
async fn relay_stream(mut download: Download, line: Line, shown: String, feed: Feed) -> Outcome {
    let advice = "the target was not given the last bytes, so it restored nothing; try again";
    let (mut splitter, mut size, mut held) = (Splitter::new(|_| false), 0, Bytes::new());
    loop {
        let next = next_chunk(&mut download.body, line.stall, &shown).await;
        let Some(chunk) = next.map_err(|error| error.into_problem(&shown).advise(advice))? else { break };
        line.throttle.pass(chunk.len() as u64).await;
        splitter.push(&chunk);
        size += chunk.len() as u64;
        let before = std::mem::replace(&mut held, chunk);
        if !before.is_empty() {
            feed.send(before).await;
        }
    }
    splitter.finish().map_err(|why| {
        let words = format!("the stream is not whole: {why}");
        Problem::new(ProblemKind::Difference, words, &shown).advise(advice)
    })?;
    feed.state.size.store(size, Ordering::Relaxed);
    if !held.is_empty() {
        feed.send(held).await;
    }
    Ok(())
}

/// Reads a source in order, opening it again where it broke.
struct Relay<'a> {
    source: &'a dyn Source,
    expected: &'a Expected,
    line: &'a Line,
    notes: &'a Progress,
    wants_end: bool,
}

impl Relay<'_> {
    async fn run(&self, feed: Feed) -> Outcome {
        let size = self.expected.size;
        let mut hasher = Sha256::new();
        let mut backoff = Backoff::new(self.line.first_wait, size);
        let mut answer: Option<Download> = None;
        let mut noted = false;
        let (mut at, mut held) = (0, Bytes::new());
        let mut end = End::default();
        while at < size {
            let chunk = match self.next(&mut answer, at).await {
                Ok(chunk) => chunk,
                Err(error) if error.kind == ApiErrorKind::Changed => return Err(changed(self.source)),
                Err(error) => {
                    answer = None;
                    let wait = if self.expected.ranged { backoff.next_wait(&error) } else { None };
                    let Some(wait) = wait else { return Err(self.broken(at, error)) };
                    count_down(self.notes, wait, backoff.tries(), &error.message, || {}).await;
                    noted = true;
                    continue;
                }
            };
            backoff.progressed(chunk.len() as u64);
            if std::mem::take(&mut noted) {
                self.notes.note("");
            }
            self.line.throttle.pass(chunk.len() as u64).await;
            hasher.update(&chunk);
            end.take(&chunk);
            at += chunk.len() as u64;
            let before = std::mem::replace(&mut held, chunk);
            if !before.is_empty() {
                feed.send(before).await;
            }
        }
        let found = hex(&hasher.finalize());
        let _ = feed.state.sha256.set(found.clone());
        if let Some(sha256) = self.expected.sha256.as_ref().filter(|sha256| **sha256 != found) {
            let words = format!("the source sent other bytes than it lists: sha256 is {found} instead of {sha256}");
            return Err(Problem::new(ProblemKind::Difference, words, self.source.shown())
                .advise("the target was not given the last bytes, so it restored nothing; use another recovery point, or take a new snapshot"));
        }
        if self.expected.sha256.is_none() && self.wants_end && !end.is_of_a_tar() {
            return Err(Problem::new(ProblemKind::Difference, "the archive has no end: it is cut", self.source.shown())
                .advise("the target was not given the last bytes, so it restored nothing; use another recovery point, or take a new snapshot"));
        }
        if !held.is_empty() {
            feed.send(held).await;
        }
        Ok(())
    }

    /// The next bytes from offset `at`.
    async fn next(&self, answer: &mut Option<Download>, at: u64) -> Result<Bytes, ApiError> {
        let cut = |words: &str| ApiError::new(ApiErrorKind::Cut, "read the snapshot", self.source.shown(), words);
        let open = match answer {
            Some(open) => open,
            None => {
                let etag = self.expected.etag.clone();
                let opened = self.source.open(&Wanted { from: at, to: None, etag }).await?;
                if self.expected.ranged && opened.etag != self.expected.etag {
                    return Err(ApiError::new(ApiErrorKind::Changed, "read the snapshot", self.source.shown(), "it changed"));
                }
                if let Some(total) = opened.total.filter(|total| *total != self.expected.size) {
                    return Err(cut(&format!("the answer has {total} bytes, the file {}", self.expected.size)));
                }
                if opened.from != at {
                    return Err(cut("the server gives no ranges any more"));
                }
                answer.insert(opened)
            }
        };
        match next_chunk(&mut open.body, self.line.stall, self.source.shown()).await? {
            Some(chunk) if at + chunk.len() as u64 > self.expected.size => {
                Err(ApiError::new(ApiErrorKind::Changed, "read the snapshot", self.source.shown(), "it is longer than listed"))
            }
            Some(chunk) => Ok(chunk),
            None => Err(cut("the connection ended before the file did")),
        }
    }

    fn broken(&self, at: u64, error: ApiError) -> Problem {
        let resumes = if self.expected.ranged { "" } else { ", and its server gives no ranges to go on from there" };
        let (at, size) = (size::bytes(at), size::bytes(self.expected.size));
        let kind = error.clone().into_problem("").kind;
        if error.kind == ApiErrorKind::Differs {
            // Which of the objects that it is made of.
            return Problem::new(kind, format!("{}: {}", error.url, error.message), self.source.shown())
                .advise("the target was not given the last bytes; use another recovery point");
        }
        let words = format!("the source broke after {at} of {size}{resumes}: {}", error.message);
        Problem::new(kind, words, self.source.shown())
            .advise("the target restores only whole uploads, so nothing changed there; try again")
    }
}

async fn read_file(file: File, path: PathBuf, size: u64, feed: Feed) -> Outcome {
    let (chunks, mut read) = mpsc::channel(2);
    let reading = tokio::task::spawn_blocking(move || -> std::io::Result<()> {
        let mut file = file.take(size);
        loop {
            let mut buffer = vec![0; STEP];
            let n = file.read(&mut buffer)?;
            buffer.truncate(n);
            if n == 0 || chunks.blocking_send(Bytes::from(buffer)).is_err() {
                return Ok(());
            }
        }
    });
    let mut at = 0;
    while let Some(chunk) = read.recv().await {
        at += chunk.len() as u64;
        feed.send(chunk).await;
    }
    let read = reading.await.map_err(std::io::Error::other).and_then(|read| read);
    read.map_err(|error| disk_problem("read", &path, &error))?;
    if at < size {
        let words = format!("the file became shorter while it was read: {at} instead of {size} bytes");
        return Err(Problem::new(ProblemKind::Failed, words, path.display().to_string()).advise("who writes it? Try again then"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn download(chunks: Vec<Bytes>) -> Download {
        let body = stream::iter(chunks.into_iter().map(Ok)).boxed();
        Download { body, from: 0, to: None, length: None, total: None, etag: None, ranged: false }
    }

    fn outlet() -> Outlet {
        Outlet { throttle: Throttle::new(None), stall: Duration::from_secs(5), shown: "target".into(), wants_end: true }
    }

    fn archive() -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(30_000);
        builder.append_data(&mut header, "segments/a", [7_u8; 30_000].as_slice()).unwrap();
        builder.into_inner().unwrap()
    }

    fn pumped(bytes: &[u8]) -> (Pump, Body) {
        let chunks = bytes.chunks(700).map(Bytes::copy_from_slice).collect();
        let progress = Progress::default();
        Pump::from_stream(download(chunks), Line::default(), "source".into(), outlet(), &progress, std::future::ready(Ok(true)))
    }

    #[tokio::test]
    async fn a_stream_is_passed_on_when_it_is_whole() {
        let whole = archive();
        let (pump, body) = pumped(&whole);
        let all: Vec<Bytes> = body.map(Result::unwrap).collect().await;
        assert_eq!(all.concat(), whole);
        assert_eq!(pump.sent(), whole.len() as u64);
    }

    #[tokio::test]
    async fn a_stream_that_ends_too_early_never_looks_whole() {
        let whole = archive();
        let (pump, body) = pumped(&whole[..whole.len() - 1024]);
        let last = body.collect::<Vec<_>>().await.pop().unwrap();
        assert!(last.is_err());
        assert!(pump.failure().unwrap().message.contains("not whole"));
    }

    /// More than its queue holds. A body without a length that just ended would be taken for the whole.
    #[tokio::test]
    async fn a_pump_that_was_stopped_breaks_its_body_off() {
        let (pump, mut body) = pumped(&archive());
        let first = body.next().await.unwrap();
        assert!(first.is_ok());
        drop(pump);
        let mut last = first;
        while let Some(next) = body.next().await {
            last = next;
            if last.is_err() {
                break;
            }
        }
        assert!(last.is_err());
    }
}
