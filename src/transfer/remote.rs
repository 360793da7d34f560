//! A remote file for code that reads and blocks: by ranges where it jumps about, or once through from the start.

use crate::archive::bytes::Bytes as Archive;
use crate::domain::hex::hex;
use crate::jobs::progress::Progress;
use crate::qdrant::api::Wanted;
use crate::qdrant::error::{ApiError, ApiErrorKind};
use crate::transfer::backoff::Backoff;
use crate::transfer::hashing::Digest;
use crate::transfer::pump::Body;
use crate::transfer::source::{Expected, Line, Source, next_chunk};
use bytes::{Buf, Bytes};
use futures_util::StreamExt;
use sha2::{Digest as _, Sha256};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// First request after a jump: a header and, mostly, the small file behind it.
const SMALL: u64 = 8 << 10;

/// Largest request. Reading on without a jump doubles up to this.
const LARGE: u64 = 512 << 10;

/// What reading cost.
#[derive(Debug, Default)]
pub struct Cost {
    bytes: AtomicU64,
    requests: AtomicU64,
}

impl Cost {
    /// Bytes that came.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Requests.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }
}

/// Reads byte ranges of a file that must stay the same meanwhile.
///
/// # Errors
/// After tries that a transfer would make too; `Changed` when it was replaced.
pub async fn read_range(
    source: &dyn Source,
    expected: &Expected,
    line: &Line,
    cost: &Cost,
    (from, to): (u64, u64),
) -> Result<Vec<u8>, ApiError> {
    let mut backoff = Backoff::new(line.first_wait, from);
    loop {
        match try_range(source, expected, line, cost, (from, to)).await {
            Ok(content) => return Ok(content),
            Err(error) => match backoff.next_wait(&error) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return Err(error),
            },
        }
    }
}

async fn try_range(
    source: &dyn Source,
    expected: &Expected,
    line: &Line,
    cost: &Cost,
    (from, to): (u64, u64),
) -> Result<Vec<u8>, ApiError> {
    cost.requests.fetch_add(1, Ordering::Relaxed);
    let wrong = |kind, words: String| ApiError::new(kind, "read the snapshot", source.shown(), words);
    let mut answer = source.open(&Wanted { from, to: Some(to), etag: expected.etag.clone() }).await?;
    if answer.from != from || answer.total.is_some_and(|total| total != expected.size) {
        return Err(wrong(ApiErrorKind::Changed, "it changed on the server while it was read".into()));
    }
    let mut content = Vec::with_capacity((to - from) as usize);
    while let Some(chunk) = next_chunk(&mut answer.body, line.stall, source.shown()).await? {
        line.throttle.pass(chunk.len() as u64).await;
        cost.bytes.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        if (content.len() + chunk.len()) as u64 > to - from {
            return Err(wrong(ApiErrorKind::NotQdrant, "more bytes came than were asked for".into()));
        }
        content.extend_from_slice(&chunk);
    }
    if (content.len() as u64) < to - from {
        return Err(wrong(ApiErrorKind::Cut, format!("{} of {} bytes came", content.len(), to - from)));
    }
    Ok(content)
}

/// Ranges of a remote file, fetched when they are read.
pub struct Ranges {
    source: Arc<dyn Source>,
    expected: Expected,
    line: Line,
    cost: Arc<Cost>,
    stop: CancellationToken,
    runtime: Handle,
    at: u64,
    /// Offset of what is at hand.
    start: u64,
    window: Vec<u8>,
    ahead: u64,
}

impl Ranges {
    /// Must be made within a runtime, and read outside of its tasks.
    pub fn new(source: Arc<dyn Source>, expected: Expected, line: Line, cost: Arc<Cost>, stop: CancellationToken) -> Self {
        let runtime = Handle::current();
        Self { source, expected, line, cost, stop, runtime, at: 0, start: 0, window: Vec::new(), ahead: SMALL }
    }

    fn end(&self) -> u64 {
        self.start + self.window.len() as u64
    }

    fn fetch(&mut self) -> io::Result<()> {
        let near = self.at >= self.end() && self.at - self.end() < self.ahead && !self.window.is_empty();
        self.ahead = if near { (self.ahead * 2).min(LARGE) } else { SMALL };
        let span = (self.at, (self.at + self.ahead).min(self.expected.size));
        let work = async {
            tokio::select! {
                () = self.stop.cancelled() => Err(io::ErrorKind::Interrupted.into()),
                read = read_range(self.source.as_ref(), &self.expected, &self.line, &self.cost, span) => read.map_err(io::Error::other),
            }
        };
        // A reader would retry after `Interrupted`.
        let read = self.runtime.block_on(work).map_err(|error: io::Error| match error.kind() {
            io::ErrorKind::Interrupted => io::Error::other("stopped"),
            _ => error,
        });
        (self.start, self.window) = (self.at, read?);
        Ok(())
    }
}

impl Archive for Ranges {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.expected.size || buffer.is_empty() {
            return Ok(0);
        }
        if self.at < self.start || self.at >= self.end() {
            self.fetch()?;
        }
        let offset = (self.at - self.start) as usize;
        let n = (self.window.len() - offset).min(buffer.len());
        buffer[..n].copy_from_slice(&self.window[offset..offset + n]);
        self.at += n as u64;
        Ok(n)
    }

    fn skip(&mut self, count: u64) -> io::Result<u64> {
        let count = count.min(self.expected.size.saturating_sub(self.at));
        self.at += count;
        Ok(count)
    }
}

/// A remote file from its first byte to its last.
pub struct Through {
    body: Body,
    chunk: Bytes,
    runtime: Handle,
    stop: CancellationToken,
    progress: Progress,
    hasher: Sha256,
    came: u64,
    /// The end came: a stream must not be asked again.
    ended: bool,
}

impl Through {
    /// Must be made within a runtime, and read outside of its tasks.
    pub fn new(body: Body, progress: Progress, stop: CancellationToken) -> Self {
        Self {
            body,
            chunk: Bytes::new(),
            runtime: Handle::current(),
            stop,
            progress,
            hasher: Sha256::new(),
            came: 0,
            ended: false,
        }
    }

    /// Has the next bytes at hand, or says that there are none.
    fn next(&mut self) -> io::Result<bool> {
        while self.chunk.is_empty() {
            if self.ended {
                return Ok(false);
            }
            let work = async {
                tokio::select! {
                    () = self.stop.cancelled() => Some(Err(io::Error::other("stopped"))),
                    chunk = self.body.next() => chunk,
                }
            };
            match self.runtime.block_on(work) {
                Some(chunk) => {
                    self.chunk = chunk?;
                    self.hasher.update(&self.chunk);
                    self.came += self.chunk.len() as u64;
                }
                None => self.ended = true,
            }
        }
        Ok(true)
    }

    /// Reads what is left, and gives the hash of all.
    ///
    /// # Errors
    /// When the source breaks.
    pub fn finish(&mut self) -> io::Result<Digest> {
        self.progress.note("");
        self.skip(u64::MAX)?;
        Ok(Digest { size: self.came, sha256: hex(&self.hasher.finalize_reset()) })
    }
}

impl Archive for Through {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() || !self.next()? {
            return Ok(0);
        }
        let n = self.chunk.len().min(buffer.len());
        self.chunk.copy_to_slice(&mut buffer[..n]);
        Ok(n)
    }

    fn skip(&mut self, count: u64) -> io::Result<u64> {
        let mut left = count;
        while left > 0 && self.next()? {
            let n = left.min(self.chunk.len() as u64);
            self.chunk.advance(n as usize);
            left -= n;
        }
        Ok(count - left)
    }
}
