//! Saving the files of a backup in a folder: `.part`, sha256 while writing, fsync, rename, as a download from a node.

use crate::domain::address::BackupAddress;
use crate::domain::ids::SnapshotName;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::size;
use crate::domain::text::sanitise;
use crate::jobs::limits::Resource;
use crate::ops::gates;
use crate::ops::plan::facts::Facts;
use crate::ops::plan::finding::Finding;
use crate::ops::plan::{Plan, Risk, Step, Work};
use crate::ops::report::Report;
use crate::ops::report::verdict::Verdict;
use crate::ops::request::Request;
use crate::ops::request::backups::SaveRequest;
use crate::ops::services::{OpenRepository, Services};
use crate::ops::steps::Steps;
use crate::ops::survey::backup_files::{self, BackupFile, FileSource};
use crate::ops::survey::{backups, inspect};
use crate::ops::verbs::verify;
use crate::repository::index::Backup;
use crate::repository::manifest::Manifest;
use crate::repository::records::Says;
use crate::transfer::disk::{self, disk_problem};
use crate::transfer::download::{Job, kept_words};
use crate::transfer::indexed_shard;
use crate::transfer::part::{self, part_path};
use async_trait::async_trait;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_util::task::TaskTracker;

#[derive(Debug)]
struct Save {
    request: SaveRequest,
    backup: Backup,
    files: Vec<(BackupFile, PathBuf)>,
}

/// The plan, computed by reading only.
pub(super) async fn plan(services: &Services, request: SaveRequest) -> Result<Plan, Problem> {
    let (open, backup) = backups::find(services, &request.backup).await?;
    let address = BackupAddress::id(&request.backup.repository, &backup.collection, &backup.id);
    let shown = address.to_string();
    let Some(manifest) = backup.manifest.clone() else {
        return Err(Problem::new(ProblemKind::Failed, backup.state.reason(), shown)
            .advise("choose another backup; `qsnap backups list` shows what there is"));
    };
    let files = files(&request.target, &manifest, &shown)?;
    let mut findings = vec![gates::backup(&backup, services.clock.now())];
    for (_, file) in &files {
        findings.push(place(file, request.overwrite));
    }
    let folder = files[0].1.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        let message = format!("the folder {} does not exist", sanitise(&folder.display().to_string()));
        findings.push(Finding::block("folder", message, "create it, or choose another one"));
    }
    findings.extend(gates::room(disk::free(folder), manifest.restored_size()));
    let mut facts = Facts::default();
    facts.text("backup", format!("{} of {} bytes", backup.id, manifest.restored_size()));
    let replaces = request.overwrite && files.iter().any(|(_, file)| file.exists());
    let target = files.iter().map(|(_, file)| sanitise(&file.display().to_string())).collect::<Vec<_>>().join(", ");
    let mut needs = vec![open.slot()];
    needs.extend(files.iter().map(|(_, file)| Resource::Exclusive(file.display().to_string())));
    let steps = files.iter().map(|(of, file)| {
        Step::new(
            "download",
            format!("{} to {}, hashed on the way", size::bytes(of.size()), sanitise(&file.display().to_string())),
        )
    });
    let request = SaveRequest { backup: address, ..request };
    Ok(Plan {
        title: format!("download {shown}"),
        risk: if replaces { Risk::Changes } else { Risk::Safe },
        consequence: if replaces { format!("{target} is replaced") } else { String::new() },
        source: shown,
        target,
        steps: steps.collect(),
        findings,
        facts,
        needs,
        ..Plan::of(Request::Save(request.clone()), Save { request, backup, files })
    })
}

/// Which object becomes which file.
fn files(target: &Path, manifest: &Manifest, shown: &str) -> Result<Vec<(BackupFile, PathBuf)>, Problem> {
    let folder = target.as_os_str().to_string_lossy().ends_with('/') || target.is_dir();
    match (backup_files::files(manifest).as_slice(), folder) {
        ([], _) => Err(Problem::new(ProblemKind::Failed, "it holds no file", shown).advise("choose another backup")),
        ([only], false) => Ok(vec![(only.clone(), target.to_owned())]),
        (files, true) => Ok(files
            .iter()
            .map(|file| (file.clone(), target.join(SnapshotName::new(file.original()).local_file_name())))
            .collect()),
        (files, false) => {
            let words = format!("it consists of {} files", files.len());
            Err(Problem::new(ProblemKind::Usage, words, shown).advise("give a folder that exists: --to FOLDER"))
        }
    }
}

fn place(file: &Path, overwrite: bool) -> Finding {
    let shown = sanitise(&file.display().to_string());
    match std::fs::symlink_metadata(file) {
        Err(_) if part::in_use(file) => {
            Finding::block("file", format!("another qsnap is writing {shown}"), "wait for it, or choose another name")
        }
        Err(_) => Finding::good("file", format!("{shown} does not exist yet")),
        Ok(meta) if !meta.is_file() => Finding::block(
            "file",
            format!("{shown} is not a regular file"),
            "choose another name: a device or folder is never replaced",
        ),
        Ok(_) if overwrite => {
            Finding::look("file", format!("{shown} exists and will be replaced"), "it is kept until the new file is complete")
        }
        Ok(_) => Finding::block(
            "file",
            format!("{shown} exists already"),
            "choose another folder or file name, or allow overwriting it (--overwrite)",
        ),
    }
}

/// Why what was written is not the file of the backup; `None` where it is. Of one that was put together the entries are compared: what
/// came in blocks was not compared on the way.
async fn unlike(
    open: &OpenRepository,
    backup: &Backup,
    of: &BackupFile,
    (part, written): (&Path, &str),
) -> Result<Option<String>, Problem> {
    match of {
        BackupFile::Object(object) => {
            Ok((object.sha256 != written).then(|| format!("sha256 is {written} instead of {}", object.sha256)))
        }
        BackupFile::Built(indexed) => {
            let index = backup_files::index(open, &backup.folder, indexed).await?;
            let file = part.to_owned();
            let compared = move || std::fs::File::open(&file).and_then(|file| indexed_shard::unlike(file, &index));
            let compared = tokio::task::spawn_blocking(compared).await.map_err(std::io::Error::other).and_then(|read| read);
            compared.map_err(|error| disk_problem("read", part, &error))
        }
    }
}

#[async_trait]
impl Work for Save {
    async fn again(&self, services: &Services) -> Result<Plan, Problem> {
        plan(services, self.request.clone()).await
    }

    async fn run(&self, services: &Arc<Services>, plan: &Plan, steps: &mut Steps<'_>) -> Result<Report, Problem> {
        let open = services.open(&self.request.backup.repository).await?;
        let line = backups::line(&open);
        let job = steps.job;
        let (mut created, mut bytes) = (Vec::new(), 0);
        for (of, file) in &self.files {
            let tasks = TaskTracker::new();
            let saving = tasks.clone();
            // An interrupted download is saved by its own thread; the process waits for it.
            let cleanup = job.on_failure(part_path(file).display().to_string(), async move {
                saving.close();
                saving.wait().await;
                Ok(())
            });
            let FileSource { source, expected } = of.open(&open, &self.backup, plan.source.clone()).await?;
            let fetching = async {
                job.resumable(Some(kept_words(&part_path(file))));
                let on_fallback = || job.resumable(None);
                let (target, progress) = (file.as_path(), &job.progress);
                Job { source: source.as_ref(), expected, line: &line, target, progress, tasks: &tasks, on_fallback: &on_fallback }
                    .run()
                    .await
            };
            let (written, ready) = steps.run("download", &of.original(), fetching).await?;
            let part = part_path(file);
            let comparing = unlike(&open, &self.backup, of, (&part, &written.sha256));
            if let Some(words) = steps.run("compare", &of.original(), comparing).await? {
                let corrupt = ready.keep_as_corrupt();
                // The disk here, or an older `.part`, may be at fault: only what is read once more says something of the backup.
                let reading = inspect::stored(&open, &self.backup, of, plan.source.clone(), &job.progress);
                if steps.run("read again", &of.original(), reading).await.is_ok_and(|found| found.damaged()) {
                    let verdict = Verdict::Differs(format!("{}: {words}", of.original()));
                    verify::record(services, steps, &open, &self.backup, Says::Verify, &verdict).await;
                }
                return Err(Problem::new(ProblemKind::Difference, words, &plan.source).advise(format!(
                    "the backup is damaged, or was on the way: `qsnap verify {}` tells; the bytes are kept as {}",
                    self.request.backup,
                    corrupt.display()
                )));
            }
            let published = job.commit(steps.run("publish", "", async { ready.publish(self.request.overwrite) })).await?;
            job.keep(cleanup);
            bytes += written.size;
            created.push(sanitise(&published.display().to_string()));
        }
        let verdict = Verdict::Matches("sha256 as recorded when it was taken".into());
        Ok(Report { verdict: Some(verdict), bytes, created, ..plan.report() })
    }
}
