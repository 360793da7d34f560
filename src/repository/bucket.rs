//! The door to a store: small objects whole, large ones in ranges, and nothing that could reach outside the repository.
//!
//! In a directory objects are written beside their place under a name that ends in `.part`, synced, and renamed: what a kill
//! leaves can be seen, and removed.

use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::repository::Repository;
use crate::domain::secret::SafeUrl;
use crate::repository::fault;
use crate::repository::folder::{io_problem, write_whole};
use crate::repository::upload::Upload;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use object_store::list::PaginatedListStore;
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// An open repository.
pub struct Bucket {
    /// What the configuration says.
    pub repository: Repository,
    pub(in crate::repository) store: Arc<dyn ObjectStore>,
    pub(in crate::repository) pages: Option<Arc<dyn PaginatedListStore>>,
    /// Signs links for other servers.
    pub(in crate::repository) signer: Option<Arc<dyn Signer>>,
    /// The folder, where it is one.
    pub(in crate::repository) folder: Option<PathBuf>,
    /// Before all keys, without a slash at its end.
    pub(in crate::repository) root: String,
}

impl std::fmt::Debug for Bucket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bucket({})", self.repository.name)
    }
}

/// What to do where nothing may be written.
pub const READ_ONLY: &str = "leave out --read-only, or take `read-only` out of the configuration, if this is meant to be changed";

/// A store that says nothing for so long is away; the client's own tries end before that.
const PATIENCE: Duration = Duration::from_secs(90);

/// Waits for a short answer of a store, and not for ever.
///
/// # Errors
/// Those of the store, and when there is no answer.
pub(in crate::repository) async fn answered<T>(asked: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let silent = |_| Err(Error::Generic { store: "repository", source: fault::NO_ANSWER.into() });
    tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(silent)
}

/// Bytes of an object.
pub type Body = BoxStream<'static, Result<Bytes, Error>>;

impl Bucket {
    /// A repository in memory, for tests.
    pub fn in_memory(repository: Repository) -> Self {
        let store = Arc::new(object_store::memory::InMemory::new());
        Self { repository, store, pages: None, signer: None, folder: None, root: String::new() }
    }

    /// What a key is called in messages.
    pub fn shown(&self, key: &str) -> String {
        format!("{}/{}", self.repository.place, crate::domain::text::sanitise(key))
    }

    pub(in crate::repository) fn problem(&self, error: &Error, what: &str, key: &str) -> Problem {
        let on = if key.is_empty() { format!("{} ({})", self.repository.name, self.repository.place) } else { self.shown(key) };
        fault::problem(error, what, &on)
    }

    pub(in crate::repository) fn path(&self, key: &str) -> Result<Path, Problem> {
        let whole = if self.root.is_empty() { key.to_owned() } else { format!("{}/{key}", self.root) };
        Path::parse(&whole).map_err(|_| Problem::new(ProblemKind::Failed, "no store can have such a key", self.shown(key)))
    }

    /// A small object; `None` where there is none.
    ///
    /// # Errors
    /// When it cannot be read, or has more than `largest` bytes.
    pub async fn read(&self, key: &str, largest: u64) -> Result<Option<Bytes>, Problem> {
        let found = match answered(self.store.get(&self.path(key)?)).await {
            Ok(found) => found,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(self.problem(&error, "read", key)),
        };
        if found.meta.size > largest {
            let message = format!("it has {} bytes, which is too large for what it should be", found.meta.size);
            return Err(Problem::new(ProblemKind::Failed, message, self.shown(key)).advise("look who wrote it"));
        }
        answered(found.bytes()).await.map(Some).map_err(|error| self.problem(&error, "read", key))
    }

    /// Bytes `from..to` of an object with this size; a store that has another object by now gives an error.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn open(&self, key: &str, range: std::ops::Range<u64>) -> Result<(Body, u64), Error> {
        let path = self.path(key).map_err(|problem| Error::Generic { store: "repository", source: Box::new(problem) })?;
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        let found = self.store.get_opts(&path, options).await?;
        let size = found.meta.size;
        Ok((found.into_stream().boxed(), size))
    }

    /// Size of an object; `None` where there is none.
    ///
    /// # Errors
    /// When it cannot be told.
    pub async fn size(&self, key: &str) -> Result<Option<u64>, Problem> {
        match answered(self.store.head(&self.path(key)?)).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.problem(&error, "look at", key)),
        }
    }

    /// Writes a small object that must not be there yet.
    ///
    /// # Errors
    /// When it is there, or cannot be written.
    pub async fn create(&self, key: &str, bytes: Vec<u8>) -> Result<(), Problem> {
        self.changeable(key)?;
        if let Some(file) = self.file(key)? {
            return self.write_file(key, file, bytes, false).await;
        }
        let path = self.path(key)?;
        let bytes = Bytes::from(bytes);
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match answered(self.store.put_opts(&path, bytes.clone().into(), options)).await {
            Ok(_) => Ok(()),
            // Some S3-compatible stores know no conditions. Ids and times in names make a clash next to impossible.
            Err(error) if has_no_conditions(&error) => self.put(key, bytes).await,
            Err(error) => Err(self.problem(&error, "write", key)),
        }
    }

    /// Writes a small object, and replaces the one that is there.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn replace(&self, key: &str, bytes: Vec<u8>) -> Result<(), Problem> {
        self.changeable(key)?;
        match self.file(key)? {
            Some(file) => self.write_file(key, file, bytes, true).await,
            None => self.put(key, Bytes::from(bytes)).await,
        }
    }

    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), Problem> {
        let put = answered(self.store.put(&self.path(key)?, bytes.into())).await;
        put.map(drop).map_err(|error| self.problem(&error, "write", key))
    }

    /// Removes one object. One that is gone already is removed.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub async fn delete(&self, key: &str) -> Result<(), Problem> {
        self.changeable(key)?;
        self.inside(key)?;
        match answered(self.store.delete(&self.path(key)?)).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.problem(&error, "delete", key)),
        }
    }

    /// Gives a file of a directory another name, over the one that is there; `false` where there are no files.
    ///
    /// # Errors
    /// Those of the disk.
    pub async fn rename(&self, from: &str, to: &str) -> Result<bool, Problem> {
        self.changeable(from)?;
        self.inside(from)?;
        let (Some(old), Some(new)) = (self.file(from)?, self.file(to)?) else { return Ok(false) };
        std::fs::rename(old, new).map_err(|error| io_problem(&error, "rename", &self.shown(from)))?;
        Ok(true)
    }

    /// Removes the folders of a key while they are empty, in a directory; stores have no folders.
    pub fn tidy_folders(&self, key: &str) {
        let Some(root) = &self.folder else { return };
        let mut folder = root.join(key);
        while folder.pop() && folder != *root && folder.starts_with(root) && std::fs::remove_dir(&folder).is_ok() {}
    }

    /// A large object, written in parts; `size` as far as it is known.
    ///
    /// # Errors
    /// When it cannot be begun.
    pub async fn upload(&self, key: &str, size: u64) -> Result<Upload, Problem> {
        self.changeable(key)?;
        match self.file(key)? {
            Some(file) => Upload::to_file(file, self.shown(key)),
            None => {
                let begun = answered(self.store.put_multipart(&self.path(key)?)).await;
                Ok(Upload::in_parts(begun.map_err(|error| self.problem(&error, "write", key))?, size, self.shown(key)))
            }
        }
    }

    /// A link that lets another server read the object for some time; `None` where there is no such link.
    ///
    /// # Errors
    /// When the store cannot sign.
    pub async fn signed(&self, key: &str, valid: Duration) -> Result<Option<SafeUrl>, Problem> {
        let Some(signer) = &self.signer else { return Ok(None) };
        let signed = signer.signed_url(object_store::signer::Method::GET, &self.path(key)?, valid).await;
        signed.map(|url| Some(SafeUrl::new(url))).map_err(|error| self.problem(&error, "sign a link to", key))
    }

    /// The one door through which anything is written or removed.
    fn changeable(&self, key: &str) -> Result<(), Problem> {
        if self.repository.read_only {
            let message = format!("{} is read-only for qsnap", self.repository.name);
            return Err(Problem::new(ProblemKind::Refused, message, self.shown(key)).advise(READ_ONLY));
        }
        Ok(())
    }

    /// Refuses a key whose folder is a link to somewhere else.
    fn inside(&self, key: &str) -> Result<(), Problem> {
        let (Some(root), Some(file)) = (&self.folder, self.file(key)?) else { return Ok(()) };
        let real = |path: &std::path::Path| path.canonicalize().ok();
        match (real(root), file.parent().and_then(real)) {
            (Some(root), Some(folder)) if !folder.starts_with(&root) => {
                let message = "its folder is a link to a place outside the repository: nothing is removed there";
                Err(Problem::new(ProblemKind::Refused, message, self.shown(key)).advise("remove the link by hand"))
            }
            _ => Ok(()),
        }
    }

    /// The file of a key, in a directory.
    fn file(&self, key: &str) -> Result<Option<PathBuf>, Problem> {
        let Some(folder) = &self.folder else { return Ok(None) };
        self.path(key)?;
        Ok(Some(key.split('/').fold(folder.clone(), |path, part| path.join(part))))
    }

    async fn write_file(&self, key: &str, file: PathBuf, bytes: Vec<u8>, over: bool) -> Result<(), Problem> {
        let written = tokio::task::spawn_blocking(move || write_whole(&file, &bytes, over)).await;
        let written = written.map_err(std::io::Error::other).and_then(|written| written);
        written.map_err(|error| io_problem(&error, "write", &self.shown(key)))
    }
}

fn has_no_conditions(error: &Error) -> bool {
    matches!(error, Error::NotImplemented { .. } | Error::NotSupported { .. })
        || matches!(error, Error::Generic { source, .. } if source.to_string().contains("NotImplemented"))
}

/// Collects a body, for tests and small objects.
///
/// # Errors
/// Those of the store.
pub async fn collect(body: Body) -> Result<Vec<u8>, Error> {
    body.try_fold(Vec::new(), |mut all, chunk| async move {
        all.extend_from_slice(&chunk);
        Ok(all)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn through_a_read_only_door_nothing_is_written_or_removed() {
        let place = crate::domain::repository::Place::parse("s3://b").unwrap();
        let repository = Repository::new(crate::domain::backup::RepositoryName::new("offsite").unwrap(), place);
        let mut bucket = Bucket::in_memory(repository);
        bucket.create("a", b"1".to_vec()).await.unwrap();
        bucket.repository.read_only = true;
        let refused = [
            bucket.create("b", b"2".to_vec()).await.err(),
            bucket.replace("a", b"2".to_vec()).await.err(),
            bucket.upload("b", 1).await.err(),
            bucket.rename("a", "b").await.err(),
            bucket.delete("a").await.err(),
        ];
        for problem in refused {
            assert_eq!(problem.unwrap().kind, ProblemKind::Refused);
        }
        assert_eq!(bucket.read("a", 10).await.unwrap().unwrap(), "1");
        assert_eq!(bucket.size("b").await.unwrap(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_says_nothing_is_away() {
        let error = answered(std::future::pending::<Result<(), Error>>()).await.unwrap_err();
        let problem = fault::problem(&error, "read", "offsite");
        assert_eq!(problem.kind, ProblemKind::Unreachable, "{problem:?}");
        assert!(problem.message.contains("no answer"), "{problem:?}");
    }
}
