//! sha256 of a file while it grows.
//!
//! Chunks in order are hashed as they pass. Where they come out of order, were dropped because the hash is
//! slower than the network, or were on disk before, the file is read back: once, and mostly from the page cache.

use crate::domain::hex::hex;
use crate::domain::problem::{Problem, ProblemKind};
use crate::jobs::progress::Progress;
use crate::transfer::disk::disk_problem;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};

/// Read size.
const STEP: usize = 1 << 20;

/// What was hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// Bytes.
    pub size: u64,
    /// In hex.
    pub sha256: String,
}

struct Follower<R> {
    hasher: Sha256,
    at: u64,
    buffer: Vec<u8>,
    read: R,
}

impl<R: Fn(&mut [u8], u64) -> std::io::Result<()>> Follower<R> {
    fn take(&mut self, chunk: &[u8]) {
        self.hasher.update(chunk);
        self.at += chunk.len() as u64;
    }

    /// Hashes one step from the disk, up to `end`.
    fn read_back(&mut self, end: u64) -> std::io::Result<()> {
        let step = (end - self.at).min(STEP as u64) as usize;
        self.buffer.resize(STEP, 0);
        (self.read)(&mut self.buffer[..step], self.at)?;
        self.hasher.update(&self.buffer[..step]);
        self.at += step as u64;
        Ok(())
    }
}

/// Hashes a file from its beginning until `passing` is closed and all that `end_of_run` knows is hashed.
/// `end_of_run(at)` is the end of what is on disk without a gap from `at` on. `gave_up` ends it early.
pub fn follow(
    passing: &Receiver<(u64, Bytes)>,
    read: impl Fn(&mut [u8], u64) -> std::io::Result<()>,
    end_of_run: impl Fn(u64) -> u64,
    hashed: &AtomicU64,
    gave_up: impl Fn() -> bool,
) -> std::io::Result<Digest> {
    let mut follower = Follower { hasher: Sha256::new(), at: 0, buffer: Vec::new(), read };
    loop {
        hashed.store(follower.at, Ordering::Relaxed);
        if gave_up() {
            break;
        }
        let end = || end_of_run(follower.at);
        match passing.try_recv() {
            Ok((at, chunk)) if at == follower.at => follower.take(&chunk),
            Ok((at, chunk)) => {
                // What comes before it may be on disk already; else it is read back later.
                while follower.at < end_of_run(follower.at).min(at) {
                    follower.read_back(end_of_run(follower.at).min(at))?;
                }
                if at == follower.at {
                    follower.take(&chunk);
                }
            }
            Err(TryRecvError::Empty) if end() > follower.at => {
                let end = end();
                follower.read_back(end)?;
            }
            Err(TryRecvError::Empty) => match passing.recv() {
                Ok((at, chunk)) if at == follower.at => follower.take(&chunk),
                _ => {}
            },
            Err(TryRecvError::Disconnected) => match end() {
                end if end > follower.at => follower.read_back(end)?,
                _ => break,
            },
        }
    }
    Ok(Digest { size: follower.at, sha256: hex(&follower.hasher.finalize()) })
}

/// Hashes a local file; returns its size, sha256, and whether it ends as a tar does.
pub async fn hash_file(path: &Path, progress: &Progress) -> Result<(u64, String, bool), Problem> {
    let (path, progress) = (path.to_owned(), progress.clone());
    let hashed = tokio::task::spawn_blocking(move || {
        let read = |error: std::io::Error| disk_problem("read", &path, &error);
        let mut file = std::fs::File::open(&path).map_err(read)?;
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; STEP];
        let (mut size, mut zeros) = (0, 0);
        loop {
            let n = file.read(&mut buffer).map_err(read)?;
            if n == 0 {
                return Ok((size, hex(&hasher.finalize()), size >= 1024 && size % 512 == 0 && zeros >= 1024));
            }
            hasher.update(&buffer[..n]);
            progress.look_through(n as u64);
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
    use crate::transfer::spans::Spans;
    use std::sync::Mutex;
    use std::sync::mpsc::sync_channel;

    /// Hashes `content`, whose blocks of 100 bytes arrive in `order`; those of `dropped` are not handed over.
    fn hash(content: &[u8], order: &[usize], dropped: &[usize]) -> Digest {
        let (sender, passing) = sync_channel(100);
        let spans = Mutex::new(Spans::default());
        for block in order {
            let (from, to) = (block * 100, (block * 100 + 100).min(content.len()));
            spans.lock().unwrap().insert(from as u64, to as u64);
            if !dropped.contains(block) {
                sender.send((from as u64, Bytes::copy_from_slice(&content[from..to]))).unwrap();
            }
        }
        drop(sender);
        let read = |buffer: &mut [u8], at: u64| {
            buffer.copy_from_slice(&content[at as usize..at as usize + buffer.len()]);
            Ok(())
        };
        let end = |at| spans.lock().unwrap().run_end(at);
        follow(&passing, read, end, &AtomicU64::new(0), || false).unwrap()
    }

    #[test]
    fn any_order_gives_the_hash_of_the_file() {
        let content: Vec<u8> = (0..950_u32).map(|n| (n * 7 % 251) as u8).collect();
        let right = Digest { size: 950, sha256: hex(&Sha256::digest(&content)) };
        let in_order: Vec<usize> = (0..10).collect();
        assert_eq!(hash(&content, &in_order, &[]), right);
        assert_eq!(hash(&content, &in_order, &in_order), right, "all from the disk");
        assert_eq!(hash(&content, &[9, 8, 7, 6, 5, 4, 3, 2, 1, 0], &[3]), right);
        assert_eq!(hash(&content, &[5, 0, 1, 9, 2, 4, 3, 6, 8, 7], &[0, 7]), right);
        assert_eq!(hash(&content, &[0, 1, 3, 4, 5, 6, 7, 8, 9], &[]).size, 200, "a gap is not skipped");
    }

    #[tokio::test]
    async fn local_files_are_hashed_and_their_end_looked_at() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let mut content = vec![7; 512];
        content.extend([0; 1024]);
        std::fs::write(&path, &content).unwrap();
        let (size, sha256, ends) = hash_file(&path, &Progress::default()).await.unwrap();
        assert_eq!((size, sha256, ends), (1536, hex(&Sha256::digest(&content)), true));
        content.push(0);
        std::fs::write(&path, &content).unwrap();
        assert!(!hash_file(&path, &Progress::default()).await.unwrap().2, "a tar is made of whole blocks");
    }
}
