//! Pointing an alias at another collection: one action, which is the one atomic switch that a server has.
//!
//! `create_alias` on an existing alias points it elsewhere at once. Two actions would be no transaction: each is saved
//! by itself (1.18.3).

use crate::domain::address::{CollectionAddress, encode};
use crate::domain::collection::Alias;
use crate::domain::ids::CollectionName;
use crate::domain::instance::Protection;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::size::exact;
use crate::domain::text::one_line;
use crate::jobs::limits::Resource;
use crate::ops::flow::{self, Facts, Finding, Plan, Risk, Spec, Step};
use crate::ops::report::{Report, Verdict};
use crate::ops::services::Services;
use crate::ops::steps::Steps;
use crate::qdrant::api::AliasAction;

/// What to switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwitchSpec {
    /// The alias, as the server spells it.
    pub alias: String,
    /// The collection it is to point at.
    pub to: CollectionAddress,
    /// Only while it points at nothing: nobody's alias is taken.
    pub free: bool,
}

impl SwitchSpec {
    /// Wherever it points now.
    pub fn new(alias: &str, to: &CollectionAddress) -> Self {
        Self { alias: alias.to_owned(), to: to.clone(), free: false }
    }

    /// Of an alias that must point at nothing.
    pub fn of_free(alias: &str, to: &CollectionAddress) -> Self {
        Self { free: true, ..Self::new(alias, to) }
    }

    /// The alias's own address, which is typed to agree.
    pub fn shown(&self) -> String {
        format!("{}/{}", self.to.instance, encode(&self.alias))
    }

    /// The same on the command line, without consent.
    pub fn command(&self) -> String {
        format!("qsnap alias {} {}", self.shown(), encode(self.to.collection.raw()))
    }
}

/// Where the alias pointed before.
#[derive(Debug, Clone)]
pub(in crate::ops) struct Resolved {
    before: Option<CollectionName>,
}

/// Reads what is needed.
pub async fn plan(services: &Services, spec: SwitchSpec) -> Result<Plan, Problem> {
    let to = &spec.to;
    let connection = services.connection(&to.instance).await?;
    let problem = |error: crate::qdrant::error::ApiError| error.into_problem(to.to_string());
    let alias = one_line(&spec.alias, 100);
    let (aliases, names) = tokio::join!(connection.whole().aliases(), connection.whole().collections());
    let (aliases, names) = (aliases.map_err(problem)?, names.map_err(problem)?);
    let before = aliases.iter().find(|known| known.alias == spec.alias).map(|known| known.collection.clone());
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
    if names.iter().any(|name| name.raw() == spec.alias) {
        let words = format!("{alias} is a collection, and a name cannot be both");
        findings.push(Finding::block("alias", words, "choose another alias"));
    } else {
        findings.push(match &before {
            Some(before) if *before == to.collection => {
                Finding::block("alias", format!("{alias} points at {to} already"), "nothing to do")
            }
            Some(before) if spec.free => {
                let words = format!("{alias} points at {before} by now");
                Finding::block("alias", words, "it may be needed there: see who uses it, then switch it by hand")
            }
            Some(before) => Finding::good("alias", format!("{alias} points at {before} now, which stays as it is")),
            None => Finding::good("alias", format!("{alias} is free")),
        });
    }
    let protection = connection.instance.protection;
    let from = before.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
    let mut facts = Facts::default();
    facts.text("the alias points at", &from);
    let typed = protection == Protection::Protected;
    let consent = flow::consent_flags(typed, &spec.shown());
    Ok(Plan {
        operation: "switch",
        title: format!("alias {alias}: {from} → {}", to.collection),
        risk: Risk::Changes,
        consequence: format!("whoever asks for {alias} is answered by {to} from then on; {from} is not touched"),
        changes: Some((to.clone(), protection)),
        source: format!("{} ({from})", spec.shown()),
        target: to.to_string(),
        steps: vec![Step::new("switch", format!("point {alias} at {}, in one step", to.collection))],
        findings,
        command: format!("{}{consent}", spec.command()),
        facts,
        needs: vec![Resource::Exclusive(to.to_string())],
        resolved: flow::Resolved::Switch(Resolved { before }),
        spec: Spec::Switch(spec),
    })
}

/// Points the alias at the collection.
pub(in crate::ops) async fn execute(
    services: &Services,
    plan: &Plan,
    resolved: Resolved,
    steps: &mut Steps<'_>,
) -> Result<Report, Problem> {
    let Spec::Switch(spec) = &plan.spec else {
        return Err(Problem::new(ProblemKind::Failed, "the plan is not a switch", ""));
    };
    let connection = services.connection(&spec.to.instance).await?;
    let shown = spec.to.to_string();
    let node = connection.whole();
    let job = steps.job;
    let switching = async {
        let point = AliasAction::Point(Alias { alias: spec.alias.clone(), collection: spec.to.collection.clone() });
        node.update_aliases(&[point]).await.map_err(|error| error.into_problem(&shown))?;
        let now = node.aliases().await.map_err(|error| error.into_problem(&shown))?;
        Ok(now.into_iter().find(|alias| alias.alias == spec.alias).map(|alias| alias.collection))
    };
    let now = job.commit(steps.run("switch", &shown, switching)).await?;
    let verdict = match now {
        Some(now) if now == spec.to.collection => Verdict::Matches(format!("the alias points at {now}")),
        other => Verdict::Differs(format!("the alias points at {}", other.map_or("nothing".into(), |name| name.to_string()))),
    };
    let mut next = Vec::new();
    if let Some(before) = resolved.before {
        let old = CollectionAddress::new(spec.to.instance.clone(), before);
        next.push(crate::ops::next::switch(&spec.alias, &old, &spec.to.collection.to_string()));
        next.push(crate::ops::next::delete(&old));
    }
    Ok(Report { verdict: Some(verdict), next, ..Report::of(plan) })
}
