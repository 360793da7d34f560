//! Who works on a target: one atomic claim, a locked file for each target. It is found again after any number of other
//! operations, and is gone with its process, however that ends.

use crate::domain::hex::hex;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::text::one_line;
use crate::jobs::progress::Progress;
use crate::ops::journal::Journal;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::time::Duration;

/// How often a claim is tried again that is waited for.
const POLL: Duration = Duration::from_millis(200);

/// How long the other one may take to write its name into its claim.
const NAMING: Duration = Duration::from_millis(50);
const NAMING_TRIES: u32 = 20;

/// A claim is one line; more is not ours.
const MAX_CLAIM: u64 = 4 << 10;

/// A claim that was made. It is given up when this is dropped.
#[derive(Debug)]
pub struct Claim(Option<File>);

/// Who has a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The verb.
    pub operation: String,
    /// Its id in the journal.
    pub id: String,
    /// By whom.
    pub who: String,
}

impl Claim {
    /// Child processes started from now on hold it, too: it is given up when the last of them is gone, however this process
    /// ends.
    pub(in crate::ops) fn inherit(&self) {
        if let Some(file) = &self.0 {
            let _ = rustix::io::fcntl_setfd(file, rustix::io::FdFlags::empty());
        }
    }

    /// Writes who has it.
    pub(in crate::ops) fn name(&self, holder: &Holder) {
        let Some(mut file) = self.0.as_ref() else { return };
        let line = serde_json::to_vec(holder).unwrap_or_default();
        // A claim without a name is still a claim.
        let _ = file.rewind().and_then(|()| file.set_len(0)).and_then(|()| file.write_all(&line));
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // The next process must not read our name.
        if let Some(file) = &self.0 {
            let _ = file.set_len(0);
        }
    }
}

enum Tried {
    Made(Claim),
    Taken(File),
}

impl Journal {
    fn try_claim(&self, target: &str) -> Result<Tried, std::io::Error> {
        let folder = self.claims();
        std::fs::create_dir_all(&folder)?;
        let path = folder.join(format!("{}.lock", &hex(&Sha256::digest(target.as_bytes()))[..32]));
        if path.metadata().is_ok_and(|meta| !meta.is_file()) {
            return Err(std::io::Error::other(format!("{} is not a file", path.display())));
        }
        let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
        match file.try_lock() {
            Ok(()) => {
                // What a killed process left.
                file.set_len(0)?;
                Ok(Tried::Made(Claim(Some(file))))
            }
            Err(TryLockError::WouldBlock) => Ok(Tried::Taken(file)),
            // Where files cannot be locked nothing can be claimed; plans then find the server busy.
            Err(TryLockError::Error(_)) => Ok(Tried::Made(Claim(None))),
        }
    }

    /// Claims a target, or tells who has it.
    ///
    /// # Errors
    /// When another process works on it, or the claim cannot be written.
    pub fn claim(&self, target: &str) -> Result<Claim, Problem> {
        let tried = self.try_claim(target).map_err(|error| {
            Problem::new(ProblemKind::Failed, format!("the target cannot be claimed: {error}"), target)
                .advise("free some space or set XDG_STATE_HOME to a folder that can be written; nothing was done")
        })?;
        let file = match tried {
            Tried::Made(claim) => return Ok(claim),
            Tried::Taken(file) => file,
        };
        let words = match holder(&file) {
            Some(Holder { operation, id, who }) => format!("another {operation} works on it now ({id}, by {who})"),
            None => "another process works on it now".to_owned(),
        };
        Err(Problem::new(ProblemKind::Refused, words, target)
            .advise("nothing was done; wait for it: two at a time on one collection get into each other's way"))
    }

    /// Whether anybody has it.
    pub(in crate::ops) fn is_claimed(&self, target: &str) -> bool {
        matches!(self.try_claim(target), Ok(Tried::Taken(_)))
    }

    /// Waits until no other process has this claim. `None` where it cannot be had: then nothing is protected.
    pub(in crate::ops) async fn wait_for_claim(&self, target: &str, progress: &Progress) -> Option<Claim> {
        loop {
            match self.try_claim(target) {
                Ok(Tried::Made(claim)) => return Some(claim),
                Ok(Tried::Taken(_)) => {
                    progress.note("another qsnap copies it right now: waiting");
                    tokio::time::sleep(POLL).await;
                }
                Err(_) => return None,
            }
        }
    }
}

/// Who has it: the name is written right after the claim is made.
fn holder(mut file: &File) -> Option<Holder> {
    for _ in 0..NAMING_TRIES {
        let mut text = String::new();
        let read = file.rewind().and_then(|()| file.take(MAX_CLAIM).read_to_string(&mut text));
        if let (Ok(_), Ok(holder)) = (read, serde_json::from_str::<Holder>(&text)) {
            let clean = |text: &str| one_line(text, 130);
            return Some(Holder { operation: clean(&holder.operation), id: clean(&holder.id), who: clean(&holder.who) });
        }
        std::thread::sleep(NAMING);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicU32, Ordering};

    fn me() -> Holder {
        Holder { operation: "restore".into(), id: "20261122-1".into(), who: "ada@bastion".into() }
    }

    #[test]
    fn one_has_it_and_the_others_are_told_who() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::new(dir.path(), "ada@bastion");
        let claim = journal.claim("a/x").unwrap();
        claim.name(&me());
        let refused = journal.claim("a/x").unwrap_err();
        assert_eq!(refused.kind, ProblemKind::Refused);
        assert_eq!(refused.message, "another restore works on it now (20261122-1, by ada@bastion)");
        assert!(journal.claim("a/y").is_ok(), "another target");
        drop(claim);
        assert!(journal.claim("a/x").is_ok());
    }

    #[test]
    fn of_many_at_once_exactly_one_wins() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::new(dir.path(), "");
        for _ in 0..50 {
            let (won, barrier) = (AtomicU32::new(0), Barrier::new(4));
            let all_tried = Barrier::new(4);
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        barrier.wait();
                        let claim = match journal.try_claim("a/x").unwrap() {
                            Tried::Made(claim) => Some(claim),
                            Tried::Taken(_) => None,
                        };
                        won.fetch_add(u32::from(claim.is_some()), Ordering::SeqCst);
                        all_tried.wait();
                    });
                }
            });
            assert_eq!(won.load(Ordering::SeqCst), 1);
        }
    }

    #[test]
    fn what_is_not_a_file_is_refused_and_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::new(dir.path(), "");
        drop(journal.claim("a/x").unwrap());
        let path = std::fs::read_dir(journal.claims()).unwrap().next().unwrap().unwrap().path();
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert_eq!(journal.claim("a/x").unwrap_err().kind, ProblemKind::Failed);
    }
}
