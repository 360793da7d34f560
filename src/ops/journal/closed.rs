//! Records that ended with nothing left open, remembered as long as the process lives.

use crate::ops::journal::past::Past;
use crate::ops::journal::reading::{Unreadable, read_record};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Records that ended with nothing left open, without their reports. They are only ever appended to, so that a length tells
/// whether one changed.
#[derive(Debug, Default)]
pub(crate) struct Closed(Mutex<HashMap<PathBuf, (u64, Past)>>);

impl Closed {
    pub(super) fn read(&self, path: &Path) -> Result<Option<Past>, Unreadable> {
        let length = path.metadata().map(|meta| meta.len()).unwrap_or(0);
        let known =
            |map: &HashMap<PathBuf, (u64, Past)>| map.get(path).filter(|known| known.0 == length).map(|known| known.1.clone());
        if let Some(past) = known(&self.0.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(Some(past));
        }
        let past = read_record(path)?;
        if let Some(past) = past.as_ref().filter(|past| past.is_done() && !past.is_open()) {
            let kept = Past { report: serde_json::Value::Null, ..past.clone() };
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), (length, kept));
        }
        Ok(past)
    }

    pub(super) fn forget(&self, path: &Path) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(path);
    }
}
