//! Backing several collections up as one operation, and pruning afterwards: fit for a timer. Each is a backup of its own; one
//! that fails stops no other.

use crate::domain::address::CollectionAddress;
use crate::domain::backup::{BackupId, RepositoryName};
use crate::domain::ids::InstanceName;
use crate::domain::instance::Protection;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::size;
use crate::ops::plan::finding::{Finding, Level};
use crate::ops::plan::{Plan, Step, Work};
use crate::ops::recovery::records::random;
use crate::ops::report::Report;
use crate::ops::request::Request;
use crate::ops::request::backups::{BackupRequest, BackupSeveralRequest, Of};
use crate::ops::request::restore::Set;
use crate::ops::services::Services;
use crate::ops::several::{self, run_all};
use crate::ops::steps::Steps;
use crate::ops::verbs::{backup, prune};
use async_trait::async_trait;
use futures_util::StreamExt;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Plans that are computed at the same time.
const PLANNED_AT_ONCE: usize = 4;

#[derive(Debug)]
struct Several {
    request: BackupSeveralRequest,
    repository: RepositoryName,
    plans: Vec<Plan>,
    /// What could not even be planned.
    failed: Vec<Problem>,
    /// Tells the backups of this run from others: together they are a set.
    run: BackupId,
}

/// The plan, computed by reading only.
pub(super) async fn plan(services: &Services, request: BackupSeveralRequest) -> Result<Plan, Problem> {
    let repository = services.repository(request.repository.as_ref())?.name.clone();
    let (addresses, mut failed, skipped) = addresses(services, &request.of).await;
    let run = BackupId::of(services.clock.now(), random());
    let mut counts: BTreeMap<InstanceName, usize> = BTreeMap::new();
    for address in &addresses {
        *counts.entry(address.instance.clone()).or_default() += 1;
    }
    let each = addresses.into_iter().map(|address| {
        let run = (run.clone(), counts.get(&address.instance).copied().unwrap_or(1));
        let request = BackupRequest { address, repository: Some(repository.clone()), how: request.how };
        backup::plan_in(services, request, Some(run))
    });
    let planned: Vec<Result<Plan, Problem>> = futures_util::stream::iter(each).buffered(PLANNED_AT_ONCE).collect().await;
    let mut plans = Vec::new();
    for result in planned {
        match result {
            Ok(plan) => plans.push(plan),
            Err(problem) => failed.push(problem),
        }
    }
    if plans.is_empty() {
        let none = || {
            Problem::new(ProblemKind::NotFound, "there is no collection to back up", request.of.to_string())
                .advise("`qsnap collections` lists what there is")
        };
        return Err(failed.into_iter().next().unwrap_or_else(none));
    }
    let request = BackupSeveralRequest { repository: Some(repository.clone()), ..request };
    let mut plan = assemble(Several { request, repository, plans, failed, run });
    plan.findings.extend(skipped);
    Ok(plan)
}

/// What is meant, what could not be listed, and what is left out.
async fn addresses(services: &Services, of: &Of) -> (Vec<CollectionAddress>, Vec<Problem>, Vec<Finding>) {
    let names = match of {
        Of::Collections(all) => return (all.clone(), Vec::new(), Vec::new()),
        Of::Instances(names) if !names.is_empty() => names.clone(),
        Of::Instances(_) => services.instances().iter().map(|instance| instance.name.clone()).collect(),
    };
    let every = *of == Of::Instances(Vec::new());
    let (mut all, mut failed, mut skipped) = (Vec::new(), Vec::new(), Vec::new());
    for name in names {
        let read_only = services.instance(&name).is_ok_and(|instance| instance.protection == Protection::ReadOnly);
        if every && read_only {
            let words = format!("{name} is read-only for qsnap: it is left out");
            skipped.push(Finding::look(
                "read-only",
                words,
                "a snapshot needs a write; change `protection` if it is to be backed up",
            ));
            continue;
        }
        let listing = async {
            let connection = services.connection(&name).await?;
            connection.whole().collections().await.map_err(|error| error.into_problem(name.as_str()))
        };
        match listing.await {
            Ok(mut collections) => {
                collections.sort();
                all.extend(collections.into_iter().map(|collection| CollectionAddress::new(name.clone(), collection)));
            }
            Err(problem) => failed.push(problem),
        }
    }
    (all, failed, skipped)
}

fn assemble(work: Several) -> Plan {
    let Several { request, repository, plans, failed, .. } = &work;
    let mut findings = vec![Finding::good("collections", format!("{} to back up", plans.len()))];
    for problem in failed {
        findings.push(Finding::look("failed", format!("cannot be backed up: {problem}"), problem.advice.clone()));
    }
    for plan in plans {
        let worth = plan.findings.iter().filter(|finding| finding.level != Level::Good);
        // One that is blocked fails, and stops no other.
        findings.extend(worth.map(|finding| Finding {
            level: Level::Look,
            message: format!("{}: {}", plan.source, finding.message),
            ..finding.clone()
        }));
    }
    let mut steps: Vec<Step> = plans.iter().map(|plan| Step::new("backup", plan.target.clone())).collect();
    if request.prune {
        steps.push(Step::new("prune", format!("remove from {repository} what the rules do not keep of these collections")));
    }
    // All of one instance, or of several: a yes is enough, because snapshots only add.
    let changes = plans.first().and_then(|plan| plan.changes.clone());
    Plan {
        title: format!("backup {} collections → {repository}", plans.len()),
        changes,
        only_saves: true,
        source: request.of.to_string(),
        target: format!("{repository}:{}", request.of),
        steps,
        findings,
        alone: false,
        tells: true,
        ..Plan::of(Request::BackupSeveral(request.clone()), work)
    }
}

impl Several {
    /// How each instance is restored as a whole from what was made.
    fn sets(&self, report: &Report) -> Vec<String> {
        let made: BTreeSet<&InstanceName> = self
            .plans
            .iter()
            .filter(|plan| report.parts.iter().any(|part| part.source == plan.source))
            .filter_map(|plan| plan.changes.as_ref().map(|(address, _)| &address.instance))
            .collect();
        let set = |instance: &&InstanceName| {
            let set = Set::Run(self.repository.clone(), (*instance).clone(), Some(self.run.clone()));
            format!("as a set: `qsnap restore --all {set} --to INSTANCE`")
        };
        made.iter().map(set).collect()
    }
}

#[async_trait]
impl Work for Several {
    async fn again(&self, _: &Services) -> Result<Plan, Problem> {
        // Each backup looks again before it begins.
        Ok(assemble(Self {
            request: self.request.clone(),
            repository: self.repository.clone(),
            plans: self.plans.clone(),
            failed: self.failed.clone(),
            run: self.run.clone(),
        }))
    }

    async fn run(&self, services: &Arc<Services>, plan: &Plan, steps: &mut Steps<'_>) -> Result<Report, Problem> {
        // A timer must not start the same set twice.
        let _claim = services.journal.claim(&format!("backup {}", plan.target))?;
        let ended = run_all(services, steps, self.plans.clone(), ("backup", "backing up collections")).await?;
        let mut failures = self.failed.clone();
        failures.extend(ended.failures);
        let mut report = several::together(plan, None, ended.done, failures);
        if let Some(counts) = ended.canceled {
            return Err(several::canceled(plan, &report, counts, "backups"));
        }
        // A part that is not complete is no failure of its own operation, but one of the whole.
        report.failures.extend(report.parts.iter().flat_map(|part| part.failures.clone()).collect::<Vec<_>>());
        let (all, good) =
            (self.plans.len() + self.failed.len(), report.parts.iter().filter(|part| part.failures.is_empty()).count());
        let mut words = format!("{good} of {all} backed up, {}", size::bytes(report.bytes));
        if self.request.prune {
            // Only what was meant to be backed up: others keep their backups in the same repository.
            let own = self.plans.iter().filter_map(|plan| plan.changes.as_ref()).map(|(address, _)| address.clone());
            match prune::prune_now(services, &self.repository, &Of::Collections(own.collect()), steps).await {
                Ok(done) => {
                    words.push_str(&format!("; {}", done.words()));
                    done.add_to(&mut report);
                }
                Err(problem) => report.failures.push(problem),
            }
        }
        report.target = format!("{}: {words}", self.repository);
        report.notes.extend(self.sets(&report));
        Ok(report)
    }
}
