//! What a backup consists of for those who read it: objects as they were made, and shards that are put together out of several.

use crate::archive::partial::without_files;
use crate::domain::ids::ShardId;
use crate::domain::problem::{Problem, ProblemKind};
use crate::ops::services::OpenRepository;
use crate::ops::survey::backups;
use crate::repository::index::Backup;
use crate::repository::layout::shard_object;
use crate::repository::manifest::{Indexed, Kind, Manifest, Object};
use crate::repository::shard_index::{LARGEST, ShardIndex};
use crate::transfer::indexed_shard::indexed_shard;
use crate::transfer::source::{Expected, Source};
use std::sync::Arc;

/// One file of it.
#[derive(Debug, Clone)]
pub(in crate::ops) enum BackupFile {
    /// An object, as it was made.
    Object(Object),
    /// A shard of which only what changed was streamed.
    Built(Indexed),
}

/// The bytes of a file.
pub(in crate::ops) struct FileSource {
    pub source: Arc<dyn Source>,
    pub expected: Expected,
}

/// All files of a backup.
pub(in crate::ops) fn files(manifest: &Manifest) -> Vec<BackupFile> {
    let whole = manifest.whole_objects().cloned().map(BackupFile::Object);
    whole.chain(manifest.increments().cloned().map(BackupFile::Built)).collect()
}

/// The only file of a backup, or one that holds every shard.
///
/// # Errors
/// When there is none.
pub(in crate::ops) fn whole(backup: &Backup, shown: &str) -> Result<BackupFile, Problem> {
    let of_shards = backup.manifest.as_ref().filter(|manifest| manifest.kind == Kind::Shards);
    let Some(manifest) = of_shards else { return backups::whole_object(backup, shown).cloned().map(BackupFile::Object) };
    let mut files = files(manifest);
    match (files.pop(), files.is_empty()) {
        (Some(only), true) => Ok(only),
        _ => Err(Problem::new(ProblemKind::Usage, format!("it consists of {} shards", manifest.shards.unwrap_or(0)), shown)
            .advise("`qsnap verify` reads all of it; `qsnap backups show` tells what it consists of")),
    }
}

impl BackupFile {
    /// What it is called on a disk.
    pub(in crate::ops) fn original(&self) -> String {
        match self {
            Self::Object(object) => object.original.clone(),
            Self::Built(index) => shard_object(index.shard),
        }
    }

    /// Bytes.
    pub(in crate::ops) fn size(&self) -> u64 {
        match self {
            Self::Object(object) => object.size,
            Self::Built(index) => index.bytes,
        }
    }

    /// Shards in it, where that is known.
    pub(in crate::ops) fn shards(&self) -> Vec<ShardId> {
        match self {
            Self::Object(object) => object.shards.clone(),
            Self::Built(index) => vec![index.shard],
        }
    }

    /// Its bytes. `shown` is what the user knows it by.
    ///
    /// # Errors
    /// When the list of the files of a shard cannot be read, or is not the one of the manifest.
    pub(in crate::ops) async fn open(
        &self,
        open: &OpenRepository,
        backup: &Backup,
        shown: String,
    ) -> Result<FileSource, Problem> {
        match self {
            Self::Object(object) => {
                let (source, expected) = backups::source(open, backup, object, shown);
                Ok(FileSource { source: Arc::new(source), expected })
            }
            Self::Built(indexed) => {
                let index = index(open, &backup.folder, indexed).await?;
                let composed = indexed_shard(&open.bucket, &backup.folder, &index, &shown);
                let expected = composed.expected();
                if expected.size != indexed.bytes {
                    return Err(Problem::new(ProblemKind::Difference, "the list of its files names what is not there", shown)
                        .advise("the backup is damaged: choose another one; `qsnap backups list` shows what there is"));
                }
                Ok(FileSource { expected, source: Arc::new(composed) })
            }
        }
    }
}

/// The list of the files of a shard, in the folder of a backup.
///
/// # Errors
/// `Difference` when it is missing or not the one of the manifest; and those of the store.
pub(in crate::ops) async fn index(open: &OpenRepository, folder: &str, indexed: &Indexed) -> Result<ShardIndex, Problem> {
    let key = format!("{folder}/{}", indexed.name);
    let wrong = |why: String| {
        Problem::new(ProblemKind::Difference, why, open.bucket.shown(&key))
            .advise("the backup is damaged: choose another one; `qsnap backups list` shows what there is")
    };
    let text = open.bucket.read(&key, LARGEST).await?;
    let text = text.ok_or_else(|| wrong("the list of its files is missing".into()))?;
    let index = ShardIndex::read(&text, &indexed.sha256).map_err(wrong)?;
    // What the manifest does not name nobody keeps.
    let named = index.objects.iter().all(|held| indexed.parts.contains(held));
    if !named || index.shard != indexed.shard || index.bytes() != indexed.bytes {
        return Err(wrong("the list of its files contradicts the manifest".into()));
    }
    if let Some(segment) = without_files(&index.versions, index.files.keys().map(String::as_str)) {
        return Err(wrong(format!("the list of its files has none of segment {segment}")));
    }
    Ok(index)
}
