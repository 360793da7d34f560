//! Notes and holds: an object of its own beside the backup, never overwritten.

use crate::domain::address::BackupAddress;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::text::one_line;
use crate::ops::gates;
use crate::ops::plan::finding::Finding;
use crate::ops::plan::{Plan, Step, Work};
use crate::ops::recovery::records;
use crate::ops::report::Report;
use crate::ops::request::Request;
use crate::ops::request::backups::{AnnotateRequest, Annotation};
use crate::ops::services::Services;
use crate::ops::steps::Steps;
use crate::ops::survey::backups;
use crate::repository::index::Backup;
use crate::repository::records::Says;
use async_trait::async_trait;
use std::sync::Arc;

/// Characters of a note.
const LONGEST: usize = 1_000;

#[derive(Debug)]
struct Annotate {
    request: AnnotateRequest,
    backup: Backup,
}

/// The plan, computed by reading only.
pub(super) async fn plan(services: &Services, request: AnnotateRequest) -> Result<Plan, Problem> {
    let (open, backup) = backups::find(services, &request.backup).await?;
    let read_only = gates::repository(&open.bucket.repository);
    let address = BackupAddress::id(&request.backup.repository, &backup.collection, &backup.id);
    let (Annotation::Note(text) | Annotation::Hold(text)) = &request.says else {
        return Ok(assemble(AnnotateRequest { backup: address, ..request }, backup, read_only));
    };
    if text.chars().count() > LONGEST {
        return Err(Problem::new(
            ProblemKind::Usage,
            format!("the text is longer than {LONGEST} characters"),
            address.to_string(),
        )
        .advise("say it shorter"));
    }
    Ok(assemble(AnnotateRequest { backup: address, ..request }, backup, read_only))
}

fn assemble(request: AnnotateRequest, backup: Backup, read_only: Option<Finding>) -> Plan {
    let shown = request.backup.to_string();
    let (title, finding) = match &request.says {
        Annotation::Note(text) if text.is_empty() => {
            ("remove the note of", format!("its note was: {}", or_none(&backup.standing.note)))
        }
        Annotation::Note(_) => ("note", format!("its note was: {}", or_none(&backup.standing.note))),
        Annotation::Hold(_) => ("hold", "nothing removes a held backup: no rule, and no deletion".to_owned()),
        Annotation::Release => ("release", "the rules may remove it from now on".to_owned()),
    };
    let words = match &request.says {
        Annotation::Note(text) | Annotation::Hold(text) => one_line(text, 200),
        Annotation::Release => String::new(),
    };
    Plan {
        title: format!("{title} {shown}"),
        source: shown.clone(),
        target: shown,
        steps: vec![Step::new("record", format!("write it beside the backup: {words}").trim_end_matches([' ', ':']).to_owned())],
        findings: read_only.into_iter().chain([Finding::good("backup", finding)]).collect(),
        ..Plan::of(Request::Annotate(request.clone()), Annotate { request, backup })
    }
}

fn or_none(note: &Option<String>) -> String {
    note.as_ref().map_or_else(|| "none".to_owned(), |note| one_line(note, 200))
}

#[async_trait]
impl Work for Annotate {
    async fn again(&self, services: &Services) -> Result<Plan, Problem> {
        plan(services, self.request.clone()).await
    }

    async fn run(&self, services: &Arc<Services>, plan: &Plan, steps: &mut Steps<'_>) -> Result<Report, Problem> {
        let open = services.open(&self.request.backup.repository).await?;
        let (says, text) = match &self.request.says {
            Annotation::Note(text) => (Says::Note, text.clone()),
            Annotation::Hold(text) => (Says::Hold, text.clone()),
            Annotation::Release => (Says::Release, String::new()),
        };
        let entry = records::Entry { says, text, found: None, phases: Vec::new() };
        let writing = records::write(services, &open, &self.backup.folder, entry);
        steps.job.commit(steps.run("record", &plan.target, writing)).await?;
        Ok(plan.report())
    }
}
