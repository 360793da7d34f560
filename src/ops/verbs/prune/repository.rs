//! Backups in a repository: by instance and collection, whichever run or machine wrote them.

use crate::domain::address::{BackupAddress, CollectionAddress};
use crate::domain::backup::{BackupId, RepositoryName};
use crate::domain::keep::Keep;
use crate::domain::problem::Problem;
use crate::domain::repository::Repository;
use crate::domain::size;
use crate::domain::text::one_line;
use crate::ops::plan::finding::Finding;
use crate::ops::recovery::records::remove;
use crate::ops::request::backups::Of;
use crate::ops::retention::keep::{Decision, decide};
use crate::ops::services::Services;
use crate::ops::steps::Steps;
use crate::ops::survey::backups::{candidates, contents, mark};
use crate::ops::verbs::prune::sorted::{Done, Item, Sorted};
use crate::repository::index::{Backup, Contents, Remains};
use crate::repository::needs::{Need, Needed, freed};
use crate::repository::removal::{Removed, is_abandoned, remove_remains};
use jiff::Timestamp;
use std::time::{Duration, Instant};

/// What goes.
#[derive(Debug)]
pub(super) struct Removals {
    repository: RepositoryName,
    backups: Vec<Backup>,
    remains: Vec<Remains>,
    /// What could not be read, and stays.
    unread: Vec<Problem>,
}

/// The rules that hold for a collection. Of an instance that is not configured here others decide: it has none.
fn rules(services: &Services, repository: &Repository, collection: &CollectionAddress) -> Keep {
    match services.instance(&collection.instance) {
        Ok(instance) => instance.policy(&collection.collection).keep.unwrap_or(repository.keep),
        Err(_) => Keep::default(),
    }
}

/// Reads the repository, and sorts what is there.
pub(super) async fn sort(services: &Services, repository: &Repository, of: &Of) -> Result<(Sorted, Removals), Problem> {
    let (open, contents) = contents(services, &repository.name, of.one()).await?;
    // Of a newer format it is not known what belongs to what.
    mark(&open).await?;
    let Contents { backups, remains, strangers, problems, remarks } = contents;
    let now = services.clock.now();
    let mut sorted = Sorted::default();
    let mut removals =
        Removals { repository: repository.name.clone(), backups: Vec::new(), remains: Vec::new(), unread: Vec::new() };
    let mut without_rules = 0;
    let mut needs: Vec<Need> = Vec::new();
    let backups: Vec<Backup> = backups.into_iter().filter(|backup| of.covers(&backup.collection)).collect();
    for group in backups.chunk_by(|a, b| a.collection == b.collection) {
        let keep = rules(services, repository, &group[0].collection);
        without_rules += usize::from(keep.is_empty());
        let candidates = candidates(&group.iter().collect::<Vec<_>>());
        let decisions = decide(&keep, now, &candidates);
        let kept = decisions.iter().filter(|decision| decision.keeps()).count();
        let words = format!("{}: {kept} of {} stay; the rules are: {keep}", group[0].collection, group.len());
        sorted.findings.push(Finding::good("group", words));
        for (backup, decision) in group.iter().zip(decisions) {
            let shown = BackupAddress::id(&repository.name, &backup.collection, &backup.id).to_string();
            if decision.keeps() {
                needs.extend(backup.needs());
            } else {
                removals.backups.push(backup.clone());
            }
            sorted.items.push(Item { shown, bytes: backup.size, decision });
        }
    }
    needs.extend(remains.iter().flat_map(Remains::needs));
    let leaving = sorted.items.iter_mut().filter(|item| !item.decision.keeps());
    for (item, backup) in leaving.zip(&removals.backups) {
        item.bytes = freed(&needs, &backup.folder, &backup.entries);
    }
    let own = remains.into_iter().filter(|left| of.covers(&left.collection));
    sort_remains(own, &needs, now, (&mut sorted, &mut removals));
    if without_rules > 0 {
        let words = format!("{without_rules} collection(s) have no rules: all their backups stay");
        let advice = format!(
            "give `keep` in [repositories.{}], or for an instance or a collection; no rule holds for instances that are not configured here",
            repository.name
        );
        sorted.findings.push(Finding::look("rules", words, advice));
    }
    if let Some(first) = strangers.first() {
        let words = format!("{} object(s) are not qsnap's and stay, such as {}", strangers.len(), one_line(first, 60));
        sorted.findings.push(Finding::look("strangers", words, "nothing; or move them elsewhere"));
    }
    for problem in problems.iter().chain(&remarks) {
        let words = format!("could not be read, and stays: {problem}");
        sorted.findings.push(Finding::look("unread", words, problem.advice.clone()));
    }
    removals.unread = problems;
    Ok((sorted, removals))
}

/// What unfinished and removed backups left.
fn sort_remains(
    remains: impl Iterator<Item = Remains>,
    needs: &[Need],
    now: Timestamp,
    (sorted, removals): (&mut Sorted, &mut Removals),
) {
    for mut left in remains {
        left.needed = Needed::of(needs, &left.folder);
        let decision = if left.is_removed() && left.is_all_needed() {
            Decision::Keep("removed already; newer backups are made of its data".into())
        } else if !is_abandoned(&left, now) {
            Decision::Keep("unfinished, and younger than a day: it may be written right now".into())
        } else if left.started.is_none() {
            Decision::Keep("unfinished, and what was written is not known: look at it, and remove the folder by hand".into())
        } else if left.is_removed() && left.needed.is_empty() {
            Decision::Remove("removed already; no backup needs its data any more".into())
        } else if left.is_removed() {
            Decision::Remove("removed already; a part of its data no backup needs any more".into())
        } else {
            Decision::Remove("unfinished, and nothing writes to it any more".into())
        };
        let (shown, bytes) = (left.folder.clone(), freed(needs, &left.folder, &left.entries));
        if !decision.keeps() {
            removals.remains.push(left);
        }
        sorted.items.push(Item { shown: format!("{}: {shown}", removals.repository), bytes, decision });
    }
}

/// What the rules said is believed for so long.
const FRESH: Duration = Duration::from_secs(5);

/// The backups of a collection that the rules do not keep, right now.
async fn still_leaving(
    services: &Services,
    name: &RepositoryName,
    collection: &CollectionAddress,
) -> Result<Vec<BackupId>, Problem> {
    let repository = services.repository(Some(name))?;
    let (_, contents) = contents(services, name, Some(collection)).await?;
    let group: Vec<&Backup> = contents.backups.iter().filter(|backup| backup.collection == *collection).collect();
    let candidates = candidates(&group);
    let decisions = decide(&rules(services, repository, collection), services.clock.now(), &candidates);
    let leaving = group.into_iter().zip(decisions).filter(|(_, decision)| !decision.keeps());
    Ok(leaving.map(|(backup, _)| backup.id.clone()).collect())
}

impl Removals {
    /// Removes them one after the other; one that cannot be removed stops no other.
    pub(super) async fn carry_out(&self, services: &Services, steps: &mut Steps<'_>) -> Result<Done, Problem> {
        let open = services.open(&self.repository).await?;
        let job = steps.job;
        let mut done = Done { failures: self.unread.clone(), ..Done::default() };
        let mut seen: Option<(CollectionAddress, Instant, Vec<BackupId>)> = None;
        for backup in &self.backups {
            let shown = BackupAddress::id(&self.repository, &backup.collection, &backup.id).to_string();
            // What justified it may have been removed, or found bad, since.
            let fresh = seen.as_ref().is_some_and(|(of, at, _)| *of == backup.collection && at.elapsed() < FRESH);
            if !fresh {
                match still_leaving(services, &self.repository, &backup.collection).await {
                    Ok(leaving) => seen = Some((backup.collection.clone(), Instant::now(), leaving)),
                    Err(problem) => {
                        done.failures.push(problem);
                        continue;
                    }
                }
            }
            if !seen.as_ref().is_some_and(|(.., leaving)| leaving.contains(&backup.id)) {
                done.notes.push(format!("{shown} stays: the rules keep it by now, or it is gone already"));
                continue;
            }
            let removal = remove(services, &open, backup);
            match job.commit(steps.run("remove", &shown, removal)).await {
                Ok(Removed::Gone) => {
                    done.removed += 1;
                    done.bytes += backup.size;
                }
                Ok(Removed::DataStays(bytes)) => {
                    done.removed += 1;
                    done.bytes += backup.size.saturating_sub(bytes);
                    done.notes
                        .push(format!("{shown} is removed; {} of it stay: newer backups are made of them", size::bytes(bytes)));
                }
                Ok(Removed::Held(_)) => done.notes.push(format!("{shown} is held by now, and stays")),
                Ok(Removed::Absent) => done.notes.push(format!("{shown} is gone already, or another one by now")),
                Err(problem) => done.failures.push(problem),
            }
        }
        for left in &self.remains {
            let all = left.entries.iter().map(|entry| entry.size).sum::<u64>();
            match job.commit(steps.run("remove", &left.folder, remove_remains(&open.bucket, &open.cache, left))).await {
                Ok(Removed::Gone) => {
                    done.removed += 1;
                    done.bytes += all;
                }
                Ok(Removed::DataStays(bytes)) => done.bytes += all.saturating_sub(bytes),
                Ok(_) => done.notes.push(format!("{} is a backup by now, and stays", left.folder)),
                Err(problem) => done.failures.push(problem),
            }
        }
        Ok(done)
    }
}
