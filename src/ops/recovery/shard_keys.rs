//! Collections that are sharded by keys. A server that creates such a collection from a snapshot makes no shards,
//! answers `true` and restores nothing (qdrant#10135; measured on 1.16.3 and 1.18.3): the collection and its keys must
//! be there first, with the same shard numbers, because data finds its shard by the number.

use crate::archive::contents::Collection;
use crate::domain::address::CollectionAddress;
use crate::domain::problem::{Problem, ProblemKind};
use crate::jobs::progress::Progress;
use crate::ops::gates::shard_keys::{creation, numbers, order, words};
use crate::qdrant::api::QdrantApi;

/// Creates the collection and its keys, and looks whether the numbers came out right.
///
/// # Errors
/// When the server refuses, or numbers differently: then nothing may be restored into it.
pub(in crate::ops) async fn prepare(
    node: &dyn QdrantApi,
    address: &CollectionAddress,
    collection: &Collection,
    progress: &Progress,
) -> Result<(), Problem> {
    let (config, keys) = (&collection.config, &collection.keys);
    let shown = address.to_string();
    let problem = |error: crate::qdrant::error::ApiError| error.into_problem(&shown);
    let steps = order(keys).map_err(|words| Problem::new(ProblemKind::Failed, words, &shown))?;
    node.create_collection(&address.collection, &creation(config)).await.map_err(problem)?;
    for (at, step) in steps.iter().enumerate() {
        progress.note(&format!("shard key {} of {}", at + 1, steps.len()));
        node.create_shard_key(&address.collection, &step.key, step.shards).await.map_err(problem)?;
    }
    let made = node.collection_cluster(&address.collection).await.map_err(problem)?.keys();
    if made == numbers(keys) {
        // Into a collection that exists a server restores no payload index.
        for (field, schema) in &collection.payload_schema_raw {
            node.create_payload_index(&address.collection, field, schema).await.map_err(problem)?;
        }
        return Ok(());
    }
    let words = format!("the server numbered the shards {}, the snapshot has {}", words(&made), words(&numbers(keys)));
    Err(Problem::new(ProblemKind::Failed, words, &shown).advise("nothing was restored; its data would get into wrong shards"))
}
