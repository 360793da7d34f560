//! What the journal has open, for plans to mention.

use crate::ops::journal::past::Past;
use crate::ops::journal::reading::Unreadable;
use crate::ops::plan::finding::Finding;
use crate::ops::services::Services;

/// What the journal has open, read once for a plan.
pub(in crate::ops) struct Open {
    operations: Vec<Past>,
    unreadable: Vec<Unreadable>,
}

impl Open {
    /// Reads it, beside the threads that serve the network: there may be many records.
    pub(in crate::ops) async fn read(services: &Services) -> Self {
        let journal = services.journal.clone();
        let read = tokio::task::spawn_blocking(move || Self { operations: journal.open(), unreadable: journal.unreadable() });
        read.await.unwrap_or(Self { operations: Vec::new(), unreadable: Vec::new() })
    }

    /// What of it concerns a target.
    pub(in crate::ops) fn findings(&self, target: &str) -> Vec<Finding> {
        let open = self.operations.iter().filter(|past| past.target == target).map(|past| {
            Finding::look(
                "history",
                format!("a {} of {} ended as `{}` and is still open", past.operation, past.target, past.state.word()),
                format!("`qsnap history show {}` tells what it left, and how to settle it first", past.id),
            )
        });
        let unreadable = self.unreadable.iter().map(|record| {
            Finding::look("history", record.words(), "it may be of an operation on this collection that was never finished")
        });
        open.chain(unreadable).collect()
    }
}
