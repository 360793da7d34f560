//! Restoring a snapshot or a local file into a collection: new, or in place over what is there.

use crate::domain::address::{Address, CollectionAddress, Which};
use crate::domain::collection::CollectionInfo;
use crate::domain::ids::SnapshotName;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::size;
use crate::domain::snapshot::{SnapshotScope, time_in_name};
use crate::domain::time;
use crate::domain::version::ServerVersion;
use crate::jobs::limits::Resource;
use crate::jobs::manager::JobContext;
use crate::jobs::progress::Progress;
use crate::ops::content;
use crate::ops::create;
use crate::ops::deliver::{Delivered, Destination, Origin, Route, deliver, first_route};
use crate::ops::download::quoted;
use crate::ops::flow::{self, Facts, Finding, Plan, Risk, Spec, Step};
use crate::ops::gates::{self, TargetName};
use crate::ops::proof::{self, Proof};
use crate::ops::report::{Report, Verdict};
use crate::ops::resolve::{Located, NameUse, locate, name_use};
use crate::ops::services::{Connection, Services};
use crate::ops::steps::Steps;
use crate::ops::verify::{Expected, Verification, verify};
use crate::qdrant::error::ApiErrorKind;
use crate::transfer::disk::disk_problem;
use crate::transfer::hashing::hash_file;
use std::path::PathBuf;
use std::sync::Arc;

/// Where a restore may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Only to a free name.
    #[default]
    New,
    /// Over what is there, after a safety snapshot.
    InPlace,
}

impl Mode {
    /// The word in JSON and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::InPlace => "in-place",
        }
    }
}

/// From what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestoreSource {
    /// A snapshot on a node.
    Snapshot(CollectionAddress, Which),
    /// A local file.
    File(PathBuf),
}

/// What to restore, and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreSpec {
    /// From.
    pub source: RestoreSource,
    /// To.
    pub target: CollectionAddress,
    /// How.
    pub mode: Mode,
    /// Which way.
    pub route: Route,
}

/// What planning found.
#[derive(Debug, Clone)]
pub(in crate::ops) struct Resolved {
    source: ResolvedSource,
    /// Points in the target before, where it exists.
    occupied: Option<u64>,
}

#[derive(Debug, Clone)]
enum ResolvedSource {
    Snapshot(CollectionAddress, Located),
    File { path: PathBuf, size: u64 },
}

/// What is known of the target.
pub(in crate::ops) struct Target {
    pub connection: Arc<Connection>,
    pub findings: Vec<Finding>,
    pub facts: Facts,
    /// Points, when the name is taken; 0 when they cannot be counted.
    pub occupied: Option<u64>,
}

/// Reads the target and applies the gates that concern it. Used by copy too.
pub(in crate::ops) async fn inspect_target(
    services: &Services,
    address: &CollectionAddress,
    in_place: bool,
    source: Option<&CollectionInfo>,
) -> Result<Target, Problem> {
    services.instance(&address.instance)?;
    let connection = services.connection(&address.instance).await?;
    let problem = |error: crate::qdrant::error::ApiError| error.into_problem(address.to_string());
    let shown = address.to_string();
    let mut findings = Vec::new();
    let mut facts = Facts::default();
    findings.extend(gates::name(address.collection.creation_problem()));
    let mut occupied = None;
    let name = match name_use(&connection, address).await? {
        NameUse::Free => TargetName::Free,
        NameUse::Alias(real) => TargetName::Alias(real.to_string()),
        NameUse::Collection => {
            // A collection that a failed restore left unreadable has no count, but can be restored over.
            let points = match connection.first().count(&address.collection).await {
                Err(error) if error.kind == ApiErrorKind::Server => 0,
                counted => counted.map_err(problem)?,
            };
            occupied = Some(points);
            TargetName::Taken(points)
        }
    };
    facts.text(
        "target",
        match &name {
            TargetName::Free => "free".to_owned(),
            TargetName::Taken(_) => "a collection".to_owned(),
            TargetName::Alias(real) => format!("alias of {real}"),
        },
    );
    findings.push(gates::target(&name, in_place, &shown));
    if let (Some(points), true) = (occupied, in_place) {
        facts.points("points in the target", points);
        match connection.first().collection(&address.collection).await {
            Ok(info) => findings.push(gates::shape(source, &info)),
            Err(error) => findings.push(Finding::look(
                "readable",
                format!("{shown} cannot be read: {}", error.message),
                "no safety snapshot can be taken of it; restoring may repair it",
            )),
        }
        let activity = connection.first().snapshot_activity(&address.collection).await.map_err(problem)?;
        findings.push(gates::idle(activity, &shown));
        let missing = connection.first().collection_cluster(&address.collection).await.map_err(problem)?.missing_here();
        findings.extend(gates::safety_covers_all(&missing, &shown));
    }
    if connection.nodes.len() > 1 {
        findings.push(Finding::look(
            "cluster",
            format!(
                "{} has {} nodes: all shards go to the first one, Qdrant rebuilds other replicas from it",
                address.instance,
                connection.nodes.len()
            ),
            "afterwards move shards if the load should be spread",
        ));
    }
    Ok(Target { connection, findings, facts, occupied })
}

/// Reads what is needed.
pub async fn plan(services: &Services, spec: RestoreSpec) -> Result<Plan, Problem> {
    let mut findings = Vec::new();
    let (source, mut known) = resolve_source(services, &spec, &mut findings).await?;
    let content = content::read(services, &spec.source).await;
    // The snapshot's own shape: the collection may have changed since.
    known.info = content.info().or(known.info);
    findings.extend(gates::sharding(known.info.as_ref()));
    let in_place = spec.mode == Mode::InPlace;
    let target = inspect_target(services, &spec.target, in_place, known.info.as_ref()).await?;
    let target_version =
        target.connection.first().version().await.map_err(|error| error.into_problem(spec.target.instance.to_string()))?;
    findings.extend(content.findings(target_version));
    findings.insert(0, gates::version(known.version, target_version));
    findings.extend(target.findings);
    let mut facts = target.facts;
    facts.text("source", &known.fingerprint);
    let source_node = match &source {
        ResolvedSource::Snapshot(address, located) => {
            Some(services.connection(&address.instance).await?.node(located.node)?.clone())
        }
        ResolvedSource::File { .. } => None,
    };
    let limited = match &source {
        ResolvedSource::Snapshot(address, _) => services.limited(&[&address.instance, &spec.target.instance]),
        ResolvedSource::File { .. } => false,
    };
    let (route, why) = first_route(spec.route, source_node.as_deref(), target.connection.first(), limited);
    findings.extend(key_finding(services, &source, &spec, route).await);
    let destroys = in_place && target.occupied.is_some();
    let steps = steps_of(&spec, &known, route, &why, target.occupied);
    let target_text = spec.target.to_string();
    let protection = target.connection.instance.protection;
    let mut needs = vec![Resource::Exclusive(target_text.clone()), target.connection.slot()];
    if let ResolvedSource::Snapshot(address, _) = &source {
        needs.push(services.connection(&address.instance).await?.slot());
        // Nobody may delete the snapshot, or take one of the same second, while it is read.
        needs.push(Resource::Exclusive(address.to_string()));
    }
    let consent = match (destroys || protection == crate::domain::instance::Protection::Protected, protection) {
        (true, _) => format!(" --yes --confirm '{target_text}'"),
        (false, _) => " --yes".to_owned(),
    };
    let route_flag = if spec.route == Route::Auto { String::new() } else { format!(" --route {}", spec.route.word()) };
    Ok(Plan {
        operation: "restore",
        title: format!("restore → {target_text}"),
        risk: if destroys { Risk::Destroys } else { Risk::Changes },
        consequence: match target.occupied {
            Some(points) if in_place => format!("the {} points of {target_text} are replaced", size::exact(points)),
            _ => String::new(),
        },
        changes: Some((spec.target.clone(), protection)),
        source: known.shown.clone(),
        target: target_text.clone(),
        steps,
        findings,
        command: format!("qsnap restore {} --to {target_text} --mode {}{route_flag}{consent}", known.argument, spec.mode.word()),
        facts,
        needs,
        resolved: flow::Resolved::Restore(Resolved { source, occupied: target.occupied }),
        spec: Spec::Restore(spec),
    })
}

async fn key_finding(services: &Services, source: &ResolvedSource, spec: &RestoreSpec, route: Route) -> Option<Finding> {
    let ResolvedSource::Snapshot(address, _) = source else { return None };
    let connection = services.connection(&address.instance).await.ok()?;
    let hands_over = route == Route::Url && connection.api_key.is_some() && address.instance != spec.target.instance;
    hands_over.then(|| gates::key_handed_over(address.instance.as_str(), spec.target.instance.as_str()))
}

/// What is known of the source.
struct Known {
    shown: String,
    argument: String,
    fingerprint: String,
    size: u64,
    version: Option<crate::domain::version::ServerVersion>,
    info: Option<CollectionInfo>,
}

async fn resolve_source(
    services: &Services,
    spec: &RestoreSpec,
    findings: &mut Vec<Finding>,
) -> Result<(ResolvedSource, Known), Problem> {
    match &spec.source {
        RestoreSource::File(path) => {
            let meta = std::fs::metadata(path).map_err(|error| disk_problem("read", path, &error))?;
            let shown = crate::domain::text::sanitise(&path.display().to_string());
            if !meta.is_file() || meta.len() == 0 {
                let what = if meta.is_file() { "is empty" } else { "is not a file" };
                return Err(Problem::new(ProblemKind::Usage, what, shown).advise("name a .snapshot file"));
            }
            findings.push(Finding::look(
                "proof",
                "whether a proof was recorded is known once the file is hashed",
                "snapshots taken with qsnap on this machine can be proven exactly",
            ));
            let known = Known {
                argument: quoted(&path.display().to_string()),
                fingerprint: format!("{shown} of {} bytes", meta.len()),
                shown,
                size: meta.len(),
                version: None,
                info: None,
            };
            Ok((ResolvedSource::File { path: path.clone(), size: meta.len() }, known))
        }
        RestoreSource::Snapshot(address, which) => {
            let connection = services.connection(&address.instance).await?;
            let located = locate(&connection, address, which).await?;
            let node = connection.node(located.node)?.clone();
            let snapshot = located.snapshot.clone();
            let info = node.collection(&address.collection).await.ok();
            let now = node.count(&address.collection).await.ok();
            let proof = services.proofs.load(snapshot.sha256.as_deref());
            findings.push(gates::checksum(snapshot.sha256.as_deref()));
            findings.push(gates::proof(proof.is_some(), now.is_some() && *address != spec.target));
            let recorded_version = proof.as_ref().and_then(|proof| ServerVersion::parse(proof.qdrant_version.as_deref()?));
            if let Some(taken_at) = snapshot.taken_at {
                let ago = time::ago(services.clock.now(), taken_at);
                findings.push(gates::loss_window(&time::second(taken_at), &ago, proof.map(|proof| proof.points_max), now));
            }
            if let Ok(cluster) = node.collection_cluster(&address.collection).await {
                findings.push(gates::complete(&cluster.missing_here(), connection.nodes.len()));
            }
            let shown = Address::Snapshot(address.clone(), Which::Named(snapshot.name.clone())).to_string();
            let known = Known {
                argument: shown.clone(),
                fingerprint: format!("{} of {} bytes", snapshot.name, snapshot.size),
                shown,
                size: snapshot.size,
                version: recorded_version,
                info,
            };
            Ok((ResolvedSource::Snapshot(address.clone(), located), known))
        }
    }
}

fn steps_of(spec: &RestoreSpec, known: &Known, route: Route, why: &str, occupied: Option<u64>) -> Vec<Step> {
    let target = &spec.target;
    let mut steps = Vec::new();
    if matches!(spec.source, RestoreSource::File(_)) {
        steps.push(Step::new("hash", format!("read {} and compute its sha256", known.shown)));
    }
    if spec.mode == Mode::InPlace && occupied.is_some() {
        steps.push(Step::new("safety snapshot", format!("take a snapshot of {target} as it is now, and keep it")));
    }
    steps.push(Step::new("restore", format!("{} into {target} by {} ({why})", size::bytes(known.size), route.word())));
    steps.push(Step::new("verify", format!("count {target} and compare the sample")));
    if route != Route::Url {
        steps.push(Step::new("tidy", "delete the uploaded file that Qdrant keeps, once the verdict is good"));
    }
    steps
}

/// Does it.
pub(in crate::ops) async fn execute(
    services: &Services,
    plan: &Plan,
    resolved: Resolved,
    job: &JobContext,
) -> Result<Report, Problem> {
    let Spec::Restore(spec) = &plan.spec else {
        return Err(Problem::new(ProblemKind::Failed, "the plan is not a restore", ""));
    };
    let mut steps = Steps::begin(services, job, "restore", &plan.source, &plan.target)?;
    let connection = services.connection(&spec.target.instance).await?;
    let (origin, sha256) = match resolved.source {
        ResolvedSource::File { path, size } => {
            job.progress.phase("hash", Some(size));
            let hashed = steps.run("hash", "", hash_file(&path, &job.progress)).await?;
            if !hashed.2 {
                let shown = crate::domain::text::sanitise(&path.display().to_string());
                return Err(Problem::new(ProblemKind::Difference, "the archive has no end: it is cut", shown)
                    .advise("nothing was sent; find a whole copy of the file"));
            }
            (Origin::File { path, size: hashed.0, sha256: hashed.1.clone() }, Some(hashed.1))
        }
        ResolvedSource::Snapshot(address, located) => {
            let source = services.connection(&address.instance).await?;
            let sha256 = located.snapshot.sha256.clone();
            (Origin::Node { connection: source, node: located.node, address, snapshot: located.snapshot }, sha256)
        }
    };
    let expected = expectation(services, &origin, sha256.as_deref(), &spec.target).await;
    let mut created = Vec::new();
    if spec.mode == Mode::InPlace && resolved.occupied.is_some() {
        created.extend(safety_snapshot(services, &mut steps, &connection, &spec.target).await?);
    }
    let destination = Destination { connection, node: 0, address: spec.target.clone() };
    let brought = bring(services, &mut steps, &origin, &destination, spec.route, &expected).await;
    let finished = brought.map_err(|problem| with_way_back(problem, &created))?;
    if let (Verdict::Matches(_), Expected::Recorded(proof), Some(sha256)) = (&finished.verification.verdict, &expected, &sha256) {
        let proven = Proof { proven_at: Some(services.clock.now()), ..proof.clone() };
        // Only a note for the list; the verdict stands without it.
        let _ = services.proofs.save(sha256, &proven);
    }
    report(plan, steps, finished, Some(spec.mode.word()), created)
}

/// A restore that was carried out and judged.
pub(in crate::ops) struct Finished {
    pub delivered: Delivered,
    pub verification: Verification,
}

/// Delivers, verifies, tidies. Used by copy too.
pub(in crate::ops) async fn bring(
    services: &Services,
    steps: &mut Steps<'_>,
    origin: &Origin,
    destination: &Destination,
    route: Route,
    expected: &Expected,
) -> Result<Finished, Problem> {
    let job = steps.job;
    let address = &destination.address;
    let delivery = deliver(services, job, origin, destination, route);
    let delivered = match steps.run("restore", &address.to_string(), delivery).await {
        Ok(delivered) => delivered,
        Err(problem) => return Err(after_failure(destination, problem).await),
    };
    let progress: &Progress = &job.progress;
    let verified = steps.run("verify", "", verify(&destination.connection, address, expected, progress)).await;
    let verification = verified.unwrap_or_else(|problem| unverified(&problem));
    if delivered.looked && !matches!(verification.verdict, Verdict::Matches(_)) {
        let message =
            format!("the connection was lost, and it is not proven that the server restored: {}", verification.verdict.reason());
        let problem = Problem::new(ProblemKind::Failed, message, address.to_string());
        return Err(after_failure(destination, problem.advise("look at the collection before you try again")).await);
    }
    if let Some((uploaded, cleanup)) = &delivered.uploaded {
        job.keep(*cleanup);
        let shown = format!("{address}/{}", crate::domain::address::encode(uploaded.raw()));
        if matches!(verification.verdict, Verdict::Matches(_)) {
            let scope = SnapshotScope::Collection(address.collection.clone());
            let node = destination.connection.node(destination.node)?;
            let deletion = async { node.delete_snapshot(&scope, uploaded).await.map_err(|error| error.into_problem(&shown)) };
            if job.commit(steps.run("tidy", &shown, deletion)).await.is_err() {
                steps.leaves(shown);
            }
        } else {
            steps.leaves(shown);
        }
    }
    Ok(Finished { delivered, verification })
}

/// The server restored, but could not be asked about it: that is no proof, and a collection that answers
/// with an error of its own is damage.
fn unverified(problem: &Problem) -> Verification {
    let verdict = match problem.kind {
        ProblemKind::Failed | ProblemKind::NotFound => Verdict::Differs(format!("it cannot be read: {problem}")),
        _ => Verdict::CouldNotCheck(problem.to_string()),
    };
    Verification { verdict, points: None, samples: None }
}

/// Looks at what a failed restore left, and says it.
async fn after_failure(destination: &Destination, problem: Problem) -> Problem {
    let address = &destination.address;
    let Ok(node) = destination.connection.node(destination.node) else { return problem };
    let state = match node.exists(&address.collection).await {
        Ok(false) => format!("{address} does not exist, as before"),
        Ok(true) => match node.count(&address.collection).await {
            Ok(points) => format!("{address} has {} points and can be read", size::exact(points)),
            Err(_) => format!("{address} exists and CANNOT be read: restore a good recovery point over it"),
        },
        Err(_) => format!("the state of {address} could not be checked"),
    };
    let advice = if problem.advice.is_empty() { state } else { format!("{state}; {}", problem.advice) };
    problem.advise(advice)
}

/// Takes the safety snapshot of a target that is about to be overwritten. A collection that cannot be
/// read has nothing to save; then there is none.
pub(in crate::ops) async fn safety_snapshot(
    services: &Services,
    steps: &mut Steps<'_>,
    connection: &Arc<Connection>,
    address: &CollectionAddress,
) -> Result<Option<String>, Problem> {
    match connection.first().count(&address.collection).await {
        // The server itself says that it cannot read it. Any other failure is no reason to go without.
        Err(error) if error.kind == ApiErrorKind::Server => return Ok(None),
        counted => counted.map_err(|error| error.into_problem(address.to_string()))?,
    };
    let (taken, _) = create::take(services, steps, connection, 0, address).await?;
    let shown = format!("{address}/{}", crate::domain::address::encode(taken.name.raw()));
    steps.leaves(shown.clone());
    Ok(Some(shown))
}

/// Adds where the overwritten data is.
pub(in crate::ops) fn with_way_back(problem: Problem, created: &[String]) -> Problem {
    match created.first() {
        Some(safety) => {
            let advice = format!("{}; what was there before is in the safety snapshot {safety}", problem.advice);
            problem.advise(advice)
        }
        None => problem,
    }
}

/// What to expect: the record of these bytes, else the live source, else nothing.
async fn expectation(services: &Services, origin: &Origin, sha256: Option<&str>, target: &CollectionAddress) -> Expected {
    if let Some(proof) = services.proofs.load(sha256) {
        return Expected::Recorded(proof);
    }
    let Origin::Node { connection, node, address, .. } = origin else { return Expected::Nothing };
    // A collection that is about to be overwritten proves nothing: it would be compared with itself.
    if address == target {
        return Expected::Nothing;
    }
    let Ok(node) = connection.node(*node) else { return Expected::Nothing };
    let Ok(before) = proof::before(node.as_ref(), &address.collection).await else { return Expected::Nothing };
    let now = services.clock.now();
    match proof::after(node.as_ref(), &address.collection, address.to_string(), now, before).await {
        Ok(proof) => Expected::LiveSource(proof),
        Err(_) => Expected::Nothing,
    }
}

/// Puts the report together and closes the journal.
pub(in crate::ops) fn report(
    plan: &Plan,
    steps: Steps<'_>,
    finished: Finished,
    mode: Option<&'static str>,
    created: Vec<String>,
) -> Result<Report, Problem> {
    let Finished { delivered, verification } = finished;
    let (done, left_behind, seconds) = steps.end(verification.verdict.word());
    Ok(Report {
        operation: plan.operation,
        source: plan.source.clone(),
        target: plan.target.clone(),
        route: Some(delivered.route.word()),
        route_reason: delivered.reason,
        mode,
        verdict: Some(verification.verdict),
        points: verification.points,
        samples: verification.samples,
        bytes: delivered.bytes,
        seconds,
        steps: done,
        left_behind,
        created,
    })
}

/// The moment in a local file's name, for lists.
pub fn taken_at_of_file(path: &std::path::Path) -> Option<jiff::Timestamp> {
    time_in_name(&SnapshotName::new(path.file_name()?.to_str()?))
}
