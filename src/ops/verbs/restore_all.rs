//! Restoring a whole instance over HTTP, which no server does: from a snapshot of the full storage, or from the backups of one run.
//! Each collection is a restore of its own, with all its gates; afterwards the aliases are put back where their names are free.

use crate::domain::address::{BackupAddress, CollectionAddress};
use crate::domain::backup::{BackupId, RepositoryName};
use crate::domain::collection::Alias;
use crate::domain::ids::{CollectionName, InstanceName, SnapshotName};
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::snapshot::time_in_name;
use crate::domain::text::one_line;
use crate::domain::time;
use crate::ops::gates::{loss, server};
use crate::ops::plan::facts::Facts;
use crate::ops::plan::finding::Finding;
use crate::ops::plan::{Plan, Risk, Step, Work};
use crate::ops::recovery::aliases::{self, ALIASES};
use crate::ops::report::Report;
use crate::ops::report::verdict::Verdict;
use crate::ops::request::Request;
use crate::ops::request::recovery_point::RecoveryPoint;
use crate::ops::request::restore::{RestoreAllRequest, RestoreRequest, Set};
use crate::ops::request::route::Route;
use crate::ops::services::Services;
use crate::ops::several::planning::{Planning, consequence};
use crate::ops::several::{self, run_all};
use crate::ops::steps::Steps;
use crate::ops::survey::backups;
use crate::ops::survey::storage::Storage;
use crate::ops::verbs::restore;
use crate::repository::index::Backup;
use async_trait::async_trait;
use futures_util::StreamExt;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Plans that are computed at the same time.
const PLANNED_AT_ONCE: usize = 4;

#[derive(Debug)]
struct RestoreAll {
    request: RestoreAllRequest,
    plans: Vec<Plan>,
    aliases: Vec<Alias>,
}

/// What a set holds.
struct Found {
    taken_at: Option<Timestamp>,
    bytes: u64,
    /// By its own name: `latest` may mean another one later.
    set: Set,
    points: Vec<(CollectionName, RecoveryPoint)>,
    /// Aliases, and the collections at which they point.
    aliases: Vec<(String, String)>,
    findings: Vec<Finding>,
}

/// The plan, computed by reading only.
pub(super) async fn plan(services: &Services, asked: RestoreAllRequest) -> Result<Plan, Problem> {
    let found = match &asked.set {
        Set::Storage(point) => storage(services, point).await?,
        Set::Run(repository, instance, run) => backups_of(services, repository, instance, run.as_ref()).await?,
    };
    let request = RestoreAllRequest { set: found.set.clone(), ..asked };
    let restores = restores(&request, &found)?;
    let landings: Vec<String> = restores.iter().map(|restore| restore.target.to_string()).collect();
    let planned: Vec<Result<Plan, Problem>> = futures_util::stream::iter(restores)
        .map(|request| restore::plan(services, request))
        .buffered(PLANNED_AT_ONCE)
        .collect()
        .await;
    let planning = Planning::of(services, "restore", planned, &[]).await?;
    let (replaced, mut facts) = (planning.replaced(), Facts::default());
    facts.text("collections", planning.fingerprint());
    facts.text("set", found.set.to_string());
    let Planning { plans, mut findings, mut steps } = planning;
    let own_names = plans.iter().filter(|plan| landings.contains(&plan.target)).count();
    if replaced == 0 && own_names == plans.len() {
        findings.insert(0, Finding::good("target", format!("{} names are free on {}", plans.len(), request.to)));
    }
    findings.extend(found.findings.iter().cloned());
    findings.push(match found.taken_at {
        None => loss::unknown(),
        Some(taken_at) => loss::window(&loss::Window {
            taken: time::second(taken_at),
            ago: time::ago(services.clock.now(), taken_at),
            then: None,
            now: None,
            newer: None,
            unseen: true,
        }),
    });
    findings.push(server::disk(found.bytes, Route::Stream, 0));
    let (aliases, alias_findings) = aliases_of(services, &request, &found, &plans).await?;
    findings.extend(alias_findings);
    if !aliases.is_empty() {
        let names: Vec<&str> = aliases.iter().map(|alias| alias.alias.as_str()).collect();
        steps.push(Step::new(ALIASES, format!("make {} on {}", one_line(&names.join(", "), 100), request.to)));
    }
    let protection = services.instance(&request.to)?.protection;
    let first = plans.first().and_then(|plan| plan.changes.clone());
    let address =
        first.map_or_else(|| CollectionAddress::new(request.to.clone(), CollectionName::new("-")), |(address, _)| address);
    Ok(Plan {
        title: format!("restore {} collections → {}", plans.len(), request.to),
        risk: if replaced > 0 { Risk::Destroys } else { Risk::Changes },
        consequence: consequence(&request.to, (replaced, plans.len()), "", request.skips),
        changes: Some((address, protection)),
        source: request.set.to_string(),
        target: request.to.to_string(),
        steps,
        findings,
        facts,
        // Each restore takes what it needs itself, and claims its own target; the whole only waits for them.
        alone: false,
        ask: Some(request.to.to_string()),
        ..Plan::of(Request::RestoreAll(request.clone()), RestoreAll { request, plans, aliases })
    })
}

async fn storage(services: &Services, point: &RecoveryPoint) -> Result<Found, Problem> {
    let storage = Storage::find(services, point).await?;
    let members = storage.members().await?;
    let taken_at = members.all.iter().filter_map(|member| time_in_name(&SnapshotName::new(member.file.clone()))).min();
    let bytes = members.all.iter().fold(0_u64, |sum, member| sum.saturating_add(member.size));
    let points = members.all.into_iter().map(|member| {
        let collection = CollectionName::new(member.collection);
        (collection.clone(), storage.point.member(&collection))
    });
    let points: Vec<_> = points.collect();
    let words = format!("{} holds {} collections and {} aliases", storage.point, points.len(), members.aliases.len());
    Ok(Found {
        taken_at,
        bytes,
        set: Set::Storage(storage.point.clone()),
        points,
        aliases: members.aliases.into_iter().collect(),
        findings: vec![Finding::good("source", words)],
    })
}

/// The backups that one run made of an instance; of the last run where none is named.
async fn backups_of(
    services: &Services,
    repository: &RepositoryName,
    instance: &InstanceName,
    run: Option<&BackupId>,
) -> Result<Found, Problem> {
    let (_, contents) = backups::contents(services, repository, None).await?;
    let shown = Set::Run(repository.clone(), instance.clone(), run.cloned()).to_string();
    // What could not be read may be a part of the set, or of a later one.
    if let Some(problem) = contents.problems.into_iter().next() {
        return Err(problem);
    }
    let own: Vec<Backup> = contents.backups.into_iter().filter(|backup| backup.collection.instance == *instance).collect();
    let run_of = |backup: &Backup| BackupId::new(backup.manifest.as_ref()?.run.as_ref()?).ok();
    // Two of one second are told apart by when their backups were taken, not by what is random in their ids.
    let newest = own.iter().filter_map(|backup| Some((backup.taken_at(), run_of(backup)?))).max();
    let run = run.cloned().or_else(|| newest.map(|(_, run)| run));
    let Some(run) = run.filter(|run| own.iter().any(|backup| run_of(backup).as_ref() == Some(run))) else {
        return Err(Problem::new(ProblemKind::NotFound, "there is no such set of backups", shown)
            .advise("`qsnap backup --all` makes one; `qsnap backups list` shows the run of each backup with --output json"));
    };
    let (set, others): (Vec<Backup>, Vec<Backup>) = own.into_iter().partition(|backup| run_of(backup).as_ref() == Some(&run));
    let has: BTreeSet<CollectionName> = set.iter().map(|backup| backup.collection.collection.clone()).collect();
    let without: BTreeSet<String> = others
        .iter()
        .filter(|backup| !has.contains(&backup.collection.collection))
        .map(|backup| backup.collection.collection.to_string())
        .collect();
    let mut findings = vec![Finding::good("source", format!("{} backups of the run {run}", set.len()))];
    let meant = set.iter().filter_map(|backup| backup.manifest.as_ref()?.run_collections).max().unwrap_or(set.len());
    if meant > set.len() {
        findings.push(Finding::look(
            "set",
            format!("that run was to back up {meant} collections, and {} are there: it failed in part, or was pruned", set.len()),
            "restore another run, `REPOSITORY:INSTANCE@RUN`, or the rest from other backups",
        ));
    }
    if !without.is_empty() {
        let names: Vec<String> = without.into_iter().collect();
        findings.push(Finding::look(
            "set",
            format!("it has no backup of {}, of which there are others", one_line(&names.join(", "), 160)),
            "it failed in that run, or was no collection then: restore it from another backup, if it is wanted",
        ));
    }
    let aliases = set.iter().filter_map(|backup| Some((backup, backup.manifest.as_ref()?)));
    let aliases = aliases.flat_map(|(backup, manifest)| {
        manifest.aliases.iter().map(|alias| (alias.clone(), backup.collection.collection.raw().to_owned())).collect::<Vec<_>>()
    });
    Ok(Found {
        taken_at: Some(run.taken_at()),
        bytes: set.iter().map(|backup| backup.size).sum(),
        aliases: aliases.collect(),
        points: set
            .iter()
            .map(|backup| {
                let address = BackupAddress::id(repository, &backup.collection, &backup.id);
                (backup.collection.collection.clone(), RecoveryPoint::Backup(address))
            })
            .collect(),
        set: Set::Run(repository.clone(), instance.clone(), Some(run)),
        findings,
    })
}

fn restores(request: &RestoreAllRequest, found: &Found) -> Result<Vec<RestoreRequest>, Problem> {
    let usage = |words: String, advice: &str| Problem::new(ProblemKind::Usage, words, request.set.to_string()).advise(advice);
    if found.points.is_empty() {
        return Err(usage("it holds no collection".into(), "name another snapshot or run"));
    }
    let known = |old: &String| found.points.iter().any(|(name, _)| name.raw() == old);
    if let Some(missing) = request.names.renames.keys().find(|old| !known(old)) {
        let words = format!("nothing in it is called {}, to be renamed", one_line(missing, 60));
        return Err(usage(words, "--rename takes OLD=NEW with the name of a collection that is restored"));
    }
    let mut taken: BTreeMap<CollectionName, &CollectionName> = BTreeMap::new();
    let mut restores = Vec::new();
    for (name, point) in &found.points {
        let new = request.names.apply(name);
        if let Some(other) = taken.insert(new.clone(), name) {
            let words = format!("{other} and {name} would both become {new}");
            return Err(usage(words, "give one of them another name with --rename OLD=NEW"));
        }
        let target = CollectionAddress::new(request.to.clone(), new);
        restores.push(RestoreRequest {
            skips: request.skips,
            force: request.force.clone(),
            deep: request.deep,
            ..RestoreRequest::new(point.clone(), target, request.mode, Route::Auto)
        });
    }
    Ok(restores)
}

/// Aliases that are put back: those of collections that get the name they are meant to have.
async fn aliases_of(
    services: &Services,
    request: &RestoreAllRequest,
    found: &Found,
    plans: &[Plan],
) -> Result<(Vec<Alias>, Vec<Finding>), Problem> {
    let mut wanted = Vec::new();
    let mut findings = Vec::new();
    for (alias, of) in &found.aliases {
        let collection = request.names.apply(&CollectionName::new(of.clone()));
        let target = CollectionAddress::new(request.to.clone(), collection.clone());
        if plans.iter().any(|plan| plan.target == target.to_string()) {
            wanted.push(Alias { alias: alias.clone(), collection });
        } else {
            let words = format!("{} is not put back: {target} is not what is restored to", one_line(alias, 60));
            findings.push(Finding::look("alias", words, "point it where it belongs afterwards: `qsnap alias`"));
        }
    }
    if wanted.is_empty() {
        return Ok((Vec::new(), findings));
    }
    let connection = services.connection(&request.to).await?;
    let (there, names) = tokio::join!(connection.whole().aliases(), connection.whole().collections());
    let problem = |error: crate::qdrant::error::ApiError| error.into_problem(request.to.as_str());
    let (aliases, more) = aliases::carried(&wanted, &request.to, &there.map_err(problem)?, &names.map_err(problem)?);
    findings.extend(more);
    Ok((aliases, findings))
}

/// The consent to the whole, which names what it replaces, is the consent to each.
#[async_trait]
impl Work for RestoreAll {
    async fn again(&self, services: &Services) -> Result<Plan, Problem> {
        plan(services, self.request.clone()).await
    }

    async fn run(&self, services: &Arc<Services>, plan: &Plan, steps: &mut Steps<'_>) -> Result<Report, Problem> {
        let ended = run_all(services, steps, self.plans.clone(), ("restore", "restoring collections")).await?;
        let (verdict, done) = (several::verdict(&ended.done, &ended.failures), ended.done);
        // An alias makes a collection visible to clients: never one that was not restored, or differs.
        let good = |alias: &&Alias| {
            let target = CollectionAddress::new(self.request.to.clone(), alias.collection.clone()).to_string();
            done.iter().any(|part| part.target == target && !matches!(part.verdict, Some(Verdict::Differs(_)) | None))
        };
        let (ready, left): (Vec<&Alias>, Vec<&Alias>) = self.aliases.iter().partition(good);
        for alias in left {
            steps.note(format!("the alias {} was not made: its collection was not restored", one_line(&alias.alias, 60)));
        }
        let ready: Vec<Alias> = ready.into_iter().cloned().collect();
        let mut report = several::together(plan, Some(verdict), done, ended.failures);
        if let Some(counts) = ended.canceled {
            return Err(several::canceled(plan, &report, counts, "restores"));
        }
        let connection = services.connection(&self.request.to).await?;
        report.failures.extend(aliases::make(steps, &connection, self.request.to.as_str(), &ready).await.err());
        Ok(report)
    }
}
