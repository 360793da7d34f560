//! The wizard of what needs no form: it begins with the plan.

use crate::domain::text::{one_line, sanitise};
use crate::ops::request::Request;
use crate::ops::request::backups::{AnnotateRequest, Annotation, VerifyRequest, Verifying};
use crate::ops::request::recovery_point::RecoveryPoint;
use crate::tui::messages::surroundings::Surroundings;
use crate::tui::wizards::form::Form;

/// A request as it stands.
#[derive(Debug)]
pub struct ReadyForm(pub Request);

impl Form for ReadyForm {
    fn title(&self) -> String {
        match &self.0 {
            Request::Create(request) => format!("Snapshot {}", request.of),
            Request::Download(request) => format!("Resume the download from {}", request.of),
            Request::Discard(_) => "Discard an interrupted download".into(),
            Request::Delete(request) if request.names.len() == 1 => format!("Delete a recovery point of {}", request.of),
            Request::Delete(request) => format!("Delete {} recovery points of {}", request.names.len(), request.of),
            Request::Restore(request) => format!("Restore → {}", request.target),
            Request::RestoreAll(request) => format!("Restore all of {} → {}", request.set, request.to),
            Request::Copy(request) => format!("Migrate {}", request.source),
            Request::Fleet(request) => format!("Migrate collections of {}", request.from),
            Request::Switch(request) => format!("Switch the alias {}", one_line(&request.alias, 60)),
            Request::Drop(request) => format!("Delete {}", request.address),
            Request::Revive(request) => format!("Bring back {}", request.address),
            Request::Settle(request) => format!("{} {}", request.way.word(), request.id),
            Request::Backup(request) => format!("Back up {}", request.address),
            Request::BackupSeveral(request) => format!("Back up {}", request.of),
            Request::Prune(request) => format!("Prune {}", request.of),
            Request::Verify(VerifyRequest { which: Verifying::One(backup) }) => format!("Verify {backup}"),
            Request::Verify(_) => "Verify a sample of the backups".into(),
            Request::Drill(request) => format!("Rehearse the restore of {}", request.backup.collection),
            Request::DeleteBackups(request) if request.ids.len() == 1 => format!("Delete a backup of {}", request.collection),
            Request::DeleteBackups(request) => format!("Delete {} backups of {}", request.ids.len(), request.collection),
            Request::Save(request) => format!("Download {}", request.backup),
            Request::Annotate(AnnotateRequest { backup, says }) => match says {
                Annotation::Note(_) => format!("Note on {backup}"),
                Annotation::Hold(_) => format!("Hold {backup}"),
                Annotation::Release => format!("Release {backup}"),
            },
            Request::Compare(request) => format!("Compare {}", request.first),
        }
    }

    fn about(&self) -> String {
        match &self.0 {
            Request::Create(request) => request.of.to_string(),
            Request::Download(request) => RecoveryPoint::snapshot(&request.of, request.which.clone()).to_string(),
            Request::Discard(request) => sanitise(&request.file.display().to_string()),
            Request::Delete(request) => request.names.iter().map(|name| request.of.snapshot(name)).collect::<Vec<_>>().join(", "),
            _ => String::new(),
        }
    }

    fn request(&self, _: &Surroundings) -> Result<Request, String> {
        Ok(self.0.clone())
    }
}
