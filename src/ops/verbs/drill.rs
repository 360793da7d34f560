//! A rehearsal: the newest good backup is restored to a scratch name, verified, timed and removed. What was found is written beside
//! the backup; no collection that is in use is touched.

use crate::domain::address::{BackupAddress, CollectionAddress};
use crate::domain::given_names::scratch_name;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::time::duration;
use crate::ops::plan::{Plan, Risk, Step, Work};
use crate::ops::recovery::restore_into::with_source;
use crate::ops::report::Report;
use crate::ops::report::verdict::Verdict;
use crate::ops::request::Request;
use crate::ops::request::backups::DrillRequest;
use crate::ops::request::recovery_point::RecoveryPoint;
use crate::ops::request::restore::{Mode, RestoreRequest};
use crate::ops::request::route::Route;
use crate::ops::services::Services;
use crate::ops::steps::Steps;
use crate::ops::survey::backups;
use crate::ops::verbs::restore::{self, Restore};
use crate::ops::verbs::verify;
use crate::repository::records::Says;
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug)]
struct Drill {
    request: DrillRequest,
    restore: RestoreRequest,
    rehearsal: Restore,
}

/// The plan, computed by reading only.
pub(super) async fn plan(services: &Services, request: DrillRequest) -> Result<Plan, Problem> {
    let (_, backup) = backups::find(services, &request.backup).await?;
    let collection = &request.backup.collection;
    let name = scratch_name(&collection.collection, services.clock.now(), 0);
    let backup = BackupAddress::id(&request.backup.repository, collection, &backup.id);
    let target = CollectionAddress::new(request.on.clone(), name);
    let restore = RestoreRequest::new(RecoveryPoint::Backup(backup.clone()), target, Mode::New, Route::Auto);
    prepare(services, DrillRequest { backup, ..request }, restore).await
}

async fn prepare(services: &Services, request: DrillRequest, restore: RestoreRequest) -> Result<Plan, Problem> {
    let (inner, rehearsal) = restore::prepare(services, restore.clone()).await?;
    let deep = if request.deep { ", and every point with the live collection" } else { "" };
    let mut findings = inner.findings;
    findings.retain(|finding| finding.check != "window");
    Ok(Plan {
        title: format!("drill {} on {}", request.backup, request.on),
        risk: Risk::Changes,
        changes: inner.changes,
        // It adds a scratch collection and takes it away again.
        only_saves: true,
        source: request.backup.to_string(),
        target: format!("{} on {}", request.backup.collection, request.on),
        steps: vec![
            Step::new("restore", format!("{} into a scratch collection on {}", request.backup, request.on)),
            Step::new("verify", format!("count it, read every point, compare schema and sample{deep}")),
            Step::new("remove", "delete the scratch collection"),
            Step::new("record", "what was found and how long each phase took, beside the backup"),
        ],
        findings,
        facts: inner.facts,
        needs: inner.needs,
        tells: true,
        ..Plan::of(Request::Drill(request.clone()), Drill { request, restore, rehearsal })
    })
}

#[async_trait]
impl Work for Drill {
    async fn again(&self, services: &Services) -> Result<Plan, Problem> {
        prepare(services, self.request.clone(), self.restore.clone()).await
    }

    async fn run(&self, services: &Arc<Services>, plan: &Plan, steps: &mut Steps<'_>) -> Result<Report, Problem> {
        let (open, backup) = backups::find(services, &self.request.backup).await?;
        let scratch = match self.rehearsal.rehearse(services, steps, &self.request.backup.collection.collection).await {
            Ok(scratch) => scratch,
            Err(problem) => {
                // Other bytes than the manifest says are no matter of the server.
                let verdict = match problem.kind {
                    ProblemKind::Difference => Verdict::Differs(problem.message.clone()),
                    _ => Verdict::CouldNotCheck(format!("it was not restored: {problem}")),
                };
                verify::record(services, steps, &open, &backup, Says::Drill, &verdict).await;
                return Err(problem);
            }
        };
        // What is recorded is what was found of the backup: the living collection may have moved on.
        let own = scratch.verification.verdict.clone();
        let mut verdict = own.clone();
        if self.request.deep {
            let restored = scratch.destination.address.clone();
            verdict = with_source(services, steps, (&self.request.backup.collection, &restored), verdict).await;
        }
        let phases = steps.phases();
        scratch.remove(steps).await;
        verify::record(services, steps, &open, &backup, Says::Drill, &own).await;
        let (points, samples) = (scratch.verification.points, scratch.verification.samples);
        steps.note(format!("time to recover: {}", in_words(&phases)));
        Ok(Report { verdict: Some(verdict), points, samples, ..plan.report() })
    }
}

fn in_words(phases: &[(String, f64)]) -> String {
    let span = |seconds: f64| if seconds < 60.0 { format!("{seconds:.1} s") } else { duration(Duration::from_secs_f64(seconds)) };
    let each: Vec<String> = phases.iter().map(|(name, seconds)| format!("{name} {}", span(*seconds))).collect();
    format!("{} ({})", span(phases.iter().map(|(_, seconds)| seconds).sum()), each.join(", "))
}
