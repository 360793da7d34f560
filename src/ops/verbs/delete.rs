//! Deleting snapshots on nodes: recovery points are destroyed.

use crate::domain::address::CollectionAddress;
use crate::domain::ids::CollectionName;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::size;
use crate::jobs::limits::Resource;
use crate::ops::plan::facts::Facts;
use crate::ops::plan::finding::Finding;
use crate::ops::plan::{Plan, Risk, Step, Work};
use crate::ops::report::Report;
use crate::ops::request::Request;
use crate::ops::request::snapshots::DeleteRequest;
use crate::ops::services::Services;
use crate::ops::steps::Steps;
use crate::ops::survey::locate::{Located, snapshots_of};
use async_trait::async_trait;
use std::sync::Arc;

/// The snapshots and their nodes.
#[derive(Debug)]
struct Delete {
    request: DeleteRequest,
    located: Vec<Located>,
}

/// The plan, computed by reading only.
pub(super) async fn plan(services: &Services, request: DeleteRequest) -> Result<Plan, Problem> {
    let of = &request.of;
    let connection = services.connection(of.instance()).await?;
    let (all, problems) = snapshots_of(&connection, of).await;
    let located: Vec<Located> = all.iter().filter(|l| request.names.contains(&l.snapshot.name)).cloned().collect();
    if let Some(missing) = request.names.iter().find(|name| !located.iter().any(|l| l.snapshot.name == **name)) {
        // A node that did not answer may be the one that has it.
        if let Some(problem) = problems.into_iter().next() {
            return Err(problem);
        }
        let message = format!("there is no snapshot called {missing}");
        return Err(Problem::new(ProblemKind::NotFound, message, of.to_string())
            .advise("refresh the list; it may have been deleted already"));
    }
    let left = all.len() - located.len();
    let mut findings = vec![Finding::good("target", format!("{} of {} snapshots of {of}", located.len(), all.len()))];
    if left == 0 {
        findings.push(Finding::look(
            "last",
            format!("no snapshot of {of} is left on its nodes afterwards"),
            "take or download one first if there is no other backup",
        ));
    }
    let newest = all.first().filter(|newest| located.contains(newest));
    if let (Some(newest), true) = (newest, left > 0) {
        findings.push(Finding::look(
            "newest",
            format!("{} is the newest one", newest.snapshot.name),
            "older ones lose more when they are needed",
        ));
    }
    let total: u64 = located.iter().map(|l| l.snapshot.size).sum();
    let mut facts = Facts::default();
    let names: Vec<String> = located.iter().map(|l| format!("{} of {} bytes", l.snapshot.name, l.snapshot.size)).collect();
    facts.text("snapshots", names.join(", "));
    let protection = connection.instance.protection;
    let whole = || CollectionAddress::new(of.instance().clone(), CollectionName::new("-"));
    let address = of.collection().cloned().unwrap_or_else(whole);
    let untouched = if of.collection().is_some() { "the collection itself is" } else { "the collections themselves are" };
    Ok(Plan {
        title: format!("delete {} snapshot(s) of {of}", located.len()),
        risk: Risk::Destroys,
        consequence: format!(
            "{} recovery point(s) of {of} are gone for good ({}); {untouched} not touched",
            located.len(),
            size::bytes(total)
        ),
        changes: Some((address, protection)),
        ask: Some(of.to_string()),
        source: of.to_string(),
        target: of.to_string(),
        steps: located
            .iter()
            .map(|l| Step::new("delete", format!("{} ({})", l.snapshot.name, size::bytes(l.snapshot.size))))
            .collect(),
        findings,
        facts,
        needs: vec![Resource::Exclusive(of.to_string())],
        ..Plan::of(Request::Delete(request.clone()), Delete { request: request.clone(), located: located.clone() })
    })
}

#[async_trait]
impl Work for Delete {
    async fn again(&self, services: &Services) -> Result<Plan, Problem> {
        plan(services, self.request.clone()).await
    }

    async fn run(&self, services: &Arc<Services>, plan: &Plan, steps: &mut Steps<'_>) -> Result<Report, Problem> {
        let connection = services.connection(self.request.of.instance()).await?;
        let scope = self.request.of.scope();
        let job = steps.job;
        let mut freed = 0;
        for located in &self.located {
            let node = connection.node(located.node)?.clone();
            let name = &located.snapshot.name;
            let deletion = async {
                node.delete_snapshot(&scope, name).await.map_err(|error| error.into_problem(self.request.of.to_string()))
            };
            job.commit(steps.run("delete", &name.to_string(), deletion)).await?;
            freed += located.snapshot.size;
        }
        let target = format!("{} deleted, {} freed", self.located.len(), size::bytes(freed));
        Ok(Report { target, ..plan.report() })
    }
}
