//! Copying a collection from one instance to another: snapshot, deliver, verify, tidy. The wizard calls it
//! "Migrate".

use crate::domain::address::CollectionAddress;
use crate::domain::collection::{Alias, CollectionInfo};
use crate::domain::instance::Protection;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::size;
use crate::domain::text::one_line;
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
use crate::ops::services::Services;
use crate::ops::steps::Steps;
use crate::ops::survey::first_route::first_route;
use crate::ops::survey::locate::NameUse;
use crate::ops::survey::origin::Origin;
use crate::ops::survey::placement;
use crate::ops::survey::target::{self, Target};
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
}

/// The plan, computed by reading only, both sides at the same time.
pub(super) async fn plan(services: &Services, request: CopyRequest) -> Result<Plan, Problem> {
    Ok(prepare(services, request).await?.0)
}

/// The plan and its work, also to resume an interrupted copy.
pub(super) async fn prepare(services: &Services, request: CopyRequest) -> Result<(Plan, Copy), Problem> {
    let (source, target) = (&request.source, &request.target);
    if source == target {
        return Err(Problem::new(ProblemKind::Usage, "source and target are the same", source.to_string())
            .advise("name another instance or collection"));
    }
    let (from, to) = tokio::try_join!(target::gather(services, source), target::gather(services, target))?;
    let info = source_info(&from)?;
    let overwrites = to.occupied();
    let limited = services.limited(&[&source.instance, &target.instance]);
    let (route, why) = first_route(request.route, Some(from.end().with_collection(&source.collection)), to.end(), limited);
    let (aliases, findings) = findings(&request, (&from, &info), &to, route)?;
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
    let steps = steps_of(&request, (route, &why), over, &aliases);
    let unreadable = to.unreadable.is_some();
    let work = Copy { request: request.clone(), node: from.node, overwrites, unreadable, aliases };
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

/// What the gates say, and the aliases that can be carried.
fn findings(
    request: &CopyRequest,
    (from, info): (&Target, &CollectionInfo),
    to: &Target,
    route: Route,
) -> Result<(Vec<Alias>, Vec<Finding>), Problem> {
    let (source, target) = (&request.source, &request.target);
    let overwrites = to.occupied();
    let mut findings = vec![gates::version(from.version, to.version)];
    findings.extend(source_findings(from, info));
    findings.extend(to.copy_findings(overwrites, (from, info)));
    if route == Route::Url && from.connection.access.api_key.is_some() && source.instance != target.instance {
        findings.push(gates::key_handed_over(source.instance.as_str(), target.instance.as_str()));
    }
    findings.extend(server::fetching(route));
    findings.push(server::disk_unknown(route, overwrite_plan::extra(overwrites, request.skips)));
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

fn source_findings(from: &Target, info: &CollectionInfo) -> Vec<Finding> {
    let shown = from.address.to_string();
    let points = from.points.map_or_else(|| "?".into(), size::exact);
    let mut findings = vec![Finding::good("source", format!("{shown}: {points} points, {}", info.vectors_in_words()))];
    match &from.cluster {
        Ok(cluster) => {
            findings.push(gates::complete(&cluster.missing_here(), from.connection.nodes.len()));
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

fn steps_of(request: &CopyRequest, (route, why): (Route, &str), over: Option<Skips>, aliases: &[Alias]) -> Vec<Step> {
    let (source, target) = (&request.source, &request.target);
    let mut steps = vec![Step::new("snapshot", format!("count {source}, read a proof sample, take a snapshot"))];
    let restore = format!("into {target} by {} ({why})", route.word());
    if let Some(skips) = over {
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
        if request.deep {
            let verdict = &mut done.verification.verdict;
            *verdict = with_source(services, steps, (&request.source, &request.target), verdict.clone()).await;
        }
        let failures = if matches!(done.verification.verdict, Verdict::Differs(_)) {
            Vec::new()
        } else {
            // The data is there and judged: an alias that could not be made is no reason to say that the copy failed.
            let made = aliases::make(steps, &destination.connection, &destination.address.to_string(), &self.aliases).await;
            made.err().into_iter().collect()
        };
        taken.remove(steps).await;
        let report = done.report(plan, if self.overwrites { Mode::InPlace } else { Mode::New });
        Ok(Report { failures, ..report })
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
