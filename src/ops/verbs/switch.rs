//! Pointing an alias at another collection: one action, which is the one atomic switch that a server has.
//!
//! `create_alias` on an existing alias points it elsewhere at once. Two actions would be no transaction: each is saved
//! by itself (1.18.3).

use crate::domain::address::CollectionAddress;
use crate::domain::collection::Alias;
use crate::domain::ids::CollectionName;
use crate::domain::problem::Problem;
use crate::domain::size::exact;
use crate::domain::text::one_line;
use crate::jobs::limits::Resource;
use crate::ops::plan::facts::Facts;
use crate::ops::plan::finding::Finding;
use crate::ops::plan::{Plan, Risk, Step, Work};
use crate::ops::report::verdict::Verdict;
use crate::ops::report::{Report, offer};
use crate::ops::request::Request;
use crate::ops::request::collections::SwitchRequest;
use crate::ops::services::Services;
use crate::ops::steps::Steps;
use crate::qdrant::api::AliasAction;
use async_trait::async_trait;
use std::sync::Arc;

/// The alias to point elsewhere.
#[derive(Debug)]
struct Switch {
    request: SwitchRequest,
    /// Where it pointed before.
    before: Option<CollectionName>,
}

/// The plan, computed by reading only.
pub(super) async fn plan(services: &Services, request: SwitchRequest) -> Result<Plan, Problem> {
    let to = &request.to;
    let connection = services.connection(&to.instance).await?;
    let problem = |error: crate::qdrant::error::ApiError| error.into_problem(to.to_string());
    let alias = one_line(&request.alias, 100);
    let (aliases, names) = tokio::join!(connection.whole().aliases(), connection.whole().collections());
    let (aliases, names) = (aliases.map_err(problem)?, names.map_err(problem)?);
    let before = aliases.iter().find(|known| known.alias == request.alias).map(|known| known.collection.clone());
    let mut findings = Vec::new();
    if names.contains(&to.collection) {
        match connection.whole().count(&to.collection).await {
            Ok(points) => findings.push(Finding::good("target", format!("{to} has {} points", exact(points)))),
            Err(error) => findings.push(Finding::block(
                "target",
                format!("{to} cannot be read: {}", error.message),
                "restore a good recovery point first",
            )),
        }
    } else {
        let words = format!("{to} is no collection");
        findings.push(Finding::block("target", words, "`qsnap collections` lists what there is"));
    }
    if names.iter().any(|name| name.raw() == request.alias) {
        let words = format!("{alias} is a collection, and a name cannot be both");
        findings.push(Finding::block("alias", words, "choose another alias"));
    } else {
        findings.push(match &before {
            Some(before) if *before == to.collection => {
                Finding::block("alias", format!("{alias} points at {to} already"), "nothing to do")
            }
            Some(before) if request.free => {
                let words = format!("{alias} points at {before} by now");
                Finding::block("alias", words, "it may be needed there: see who uses it, then switch it by hand")
            }
            Some(before) => Finding::good("alias", format!("{alias} points at {before} now, which is not touched")),
            None => Finding::good("alias", format!("{alias} is free")),
        });
    }
    let protection = connection.instance.protection;
    let from = before.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
    let mut facts = Facts::default();
    facts.text("the alias points at", &from);
    Ok(Plan {
        title: format!("alias {alias}: {from} → {}", to.collection),
        risk: Risk::Changes,
        consequence: match &before {
            Some(before) => format!("readers of {alias} get {to} from then on; {before} is not touched"),
            None => format!("readers of {alias} get {to} from then on"),
        },
        changes: Some((to.clone(), protection)),
        // What changes is what the alias means.
        ask: Some(request.shown()),
        source: format!("{} ({from})", request.shown()),
        target: to.to_string(),
        steps: vec![Step::new("switch", format!("point {alias} at {}, in one step", to.collection))],
        findings,
        facts,
        needs: vec![Resource::Exclusive(to.to_string())],
        ..Plan::of(Request::Switch(request.clone()), Switch { request: request.clone(), before })
    })
}

#[async_trait]
impl Work for Switch {
    async fn again(&self, services: &Services) -> Result<Plan, Problem> {
        plan(services, self.request.clone()).await
    }

    async fn run(&self, services: &Arc<Services>, plan: &Plan, steps: &mut Steps<'_>) -> Result<Report, Problem> {
        let request = &self.request;
        let connection = services.connection(&request.to.instance).await?;
        let shown = request.to.to_string();
        let node = connection.whole();
        let job = steps.job;
        let switching = async {
            let point = AliasAction::Point(Alias { alias: request.alias.clone(), collection: request.to.collection.clone() });
            node.update_aliases(&[point]).await.map_err(|error| error.into_problem(&shown))?;
            let now = node.aliases().await.map_err(|error| error.into_problem(&shown))?;
            Ok(now.into_iter().find(|alias| alias.alias == request.alias).map(|alias| alias.collection))
        };
        let now = job.commit(steps.run("switch", &shown, switching)).await?;
        let verdict = match now {
            Some(now) if now == request.to.collection => Verdict::Matches(format!("the alias points at {now}")),
            other => Verdict::Differs(format!("the alias points at {}", other.map_or("nothing".into(), |name| name.to_string()))),
        };
        let mut next = Vec::new();
        if let Some(before) = self.before.clone() {
            let old = CollectionAddress::new(request.to.instance.clone(), before);
            next.push(offer::switch(&request.alias, &old, &request.to.collection.to_string()));
            next.push(offer::delete(&old));
        }
        Ok(Report { verdict: Some(verdict), next, ..plan.report() })
    }
}
