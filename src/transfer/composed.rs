//! A file that is put together on the fly, out of ranges of others, bytes of its own and holes. It is nowhere a file: what a
//! reader asks for is fetched while it reads.

use crate::qdrant::api::{ApiResult, Download, Wanted};
use crate::qdrant::error::{ApiError, ApiErrorKind};
use crate::transfer::source::{Expected, Source};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Bytes of a hole that are given at once.
const ZEROS: usize = 64 << 10;

/// A piece of the file.
#[derive(Clone)]
pub enum Piece {
    /// Bytes of another file.
    Range {
        /// Which.
        of: Arc<Part>,
        /// Offset of the first byte in it.
        start: u64,
        /// Bytes.
        length: u64,
    },
    /// The same, made of pieces of which the hashes are known: what is read whole is compared.
    Proven {
        /// Which.
        of: Arc<Part>,
        /// Offset of the first byte in it.
        start: u64,
        /// Where each ends, counted from `start`, and its sha256.
        parts: Vec<(u64, Sha)>,
        /// Bytes at the front that are compared and not given out: reading was broken off behind them.
        passed: u64,
    },
    /// These.
    Own(Bytes),
    /// Zeros.
    Hole(u64),
}

/// A sha256.
pub type Sha = [u8; 32];

/// A file that pieces come from.
pub struct Part {
    /// Where its bytes come from.
    pub source: Arc<dyn Source>,
    /// What is known of it: it must not change.
    pub expected: Expected,
}

impl Piece {
    fn length(&self) -> u64 {
        match self {
            Self::Range { length, .. } | Self::Hole(length) => *length,
            Self::Proven { parts, passed, .. } => total(parts) - passed,
            Self::Own(bytes) => bytes.len() as u64,
        }
    }

    /// The bytes `from..to` of it. `whole`: a piece is read from its front all the same, so that it can be compared.
    fn cut(&self, (from, to): (u64, u64), whole: bool) -> Vec<Self> {
        let range = |of: &Arc<Part>, start: u64, length: u64| Self::Range { of: of.clone(), start, length };
        match self {
            Self::Range { of, start, .. } => vec![range(of, start + from, to - from)],
            Self::Proven { of, start, parts, .. } => {
                let (mut cut, mut inner): (Vec<Self>, Option<Self>) = (Vec::new(), None);
                let first = parts.partition_point(|(end, _)| *end <= from);
                let mut begin = first.checked_sub(1).map_or(0, |before| parts[before].0);
                for (end, sha) in &parts[first..] {
                    if begin >= to {
                        break;
                    }
                    let behind = from.saturating_sub(begin);
                    if *end > to || (behind > 0 && !whole) {
                        cut.extend(inner.take());
                        cut.push(range(of, start + begin.max(from), (*end).min(to) - begin.max(from)));
                    } else if let Some(Self::Proven { start: front, parts, .. }) = &mut inner {
                        parts.push((start + end - *front, *sha));
                    } else {
                        let parts = vec![(end - begin, *sha)];
                        inner = Some(Self::Proven { of: of.clone(), start: start + begin, parts, passed: behind });
                    }
                    begin = *end;
                }
                cut.extend(inner);
                cut
            }
            Self::Own(bytes) => vec![Self::Own(bytes.slice(from as usize..to as usize))],
            Self::Hole(_) => vec![Self::Hole(to - from)],
        }
    }

    /// Takes what follows it, where both are one range.
    fn take(&mut self, next: &Self) -> bool {
        match (self, next) {
            (Self::Range { of, start, length }, Self::Range { of: other, start: then, length: more })
                if Arc::ptr_eq(of, other) && *start + *length == *then =>
            {
                *length += more;
            }
            (Self::Proven { of, start, parts, .. }, Self::Proven { of: other, start: then, parts: more, passed: 0 })
                if Arc::ptr_eq(of, other) && *start + total(parts) == *then =>
            {
                let before = total(parts);
                parts.extend(more.iter().map(|(end, sha)| (before + end, *sha)));
            }
            (Self::Hole(length), Self::Hole(more)) => *length += more,
            _ => return false,
        }
        true
    }
}

fn total(parts: &[(u64, Sha)]) -> u64 {
    parts.last().map_or(0, |(end, _)| *end)
}

/// The file.
pub struct Composed {
    pieces: Vec<Piece>,
    size: u64,
    shown: String,
}

impl Composed {
    /// Puts it together; ranges that follow each other become one request. `shown` is what the user knows it by.
    pub fn new(pieces: impl IntoIterator<Item = Piece>, shown: String) -> Self {
        let mut merged: Vec<Piece> = Vec::new();
        for piece in pieces.into_iter().filter(|piece| piece.length() > 0) {
            if !merged.last_mut().is_some_and(|last| last.take(&piece)) {
                merged.push(piece);
            }
        }
        let size = merged.iter().map(Piece::length).sum();
        Self { pieces: merged, size, shown }
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// What a reader may expect. Its version is that of its pieces, each of which is checked when it is read.
    pub fn expected(&self) -> Expected {
        Expected { size: self.size, sha256: None, etag: Some(self.version()), ranged: true }
    }

    fn version(&self) -> String {
        format!("composed of {} pieces, {} bytes", self.pieces.len(), self.size)
    }

    /// The pieces of `from..to`.
    fn between(&self, from: u64, to: u64) -> Vec<Piece> {
        let (mut at, mut wanted) = (0, Vec::new());
        for piece in &self.pieces {
            let end = at + piece.length();
            if end > from && at < to {
                wanted.extend(piece.cut((from.max(at) - at, to.min(end) - at), to == self.size));
            }
            at = end;
        }
        wanted
    }
}

#[async_trait]
impl Source for Composed {
    async fn open(&self, wanted: &Wanted) -> ApiResult<Download> {
        let to = wanted.to.unwrap_or(self.size).min(self.size);
        let from = wanted.from.min(to);
        if wanted.etag.as_ref().is_some_and(|etag| *etag != self.version()) {
            return Err(ApiError::new(ApiErrorKind::Changed, "read the file", &self.shown, "it is another one by now"));
        }
        let pieces = self.between(from, to);
        let body = futures_util::stream::iter(pieces).then(opened).flatten();
        Ok(Download {
            body: body.boxed(),
            from,
            to: Some(to),
            length: Some(to - from),
            total: Some(self.size),
            etag: Some(self.version()),
            ranged: true,
        })
    }

    fn shown(&self) -> &str {
        &self.shown
    }
}

/// The bytes of a piece; an error ends the file.
async fn opened(piece: Piece) -> BoxStream<'static, ApiResult<Bytes>> {
    match piece {
        Piece::Own(bytes) => futures_util::stream::once(async { Ok(bytes) }).boxed(),
        Piece::Hole(length) => {
            let zeros = Bytes::from_static(&[0; ZEROS]);
            futures_util::stream::unfold(length, move |left| {
                let next = zeros.slice(..left.min(ZEROS as u64) as usize);
                async move { (left > 0).then(|| (Ok(next.clone()), left - next.len() as u64)) }
            })
            .boxed()
        }
        Piece::Range { of, start, length } => or_error(range(&of, start, length).await),
        Piece::Proven { of, start, parts, passed } => {
            let shown = of.source.shown().to_owned();
            or_error(range(&of, start, total(&parts)).await.map(|body| compared(body, parts, passed, shown)))
        }
    }
}

fn or_error(body: ApiResult<BoxStream<'static, ApiResult<Bytes>>>) -> BoxStream<'static, ApiResult<Bytes>> {
    body.unwrap_or_else(|error| futures_util::stream::once(async { Err(error) }).boxed())
}

/// The same bytes, each piece compared with its hash before its last chunk is given out.
fn compared(
    body: BoxStream<'static, ApiResult<Bytes>>,
    parts: Vec<(u64, Sha)>,
    passed: u64,
    shown: String,
) -> BoxStream<'static, ApiResult<Bytes>> {
    let lengths = parts.into_iter().scan(0, |begin, (end, sha)| {
        let length = end - std::mem::replace(begin, end);
        Some((length, sha))
    });
    let begin = (body, lengths, None::<(u64, Sha, Sha256)>, passed, Bytes::new());
    futures_util::stream::try_unfold(begin, move |(mut body, mut parts, mut current, mut passed, mut chunk)| {
        let shown = shown.clone();
        async move {
            loop {
                if chunk.is_empty() {
                    match body.next().await {
                        Some(next) => chunk = next?,
                        None => return Ok(None),
                    }
                    continue;
                }
                let more =
                    || ApiError::new(ApiErrorKind::Cut, "read a part of a file", &shown, "more bytes came than were asked for");
                let (left, expected, mut hasher) = match current.take() {
                    Some(current) => current,
                    None => parts.next().map(|(length, sha)| (length, sha, Sha256::new())).ok_or_else(more)?,
                };
                let mut piece = chunk.split_to(usize::try_from(left).unwrap_or(usize::MAX).min(chunk.len()));
                hasher.update(&piece);
                let left = left - piece.len() as u64;
                if left > 0 {
                    current = Some((left, expected, hasher));
                } else if Sha::from(hasher.finalize()) != expected {
                    let words = "other bytes came than were stored: their sha256 is another one";
                    return Err(ApiError::new(ApiErrorKind::Differs, "read a part of a file", &shown, words));
                }
                let known = passed.min(piece.len() as u64);
                passed -= known;
                let given = piece.split_off(known as usize);
                if !given.is_empty() {
                    return Ok(Some((given, (body, parts, current, passed, chunk))));
                }
            }
        }
    })
    .boxed()
}

async fn range(of: &Part, start: u64, length: u64) -> ApiResult<BoxStream<'static, ApiResult<Bytes>>> {
    let shown = of.source.shown().to_owned();
    let wrong = |kind, words: &str| Err(ApiError::new(kind, "read a part of a file", &shown, words));
    let answer = of.source.open(&Wanted { from: start, to: Some(start + length), etag: of.expected.etag.clone() }).await?;
    if answer.from != start || answer.to.is_some_and(|end| end != start + length) {
        return wrong(ApiErrorKind::Rejected, "its server gives no ranges, so that no part of it can be taken out");
    }
    if answer.total.is_some_and(|total| total != of.expected.size) {
        return wrong(ApiErrorKind::Changed, "the file is another one by now");
    }
    // Fewer bytes must not shift what follows, nor more be taken for it.
    let counted = futures_util::stream::unfold((answer.body, length, shown), |(mut body, left, shown)| async move {
        let error = |words: String| ApiError::new(ApiErrorKind::Cut, "read a part of a file", &shown, words);
        match body.next().await {
            None if left == 0 => None,
            None => Some((Err(error(format!("{left} bytes are missing"))), (futures_util::stream::empty().boxed(), 0, shown))),
            Some(Ok(chunk)) if chunk.len() as u64 > left => Some((
                Err(error("more bytes came than were asked for".into())),
                (futures_util::stream::empty().boxed(), 0, shown),
            )),
            Some(Ok(chunk)) => {
                let left = left - chunk.len() as u64;
                Some((Ok(chunk), (body, left, shown)))
            }
            Some(Err(error)) => Some((Err(error), (futures_util::stream::empty().boxed(), 0, shown))),
        }
    });
    Ok(counted.boxed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transfer::local::LocalFile;
    use proptest::prelude::*;

    async fn read(source: &dyn Source, from: u64, to: Option<u64>) -> ApiResult<Vec<u8>> {
        let mut answer = source.open(&Wanted { from, to, etag: None }).await?;
        let mut all = Vec::new();
        while let Some(chunk) = answer.body.next().await {
            all.extend_from_slice(&chunk?);
        }
        Ok(all)
    }

    async fn part(content: &[u8]) -> (tempfile::NamedTempFile, Arc<Part>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        let source = LocalFile { path: file.path().to_owned(), shown: "x".into() };
        let expected = Expected::probe(&source, 0, None).await.unwrap();
        (file, Arc::new(Part { source: Arc::new(source), expected }))
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]
        #[test]
        fn any_range_of_it_is_that_range_of_the_whole(
            pieces in proptest::collection::vec((0_u8..4, 0_u64..90, 0_u64..40), 0..8),
            (a, b) in (0_u64..400, 0_u64..400),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let content: Vec<u8> = (0..200).collect();
                let (_file, of) = part(&content).await;
                let (mut whole, mut all) = (Vec::new(), Vec::new());
                for (kind, start, length) in pieces {
                    let bytes = &content[start as usize..(start + length) as usize];
                    match kind {
                        0 => whole.push(Piece::Range { of: of.clone(), start, length }),
                        1 => whole.push(Piece::Own(Bytes::copy_from_slice(bytes))),
                        3 => whole.push(proven(&of, &content, start, &[length / 3, length - length / 3])),
                        _ => whole.push(Piece::Hole(length)),
                    }
                    all.extend(if kind == 2 { vec![0; length as usize] } else { bytes.to_vec() });
                }
                let composed = Composed::new(whole, "c".into());
                assert_eq!(composed.size(), all.len() as u64);
                let (from, to) = (a.min(b), a.max(b));
                let expected = &all[(from as usize).min(all.len())..(to as usize).min(all.len())];
                assert_eq!(read(&composed, from, Some(to)).await.unwrap(), expected);
                assert_eq!(read(&composed, from, None).await.unwrap(), &all[(from as usize).min(all.len())..]);
            });
        }
    }

    fn proven(of: &Arc<Part>, content: &[u8], start: u64, lengths: &[u64]) -> Piece {
        let mut at = start as usize;
        let part = |length: &u64| {
            at += *length as usize;
            (at as u64 - start, Sha::from(Sha256::digest(&content[at - *length as usize..at])))
        };
        Piece::Proven { of: of.clone(), start, parts: lengths.iter().map(part).collect(), passed: 0 }
    }

    #[tokio::test]
    async fn a_changed_byte_of_a_proven_piece_is_seen_also_where_reading_went_on_in_its_middle() {
        let content: Vec<u8> = (0..100).collect();
        let (file, of) = part(&content).await;
        let composed = Composed::new([proven(&of, &content, 10, &[20, 30]), proven(&of, &content, 60, &[10])], "c".into());
        assert_eq!(composed.pieces.len(), 1, "one request");
        let mut damaged = content.clone();
        damaged[35] ^= 1;
        let modified = std::fs::metadata(file.path()).unwrap().modified().unwrap();
        std::fs::write(file.path(), &damaged).unwrap();
        std::fs::File::open(file.path()).unwrap().set_modified(modified).unwrap();
        for from in [0, 20, 27, 40] {
            assert_eq!(read(&composed, from, None).await.unwrap_err().kind, ApiErrorKind::Differs, "{from}");
        }
        assert_eq!(read(&composed, 0, Some(20)).await.unwrap(), &content[10..30]);
        assert_eq!(read(&composed, 50, None).await.unwrap(), &content[60..70]);
    }

    #[tokio::test]
    async fn a_part_that_changed_or_is_too_short_is_an_error_and_no_other_bytes() {
        let (file, of) = part(b"0123456789").await;
        let range = |start, length| Composed::new([Piece::Range { of: of.clone(), start, length }, Piece::Hole(3)], "c".into());
        assert_eq!(read(&range(3, 5), 0, None).await.unwrap(), b"34567\0\0\0");
        assert!(read(&range(8, 5), 0, None).await.is_err(), "it ends before");
        std::fs::write(file.path(), b"0123456789ab").unwrap();
        assert_eq!(read(&range(3, 5), 0, None).await.unwrap_err().kind, ApiErrorKind::Changed);
    }
}
