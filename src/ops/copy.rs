//! Copying a collection from one instance to another: snapshot, deliver, verify, tidy. The wizard calls it
//! "Migrate".

use crate::domain::address::CollectionAddress;
use crate::domain::collection::Alias;
use crate::domain::instance::Protection;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::size;
use crate::domain::text::one_line;
use crate::jobs::limits::Resource;
use crate::ops::bring::{self, Cargo, bring_fresh, with_source};
use crate::ops::create;
use crate::ops::deliver::{Destination, Origin, Route, unwatched};
use crate::ops::first_route::first_route;
use crate::ops::flow::{self, Facts, Finding, Plan, Risk, Spec, Step};
use crate::ops::gates::{self, server};
use crate::ops::journal::Made;
use crate::ops::overwrite::{self, Earlier, Overwriting, Overwritten, Skips, overwrite};
use crate::ops::placement;
use crate::ops::put_back::PutBack;
use crate::ops::report::{Report, Verdict};
use crate::ops::resolve::NameUse;
use crate::ops::restore::report;
use crate::ops::services::Services;
use crate::ops::source::Vouched;
use crate::ops::steps::Steps;
use crate::ops::target::{self, Target};
use crate::ops::verify::{Expected, Reference};
use crate::qdrant::api::AliasAction;
use crate::qdrant::error::ApiError;
use serde::{Deserialize, Serialize};

/// What to copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopySpec {
    /// From.
    pub source: CollectionAddress,
    /// To; when it exists, it is replaced.
    pub target: CollectionAddress,
    /// Which way.
    pub route: Route,
    /// What is left out by choice, where something is replaced.
    #[serde(default)]
    pub skips: Skips,
    /// Gates that are overruled.
    #[serde(default)]
    pub force: Vec<String>,
    /// Compare every point afterwards.
    #[serde(default)]
    pub deep: bool,
    /// Carry the aliases of the source, where their names are free on the target.
    #[serde(default)]
    pub aliases: bool,
}

impl CopySpec {
    /// A copy with nothing special.
    pub fn new(source: CollectionAddress, target: CollectionAddress, route: Route) -> Self {
        Self { source, target, route, skips: Skips::default(), force: Vec::new(), deep: false, aliases: false }
    }
}

/// What planning found.
#[derive(Debug, Clone)]
pub(in crate::ops) struct Resolved {
    node: usize,
    overwrites: bool,
    /// What is overwritten cannot be read.
    unreadable: bool,
    /// Aliases that are made on the target.
    aliases: Vec<String>,
}

/// Reads what is needed, both sides at the same time.
pub async fn plan(services: &Services, spec: CopySpec) -> Result<Plan, Problem> {
    let (source, target) = (&spec.source, &spec.target);
    if source == target {
        return Err(Problem::new(ProblemKind::Usage, "source and target are the same", source.to_string())
            .advise("name another instance or collection"));
    }
    let (from, to) = tokio::try_join!(target::gather(services, source), target::gather(services, target))?;
    match &from.name {
        NameUse::Alias(real) => {
            let real = CollectionAddress::new(source.instance.clone(), real.clone());
            return Err(Problem::new(ProblemKind::Usage, format!("is an alias of {real}"), source.to_string())
                .advise(format!("copy {real} itself")));
        }
        NameUse::Free => {
            return Err(Problem::new(ProblemKind::NotFound, "there is no such collection", source.to_string())
                .advise("`qsnap collections` lists what there is"));
        }
        NameUse::Collection => {}
    }
    let Some(info) = from.info.clone() else {
        let why = from.unreadable.clone().unwrap_or_else(|| "its info could not be read".into());
        return Err(Problem::new(ProblemKind::Failed, format!("cannot be read: {why}"), source.to_string())
            .advise("repair it first, or restore one of its recovery points elsewhere"));
    };
    let overwrites = to.occupied();
    let mut findings = vec![gates::version(from.version, to.version)];
    findings.extend(source_findings(&from, &info));
    findings.extend(to.copy_findings(overwrites, &info));
    let limited = services.limited(&[&source.instance, &target.instance]);
    let (route, why) = first_route(spec.route, Some(from.end().with_collection(&source.collection)), to.end(), limited);
    if route == Route::Url && from.connection.access.api_key.is_some() && source.instance != target.instance {
        findings.push(gates::key_handed_over(source.instance.as_str(), target.instance.as_str()));
    }
    findings.extend(server::fetching(route));
    findings.push(server::disk_unknown(route, overwrite::extra(overwrites, spec.skips)));
    if overwrites {
        findings.push(gates::writers(&target.to_string()));
    }
    if let (true, Some(now)) = (overwrites, &to.info) {
        findings.extend(PutBack { wanted: info.settings.clone(), all: false }.finding(&now.settings));
    }
    let (aliases, alias_findings) = carried(&spec, &from, &to);
    findings.extend(alias_findings);
    gates::force(&mut findings, &spec.force).map_err(|why| Problem::new(ProblemKind::Usage, why, ""))?;
    if spec.skips != Skips::default() && !overwrites {
        findings.push(Finding::good("skip", format!("{target} is free: there is nothing to skip")));
    }
    let protection = to.connection.instance.protection;
    let consequence = if overwrites {
        format!("{}; {source} is only read", overwrite::consequence(target, to.points, spec.skips))
    } else {
        String::new()
    };
    let mut facts = Facts::default();
    to.facts(&mut facts, overwrites);
    facts.points("points in the source", from.points.unwrap_or(0));
    facts.text("shape of the source", info.vectors());
    Ok(Plan {
        operation: "copy",
        title: format!("copy {source} → {target}"),
        risk: if overwrites { Risk::Destroys } else { Risk::Changes },
        consequence,
        changes: Some((target.clone(), protection)),
        source: source.to_string(),
        target: target.to_string(),
        steps: steps_of(&spec, (route, &why), overwrites.then(|| spec.skips.possible(to.unreadable.is_none())), &aliases),
        findings,
        command: command(&spec, overwrites || protection == Protection::Protected),
        facts,
        needs: vec![
            Resource::Exclusive(target.to_string()),
            Resource::Exclusive(source.to_string()),
            from.connection.slot(),
            to.connection.slot(),
        ],
        resolved: flow::Resolved::Copy(Resolved { node: from.node, overwrites, unreadable: to.unreadable.is_some(), aliases }),
        spec: Spec::Copy(spec),
    })
}

fn source_findings(from: &Target, info: &crate::domain::collection::CollectionInfo) -> Vec<Finding> {
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

/// The step that makes aliases on the target.
pub(in crate::ops) const ALIASES: &str = "aliases";

/// Aliases that can be carried: never one that points elsewhere on the target.
fn carried(spec: &CopySpec, from: &Target, to: &Target) -> (Vec<String>, Vec<Finding>) {
    if !spec.aliases {
        return (Vec::new(), Vec::new());
    }
    let (mut carried, mut findings) = (Vec::new(), Vec::new());
    for alias in from.own_aliases() {
        let shown = one_line(&alias, 60);
        let there = to.aliases.iter().find(|known| known.alias == alias).map(|known| known.collection.clone());
        match there {
            None if to.names.iter().any(|name| name.raw() == alias) => findings.push(Finding::look(
                "alias",
                format!("{shown} is a collection on {}, so that the alias is not carried", to.address.instance),
                "rename one of them",
            )),
            None => {
                findings.push(Finding::good("alias", format!("{shown} is made on {}", to.address.instance)));
                carried.push(alias);
            }
            Some(name) if name == to.address.collection => {
                findings.push(Finding::good("alias", format!("{shown} points at {} already", to.address)));
            }
            Some(name) => findings.push(Finding::look(
                "alias",
                format!("{shown} points at {name} on {}: it is left alone", to.address.instance),
                format!("`{} --yes` would switch it", switch_command(&alias, to)),
            )),
        }
    }
    (carried, findings)
}

fn switch_command(alias: &str, to: &Target) -> String {
    crate::ops::switch::SwitchSpec::new(alias, &to.address).command()
}

fn command(spec: &CopySpec, typed: bool) -> String {
    let consent = flow::consent_flags(typed, &spec.target);
    let route = if spec.route == Route::Auto { String::new() } else { format!(" --route {}", spec.route.word()) };
    let force: String = spec.force.iter().map(|name| format!(" --force {name}")).collect();
    let flags = [(" --deep", spec.deep), (" --aliases", spec.aliases)];
    let flags: String = flags.iter().filter(|(_, on)| *on).map(|(flag, _)| *flag).collect();
    format!("qsnap copy {} {}{route}{}{force}{flags}{consent}", spec.source, spec.target, overwrite::flags(spec.skips))
}

fn steps_of(spec: &CopySpec, (route, why): (Route, &str), over: Option<Skips>, aliases: &[String]) -> Vec<Step> {
    let (source, target) = (&spec.source, &spec.target);
    let mut steps = vec![Step::new("snapshot", format!("count {source}, read a proof sample, take a snapshot"))];
    let restore = format!("into {target} by {} ({why})", route.word());
    if let Some(skips) = over {
        steps.extend(overwrite::plan_steps(target, skips, restore));
    } else {
        steps.push(Step::new("restore", format!("{restore}{}", unwatched(route))));
        steps.push(Step::new("verify", format!("count {target} and compare the sample with {source}")));
        steps.push(Step::new("tidy", "delete the snapshot taken for the copy, and the uploaded file"));
    }
    if spec.deep {
        steps.push(Step::new(bring::EVERY_POINT, format!("of {source} and {target}")));
    }
    if !aliases.is_empty() {
        steps.push(Step::new(ALIASES, format!("make {} for {target}", one_line(&aliases.join(", "), 100))));
    }
    steps
}

/// Copies the collection, and verifies the copy.
pub(in crate::ops) async fn execute(
    services: &Services,
    plan: &Plan,
    resolved: Resolved,
    steps: &mut Steps<'_>,
) -> Result<Report, Problem> {
    let Spec::Copy(spec) = &plan.spec else {
        return Err(Problem::new(ProblemKind::Failed, "the plan is not a copy", ""));
    };
    run(services, plan, spec, resolved, Earlier::default(), steps).await
}

/// Does it; `earlier` is what a run that broke off left.
pub(in crate::ops) async fn run(
    services: &Services,
    plan: &Plan,
    spec: &CopySpec,
    resolved: Resolved,
    earlier: Earlier,
    steps: &mut Steps<'_>,
) -> Result<Report, Problem> {
    let source = services.connection(&spec.source.instance).await?;
    let target = services.connection(&spec.target.instance).await?;
    let from = (&source, resolved.node, &spec.source);
    let taken = create::take(services, steps, from, ("snapshot", Some(Made::Snapshot))).await?;
    let expected = taken.proof.clone().map_or(Expected::Nothing, Expected::Recorded);
    let info = source.whole().collection(&spec.source.collection).await.ok();
    let wanted = info.as_ref().map(|info| info.settings.clone());
    // How the target is configured may be meant so; a new collection gets what the snapshot has.
    let put_back = wanted.clone().filter(|_| resolved.overwrites).map(|wanted| PutBack { wanted, all: false });
    let settings = wanted.filter(|_| !resolved.overwrites);
    let reference = Reference { shape: info, settings, ..Reference::of(expected) };
    let snapshot = taken.snapshot.clone();
    let listed = snapshot.sha256.is_some();
    let keyed = keyed(services, spec, &snapshot, &reference).await;
    let origin = Origin::Node { connection: source.clone(), node: resolved.node, address: spec.source.clone(), snapshot };
    let node = placement::holder(&target, &spec.target).await;
    let destination = Destination { connection: target.clone(), node, address: spec.target.clone() };
    let (keyed, put_back) = (keyed.as_deref(), put_back.as_ref());
    let cargo = Cargo { origin: &origin, route: spec.route, reference: &reference, keyed, put_back };
    let mut done = if resolved.overwrites {
        let (skips, destination, deep, unreadable) = (spec.skips, &destination, false, resolved.unreadable);
        let vouched = match (&reference.expected, listed) {
            (Expected::Recorded(_), _) => Vouched::Recorded,
            (_, true) => Vouched::Listed,
            (_, false) => Vouched::Nothing,
        };
        let forced = spec.force.iter().any(|name| name == "proof");
        overwrite(services, steps, &Overwriting { cargo, destination, skips, vouched, forced, deep, earlier, unreadable }).await?
    } else {
        let stage = (bring::RESTORE, Made::Collection);
        let finished = bring_fresh(services, steps, &cargo, &destination, stage).await?;
        Overwritten { delivered: finished.delivered, verification: finished.verification, rollback: None, safety: None }
    };
    if spec.deep {
        let verdict = &mut done.verification.verdict;
        *verdict = with_source(services, steps, (&spec.source, &spec.target), verdict.clone()).await;
    }
    let failures = if matches!(done.verification.verdict, Verdict::Differs(_)) {
        Vec::new()
    } else {
        // The data is there and judged: an alias that could not be made is no reason to say that the copy failed.
        let made = make_aliases(steps, &destination, &resolved.aliases).await;
        made.err().into_iter().collect()
    };
    taken.remove(steps).await;
    let report = report(plan, done, if resolved.overwrites { "in-place" } else { "new" });
    Ok(Report { failures, ..report })
}

/// The configuration of a collection that is sharded by keys, as its snapshot has it.
async fn keyed(
    services: &Services,
    spec: &CopySpec,
    snapshot: &crate::domain::snapshot::SnapshotInfo,
    reference: &Reference,
) -> Option<Box<crate::archive::contents::Collection>> {
    use crate::domain::address::Which;
    reference.shape.as_ref().filter(|info| info.custom_sharding())?;
    let point = crate::ops::restore::RestoreSource::Snapshot(spec.source.clone(), Which::Named(snapshot.name.clone()));
    crate::ops::content::read(services, &point).await.collection().cloned().map(Box::new)
}

async fn make_aliases(steps: &mut Steps<'_>, destination: &Destination, aliases: &[String]) -> Result<(), Problem> {
    if aliases.is_empty() {
        return Ok(());
    }
    let address = &destination.address;
    let node = destination.connection.whole();
    let making = async {
        let problem = |error: ApiError| error.into_problem(address.to_string());
        // Looked at once more: somebody may have made one meanwhile, which must not be stolen.
        let there = node.aliases().await.map_err(problem)?;
        for alias in aliases.iter().filter(|alias| !there.iter().any(|known| known.alias == **alias)) {
            let point = Alias { alias: alias.clone(), collection: address.collection.clone() };
            node.update_aliases(&[AliasAction::Point(point)]).await.map_err(problem)?;
        }
        Ok(())
    };
    let job = steps.job;
    job.commit(steps.run(ALIASES, &address.to_string(), making)).await
}
