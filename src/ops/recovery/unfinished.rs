//! The folder of a backup while it is written: it says so, names what it will hold, and goes when the backup fails.

use crate::domain::address::{BackupAddress, CollectionAddress, WhichBackup};
use crate::domain::backup::BackupId;
use crate::domain::problem::{Problem, ProblemKind};
use crate::jobs::context::CleanupId;
use crate::ops::services::{OpenRepository, Services};
use crate::ops::steps::Steps;
use crate::repository::bucket::Bucket;
use crate::repository::index::Remains;
use crate::repository::layout::{MANIFEST, PART, STARTED, beside, folder};
use crate::repository::manifest::{FORMAT, Manifest, Started};
use crate::repository::needs::Needed;
use crate::repository::removal::remove_remains;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The largest `started.json`.
const LARGEST: u64 = 1 << 20;

/// How often a backup that runs says so.
const SIGN_OF_LIFE: Duration = Duration::from_secs(600);

/// A backup that has no manifest yet.
pub(in crate::ops) struct Unfinished {
    open: Arc<OpenRepository>,
    folder: String,
    address: String,
    names: Arc<Mutex<Vec<String>>>,
    /// Folders of older backups that it takes bytes from.
    builds_on: Mutex<BTreeSet<String>>,
    cleanup: CleanupId,
}

impl Unfinished {
    /// Says in the repository that a backup begins.
    ///
    /// # Errors
    /// When that cannot be written.
    pub(in crate::ops) async fn begin(
        services: &Services,
        open: &Arc<OpenRepository>,
        collection: &CollectionAddress,
        id: &BackupId,
        steps: &Steps<'_>,
    ) -> Result<Self, Problem> {
        let folder = folder(collection, id);
        let address = BackupAddress::id(&open.bucket.repository.name, collection, id).to_string();
        let names: Arc<Mutex<Vec<String>>> = Arc::default();
        let cleanup = steps.job.on_failure(format!("what was written of {address}"), {
            let (bucket, folder, names, ledger, address) =
                (open.bucket.clone(), folder.clone(), names.clone(), steps.ledger(), address.clone());
            async move {
                let names = names.lock().unwrap_or_else(PoisonError::into_inner).clone();
                remove(&bucket, &folder, &names).await.inspect(|()| ledger.gone(&address))
            }
        });
        let unfinished = Self { open: open.clone(), folder, address, names, builds_on: Mutex::default(), cleanup };
        let text = unfinished.text(services);
        open.bucket.create(&unfinished.key(STARTED), text).await?;
        Ok(unfinished)
    }

    /// The key of a file in its folder.
    pub(in crate::ops) fn key(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }

    /// Says, before it is written, that an object of this name will be there.
    ///
    /// # Errors
    /// When that cannot be written.
    pub(in crate::ops) async fn names(&self, services: &Services, name: &str) -> Result<(), Problem> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).push(name.to_owned());
        self.open.bucket.replace(&self.key(STARTED), self.text(services)).await
    }

    /// Says on which older backups it builds, so that what it needs of them stays.
    ///
    /// # Errors
    /// When that cannot be written.
    pub(in crate::ops) async fn builds_on(
        &self,
        services: &Services,
        ids: impl Iterator<Item = BackupId>,
    ) -> Result<(), Problem> {
        self.builds_on.lock().unwrap_or_else(PoisonError::into_inner).extend(ids.map(|id| beside(&self.folder, &id)));
        self.open.bucket.replace(&self.key(STARTED), self.text(services)).await
    }

    /// Does something long, and says again and again that the backup still runs: in a bucket nothing shows of an upload until it ends.
    pub(in crate::ops) async fn alive<T>(&self, services: &Services, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = tokio::time::sleep(SIGN_OF_LIFE) => {
                    // One that cannot be written costs nothing for a day.
                    let _ = self.open.bucket.replace(&self.key(STARTED), self.text(services)).await;
                }
            }
        }
    }

    fn text(&self, services: &Services) -> Vec<u8> {
        let started = Started {
            format: FORMAT,
            who: services.journal.operator().to_owned(),
            at: services.clock.now(),
            removing: false,
            objects: self.names.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            builds_on: self.builds_on.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect(),
        };
        serde_json::to_vec_pretty(&started).unwrap_or_default()
    }

    /// Whether every object of the manifest is there with its size: somebody may have cleaned up meanwhile.
    ///
    /// # Errors
    /// When one is not, or that cannot be told.
    pub(in crate::ops) async fn all_there(&self, manifest: &Manifest) -> Result<(), Problem> {
        let own = manifest.objects.iter().map(|object| (self.key(&object.name), object.size));
        let lists = manifest.indexes.iter().map(|index| (self.key(&index.name), index.size));
        let others: BTreeMap<String, u64> = manifest.parts().map(|part| (part.key(&self.folder), part.size)).collect();
        for (key, size) in own.chain(lists).chain(others) {
            let found = self.open.bucket.size(&key).await?;
            if found != Some(size) {
                let words = match found {
                    None => "it is gone although it was there just now".to_owned(),
                    Some(found) => format!("it has {found} bytes instead of {size}"),
                };
                return Err(Problem::new(ProblemKind::Failed, words, self.open.bucket.shown(&key))
                    .advise("look who else writes to the repository, then back up again"));
            }
        }
        Ok(())
    }

    /// The manifest is there: the folder is a backup.
    pub(in crate::ops) async fn done(self, steps: &mut Steps<'_>) {
        steps.job.keep(self.cleanup);
        steps.gone(&self.address);
        // Beside a manifest it says nothing any more; `prune` removes it another time.
        let _ = self.open.bucket.delete(&self.key(STARTED)).await;
    }
}

/// Removes what an unfinished backup wrote: the objects that it named, then the word that it began. Never a backup.
///
/// # Errors
/// When something could not be removed, or it is a backup after all.
async fn remove(bucket: &Bucket, folder: &str, names: &[String]) -> Result<(), Problem> {
    let key = |name: &str| format!("{folder}/{name}");
    if bucket.size(&key(MANIFEST)).await?.is_some() {
        return Ok(());
    }
    for name in names {
        bucket.delete(&key(name)).await?;
        bucket.delete(&key(&format!("{name}{PART}"))).await?;
    }
    bucket.delete(&key(STARTED)).await?;
    bucket.tidy_folders(&key(STARTED));
    Ok(())
}

/// The same, of a backup that another process left: by its address.
///
/// # Errors
/// As [`remove`], and when it is not known what it wrote.
pub(in crate::ops) async fn remove_left(services: &Services, address: &BackupAddress) -> Result<(), Problem> {
    let WhichBackup::Id(id) = &address.which else { return Ok(()) };
    let open = services.open(&address.repository).await?;
    let folder = folder(&address.collection, id);
    let text = open.bucket.read(&format!("{folder}/{STARTED}"), LARGEST).await?;
    let Some(text) = text else { return Ok(()) };
    let wrong = || {
        Problem::new(ProblemKind::Failed, "what it wrote is not known: its started.json is damaged", address.to_string())
            .advise(format!("remove {} by hand", open.bucket.shown(&folder)))
    };
    let Some(started) = Started::read(&text, id) else { return Err(wrong()) };
    let (collection, id) = (address.collection.clone(), id.clone());
    let left = Remains { collection, id, folder, started: Some(started), entries: Vec::new(), needed: Needed::default() };
    remove_remains(&open.bucket, &open.cache, &left).await.map(drop)
}
