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
        all.entry(key).or_insert_with(|| Arc::new(Semaphore::new(size))).clone()
    }
}
