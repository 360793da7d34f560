//! The form that brings a deleted collection back. Names that history and proofs know are offered below it.

use crate::domain::ids::InstanceName;
use crate::ops::request::Request;
use crate::ops::request::collections::ReviveRequest;
use crate::tui::messages::surroundings::Surroundings;
use crate::tui::panes::model::Model;
use crate::tui::wizards::field::{ChoiceField, Field, TextField};
use crate::tui::wizards::form::{Form, Offered};
use crate::tui::wizards::proposals::{on, target};

/// A collection that is not there any more.
#[derive(Debug)]
pub struct ReviveForm {
    to: ChoiceField<InstanceName>,
    collection: TextField,
}

impl ReviveForm {
    /// On the instance that is shown.
    pub fn new(instance: Option<&InstanceName>, model: &Model) -> Self {
        Self { to: target(model, instance, false), collection: TextField::new("collection", "") }
    }
}

impl Form for ReviveForm {
    fn title(&self) -> String {
        "Bring back a deleted collection".into()
    }

    fn about(&self) -> String {
        "Its snapshots may still be on the node's disk. Give its name: an empty collection of that name is made for a moment, \
         because only then they can be listed"
            .into()
    }

    fn lines(&self) -> Vec<&dyn Field> {
        vec![&self.to, &self.collection]
    }

    fn lines_mut(&mut self) -> Vec<&mut dyn Field> {
        vec![&mut self.to, &mut self.collection]
    }

    fn offered(&self) -> Option<Offered> {
        let instance = self.to.value().map_or_else(String::new, ToString::to_string);
        Some(Offered { line: 1, typed: self.collection.value().to_owned(), instance })
    }

    fn offered_line(&mut self) -> Option<&mut TextField> {
        Some(&mut self.collection)
    }

    fn request(&self, _: &Surroundings) -> Result<Request, String> {
        Ok(Request::Revive(ReviveRequest { address: on(&self.to, &self.collection)?, snapshot: None }))
    }
}
