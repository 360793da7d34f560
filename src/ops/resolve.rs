//! From addresses to things on nodes.

use crate::domain::address::{CollectionAddress, Which};
use crate::domain::ids::CollectionName;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::snapshot::{SnapshotInfo, SnapshotScope};
use crate::ops::services::Connection;
use crate::qdrant::error::ApiErrorKind;

/// A snapshot and the node that keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// Index of the node.
    pub node: usize,
    /// The snapshot.
    pub snapshot: SnapshotInfo,
}

/// Finds a snapshot on the nodes of an instance.
pub async fn locate(connection: &Connection, address: &CollectionAddress, which: &Which) -> Result<Located, Problem> {
    let (all, problems) = snapshots(connection, address).await;
    // A node that did not answer may have a newer one: "latest" must not quietly mean an older one.
    if let (Which::Latest, Some(problem)) = (which, problems.first()) {
        return Err(problem.clone());
    }
    let found = match which {
        Which::Named(name) => all.into_iter().find(|located| &located.snapshot.name == name),
        Which::Latest => all.into_iter().max_by_key(|located| located.snapshot.taken_at),
    };
    if let Some(found) = found {
        return Ok(found);
    }
    // A node that did not answer may be the one that has it.
    if let Some(problem) = problems.into_iter().next() {
        return Err(problem);
    }
    let (message, on) = match which {
        Which::Latest => ("there is no snapshot".to_owned(), address.to_string()),
        Which::Named(name) => (format!("there is no snapshot called {name}"), address.to_string()),
    };
    Err(Problem::new(ProblemKind::NotFound, message, on)
        .advise(format!("`qsnap snapshots list {address}` shows what there is; it may have been deleted meanwhile")))
}

/// All snapshots of a collection on all nodes, and the nodes that failed.
pub async fn snapshots(connection: &Connection, address: &CollectionAddress) -> (Vec<Located>, Vec<Problem>) {
    let scope = SnapshotScope::Collection(address.collection.clone());
    let asked = connection.nodes.iter().map(|node| node.snapshots(&scope));
    let answers = futures_util::future::join_all(asked).await;
    let (mut all, mut problems) = (Vec::new(), Vec::new());
    for (node, answer) in answers.into_iter().enumerate() {
        match answer {
            Ok(list) => all.extend(list.into_iter().map(|snapshot| Located { node, snapshot })),
            Err(error) => problems.push(error.into_problem(address.to_string())),
        }
    }
    all.sort_by(|a, b| b.snapshot.taken_at.cmp(&a.snapshot.taken_at).then_with(|| a.snapshot.name.cmp(&b.snapshot.name)));
    (all, problems)
}

/// What a name means on an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameUse {
    /// Nothing has it.
    Free,
    /// A collection has it.
    Collection,
    /// It is an alias of this collection.
    Alias(CollectionName),
}

/// Asks what a name means.
pub async fn name_use(connection: &Connection, address: &CollectionAddress) -> Result<NameUse, Problem> {
    let node = connection.first();
    let aliases = match node.aliases().await {
        Ok(aliases) => aliases,
        // A key that may not list aliases can still ask for the collection.
        Err(error) if error.kind == ApiErrorKind::Forbidden => Vec::new(),
        Err(error) => return Err(error.into_problem(address.to_string())),
    };
    if let Some(alias) = aliases.into_iter().find(|alias| alias.alias == address.collection.raw()) {
        return Ok(NameUse::Alias(alias.collection));
    }
    let exists = node.exists(&address.collection).await.map_err(|error| error.into_problem(address.to_string()))?;
    Ok(if exists { NameUse::Collection } else { NameUse::Free })
}
