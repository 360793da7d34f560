//! Downloading a snapshot into a folder: `.part`, sha256 while writing, fsync, rename.

use crate::domain::address::{SnapshotsOf, Which};
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::size;
use crate::domain::text::sanitise;
use crate::jobs::context::JobContext;
use crate::jobs::limits::Resource;
use crate::ops::gates;
use crate::ops::plan::facts::Facts;
use crate::ops::plan::finding::{Finding, Level};
use crate::ops::plan::{Plan, Risk, Step, Work};
use crate::ops::report::Report;
use crate::ops::report::verdict::Verdict;
use crate::ops::request::Request;
use crate::ops::request::snapshots::DownloadRequest;
use crate::ops::services::{Connection, Services};
use crate::ops::steps::Steps;
use crate::ops::survey::locate::{Located, locate};
use crate::transfer::disk;
use crate::transfer::download::{Job, kept_words};
use crate::transfer::landing::{PRECIOUS, Written};
use crate::transfer::part::{self, part_path};
use crate::transfer::publish::Ready;
use crate::transfer::source::{Expected, NodeSnapshot};
use async_trait::async_trait;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_util::task::TaskTracker;

/// How often a snapshot that is replaced while it is read is started again.
const RESTARTS: u32 = 2;

/// The snapshot and the file.
#[derive(Debug, Clone)]
struct Download {
    request: DownloadRequest,
    located: Located,
    expected: Expected,
    file: PathBuf,
}

fn source_of(connection: &Connection, of: &SnapshotsOf, located: &Located) -> Result<NodeSnapshot, Problem> {
    let name = located.snapshot.name.clone();
    Ok(NodeSnapshot { node: connection.node(located.node)?.clone(), scope: of.scope(), shown: of.snapshot(&name), name })
}

/// The plan, computed by reading only.
pub(super) async fn plan(services: &Services, request: DownloadRequest) -> Result<Plan, Problem> {
    let connection = services.connection(request.of.instance()).await?;
    let located = locate(services, &connection, &request.of, &request.which).await?;
    let snapshot = &located.snapshot;
    let source = source_of(&connection, &request.of, &located)?;
    let probed = Expected::probe(&source, snapshot.size, snapshot.sha256.clone()).await;
    let expected = probed.map_err(|error| error.into_problem(&source.shown))?;
    let names_folder = request.target.as_os_str().to_string_lossy().ends_with('/');
    let file = if names_folder || request.target.is_dir() {
        request.target.join(snapshot.name.local_file_name())
    } else {
        request.target.clone()
    };
    let shown = sanitise(&file.display().to_string());
    let exists = std::fs::symlink_metadata(&file).is_ok();
    let mut findings = local_findings(&file, &shown, request.overwrite);
    findings.push(gates::checksum(snapshot.sha256.as_deref()));
    findings.extend(gates::listed_size(snapshot.size, expected.size));
    findings.push(gates::ranges(expected.ranged, connection.instance.transfers.streams));
    findings.extend(file_name(&request.target, &file));
    let left = left_findings(&file, &source.shown, &expected);
    let fetching = match &left {
        Some(finding) if finding.level == Level::Good => finding.message.clone(),
        _ => format!("{} to {shown}.part, hashed on the way", size::bytes(snapshot.size)),
    };
    findings.extend(left);
    findings.extend(gates::room(disk::free(folder_of(&file)), needed(&file, expected.size)));
    let mut facts = Facts::default();
    facts.text("snapshot", format!("{} of {} bytes", snapshot.name, snapshot.size));
    facts.text("version of the file", expected.etag.as_deref().unwrap_or("unknown"));
    facts.text("file exists", exists);
    let title = format!("download {}", request.of.snapshot(&snapshot.name));
    Ok(Plan {
        title,
        risk: if exists && request.overwrite { Risk::Changes } else { Risk::Safe },
        consequence: if exists && request.overwrite { format!("{shown} is replaced") } else { String::new() },
        source: source.shown.clone(),
        target: shown.clone(),
        steps: vec![
            Step::new("download", fetching),
            Step::new("check", "compare size and sha256 with the listing"),
            Step::new("publish", format!("give it its name {shown}")),
        ],
        findings,
        facts,
        needs: vec![connection.slot(), Resource::Exclusive(shown)],
        ..Plan::of(Request::Download(request.clone()), Download { request: request.clone(), located, expected, file })
    })
}

fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Bytes that must still find room: what an earlier try has reserved is not counted again.
fn needed(file: &Path, size: u64) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let reserved = std::fs::symlink_metadata(part_path(file)).map_or(0, |meta| meta.blocks().saturating_mul(512));
    size.saturating_sub(reserved)
}

/// What the target's place says.
fn local_findings(file: &Path, shown: &str, overwrite: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    let folder = folder_of(file);
    if !folder.is_dir() {
        let message = format!("the folder {} does not exist", sanitise(&folder.display().to_string()));
        findings.push(Finding::block("folder", message, "create it, or choose another one"));
    }
    let present = std::fs::symlink_metadata(file).ok();
    let exists = present.is_some();
    if present.is_some_and(|meta| !meta.is_file()) {
        findings.push(Finding::block(
            "file",
            format!("{shown} is not a regular file"),
            "choose another name: a device, link or folder is never replaced",
        ));
    }
    findings.push(match (exists, overwrite) {
        (true, false) => Finding::block(
            "file",
            format!("{shown} exists already"),
            "choose another folder or file name, or allow overwriting it (--overwrite)",
        ),
        (true, true) => {
            Finding::look("file", format!("{shown} exists and will be replaced"), "it is kept until the new file is complete")
        }
        (false, _) => Finding::good("file", format!("{shown} does not exist yet")),
    });
    findings
}

/// A path that does not exist yet is taken for a file name, and the plan says so.
fn file_name(target: &Path, file: &Path) -> Option<Finding> {
    let looks_like_one = file.extension().is_some_and(|extension| extension == "snapshot");
    (target == file && !looks_like_one && std::fs::symlink_metadata(file).is_err()).then(|| {
        let shown = sanitise(&file.display().to_string());
        Finding::look(
            "name",
            format!("{shown} does not exist: a FILE of that name is written"),
            "if a folder is meant: create it first; a path that ends with / is always a folder",
        )
    })
}

/// What an earlier try left, and what becomes of it.
fn left_findings(file: &Path, source: &str, expected: &Expected) -> Option<Finding> {
    if part::in_use(file) {
        return Some(Finding::block("resume", "another qsnap is writing this file", "wait for it, or choose another name"));
    }
    if !part_path(file).exists() {
        return None;
    }
    Some(match part::unfinished(file) {
        Some(left) if expected.ranged && left.holds(source, expected) => Finding::good(
            "resume",
            format!(
                "{} of {} were downloaded before; the download continues from there",
                size::bytes(left.spans.total()),
                size::bytes(expected.size)
            ),
        ),
        Some(left) if !expected.ranged && left.holds(source, expected) && left.spans.total() >= PRECIOUS => Finding::block(
            "resume",
            format!(
                "the server gives no ranges now, so that the {} that are there cannot be continued",
                size::bytes(left.spans.total())
            ),
            "try again later, or from the node's own address; to start over, remove the .part and its .part.state",
        ),
        Some(left) if left.source != source && !left.spans.is_empty() => Finding::block(
            "resume",
            format!("an unfinished download of {} lies there: {}", sanitise(&left.source), size::bytes(left.spans.total())),
            "finish that one, choose another name, or remove its .part and .part.state",
        ),
        Some(left) if left.source == source && expected.ranged && !left.spans.is_empty() => Finding::look(
            "resume",
            "an unfinished .part is there, of another version of this file",
            "the snapshot changed on the server since: it starts from zero",
        ),
        Some(_) => Finding::look("resume", "a .part of an earlier try is there", "it cannot be continued: it is replaced"),
        None if std::fs::metadata(part_path(file)).is_ok_and(|meta| meta.len() == 0) => return None,
        None => Finding::block(
            "resume",
            format!("{} is there, and not known as an unfinished download", sanitise(&part_path(file).display().to_string())),
            "another program may be writing it: remove it, or choose another name or folder",
        ),
    })
}

#[async_trait]
impl Work for Download {
    async fn again(&self, services: &Services) -> Result<Plan, Problem> {
        plan(services, self.request.clone()).await
    }

    async fn run(&self, services: &Arc<Services>, plan: &Plan, steps: &mut Steps<'_>) -> Result<Report, Problem> {
        let job = steps.job;
        let tasks = TaskTracker::new();
        let part = part_path(&self.file);
        // An interrupted download is saved by its own thread; the process waits for it.
        let saving = tasks.clone();
        let cleanup = job.on_failure(part.display().to_string(), async move {
            saving.close();
            saving.wait().await;
            Ok(())
        });
        let (fetched, found, restarted) = steps.run("download", &plan.source, fetch(services, self.clone(), job, &tasks)).await?;
        let (written, ready) = fetched;
        let checked = steps.run("check", "", async { check(&found, &written) }).await;
        let verdict = match checked {
            Ok(verdict) => {
                if restarted {
                    mention_restart(verdict)
                } else {
                    verdict
                }
            }
            Err(problem) => {
                let corrupt = ready.keep_as_corrupt();
                services.interrupted.end(&self.file);
                return Err(problem.advise(format!("the bytes are kept as {} for a look; download again", corrupt.display())));
            }
        };
        let published = job.commit(steps.run("publish", "", async { ready.publish(self.request.overwrite) })).await?;
        services.interrupted.end(&self.file);
        job.keep(cleanup);
        Ok(Report {
            verdict: Some(verdict),
            bytes: job.progress.sample().moved,
            created: vec![sanitise(&published.display().to_string())],
            ..plan.report()
        })
    }
}

fn mention_restart(verdict: Verdict) -> Verdict {
    let words = |reason: String| format!("{reason}; the snapshot was replaced on the server meanwhile, this is the newer one");
    match verdict {
        Verdict::Matches(reason) => Verdict::Matches(words(reason)),
        Verdict::Differs(reason) => Verdict::Differs(words(reason)),
        Verdict::CouldNotCheck(reason) => Verdict::CouldNotCheck(words(reason)),
    }
}

type Fetched = ((Written, Ready), Download, bool);

/// Fetches; a file that is replaced on the server meanwhile is looked up and started again.
async fn fetch(services: &Services, mut found: Download, job: &JobContext, tasks: &TaskTracker) -> Result<Fetched, Problem> {
    let connection = services.connection(found.request.of.instance()).await?;
    let line = services.line(found.request.of.instance())?;
    let part = part_path(&found.file);
    let mut restarts = 0;
    loop {
        let source = source_of(&connection, &found.request.of, &found.located)?;
        if found.expected.ranged {
            job.resumable(Some(kept_words(&part)));
            services.interrupted.begin(&found.request.of, &found.located.snapshot.name, &found.file, found.request.overwrite);
        } else {
            job.resumable(None);
            services.interrupted.end(&found.file);
        }
        let expected = found.expected.clone();
        let on_fallback = || {
            job.resumable(None);
            services.interrupted.end(&found.file);
        };
        let (target, progress) = (found.file.as_path(), &job.progress);
        let fetching = Job { source: &source, expected, line: &line, target, progress, tasks, on_fallback: &on_fallback };
        match fetching.run().await {
            Ok(fetched) => return Ok((fetched, found, restarts > 0)),
            Err(problem) if problem.kind == ProblemKind::PlanStale && restarts < RESTARTS => {
                restarts += 1;
                job.progress.note("the snapshot was replaced on the server: starting again");
                let which = Which::Named(found.located.snapshot.name.clone());
                found.located = locate(services, &connection, &found.request.of, &which).await?;
                let source = source_of(&connection, &found.request.of, &found.located)?;
                let listed = &found.located.snapshot;
                let probed = Expected::probe(&source, listed.size, listed.sha256.clone()).await;
                found.expected = probed.map_err(|error| error.into_problem(&source.shown))?;
            }
            Err(problem) if found.expected.ranged && part_path(&found.file).exists() => {
                let advice = format!("{}; {}", problem.advice, kept_words(&part));
                return Err(problem.advise(advice.trim_start_matches("; ")));
            }
            Err(problem) => return Err(problem),
        }
    }
}

fn check(found: &Download, written: &Written) -> Result<Verdict, Problem> {
    let snapshot = &found.located.snapshot;
    let differs = |message: String| Err(Problem::new(ProblemKind::Difference, message, snapshot.name.to_string()));
    if written.size != snapshot.size {
        return differs(format!("{} bytes arrived instead of {}", written.size, snapshot.size));
    }
    match snapshot.sha256.as_deref() {
        Some(sha256) if *sha256 == written.sha256 => Ok(Verdict::Matches(format!("sha256 {}…", &sha256[..16]))),
        Some(sha256) => differs(format!("sha256 is {} instead of {sha256}", written.sha256)),
        None if written.ends_as_tar => {
            Ok(Verdict::CouldNotCheck("the server gives no sha256; size and archive end are right".into()))
        }
        None => differs("the archive has no end: it is cut".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::SnapshotName;
    use crate::domain::snapshot::SnapshotInfo;

    fn resolved(size: u64, sha256: Option<&str>) -> Download {
        let sha256 = sha256.map(str::to_owned);
        let snapshot = SnapshotInfo { name: SnapshotName::new("x.snapshot"), size, taken_at: None, sha256 };
        let expected = Expected { size, sha256: None, etag: None, ranged: false };
        let address = SnapshotsOf::parse("a/x").unwrap();
        let request = DownloadRequest { of: address, which: Which::Latest, target: "x".into(), overwrite: false };
        Download { request, located: Located { node: 0, snapshot }, expected, file: "x".into() }
    }

    #[test]
    fn nothing_wrong_passes_the_check() {
        let written = |size, ends_as_tar| Written { size, sha256: "a".repeat(64), ends_as_tar };
        let (right, wrong) = ("a".repeat(64), "b".repeat(64));
        assert!(matches!(check(&resolved(10, Some(&right)), &written(10, false)), Ok(Verdict::Matches(_))));
        assert!(check(&resolved(10, Some(&wrong)), &written(10, true)).is_err());
        assert!(check(&resolved(10, Some(&right)), &written(9, true)).is_err());
        assert!(matches!(check(&resolved(10, None), &written(10, true)), Ok(Verdict::CouldNotCheck(_))));
        assert!(check(&resolved(10, None), &written(10, false)).is_err());
    }
}
