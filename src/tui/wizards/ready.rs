//! The wizard of what needs no form: it begins with the plan.

use crate::domain::text::{one_line, sanitise};
use crate::ops::request::Request;
use crate::ops::request::recovery_point::RecoveryPoint;
use crate::tui::messages::surroundings::Surroundings;
use crate::tui::wizards::form::Form;

/// A request as it stands.
#[derive(Debug)]
pub struct ReadyForm(pub Request);

impl Form for ReadyForm {
    fn title(&self) -> String {
        match &self.0 {
            Request::Create(request) => format!("Snapshot {}", request.address),
            Request::Download(request) => format!("Resume the download from {}", request.address),
            Request::Discard(_) => "Discard an interrupted download".into(),
            Request::Delete(request) if request.names.len() == 1 => format!("Delete a recovery point of {}", request.address),
            Request::Delete(request) => format!("Delete {} recovery points of {}", request.names.len(), request.address),
            Request::Restore(request) => format!("Restore → {}", request.target),
            Request::Copy(request) => format!("Migrate {}", request.source),
            Request::Fleet(request) => format!("Migrate collections of {}", request.from),
            Request::Switch(request) => format!("Switch the alias {}", one_line(&request.alias, 60)),
            Request::Drop(request) => format!("Delete {}", request.address),
            Request::Revive(request) => format!("Bring back {}", request.address),
            Request::Settle(request) => format!("{} {}", request.way.word(), request.id),
            Request::Compare(request) => format!("Compare {}", request.first),
        }
    }

    fn about(&self) -> String {
        match &self.0 {
            Request::Create(request) => request.address.to_string(),
            Request::Download(request) => RecoveryPoint::Snapshot(request.address.clone(), request.which.clone()).to_string(),
            Request::Discard(request) => sanitise(&request.file.display().to_string()),
            Request::Delete(request) => {
                request.names.iter().map(|name| request.address.snapshot(name)).collect::<Vec<_>>().join(", ")
            }
            _ => String::new(),
        }
    }

    fn request(&self, _: &Surroundings) -> Result<Request, String> {
        Ok(self.0.clone())
    }
}
