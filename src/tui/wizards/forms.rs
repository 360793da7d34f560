//! Which form a wizard begins with.

use crate::tui::panes::model::Model;
use crate::tui::wizards::compare::CompareForm;
use crate::tui::wizards::copy::{CopyForm, FleetForm};
use crate::tui::wizards::download::DownloadForm;
use crate::tui::wizards::form::Form;
use crate::tui::wizards::kind::Kind;
use crate::tui::wizards::ready::ReadyForm;
use crate::tui::wizards::restore::{RestoreForm, UploadForm};
use crate::tui::wizards::revive::ReviveForm;

/// The form, with what is proposed for its lines.
pub(super) fn form_of(kind: Kind, model: &Model) -> Box<dyn Form> {
    match kind {
        Kind::Download(address, name) => Box::new(DownloadForm::new(address, name, model)),
        Kind::Upload(known) => Box::new(UploadForm::new(known, model)),
        Kind::Restore(address, which) => Box::new(RestoreForm::new(address, which, model)),
        Kind::Migrate(source) => Box::new(CopyForm::new(source, model)),
        Kind::Compare(first, second) => Box::new(CompareForm::new(first, second.as_ref(), model)),
        Kind::Fleet(from, names) => Box::new(FleetForm::new(from, names, model)),
        Kind::Revive(instance) => Box::new(ReviveForm::new(instance.as_ref(), model)),
        Kind::Ready(request) => Box::new(ReadyForm(*request)),
    }
}
