//! Writing a large object: in parts of a bucket, some at a time and with bounded memory, or into a file of a directory. It
//! becomes visible whole or not at all.

use crate::domain::problem::{Problem, ProblemKind};
use crate::repository::fault;
use crate::repository::folder::{io_problem, part_of, sync_folder};
use bytes::{Bytes, BytesMut};
use object_store::{MultipartUpload, PutPayload};
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Smallest part: stores want at least 5 MiB.
const SMALLEST: u64 = 6 << 20;

/// Parts of one object, at most; stores allow 10 000.
const MOST_PARTS: u64 = 9_000;

/// Bytes in flight, at most, while parts have their smallest size. Each is held about twice until it is sent: with 24 MiB a backup
/// took 84 MiB (measured with 1 GiB).
const IN_FLIGHT: u64 = 12 << 20;

/// Written to the file in one go.
const STEP: usize = 1 << 20;

/// Size of each part but the last, for an object of this size.
pub fn part_size(size: u64) -> u64 {
    // Whole megabytes: some stores want equal parts, and all can be resumed by hand.
    let needed = size.div_ceil(MOST_PARTS).div_ceil(1 << 20) << 20;
    needed.max(SMALLEST)
}

/// An object that is being written.
pub struct Upload {
    sink: Sink,
    shown: String,
}

enum Sink {
    Parts(Parts),
    File { file: Arc<File>, path: PathBuf, buffer: BytesMut },
}

struct Parts {
    upload: Box<dyn MultipartUpload>,
    running: JoinSet<Result<(), object_store::Error>>,
    /// Pieces of the next part, as they came: nothing is copied.
    pieces: Vec<Bytes>,
    filled: u64,
    part: u64,
    at_once: usize,
}

impl Upload {
    pub(in crate::repository) fn in_parts(upload: Box<dyn MultipartUpload>, size: u64, shown: String) -> Self {
        let part = part_size(size);
        let at_once = usize::try_from(IN_FLIGHT / part).unwrap_or(1).max(1);
        let parts = Parts { upload, running: JoinSet::new(), pieces: Vec::new(), filled: 0, part, at_once };
        Self { sink: Sink::Parts(parts), shown }
    }

    pub(in crate::repository) fn to_file(path: PathBuf, shown: String) -> Result<Self, Problem> {
        let begin = || {
            std::fs::create_dir_all(path.parent().unwrap_or(&path))?;
            if path.exists() {
                return Err(std::io::Error::from(std::io::ErrorKind::AlreadyExists));
            }
            File::create(part_of(&path))
        };
        let file = begin().map_err(|error| io_problem(&error, "write", &shown))?;
        Ok(Self { sink: Sink::File { file: Arc::new(file), path, buffer: BytesMut::new() }, shown })
    }

    /// Takes the next bytes; waits while too many are on their way.
    ///
    /// # Errors
    /// When a part could not be written.
    pub async fn write(&mut self, chunk: Bytes) -> Result<(), Problem> {
        match &mut self.sink {
            Sink::Parts(parts) => parts.write(chunk).await.map_err(|error| fault::problem(&error, "write", &self.shown)),
            Sink::File { file, buffer, .. } => {
                buffer.extend_from_slice(&chunk);
                if buffer.len() < STEP {
                    return Ok(());
                }
                let full = buffer.split().freeze();
                let file = file.clone();
                let written = tokio::task::spawn_blocking(move || (&*file).write_all(&full)).await;
                let written = written.map_err(std::io::Error::other).and_then(|written| written);
                written.map_err(|error| io_problem(&error, "write", &self.shown))
            }
        }
    }

    /// Makes the object visible.
    ///
    /// # Errors
    /// When it cannot; then it is not visible.
    pub async fn finish(self) -> Result<(), Problem> {
        let shown = self.shown;
        match self.sink {
            Sink::Parts(parts) => parts.finish().await.map_err(|error| fault::problem(&error, "write", &shown)),
            Sink::File { file, path, buffer } => {
                let finish = move || {
                    (&*file).write_all(&buffer)?;
                    file.sync_all()?;
                    let part = part_of(&path);
                    // Never over a file that another process made meanwhile.
                    std::fs::hard_link(&part, &path).or_else(|error| match error.kind() {
                        std::io::ErrorKind::AlreadyExists => Err(error),
                        _ => std::fs::rename(&part, &path),
                    })?;
                    let _ = std::fs::remove_file(&part);
                    sync_folder(path.parent().unwrap_or(&path));
                    Ok(())
                };
                let finished = tokio::task::spawn_blocking(finish).await.map_err(std::io::Error::other).and_then(|done| done);
                finished.map_err(|error| io_problem(&error, "write", &shown))
            }
        }
    }

    /// Removes what was written.
    ///
    /// # Errors
    /// When it could not be removed: a bucket then keeps invisible parts.
    pub async fn abort(self) -> Result<(), Problem> {
        let shown = self.shown;
        match self.sink {
            Sink::Parts(mut parts) => {
                parts.running.shutdown().await;
                parts.upload.abort().await.map_err(|error| fault::problem(&error, "remove the parts of", &shown))
            }
            Sink::File { path, .. } => match std::fs::remove_file(part_of(&path)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io_problem(&error, "remove", &shown)),
                _ => Ok(()),
            },
        }
    }
}

impl Parts {
    async fn write(&mut self, mut chunk: Bytes) -> Result<(), object_store::Error> {
        while self.filled + chunk.len() as u64 >= self.part {
            let fits = usize::try_from(self.part - self.filled).unwrap_or(chunk.len());
            self.pieces.push(chunk.split_to(fits));
            self.send().await?;
        }
        if !chunk.is_empty() {
            self.filled += chunk.len() as u64;
            self.pieces.push(chunk);
        }
        Ok(())
    }

    async fn send(&mut self) -> Result<(), object_store::Error> {
        while self.running.len() >= self.at_once {
            self.one_done().await?;
        }
        let pieces = std::mem::take(&mut self.pieces);
        self.filled = 0;
        self.running.spawn(self.upload.put_part(PutPayload::from_iter(pieces)));
        Ok(())
    }

    async fn one_done(&mut self) -> Result<(), object_store::Error> {
        match self.running.join_next().await {
            Some(Ok(done)) => done,
            Some(Err(error)) => Err(object_store::Error::JoinError { source: error }),
            None => Ok(()),
        }
    }

    async fn finish(mut self) -> Result<(), object_store::Error> {
        if !self.pieces.is_empty() {
            self.send().await?;
        }
        while !self.running.is_empty() {
            self.one_done().await?;
        }
        self.upload.complete().await.map(drop)
    }
}

/// What is said of an upload that was broken off, where its remains could not be removed.
pub fn not_removed(problem: &Problem) -> Problem {
    Problem::new(ProblemKind::Failed, format!("parts may be left in the store: {}", problem.message), &problem.on)
        .advise("give the bucket a lifecycle rule that aborts incomplete multipart uploads after a day")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_large_enough_and_never_too_many() {
        for (size, part) in [(0, 6), (5 << 20, 6), (52 << 30, 6), (72 << 30, 9), (5 << 40, 583)] {
            assert_eq!(part_size(size), part << 20, "{size}");
            assert!(size.div_ceil(part_size(size)) <= 9_000);
        }
    }
}
