//! INT, TERM and HUP, heard once for the whole process: one that comes between two jobs is as good as one that comes in the
//! middle of one. What a killed process left is in [`crate::ops::journal`].

use crate::domain::problem::{Problem, ProblemKind};
use std::sync::OnceLock;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// The one listener; a signal that came earlier is delivered to a later listener, too.
static LISTENER: OnceLock<Signals> = OnceLock::new();

/// Listens for them. Clones hear the same, each from where it was cloned.
#[derive(Debug, Clone)]
pub struct Signals(watch::Receiver<(u64, u8)>);

impl Signals {
    /// Begins to listen, for the rest of the process.
    ///
    /// # Errors
    /// When signals cannot be watched: then nothing should be begun that must not be torn apart.
    #[expect(clippy::disallowed_methods, reason = "one listener for the whole process")]
    pub fn listen() -> Result<Self, Problem> {
        if let Some(listener) = LISTENER.get() {
            return Ok(listener.clone());
        }
        let open = |kind| {
            signal(kind).map_err(|error| {
                Problem::new(ProblemKind::Failed, format!("signals cannot be watched: {error}"), "").advise("nothing was done")
            })
        };
        let (mut interrupt, mut terminate, mut hang_up) =
            (open(SignalKind::interrupt())?, open(SignalKind::terminate())?, open(SignalKind::hangup())?);
        let (sender, receiver) = watch::channel((0, 0));
        tokio::spawn(async move {
            loop {
                let number = tokio::select! {
                    _ = interrupt.recv() => 2,
                    _ = terminate.recv() => 15,
                    _ = hang_up.recv() => 1,
                };
                sender.send_modify(|(count, last)| (*count, *last) = (*count + 1, number));
            }
        });
        Ok(LISTENER.get_or_init(|| Self(receiver)).clone())
    }

    /// The number of the last one that this has not been told of, if there is one.
    pub fn heard(&self) -> Option<u8> {
        self.0.has_changed().unwrap_or(false).then(|| self.0.borrow().1)
    }

    /// Waits for the next one; gives its number.
    pub async fn next(&mut self) -> u8 {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        self.0.borrow_and_update().1
    }

    /// The same listener, deaf to what was heard before.
    pub fn from_now(&self) -> Self {
        let mut later = self.clone();
        later.0.mark_unchanged();
        later
    }
}
