//! Reading for lists and panes. One dead instance or node never blanks another.

use crate::domain::address::{BackupAddress, CollectionAddress, SnapshotsOf, Which};
use crate::domain::collection::CollectionStatus;
use crate::domain::ids::{CollectionName, InstanceName, PeerId, SnapshotName};
use crate::domain::instance::Protection;
use crate::domain::problem::Problem;
use crate::domain::repository::Repository;
use crate::domain::secret::SafeUrl;
use crate::domain::snapshot::{SnapshotInfo, SnapshotScope};
use crate::domain::version::ServerVersion;
use crate::ops::journal::safeties::Safeties;
use crate::ops::request::recovery_point::RecoveryPoint;
use crate::ops::services::{Connection, Services};
use crate::ops::survey::backups::made_of;
use crate::ops::survey::membership::membership;
use crate::ops::survey::{backups, locate, placement};
use crate::repository::index::Backup;
use futures_util::StreamExt;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Requests in flight to one instance while a list is read.
const PARALLEL: usize = 8;

/// One instance.
#[derive(Debug, Clone, PartialEq)]
pub struct InstanceView {
    /// Name.
    pub name: InstanceName,
    /// Node addresses, with the port that is used.
    pub nodes: Vec<String>,
    /// Of each node, why it does not answer.
    pub silent: Vec<Option<String>>,
    /// Of each node of a cluster, its peer id.
    pub peers: Vec<Option<PeerId>>,
    /// What was decided about it that the configuration does not say.
    pub notes: Vec<String>,
    /// Version of the first node that answered.
    pub version: Option<ServerVersion>,
    /// How careful qsnap is with it.
    pub protection: Protection,
    /// Why it, or one of its nodes, does not answer.
    pub problem: Option<Problem>,
}

/// One collection.
#[derive(Debug, Clone, PartialEq)]
pub struct CollectionView {
    /// Address.
    pub address: CollectionAddress,
    /// Health; `None` when its info could not be read.
    pub status: Option<CollectionStatus>,
    /// Approximate points.
    pub points: Option<u64>,
    /// Vectors in words.
    pub vectors: String,
    /// Aliases, sanitised.
    pub aliases: Vec<String>,
    /// Shards, and replicas of each.
    pub shards: Option<(u64, u64)>,
    /// Indexed payload fields and their types.
    pub indexes: Vec<(String, String)>,
    /// Why it cannot be read, or what its optimiser reports.
    pub trouble: Option<String>,
    /// When its newest recovery point was taken; safety snapshots, which hold what an overwrite replaced, are none.
    pub newest: Option<Timestamp>,
    /// How many recovery points there are; `None` when they could not be listed.
    pub recovery_points: Option<usize>,
    /// How many safety snapshots lie beside them.
    pub safety_snapshots: usize,
    /// Everything but name and aliases was asked for. In a long list that happens when a row is seen.
    pub read: bool,
}

impl CollectionView {
    /// One of which only the name and the aliases are known.
    fn unread(address: CollectionAddress, aliases: Vec<String>) -> Self {
        Self {
            address,
            status: None,
            points: None,
            vectors: String::new(),
            aliases,
            shards: None,
            indexes: Vec::new(),
            trouble: None,
            newest: None,
            recovery_points: None,
            safety_snapshots: 0,
            read: false,
        }
    }
}

/// How far a recovery point is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProofState {
    /// Nothing was recorded.
    None,
    /// A sample was recorded, no restore has been proven yet.
    Recorded,
    /// A restore was proven.
    Proven(Timestamp),
}

/// One recovery point.
#[derive(Debug, Clone, PartialEq)]
pub struct RecoveryPointView {
    /// Of what.
    pub of: SnapshotsOf,
    /// Index of the node that keeps it.
    pub node: usize,
    /// That node's address.
    pub node_url: String,
    /// The snapshot.
    pub snapshot: SnapshotInfo,
    /// How far it is proven.
    pub proof: ProofState,
    /// Points that it can have, fewest and most, where they were recorded.
    pub points: Option<(u64, u64)>,
    /// Version of the server that took it, where that was recorded.
    pub taken_with: Option<String>,
    /// It was taken before an overwrite, of what was replaced.
    pub safety: bool,
    /// Of a backup in a repository: what only that has. `node` means nothing then, and the name is its address.
    pub stored: Option<Box<Stored>>,
}

/// What a backup in a repository has and a snapshot on a node has not.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// Its address.
    pub address: BackupAddress,
    /// It can be restored.
    pub good: bool,
    /// What it is worth, in a word.
    pub state: &'static str,
    /// Why it is not good, in words.
    pub reason: String,
    /// What somebody said of it.
    pub note: Option<String>,
    /// It is held, and why.
    pub hold: Option<String>,
    /// What it consists of, in words.
    pub made_of: String,
}

impl RecoveryPointView {
    /// What it is, as it is asked for.
    pub fn point(&self) -> RecoveryPoint {
        match &self.stored {
            Some(stored) => RecoveryPoint::Backup(stored.address.clone()),
            None => RecoveryPoint::snapshot(&self.of, Which::Named(self.snapshot.name.clone())),
        }
    }

    /// Whether it is what somebody means by "the newest": no safety snapshot, and no backup that is not good.
    pub fn is_wanted(&self) -> bool {
        !self.safety && self.stored.as_ref().is_none_or(|stored| stored.good)
    }
}

/// What a list gives: what could be read, and what went wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing<T> {
    /// What could be read.
    pub items: Vec<T>,
    /// What could not.
    pub problems: Vec<Problem>,
}

impl Listing<CollectionView> {
    /// Whether of some collections only the names are known.
    pub fn has_unread(&self) -> bool {
        self.items.iter().any(|view| !view.read)
    }
}

/// Whether an instance answers, and as what.
pub async fn instance(services: &Services, name: &InstanceName) -> Result<InstanceView, Problem> {
    let settings = services.instance(name)?;
    let mut view = InstanceView {
        name: name.clone(),
        nodes: settings.nodes.iter().map(ToString::to_string).collect(),
        silent: Vec::new(),
        peers: Vec::new(),
        notes: Vec::new(),
        version: None,
        protection: settings.protection,
        problem: None,
    };
    let connection = match services.connection(name).await {
        Ok(connection) => connection,
        Err(problem) => {
            view.problem = Some(problem);
            return Ok(view);
        }
    };
    view.nodes = connection.nodes.iter().map(|node| node.url().to_string()).collect();
    view.notes =
        settings.nodes.iter().zip(&connection.nodes).filter_map(|(written, node)| port_note(written, node.url())).collect();
    let (versions, silent, membership) = tokio::join!(
        futures_util::future::join_all(connection.nodes.iter().map(|node| node.version())),
        placement::silent(&connection),
        membership(&connection)
    );
    view.peers = membership.peers;
    view.notes.extend(membership.faults);
    for answer in versions {
        match answer {
            Ok(version) => view.version = view.version.or(version),
            Err(error) => view.problem = Some(error.into_problem(name.as_str())),
        }
    }
    view.silent = silent.iter().map(|error| error.as_ref().map(|error| error.message.clone())).collect();
    if let Some(error) = silent.into_iter().flatten().next() {
        view.problem = Some(placement::unseen(&connection, &error));
    }
    // The version needs no key; only a call that does shows whether the key is right.
    if view.problem.is_none()
        && let Err(error) = connection.whole().collections().await
    {
        view.problem = Some(error.into_problem(name.as_str()));
    }
    Ok(view)
}

/// Says which port an address without one was taken to mean.
fn port_note(written: &SafeUrl, used: &SafeUrl) -> Option<String> {
    let port = used.expose().port_or_known_default()?;
    let changed = written.names_no_port() && written.expose().port_or_known_default() != Some(port);
    changed.then(|| format!("{written} names no port: {used} is used, as Qdrant's own clients do, because port 80 has no Qdrant"))
}

/// All collections of an instance, sorted by name.
pub async fn collections(services: &Services, name: &InstanceName) -> Result<Listing<CollectionView>, Problem> {
    let names = names(services, name).await?;
    views(services, name, names).await
}

/// The same where each is read only while there are at most `most`: of more, names and aliases. Two requests then, however many
/// collections there are.
pub async fn collections_up_to(
    services: &Services,
    name: &InstanceName,
    most: usize,
) -> Result<Listing<CollectionView>, Problem> {
    let names = names(services, name).await?;
    if names.len() <= most {
        return views(services, name, names).await;
    }
    Ok(Listing { items: names, problems: Vec::new() })
}

/// Names and aliases of all collections, sorted.
async fn names(services: &Services, name: &InstanceName) -> Result<Vec<CollectionView>, Problem> {
    let connection = services.connection(name).await?;
    let (names, aliases) = tokio::join!(connection.whole().collections(), connection.whole().aliases());
    let mut names = names.map_err(|error| error.into_problem(name.as_str()))?;
    names.sort();
    let mut own: BTreeMap<CollectionName, Vec<String>> = BTreeMap::new();
    for alias in aliases.unwrap_or_default() {
        own.entry(alias.collection).or_default().push(crate::domain::text::sanitise(&alias.alias));
    }
    let unread = names.into_iter().map(|collection| {
        let aliases = own.remove(&collection).unwrap_or_default();
        CollectionView::unread(CollectionAddress::new(name.clone(), collection), aliases)
    });
    Ok(unread.collect())
}

/// Reads some collections of an instance, in their order.
pub async fn views(
    services: &Services,
    name: &InstanceName,
    unread: Vec<CollectionView>,
) -> Result<Listing<CollectionView>, Problem> {
    let connection = services.connection(name).await?;
    // A dead node is found once, and not asked again for every collection.
    let silent = placement::silent(&connection).await;
    let safeties = marks(services).await;
    let living: Vec<usize> = (0..connection.nodes.len()).filter(|index| silent[*index].is_none()).collect();
    let each = unread.into_iter().map(|view| collection_view(connection.clone(), &living, view, &safeties));
    let read: Vec<(CollectionView, Vec<Problem>)> = futures_util::stream::iter(each).buffered(PARALLEL).collect().await;
    let unseen = silent.iter().flatten().map(|error| placement::unseen(&connection, error)).collect();
    let mut listing = Listing { items: Vec::with_capacity(read.len()), problems: unseen };
    for (view, problems) in read {
        listing.items.push(view);
        listing.problems.extend(problems);
    }
    Ok(listing)
}

/// The marks of safety snapshots, read beside the threads that serve the network.
async fn marks(services: &Services) -> Safeties {
    let journal = services.journal.clone();
    tokio::task::spawn_blocking(move || journal.safeties()).await.unwrap_or_default()
}

async fn collection_view(
    connection: Arc<Connection>,
    living: &[usize],
    unread: CollectionView,
    safeties: &Safeties,
) -> (CollectionView, Vec<Problem>) {
    let address = unread.address;
    let scope = SnapshotScope::Collection(address.collection.clone());
    let mut problems = Vec::new();
    let mut view = CollectionView { read: true, ..CollectionView::unread(address.clone(), unread.aliases) };
    match connection.whole().collection(&address.collection).await {
        Ok(info) => {
            view.vectors = info.vectors_in_words();
            view.points = info.points;
            view.shards = Some((info.shard_number(), info.replication_factor()));
            view.trouble = info.optimizer_error;
            view.indexes = info.payload_schema;
            view.status = Some(info.status);
        }
        Err(error) => {
            view.trouble = Some(error.message.clone());
            problems.push(error.into_problem(address.to_string()));
        }
    }
    for node in living.iter().map(|index| &connection.nodes[*index]) {
        match node.snapshots(&scope).await {
            Ok(list) => {
                let marked = safeties.among(&address, list.iter().map(|snapshot| &snapshot.name));
                let is_safety = |snapshot: &&SnapshotInfo| marked.contains(&address.snapshot(&snapshot.name));
                let (kept, own): (Vec<&SnapshotInfo>, Vec<&SnapshotInfo>) = list.iter().partition(is_safety);
                view.safety_snapshots += kept.len();
                view.recovery_points = Some(view.recovery_points.unwrap_or(0) + own.len());
                view.newest = view.newest.max(own.iter().filter_map(|snapshot| snapshot.taken_at).max());
            }
            Err(error) => problems.push(error.into_problem(address.to_string())),
        }
    }
    (view, problems)
}

/// All recovery points of a collection, newest first.
pub async fn recovery_points(services: &Services, address: &CollectionAddress) -> Result<Listing<RecoveryPointView>, Problem> {
    let connection = services.connection(&address.instance).await?;
    let (located, problems) = locate::snapshots(&connection, address).await;
    if located.is_empty()
        && let Some(problem) = problems.first()
    {
        return Err(problem.clone());
    }
    let safeties = locate::safeties_among(&marks(services).await, address, &located);
    let items = located.into_iter().map(|located| {
        let safety = safeties.contains(&address.snapshot(&located.snapshot.name));
        let recorded = services.proofs.load(located.snapshot.sha256.as_deref());
        let proof = match &recorded {
            None => ProofState::None,
            Some(proof) => proof.proven_at.map_or(ProofState::Recorded, ProofState::Proven),
        };
        let points = recorded.as_ref().map(|proof| (proof.points_min, proof.points_max));
        let taken_with = recorded.and_then(|proof| proof.qdrant_version);
        let node_url = connection.nodes.get(located.node).map(|node| node.url().to_string()).unwrap_or_default();
        let (of, node, snapshot) = (address.clone().into(), located.node, located.snapshot);
        RecoveryPointView { of, node, node_url, snapshot, proof, points, taken_with, safety, stored: None }
    });
    Ok(Listing { items: items.collect(), problems })
}

/// All snapshots of the full storage of an instance, newest first.
pub async fn storage_points(services: &Services, instance: &InstanceName) -> Result<Listing<RecoveryPointView>, Problem> {
    let connection = services.connection(instance).await?;
    let of = SnapshotsOf::Storage(instance.clone());
    let (located, problems) = locate::snapshots_of(&connection, &of).await;
    if let (true, Some(problem)) = (located.is_empty(), problems.first()) {
        return Err(problem.clone());
    }
    let items = located.into_iter().map(|located| RecoveryPointView {
        of: of.clone(),
        node_url: connection.nodes.get(located.node).map(|node| node.url().to_string()).unwrap_or_default(),
        node: located.node,
        snapshot: located.snapshot,
        // Proofs are kept by the collections in it.
        proof: ProofState::None,
        points: None,
        taken_with: None,
        safety: false,
        stored: None,
    });
    Ok(Listing { items: items.collect(), problems })
}

/// Everything that there is of a collection, or of the full storage.
pub async fn points_of(services: &Services, of: &SnapshotsOf) -> Result<Listing<RecoveryPointView>, Problem> {
    match of {
        SnapshotsOf::Collection(address) => all_recovery_points(services, address).await,
        SnapshotsOf::Storage(instance) => storage_points(services, instance).await,
    }
}

/// The same with the backups of all repositories: one list, the newest first. What cannot be asked hides nothing else.
pub async fn all_recovery_points(
    services: &Services,
    address: &CollectionAddress,
) -> Result<Listing<RecoveryPointView>, Problem> {
    let repositories = services.repositories();
    let reading = repositories.iter().map(|repository| backups::contents(services, &repository.name, Some(address)));
    let (on_nodes, stored) = tokio::join!(recovery_points(services, address), futures_util::future::join_all(reading));
    let mut listing = match on_nodes {
        Ok(listing) => listing,
        Err(problem) if repositories.is_empty() => return Err(problem),
        Err(problem) => Listing { items: Vec::new(), problems: vec![problem] },
    };
    for (repository, contents) in repositories.iter().zip(stored) {
        match contents {
            Ok((_, contents)) => {
                let own = contents.backups.iter().filter(|backup| backup.collection == *address);
                listing.items.extend(own.map(|backup| stored_view(repository, backup)));
                listing.problems.extend(contents.problems.into_iter().chain(contents.remarks));
            }
            Err(problem) => listing.problems.push(problem),
        }
    }
    if let (true, Some(problem)) = (listing.items.is_empty(), listing.problems.first()) {
        return Err(problem.clone());
    }
    listing
        .items
        .sort_by(|a, b| b.snapshot.taken_at.cmp(&a.snapshot.taken_at).then_with(|| a.snapshot.name.cmp(&b.snapshot.name)));
    Ok(listing)
}

fn stored_view(repository: &Repository, backup: &Backup) -> RecoveryPointView {
    let address = BackupAddress::id(&repository.name, &backup.collection, &backup.id);
    let manifest = backup.manifest.as_ref();
    let sha256 = manifest.and_then(|manifest| match manifest.objects.as_slice() {
        [only] => Some(only.sha256.clone()),
        _ => None,
    });
    let points = manifest.and_then(|manifest| manifest.points_min.zip(manifest.points_max));
    RecoveryPointView {
        of: backup.collection.clone().into(),
        node: 0,
        node_url: repository.place.to_string(),
        snapshot: SnapshotInfo {
            name: SnapshotName::new(address.to_string()),
            size: backup.size,
            taken_at: Some(backup.taken_at()),
            sha256,
        },
        proof: match (backup.standing.proven_at, points) {
            (Some(at), _) => ProofState::Proven(at),
            (None, Some(_)) => ProofState::Recorded,
            (None, None) => ProofState::None,
        },
        points,
        taken_with: manifest.and_then(|manifest| manifest.qdrant_version.as_deref().map(crate::domain::text::sanitise)),
        safety: false,
        stored: Some(Box::new(Stored {
            address,
            good: backup.is_good(),
            state: backup.state.word(),
            reason: crate::domain::text::one_line(backup.state.reason(), 200),
            note: backup.standing.note.clone(),
            hold: backup.standing.hold.clone(),
            made_of: manifest.map(|manifest| made_of(manifest)).unwrap_or_default(),
        })),
    }
}
