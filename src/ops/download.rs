//! Downloading a snapshot into a folder: `.part`, sha256 while writing, fsync, rename.

use crate::domain::address::{Address, CollectionAddress, Which};
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::size;
use crate::domain::snapshot::SnapshotScope;
use crate::jobs::limits::Resource;
use crate::jobs::manager::JobContext;
use crate::ops::flow::{self, Facts, Finding, Plan, Risk, Spec, Step};
use crate::ops::gates;
use crate::ops::report::{Report, Verdict};
use crate::ops::resolve::{Located, locate};
use crate::ops::services::Services;
use crate::ops::steps::Steps;
use crate::qdrant::error::ApiError;
use crate::transfer::landing::{Landing, Ready, Written, part_path};
use crate::transfer::stream::next_chunk;
use std::path::PathBuf;

/// What to download, and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DownloadSpec {
    /// The collection.
    pub address: CollectionAddress,
    /// Which of its snapshots.
    pub which: Which,
    /// A folder, or the file itself.
    pub target: PathBuf,
    /// Whether an existing file may be replaced.
    pub overwrite: bool,
}

/// The snapshot and the file.
#[derive(Debug, Clone)]
pub(in crate::ops) struct Resolved {
    located: Located,
    file: PathBuf,
}

/// Reads what is needed.
pub async fn plan(services: &Services, spec: DownloadSpec) -> Result<Plan, Problem> {
    let connection = services.connection(&spec.address.instance).await?;
    let located = locate(&connection, &spec.address, &spec.which).await?;
    let snapshot = &located.snapshot;
    let names_folder = spec.target.as_os_str().to_string_lossy().ends_with('/');
    let file = if names_folder || spec.target.is_dir() {
        spec.target.join(snapshot.name.local_file_name())
    } else {
        spec.target.clone()
    };
    let shown = crate::domain::text::sanitise(&file.display().to_string());
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), PathBuf::from);
    let mut findings = Vec::new();
    if !folder.is_dir() {
        let folder = folder.display().to_string();
        findings.push(Finding::block(
            "folder",
            format!("the folder {folder} does not exist"),
            "create it, or choose another one",
        ));
    }
    let present = std::fs::symlink_metadata(&file).ok();
    let exists = present.is_some();
    if present.is_some_and(|meta| !meta.is_file()) {
        findings.push(Finding::block(
            "file",
            format!("{shown} is not a regular file"),
            "choose another name: a device, link or folder is never replaced",
        ));
    }
    findings.push(match (exists, spec.overwrite) {
        (true, false) => Finding::block(
            "file",
            format!("{shown} exists already"),
            "choose another folder or name, or allow to overwrite it (--overwrite)",
        ),
        (true, true) => {
            Finding::look("file", format!("{shown} exists and will be replaced"), "it stays until the new file is whole")
        }
        (false, _) => Finding::good("file", format!("{shown} does not exist yet")),
    });
    if part_path(&file).exists() {
        findings.push(Finding::look("file", "an unfinished .part of an earlier try is there", "it is replaced"));
    }
    findings.push(gates::checksum(snapshot.sha256.as_deref()));
    let source = Address::Snapshot(spec.address.clone(), Which::Named(snapshot.name.clone())).to_string();
    let mut facts = Facts::default();
    facts.text("snapshot", format!("{} of {} bytes", snapshot.name, snapshot.size));
    facts.text("file exists", exists);
    let overwrite_flag = if spec.overwrite { " --overwrite" } else { "" };
    Ok(Plan {
        operation: "download",
        title: format!("download {}/{}", spec.address, snapshot.name),
        risk: if exists && spec.overwrite { Risk::Changes } else { Risk::Safe },
        consequence: if exists && spec.overwrite { format!("{shown} is replaced") } else { String::new() },
        changes: None,
        source: source.clone(),
        target: shown.clone(),
        steps: vec![
            Step::new("download", format!("{} to {shown}.part, hashed on the way", size::bytes(snapshot.size))),
            Step::new("check", "compare size and sha256 with the listing"),
            Step::new("publish", format!("give it its name {shown}")),
        ],
        findings,
        command: format!("qsnap snapshots download {source} --to {}{overwrite_flag}", quoted(&spec.target.display().to_string())),
        facts,
        needs: vec![connection.slot(), Resource::Exclusive(shown)],
        resolved: flow::Resolved::Download(Resolved { located, file }),
        spec: Spec::Download(spec),
    })
}

/// A path as a shell takes it.
pub(in crate::ops) fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%,".contains(c);
    let path = crate::domain::text::sanitise(path);
    if !path.is_empty() && path.chars().all(plain) { path } else { format!("'{}'", path.replace('\'', "'\\''")) }
}

/// Does it.
pub(in crate::ops) async fn execute(
    services: &Services,
    plan: &Plan,
    resolved: Resolved,
    job: &JobContext,
) -> Result<Report, Problem> {
    let Spec::Download(spec) = &plan.spec else {
        return Err(Problem::new(ProblemKind::Failed, "the plan is not a download", ""));
    };
    let mut steps = Steps::begin(services, job, "download", &plan.source, &plan.target)?;
    let expected = resolved.located.snapshot.sha256.clone();
    let part = part_path(&resolved.file);
    let cleanup = job.on_failure(part.display().to_string(), {
        let part = part.clone();
        async move {
            match std::fs::remove_file(&part) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    Err(crate::transfer::landing::disk_problem("remove", &part, &error))
                }
                _ => Ok(()),
            }
        }
    });
    let fetched = fetch(services, spec, &resolved, job);
    let (written, ready) = steps.run("download", &plan.source, fetched).await?;
    let checked = steps.run("check", "", async { check(&resolved, expected.as_deref(), &written) }).await;
    let verdict = match checked {
        Ok(verdict) => verdict,
        Err(problem) => {
            let corrupt = ready.keep_as_corrupt();
            return Err(problem.advise(format!("the bytes are kept as {} for a look; download again", corrupt.display())));
        }
    };
    let published = job.commit(steps.run("publish", "", async { ready.publish(spec.overwrite) })).await?;
    job.keep(cleanup);
    let (done, left_behind, seconds) = steps.end("ok");
    Ok(Report {
        operation: "download",
        source: plan.source.clone(),
        target: plan.target.clone(),
        route: None,
        route_reason: None,
        mode: None,
        verdict: Some(verdict),
        points: None,
        samples: None,
        bytes: written.size,
        seconds,
        steps: done,
        left_behind,
        created: vec![crate::domain::text::sanitise(&published.display().to_string())],
    })
}

async fn fetch(
    services: &Services,
    spec: &DownloadSpec,
    resolved: &Resolved,
    job: &JobContext,
) -> Result<(Written, Ready), Problem> {
    let connection = services.connection(&spec.address.instance).await?;
    let problem = |error: ApiError| error.into_problem(spec.address.to_string());
    let scope = SnapshotScope::Collection(spec.address.collection.clone());
    let node = connection.node(resolved.located.node)?;
    let mut download = node.download(&scope, &resolved.located.snapshot.name).await.map_err(problem)?;
    let size = download.length.unwrap_or(resolved.located.snapshot.size);
    job.progress.phase("downloading", Some(size));
    let mut landing = Landing::open(&resolved.file)?;
    while let Some(chunk) = next_chunk(&mut download.body, problem).await? {
        let length = chunk.len() as u64;
        landing.write(chunk).await?;
        job.progress.add(length);
    }
    landing.finish().await
}

fn check(resolved: &Resolved, expected: Option<&str>, written: &Written) -> Result<Verdict, Problem> {
    let snapshot = &resolved.located.snapshot;
    let differs = |message: String| Err(Problem::new(ProblemKind::Difference, message, snapshot.name.to_string()));
    if written.size != snapshot.size {
        return differs(format!("{} bytes arrived instead of {}", written.size, snapshot.size));
    }
    match expected {
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

    fn resolved(size: u64) -> Resolved {
        let snapshot = SnapshotInfo { name: SnapshotName::new("x.snapshot"), size, taken_at: None, sha256: None };
        Resolved { located: Located { node: 0, snapshot }, file: "x".into() }
    }

    #[test]
    fn nothing_wrong_passes_the_check() {
        let written = |size, ends_as_tar| Written { size, sha256: "a".repeat(64), ends_as_tar };
        let right = "a".repeat(64);
        assert!(matches!(check(&resolved(10), Some(&right), &written(10, false)), Ok(Verdict::Matches(_))));
        assert!(check(&resolved(10), Some(&"b".repeat(64)), &written(10, true)).is_err());
        assert!(check(&resolved(10), Some(&right), &written(9, true)).is_err());
        assert!(matches!(check(&resolved(10), None, &written(10, true)), Ok(Verdict::CouldNotCheck(_))));
        assert!(check(&resolved(10), None, &written(10, false)).is_err());
    }

    #[test]
    fn paths_are_quoted_for_a_shell() {
        assert_eq!(quoted("/tmp/a"), "/tmp/a");
        assert_eq!(quoted("/tmp/it's here"), "'/tmp/it'\\''s here'");
        assert_eq!(quoted(""), "''");
    }
}
