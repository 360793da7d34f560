//! Streaming one shard from a node into the repository. The server uses no disk for it, and sends neither a length nor a hash
//! (1.16.3, 1.18.3): what came is hashed on the way, and its archive is read through afterwards, header by header.

use crate::archive::entries::Splitter;
use crate::domain::ids::ShardId;
use crate::domain::problem::{Problem, ProblemKind};
use crate::jobs::progress::Progress;
use crate::ops::services::OpenRepository;
use crate::ops::survey::backup_files::FileSource;
use crate::ops::survey::inspect;
use crate::qdrant::api::Download;
use crate::repository::layout::shard_object;
use crate::repository::upload::{Upload, not_removed};
use crate::transfer::source::{Line, next_chunk};
use crate::transfer::throttle::Throttle;
use sha2::{Digest, Sha256};

/// For parts of an object whose size nobody knows: so large it may become.
pub(in crate::ops) const LARGEST_SHARD: u64 = 128 << 30;

/// What came.
pub(in crate::ops) struct Streamed {
    pub size: u64,
    pub sha256: String,
}

/// Writes a stream into an object, which becomes visible when it is whole.
///
/// # Errors
/// Those of the server and of the store; nothing is left then.
pub(in crate::ops) async fn store(
    mut download: Download,
    mut upload: Upload,
    (line, there): (&Line, &Throttle),
    splitter: &mut Splitter,
    progress: &Progress,
    shown: &str,
) -> Result<Streamed, Problem> {
    let filled = async {
        let (mut hasher, mut size) = (Sha256::new(), 0);
        while let Some(chunk) =
            next_chunk(&mut download.body, line.stall, shown).await.map_err(|error| error.into_problem(shown))?
        {
            line.throttle.pass(chunk.len() as u64).await;
            there.pass(chunk.len() as u64).await;
            hasher.update(&chunk);
            splitter.push(&chunk);
            size += chunk.len() as u64;
            if size > LARGEST_SHARD {
                let words = format!("the shard has more than {}", crate::domain::size::bytes(LARGEST_SHARD));
                return Err(Problem::new(ProblemKind::Failed, words, shown)
                    .advise("back it up with --kind snapshot, or give the collection more shards"));
            }
            progress.add(chunk.len() as u64);
            upload.write(chunk).await?;
        }
        Ok(Streamed { size, sha256: crate::domain::hex::hex(&hasher.finalize()) })
    };
    match filled.await {
        Ok(streamed) => upload.finish().await.map(|()| streamed),
        Err(problem) => {
            if let Err(left) = upload.abort().await {
                progress.note(&not_removed(&left).message);
            }
            Err(problem)
        }
    }
}

/// Reads the headers of what was stored: a server that fails midway ends its answer as if it were whole.
///
/// # Errors
/// When something is missing in it, or it cannot be read.
pub(in crate::ops) async fn check(
    open: &OpenRepository,
    file: FileSource,
    shard: ShardId,
    progress: &Progress,
) -> Result<(), Problem> {
    let shown = file.source.shown().to_owned();
    let found = inspect::file_headers(open, file, &shard_object(shard), progress).await?;
    let flaw = found
        .check
        .as_ref()
        .filter(|check| check.damaged > 0)
        .map(|check| check.flaws.first().map_or_else(|| check.verdict.clone(), |flaw| flaw.what.clone()));
    match (found.check.is_some(), flaw) {
        (true, None) => Ok(()),
        (_, flaw) => {
            let words = flaw.unwrap_or_else(|| "its archive was not read whole".to_owned());
            Err(Problem::new(ProblemKind::Failed, format!("the stream of shard {shard} is not whole: {words}"), shown)
                .advise("the server broke off, or does not stream shards as it should: try again, or use --kind snapshot"))
        }
    }
}
