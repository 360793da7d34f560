//! Reading every byte of backups: sizes, hashes and the archive itself. What is found is written beside the backup.

use crate::domain::address::BackupAddress;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::size;
use crate::jobs::limits::Resource;
use crate::ops::plan::facts::Facts;
use crate::ops::plan::finding::Finding;
use crate::ops::plan::{Plan, Step, Work};
use crate::ops::recovery::records;
use crate::ops::report::Report;
use crate::ops::report::verdict::Verdict;
use crate::ops::request::Request;
use crate::ops::request::backups::{Of, VerifyRequest, Verifying};
use crate::ops::services::{OpenRepository, Services};
use crate::ops::several::{self, run_all};
use crate::ops::steps::Steps;
use crate::ops::survey::backup_files::{self, BackupFile};
use crate::ops::survey::{backups, inspect};
use crate::repository::index::{Backup, State};
use crate::repository::manifest::Manifest;
use crate::repository::records::Says;
use async_trait::async_trait;
use std::sync::Arc;

/// One backup to read.
#[derive(Debug)]
struct Verify {
    address: BackupAddress,
    backup: Backup,
    manifest: Arc<Manifest>,
}

/// The plan, computed by reading only.
pub(super) async fn plan(services: &Services, request: VerifyRequest) -> Result<Plan, Problem> {
    match &request.which {
        Verifying::One(address) => {
            let (open, backup) = backups::find(services, address).await?;
            one(&open, backup)
        }
        Verifying::Sample { percent, of, repository } => {
            let name = services.repository(repository.as_ref())?.name.clone();
            let (open, contents) = backups::contents(services, &name, of.one()).await?;
            let chosen = choose(contents.backups, *percent, of);
            if chosen.is_empty() {
                let what = format!("there is no backup of {of} to verify");
                return Err(
                    Problem::new(ProblemKind::NotFound, what, name.as_str()).advise("`qsnap backups list` shows what there is")
                );
            }
            let plans = chosen.into_iter().map(|backup| one(&open, backup)).collect::<Result<Vec<Plan>, Problem>>()?;
            Ok(sample(&name.to_string(), request, plans))
        }
    }
}

/// Those that were proven longest ago, the ones first that never were. Pure.
fn choose(backups: Vec<Backup>, percent: u8, of: &Of) -> Vec<Backup> {
    let mut all: Vec<Backup> =
        backups.into_iter().filter(|backup| backup.manifest.is_some() && of.covers(&backup.collection)).collect();
    all.sort_by_key(|backup| (backup.standing.proven_at, std::cmp::Reverse(backup.taken_at())));
    let count = (all.len() * usize::from(percent)).div_ceil(100);
    all.truncate(count);
    all
}

fn one(open: &Arc<OpenRepository>, backup: Backup) -> Result<Plan, Problem> {
    let address = BackupAddress::id(&open.bucket.repository.name, &backup.collection, &backup.id);
    let shown = address.to_string();
    let Some(manifest) = backup.manifest.clone() else {
        return Err(Problem::new(ProblemKind::Failed, backup.state.reason(), shown)
            .advise("what should be in it is not known, so that nothing can be compared"));
    };
    let mut facts = Facts::default();
    facts.text("backup", format!("{} of {} bytes", backup.id, manifest.size()));
    let state = match &backup.state {
        State::Good => Finding::good(
            "backup",
            format!("{} files, {}", backup_files::files(&manifest).len(), size::bytes(manifest.restored_size())),
        ),
        other => Finding::look("backup", format!("{}: {}", other.word(), other.reason()), "what is there is read all the same"),
    };
    let request = Request::Verify(VerifyRequest { which: Verifying::One(address.clone()) });
    Ok(Plan {
        title: format!("verify {shown}"),
        source: shown.clone(),
        target: shown.clone(),
        steps: vec![
            Step::new("read", format!("every byte ({}), and compare size and sha256", size::bytes(manifest.restored_size()))),
            Step::new("check", "the archive: every shard, every segment, every file that a restore needs"),
            Step::new("record", "who, when and what was found, beside the backup"),
        ],
        findings: vec![state],
        facts,
        needs: vec![open.slot(), Resource::Exclusive(shown)],
        tells: true,
        ..Plan::of(request, Verify { address, backup, manifest })
    })
}

#[async_trait]
impl Work for Verify {
    async fn again(&self, services: &Services) -> Result<Plan, Problem> {
        let (open, backup) = backups::find(services, &self.address).await?;
        one(&open, backup)
    }

    async fn run(&self, services: &Arc<Services>, plan: &Plan, steps: &mut Steps<'_>) -> Result<Report, Problem> {
        let open = services.open(&self.address.repository).await?;
        let (job, shown) = (steps.job, plan.target.clone());
        let reading = async {
            let (mut wrong, mut doubts) = (Vec::new(), Vec::new());
            let mut bytes = 0;
            for file in backup_files::files(&self.manifest) {
                let name = file.original();
                match inspect::stored(&open, &self.backup, &file, shown.clone(), &job.progress).await {
                    Ok(found) if found.damaged() => wrong.push(format!("{name}: {}", first_damage(&found))),
                    Ok(found) => {
                        bytes += found.fetched;
                        // What this version does not know, or not hold in memory, is no damage.
                        let doubt = found.check.as_ref().filter(|check| !check.whole);
                        doubts.extend(doubt.map(|check| format!("{name}: {}", check.verdict)));
                    }
                    Err(problem) if problem.kind == ProblemKind::Difference => wrong.push(format!("{name}: {}", problem.message)),
                    Err(problem) => match gone_or_changed(&open, &self.backup, &file).await? {
                        Some(words) => wrong.push(words),
                        None => return Err(problem),
                    },
                }
            }
            // The next increments build on the lists of whole streams, too.
            for indexed in self.manifest.indexes.iter().filter(|indexed| indexed.base == self.backup.id) {
                match backup_files::index(&open, &self.backup.folder, indexed).await {
                    Ok(_) => bytes += indexed.size,
                    Err(problem) if problem.kind == ProblemKind::Difference => {
                        wrong.push(format!("{}: {}", indexed.name, problem.message));
                    }
                    Err(problem) => return Err(problem),
                }
            }
            Ok((wrong, doubts, bytes))
        };
        let (wrong, doubts, bytes) = steps.run("read", &shown, reading).await?;
        let verdict = match (wrong.is_empty(), doubts.is_empty()) {
            (true, true) => Verdict::Matches(format!("{} read; sizes, sha256 and the archive are right", size::bytes(bytes))),
            (true, false) => Verdict::CouldNotCheck(format!("sizes and sha256 are right; {}", doubts.join("; "))),
            (false, _) => Verdict::Differs(wrong.join("; ")),
        };
        record(services, steps, &open, &self.backup, Says::Verify, &verdict).await;
        Ok(Report { verdict: Some(verdict), bytes, ..plan.report() })
    }
}

fn first_damage(found: &inspect::Inspected) -> String {
    let Some(check) = &found.check else { return "it was not read whole".to_owned() };
    check.flaws.first().map_or_else(|| check.verdict.clone(), |flaw| flaw.what.clone())
}

/// What the store says of an object that could not be read: only what is known to be missing or of another size is a difference.
async fn gone_or_changed(open: &OpenRepository, backup: &Backup, file: &BackupFile) -> Result<Option<String>, Problem> {
    let objects: Vec<(String, u64)> = match file {
        BackupFile::Object(object) => vec![(backup.key(&object.name), object.size)],
        BackupFile::Built(indexed) => indexed.parts.iter().map(|part| (part.key(&backup.folder), part.size)).collect(),
    };
    for (key, size) in objects {
        match open.bucket.size(&key).await? {
            None => return Ok(Some(format!("{key} is missing"))),
            Some(found) if found != size => return Ok(Some(format!("{key} has {found} bytes instead of {size}"))),
            Some(_) => {}
        }
    }
    Ok(None)
}

/// Writes a verdict beside a backup. Where that is not possible the verdict stands, and the report says so.
pub(super) async fn record(
    services: &Services,
    steps: &mut Steps<'_>,
    open: &OpenRepository,
    backup: &Backup,
    says: Says,
    verdict: &Verdict,
) {
    if open.bucket.repository.read_only {
        return steps.note("what was found is not recorded beside the backup: its repository is read-only for qsnap");
    }
    let (found, text) = (records::found(verdict), verdict.sentence());
    let entry = records::Entry { says, text, found: Some(found), phases: steps.phases() };
    let writing = records::write(services, open, &backup.folder, entry);
    if let Err(problem) = steps.run("record", &backup.folder, writing).await {
        steps.note(format!("what was found could not be recorded beside the backup: {problem}"));
    }
}

/// Several of them.
#[derive(Debug)]
struct Sample {
    name: String,
    request: VerifyRequest,
    plans: Vec<Plan>,
}

fn sample(name: &str, request: VerifyRequest, plans: Vec<Plan>) -> Plan {
    let steps = plans.iter().map(|plan| Step::new("verify", plan.target.clone())).collect();
    let findings = plans.iter().flat_map(|plan| plan.findings.iter().cloned()).collect();
    Plan {
        title: format!("verify {} backup(s) in {name}", plans.len()),
        source: name.to_owned(),
        target: name.to_owned(),
        steps,
        findings,
        alone: false,
        tells: true,
        ..Plan::of(Request::Verify(request.clone()), Sample { name: name.to_owned(), request, plans })
    }
}

#[async_trait]
impl Work for Sample {
    async fn again(&self, _: &Services) -> Result<Plan, Problem> {
        // Each part looks again before it begins.
        Ok(sample(&self.name, self.request.clone(), self.plans.clone()))
    }

    async fn run(&self, services: &Arc<Services>, plan: &Plan, steps: &mut Steps<'_>) -> Result<Report, Problem> {
        let ended = run_all(services, steps, self.plans.clone(), ("verify", "verifying backups")).await?;
        let report = together(plan, ended.done, ended.failures);
        match ended.canceled {
            None => Ok(report),
            Some(counts) => Err(several::canceled(plan, &report, counts, "backups")),
        }
    }
}

fn together(plan: &Plan, parts: Vec<Report>, failures: Vec<Problem>) -> Report {
    several::together(plan, Some(several::verdict(&parts, &failures)), parts, failures)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::address::CollectionAddress;
    use crate::domain::backup::BackupId;
    use crate::repository::manifest::tests::manifest;
    use crate::repository::records::Standing;

    #[test]
    fn those_that_were_never_proven_come_first() {
        let backup = |id: &str, proven: Option<&str>| Backup {
            collection: CollectionAddress::parse("prod/products").unwrap(),
            id: BackupId::new(id).unwrap(),
            folder: String::new(),
            manifest: Some(Arc::new(manifest(id))),
            state: State::Good,
            size: 1,
            standing: Standing { proven_at: proven.map(|at| at.parse().unwrap()), ..Standing::default() },
            entries: vec![],
        };
        let all = vec![
            backup("20261122T031500Z-0001", Some("2026-11-22T05:00:00Z")),
            backup("20261121T031500Z-0002", Some("2026-11-21T05:00:00Z")),
            backup("20261120T031500Z-0003", None),
            backup("20261119T031500Z-0004", None),
        ];
        let chosen = |percent: u8| {
            let chosen = choose(all.clone(), percent, &Of::Instances(vec![]));
            chosen.iter().map(|backup| backup.id.as_str()[20..].to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(chosen(1), ["3"], "at least one");
        assert_eq!(chosen(75), ["3", "4", "2"]);
        assert_eq!(chosen(100).len(), 4);
        assert!(choose(all, 100, &Of::Collections(vec![])).is_empty());
    }
}
