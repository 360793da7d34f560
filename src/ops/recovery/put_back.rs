//! Settings and payload indexes after a restore over a collection: the server keeps those of the live collection, whatever
//! the snapshot says (measured, 1.16.3). They are put back, and what cannot be is reported; neither is ever a reason to
//! bring other data.

use crate::domain::address::CollectionAddress;
use crate::domain::problem::Problem;
use crate::domain::settings::{Difference, Settings};
use crate::ops::plan::finding::Finding;
use crate::ops::services::Connection;
use crate::qdrant::error::{ApiError, ApiErrorKind};
use std::time::Duration;

/// The step.
pub(in crate::ops) const SETTINGS: &str = "settings";

/// Differences that a plan lists one by one.
const LISTED: usize = 4;

/// How long a server may take for one payload index. It goes on by itself; a job that cannot be canceled must not wait for
/// ever.
const INDEXING: Duration = Duration::from_secs(15 * 60);

async fn in_time(work: impl Future<Output = Result<(), ApiError>>) -> Result<(), ApiError> {
    let late = || ApiError::new(ApiErrorKind::Timeout, "wait for a payload index", "", "the server still works on it");
    tokio::time::timeout(INDEXING, work).await.unwrap_or_else(|_| Err(late()))
}

/// What to put back.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::ops) struct PutBack {
    /// How the collection was configured when the snapshot was taken.
    pub wanted: Settings,
    /// All of it: the snapshot is one of this very collection. Of another one only payload indexes that are missing are
    /// made: how the target is configured may be meant so.
    pub all: bool,
}

impl PutBack {
    /// Settings that the collection must have afterwards.
    pub(in crate::ops) fn must_be(&self) -> Option<Settings> {
        self.all.then(|| self.wanted.clone())
    }

    /// What a plan says, with the settings that the collection has now.
    pub(in crate::ops) fn finding(&self, now: &Settings) -> Option<Finding> {
        let differences = self.wanted.differences_beside_shape(now);
        if differences.is_empty() {
            return None;
        }
        let mut words: Vec<String> = differences.iter().take(LISTED).map(Difference::words).collect();
        if differences.len() > LISTED {
            words.push(format!("{} more", differences.len() - LISTED));
        }
        let message = format!("settings differ (snapshot and now): {}", words.join("; "));
        Some(if self.all {
            Finding::look("settings", message, "they are put back to what the snapshot has; what cannot be put back is reported")
        } else {
            Finding::look("settings", message, "the collection keeps its own settings; only missing payload indexes are made")
        })
    }

    /// Puts settings and indexes back.
    ///
    /// # Errors
    /// The first call that the server refused; the later ones are still tried.
    pub(in crate::ops) async fn carry_out(&self, connection: &Connection, address: &CollectionAddress) -> Result<(), Problem> {
        let (whole, name) = (connection.whole(), &address.collection);
        let problem = |error: ApiError| error.into_problem(address.to_string());
        let now = whole.collection(name).await.map_err(problem)?.settings;
        let mut changes = self.wanted.changes_from(&now);
        if !self.all {
            changes.patch = serde_json::Value::Null;
            changes.drop.clear();
        }
        let mut first: Option<Problem> = None;
        let mut note = |result: Result<(), ApiError>| {
            if let Err(error) = result {
                first.get_or_insert(problem(error));
            }
        };
        // Limits that strict mode sets may stand in the way of the rest: they go first.
        if !changes.patch.is_null() {
            note(whole.update_collection(name, &changes.patch).await);
        }
        for field in &changes.drop {
            note(in_time(whole.delete_payload_index(name, field)).await);
        }
        for (field, schema) in &changes.make {
            note(in_time(whole.create_payload_index(name, field, schema)).await);
        }
        first.map_or(Ok(()), Err)
    }
}
