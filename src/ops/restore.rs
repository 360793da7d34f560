//! Restoring a snapshot or a local file into a collection: under a new name, beside what is there, or over it.

use crate::domain::address::{CollectionAddress, Which};
use crate::domain::collection::CollectionInfo;
use crate::domain::ids::{CollectionName, SnapshotName};
use crate::domain::instance::Protection;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::size;
use crate::domain::snapshot::time_in_name;
use crate::domain::time::compact;
use crate::jobs::limits::Resource;
use crate::jobs::manager::JobContext;
use crate::ops::beside::beside;
use crate::ops::bring::{self, Cargo, bring_fresh, expectation, with_source};
use crate::ops::content;
use crate::ops::deliver::{Delivered, Destination, Origin, Route, unwatched};
use crate::ops::first_route::{End, first_route};
use crate::ops::flow::{self, Facts, Finding, Plan, Risk, Spec, Step};
use crate::ops::gates::{self, server};
use crate::ops::journal::Made;
use crate::ops::next;
use crate::ops::overwrite::{self, Earlier, Overwriting, Overwritten, Skips, overwrite};
use crate::ops::placement;
use crate::ops::proof::Proof;
use crate::ops::put_back::PutBack;
use crate::ops::report::{Report, Verdict};
use crate::ops::resolve::NameUse;
use crate::ops::services::{Connection, Services};
use crate::ops::source::{self, Found, Known, Vouched, named_like};
use crate::ops::steps::Steps;
use crate::ops::target::{self, Target};
use crate::ops::verify::{Expected, Reference};
use crate::qdrant::api::QdrantApi;
use crate::transfer::hashing::hash_file;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a restore may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// To the name where it is free, else beside what has it.
    #[default]
    Auto,
    /// Only to a free name.
    New,
    /// Under a name beside the one that is taken; what is there stays as it is.
    SideBySide,
    /// Over what is there, after a safety snapshot and a proof restore.
    InPlace,
}

impl Mode {
    /// The word in JSON and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::New => "new",
            Self::SideBySide => "side-by-side",
            Self::InPlace => "in-place",
        }
    }
}

/// From what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestoreSource {
    /// A snapshot on a node.
    Snapshot(CollectionAddress, Which),
    /// A local file.
    File(PathBuf),
}

/// What to restore, and where to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreSpec {
    /// From.
    pub source: RestoreSource,
    /// To.
    pub target: CollectionAddress,
    /// How.
    pub mode: Mode,
    /// Which way.
    pub route: Route,
    /// What is left out by choice.
    #[serde(default)]
    pub skips: Skips,
    /// Gates that are overruled.
    #[serde(default)]
    pub force: Vec<String>,
    /// Compare every point where there is something to compare with.
    #[serde(default)]
    pub deep: bool,
    /// The name beside the target; a plan chooses it.
    #[serde(default)]
    pub beside: Option<CollectionName>,
}

impl RestoreSpec {
    /// A restore with nothing special.
    pub fn new(source: RestoreSource, target: CollectionAddress, mode: Mode, route: Route) -> Self {
        Self { source, target, mode, route, skips: Skips::default(), force: Vec::new(), deep: false, beside: None }
    }

    /// Where the data lands.
    pub fn landing(&self) -> CollectionAddress {
        match &self.beside {
            Some(name) => CollectionAddress::new(self.target.instance.clone(), name.clone()),
            None => self.target.clone(),
        }
    }
}

/// What planning found.
#[derive(Debug, Clone)]
pub(in crate::ops) struct Resolved {
    pub source: Found,
    /// The target exists, and is overwritten.
    pub overwrites: bool,
    /// What is overwritten cannot be read.
    pub unreadable: bool,
    pub shape: Option<CollectionInfo>,
    pub keyed: Option<Box<crate::archive::contents::Collection>>,
    pub vouched: Vouched,
    /// Settings to put back after an overwrite.
    pub put_back: Option<PutBack>,
    /// Aliases of the collection that keeps its place.
    pub aliases: Vec<String>,
}

/// Reads what is needed, all at the same time.
pub async fn plan(services: &Services, spec: RestoreSpec) -> Result<Plan, Problem> {
    let over = (spec.mode == Mode::InPlace).then_some(&spec.target);
    let latest = matches!(spec.source, RestoreSource::Snapshot(_, Which::Latest));
    let (known, named) = tokio::try_join!(source::gather(services, &spec.source, over), target::gather(services, &spec.target))?;
    let asked = spec.mode;
    let spec = decide(services, spec, &known, &named)?;
    let beside = match &spec.beside {
        Some(_) => Some(target::gather(services, &spec.landing()).await?),
        None => None,
    };
    let target = beside.as_ref().unwrap_or(&named);
    let overwrites = spec.mode == Mode::InPlace && target.occupied();
    let mut findings = vec![gates::version(known.version, target.version)];
    findings.extend(nothing_beside(asked, &spec));
    findings.extend(known.findings.iter().cloned());
    findings.extend(known.content.findings(target.version));
    findings.extend(target.findings(spec.mode == Mode::InPlace, &known));
    let source_node = source_node(services, &known.found).await?;
    let limited = match &known.found {
        Found::Snapshot(address, _) => services.limited(&[&address.instance, &spec.target.instance]),
        Found::File { .. } => false,
    };
    let source_end = match (&source_node, &known.found) {
        (Some((connection, node)), Found::Snapshot(_, located)) => {
            Some(End::of(connection, node.url()).with_snapshot(&located.snapshot.name))
        }
        _ => None,
    };
    let (route, why) = first_route(spec.route, source_end, target.end(), limited);
    findings.extend(server::fetching(route));
    findings.push(server::disk(known.size, route, overwrite::extra(overwrites, spec.skips)));
    findings.extend(key_finding(services, &known.found, &spec, route).await);
    if overwrites {
        findings.push(gates::writers(&spec.target.to_string()));
        findings.extend(gates::unmarked(latest, known.vouched == Vouched::Recorded));
        // A file is known only once it is hashed.
        if matches!(known.found, Found::Snapshot(..)) {
            findings.extend(gates::overwriting_unproven(known.vouched));
        }
    }
    let put_back = put_back(services, &known, &spec.target);
    if let (true, Some(put_back), Some(now)) = (overwrites, &put_back, &target.info) {
        findings.extend(put_back.finding(&now.settings));
    }
    gates::force(&mut findings, &spec.force).map_err(|why| Problem::new(ProblemKind::Usage, why, ""))?;
    let mut facts = Facts::default();
    target.facts(&mut facts, overwrites);
    facts.text("source", &known.fingerprint);
    let protection = target.connection.instance.protection;
    let needs = needs(services, &spec, &known, target).await?;
    let aliases = named.own_aliases();
    let landing = spec.landing();
    Ok(Plan {
        operation: "restore",
        title: format!("restore → {landing}"),
        risk: if overwrites { Risk::Destroys } else { Risk::Changes },
        consequence: consequence(&spec, &named, overwrites),
        // Beside a protected collection its own name is typed: that is the one somebody may confuse.
        changes: Some((spec.target.clone(), protection)),
        source: known.shown.clone(),
        target: landing.to_string(),
        steps: steps_of(&spec, &known, (route, &why), overwrites.then(|| spec.skips.possible(target.unreadable.is_none()))),
        command: command(&spec, &known, overwrites || protection == Protection::Protected),
        findings,
        facts,
        needs,
        resolved: flow::Resolved::Restore(Box::new(Resolved {
            source: known.found,
            overwrites,
            unreadable: target.unreadable.is_some(),
            shape: known.info,
            keyed: known.collection.filter(|collection| collection.shape.as_ref().is_some_and(|shape| shape.custom_sharding)),
            vouched: known.vouched,
            put_back,
            aliases,
        })),
        spec: Spec::Restore(spec),
    })
}

/// What the plan settles: the snapshot's own name, the mode, and the name beside a taken one.
fn decide(services: &Services, mut spec: RestoreSpec, known: &Known, named: &Target) -> Result<RestoreSpec, Problem> {
    spec.source = known.pinned();
    // Beside nothing there is no side: a free name is used itself, whatever was asked for.
    let free = named.name == NameUse::Free;
    match spec.mode {
        Mode::Auto => spec.mode = if free { Mode::New } else { Mode::SideBySide },
        Mode::SideBySide if free && spec.beside.is_none() => spec.mode = Mode::New,
        _ => {}
    }
    if spec.mode == Mode::SideBySide && spec.beside.is_none() {
        let real = match &named.name {
            NameUse::Alias(real) => real.clone(),
            _ => spec.target.collection.clone(),
        };
        spec.beside = Some(beside(&real, "restored", &compact(services.clock.now())));
    }
    if spec.skips != Skips::default() && spec.mode != Mode::InPlace {
        return Err(Problem::new(ProblemKind::Usage, "only a restore in place has steps that can be skipped", "")
            .advise("leave out --skip, or give --mode in-place"));
    }
    Ok(spec)
}

/// What says that *side by side* was asked for, of a collection that does not exist.
fn nothing_beside(asked: Mode, spec: &RestoreSpec) -> Option<Finding> {
    (asked == Mode::SideBySide && spec.mode == Mode::New).then(|| {
        Finding::look(
            "mode",
            format!("{} does not exist, so there is nothing to restore beside: it is restored under that name", spec.target),
            "for a copy beside another collection, give that one's name",
        )
    })
}

/// Settings that an overwrite puts back: all of them where the snapshot is one of this very collection.
fn put_back(services: &Services, known: &Known, target: &CollectionAddress) -> Option<PutBack> {
    let own = match &known.found {
        Found::Snapshot(address, _) => address == target,
        Found::File { path, .. } => named_like(services, path).is_some_and(|(_, proof)| proof.source == target.to_string()),
    };
    known.info.as_ref().map(|info| PutBack { wanted: info.settings.clone(), all: own })
}

async fn source_node(services: &Services, found: &Found) -> Result<Option<(Arc<Connection>, Arc<dyn QdrantApi>)>, Problem> {
    let Found::Snapshot(address, located) = found else { return Ok(None) };
    let connection = services.connection(&address.instance).await?;
    let node = connection.node(located.node)?.clone();
    Ok(Some((connection, node)))
}

async fn needs(services: &Services, spec: &RestoreSpec, known: &Known, target: &Target) -> Result<Vec<Resource>, Problem> {
    let mut needs = vec![Resource::Exclusive(spec.landing().to_string()), target.connection.slot()];
    if let Found::Snapshot(address, _) = &known.found {
        needs.push(services.connection(&address.instance).await?.slot());
        // Nobody may delete the snapshot, or take one of the same second, while it is read.
        needs.push(Resource::Exclusive(address.to_string()));
    }
    Ok(needs)
}

async fn key_finding(services: &Services, found: &Found, spec: &RestoreSpec, route: Route) -> Option<Finding> {
    let Found::Snapshot(address, _) = found else { return None };
    let connection = services.connection(&address.instance).await.ok()?;
    let hands_over = route == Route::Url && connection.access.api_key.is_some() && address.instance != spec.target.instance;
    hands_over.then(|| gates::key_handed_over(address.instance.as_str(), spec.target.instance.as_str()))
}

fn consequence(spec: &RestoreSpec, named: &Target, overwrites: bool) -> String {
    match (overwrites, &spec.beside, &named.name) {
        (true, ..) => overwrite::consequence(&spec.target, named.points, spec.skips),
        (false, Some(_), NameUse::Alias(real)) => format!("{} is an alias of {real}, which is not touched", spec.target),
        (false, Some(_), NameUse::Collection) => {
            format!("{} keeps its {}; nothing of it is touched", spec.target, named.points_in_words().trim_end_matches(','))
        }
        _ => String::new(),
    }
}

fn command(spec: &RestoreSpec, known: &Known, typed: bool) -> String {
    let consent = flow::consent_flags(typed, &spec.target);
    let route = if spec.route == Route::Auto { String::new() } else { format!(" --route {}", spec.route.word()) };
    let force: String = spec.force.iter().map(|name| format!(" --force {name}")).collect();
    let deep = if spec.deep { " --deep" } else { "" };
    let skips = overwrite::flags(spec.skips);
    format!(
        "qsnap restore {} --to {} --mode {}{route}{skips}{force}{deep}{consent}",
        known.argument,
        spec.target,
        spec.mode.word()
    )
}

fn steps_of(spec: &RestoreSpec, known: &Known, (route, why): (Route, &str), over: Option<Skips>) -> Vec<Step> {
    let landing = spec.landing();
    let mut steps = Vec::new();
    if matches!(known.found, Found::File { .. }) {
        steps.push(Step::new("hash", format!("read {} and compute its sha256", known.shown)));
    }
    let restore = format!("{} into {landing} by {} ({why})", size::bytes(known.size), route.word());
    if let Some(skips) = over {
        steps.extend(overwrite::plan_steps(&spec.target, skips, restore));
        return steps;
    }
    if known.info.as_ref().is_some_and(CollectionInfo::custom_sharding) {
        steps.push(Step::new(bring::SHARD_KEYS, format!("create {landing} with the shard keys of the snapshot")));
    }
    let watched = if spec.mode == Mode::New { unwatched(route) } else { "" };
    steps.push(Step::new("restore", format!("{restore}{watched}")));
    let deep = if spec.deep { ", and every point with the live source" } else { "" };
    steps.push(Step::new("verify", format!("count {landing}, compare schema and sample{deep}")));
    if route != Route::Url {
        steps.push(Step::new("tidy", "delete the uploaded file that Qdrant keeps, once the verdict is good"));
    }
    if spec.mode == Mode::SideBySide {
        steps.push(Step::new("choose", "afterwards: switch an alias to it, keep both, or delete it"));
    }
    steps
}

/// Restores, and verifies what was restored.
pub(in crate::ops) async fn execute(
    services: &Services,
    plan: &Plan,
    resolved: Resolved,
    steps: &mut Steps<'_>,
) -> Result<Report, Problem> {
    let Spec::Restore(spec) = &plan.spec else {
        return Err(Problem::new(ProblemKind::Failed, "the plan is not a restore", ""));
    };
    run(services, plan, spec, resolved, Earlier::default(), steps).await
}

/// Does it; `earlier` is what a run that broke off left.
pub(in crate::ops) async fn run(
    services: &Services,
    plan: &Plan,
    spec: &RestoreSpec,
    resolved: Resolved,
    earlier: Earlier,
    steps: &mut Steps<'_>,
) -> Result<Report, Problem> {
    let connection = services.connection(&spec.target.instance).await?;
    let hashed = open(services, &resolved, steps).await?;
    let forced = spec.force.iter().any(|name| name == "proof");
    if let (true, false, Some(finding)) = (resolved.overwrites, forced, gates::overwriting_unproven(hashed.vouched)) {
        return Err(Problem::new(ProblemKind::Refused, finding.message, &plan.source)
            .advise(format!("nothing was done; {}", finding.advice)));
    }
    let landing = spec.landing();
    let progress = &steps.job.progress;
    let expected = expectation(services, &hashed.origin, hashed.sha256.as_deref(), &landing, progress).await;
    let recorded = if let Expected::Recorded(proof) = &expected { Some(proof.clone()) } else { None };
    let put_back = resolved.put_back.clone().filter(|_| resolved.overwrites);
    let settings = match &put_back {
        Some(put_back) => put_back.must_be(),
        None => resolved.shape.as_ref().map(|shape| shape.settings.clone()),
    };
    let reference = Reference { shape: resolved.shape.clone(), settings, ..Reference::of(expected) };
    let node = placement::holder(&connection, &landing).await;
    let destination = Destination { connection, node, address: landing.clone() };
    let (keyed, put_back) = (resolved.keyed.as_deref(), put_back.as_ref());
    let cargo = Cargo { origin: &hashed.origin, route: spec.route, reference: &reference, keyed, put_back };
    let done = if resolved.overwrites {
        let (skips, deep, vouched, destination) = (spec.skips, spec.deep, hashed.vouched, &destination);
        overwrite(
            services,
            steps,
            &Overwriting { cargo, destination, skips, vouched, forced, deep, earlier, unreadable: resolved.unreadable },
        )
        .await?
    } else {
        let stage = (bring::RESTORE, Made::Collection);
        let mut finished = bring_fresh(services, steps, &cargo, &destination, stage).await?;
        if let (true, RestoreSource::Snapshot(source, _)) = (spec.deep, &spec.source) {
            let verdict = &mut finished.verification.verdict;
            *verdict = with_source(services, steps, (source, &landing), verdict.clone()).await;
        }
        Overwritten { delivered: finished.delivered, verification: finished.verification, rollback: None, safety: None }
    };
    if let (Verdict::Matches(_), Some(proof), Some(sha256)) = (&done.verification.verdict, recorded, &hashed.sha256) {
        let proven = Proof { proven_at: Some(services.clock.now()), ..proof };
        // Only a note for the list; the verdict stands without it.
        let _ = services.proofs.save(sha256, &proven);
    }
    let next = next::after_restore(spec, &resolved.aliases, &done.verification.verdict);
    Ok(Report { next, ..report(plan, done, spec.mode.word()) })
}

/// The bytes, with what vouches for them.
struct Opened {
    origin: Origin,
    sha256: Option<String>,
    vouched: Vouched,
}

async fn open(services: &Services, resolved: &Resolved, steps: &mut Steps<'_>) -> Result<Opened, Problem> {
    match &resolved.source {
        Found::Snapshot(address, located) => {
            let connection = services.connection(&address.instance).await?;
            let snapshot = located.snapshot.clone();
            let sha256 = snapshot.sha256.clone();
            let origin = Origin::Node { connection, node: located.node, address: address.clone(), snapshot };
            Ok(Opened { origin, sha256, vouched: resolved.vouched })
        }
        Found::File { path, size } => {
            let job: &JobContext = steps.job;
            job.progress.phase("hash", Some(*size));
            let hashing = async {
                let (size, sha256, ended) = hash_file(path, &job.progress).await?;
                let ended = ended || content::has_end(services, path).await;
                let vouched = judge_file(services, path, &sha256, ended)?;
                Ok((size, sha256, vouched))
            };
            let (size, sha256, vouched) = steps.run("hash", "", hashing).await?;
            let origin = Origin::File { path: path.clone(), size, sha256: sha256.clone() };
            Ok(Opened { origin, sha256: Some(sha256), vouched })
        }
    }
}

/// Whether these are the bytes that a server made, as far as that is known.
fn judge_file(services: &Services, path: &Path, sha256: &str, ended: bool) -> Result<Vouched, Problem> {
    let shown = crate::domain::text::sanitise(&path.display().to_string());
    let refuse = |message: String| {
        Err(Problem::new(ProblemKind::Difference, message, &shown).advise("nothing was sent; find a good copy of the file"))
    };
    if !ended {
        return refuse("the archive has no end: it is cut".into());
    }
    if services.proofs.load(Some(sha256)).is_some() {
        return Ok(Vouched::Recorded);
    }
    if let Some((recorded, _)) = named_like(services, path) {
        let message = format!(
            "it is damaged: the snapshot of this name had the sha256 {}…, this file has {}…",
            &recorded[..16.min(recorded.len())],
            &sha256[..16.min(sha256.len())]
        );
        return refuse(message);
    }
    match crate::ops::inspect::side_file(path) {
        Some(listed) if listed == sha256 => Ok(Vouched::Listed),
        Some(listed) => refuse(format!(
            "it is damaged: the .checksum file beside it says {}…, its bytes have {}…",
            &listed[..16],
            &sha256[..16.min(sha256.len())]
        )),
        None => Ok(Vouched::Nothing),
    }
}

/// Puts the report together.
pub(in crate::ops) fn report(plan: &Plan, done: Overwritten, mode: &'static str) -> Report {
    let Overwritten { delivered, verification, rollback, safety } = done;
    let Delivered { route, reason, bytes, .. } = delivered;
    Report {
        route: Some(route.word()),
        route_reason: reason,
        mode: Some(mode),
        verdict: Some(verification.verdict),
        points: verification.points,
        samples: verification.samples,
        rollback,
        bytes,
        created: safety.into_iter().collect(),
        ..Report::of(plan)
    }
}

/// The moment in a local file's name, for lists.
pub fn taken_at_of_file(path: &Path) -> Option<jiff::Timestamp> {
    time_in_name(&SnapshotName::new(path.file_name()?.to_str()?))
}
