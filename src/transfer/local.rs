//! A local file as a source that can be read from any offset.

use crate::qdrant::api::{ApiResult, Download, Wanted};
use crate::qdrant::error::{ApiError, ApiErrorKind};
use crate::transfer::source::Source;
use async_trait::async_trait;
use futures_util::StreamExt;
use std::io::SeekFrom;
use std::path::PathBuf;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

/// Bytes that are read at once.
const CHUNK: usize = 256 << 10;

/// A file.
pub struct LocalFile {
    /// Where it is.
    pub path: PathBuf,
    /// What the user knows it by.
    pub shown: String,
}

#[async_trait]
impl Source for LocalFile {
    async fn open(&self, wanted: &Wanted) -> ApiResult<Download> {
        let failed = |error: std::io::Error| {
            let kind = match error.kind() {
                std::io::ErrorKind::NotFound => ApiErrorKind::NotFound,
                std::io::ErrorKind::PermissionDenied => ApiErrorKind::Forbidden,
                _ => ApiErrorKind::Rejected,
            };
            ApiError::new(kind, "read the file", &self.shown, error.to_string())
        };
        let mut file = tokio::fs::File::open(&self.path).await.map_err(failed)?;
        let meta = file.metadata().await.map_err(failed)?;
        let etag = version(&meta);
        if wanted.etag.as_ref().is_some_and(|wanted| *wanted != etag) {
            let words = "the file was changed while it was read";
            return Err(ApiError::new(ApiErrorKind::Changed, "read the file", &self.shown, words));
        }
        let to = wanted.to.unwrap_or(meta.len()).min(meta.len());
        let length = to.saturating_sub(wanted.from);
        file.seek(SeekFrom::Start(wanted.from)).await.map_err(failed)?;
        let shown = self.shown.clone();
        let body = ReaderStream::with_capacity(file.take(length), CHUNK).map(move |chunk| {
            chunk.map_err(|error| ApiError::new(ApiErrorKind::Cut, "read the file", &shown, error.to_string()))
        });
        Ok(Download {
            body: body.boxed(),
            from: wanted.from,
            to: Some(to),
            length: Some(length),
            total: Some(meta.len()),
            etag: Some(etag),
            ranged: true,
        })
    }

    fn shown(&self) -> &str {
        &self.shown
    }
}

/// A file that is written again has another time.
fn version(meta: &std::fs::Metadata) -> String {
    let modified = meta.modified().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok()).unwrap_or_default();
    format!("{}-{}", modified.as_nanos(), meta.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(source: &dyn Source, from: u64, to: Option<u64>, etag: Option<String>) -> ApiResult<Vec<u8>> {
        let mut answer = source.open(&Wanted { from, to, etag }).await?;
        let mut all = Vec::new();
        while let Some(chunk) = answer.body.next().await {
            all.extend_from_slice(&chunk?);
        }
        Ok(all)
    }

    #[tokio::test]
    async fn ranges_of_a_file_that_must_not_change() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"0123456789").unwrap();
        let whole = LocalFile { path: file.path().to_owned(), shown: "x".into() };
        assert_eq!(read(&whole, 2, Some(5), None).await.unwrap(), b"234");
        assert_eq!(read(&whole, 7, Some(99), None).await.unwrap(), b"789", "never past its end");
        let etag = whole.open(&Wanted::default()).await.unwrap().etag;
        std::fs::write(file.path(), b"0123456789ab").unwrap();
        assert_eq!(read(&whole, 0, None, etag).await.unwrap_err().kind, ApiErrorKind::Changed);
    }
}
