//! Streams of bytes: counted, hashed, and watched for stalls.

use crate::domain::problem::{Problem, ProblemKind};
use crate::jobs::progress::Progress;
use crate::transfer::landing::{disk_problem, hex};
use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt};
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// No byte for so long is a fault.
pub const STALL: Duration = Duration::from_secs(30);

/// Read size of local files.
const CHUNK: usize = 512 << 10;

/// The next chunk, or a problem when none comes for [`STALL`].
pub async fn next_chunk<E>(
    body: &mut (impl Stream<Item = Result<Bytes, E>> + Unpin),
    to_problem: impl FnOnce(E) -> Problem,
) -> Result<Option<Bytes>, Problem> {
    match tokio::time::timeout(STALL, body.next()).await {
        Ok(Some(Ok(chunk))) => Ok(Some(chunk)),
        Ok(Some(Err(error))) => Err(to_problem(error)),
        Ok(None) => Ok(None),
        Err(_) => Err(Problem::new(ProblemKind::Unreachable, format!("no byte came for {} s", STALL.as_secs()), "")
            .advise("the line or the server is stuck; try again")),
    }
}

/// sha256 of what has passed a stream, readable from outside while the stream is elsewhere.
#[derive(Clone, Default)]
pub struct RunningHash(Arc<Mutex<(Sha256, u64)>>);

impl RunningHash {
    /// Bytes so far, and their hash in hex.
    pub fn look(&self) -> (u64, String) {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (state.1, hex(&state.0.clone().finalize()))
    }

    fn update(&self, chunk: &[u8]) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.0.update(chunk);
        state.1 += chunk.len() as u64;
    }
}

/// Passes a stream through, counting and hashing; calls `at_end` when it is exhausted. Memory stays
/// at one chunk: the receiver pulls.
pub fn observed<E: Send + 'static>(
    body: BoxStream<'static, Result<Bytes, E>>,
    progress: Progress,
    hash: RunningHash,
    at_end: impl FnOnce() + Send + 'static,
) -> BoxStream<'static, Result<Bytes, E>> {
    let state = (body, progress, hash, Some(at_end));
    stream::unfold(state, |(mut body, progress, hash, mut at_end)| async move {
        let item = body.next().await;
        match item {
            Some(Ok(chunk)) => {
                hash.update(&chunk);
                progress.add(chunk.len() as u64);
                Some((Ok(chunk), (body, progress, hash, at_end)))
            }
            Some(Err(error)) => Some((Err(error), (body, progress, hash, at_end))),
            None => {
                if let Some(at_end) = at_end.take() {
                    at_end();
                }
                None
            }
        }
    })
    .boxed()
}

/// Ends a stream that gives nothing for [`STALL`] with an error.
pub fn stall_guarded(body: BoxStream<'static, std::io::Result<Bytes>>) -> BoxStream<'static, std::io::Result<Bytes>> {
    stream::unfold(Some(body), |body| async move {
        let mut body = body?;
        match tokio::time::timeout(STALL, body.next()).await {
            Ok(Some(Ok(chunk))) => Some((Ok(chunk), Some(body))),
            Ok(Some(Err(error))) => Some((Err(error), None)),
            Ok(None) => None,
            Err(_) => Some((Err(std::io::Error::from(std::io::ErrorKind::TimedOut)), None)),
        }
    })
    .boxed()
}

/// A local file as a stream, read on a thread of its own.
pub fn from_file(file: std::fs::File) -> BoxStream<'static, std::io::Result<Bytes>> {
    let (sender, receiver) = mpsc::channel(4);
    tokio::task::spawn_blocking(move || {
        let mut file = file;
        loop {
            let mut buffer = vec![0; CHUNK];
            let chunk = match file.read(&mut buffer) {
                Ok(0) => return,
                Ok(n) => {
                    buffer.truncate(n);
                    Ok(Bytes::from(buffer))
                }
                Err(error) => Err(error),
            };
            let failed = chunk.is_err();
            if sender.blocking_send(chunk).is_err() || failed {
                return;
            }
        }
    });
    stream::unfold(receiver, |mut receiver| async move { receiver.recv().await.map(|item| (item, receiver)) }).boxed()
}

/// Hashes a local file; returns its size, sha256, and whether it ends as a tar does.
pub async fn hash_file(path: &Path, progress: &Progress) -> Result<(u64, String, bool), Problem> {
    let (path, progress) = (path.to_owned(), progress.clone());
    let hashed = tokio::task::spawn_blocking(move || {
        let read = |error: std::io::Error| disk_problem("read", &path, &error);
        let mut file = std::fs::File::open(&path).map_err(read)?;
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; CHUNK];
        let (mut size, mut zeros) = (0, 0);
        loop {
            let n = file.read(&mut buffer).map_err(read)?;
            if n == 0 {
                return Ok((size, hex(&hasher.finalize()), size >= 1024 && size % 512 == 0 && zeros >= 1024));
            }
            hasher.update(&buffer[..n]);
            progress.add(n as u64);
            size += n as u64;
            let tail = buffer[..n].iter().rev().take_while(|byte| **byte == 0).count();
            zeros = if tail == n { zeros + tail } else { tail };
        }
    });
    hashed.await.unwrap_or_else(|_| Err(Problem::new(ProblemKind::Failed, "reading the file crashed", "")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stream_is_hashed_and_counted_without_change() {
        let chunks: Vec<std::io::Result<Bytes>> = vec![Ok(Bytes::from_static(b"ab")), Ok(Bytes::from_static(b"c"))];
        let (progress, hash) = (Progress::default(), RunningHash::default());
        let ended = Arc::new(Mutex::new(false));
        let flag = ended.clone();
        let body = observed(stream::iter(chunks).boxed(), progress.clone(), hash.clone(), move || *flag.lock().unwrap() = true);
        let all: Vec<Bytes> = body.map(|chunk| chunk.unwrap()).collect().await;
        assert_eq!(all.concat(), b"abc");
        assert_eq!(hash.look(), (3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".into()));
        assert_eq!(progress.sample().moved, 3);
        assert!(*ended.lock().unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_a_fault() {
        let mut body = stream::pending::<Result<Bytes, std::io::Error>>();
        let problem = next_chunk(&mut body, |_| unreachable!()).await.unwrap_err();
        assert!(problem.message.contains("no byte came for 30 s"));
        let mut guarded = stall_guarded(stream::pending().boxed());
        assert!(guarded.next().await.unwrap().is_err());
        assert!(guarded.next().await.is_none());
    }

    #[tokio::test]
    async fn files_stream_and_hash_alike() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let content = vec![7; CHUNK * 2 + 5];
        std::fs::write(&path, &content).unwrap();
        let all: Vec<Bytes> = from_file(std::fs::File::open(&path).unwrap()).map(|chunk| chunk.unwrap()).collect().await;
        assert_eq!(all.concat(), content);
        let (size, sha256, _) = hash_file(&path, &Progress::default()).await.unwrap();
        assert_eq!((size, sha256), (content.len() as u64, hex(&Sha256::digest(&content))));
    }
}
