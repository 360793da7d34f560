//! The thread that writes what arrives, wherever in the file it belongs. A full disk stops it until there is room. Beside it run
//! the hash, from the chunks as they pass or from the disk where they came out of order, and the saver.

use crate::transfer::hashing::{self, Digest};
use crate::transfer::landing::saver::keep_saving;
use crate::transfer::landing::shared::{Medium, Shared, Written};
use crate::transfer::{disk, part};
use bytes::Bytes;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{channel, sync_channel};
use std::time::Duration;
use tokio::sync::mpsc;

/// Chunks that may wait for the hash; those that find no room are read back from the disk.
const HASH_QUEUE: usize = 12;

/// How often a full disk is tried again.
const FULL_RETRY: Duration = Duration::from_millis(500);

/// How long a full disk is waited for.
const FULL_PATIENCE: Duration = Duration::from_secs(30 * 60);

pub(super) fn run<M: Medium>(shared: &Shared<M>, mut chunks: mpsc::Receiver<(u64, Bytes)>) -> std::io::Result<Written> {
    // After a crash before the first checkpoint a resume should at least find the name of the file.
    let begun = until_room(shared, &chunks, || shared.file.reserve(shared.expected.size)).and_then(|()| shared.checkpoint());
    std::thread::scope(|threads| {
        let (passing, to_hash) = sync_channel::<(u64, Bytes)>(HASH_QUEUE);
        let (stop_saving, saving_stops) = channel::<()>();
        let broken_off = || !shared.whole.load(Ordering::Acquire);
        let closing = Arc::new(AtomicBool::new(false));
        let closed = closing.clone();
        let digest = threads.spawn(move || {
            let read = |buffer: &mut [u8], at: u64| shared.file.read_exact_at(buffer, at);
            let end_of_run = |at| shared.spans().run_end(at);
            let gave_up = || closed.load(Ordering::Acquire) && broken_off();
            hashing::follow(&to_hash, read, end_of_run, &shared.hashed, gave_up)
        });
        let saver = threads.spawn(move || keep_saving(shared, &saving_stops));
        let written = begun.and_then(|()| {
            while let Some((at, chunk)) = chunks.blocking_recv() {
                // What the disk dropped once has to be fetched again: nothing is won by going on.
                if shared.unsynced.load(Ordering::Acquire) {
                    return Err(std::io::Error::other("an earlier sync failed"));
                }
                until_room(shared, &chunks, || shared.file.write_all_at(&chunk, at))?;
                let end = at + chunk.len() as u64;
                // Before it is known as written: the hash takes it from here rather than from the disk.
                let _ = passing.try_send((at, chunk));
                shared.spans().insert(at, end);
            }
            Ok(())
        });
        // No sender may wait for a queue that is no longer read.
        chunks.close();
        closing.store(true, Ordering::Release);
        drop((passing, stop_saving));
        let saved = saver.join().unwrap_or_else(|_| Err(std::io::Error::other("saving crashed")));
        // Why a sync failed says more than that it did.
        let written = saved.and(written);
        if written.is_err() || broken_off() {
            shared.whole.store(false, Ordering::Release);
            let _ = digest.join();
            leave(shared);
            return written.and(Err(std::io::Error::from(ErrorKind::Interrupted)));
        }
        let synced = shared.sync();
        let digest = digest.join().map_err(|_| std::io::Error::other("hashing crashed"))??;
        if broken_off() {
            leave(shared);
            return Err(std::io::Error::from(ErrorKind::Interrupted));
        }
        synced?;
        describe(shared, digest)
    })
}

fn describe<M: Medium>(shared: &Shared<M>, digest: Digest) -> std::io::Result<Written> {
    let size = shared.spans().total();
    let mut end = [1; 1024];
    if size >= 1024 {
        shared.file.read_exact_at(&mut end, size - 1024)?;
    }
    let ends_as_tar = size.is_multiple_of(512) && end.iter().all(|byte| *byte == 0);
    Ok(Written { size: digest.size.max(size), sha256: digest.sha256, ends_as_tar })
}

/// A file that was broken off stays where it can be resumed, and goes where it cannot.
fn leave<M: Medium>(shared: &Shared<M>) {
    if shared.expected.ranged && !shared.spans().is_empty() {
        let _ = shared.checkpoint();
    } else {
        if shared.is_named() {
            let _ = part::remove(&shared.target);
        }
    }
}

/// Repeats `work` while the disk is full, until there is room, the caller is gone, or patience ends.
fn until_room<M: Medium>(
    shared: &Shared<M>,
    chunks: &mpsc::Receiver<(u64, Bytes)>,
    work: impl Fn() -> std::io::Result<()>,
) -> std::io::Result<()> {
    let mut waited = Duration::ZERO;
    loop {
        let result = work();
        let full = result.as_ref().is_err_and(disk::is_full);
        // A queue that is closed while all has arrived still waits for its last chunks to be written.
        let abandoned = chunks.is_closed() && !shared.whole.load(Ordering::Acquire);
        if !full || waited >= FULL_PATIENCE || abandoned {
            if shared.paused.load(Ordering::Relaxed) {
                shared.progress.note("");
                shared.paused.store(false, Ordering::Release);
            }
            return result;
        }
        // At each try: a retry of some stream may have said something else meanwhile.
        let missing = shared.expected.size.saturating_sub(shared.spans().total());
        let missing = crate::domain::size::bytes(missing);
        shared.progress.note(&format!("the disk is full: make room for {missing}, then it continues"));
        // After the note, so that the pause never shows without its reason.
        shared.paused.store(true, Ordering::Release);
        std::thread::sleep(FULL_RETRY);
        waited += FULL_RETRY;
    }
}
