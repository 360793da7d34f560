//! Deleting backups that are named: recovery points are destroyed.

use crate::domain::address::BackupAddress;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::size;
use crate::ops::gates;
use crate::ops::plan::facts::Facts;
use crate::ops::plan::finding::Finding;
use crate::ops::plan::{Plan, Risk, Step, Work};
use crate::ops::recovery::records::remove;
use crate::ops::report::Report;
use crate::ops::request::Request;
use crate::ops::request::backups::DeleteBackupsRequest;
use crate::ops::services::{OpenRepository, Services};
use crate::ops::steps::Steps;
use crate::ops::survey::backups::{contents, mark};
use crate::repository::index::{Backup, Remains, scan};
use crate::repository::needs::{self, Need};
use crate::repository::removal::{Removed, remove_remains};
use async_trait::async_trait;
use std::sync::Arc;

#[derive(Debug)]
struct DeleteBackups {
    request: DeleteBackupsRequest,
    backups: Vec<Backup>,
}

/// The plan, computed by reading only.
pub(super) async fn plan(services: &Services, request: DeleteBackupsRequest) -> Result<Plan, Problem> {
    let collection = &request.collection;
    let (open, found) = contents(services, &request.repository, Some(collection)).await?;
    mark(&open).await?;
    let own: Vec<&Backup> = found.backups.iter().filter(|backup| backup.collection == *collection).collect();
    let chosen: Vec<Backup> =
        own.iter().filter(|backup| request.ids.contains(&backup.id)).map(|backup| (*backup).clone()).collect();
    if let Some(missing) = request.ids.iter().find(|id| !chosen.iter().any(|backup| backup.id == **id)) {
        if let Some(problem) = found.problems.into_iter().next() {
            return Err(problem);
        }
        let on = BackupAddress::id(&request.repository, collection, missing).to_string();
        return Err(Problem::new(ProblemKind::NotFound, "there is no such backup", on)
            .advise(format!("`qsnap backups list {collection}` shows what there is")));
    }
    let (bytes, stays) = freed(&chosen, &own, &found.remains);
    let left_good = own.iter().filter(|backup| backup.is_good() && !request.ids.contains(&backup.id)).count();
    let mut findings = vec![Finding::good("target", format!("{} of {} backups of {collection}", chosen.len(), own.len()))];
    findings.extend(gates::repository(&open.bucket.repository));
    findings.extend(chosen.iter().flat_map(obstacles));
    if stays > 0 {
        let words = format!("{} of it stay until no newer backup is made of them", size::bytes(stays));
        findings.push(Finding::look("increments", words, "nothing: newer backups stay whole, and prune removes it later"));
    }
    if left_good == 0 {
        let words = format!("no good backup of {collection} is left in {} afterwards", request.repository);
        findings.push(Finding::look("last", words, "back it up first, if there is no other recovery point"));
    }
    let mut facts = Facts::default();
    facts.text(
        "backups",
        chosen.iter().map(|backup| format!("{} of {} bytes", backup.id, backup.size)).collect::<Vec<_>>().join(", "),
    );
    Ok(Plan {
        title: format!("delete {} backup(s) of {collection}", chosen.len()),
        risk: Risk::Destroys,
        consequence: format!(
            "{} backup(s) of {collection} in {} are gone for good ({}); the collection itself is not touched",
            chosen.len(),
            request.repository,
            size::bytes(bytes)
        ),
        // What is protected from changes by qsnap is the instance; its backups are not on it.
        changes: None,
        ask: Some(collection.to_string()),
        source: format!("{}:{collection}", request.repository),
        target: format!("{}:{collection}", request.repository),
        steps: chosen.iter().map(|backup| Step::new("remove", format!("{} ({})", backup.id, size::bytes(backup.size)))).collect(),
        findings,
        facts,
        ..Plan::of(Request::DeleteBackups(request.clone()), DeleteBackups { request: request.clone(), backups: chosen })
    })
}

/// Bytes that are free afterwards, also of what was deleted before; and those that stay, because others are made of them.
fn freed(chosen: &[Backup], own: &[&Backup], remains: &[Remains]) -> (u64, u64) {
    let kept = own.iter().filter(|backup| !chosen.iter().any(|gone| gone.id == backup.id));
    let needs: Vec<Need> = kept.flat_map(|backup| backup.needs()).chain(remains.iter().flat_map(Remains::needs)).collect();
    let gone: u64 = chosen.iter().map(|backup| needs::freed(&needs, &backup.folder, &backup.entries)).sum();
    let all: u64 = chosen.iter().map(|backup| backup.size).sum();
    let before = remains.iter().filter(|left| left.is_removed());
    let before: u64 = before.map(|left| needs::freed(&needs, &left.folder, &left.entries)).sum();
    (gone.saturating_add(before), all.saturating_sub(gone))
}

/// What stands against deleting a backup.
fn obstacles(backup: &Backup) -> Vec<Finding> {
    let held = backup.standing.hold.as_ref().map(|why| {
        let words = format!("{} is held{}", backup.id, if why.is_empty() { String::new() } else { format!(": {why}") });
        Finding::block("held", words, "release it first: qsnap backups release")
    });
    let unknown = backup.manifest.is_none().then(|| {
        let words = format!("what belongs to {} is not known: {}", backup.id, backup.state.reason());
        Finding::block("manifest", words, format!("look at the folder {}, and remove it by hand", backup.folder))
    });
    held.into_iter().chain(unknown).collect()
}

impl DeleteBackups {
    /// Removes what older deletions left because these backups were made of it. What cannot be removed `prune` removes another time.
    async fn free(&self, open: &OpenRepository, steps: &mut Steps<'_>) -> u64 {
        let Ok(found) = scan(&open.bucket, &open.cache, Some(&self.request.collection)).await else { return 0 };
        let mut freed = 0;
        for left in found.remains.iter().filter(|left| left.is_removed() && !left.is_all_needed()) {
            let all: u64 = left.entries.iter().map(|entry| entry.size).sum();
            let job = steps.job;
            match job.commit(steps.run("remove", &left.folder, remove_remains(&open.bucket, &open.cache, left))).await {
                Ok(Removed::Gone) => freed += all,
                Ok(Removed::DataStays(stay)) => freed += all.saturating_sub(stay),
                Ok(_) => {}
                Err(problem) => steps.note(format!("{} is not removed yet: {problem}; qsnap prune does it", left.folder)),
            }
        }
        freed
    }
}

#[async_trait]
impl Work for DeleteBackups {
    async fn again(&self, services: &Services) -> Result<Plan, Problem> {
        plan(services, self.request.clone()).await
    }

    async fn run(&self, services: &Arc<Services>, plan: &Plan, steps: &mut Steps<'_>) -> Result<Report, Problem> {
        let open = services.open(&self.request.repository).await?;
        let job = steps.job;
        let (mut count, mut bytes, mut failures) = (0, 0, Vec::new());
        for backup in &self.backups {
            let shown = BackupAddress::id(&self.request.repository, &backup.collection, &backup.id).to_string();
            let removal = remove(services, &open, backup);
            match job.commit(steps.run("remove", &shown, removal)).await {
                Ok(Removed::Gone) => {
                    count += 1;
                    bytes += backup.size;
                }
                Ok(Removed::DataStays(stay)) => {
                    count += 1;
                    bytes += backup.size.saturating_sub(stay);
                    let words = "of it stay until no newer backup is made of them";
                    steps.note(format!("{shown} is deleted; {} {words}", size::bytes(stay)));
                }
                Ok(Removed::Held(_)) => failures.push(
                    Problem::new(ProblemKind::Refused, "somebody held it meanwhile", shown)
                        .advise("release it first: qsnap backups release"),
                ),
                Ok(Removed::Absent) => steps.note(format!("{shown} is gone already, or another one by now")),
                // One that cannot be removed stops no other, and hides nothing of what is gone.
                Err(problem) => failures.push(problem),
            }
        }
        if count > 0 {
            bytes += self.free(&open, steps).await;
        }
        if let (0, 1, Some(problem)) = (count, failures.len(), failures.first()) {
            return Err(problem.clone());
        }
        Ok(Report { target: format!("{count} deleted, {} freed", size::bytes(bytes)), failures, ..plan.report() })
    }
}
