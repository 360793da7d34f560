//! Copying a collection from one instance to another: snapshot, deliver, verify, tidy. The wizard calls it
//! "Migrate".

use crate::domain::address::CollectionAddress;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::size;
use crate::jobs::limits::Resource;
use crate::jobs::manager::JobContext;
use crate::ops::create;
use crate::ops::deliver::{Destination, Origin, Route, first_route};
use crate::ops::flow::{self, Finding, Plan, Risk, Spec, Step};
use crate::ops::gates;
use crate::ops::report::Report;
use crate::ops::resolve::{NameUse, name_use};
use crate::ops::restore::{bring, inspect_target, report, safety_snapshot, with_way_back};
use crate::ops::services::Services;
use crate::ops::steps::Steps;
use crate::ops::verify::Expected;
use crate::qdrant::error::ApiError;

/// What to copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopySpec {
    /// From.
    pub source: CollectionAddress,
    /// To; when it exists, it is replaced.
    pub target: CollectionAddress,
    /// Which way.
    pub route: Route,
}

/// What planning found.
#[derive(Debug, Clone)]
pub(in crate::ops) struct Resolved {
    node: usize,
    occupied: Option<u64>,
}

/// Reads what is needed.
pub async fn plan(services: &Services, spec: CopySpec) -> Result<Plan, Problem> {
    let (source, target) = (&spec.source, &spec.target);
    if source == target {
        return Err(Problem::new(ProblemKind::Usage, "source and target are the same", source.to_string())
            .advise("name another instance or collection"));
    }
    let connection = services.connection(&source.instance).await?;
    let problem = |error: ApiError| error.into_problem(source.to_string());
    if let NameUse::Alias(real) = name_use(&connection, source).await? {
        let real = CollectionAddress::new(source.instance.clone(), real);
        return Err(Problem::new(ProblemKind::Usage, format!("is an alias of {real}"), source.to_string())
            .advise(format!("copy {real} itself")));
    }
    let info = connection.first().collection(&source.collection).await.map_err(problem)?;
    let points = connection.first().count(&source.collection).await.map_err(problem)?;
    let cluster = connection.first().collection_cluster(&source.collection).await.map_err(problem)?;
    let activity = connection.first().snapshot_activity(&source.collection).await.map_err(problem)?;
    let source_version = connection.first().version().await.map_err(problem)?;
    let inspected = inspect_target(services, target, true, Some(&info)).await?;
    let to_problem = |error: ApiError| error.into_problem(target.instance.to_string());
    let target_version = inspected.connection.first().version().await.map_err(to_problem)?;
    let mut findings = vec![
        gates::version(source_version, target_version),
        Finding::good("source", format!("{source}: {} points, {}", size::exact(points), info.vectors_in_words())),
        gates::complete(&cluster.missing_here(), connection.nodes.len()),
        gates::idle(activity, &source.to_string()),
    ];
    findings.extend(gates::sharding(Some(&info)));
    if connection.instance.protection == crate::domain::instance::Protection::ReadOnly {
        findings.push(Finding::block(
            "protection",
            format!("{} is read-only for qsnap: no snapshot can be taken there", source.instance),
            "restore from a snapshot that exists, or change `protection` in the configuration",
        ));
    }
    findings.extend(inspected.findings);
    let limited = services.limited(&[&source.instance, &target.instance]);
    let (route, why) = first_route(spec.route, Some(connection.first()), inspected.connection.first(), limited);
    if route == Route::Url && connection.api_key.is_some() && source.instance != target.instance {
        findings.push(gates::key_handed_over(source.instance.as_str(), target.instance.as_str()));
    }
    let protection = inspected.connection.instance.protection;
    let occupied = inspected.occupied;
    let typed = occupied.is_some() || protection == crate::domain::instance::Protection::Protected;
    let consent = if typed { format!(" --yes --confirm '{target}'") } else { " --yes".to_owned() };
    let route_flag = if spec.route == Route::Auto { String::new() } else { format!(" --route {}", spec.route.word()) };
    Ok(Plan {
        operation: "copy",
        title: format!("copy {source} → {target}"),
        risk: if occupied.is_some() { Risk::Destroys } else { Risk::Changes },
        consequence: match occupied {
            Some(points) => format!("the {} points of {target} are replaced; {source} is only read", size::exact(points)),
            None => String::new(),
        },
        changes: Some((target.clone(), protection)),
        source: source.to_string(),
        target: target.to_string(),
        steps: steps_of(&spec, route, &why, occupied),
        findings,
        command: format!("qsnap copy {source} {target}{route_flag}{consent}"),
        facts: {
            let mut facts = inspected.facts;
            facts.points("points in the source", points);
            facts.text("shape of the source", info.vectors());
            facts
        },
        needs: vec![
            Resource::Exclusive(target.to_string()),
            Resource::Exclusive(source.to_string()),
            connection.slot(),
            inspected.connection.slot(),
        ],
        resolved: flow::Resolved::Copy(Resolved { node: 0, occupied }),
        spec: Spec::Copy(spec),
    })
}

fn steps_of(spec: &CopySpec, route: Route, why: &str, occupied: Option<u64>) -> Vec<Step> {
    let (source, target) = (&spec.source, &spec.target);
    let mut steps = vec![Step::new("snapshot", format!("count {source}, read a proof sample, take a snapshot"))];
    if occupied.is_some() {
        steps.push(Step::new("safety snapshot", format!("take a snapshot of {target} as it is now, and keep it")));
    }
    steps.push(Step::new("restore", format!("into {target} by {} ({why})", route.word())));
    steps.push(Step::new("verify", format!("count {target} and compare the sample with {source}")));
    steps.push(Step::new("tidy", "delete the snapshot taken for the copy, and the uploaded file"));
    steps
}

/// Does it.
pub(in crate::ops) async fn execute(
    services: &Services,
    plan: &Plan,
    resolved: Resolved,
    job: &JobContext,
) -> Result<Report, Problem> {
    let Spec::Copy(spec) = &plan.spec else {
        return Err(Problem::new(ProblemKind::Failed, "the plan is not a copy", ""));
    };
    let mut steps = Steps::begin(services, job, "copy", &plan.source, &plan.target)?;
    let source = services.connection(&spec.source.instance).await?;
    let target = services.connection(&spec.target.instance).await?;
    let (snapshot, proof) = create::take(services, &mut steps, &source, resolved.node, &spec.source).await?;
    let shown = format!("{}/{}", spec.source, crate::domain::address::encode(snapshot.name.raw()));
    let cleanup = job.on_failure(shown.clone(), create::undo(&source, resolved.node, &spec.source, snapshot.clone()));
    let mut created = Vec::new();
    if resolved.occupied.is_some() {
        created.extend(safety_snapshot(services, &mut steps, &target, &spec.target).await?);
    }
    let expected = proof.map_or(Expected::Nothing, Expected::Recorded);
    let origin = Origin::Node {
        connection: source.clone(),
        node: resolved.node,
        address: spec.source.clone(),
        snapshot: snapshot.clone(),
    };
    let destination = Destination { connection: target, node: 0, address: spec.target.clone() };
    let brought = bring(services, &mut steps, &origin, &destination, spec.route, &expected).await;
    let finished = brought.map_err(|problem| with_way_back(problem, &created))?;
    let deletion = create::undo(&source, resolved.node, &spec.source, snapshot);
    if job.commit(steps.run("tidy", &shown, deletion)).await.is_err() {
        steps.leaves(shown);
    }
    job.keep(cleanup);
    let mode = if resolved.occupied.is_some() { "in-place" } else { "new" };
    report(plan, steps, finished, Some(mode), created)
}
