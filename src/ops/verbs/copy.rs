//! Copying a collection from one instance to another: snapshot, deliver, verify, tidy; or shard by shard, without a snapshot, where
//! one of both is a cluster. The wizard calls it "Migrate".

use crate::domain::address::CollectionAddress;
use crate::domain::collection::{Alias, CollectionInfo};
use crate::domain::instance::Protection;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::size;
use crate::domain::text::one_line;
use crate::domain::version::ServerVersion;
use crate::jobs::limits::Resource;
use crate::ops::gates::evidence::Evidence;
use crate::ops::gates::{self, server};
use crate::ops::journal::event::Made;
use crate::ops::journal::past::Repeatable;
use crate::ops::journal::step_names;
use crate::ops::plan::facts::Facts;
use crate::ops::plan::finding::{Finding, Level};
use crate::ops::plan::{Plan, Risk, Step, Work};
use crate::ops::proof::verify::{Expected, Reference};
use crate::ops::recovery::aliases::{self, ALIASES};
use crate::ops::recovery::deliver::unwatched;
use crate::ops::recovery::destination::Destination;
use crate::ops::recovery::overwrite::{Earlier, Overwriting, Overwritten, overwrite};
use crate::ops::recovery::put_back::PutBack;
use crate::ops::recovery::restore_into::{RestoreInput, restore_new, with_source};
use crate::ops::recovery::{overwrite_plan, take};
use crate::ops::report::Report;
use crate::ops::report::verdict::Verdict;
use crate::ops::request::Request;
use crate::ops::request::copy::CopyRequest;
use crate::ops::request::restore::Mode;
use crate::ops::request::route::Route;
use crate::ops::request::skips::Skips;
use crate::ops::services::{Connection, Services};
use crate::ops::steps::Steps;
use crate::ops::survey::first_route::first_route;
use crate::ops::survey::live_shards::LiveShards;
use crate::ops::survey::locate::NameUse;
use crate::ops::survey::origin::Origin;
use crate::ops::survey::placement;
use crate::ops::survey::shard_replicas::STREAMS_SINCE;
use crate::ops::survey::target::{self, Target};
use crate::qdrant::error::ApiError;
use async_trait::async_trait;
use std::sync::Arc;

/// A copy as it was planned.
#[derive(Debug, Clone)]
pub(super) struct Copy {
    request: CopyRequest,
    node: usize,
    overwrites: bool,
    /// What is overwritten cannot be read.
    unreadable: bool,
    /// Aliases that are made on the target.
    aliases: Vec<Alias>,
    /// Each shard is streamed from its node: no node holds all of them, or they are spread over several on the target.
    by_shards: bool,
}

/// The plan, computed by reading only, both sides at the same time.
pub(super) async fn plan(services: &Services, request: CopyRequest) -> Result<Plan, Problem> {
    Ok(prepare(services, request, false).await?.0)
}

/// The plan and its work, also to resume an interrupted copy: then the target may be `ours`.
pub(super) async fn prepare(services: &Services, request: CopyRequest, ours: bool) -> Result<(Plan, Copy), Problem> {
    let (source, target) = (&request.source, &request.target);
    if source == target {
        return Err(Problem::new(ProblemKind::Usage, "source and target are the same", source.to_string())
            .advise("name another instance or collection"));
    }
    let (from, to) = tokio::try_join!(target::gather(services, source), target::gather(services, target))?;
    let info = source_info(&from)?.with_replicas(request.replicas);
    // What a run made that broke off is removed before it goes on.
    let taken = to.occupied() && !ours;
    let live = if taken { None } else { shards(&from, &to, &info).await? };
    let overwrites = to.occupied() && live.is_none();
    if request.replicas.is_some() && live.is_none() {
        return Err(Problem::new(ProblemKind::Usage, "--replicas is for what is copied shard by shard", source.to_string())
            .advise("a snapshot brings its own number; change it afterwards on the server"));
    }
    let limited = services.limited(&[&source.instance, &target.instance]);
    let (route, why) = match &live {
        Some(live) => live.route(request.route, &to.connection, limited),
        None => first_route(request.route, Some(from.end().with_collection(&source.collection)), to.end(), limited),
    };
    let (aliases, findings) = findings(&request, (&from, &info), (&to, live.as_ref()), (route, limited))?;
    let consequence = if overwrites {
        format!("{}; {source} is only read", overwrite_plan::consequence(target, to.points, request.skips))
    } else {
        String::new()
    };
    let mut facts = Facts::default();
    to.facts(&mut facts, overwrites);
    facts.points("points in the source", from.points.unwrap_or(0));
    facts.text("shape of the source", info.vectors());
    let over = overwrites.then(|| request.skips.possible(to.unreadable.is_none()));
    let steps = steps_of(&request, (route, &why, live.as_ref()), over, &aliases);
    let (unreadable, by_shards) = (to.unreadable.is_some(), live.is_some());
    if let Some(live) = &live {
        facts.text("shards of the source", format!("{:?}", live.chosen.nodes.keys()));
    }
    let work = Copy { request: request.clone(), node: from.node, overwrites, unreadable, aliases, by_shards };
    let plan = Plan {
        title: format!("copy {source} → {target}"),
        risk: if overwrites { Risk::Destroys } else { Risk::Changes },
        consequence,
        changes: Some((target.clone(), to.connection.instance.protection)),
        source: source.to_string(),
        target: target.to_string(),
        steps,
        findings,
        facts,
        needs: vec![
            Resource::Exclusive(target.to_string()),
            Resource::Exclusive(source.to_string()),
            from.connection.slot(),
            to.connection.slot(),
        ],
        // A path that is no text cannot be kept: such an operation can be cleaned up, but not continued.
        resume: serde_json::to_value(Repeatable::Copy(request.clone())).unwrap_or_default(),
        ..Plan::of(Request::Copy(request.clone()), work.clone())
    };
    Ok((plan, work))
}

/// The collection that is copied, where it is one and can be read.
fn source_info(from: &Target) -> Result<CollectionInfo, Problem> {
    let source = &from.address;
    let refuse = |kind, message: String, advice: &str| Err(Problem::new(kind, message, source.to_string()).advise(advice));
    match (&from.name, &from.info) {
        (NameUse::Alias(real), _) => {
            let real = CollectionAddress::new(source.instance.clone(), real.clone());
            refuse(ProblemKind::Usage, format!("is an alias of {real}"), &format!("copy {real} itself"))
        }
        (NameUse::Free, _) => {
            let advice = "`qsnap collections` lists what there is";
            refuse(ProblemKind::NotFound, "there is no such collection".into(), advice)
        }
        (NameUse::Collection, Some(info)) => Ok(info.clone()),
        (NameUse::Collection, None) => {
            let why = from.unreadable.as_deref().unwrap_or("its info could not be read");
            let advice = "repair it first, or restore one of its recovery points elsewhere";
            refuse(ProblemKind::Failed, format!("cannot be read: {why}"), advice)
        }
    }
}

/// The shards of the source, where they are copied one by one: a snapshot of one node does not hold those of others, and restored
/// on one node of a cluster it fills only the shards that this one has. What exists is overwritten by a snapshot only.
async fn shards(from: &Target, to: &Target, info: &CollectionInfo) -> Result<Option<LiveShards>, Problem> {
    let (address, new_enough) = (&from.address, |version: &Option<ServerVersion>| {
        version.is_some_and(|version| version.at_least(STREAMS_SINCE.0, STREAMS_SINCE.1))
    });
    let spread = |end: &Target| end.connection.nodes.len() > 1 || end.peers() > 1;
    if !(spread(from) || spread(to)) || !new_enough(&from.version) || !new_enough(&to.version) {
        return Ok(None);
    }
    let found = LiveShards::find(&from.connection, address, info.clone()).await;
    found.map(Some).map_err(|error| error.into_problem(address.to_string()))
}

/// What the gates say, and the aliases that can be carried.
fn findings(
    request: &CopyRequest,
    (from, info): (&Target, &CollectionInfo),
    (to, live): (&Target, Option<&LiveShards>),
    (route, limited): (Route, bool),
) -> Result<(Vec<Alias>, Vec<Finding>), Problem> {
    let (source, target) = (&request.source, &request.target);
    let overwrites = to.occupied() && live.is_none();
    let mut findings = vec![gates::version(from.version, to.version)];
    match live {
        Some(live) => findings.extend(live_findings(from, info, live.findings(to.peers(), limited))),
        None => findings.extend(source_findings(from, info)),
    }
    findings.extend(to.copy_findings(overwrites, (from, info)));
    if route == Route::Url && from.connection.access.api_key.is_some() && source.instance != target.instance {
        findings.push(gates::key_handed_over(source.instance.as_str(), target.instance.as_str()));
    }
    findings.extend(server::fetching(route));
    findings.push(match live {
        Some(_) => server::disk_of_shards(),
        None => server::disk_unknown(route, overwrite_plan::extra(overwrites, request.skips)),
    });
    if overwrites {
        findings.push(gates::writers(&target.to_string()));
    }
    if let (true, Some(now)) = (overwrites, &to.info) {
        findings.extend(PutBack { wanted: info.settings.clone(), all: false }.finding(&now.settings));
    }
    let (aliases, alias_findings) = carried(request, from, to);
    findings.extend(alias_findings);
    gates::force(&mut findings, &request.force).map_err(|why| Problem::new(ProblemKind::Usage, why, ""))?;
    if request.skips != Skips::default() && !overwrites {
        findings.push(Finding::good("skip", format!("{target} is free: there is nothing to skip")));
    }
    Ok((aliases, findings))
}

fn live_findings(from: &Target, info: &CollectionInfo, of_shards: Vec<Finding>) -> Vec<Finding> {
    let mut findings = vec![source_finding(from, info)];
    findings.extend(of_shards);
    findings.push(from.idle_finding());
    findings
}

fn source_finding(from: &Target, info: &CollectionInfo) -> Finding {
    let points = from.points.map_or_else(|| "?".into(), size::exact);
    Finding::good("source", format!("{}: {points} points, {}", from.address, info.vectors_in_words()))
}

fn source_findings(from: &Target, info: &CollectionInfo) -> Vec<Finding> {
    let shown = from.address.to_string();
    let mut findings = vec![source_finding(from, info)];
    match &from.cluster {
        Ok(cluster) => {
            let mut complete = gates::complete(&cluster.missing_here(), from.connection.nodes.len());
            if complete.level == Level::Block {
                // Shard by shard only a new collection is filled.
                complete.advice = "copy it to a name that is free, look at it, then point the alias at it".into();
            }
            findings.push(complete);
            if cluster.moving > 0 || !cluster.unhealthy().is_empty() {
                findings.push(server::replicas(&cluster.unhealthy(), cluster.moving, &shown));
            }
        }
        Err(why) => findings.push(gates::not_checked("shards", why)),
    }
    findings.push(from.idle_finding());
    findings.extend(gates::snapshot_name(&from.address.collection));
    if from.connection.instance.protection == Protection::ReadOnly {
        findings.push(Finding::block(
            "protection",
            format!("{} is read-only for qsnap: no snapshot can be taken there", from.address.instance),
            "restore from a snapshot that exists, or change `protection` in the configuration",
        ));
    }
    findings
}

/// Aliases that can be carried: never one that points elsewhere on the target.
fn carried(request: &CopyRequest, from: &Target, to: &Target) -> (Vec<Alias>, Vec<Finding>) {
    if !request.aliases {
        return (Vec::new(), Vec::new());
    }
    let point = |alias: String| Alias { alias, collection: to.address.collection.clone() };
    let wanted: Vec<Alias> = from.own_aliases().into_iter().map(point).collect();
    aliases::carried(&wanted, &to.address.instance, &to.aliases, &to.names)
}

fn steps_of(
    request: &CopyRequest,
    (route, why, live): (Route, &str, Option<&LiveShards>),
    over: Option<Skips>,
    aliases: &[Alias],
) -> Vec<Step> {
    let (source, target) = (&request.source, &request.target);
    let mut steps = vec![Step::new("snapshot", format!("count {source}, read a proof sample, take a snapshot"))];
    let restore = format!("into {target} by {} ({why})", route.word());
    if let Some(live) = live {
        let shards = live.chosen.nodes.len();
        let words =
            format!("make {target} as {source} is, then {shards} shards one by one, {restore}; a proof sample before and after");
        steps = vec![Step::new("restore", words)];
        steps
            .push(Step::new("verify", format!("wait for all replicas, count {target}, compare schema and sample with {source}")));
    } else if let Some(skips) = over {
        steps.extend(overwrite_plan::plan_steps(target, skips, restore));
    } else {
        steps.push(Step::new("restore", format!("{restore}{}", unwatched(route))));
        steps.push(Step::new("verify", format!("count {target} and compare the sample with {source}")));
        steps.push(Step::new("tidy", "delete the snapshot taken for the copy, and the uploaded file"));
    }
    if request.deep {
        steps.push(Step::new(step_names::EVERY_POINT, format!("of {source} and {target}")));
    }
    if !aliases.is_empty() {
        let names: Vec<&str> = aliases.iter().map(|alias| alias.alias.as_str()).collect();
        steps.push(Step::new(ALIASES, format!("make {} for {target}", one_line(&names.join(", "), 100))));
    }
    steps
}

#[async_trait]
impl Work for Copy {
    async fn again(&self, services: &Services) -> Result<Plan, Problem> {
        plan(services, self.request.clone()).await
    }

    async fn run(&self, services: &Arc<Services>, plan: &Plan, steps: &mut Steps<'_>) -> Result<Report, Problem> {
        self.go(services, plan, Earlier::default(), steps).await
    }
}

impl Copy {
    /// Copies; `earlier` is what a run that broke off left.
    pub(super) async fn go(
        &self,
        services: &Services,
        plan: &Plan,
        earlier: Earlier,
        steps: &mut Steps<'_>,
    ) -> Result<Report, Problem> {
        let request = &self.request;
        let source = services.connection(&request.source.instance).await?;
        let target = services.connection(&request.target.instance).await?;
        if self.by_shards {
            return self.go_by_shards(services, plan, (&source, &target), steps).await;
        }
        let from = (&source, self.node, &request.source);
        let taken = take::take(services, steps, from, ("snapshot", Some(Made::Snapshot))).await?;
        let expected = taken.proof.clone().map_or(Expected::Nothing, Expected::Recorded);
        let info = source.whole().collection(&request.source.collection).await.ok();
        let wanted = info.as_ref().map(|info| info.settings.clone());
        // How the target is configured may be meant so; a new collection gets what the snapshot has.
        let put_back = wanted.clone().filter(|_| self.overwrites).map(|wanted| PutBack { wanted, all: false });
        let settings = wanted.filter(|_| !self.overwrites);
        let reference = Reference { shape: info, settings, ..Reference::of(expected) };
        let snapshot = taken.snapshot.clone();
        let listed = snapshot.sha256.is_some();
        let keyed = keyed(services, request, &snapshot, &reference).await;
        let origin = Origin::Node { connection: source.clone(), node: self.node, address: request.source.clone(), snapshot };
        let node = placement::holder(&target, &request.target).await;
        let destination = Destination { connection: target.clone(), node, address: request.target.clone() };
        let (keyed, put_back) = (keyed.as_deref(), put_back.as_ref());
        let input = RestoreInput { origin: &origin, route: request.route, reference: &reference, keyed, put_back };
        let mut done = if self.overwrites {
            let (skips, destination, deep, unreadable) = (request.skips, &destination, false, self.unreadable);
            let evidence = Evidence::by(matches!(reference.expected, Expected::Recorded(_)), listed);
            let forced = request.force.iter().any(|name| name == "proof");
            overwrite(services, steps, &Overwriting { input, destination, skips, evidence, forced, deep, earlier, unreadable })
                .await?
        } else {
            let stage = (step_names::RESTORE, Made::Collection);
            let finished = restore_new(services, steps, &input, &destination, stage).await?;
            Overwritten::fresh(finished)
        };
        let failures = self.finish(services, steps, &destination, &mut done).await;
        taken.remove(steps).await;
        let mut report = done.report(plan, if self.overwrites { Mode::InPlace } else { Mode::New });
        report.failures.extend(failures);
        Ok(report)
    }

    /// Each shard from the node that streams it: no snapshot is taken.
    async fn go_by_shards(
        &self,
        services: &Services,
        plan: &Plan,
        (source, target): (&Arc<Connection>, &Arc<Connection>),
        steps: &mut Steps<'_>,
    ) -> Result<Report, Problem> {
        let request = &self.request;
        let problem = |error: ApiError| error.into_problem(request.source.to_string());
        let info = source.whole().collection(&request.source.collection).await.map_err(problem)?;
        let info = info.with_replicas(request.replicas);
        // Replicas that were Active when it was planned may be behind by now.
        let live = LiveShards::find(source, &request.source, info.clone()).await.map_err(problem)?;
        if let Some(blocked) = live.findings(usize::MAX, false).into_iter().find(|finding| finding.level == Level::Block) {
            return Err(Problem::new(ProblemKind::PlanStale, blocked.message, request.source.to_string()).advise(blocked.advice));
        }
        let keyed = info.custom_sharding().then(|| live.collection());
        let reference =
            Reference { settings: Some(info.settings.clone()), shape: Some(info), ..Reference::of(Expected::Nothing) };
        let origin = Origin::Live(Arc::new(live));
        let node = placement::holder(target, &request.target).await;
        let destination = Destination { connection: target.clone(), node, address: request.target.clone() };
        let input =
            RestoreInput { origin: &origin, route: request.route, reference: &reference, keyed: keyed.as_ref(), put_back: None };
        let stage = (step_names::RESTORE, Made::Collection);
        let mut done = Overwritten::fresh(restore_new(services, steps, &input, &destination, stage).await?);
        let failures = self.finish(services, steps, &destination, &mut done).await;
        let mut report = done.report(plan, Mode::New);
        report.failures.extend(failures);
        Ok(report)
    }

    /// Compares every point, where that was asked for, and makes the aliases. What failed of these.
    async fn finish(
        &self,
        services: &Services,
        steps: &mut Steps<'_>,
        destination: &Destination,
        done: &mut Overwritten,
    ) -> Vec<Problem> {
        let request = &self.request;
        let lacking = done.unsettled();
        if let (Verdict::Matches(_), Some(why)) = (&done.verification.verdict, lacking.filter(|_| !request.deep)) {
            done.verification.verdict = Verdict::CouldNotCheck(why);
        }
        if request.deep {
            let verdict = &mut done.verification.verdict;
            *verdict = with_source(services, steps, (&request.source, &request.target), verdict.clone()).await;
        }
        if matches!(done.verification.verdict, Verdict::Differs(_)) {
            return Vec::new();
        }
        // The data is there and judged: an alias that could not be made is no reason to say that the copy failed.
        let made = aliases::make(steps, &destination.connection, &destination.address.to_string(), &self.aliases).await;
        made.err().into_iter().collect()
    }
}

/// The configuration of a collection that is sharded by keys, as its snapshot has it.
async fn keyed(
    services: &Services,
    request: &CopyRequest,
    snapshot: &crate::domain::snapshot::SnapshotInfo,
    reference: &Reference,
) -> Option<Box<crate::archive::contents::Collection>> {
    use crate::domain::address::Which;
    reference.shape.as_ref().filter(|info| info.custom_sharding())?;
    let point =
        crate::ops::request::recovery_point::RecoveryPoint::Snapshot(request.source.clone(), Which::Named(snapshot.name.clone()));
    crate::ops::survey::contents::read(services, &point).await.collection().cloned().map(Box::new)
}
