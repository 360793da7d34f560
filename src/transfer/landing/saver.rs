//! The thread that flushes a landing and saves which ranges are there.

use crate::transfer::landing::shared::{Medium, Shared};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// When the state is saved first; then after twice as long each time.
const FIRST_CHECKPOINT: Duration = Duration::from_millis(200);

/// How often the state is saved at last.
const CHECKPOINT: Duration = Duration::from_secs(2);

/// Bytes that are flushed while the next ones arrive, so that the last sync has little left to do.
const FLUSH: u64 = 64 << 20;

/// How often it is looked whether something has to be flushed or saved.
const FLUSH_LOOK: Duration = Duration::from_millis(50);

/// Flushes and saves until `stops` closes; the first sync that fails is the result.
pub(super) fn keep_saving<M: Medium>(shared: &Shared<M>, stops: &Receiver<()>) -> std::io::Result<()> {
    let (mut looks, mut flushed, mut due) = (0, shared.spans().total(), FIRST_CHECKPOINT);
    while stops.recv_timeout(FLUSH_LOOK) == Err(RecvTimeoutError::Timeout) {
        looks += 1;
        let written = shared.spans().total();
        if FLUSH_LOOK * looks >= due {
            shared.checkpoint()?;
            (looks, flushed, due) = (0, written, (due * 2).min(CHECKPOINT));
        } else if written - flushed >= FLUSH {
            shared.sync()?;
            flushed = written;
        }
    }
    Ok(())
}
