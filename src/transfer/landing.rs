//! A file that becomes visible only when it is whole: `.part`, hash while writing, fsync, rename.

use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::text::sanitise;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Chunks that may wait for the disk.
const QUEUE: usize = 8;

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Bytes.
    pub size: u64,
    /// sha256 in hex.
    pub sha256: String,
    /// Whether the file ends as a tar does, in two blocks of zeros.
    pub ends_as_tar: bool,
}

/// A file on its way. Writing and hashing happen on a thread of their own.
pub struct Landing {
    part: PathBuf,
    target: PathBuf,
    chunks: Option<mpsc::Sender<Bytes>>,
    writer: JoinHandle<std::io::Result<(File, Written)>>,
}

/// The `.part` name beside a target.
pub fn part_path(target: &Path) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_os_string();
    name.push(".part");
    target.with_file_name(name)
}

impl Landing {
    /// Opens `<target>.part`, replacing what an earlier try left there.
    pub fn open(target: &Path) -> Result<Self, Problem> {
        let part = part_path(target);
        let file = File::create(&part).map_err(|error| disk_problem("open", &part, &error))?;
        let (chunks, receiver) = mpsc::channel(QUEUE);
        let writer = tokio::task::spawn_blocking(move || write_all(file, receiver));
        Ok(Self { part, target: target.to_owned(), chunks: Some(chunks), writer })
    }

    /// Hands a chunk to the disk; waits when the disk is slower than the network.
    pub async fn write(&mut self, chunk: Bytes) -> Result<(), Problem> {
        let accepted = match &self.chunks {
            Some(chunks) => chunks.send(chunk).await.is_ok(),
            None => false,
        };
        if accepted {
            return Ok(());
        }
        self.chunks = None;
        Err(match (&mut self.writer).await {
            Ok(Err(error)) => disk_problem("write", &self.part, &error),
            _ => Problem::new(ProblemKind::Failed, "the writer stopped", self.part.display().to_string()),
        })
    }

    /// Waits until all is on disk and synced. The name is still `.part`.
    pub async fn finish(mut self) -> Result<(Written, Ready), Problem> {
        self.chunks = None;
        let failed = |error: std::io::Error| disk_problem("write", &self.part, &error);
        let (file, written) = self.writer.await.map_err(|error| failed(std::io::Error::other(error)))?.map_err(failed)?;
        drop(file);
        Ok((written, Ready { part: self.part, target: self.target }))
    }
}

/// A whole file that waits for its final name.
#[derive(Debug)]
pub struct Ready {
    part: PathBuf,
    target: PathBuf,
}

impl Ready {
    /// Gives it its final name. An existing file is replaced only when `overwrite` says so.
    pub fn publish(self, overwrite: bool) -> Result<PathBuf, Problem> {
        let renamed = if overwrite {
            std::fs::rename(&self.part, &self.target)
        } else {
            // A link never replaces: no race with somebody who made the file meanwhile.
            match std::fs::hard_link(&self.part, &self.target) {
                Ok(()) => std::fs::remove_file(&self.part),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(error),
                Err(_) if !self.target.exists() => std::fs::rename(&self.part, &self.target),
                Err(error) => Err(error),
            }
        };
        renamed.map_err(|error| disk_problem("name", &self.target, &error))?;
        sync_folder(&self.target);
        Ok(self.target)
    }

    /// Keeps it as `.corrupt`, for whoever wants to look; never under the final name.
    pub fn keep_as_corrupt(self) -> PathBuf {
        let mut name = self.target.file_name().unwrap_or_default().to_os_string();
        name.push(".corrupt");
        let corrupt = self.target.with_file_name(name);
        match std::fs::rename(&self.part, &corrupt) {
            Ok(()) => corrupt,
            Err(_) => self.part,
        }
    }
}

fn sync_folder(path: &Path) {
    if let Some(folder) = path.parent().and_then(|folder| File::open(folder).ok()) {
        let _ = folder.sync_all();
    }
}

fn write_all(mut file: File, mut chunks: mpsc::Receiver<Bytes>) -> std::io::Result<(File, Written)> {
    let mut hasher = Sha256::new();
    let mut size = 0_u64;
    let mut zeros = 0_u64;
    while let Some(chunk) = chunks.blocking_recv() {
        file.write_all(&chunk)?;
        hasher.update(&chunk);
        size += chunk.len() as u64;
        let tail = chunk.iter().rev().take_while(|byte| **byte == 0).count() as u64;
        zeros = if tail == chunk.len() as u64 { zeros + tail } else { tail };
    }
    file.sync_all()?;
    let ends_as_tar = size >= 1024 && size.is_multiple_of(512) && zeros >= 1024;
    Ok((file, Written { size, sha256: hex(&hasher.finalize()), ends_as_tar }))
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A problem with a local file, with what to do about the usual causes.
pub fn disk_problem(what: &str, path: &Path, error: &std::io::Error) -> Problem {
    let words = error.to_string();
    let words = words.split(" (os error").next().unwrap_or(&words).to_lowercase();
    let advice = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "free some space, or choose another folder; nothing was left under the final name"
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => "choose a folder that you may write to",
        ErrorKind::NotFound => "check the path: the folder must exist",
        ErrorKind::AlreadyExists => "choose another name or folder, or say that it may be overwritten (--overwrite)",
        _ => "check the disk and the path",
    };
    Problem::new(ProblemKind::Failed, format!("cannot {what} the file: {words}"), sanitise(&path.display().to_string()))
        .advise(advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn land(target: &Path, chunks: &[&[u8]]) -> (Written, Ready) {
        let mut landing = Landing::open(target).unwrap();
        for chunk in chunks {
            landing.write(Bytes::copy_from_slice(chunk)).await.unwrap();
        }
        landing.finish().await.unwrap()
    }

    #[tokio::test]
    async fn a_file_is_visible_only_when_published() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("a.snapshot");
        let (written, ready) = land(&target, &[b"ab", b"c"]).await;
        assert_eq!(written.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert!(!target.exists() && part_path(&target).exists());
        ready.publish(false).unwrap();
        assert!(target.exists() && !part_path(&target).exists());
    }

    #[tokio::test]
    async fn an_existing_file_survives() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("a.snapshot");
        std::fs::write(&target, "precious").unwrap();
        let (_, ready) = land(&target, &[b"new"]).await;
        let problem = ready.publish(false).unwrap_err();
        assert!(problem.advice.contains("--overwrite"), "{problem:?}");
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "precious");
        let (_, ready) = land(&target, &[b"new"]).await;
        ready.publish(true).unwrap();
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "new");
    }

    #[tokio::test]
    async fn tar_ends_are_seen_across_chunks() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("a");
        let (written, _) = land(&target, &[&[1; 512], &[0; 1000], &[0; 24]]).await;
        assert!(written.ends_as_tar);
        let (written, _) = land(&target, &[&[1; 512], &[0; 1000], &[0; 23], &[7]]).await;
        assert!(!written.ends_as_tar);
        let (written, _) = land(&target, &[&[0; 512]]).await;
        assert!(!written.ends_as_tar);
    }

    #[tokio::test]
    async fn a_missing_folder_is_explained() {
        let problem = Landing::open(Path::new("/no/such/folder/x")).err().unwrap();
        assert!(problem.advice.contains("must exist"), "{problem:?}");
    }
}
