//! The form of a download.

use crate::domain::address::SnapshotsOf;
use crate::ops::request::Request;
use crate::ops::request::backups::SaveRequest;
use crate::ops::request::recovery_point::RecoveryPoint;
use crate::ops::request::snapshots::DownloadRequest;
use crate::tui::messages::surroundings::Surroundings;
use crate::tui::panes::model::Model;
use crate::tui::wizards::field::{ChoiceField, Field, TextField, typed_path};
use crate::tui::wizards::form::Form;

/// A recovery point of a collection.
#[derive(Debug)]
pub struct DownloadForm {
    point: RecoveryPoint,
    place: TextField,
    overwrite: ChoiceField<bool>,
}

impl DownloadForm {
    /// With what is proposed for it.
    pub fn new(point: RecoveryPoint, model: &Model) -> Self {
        let choices =
            [(false, "keep", "stop, and keep the existing file"), (true, "overwrite", "replace it when the new one is whole")];
        let place = TextField::new("folder or file", model.surroundings.folder_text());
        Self { point, place, overwrite: ChoiceField::words("if it exists", choices) }
    }
}

impl Form for DownloadForm {
    fn title(&self) -> String {
        let from = self.point.collection().map_or_else(|| self.point.to_string(), ToString::to_string);
        format!("Download from {from}")
    }

    fn about(&self) -> String {
        self.point.to_string()
    }

    fn lines(&self) -> Vec<&dyn Field> {
        vec![&self.place, &self.overwrite]
    }

    fn lines_mut(&mut self) -> Vec<&mut dyn Field> {
        vec![&mut self.place, &mut self.overwrite]
    }

    fn request(&self, surroundings: &Surroundings) -> Result<Request, String> {
        if self.place.value().is_empty() {
            return Err("the folder or file is missing; `.` is the current folder".into());
        }
        let target = surroundings.absolute(&typed_path(self.place.value()));
        let overwrite = self.overwrite.value() == Some(&true);
        match self.point.clone() {
            RecoveryPoint::Snapshot(address, which) => {
                Ok(Request::Download(DownloadRequest { of: address.into(), which, target, overwrite }))
            }
            RecoveryPoint::Storage(instance, which) => {
                Ok(Request::Download(DownloadRequest { of: SnapshotsOf::Storage(instance), which, target, overwrite }))
            }
            RecoveryPoint::Backup(backup) => Ok(Request::Save(SaveRequest { backup, target, overwrite })),
            _ => Err("only snapshots and backups are downloaded".into()),
        }
    }
}
