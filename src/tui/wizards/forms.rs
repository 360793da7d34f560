//! Which form a wizard begins with.

use crate::ops::request::Request;
use crate::ops::request::backups::{AnnotateRequest, Annotation};
use crate::tui::panes::model::Model;
use crate::tui::wizards::annotate::AnnotateForm;
use crate::tui::wizards::backup::BackupForm;
use crate::tui::wizards::compare::CompareForm;
use crate::tui::wizards::copy::{CopyForm, FleetForm};
use crate::tui::wizards::download::DownloadForm;
use crate::tui::wizards::form::Form;
use crate::tui::wizards::kind::Kind;
use crate::tui::wizards::ready::ReadyForm;
use crate::tui::wizards::restore::{RestoreForm, UploadForm};
use crate::tui::wizards::restore_all::RestoreAllForm;
use crate::tui::wizards::revive::ReviveForm;

/// The form, with what is proposed for its lines.
pub(super) fn form_of(kind: Kind, model: &Model) -> Box<dyn Form> {
    match kind {
        Kind::Download(point) => Box::new(DownloadForm::new(point, model)),
        Kind::Backup(addresses) => Box::new(BackupForm::new(addresses, &model.surroundings)),
        Kind::Annotate(backup, Annotation::Release) => {
            Box::new(ReadyForm(Request::Annotate(AnnotateRequest { backup, says: Annotation::Release })))
        }
        Kind::Annotate(backup, says) => Box::new(AnnotateForm::new(backup, says)),
        Kind::Upload(known) => Box::new(UploadForm::new(known, model)),
        Kind::Restore(point) => Box::new(RestoreForm::new(point, model)),
        Kind::RestoreAll(set) => Box::new(RestoreAllForm::new(set, model)),
        Kind::Migrate(source) => Box::new(CopyForm::new(source, model)),
        Kind::Compare(first, second) => Box::new(CompareForm::new(first, second.as_ref(), model)),
        Kind::Fleet(from, names) => Box::new(FleetForm::new(from, names, model)),
        Kind::Revive(instance) => Box::new(ReviveForm::new(instance.as_ref(), model)),
        Kind::Ready(request) => Box::new(ReadyForm(*request)),
    }
}
