//! Getting a snapshot's bytes into a target node, which restores from them.
//!
//! *url*: the target fetches from the source; no bytes pass through qsnap. *stream*: qsnap pipes source to
//! target in constant memory. *upload*: a local file. Falls back from url to stream when the server says
//! that URL recovery is off or that it cannot reach the source.

use crate::domain::address::{BackupAddress, CollectionAddress, encode};
use crate::domain::given_names::is_scratch;
use crate::domain::ids::SnapshotName;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::snapshot::{SnapshotInfo, SnapshotScope};
use crate::domain::time::compact;
use crate::jobs::context::{CleanupId, JobContext};
use crate::ops::recovery::await_server::{Followed, follow};
use crate::ops::recovery::deliver_shards::{ShardsOf, deliver_shards};
use crate::ops::recovery::delivered::{Broken, Delivered, Impact, impact_of};
use crate::ops::recovery::destination::Destination;
use crate::ops::recovery::meant::{Meant, as_meant};
use crate::ops::request::route::Route;
use crate::ops::services::{Connection, OpenRepository, Services};
use crate::ops::steps::Ledger;
use crate::ops::survey::backups;
use crate::ops::survey::first_route::{End, first_route, from_store};
use crate::ops::survey::origin::Origin;
use crate::ops::survey::storage::Member;
use crate::qdrant::api::{QdrantApi, Recover, Upload};
use crate::qdrant::error::{ApiError, ApiErrorKind};
use crate::repository::index::Backup;
use crate::repository::manifest::Object;
use crate::transfer::disk::disk_problem;
use crate::transfer::pump::{AtEnd, Body, Pump};
use crate::transfer::source::{Expected, NodeSnapshot};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How an upload is handed over.
#[derive(Clone)]
pub(in crate::ops) struct Handover {
    /// What the target will call the file that it keeps.
    pub kept: SnapshotName,
    /// Where it is written down.
    pub ledger: Ledger,
    /// What must be there at the end, as it was at the beginning.
    pub meant: Meant,
    /// Set once it is handed over: bytes that were taken before are no whole upload.
    pub over: Arc<AtomicBool>,
}

/// What a plan says where the target fetches by itself, and no last check is possible.
pub(in crate::ops) fn unwatched(route: Route) -> &'static str {
    match route {
        Route::Url => "; what somebody makes under that name meanwhile would be overwritten: only the route stream asks again",
        _ => "",
    }
}

/// Until the last byte a cancel loses nothing; after it the server restores, even if the connection closes. That it was handed over is
/// in the journal before it is.
fn seal_at_end(job: &JobContext, handover: &Handover, destination: &Destination) -> impl AtEnd {
    let (job, handover, destination) = (job.clone(), handover.clone(), destination.clone());
    async move {
        as_meant(&destination, handover.meant, &job.progress).await?;
        let sealed = job.seal();
        if sealed {
            handover.over.store(true, Ordering::SeqCst);
            hand_over(&job, &handover.ledger, &destination);
            job.progress.phase("the server is restoring", None);
        }
        Ok(sealed)
    }
}

/// Notes that the server has it: from here on a cancel does not leave live data as it was. What is restored to a scratch name
/// leaves it.
fn hand_over(job: &JobContext, ledger: &Ledger, destination: &Destination) {
    ledger.handed_over();
    if !is_scratch(&destination.address.collection) {
        job.resumable(None);
    }
}

/// The name under which the target will keep an upload: it must not be in use.
pub(in crate::ops) fn upload_name(services: &Services, job: &JobContext, stage: &str) -> SnapshotName {
    let now = compact(services.clock.now());
    SnapshotName::new(format!("qsnap-{now}-{}-{}-{}.snapshot", std::process::id(), job.id.0, stage.replace(' ', "-")))
}

/// Delivers, falling back from url to stream where `asked` allows it.
pub(in crate::ops) async fn deliver(
    services: &Services,
    job: &JobContext,
    origin: &Origin,
    destination: &Destination,
    asked: Route,
    handover: Handover,
) -> Result<Delivered, Broken> {
    match origin {
        Origin::File { path, size, sha256 } => {
            let file = std::fs::File::open(path).map_err(|error| disk_problem("read", path, &error))?;
            job.progress.phase("uploading", Some(*size));
            let outlet = destination.outlet(services, None)?;
            let pump =
                Pump::from_file(file, path.clone(), *size, outlet, &job.progress, seal_at_end(job, &handover, destination));
            let (uploaded, looked) = upload(job, destination, pump, (*size, sha256.as_deref()), None, handover).await?;
            Ok(Delivered { uploaded: Some(uploaded), ..Delivered::by(Route::Upload, *size, looked) })
        }
        Origin::Node { connection, node, address, snapshot } => {
            from_node(services, job, (connection, *node, address, snapshot), destination, asked, handover).await
        }
        Origin::Shards(shards) => {
            let from = (ShardsOf::Backup(shards), asked);
            deliver_shards(services, job, from, destination, (&handover.ledger, handover.meant)).await
        }
        Origin::Live(live) => {
            let from = (ShardsOf::Live(live), asked);
            deliver_shards(services, job, from, destination, (&handover.ledger, handover.meant)).await
        }
        Origin::Member(member) => from_storage(services, job, member, destination, handover).await,
        Origin::Backup { open, address, backup, object, .. } => {
            let stored = Stored { open, address, backup, object };
            from_repository(services, job, &stored, destination, asked, handover).await
        }
    }
}

/// A snapshot on a node: by URL where the target can fetch it, else through qsnap.
async fn from_node(
    services: &Services,
    job: &JobContext,
    (connection, node, address, snapshot): (&Arc<Connection>, usize, &CollectionAddress, &SnapshotInfo),
    destination: &Destination,
    asked: Route,
    handover: Handover,
) -> Result<Delivered, Broken> {
    let on_node = OnNode { node: connection.node(node)?, address, snapshot };
    let limited = services.limited(&[&address.instance, &destination.address.instance]);
    let (route, reason) = first_route(
        asked,
        Some(End::of(connection, on_node.node.url()).with_snapshot(&snapshot.name)),
        End::of(&destination.connection, destination.node()?.url()),
        limited,
    );
    let mut reason = (asked == Route::Auto && route == Route::Stream).then_some(reason);
    if route == Route::Url {
        let recover = Recover {
            location: on_node.node.snapshot_url(&on_node.scope(), &snapshot.name),
            api_key: connection.access.api_key.clone(),
            sha256: snapshot.sha256.clone(),
        };
        match fetched(job, &handover.ledger, recover, destination, asked).await? {
            Fetched::Yes { looked } => {
                return Ok(Delivered::by(route, snapshot.size, looked));
            }
            Fetched::Cannot(why) => reason = Some(why),
        }
    }
    stream(services, job, &on_node, destination, reason, handover).await
}

/// Out of a snapshot of the full storage: the range of bytes that the collection is in it, through qsnap.
async fn from_storage(
    services: &Services,
    job: &JobContext,
    member: &Member,
    destination: &Destination,
    handover: Handover,
) -> Result<Delivered, Broken> {
    let (source, expected) = member.bytes();
    let instance = member.storage.connection.as_ref().map(|connection| connection.instance.name.clone());
    job.progress.phase("streaming", Some(expected.size));
    let outlet = destination.outlet(services, instance.as_ref())?;
    let at_end = seal_at_end(job, &handover, destination);
    let pump = Pump::from_source(source, expected, member.storage.line.clone(), outlet, &job.progress, at_end);
    let from = instance.map(|instance| CollectionAddress::new(instance, member.collection.clone()));
    let (uploaded, looked) = upload(job, destination, pump, (member.size, None), from.as_ref(), handover).await?;
    Ok(Delivered { uploaded: Some(uploaded), ..Delivered::by(Route::Stream, member.size, looked) })
}

/// An object of a backup.
struct Stored<'a> {
    open: &'a Arc<OpenRepository>,
    address: &'a BackupAddress,
    backup: &'a Backup,
    object: &'a Object,
}

/// A link that the target uses is valid for so long: a server fetches at once, but a large file takes its time.
const LINK_VALID: Duration = Duration::from_secs(6 * 60 * 60);

/// From a repository: by a signed link where the target can reach the store, else through qsnap.
async fn from_repository(
    services: &Services,
    job: &JobContext,
    from: &Stored<'_>,
    destination: &Destination,
    asked: Route,
    handover: Handover,
) -> Result<Delivered, Broken> {
    let bucket = &from.open.bucket;
    let limited = bucket.repository.limit_rate.is_some() || services.limited(&[&destination.address.instance]);
    let (route, reason) = from_store(asked, &bucket.repository, destination.node()?.url(), limited);
    let mut reason = (asked == Route::Auto && route == Route::Stream).then_some(reason);
    if route == Route::Url {
        let link = bucket.signed(&from.backup.key(&from.object.name), LINK_VALID).await;
        match link {
            Ok(Some(location)) => {
                let recover = Recover { location, api_key: None, sha256: Some(from.object.sha256.clone()) };
                match fetched(job, &handover.ledger, recover, destination, asked).await? {
                    Fetched::Yes { looked } => {
                        let bytes = from.object.size;
                        return Ok(Delivered::by(route, bytes, looked));
                    }
                    Fetched::Cannot(why) => reason = Some(why),
                }
            }
            Ok(None) => reason = Some("this repository cannot sign links".into()),
            Err(problem) if asked == Route::Auto => reason = Some(problem.message),
            Err(problem) => {
                return Err(Broken::before(problem.advise("choose the route stream: the bytes then go through qsnap")));
            }
        }
    }
    let shown = from.address.to_string();
    let (source, expected) = backups::source(from.open, from.backup, from.object, shown);
    job.progress.phase("streaming", Some(expected.size));
    let outlet = destination.outlet(services, None)?;
    let at_end = seal_at_end(job, &handover, destination);
    let line = backups::line(from.open);
    let pump = Pump::from_source(Arc::new(source), expected, line, outlet, &job.progress, at_end);
    let whole = (from.object.size, Some(from.object.sha256.as_str()));
    let (uploaded, looked) = upload(job, destination, pump, whole, Some(&from.address.collection), handover).await?;
    Ok(Delivered { reason, uploaded: Some(uploaded), ..Delivered::by(Route::Stream, from.object.size, looked) })
}

/// A snapshot on a node.
struct OnNode<'a> {
    node: &'a Arc<dyn QdrantApi>,
    address: &'a CollectionAddress,
    snapshot: &'a SnapshotInfo,
}

impl OnNode<'_> {
    fn scope(&self) -> SnapshotScope {
        SnapshotScope::Collection(self.address.collection.clone())
    }
}

/// Whether the target fetched the snapshot by itself.
enum Fetched {
    Yes {
        looked: bool,
    },
    /// It cannot, and another route may be tried.
    Cannot(String),
}

async fn fetched(
    job: &JobContext,
    ledger: &Ledger,
    recover: Recover,
    destination: &Destination,
    asked: Route,
) -> Result<Fetched, Broken> {
    match by_url(job, ledger, recover, destination).await {
        Ok(looked) => Ok(Fetched::Yes { looked }),
        Err(error) if asked == Route::Auto && error.cannot_fetch() => {
            job.unseal();
            ledger.handed_back();
            Ok(Fetched::Cannot(format!("url did not work: {}", error.message)))
        }
        Err(error) if error.cannot_fetch() => {
            let problem = error.into_problem(destination.address.to_string());
            Err(Broken::before(problem.advise("choose the route stream: the bytes then go through qsnap")))
        }
        Err(error) => {
            let impact = impact_of(&error);
            Err(Broken { problem: error.into_problem(destination.address.to_string()), impact })
        }
    }
}

/// Through qsnap, in constant memory.
async fn stream(
    services: &Services,
    job: &JobContext,
    from: &OnNode<'_>,
    destination: &Destination,
    reason: Option<String>,
    handover: Handover,
) -> Result<Delivered, Broken> {
    let (address, snapshot) = (from.address, from.snapshot);
    let shown = address.snapshot(&snapshot.name);
    let source = NodeSnapshot { node: from.node.clone(), scope: from.scope(), name: snapshot.name.clone(), shown };
    let probed = Expected::probe(&source, snapshot.size, snapshot.sha256.clone()).await;
    let expected = probed.map_err(|error| error.into_problem(&source.shown))?;
    let size = expected.size;
    if size != snapshot.size {
        let message = format!("the source offers {size} bytes, its list says {}", snapshot.size);
        let problem = Problem::new(ProblemKind::Difference, message, address.to_string());
        return Err(Broken::before(problem.advise("take a new snapshot; this one changed or is cut")));
    }
    job.progress.phase("streaming", Some(size));
    let (line, outlet) = (services.line(&address.instance)?, destination.outlet(services, Some(&address.instance))?);
    let at_end = seal_at_end(job, &handover, destination);
    let pump = Pump::from_source(Arc::new(source), expected, line, outlet, &job.progress, at_end);
    let whole = (size, snapshot.sha256.as_deref());
    let (uploaded, looked) = upload(job, destination, pump, whole, Some(address), handover).await?;
    Ok(Delivered { reason, uploaded: Some(uploaded), ..Delivered::by(Route::Stream, size, looked) })
}

async fn by_url(job: &JobContext, ledger: &Ledger, recover: Recover, destination: &Destination) -> Result<bool, ApiError> {
    let target = match destination.node() {
        Ok(target) => target,
        Err(problem) => return Err(ApiError::new(ApiErrorKind::Rejected, "find the target", "", problem.message)),
    };
    job.progress.phase("the target fetches and restores", None);
    // The server goes on when its client leaves, so that leaving half-way would only hide the result.
    let name = &destination.address.collection;
    let target_scope = destination.scope();
    let call = target.recover(&target_scope, recover);
    if !job.seal() {
        // A cancel came first: this task is about to be dropped here.
        std::future::pending::<()>().await;
    }
    hand_over(job, ledger, destination);
    match follow(target.as_ref(), name, &job.progress, call).await? {
        Followed::Answered(()) => Ok(false),
        Followed::MustLook => something_restored(destination).await.map(|()| true).map_err(|problem| {
            ApiError::new(ApiErrorKind::Server, "restore from the snapshot's URL", target.url(), problem.message)
        }),
    }
}

/// After a lost connection, and the server is idle again: without a collection nothing was restored. With
/// one, verification decides what it holds.
async fn something_restored(destination: &Destination) -> Result<(), Problem> {
    let shown = destination.address.to_string();
    match destination.node()?.exists(&destination.address.collection).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(Problem::new(ProblemKind::Failed, "the connection was lost, and the server restored nothing", shown)
            .advise("try again")),
        Err(error) => Err(error.into_problem(shown)),
    }
}

/// Uploads what `pump` gives; `source` is the collection that is streamed from, for the message when it breaks.
async fn upload(
    job: &JobContext,
    destination: &Destination,
    (pump, body): (Pump, Body),
    (size, sha256): (u64, Option<&str>),
    source: Option<&CollectionAddress>,
    handover: Handover,
) -> Result<((SnapshotName, CleanupId), bool), Broken> {
    let target = destination.node()?;
    let Handover { kept, ledger, over, .. } = handover;
    let handed_over = || over.load(Ordering::SeqCst);
    let upload = Upload { file_name: kept.raw().to_owned(), size: Some(size), body, sha256: sha256.map(str::to_owned) };
    let name = &destination.address.collection;
    let scope = destination.scope();
    let shown = format!("{}/{}", destination.address, encode(kept.raw()));
    let removal = remove_upload(target.clone(), scope.clone(), kept.clone());
    let whole = over.clone();
    let cleanup = job.on_failure(format!("the uploaded file {shown}"), async move {
        // A body without its end leaves no file.
        if whole.load(Ordering::SeqCst) {
            removal.await?;
        }
        ledger.gone(&shown);
        Ok(())
    });
    let sending = async {
        target.upload(&scope, upload).await.map_err(|mut error| {
            // The server restores only whole uploads: of one that broke before its end nothing has to be looked for.
            if error.kind == ApiErrorKind::OutcomeUnknown && !handed_over() {
                error.kind = if error.status.is_some() { ApiErrorKind::Proxy } else { ApiErrorKind::Cut };
            }
            error
        })
    };
    let outcome = tokio::select! {
        biased;
        // The pump gives up only before the last byte: what the target got is not whole, is not restored, and not kept.
        problem = pump.given_up() => {
            job.keep(cleanup);
            return Err(Broken::before(problem));
        }
        outcome = follow(target.as_ref(), name, &job.progress, sending) => outcome,
    };
    match outcome {
        Ok(Followed::Answered(())) => Ok(((kept, cleanup), false)),
        Ok(Followed::MustLook) => match something_restored(destination).await {
            Ok(()) => Ok(((kept, cleanup), true)),
            Err(problem) => Err(Broken { problem, impact: Impact::Maybe }),
        },
        Err(error) => {
            let impact = if handed_over() { impact_of(&error) } else { Impact::NotSent };
            if matches!(impact, Impact::Unknown | Impact::NotSent) {
                // The server may restore from it right now; or has nothing.
                job.keep(cleanup);
            }
            Err(Broken { problem: explain(error, destination, source, pump.sent(), size), impact })
        }
    }
}

/// Qdrant keeps what was uploaded, also after a failure (1.16.3, 1.18.3). While no collection has the name the
/// file cannot be reached; then there is nothing that could be done.
async fn remove_upload(node: Arc<dyn QdrantApi>, scope: SnapshotScope, name: SnapshotName) -> Result<(), Problem> {
    match node.delete_snapshot(&scope, &name).await {
        Err(error) if !error.is_absence() => Err(error.into_problem("")),
        _ => Ok(()),
    }
}

fn explain(error: ApiError, destination: &Destination, source: Option<&CollectionAddress>, sent: u64, size: u64) -> Problem {
    let broke_early = sent < size && matches!(error.kind, ApiErrorKind::OutcomeUnknown | ApiErrorKind::Cut);
    match source {
        Some(source) if broke_early => {
            let message = format!(
                "the stream broke after {} of {}: {}",
                crate::domain::size::bytes(sent),
                crate::domain::size::bytes(size),
                error.message
            );
            Problem::new(ProblemKind::Failed, message, format!("{source} → {}", destination.address))
                .advise("the target restores only whole uploads, so nothing changed there; try again")
        }
        None if broke_early => {
            let message = format!(
                "the upload broke after {} of {}: {}",
                crate::domain::size::bytes(sent),
                crate::domain::size::bytes(size),
                error.message
            );
            Problem::new(ProblemKind::Failed, message, destination.address.to_string())
                .advise("the target restores only whole uploads, so nothing changed there; try again")
        }
        _ => error.into_problem(destination.address.to_string()),
    }
}
