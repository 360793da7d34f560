//! Copying several collections, or all of an instance, as one operation: the largest first, some at a time, with one
//! report. Each is a copy of its own, with its own row among the jobs and its own record in the journal, which has what is
//! left to settle; the record of the whole tells how each ended.

use crate::domain::address::CollectionAddress;
use crate::domain::ids::CollectionName;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::text::one_line;
use crate::ops::gates::server;
use crate::ops::plan::facts::Facts;
use crate::ops::plan::finding::Finding;
use crate::ops::plan::{Plan, Risk, Work};
use crate::ops::recovery::aliases::ALIASES;
use crate::ops::recovery::overwrite_plan;
use crate::ops::report::Report;
use crate::ops::request::Request;
use crate::ops::request::copy::{CopyRequest, FleetRequest, NameMap};
use crate::ops::services::Services;
use crate::ops::several::planning::{Planning, consequence};
use crate::ops::several::{self, run_all};
use crate::ops::steps::Steps;
use crate::ops::verbs::copy;
use async_trait::async_trait;
use futures_util::StreamExt;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Plans that are computed at the same time.
const PLANNED_AT_ONCE: usize = 4;

/// A plan for each copy.
#[derive(Debug)]
struct Fleet {
    request: FleetRequest,
    plans: Vec<Plan>,
}

/// The plan, computed by reading only.
pub(super) async fn plan(services: &Services, request: FleetRequest) -> Result<Plan, Problem> {
    let named = sources(services, &request).await?;
    let copies = copies(&request, &named)?;
    let planned: Vec<Result<Plan, Problem>> =
        futures_util::stream::iter(copies).map(|copy| copy::plan(services, copy)).buffered(PLANNED_AT_ONCE).collect().await;
    let planning = Planning::of(services, "copy", planned, &[ALIASES]).await?;
    let (replaced, mut facts) = (planning.replaced(), Facts::default());
    facts.text("collections", planning.fingerprint());
    let Planning { plans, mut findings, steps } = planning;
    if replaced == 0 {
        findings.insert(0, Finding::good("target", format!("{} names are free on {}", plans.len(), request.to)));
    }
    findings.push(server::disk_unknown(request.route, overwrite_plan::extra(replaced > 0, request.skips)));
    let protection = services.instance(&request.to)?.protection;
    let first = plans.first().and_then(|plan| plan.changes.clone());
    let address =
        first.map_or_else(|| CollectionAddress::new(request.to.clone(), CollectionName::new("-")), |(address, _)| address);
    Ok(Plan {
        title: format!("copy {} collections: {} → {}", plans.len(), request.from, request.to),
        risk: if replaced > 0 { Risk::Destroys } else { Risk::Changes },
        consequence: consequence(
            &request.to,
            (replaced, plans.len()),
            &format!("; {} is only read", request.from),
            request.skips,
        ),
        changes: Some((address, protection)),
        source: request.from.to_string(),
        target: request.to.to_string(),
        steps,
        findings,
        facts,
        // Each copy takes what it needs itself, and claims its own target; the whole only waits for them.
        alone: false,
        // Several collections of one instance: that is what must not be confused.
        ask: Some(request.to.to_string()),
        ..Plan::of(Request::Fleet(request.clone()), Fleet { request: request.clone(), plans })
    })
}

/// The collections with their points, the largest first.
async fn sources(services: &Services, request: &FleetRequest) -> Result<Vec<(CollectionName, u64)>, Problem> {
    if request.from == request.to && request.names == NameMap::default() {
        return Err(Problem::new(ProblemKind::Usage, "source and target are the same", request.from.as_str())
            .advise("name another instance, or other names: --prefix, --suffix or --rename"));
    }
    let listing = crate::ops::survey::listing::collections(services, &request.from).await?;
    let known: BTreeMap<CollectionName, u64> =
        listing.items.into_iter().map(|view| (view.address.collection, view.points.unwrap_or(0))).collect();
    let wanted: Vec<CollectionName> =
        if request.collections.is_empty() { known.keys().cloned().collect() } else { request.collections.clone() };
    if let Some(missing) = wanted.iter().find(|name| !known.contains_key(*name)) {
        let on = CollectionAddress::new(request.from.clone(), missing.clone()).to_string();
        return Err(Problem::new(ProblemKind::NotFound, "there is no such collection", on)
            .advise(format!("`qsnap collections {}` lists what there is", request.from)));
    }
    if let Some(missing) = request.names.renames.keys().find(|name| !wanted.iter().any(|wanted| wanted.raw() == name.as_str())) {
        return Err(Problem::new(ProblemKind::Usage, format!("nothing is called {}, to be renamed", one_line(missing, 60)), "")
            .advise("--rename takes OLD=NEW with the name of a collection that is copied"));
    }
    if wanted.is_empty() {
        return Err(Problem::new(ProblemKind::NotFound, "it has no collections", request.from.as_str())
            .advise("`qsnap collections` lists what there is"));
    }
    let mut sized: Vec<(CollectionName, u64)> = wanted.into_iter().map(|name| (name.clone(), known[&name])).collect();
    sized.sort_by_key(|(_, points)| std::cmp::Reverse(*points));
    Ok(sized)
}

fn copies(request: &FleetRequest, named: &[(CollectionName, u64)]) -> Result<Vec<CopyRequest>, Problem> {
    let mut taken: BTreeMap<CollectionName, &CollectionName> = BTreeMap::new();
    let mut copies = Vec::new();
    for (name, _) in named {
        let new = request.names.apply(name);
        if let Some(other) = taken.insert(new.clone(), name) {
            return Err(Problem::new(
                ProblemKind::Usage,
                format!("{other} and {name} would both become {new}"),
                request.to.as_str(),
            )
            .advise("give one of them another name with --rename OLD=NEW"));
        }
        // One copy would read what another one has just replaced.
        if request.from == request.to && named.iter().any(|(source, _)| *source == new) {
            return Err(Problem::new(ProblemKind::Usage, format!("{new} is a source and a target"), request.to.as_str())
                .advise("copy it alone first, or choose other names"));
        }
        let source = CollectionAddress::new(request.from.clone(), name.clone());
        let target = CollectionAddress::new(request.to.clone(), new);
        copies.push(CopyRequest {
            skips: request.skips,
            force: request.force.clone(),
            deep: request.deep,
            aliases: request.aliases,
            ..CopyRequest::new(source, target, request.route)
        });
    }
    Ok(copies)
}

/// Copies one collection after the other. The consent to the whole, which names what it replaces, is the consent to each.
#[async_trait]
impl Work for Fleet {
    async fn again(&self, services: &Services) -> Result<Plan, Problem> {
        plan(services, self.request.clone()).await
    }

    async fn run(&self, services: &Arc<Services>, plan: &Plan, steps: &mut Steps<'_>) -> Result<Report, Problem> {
        let ended = run_all(services, steps, self.plans.clone(), ("copy", "copying collections")).await?;
        let report = together(plan, ended.done, ended.failures);
        match ended.canceled {
            None => Ok(report),
            Some(counts) => Err(several::canceled(plan, &report, counts, "copies")),
        }
    }
}

fn together(plan: &Plan, parts: Vec<Report>, failures: Vec<Problem>) -> Report {
    several::together(plan, Some(several::verdict(&parts, &failures)), parts, failures)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::InstanceName;
    use crate::ops::request::copy::NameMap;
    use crate::ops::request::route::Route;
    use crate::ops::request::skips::Skips;

    fn request(names: NameMap) -> FleetRequest {
        let instance = |name: &str| InstanceName::new(name).unwrap();
        FleetRequest {
            from: instance("prod"),
            collections: vec![],
            to: instance("staging"),
            names,
            route: Route::Auto,
            skips: Skips::default(),
            force: vec![],
            deep: false,
            aliases: true,
        }
    }

    #[test]
    fn names_are_mapped_and_never_onto_each_other() {
        let name = |text: &str| (CollectionName::new(text), 1);
        let map = NameMap { prefix: "p-".into(), suffix: String::new(), renames: BTreeMap::from([("x".into(), "p-y".into())]) };
        let named = [name("x"), name("z")];
        let targets: Vec<String> =
            copies(&request(map.clone()), &named).unwrap().iter().map(|copy| copy.target.to_string()).collect();
        assert_eq!(targets, ["staging/p-y", "staging/p-z"]);
        let clash = copies(&request(map), &[name("x"), name("y")]).unwrap_err();
        assert_eq!(clash.kind, ProblemKind::Usage);
        assert!(clash.message.contains("both become p-y"), "{clash}");
    }
}
