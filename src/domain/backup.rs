//! Names around backups: the repository, and the id of a backup.

use crate::domain::ids::InstanceName;
use crate::domain::text::sanitise;
use crate::domain::time::compact;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Name of a configured repository: letters, digits, `.`, `_` and `-`, at most 64.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct RepositoryName(InstanceName);

impl RepositoryName {
    /// Accepts a name, or says why not.
    pub fn new(name: &str) -> Result<Self, String> {
        InstanceName::new(name).map(Self).map_err(|why| why.replace("an instance name", "a repository name"))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl From<RepositoryName> for String {
    fn from(name: RepositoryName) -> Self {
        name.as_str().to_owned()
    }
}

impl TryFrom<String> for RepositoryName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::new(&text)
    }
}

/// Id of a backup: UTC time and four hex digits, `20261122T031500Z-9f3c`. It sorts by time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct BackupId(String);

impl BackupId {
    /// The id of a backup that begins at `at`; `tail` tells it from another of the same second.
    pub fn of(at: Timestamp, tail: u16) -> Self {
        Self(format!("{}-{tail:04x}", compact(at)))
    }

    /// Reads an id, or says why it is none.
    pub fn new(text: &str) -> Result<Self, String> {
        let id = Self(text.to_owned());
        let (time, tail) = text.split_once('-').unwrap_or_default();
        let hex = tail.len() == 4 && tail.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        if time.len() == 16 && hex && id.time().is_some() {
            return Ok(id);
        }
        Err(format!("`{}` is not the id of a backup: it looks like 20261122T031500Z-9f3c", sanitise(text)))
    }

    /// When the backup began.
    pub fn taken_at(&self) -> Timestamp {
        self.time().unwrap_or_default()
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn time(&self) -> Option<Timestamp> {
        let text = self.0.get(..16)?;
        let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
        Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
    }
}

impl fmt::Display for BackupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<BackupId> for String {
    fn from(id: BackupId) -> Self {
        id.0
    }
}

impl TryFrom<String> for BackupId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::new(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_are_read_strictly() {
        let id = BackupId::of("2026-11-22T03:15:00Z".parse().unwrap(), 0x9f3c);
        assert_eq!(id.as_str(), "20261122T031500Z-9f3c");
        assert_eq!(BackupId::new(id.as_str()).unwrap().taken_at().to_string(), "2026-11-22T03:15:00Z");
        for bad in
            ["", "20261122T031500Z", "20261122T031500Z-9F3C", "20261322T031500Z-9f3c", "../x-9f3c", "20261122T031500Z-9f3c/"]
        {
            assert!(BackupId::new(bad).is_err(), "{bad}");
        }
    }
}
