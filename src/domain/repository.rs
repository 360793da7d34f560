//! A repository as the configuration describes it.

use crate::domain::backup::RepositoryName;
use crate::domain::keep::Keep;
use crate::domain::text::sanitise;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// How long increments build on one whole stream, unless the configuration says it.
const FULL_EVERY: Duration = Duration::from_secs(7 * 86_400);

/// Where a repository is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A directory of this machine, mounted or not.
    Directory(PathBuf),
    /// A bucket of S3, or of a store that speaks its protocol.
    S3 {
        /// The bucket.
        bucket: String,
        /// Before all keys; may be empty.
        prefix: String,
    },
    /// A bucket of Google Cloud Storage.
    Gcs {
        /// The bucket.
        bucket: String,
        /// Before all keys.
        prefix: String,
    },
    /// A container of Azure Blob Storage.
    Azure {
        /// The container.
        container: String,
        /// Before all keys.
        prefix: String,
    },
}

impl Place {
    /// Reads `file:///path`, a path, `s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix`.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn parse(text: &str) -> Result<Self, String> {
        let usual = "write file:///path, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix";
        if text.starts_with('/') {
            return Ok(Self::Directory(PathBuf::from(text)));
        }
        let url = Url::parse(text).map_err(|_| format!("`{}` is not the address of a repository; {usual}", sanitise(text)))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("credentials do not belong into the url: use access-key-id and secret-access-key-env".into());
        }
        if url.scheme() == "file" {
            return match url.to_file_path() {
                Ok(path) if url.host_str().is_none() && path.parent().is_some() => Ok(Self::Directory(path)),
                _ => Err(format!("`{}` is not the path of a folder; write file:///path", sanitise(text))),
            };
        }
        let bucket = url.host_str().filter(|host| !host.is_empty());
        let bucket = bucket.ok_or_else(|| format!("`{}` names no bucket; {usual}", sanitise(text)))?.to_owned();
        let prefix = percent_encoding::percent_decode_str(url.path()).decode_utf8_lossy().trim_matches('/').to_owned();
        if prefix.split('/').any(|segment| matches!(segment, "." | "..")) || prefix.contains("//") {
            return Err(format!("`{}` has an empty part, `.` or `..` in its path", sanitise(text)));
        }
        match url.scheme() {
            "s3" => Ok(Self::S3 { bucket, prefix }),
            "gs" => Ok(Self::Gcs { bucket, prefix }),
            "az" => Ok(Self::Azure { container: bucket, prefix }),
            other => Err(format!("`{other}://` is not known; {usual}")),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = |prefix: &str| if prefix.is_empty() { String::new() } else { format!("/{}", sanitise(prefix)) };
        match self {
            Self::Directory(folder) => f.write_str(&sanitise(&folder.display().to_string())),
            Self::S3 { bucket, prefix } => write!(f, "s3://{}{}", sanitise(bucket), path(prefix)),
            Self::Gcs { bucket, prefix } => write!(f, "gs://{}{}", sanitise(bucket), path(prefix)),
            Self::Azure { container, prefix } => write!(f, "az://{}{}", sanitise(container), path(prefix)),
        }
    }
}

/// A repository, all but its credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// Its name in the configuration.
    pub name: RepositoryName,
    /// Where it is.
    pub place: Place,
    /// Another address of the store than that of the cloud.
    pub endpoint: Option<Url>,
    /// How other servers reach the store, where that differs from `endpoint`.
    pub reachable_as: Option<Url>,
    /// S3: the region.
    pub region: Option<String>,
    /// Azure: the storage account.
    pub account: Option<String>,
    /// S3: the bucket is part of the path and not of the host name. Without it: yes for an `endpoint`, else no.
    pub path_style: Option<bool>,
    /// PEM file with further certificate authorities to trust.
    pub ca_certificate: Option<PathBuf>,
    /// Bytes per second of all transfers to and from it together; `None` for no limit.
    pub limit_rate: Option<u64>,
    /// How many backups of each collection are kept, unless an instance or a collection says otherwise.
    pub keep: Keep,
    /// After so long a shard is streamed as a whole again, and not only what changed.
    pub full_every: Duration,
    /// Nothing is written to it, and nothing removed from it.
    pub read_only: bool,
}

impl Repository {
    /// One with the defaults.
    pub fn new(name: RepositoryName, place: Place) -> Self {
        Self {
            name,
            place,
            endpoint: None,
            reachable_as: None,
            region: None,
            account: None,
            path_style: None,
            ca_certificate: None,
            limit_rate: None,
            keep: Keep::default(),
            full_every: FULL_EVERY,
            read_only: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_and_shown() {
        for (text, shown) in [
            ("file:///var/backups", "/var/backups"),
            ("/var/backups", "/var/backups"),
            ("s3://company-backups/qdrant", "s3://company-backups/qdrant"),
            ("s3://bucket", "s3://bucket"),
            ("gs://bucket/a/b/", "gs://bucket/a/b"),
            ("az://container/x", "az://container/x"),
        ] {
            assert_eq!(Place::parse(text).unwrap().to_string(), shown);
        }
        for bad in ["", "s3://", "file://host/x", "file:///", "ftp://x/y", "s3://a/x//b", "s3://key:secret@bucket/x", "backups"] {
            let why = Place::parse(bad).unwrap_err();
            assert!(!why.contains("secret@"), "{why}");
        }
    }
}
