//! Restoring a snapshot or a local file into a collection: under a new name, beside the existing one, or over it.

use crate::domain::address::{CollectionAddress, Which};
use crate::domain::collection::CollectionInfo;
use crate::domain::given_names::beside;
use crate::domain::ids::CollectionName;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::proof::Proof;
use crate::domain::size;
use crate::domain::time::compact;
use crate::jobs::context::JobContext;
use crate::jobs::limits::Resource;
use crate::ops::gates::evidence::Evidence;
use crate::ops::gates::{self, server};
use crate::ops::journal::event::Made;
use crate::ops::journal::past::Repeatable;
use crate::ops::journal::step_names;
use crate::ops::plan::facts::Facts;
use crate::ops::plan::finding::Finding;
use crate::ops::plan::{Plan, Risk, Step, Work};
use crate::ops::proof::verify::{Expected, Reference};
use crate::ops::recovery::deliver::unwatched;
use crate::ops::recovery::destination::Destination;
use crate::ops::recovery::overwrite::{Earlier, Overwriting, Overwritten, overwrite};
use crate::ops::recovery::overwrite_plan;
use crate::ops::recovery::put_back::PutBack;
use crate::ops::recovery::records;
use crate::ops::recovery::restore_into::{RestoreInput, expectation, restore_new, with_source};
use crate::ops::recovery::scratch::{Scratch, scratch};
use crate::ops::report::Report;
use crate::ops::report::offer::after_restore;
use crate::ops::report::verdict::Verdict;
use crate::ops::request::Request;
use crate::ops::request::recovery_point::RecoveryPoint;
use crate::ops::request::restore::{Mode, RestoreRequest};
use crate::ops::request::route::Route;
use crate::ops::request::skips::Skips;
use crate::ops::services::Services;
use crate::ops::steps::Steps;
use crate::ops::survey::first_route::{End, first_route, from_store};
use crate::ops::survey::locate::NameUse;
use crate::ops::survey::origin::Origin;
use crate::ops::survey::source::{self, Known, named_like};
use crate::ops::survey::target::{self, Target};
use crate::ops::survey::{contents, placement};
use crate::repository::records::Says;
use crate::transfer::hashing::hash_file;
use async_trait::async_trait;
use std::path::Path;
use std::sync::Arc;

/// A restore as it was planned.
#[derive(Debug, Clone)]
pub(super) struct Restore {
    request: RestoreRequest,
    origin: Origin,
    /// The target exists, and is overwritten.
    overwrites: bool,
    /// What is overwritten cannot be read.
    unreadable: bool,
    shape: Option<CollectionInfo>,
    keyed: Option<Box<crate::archive::contents::Collection>>,
    evidence: Evidence,
    /// Settings to put back after an overwrite.
    put_back: Option<PutBack>,
    /// Aliases of the collection that keeps its place.
    aliases: Vec<String>,
}

/// The plan, computed by reading only, all at the same time.
pub(super) async fn plan(services: &Services, request: RestoreRequest) -> Result<Plan, Problem> {
    Ok(prepare(services, request).await?.0)
}

/// The plan and its work, also to resume an interrupted restore.
pub(super) async fn prepare(services: &Services, request: RestoreRequest) -> Result<(Plan, Restore), Problem> {
    let over = (request.mode == Mode::InPlace).then_some(&request.target);
    let (mut known, named) =
        tokio::try_join!(source::gather(services, &request.source, over), target::gather(services, &request.target))?;
    if let Some(replicas) = request.replicas {
        known.with_replicas(replicas)?;
    }
    let asked = request;
    let request = decide(services, asked.clone(), &known, &named)?;
    let beside = match &request.beside {
        Some(_) => Some(target::gather(services, &request.landing()).await?),
        None => None,
    };
    let target = beside.as_ref().unwrap_or(&named);
    let overwrites = request.mode == Mode::InPlace && target.occupied();
    let (route, why) = route(services, &request, &known, target)?;
    let put_back = put_back(services, &known, &request.target);
    let mut findings = findings(&asked, &request, &known, target, route);
    findings.extend(key_finding(&known.origin, &request, route));
    if let (true, Some(put_back), Some(now)) = (overwrites, &put_back, &target.info) {
        findings.extend(put_back.finding(&now.settings));
    }
    gates::force(&mut findings, &request.force).map_err(|why| Problem::new(ProblemKind::Usage, why, ""))?;
    let mut facts = Facts::default();
    target.facts(&mut facts, overwrites);
    facts.text("source", &known.fingerprint);
    let needs = needs(&request, &known, target);
    let landing = request.landing();
    let over = overwrites.then(|| request.skips.possible(target.unreadable.is_none()));
    let steps = steps_of(&request, &known, (route, &why), over);
    let shown = known.shown.clone();
    let work = Restore {
        request: request.clone(),
        origin: known.origin,
        overwrites,
        unreadable: target.unreadable.is_some(),
        shape: known.info,
        keyed: known.collection.filter(|collection| collection.shape.as_ref().is_some_and(|shape| shape.custom_sharding)),
        evidence: known.evidence,
        put_back,
        aliases: named.own_aliases(),
    };
    let plan = Plan {
        title: format!("restore → {landing}"),
        risk: if overwrites { Risk::Destroys } else { Risk::Changes },
        consequence: consequence(&request, &named, overwrites),
        // Beside a protected collection its own name is typed: that is the one somebody may confuse.
        changes: Some((request.target.clone(), target.connection.instance.protection)),
        source: shown,
        target: landing.to_string(),
        steps,
        findings,
        facts,
        needs,
        // A path that is no text cannot be kept: such an operation can be cleaned up, but not continued.
        resume: serde_json::to_value(Repeatable::Restore(request.clone())).unwrap_or_default(),
        ..Plan::of(Request::Restore(request), work.clone())
    };
    Ok((plan, work))
}

/// The route that is tried first, and why.
fn route(services: &Services, request: &RestoreRequest, known: &Known, target: &Target) -> Result<(Route, String), Problem> {
    if let Origin::Backup { open, .. } = &known.origin {
        let repository = &open.bucket.repository;
        let limited = repository.limit_rate.is_some() || services.limited(&[&request.target.instance]);
        return Ok(from_store(request.route, repository, target.node().url(), limited));
    }
    if let Origin::Shards(_) = &known.origin {
        return Ok((Route::Stream, "shard by shard".into()));
    }
    if let Origin::Member(_) = &known.origin {
        return Ok((Route::Stream, "it is taken out of a larger file".into()));
    }
    let Origin::Node { connection, node, address, snapshot } = &known.origin else {
        return Ok(first_route(request.route, None, target.end(), false));
    };
    let node = connection.node(*node)?;
    let limited = services.limited(&[&address.instance, &request.target.instance]);
    let source = End::of(connection, node.url()).with_snapshot(&snapshot.name);
    Ok(first_route(request.route, Some(source), target.end(), limited))
}

/// What the gates say of source, target and the way between them.
fn findings(asked: &RestoreRequest, request: &RestoreRequest, known: &Known, target: &Target, route: Route) -> Vec<Finding> {
    let in_place = request.mode == Mode::InPlace;
    let overwrites = in_place && target.occupied();
    let mut findings = vec![gates::version(known.version, target.version)];
    findings.extend(nothing_beside(asked.mode, request));
    findings.extend(known.findings.iter().cloned());
    findings.extend(known.content.findings(target.version));
    if let Origin::Shards(shards) = &known.origin {
        findings.extend(shards.findings(target.connection.nodes.len()));
        if overwrites {
            findings.push(Finding::block(
                "mode",
                "it is restored shard by shard, which makes a new collection",
                "restore it side by side, look at it, then point the alias at it",
            ));
        }
    }
    findings.extend(target.findings(in_place, known));
    findings.extend(server::fetching(route));
    findings.push(server::disk(known.size, route, overwrite_plan::extra(overwrites, request.skips)));
    if overwrites {
        let latest = matches!(asked.source, RecoveryPoint::Snapshot(_, Which::Latest));
        findings.push(gates::writers(&request.target.to_string()));
        findings.extend(gates::unmarked(latest, known.evidence == Evidence::Recorded));
        // A file is known only once it is hashed.
        if !matches!(known.origin, Origin::File { .. }) {
            findings.extend(gates::overwriting_unproven(known.evidence));
        }
    }
    findings
}

/// What the plan settles: the snapshot's own name, the mode, and the name beside a taken one.
fn decide(services: &Services, mut request: RestoreRequest, known: &Known, named: &Target) -> Result<RestoreRequest, Problem> {
    if let Some(point) = known.origin.point() {
        request.source = point;
    }
    // Beside nothing there is no side: a free name is used itself, whatever was asked for.
    let free = named.name == NameUse::Free;
    match request.mode {
        Mode::Auto => request.mode = if free { Mode::New } else { Mode::SideBySide },
        Mode::SideBySide if free && request.beside.is_none() => request.mode = Mode::New,
        _ => {}
    }
    if request.mode == Mode::SideBySide && request.beside.is_none() {
        let real = match &named.name {
            NameUse::Alias(real) => real.clone(),
            _ => request.target.collection.clone(),
        };
        let base = beside(&real, "restored", &compact(services.clock.now()));
        // Two of one second are two.
        let others = (2..).map(|n| CollectionName::new(format!("{}-{n}", base.raw())));
        request.beside = std::iter::once(base.clone()).chain(others).find(|name| !named.names.contains(name));
    }
    if request.skips != Skips::default() && request.mode != Mode::InPlace {
        return Err(Problem::new(ProblemKind::Usage, "only a restore in place has steps that can be skipped", "")
            .advise("leave out --skip, or give --mode in-place"));
    }
    Ok(request)
}

/// What says that *side by side* was asked for, of a collection that does not exist.
fn nothing_beside(asked: Mode, request: &RestoreRequest) -> Option<Finding> {
    (asked == Mode::SideBySide && request.mode == Mode::New).then(|| {
        Finding::look(
            "mode",
            format!("{} does not exist, so there is nothing to restore beside: it is restored under that name", request.target),
            "for a copy beside another collection, give that one's name",
        )
    })
}

/// Settings that an overwrite puts back: all of them where the snapshot is one of this very collection.
fn put_back(services: &Services, known: &Known, target: &CollectionAddress) -> Option<PutBack> {
    let own = match &known.origin {
        Origin::Node { address, .. } => address == target,
        Origin::Backup { address, .. } => address.collection == *target,
        Origin::Shards(shards) => shards.address.collection == *target,
        Origin::Live(live) => live.address == *target,
        Origin::Member(member) => member.proof.as_ref().is_some_and(|proof| proof.source == target.to_string()),
        Origin::File { path, .. } => named_like(services, path).is_some_and(|(_, proof)| proof.source == target.to_string()),
    };
    known.info.as_ref().map(|info| PutBack { wanted: info.settings.clone(), all: own })
}

fn needs(request: &RestoreRequest, known: &Known, target: &Target) -> Vec<Resource> {
    let mut needs = vec![Resource::Exclusive(request.landing().to_string()), target.connection.slot()];
    if let Origin::Backup { open, .. } = &known.origin {
        needs.push(open.slot());
    }
    if let Origin::Member(member) = &known.origin {
        needs.extend(member.needs());
    }
    if let Origin::Shards(shards) = &known.origin {
        needs.push(shards.open.slot());
    }
    if let Origin::Node { connection, address, .. } = &known.origin {
        needs.push(connection.slot());
        // The snapshot must not be deleted, and none of the same second taken, while it is read.
        needs.push(Resource::Exclusive(address.to_string()));
    }
    needs
}

fn key_finding(origin: &Origin, request: &RestoreRequest, route: Route) -> Option<Finding> {
    let Origin::Node { connection, address, .. } = origin else { return None };
    let hands_over = route == Route::Url && connection.access.api_key.is_some() && address.instance != request.target.instance;
    hands_over.then(|| gates::key_handed_over(address.instance.as_str(), request.target.instance.as_str()))
}

fn consequence(request: &RestoreRequest, named: &Target, overwrites: bool) -> String {
    match (overwrites, &request.beside, &named.name) {
        (true, ..) => overwrite_plan::consequence(&request.target, named.points, request.skips),
        (false, Some(_), NameUse::Alias(real)) => format!("{} is an alias of {real}, which is not touched", request.target),
        (false, Some(_), NameUse::Collection) => {
            format!("{} keeps its {}; nothing of it is touched", request.target, named.points_in_words().trim_end_matches(','))
        }
        _ => String::new(),
    }
}

fn steps_of(request: &RestoreRequest, known: &Known, (route, why): (Route, &str), over: Option<Skips>) -> Vec<Step> {
    let landing = request.landing();
    let mut steps = Vec::new();
    if matches!(known.origin, Origin::File { .. }) {
        steps.push(Step::new("hash", format!("read {} and compute its sha256", known.shown)));
    }
    let restore = format!("{} into {landing} by {} ({why})", size::bytes(known.size), route.word());
    if let Some(skips) = over {
        steps.extend(overwrite_plan::plan_steps(&request.target, skips, restore));
        return steps;
    }
    if known.info.as_ref().is_some_and(CollectionInfo::custom_sharding) {
        steps.push(Step::new(step_names::SHARD_KEYS, format!("create {landing} with the shard keys of the snapshot")));
    }
    let watched = if request.mode == Mode::New { unwatched(route) } else { "" };
    steps.push(Step::new("restore", format!("{restore}{watched}")));
    let deep = if request.deep { ", and every point with the live source" } else { "" };
    steps.push(Step::new("verify", format!("count {landing}, compare schema and sample{deep}")));
    if route != Route::Url && !known.origin.by_shards() {
        steps.push(Step::new("tidy", "delete the uploaded file that Qdrant keeps, once the verdict is good"));
    }
    if request.mode == Mode::SideBySide {
        steps.push(Step::new(step_names::CHOOSE, "afterwards: switch an alias to it, keep both, or delete it"));
    }
    steps
}

#[async_trait]
impl Work for Restore {
    async fn again(&self, services: &Services) -> Result<Plan, Problem> {
        plan(services, self.request.clone()).await
    }

    async fn run(&self, services: &Arc<Services>, plan: &Plan, steps: &mut Steps<'_>) -> Result<Report, Problem> {
        self.go(services, plan, Earlier::default(), steps).await
    }
}

impl Restore {
    /// Restores; `earlier` is what a run that broke off left.
    pub(super) async fn go(
        &self,
        services: &Services,
        plan: &Plan,
        earlier: Earlier,
        steps: &mut Steps<'_>,
    ) -> Result<Report, Problem> {
        let request = &self.request;
        let connection = services.connection(&request.target.instance).await?;
        let hashed = open(services, self, steps).await?;
        let forced = request.force.iter().any(|name| name == "proof");
        if let (true, false, Some(finding)) = (self.overwrites, forced, gates::overwriting_unproven(hashed.evidence)) {
            return Err(Problem::new(ProblemKind::Refused, finding.message, &plan.source)
                .advise(format!("nothing was done; {}", finding.advice)));
        }
        let landing = request.landing();
        let progress = &steps.job.progress;
        let expected = expectation(services, &hashed.origin, hashed.sha256.as_deref(), &landing, progress).await;
        let recorded = if let Expected::Recorded(proof) = &expected { Some(proof.clone()) } else { None };
        let put_back = self.put_back.clone().filter(|_| self.overwrites);
        let settings = match &put_back {
            Some(put_back) => put_back.must_be(),
            None => self.shape.as_ref().map(|shape| shape.settings.clone()),
        };
        let reference = Reference { shape: self.shape.clone(), settings, ..Reference::of(expected) };
        let node = placement::holder(&connection, &landing).await;
        let destination = Destination { connection, node, address: landing.clone() };
        let (keyed, put_back) = (self.keyed.as_deref(), put_back.as_ref());
        let input = RestoreInput { origin: &hashed.origin, route: request.route, reference: &reference, keyed, put_back };
        let done = if self.overwrites {
            let (skips, deep, evidence, destination) = (request.skips, request.deep, hashed.evidence, &destination);
            let all = Overwriting { input, destination, skips, evidence, forced, deep, earlier, unreadable: self.unreadable };
            overwrite(services, steps, &all).await
        } else {
            self.restore_new(services, steps, &input, &destination).await
        };
        let done = match done {
            Ok(done) => done,
            Err(problem) => {
                // Other bytes than the manifest says, or a scratch restore that differs, are no matter of the target.
                if problem.kind == ProblemKind::Difference {
                    let verdict = Verdict::Differs(problem.message.clone());
                    note_found(services, &self.origin, Says::Verify, &verdict).await;
                }
                return Err(problem);
            }
        };
        if let (Verdict::Matches(_), Some(proof), Some(sha256)) = (&done.verification.verdict, recorded, &hashed.sha256) {
            let proven = Proof { proven_at: Some(services.clock.now()), ..proof };
            // Only a note for the list; the verdict stands without it.
            let _ = services.proofs.save(sha256, &proven);
        }
        note_found(services, &self.origin, Says::Restore, &done.verification.verdict).await;
        let next = after_restore(request, &self.aliases, &done.verification.verdict);
        Ok(Report { next, ..done.report(plan, request.mode) })
    }

    async fn restore_new(
        &self,
        services: &Services,
        steps: &mut Steps<'_>,
        input: &RestoreInput<'_>,
        destination: &Destination,
    ) -> Result<Overwritten, Problem> {
        let stage = (step_names::RESTORE, Made::Collection);
        let mut finished = restore_new(services, steps, input, destination, stage).await?;
        if let (true, RecoveryPoint::Snapshot(source, _)) = (self.request.deep, &self.request.source) {
            let verdict = &mut finished.verification.verdict;
            *verdict = with_source(services, steps, (source, &destination.address), verdict.clone()).await;
        }
        Ok(Overwritten::fresh(finished))
    }
}

impl Restore {
    /// Restores to a scratch name beside where it would go, and verifies: nothing that is there is touched.
    pub(super) async fn rehearse(
        &self,
        services: &Services,
        steps: &mut Steps<'_>,
        beside: &CollectionName,
    ) -> Result<Scratch, Problem> {
        let instance = &self.request.target.instance;
        let connection = services.connection(instance).await?;
        let address = CollectionAddress::new(instance.clone(), beside.clone());
        let hashed = open(services, self, steps).await?;
        let landing = self.request.landing();
        let expected = expectation(services, &hashed.origin, hashed.sha256.as_deref(), &landing, &steps.job.progress).await;
        let reference = Reference { shape: self.shape.clone(), ..Reference::of(expected) };
        let node = placement::holder(&connection, &landing).await;
        let destination = Destination { connection, node, address };
        let (keyed, route) = (self.keyed.as_deref(), self.request.route);
        let input = RestoreInput { origin: &hashed.origin, route, reference: &reference, keyed, put_back: None };
        scratch(services, steps, &input, &destination).await
    }
}

/// Notes in the repository what was found of a backup. The verdict stands without it.
async fn note_found(services: &Services, origin: &Origin, says: Says, verdict: &Verdict) {
    let (open, backup) = match origin {
        Origin::Backup { open, backup, .. } => (open, backup),
        Origin::Shards(shards) => (&shards.open, &shards.backup),
        _ => return,
    };
    let (found, text) = (records::found(verdict), verdict.sentence());
    let record = records::Entry { says, text, found: Some(found), phases: Vec::new() };
    let _ = records::write(services, open, &backup.folder, record).await;
}

/// The bytes, with what vouches for them.
struct Opened {
    origin: Origin,
    sha256: Option<String>,
    evidence: Evidence,
}

async fn open(services: &Services, restore: &Restore, steps: &mut Steps<'_>) -> Result<Opened, Problem> {
    match &restore.origin {
        Origin::Node { snapshot, .. } => {
            Ok(Opened { origin: restore.origin.clone(), sha256: snapshot.sha256.clone(), evidence: restore.evidence })
        }
        Origin::Backup { object, .. } => {
            let sha256 = Some(object.sha256.clone());
            Ok(Opened { origin: restore.origin.clone(), sha256, evidence: restore.evidence })
        }
        Origin::Member(_) | Origin::Shards(_) | Origin::Live(_) => {
            Ok(Opened { origin: restore.origin.clone(), sha256: None, evidence: restore.evidence })
        }
        Origin::File { path, size, .. } => {
            let job: &JobContext = steps.job;
            job.progress.phase("hash", Some(*size));
            let hashing = async {
                let (size, sha256, ended) = hash_file(path, &job.progress).await?;
                let ended = ended || contents::has_end(services, path).await;
                let evidence = judge_file(services, path, &sha256, ended)?;
                Ok((size, sha256, evidence))
            };
            let (size, sha256, evidence) = steps.run("hash", "", hashing).await?;
            let origin = Origin::File { path: path.clone(), size, sha256: Some(sha256.clone()) };
            Ok(Opened { origin, sha256: Some(sha256), evidence })
        }
    }
}

/// Whether these are the bytes that a server made, as far as that is known.
fn judge_file(services: &Services, path: &Path, sha256: &str, ended: bool) -> Result<Evidence, Problem> {
    let shown = crate::domain::text::sanitise(&path.display().to_string());
    let refuse = |message: String| {
        Err(Problem::new(ProblemKind::Difference, message, &shown).advise("nothing was sent; find a good copy of the file"))
    };
    if !ended {
        return refuse("the archive has no end: it is cut".into());
    }
    if services.proofs.load(Some(sha256)).is_some() {
        return Ok(Evidence::Recorded);
    }
    if let Some((recorded, _)) = named_like(services, path) {
        let message = format!(
            "it is damaged: the snapshot of this name had the sha256 {}…, this file has {}…",
            &recorded[..16.min(recorded.len())],
            &sha256[..16.min(sha256.len())]
        );
        return refuse(message);
    }
    match crate::ops::survey::inspect::side_file(path) {
        Some(listed) if listed == sha256 => Ok(Evidence::Listed),
        Some(listed) => refuse(format!(
            "it is damaged: the .checksum file beside it says {}…, its bytes have {}…",
            &listed[..16],
            &sha256[..16.min(sha256.len())]
        )),
        None => Ok(Evidence::Nothing),
    }
}
