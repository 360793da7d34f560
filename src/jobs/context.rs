//! What a job's work is given: its progress, its cleanups, and sections that a cancel must not tear apart.

use crate::domain::problem::Problem;
use crate::jobs::gate::Gate;
use crate::jobs::progress::Progress;
use crate::jobs::row::{JobId, OnCancel};
use futures_util::future::BoxFuture;
use std::any::Any;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// A cleanup that takes longer is given up, and said so.
const CLEANUP_DEADLINE: Duration = Duration::from_secs(20);

struct Cleanup {
    id: u64,
    label: String,
    work: BoxFuture<'static, Result<(), Problem>>,
}

/// What a job's work is given.
#[derive(Clone)]
pub struct JobContext {
    /// Which job.
    pub id: JobId,
    /// Where progress is counted.
    pub progress: Progress,
    cleanups: Arc<Mutex<Vec<Cleanup>>>,
    gate: Arc<Mutex<Gate>>,
    committed: Arc<Notify>,
    next_cleanup: Arc<AtomicU64>,
    resumable: Arc<Mutex<Option<String>>>,
    pub(super) record: Arc<OnceLock<String>>,
    cancel: CancellationToken,
    held: Arc<Mutex<Vec<Box<dyn Any + Send>>>>,
}

/// Names a registered cleanup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CleanupId(u64);

impl JobContext {
    pub(super) fn new(id: JobId, cancel: CancellationToken) -> Self {
        Self {
            id,
            progress: Progress::default(),
            cleanups: Arc::default(),
            gate: Arc::default(),
            committed: Arc::default(),
            next_cleanup: Arc::default(),
            resumable: Arc::default(),
            record: Arc::default(),
            held: Arc::default(),
            cancel,
        }
    }

    /// Seals a job whose parts are jobs of their own: a cancel does not end it, but is told by [`JobContext::canceled`], so
    /// that it can cancel them and wait until each is over.
    pub fn conduct(&self) -> bool {
        self.gate().conduct()
    }

    /// Returns once somebody wants it canceled.
    pub async fn canceled(&self) {
        self.cancel.cancelled().await;
    }

    /// Says what its record in the journal is called, so that its report can be found however it ends.
    pub fn recorded_as(&self, record: String) {
        let _ = self.record.set(record);
    }

    /// Registers what must be undone when the job fails or is canceled. `label` names the thing that
    /// stays behind when the cleanup fails.
    pub fn on_failure(&self, label: String, work: impl Future<Output = Result<(), Problem>> + Send + 'static) -> CleanupId {
        let id = self.next_cleanup.fetch_add(1, Ordering::Relaxed);
        self.list().push(Cleanup { id, label, work: Box::pin(work) });
        CleanupId(id)
    }

    /// Keeps something until the cleanups are over, and drops it then.
    pub fn hold(&self, thing: Box<dyn Any + Send>) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).push(thing);
    }

    pub(super) fn release(&self) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Takes a cleanup back: its thing is gone, or is wanted now.
    pub fn keep(&self, id: CleanupId) {
        self.list().retain(|cleanup| cleanup.id != id.0);
    }

    /// Says what a cancel keeps and leaves untouched, in words for the user. `None` when it keeps nothing.
    pub fn resumable(&self, words: Option<String>) {
        *self.resumable.lock().unwrap_or_else(PoisonError::into_inner) = words;
    }

    /// What a cancel would do now.
    pub(super) fn on_cancel(&self) -> OnCancel {
        let (waits, conducts) = {
            let gate = self.gate();
            (gate.waits(), gate.conducts())
        };
        let removes = self.list().iter().rev().map(|cleanup| cleanup.label.clone()).collect();
        OnCancel { waits, conducts, removes, keeps: self.kept() }
    }

    pub(super) fn kept(&self) -> Option<String> {
        self.resumable.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Runs a section that cancel must not interrupt.
    pub async fn commit<T>(&self, section: impl Future<Output = T>) -> T {
        struct Guard<'a>(&'a JobContext);
        impl Drop for Guard<'_> {
            fn drop(&mut self) {
                self.0.gate().leave();
                self.0.committed.notify_waiters();
            }
        }
        if !self.gate().enter() {
            // The cancel was first; the task is about to be dropped at this very await.
            std::future::pending::<()>().await;
        }
        let _guard = Guard(self);
        section.await
    }

    /// From here on the job cannot be canceled: what it began on a server goes on without it, and only
    /// staying tells how it ends. Says whether it could be sealed; `false` when a cancel was first.
    pub fn seal(&self) -> bool {
        self.gate().seal()
    }

    /// Takes a seal back: what was begun on the server turned out not to have begun.
    pub fn unseal(&self) {
        self.gate().unseal();
        self.committed.notify_waiters();
    }

    /// Closes the gate for a cancel, if nothing is being committed.
    pub(super) fn close(&self) -> bool {
        self.gate().close()
    }

    pub(super) fn gate(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn list(&self) -> MutexGuard<'_, Vec<Cleanup>> {
        self.cleanups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Resolves once a cancel has taken hold; never for a sealed job.
    pub(super) async fn closed(&self) {
        loop {
            let waiting = self.committed.notified();
            tokio::pin!(waiting);
            waiting.as_mut().enable();
            if self.close() {
                return;
            }
            waiting.await;
        }
    }

    /// Runs all cleanups, newest first; returns the labels of what stayed behind.
    pub(super) async fn clean_up(&self, skip: &CancellationToken) -> Vec<String> {
        let mut left = Vec::new();
        loop {
            let Some(cleanup) = self.list().pop() else { return left };
            let done = tokio::select! {
                done = tokio::time::timeout(CLEANUP_DEADLINE, cleanup.work) => matches!(done, Ok(Ok(()))),
                () = skip.cancelled() => false,
            };
            if !done {
                left.push(cleanup.label);
            }
        }
    }
}
