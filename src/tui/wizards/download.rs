//! The form of a download.

use crate::domain::address::{CollectionAddress, Which};
use crate::domain::ids::SnapshotName;
use crate::ops::request::Request;
use crate::ops::request::snapshots::DownloadRequest;
use crate::tui::messages::surroundings::Surroundings;
use crate::tui::panes::model::Model;
use crate::tui::wizards::field::{ChoiceField, Field, TextField, typed_path};
use crate::tui::wizards::form::Form;

/// A recovery point of a collection.
#[derive(Debug)]
pub struct DownloadForm {
    address: CollectionAddress,
    name: SnapshotName,
    place: TextField,
    overwrite: ChoiceField<bool>,
}

impl DownloadForm {
    /// With what is proposed for it.
    pub fn new(address: CollectionAddress, name: SnapshotName, model: &Model) -> Self {
        let choices =
            [(false, "keep", "stop, and keep the existing file"), (true, "overwrite", "replace it when the new one is whole")];
        let place = TextField::new("folder or file", model.surroundings.folder_text());
        Self { address, name, place, overwrite: ChoiceField::words("if it exists", choices) }
    }
}

impl Form for DownloadForm {
    fn title(&self) -> String {
        format!("Download from {}", self.address)
    }

    fn about(&self) -> String {
        self.address.snapshot(&self.name)
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
        Ok(Request::Download(DownloadRequest {
            address: self.address.clone(),
            which: Which::Named(self.name.clone()),
            target: surroundings.absolute(&typed_path(self.place.value())),
            overwrite: self.overwrite.value() == Some(&true),
        }))
    }
}
