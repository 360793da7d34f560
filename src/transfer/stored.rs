//! An object of a repository as a source of bytes, and as the place where bytes go.

use crate::domain::problem::{Problem, ProblemKind};
use crate::jobs::progress::Progress;
use crate::qdrant::api::{ApiResult, Download, Wanted};
use crate::qdrant::error::{ApiError, ApiErrorKind};
use crate::repository::bucket::Bucket;
use crate::repository::fault;
use crate::repository::upload::{Upload, not_removed};
use crate::transfer::pump::{Body, Pump};
use crate::transfer::source::Source;
use async_trait::async_trait;
use futures_util::StreamExt;
use std::sync::Arc;
use std::time::Duration;

/// No answer for so long is a fault; bytes that come slowly are watched by their reader.
const PATIENCE: Duration = Duration::from_secs(60);

/// An object.
pub struct StoredObject {
    /// Where it is.
    pub bucket: Arc<Bucket>,
    /// Its key.
    pub key: String,
    /// Bytes, as the manifest says.
    pub size: u64,
    /// Its address.
    pub shown: String,
}

#[async_trait]
impl Source for StoredObject {
    async fn open(&self, wanted: &Wanted) -> ApiResult<Download> {
        let to = wanted.to.unwrap_or(self.size).min(self.size);
        let opening = self.bucket.open(&self.key, wanted.from..to.max(wanted.from));
        let opened = tokio::time::timeout(PATIENCE, opening).await;
        let silent = |_| self.error(ApiErrorKind::Timeout, "the store gave no answer");
        let (body, total) = opened.map_err(silent)?.map_err(|error| self.of(&error))?;
        if total != self.size {
            let words = format!("the object has {total} bytes, its manifest says {}", self.size);
            return Err(self.error(ApiErrorKind::Changed, &words));
        }
        let shown = self.shown.clone();
        let body = body.map(move |chunk| {
            chunk.map_err(|error| ApiError::new(ApiErrorKind::Cut, "read the backup", &shown, error.to_string()))
        });
        Ok(Download {
            body: body.boxed(),
            from: wanted.from,
            to: Some(to),
            length: Some(to.saturating_sub(wanted.from)),
            total: Some(total),
            etag: None,
            ranged: true,
        })
    }

    fn shown(&self) -> &str {
        &self.shown
    }
}

impl StoredObject {
    fn error(&self, kind: ApiErrorKind, words: &str) -> ApiError {
        ApiError::new(kind, "read the backup", &self.shown, words)
    }

    fn of(&self, error: &object_store::Error) -> ApiError {
        let problem = fault::problem(error, "read", &self.shown);
        let kind = match problem.kind {
            ProblemKind::NotFound => ApiErrorKind::NotFound,
            ProblemKind::NotAllowed => ApiErrorKind::Forbidden,
            ProblemKind::Unreachable => ApiErrorKind::Unreachable,
            _ => ApiErrorKind::Cut,
        };
        self.error(kind, &problem.message)
    }
}

/// Writes what a pump gives into an object, which is visible when it is whole. What was broken off is removed.
///
/// # Errors
/// When the source or the store fails.
pub async fn store((pump, body): (Pump, Body), mut upload: Upload, progress: &Progress) -> Result<Pump, Problem> {
    let filled = tokio::select! {
        biased;
        problem = pump.given_up() => Err(problem),
        filled = fill(&mut upload, body) => filled,
    };
    match filled {
        Ok(()) => upload.finish().await.map(|()| pump),
        Err(problem) => {
            // The source's own words say more than those of the broken body.
            let problem = pump.failure().unwrap_or(problem);
            if let Err(left) = upload.abort().await {
                progress.note(&not_removed(&left).message);
            }
            Err(problem)
        }
    }
}

async fn fill(upload: &mut Upload, mut body: Body) -> Result<(), Problem> {
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| Problem::new(ProblemKind::Failed, error.to_string(), ""))?;
        upload.write(chunk).await?;
    }
    Ok(())
}
