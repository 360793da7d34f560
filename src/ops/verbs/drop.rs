//! Deleting a collection, mostly one that a restore made.

use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::size::exact;
use crate::jobs::limits::Resource;
use crate::ops::plan::facts::Facts;
use crate::ops::plan::finding::Finding;
use crate::ops::plan::{Plan, Risk, Step, Work};
use crate::ops::report::Report;
use crate::ops::request::Request;
use crate::ops::request::collections::DropRequest;
use crate::ops::services::Services;
use crate::ops::steps::Steps;
use crate::ops::survey::locate;
use crate::ops::survey::locate::NameUse;
use crate::ops::survey::target;
use async_trait::async_trait;
use std::sync::Arc;

/// The collection to delete.
#[derive(Debug)]
struct Drop {
    request: DropRequest,
}

/// The plan, computed by reading only.
pub(super) async fn plan(services: &Services, request: DropRequest) -> Result<Plan, Problem> {
    let address = &request.address;
    let target = target::gather(services, address).await?;
    let shown = address.to_string();
    match &target.name {
        NameUse::Free => {
            return Err(Problem::new(ProblemKind::NotFound, "there is no such collection", shown)
                .advise("`qsnap collections` lists what there is"));
        }
        NameUse::Alias(real) => {
            return Err(Problem::new(ProblemKind::Usage, format!("is an alias of {real}"), shown)
                .advise("name the collection itself; aliases go with it"));
        }
        NameUse::Collection => {}
    }
    let mut findings = Vec::new();
    let aliases = target.own_aliases();
    if !aliases.is_empty() && !request.with_aliases {
        let names: Vec<String> = aliases.iter().map(|alias| crate::domain::text::one_line(alias, 60)).collect();
        findings.push(Finding::block(
            "alias",
            format!("the aliases {} point at it: their readers would find nothing", names.join(", ")),
            "switch them first: `qsnap alias INSTANCE/ALIAS COLLECTION`",
        ));
    }
    if let Some(why) = &target.aliases_unseen {
        findings.push(crate::ops::gates::not_checked("alias", why));
    }
    let (snapshots, unseen) = locate::snapshots(&target.connection, address).await;
    findings.push(match (snapshots.len(), unseen.first()) {
        (_, Some(problem)) => crate::ops::gates::not_checked("snapshots", &problem.to_string()),
        (0, None) => Finding::good("snapshots", "no snapshots of it are on the node"),
        (n, None) => Finding::look(
            "snapshots",
            format!("{n} snapshots of it stay on the node's disk, and no server lists them any more"),
            "delete or download them first; `qsnap revive` finds them later",
        ),
    });
    let mut facts = Facts::default();
    target.facts(&mut facts, true);
    let points =
        target.points.map_or_else(|| "data that cannot be read".to_owned(), |points| format!("{} points", exact(points)));
    Ok(Plan {
        title: format!("delete the collection {shown}"),
        risk: Risk::Destroys,
        consequence: format!("{shown} with {points} is gone for good; no snapshot is taken"),
        changes: Some((address.clone(), target.connection.instance.protection)),
        source: shown.clone(),
        target: shown.clone(),
        steps: vec![Step::new("delete the collection", shown.clone())],
        findings,
        facts,
        needs: vec![Resource::Exclusive(shown)],
        ..Plan::of(Request::Drop(request.clone()), Drop { request: request.clone() })
    })
}

#[async_trait]
impl Work for Drop {
    async fn again(&self, services: &Services) -> Result<Plan, Problem> {
        plan(services, self.request.clone()).await
    }

    async fn run(&self, services: &Arc<Services>, plan: &Plan, steps: &mut Steps<'_>) -> Result<Report, Problem> {
        let connection = services.connection(&self.request.address.instance).await?;
        let shown = self.request.address.to_string();
        let job = steps.job;
        let deletion = async {
            let name = &self.request.address.collection;
            connection.whole().delete_collection(name).await.map_err(|error| error.into_problem(&shown))
        };
        job.commit(steps.run("delete the collection", &shown, deletion)).await?;
        Ok(plan.report())
    }
}
