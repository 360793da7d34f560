//! From addresses to things on nodes.

use crate::domain::address::{CollectionAddress, SnapshotsOf, Which};
use crate::domain::ids::CollectionName;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::snapshot::SnapshotInfo;
use crate::ops::journal::safeties::Safeties;
use crate::ops::services::{Connection, Services};
use crate::ops::survey::placement::{self, is_silence};
use crate::qdrant::error::ApiErrorKind;
use std::collections::BTreeSet;

/// A snapshot and the node that keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// Index of the node.
    pub node: usize,
    /// The snapshot.
    pub snapshot: SnapshotInfo,
}

/// Finds a snapshot on the nodes of an instance.
pub async fn locate(services: &Services, connection: &Connection, of: &SnapshotsOf, which: &Which) -> Result<Located, Problem> {
    let listed = snapshots_of(connection, of).await;
    let marked = match of {
        SnapshotsOf::Collection(address) => safeties_among(&safeties(services, which).await?, address, &listed.0),
        // What an overwrite replaced is kept by collection.
        SnapshotsOf::Storage(_) => BTreeSet::new(),
    };
    choose(&listed, of, which, &marked)
}

/// What `latest` never means. What is named needs no such knowledge.
///
/// # Errors
/// When a record that may tell cannot be read.
pub(in crate::ops) async fn safeties(services: &Services, which: &Which) -> Result<Safeties, Problem> {
    let (journal, latest) = (services.journal.clone(), *which == Which::Latest);
    let read = move || if latest { journal.all_safeties() } else { Ok(journal.safeties()) };
    let crashed =
        |error: tokio::task::JoinError| Problem::new(ProblemKind::Failed, format!("the journal was not read: {error}"), "");
    tokio::task::spawn_blocking(read).await.map_err(crashed)?
}

/// Those among what is listed of a collection.
pub(in crate::ops) fn safeties_among(safeties: &Safeties, address: &CollectionAddress, all: &[Located]) -> BTreeSet<String> {
    safeties.among(address, all.iter().map(|located| &located.snapshot.name))
}

/// The one that is meant among those that are listed. `latest` is the newest that somebody wanted: a safety snapshot holds
/// what was just replaced, and has to be named. Pure.
pub(in crate::ops) fn choose(
    (all, problems): &(Vec<Located>, Vec<Problem>),
    of: &SnapshotsOf,
    which: &Which,
    safeties: &BTreeSet<String>,
) -> Result<Located, Problem> {
    // A node that did not answer may have a newer one: "latest" must not quietly mean an older one.
    if let (Which::Latest, Some(problem)) = (which, problems.first()) {
        return Err(problem.clone());
    }
    let wanted = |located: &&Located| !safeties.contains(&of.snapshot(&located.snapshot.name));
    let found = match which {
        Which::Named(name) => all.iter().find(|located| &located.snapshot.name == name),
        Which::Latest => all.iter().filter(wanted).max_by_key(|located| located.snapshot.taken_at),
    };
    if let Some(found) = found {
        return Ok(found.clone());
    }
    // A node that did not answer may be the one that has it.
    if let Some(problem) = problems.first() {
        return Err(problem.clone());
    }
    let list = format!("`qsnap snapshots list {of}` shows");
    let none = |message: String, advice: String| Err(Problem::new(ProblemKind::NotFound, message, of.to_string()).advise(advice));
    let may = format!("{list} what there is; it may have been deleted meanwhile");
    match which {
        Which::Named(name) => none(format!("there is no snapshot called {name}"), may),
        Which::Latest if all.is_empty() => none("there is no snapshot".to_owned(), may),
        Which::Latest => {
            let message = "there are only safety snapshots, of what was replaced";
            Err(Problem::new(ProblemKind::Refused, message, of.to_string())
                .advise(format!("{list} them; name the one that you mean")))
        }
    }
}

/// All snapshots of a collection on all nodes, and the nodes that failed.
pub async fn snapshots(connection: &Connection, address: &CollectionAddress) -> (Vec<Located>, Vec<Problem>) {
    snapshots_of(connection, &SnapshotsOf::Collection(address.clone())).await
}

/// The same of a collection or of the full storage.
pub async fn snapshots_of(connection: &Connection, of: &SnapshotsOf) -> (Vec<Located>, Vec<Problem>) {
    let scope = of.scope();
    let asked = connection.nodes.iter().map(|node| node.snapshots(&scope));
    let answers = futures_util::future::join_all(asked).await;
    let (mut all, mut problems) = (Vec::new(), Vec::new());
    for (node, answer) in answers.into_iter().enumerate() {
        match answer {
            Ok(list) => all.extend(list.into_iter().map(|snapshot| Located { node, snapshot })),
            Err(error) if is_silence(&error) && connection.nodes.len() > 1 => {
                problems.push(placement::unseen(connection, &error))
            }
            Err(error) => problems.push(error.into_problem(of.to_string())),
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
    let node = connection.whole();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::SnapshotName;

    #[test]
    fn latest_is_the_newest_that_is_no_safety_snapshot_and_never_a_guess() {
        let address = CollectionAddress::parse("a/x").unwrap();
        let located = |name: &str, at: &str| Located {
            node: 0,
            snapshot: SnapshotInfo { name: SnapshotName::new(name), size: 1, taken_at: Some(at.parse().unwrap()), sha256: None },
        };
        let old = located("old.snapshot", "2026-11-22T01:00:00Z");
        let new = located("new.snapshot", "2026-11-22T02:00:00Z");
        let safety = located("safety.snapshot", "2026-11-22T03:00:00Z");
        let safeties: BTreeSet<String> = ["a/x/safety.snapshot".to_owned()].into();
        let pick = |all: &[&Located], problems: &[Problem], which: &Which| {
            let listed = (all.iter().map(|located| (*located).clone()).collect(), problems.to_vec());
            choose(&listed, &address.clone().into(), which, &safeties).map_err(|problem| problem.kind)
        };
        assert_eq!(pick(&[&safety, &new, &old], &[], &Which::Latest), Ok(new.clone()));
        assert_eq!(pick(&[&safety], &[], &Which::Latest), Err(ProblemKind::Refused));
        assert_eq!(pick(&[], &[], &Which::Latest), Err(ProblemKind::NotFound));
        let named = Which::Named(safety.snapshot.name.clone());
        assert_eq!(pick(&[&safety], &[], &named), Ok(safety.clone()), "named it is meant");
        // A node that does not answer may have a newer one.
        let down = Problem::new(ProblemKind::Unreachable, "no answer", "node 1");
        assert_eq!(pick(&[&new], std::slice::from_ref(&down), &Which::Latest), Err(ProblemKind::Unreachable));
        assert_eq!(pick(&[&safety], std::slice::from_ref(&down), &named), Ok(safety.clone()));
        assert_eq!(pick(&[&new], &[down], &named), Err(ProblemKind::Unreachable));
    }
}
