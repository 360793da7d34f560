//! Manifests and records that were read: they never change under their version.

use crate::domain::backup::BackupId;
use crate::domain::problem::{Problem, ProblemKind};
use crate::repository::bucket::Bucket;
use crate::repository::entry::Entry;
use crate::repository::manifest::{LARGEST, Manifest};
use crate::repository::records::Record;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// A record larger than this is none.
const LARGEST_RECORD: u64 = 1 << 20;

/// What was read.
#[derive(Default)]
pub struct Cache {
    manifests: Kept<Arc<Manifest>>,
    records: Kept<Record>,
}

type Kept<T> = Mutex<HashMap<String, (String, T)>>;

/// A manifest, or what is wrong with it.
///
/// # Errors
/// Those of the store; `NotFound` where it was removed meanwhile.
pub(in crate::repository) async fn manifest(
    bucket: &Bucket,
    cache: &Cache,
    entry: &Entry,
    id: &BackupId,
) -> Result<Result<Arc<Manifest>, String>, Problem> {
    if let Some(kept) = kept(&cache.manifests, entry) {
        return Ok(Ok(kept));
    }
    if entry.size > LARGEST {
        return Ok(Err("the manifest is damaged: it is too large".into()));
    }
    let Some(text) = bucket.read(&entry.key, LARGEST).await? else {
        let message = "it was removed while the repository was read";
        return Err(Problem::new(ProblemKind::NotFound, message, bucket.shown(&entry.key)).advise("read it again"));
    };
    Ok(Manifest::read(&text, id).map(|manifest| {
        let manifest = Arc::new(manifest);
        keep(&cache.manifests, entry, manifest.clone());
        manifest
    }))
}

/// A record that cannot be read as one is not ours, and says nothing.
pub(in crate::repository) async fn record(bucket: &Bucket, cache: &Cache, entry: &Entry) -> Result<Option<Record>, Problem> {
    if let Some(kept) = kept(&cache.records, entry) {
        return Ok(Some(kept));
    }
    if entry.size > LARGEST_RECORD {
        return Ok(None);
    }
    let text = bucket.read(&entry.key, LARGEST_RECORD).await?;
    let record = text.and_then(|text| serde_json::from_slice::<Record>(&text).ok());
    if let Some(record) = &record {
        keep(&cache.records, entry, record.clone());
    }
    Ok(record)
}

fn kept<T: Clone>(cache: &Kept<T>, entry: &Entry) -> Option<T> {
    let cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
    cache.get(&entry.key).filter(|(version, _)| *version == entry.version).map(|(_, value)| value.clone())
}

fn keep<T>(cache: &Kept<T>, entry: &Entry, value: T) {
    cache.lock().unwrap_or_else(PoisonError::into_inner).insert(entry.key.clone(), (entry.version.clone(), value));
}
