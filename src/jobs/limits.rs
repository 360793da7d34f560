//! What jobs must wait for: slots of an instance, and things that only one job may touch.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Something a job needs while it runs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// Alone on this collection or file. Sorts first: a job that waits for a collection holds no transfer.
    Exclusive(String),
    /// One of `size` transfers on an instance.
    Slot {
        /// Whose slots.
        pool: String,
        /// How many there are; the first job decides.
        size: usize,
    },
}

impl Resource {
    fn key(&self) -> (String, usize) {
        match self {
            Self::Slot { pool, size } => (format!("slot {pool}"), (*size).max(1)),
            Self::Exclusive(name) => (format!("exclusive {name}"), 1),
        }
    }

    /// What a queued row says.
    pub fn waits_for(&self) -> String {
        match self {
            Self::Slot { pool, .. } => format!("waits for a free transfer on {pool}"),
            Self::Exclusive(name) => format!("waits for another job on {name}"),
        }
    }
}

/// All limits of a process.
#[derive(Debug, Default)]
pub struct Limits(Mutex<HashMap<String, Arc<Semaphore>>>);

impl Limits {
    /// Takes the resource now, or says that it must be waited for.
    pub fn try_take(&self, resource: &Resource) -> Option<OwnedSemaphorePermit> {
        self.semaphore(resource).try_acquire_owned().ok()
    }

    /// Waits for the resource.
    pub async fn take(&self, resource: &Resource) -> Option<OwnedSemaphorePermit> {
        self.semaphore(resource).acquire_owned().await.ok()
    }

    fn semaphore(&self, resource: &Resource) -> Arc<Semaphore> {
        let (key, size) = resource.key();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A name without permits and waiters is forgotten: each of them holds a share of the semaphore.
        all.retain(|known, semaphore| *known == key || Arc::strong_count(semaphore) > 1);
        all.entry(key).or_insert_with(|| Arc::new(Semaphore::new(size))).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn unused_names_are_forgotten_and_those_in_use_are_not() {
        let limits = Limits::default();
        let name = |n: usize| Resource::Exclusive(format!("prod/{n}"));
        let held = limits.try_take(&name(0)).unwrap();
        for n in 1..1_000 {
            assert!(limits.try_take(&name(n)).is_some());
        }
        assert!(limits.0.lock().unwrap().len() <= 2);
        assert!(limits.try_take(&name(0)).is_none(), "it is held");
        let wanted = name(0);
        let mut waiting = Box::pin(limits.take(&wanted));
        assert!(futures_util::poll!(&mut waiting).is_pending());
        drop(held);
        drop(limits.try_take(&name(1)));
        assert!(limits.try_take(&name(0)).is_none(), "who waits is served first");
        assert!(waiting.await.is_some());
    }
}
