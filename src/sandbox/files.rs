//! Sending files: ranges, ETags and conditions as actix does it (1.18.3), throttled, with faults.

use crate::sandbox::answer::{Answer, Refusal};
use crate::sandbox::faults::{Kind, Route};
use crate::sandbox::world::{KeptFile, Node};
use axum::body::Body;
use axum::http::{HeaderMap, Response, StatusCode};
use bytes::Bytes;
use futures_util::stream;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncSeekExt};

const CHUNK: usize = 256 << 10;

enum Wanted {
    Whole,
    Part(u64, u64),
    Nothing,
}

fn wanted(range: Option<&str>, size: u64) -> Wanted {
    let Some((from, to)) = range.and_then(|text| text.strip_prefix("bytes=")?.split_once('-')) else { return Wanted::Whole };
    let last = size.saturating_sub(1);
    match (from.parse::<u64>(), to.parse::<u64>()) {
        (Ok(0), Err(_)) if to.is_empty() => Wanted::Whole,
        (Ok(from), _) if from >= size => Wanted::Nothing,
        (Ok(from), Ok(to)) if to >= from => Wanted::Part(from, to.min(last)),
        (Ok(from), Err(_)) if to.is_empty() => Wanted::Part(from, last),
        (Err(_), Ok(suffix)) if from.is_empty() && suffix > 0 => Wanted::Part(size.saturating_sub(suffix), last),
        _ => Wanted::Nothing,
    }
}

/// Sends a stored file.
pub(super) async fn send(node: &Node, name: &str, file: &KeptFile, headers: &HeaderMap) -> Result<Answer, Refusal> {
    let faults = &node.world.options.faults;
    if faults.meets(Route::Download, Kind::Vanish) {
        return Err(Refusal::no_snapshot(name));
    }
    let header = |key: &str| headers.get(key).and_then(|value| value.to_str().ok());
    let ignore_range = faults.meets(Route::Download, Kind::IgnoreRange);
    let range = header("range").filter(|_| !ignore_range);
    let stamp = file.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    if faults.meets(Route::Download, Kind::Replace) {
        node.world.generation.fetch_add(1, Ordering::Relaxed);
    }
    let generation = node.world.generation.load(Ordering::Relaxed);
    let etag = format!("\"{stamp}:{:x}:{:x}\"", file.size, file.created.as_second() + generation);
    let modified = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&file.created).unwrap_or_default();
    let mut response = Response::builder()
        .header("etag", &etag)
        .header("last-modified", modified)
        .header("content-disposition", format!("attachment; filename=\"{}\"", name.replace(['"', '\r', '\n'], "_")))
        .header("content-type", "application/octet-stream");
    if !ignore_range {
        response = response.header("accept-ranges", "bytes");
    }
    let whole = wanted(range, file.size);
    if let Wanted::Part(from, to) = whole {
        response =
            response.header("content-range", format!("bytes {from}-{to}/{}", file.size)).header("content-encoding", "identity");
    }
    let chunked = faults.meets(Route::Download, Kind::Chunked);
    let sized = |response: axum::http::response::Builder, length: u64| {
        if chunked { response } else { response.header("content-length", length) }
    };
    let finish = |response: axum::http::response::Builder, body: Body| response.body(body).map_err(Refusal::internal);
    if header("if-match").is_some_and(|expected| expected != etag && expected != "*") {
        return finish(response.status(StatusCode::PRECONDITION_FAILED).header("content-length", 0), Body::empty());
    }
    match whole {
        Wanted::Nothing => {
            let response = response.status(StatusCode::RANGE_NOT_SATISFIABLE).header("content-length", 0);
            finish(response.header("content-range", format!("bytes */{}", file.size)), Body::empty())
        }
        Wanted::Whole if header("accept-encoding").is_some_and(|encodings| encodings.contains("gzip")) => {
            finish(response.header("content-encoding", "gzip"), gzip(&file.path).await?)
        }
        Wanted::Whole => {
            let length = truncated(node, file.size);
            finish(sized(response, length), body(node, &file.path, 0, length).await?)
        }
        Wanted::Part(from, to) => {
            let length = truncated(node, to + 1 - from);
            let response = sized(response.status(StatusCode::PARTIAL_CONTENT), length);
            finish(response, body(node, &file.path, from, length).await?)
        }
    }
}

/// So many bytes come of so many, where a fault cuts an answer.
pub(super) fn truncated(node: &Node, length: u64) -> u64 {
    let faults = &node.world.options.faults;
    let cut = faults.take(Route::Download, |kind| match kind {
        Kind::Truncate(at) if at < length => Some(at),
        _ => None,
    });
    cut.unwrap_or(length)
}

/// A file's bytes as a body, at the sandbox's rate and with its faults.
pub(super) async fn body(node: &Node, path: &Path, from: u64, length: u64) -> Result<Body, Refusal> {
    let faults = &node.world.options.faults;
    // A fault at a byte meets the first answer that is long enough to have that byte.
    let reset = faults.take(Route::Download, |kind| match kind {
        Kind::Reset(at) if at < length => Some(at),
        _ => None,
    });
    let stall = faults.take(Route::Download, |kind| match kind {
        Kind::Stall(at) if at < length => Some(at),
        _ => None,
    });
    let throttle = faults.take(Route::Download, |kind| if let Kind::Throttle(rate) = kind { Some(rate) } else { None });
    let pace = Pace::new(throttle.or(node.world.options.rate));
    let mut file = tokio::fs::File::open(path).await?;
    file.seek(std::io::SeekFrom::Start(from)).await?;
    let state = (file, 0_u64, pace);
    let chunks = stream::try_unfold(state, move |(mut file, sent, pace)| async move {
        if sent >= length {
            return Ok(None);
        }
        if reset.is_some_and(|at| sent >= at) {
            return Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
        }
        if stall.is_some_and(|at| sent >= at) {
            std::future::pending::<()>().await;
        }
        let fault_at = reset.or(stall).filter(|at| *at > sent).unwrap_or(length);
        let step = (length - sent).min(CHUNK as u64).min(fault_at - sent) as usize;
        let mut chunk = vec![0; step];
        file.read_exact(&mut chunk).await?;
        let sent = sent + step as u64;
        pace.wait_for(sent).await;
        Ok(Some((Bytes::from(chunk), (file, sent, pace))))
    });
    Ok(Body::from_stream(chunks))
}

async fn gzip(path: &Path) -> Result<Body, Refusal> {
    let mut source = std::fs::File::open(path)?;
    let (reader, writer) = tokio::io::duplex(CHUNK);
    let bridge = tokio_util::io::SyncIoBridge::new(writer);
    tokio::task::spawn_blocking(move || {
        let mut encoder = flate2::write::GzEncoder::new(bridge, flate2::Compression::fast());
        std::io::copy(&mut source, &mut encoder).and_then(|_| encoder.finish()).map(drop)
    });
    Ok(Body::from_stream(tokio_util::io::ReaderStream::new(reader)))
}

/// Holds a stream to a rate.
pub(super) struct Pace {
    start: Instant,
    rate: Option<u64>,
}

impl Pace {
    /// `None` is as fast as it goes.
    pub(super) fn new(rate: Option<u64>) -> Self {
        Self { start: Instant::now(), rate }
    }

    /// Waits until `bytes` may have passed.
    pub(super) async fn wait_for(&self, bytes: u64) {
        let Some(rate) = self.rate else { return };
        let due = Duration::from_secs_f64(bytes as f64 / rate as f64);
        let passed = self.start.elapsed();
        if due > passed {
            tokio::time::sleep(due - passed).await;
        }
    }
}
