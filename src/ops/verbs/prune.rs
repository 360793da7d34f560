//! Removing backups, or snapshots on nodes, that the retention rules do not keep. The rules are in
//! [`crate::ops::retention::keep`]; each removal looks once more, because backups may run elsewhere at the same moment.

mod nodes;
mod repository;
mod sorted;

use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::size;
use crate::ops::gates;
use crate::ops::plan::facts::Facts;
use crate::ops::plan::{Plan, Risk, Step, Work};
use crate::ops::report::Report;
use crate::ops::request::Request;
use crate::ops::request::backups::{Of, PruneIn, PruneRequest};
use crate::ops::services::Services;
use crate::ops::steps::Steps;
pub(super) use crate::ops::verbs::prune::sorted::Done;
use crate::ops::verbs::prune::sorted::Sorted;
use async_trait::async_trait;
use std::sync::Arc;

/// What is removed, and how.
#[derive(Debug)]
enum Removals {
    Repository(repository::Removals),
    Nodes(nodes::Removals),
}

#[derive(Debug)]
struct Prune {
    request: PruneRequest,
    removals: Removals,
}

/// The plan, computed by reading only.
pub(super) async fn plan(services: &Services, request: PruneRequest) -> Result<Plan, Problem> {
    let (place, sorted, removals, request) = match &request.place {
        PruneIn::Repository(name) => {
            let repository = services.repository(name.as_ref())?.clone();
            let (mut sorted, removals) = repository::sort(services, &repository, &request.of).await?;
            sorted.findings.extend(gates::repository(&repository));
            let request = PruneRequest { place: PruneIn::Repository(Some(repository.name.clone())), of: request.of };
            (repository.name.to_string(), sorted, Removals::Repository(removals), request)
        }
        PruneIn::Nodes => {
            let place = request.of.to_string();
            if request.of == Of::Instances(Vec::new()) {
                return Err(Problem::new(ProblemKind::Usage, "snapshots on nodes are pruned of one instance or collection", "")
                    .advise("name it: qsnap prune --server INSTANCE"));
            }
            let (sorted, removals) = nodes::sort(services, &request.of).await?;
            (place, sorted, Removals::Nodes(removals), request)
        }
    };
    Ok(assemble(&place, request, sorted, removals))
}

fn assemble(place: &str, request: PruneRequest, sorted: Sorted, removals: Removals) -> Plan {
    let (count, all) = (sorted.leaving().count(), sorted.items.len());
    let bytes: u64 = sorted.leaving().map(|item| item.bytes).sum();
    let mut facts = Facts::default();
    facts.text("what goes", sorted.leaving().map(|item| item.shown.as_str()).collect::<Vec<_>>().join(", "));
    let steps = sorted.items.iter().map(|item| {
        let name = if item.decision.keeps() { "keep" } else { "remove" };
        Step::new(name, format!("{} ({}): {}", item.shown, size::bytes(item.bytes), item.decision.reason()))
    });
    let consequence = if count == 0 {
        String::new()
    } else {
        format!("{count} of {all} recovery points ({}) are gone for good; no collection is touched", size::bytes(bytes))
    };
    Plan {
        title: format!("prune {place}: {count} of {all} go"),
        risk: if count == 0 { Risk::Safe } else { Risk::Destroys },
        consequence,
        ask: Some(place.to_owned()),
        source: place.to_owned(),
        target: place.to_owned(),
        steps: steps.collect(),
        findings: sorted.findings,
        facts,
        tells: true,
        ..Plan::of(Request::Prune(request.clone()), Prune { request, removals })
    }
}

#[async_trait]
impl Work for Prune {
    async fn again(&self, services: &Services) -> Result<Plan, Problem> {
        plan(services, self.request.clone()).await
    }

    async fn run(&self, services: &Arc<Services>, plan: &Plan, steps: &mut Steps<'_>) -> Result<Report, Problem> {
        let done = match &self.removals {
            Removals::Repository(removals) => removals.carry_out(services, steps).await?,
            Removals::Nodes(removals) => removals.carry_out(services, steps).await?,
        };
        Ok(done.report(plan.report()))
    }
}

/// Removes from a repository what the rules do not keep of these collections, right now.
///
/// # Errors
/// When the repository cannot be read, or the journal not written.
pub(super) async fn prune_now(
    services: &Arc<Services>,
    name: &crate::domain::backup::RepositoryName,
    of: &Of,
    steps: &mut Steps<'_>,
) -> Result<Done, Problem> {
    let repository = services.repository(Some(name))?.clone();
    let (_, removals) = repository::sort(services, &repository, of).await?;
    removals.carry_out(services, steps).await
}
