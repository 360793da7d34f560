//! The form of a note or a hold on a backup.

use crate::domain::address::BackupAddress;
use crate::ops::request::Request;
use crate::ops::request::backups::{AnnotateRequest, Annotation};
use crate::tui::messages::surroundings::Surroundings;
use crate::tui::wizards::field::{Field, TextField};
use crate::tui::wizards::form::Form;

/// A backup, and what is said of it.
#[derive(Debug)]
pub struct AnnotateForm {
    backup: BackupAddress,
    holds: bool,
    text: TextField,
}

impl AnnotateForm {
    /// With the words that are there already.
    pub fn new(backup: BackupAddress, says: Annotation) -> Self {
        let (holds, label, text) = match says {
            Annotation::Hold(why) => (true, "why", why),
            Annotation::Note(text) => (false, "note", text),
            Annotation::Release => (true, "why", String::new()),
        };
        Self { backup, holds, text: TextField::new(label, &text) }
    }
}

impl Form for AnnotateForm {
    fn title(&self) -> String {
        if self.holds { "Hold a backup".into() } else { "Note on a backup".into() }
    }

    fn about(&self) -> String {
        self.backup.to_string()
    }

    fn lines(&self) -> Vec<&dyn Field> {
        vec![&self.text]
    }

    fn lines_mut(&mut self) -> Vec<&mut dyn Field> {
        vec![&mut self.text]
    }

    fn request(&self, _: &Surroundings) -> Result<Request, String> {
        let text = self.text.value().to_owned();
        let says = if self.holds { Annotation::Hold(text) } else { Annotation::Note(text) };
        Ok(Request::Annotate(AnnotateRequest { backup: self.backup.clone(), says }))
    }
}
