//! The form that restores a whole instance.

use crate::domain::ids::InstanceName;
use crate::ops::request::Request;
use crate::ops::request::copy::NameMap;
use crate::ops::request::restore::{Mode, RestoreAllRequest, Set};
use crate::ops::request::skips::Skips;
use crate::tui::messages::surroundings::Surroundings;
use crate::tui::panes::model::Model;
use crate::tui::wizards::field::{ChoiceField, Field, TextField};
use crate::tui::wizards::form::Form;
use crate::tui::wizards::proposals::target;

/// All collections of a set.
#[derive(Debug)]
pub struct RestoreAllForm {
    set: Set,
    to: ChoiceField<InstanceName>,
    prefix: TextField,
    suffix: TextField,
    mode: ChoiceField<Mode>,
}

impl RestoreAllForm {
    /// With what is proposed for it.
    pub fn new(set: Set, model: &Model) -> Self {
        let from = match &set {
            Set::Storage(point) => point.instance(),
            Set::Run(_, instance, _) => Some(instance),
        };
        let modes = [
            (Mode::Auto, "auto", "a free name is used itself; beside what is there, if there is something"),
            (Mode::New, "new", "only to free names: stops where one is taken"),
            (Mode::InPlace, "in-place", "over existing collections, each proven and secured first"),
        ];
        Self {
            to: target(model, from, true),
            prefix: TextField::new("prefix", ""),
            suffix: TextField::new("suffix", ""),
            mode: ChoiceField::words("existing names", modes),
            set,
        }
    }
}

impl Form for RestoreAllForm {
    fn title(&self) -> String {
        "Restore a whole instance".into()
    }

    fn about(&self) -> String {
        self.set.to_string()
    }

    fn lines(&self) -> Vec<&dyn Field> {
        vec![&self.to, &self.prefix, &self.suffix, &self.mode]
    }

    fn lines_mut(&mut self) -> Vec<&mut dyn Field> {
        vec![&mut self.to, &mut self.prefix, &mut self.suffix, &mut self.mode]
    }

    fn request(&self, _: &Surroundings) -> Result<Request, String> {
        Ok(Request::RestoreAll(RestoreAllRequest {
            set: self.set.clone(),
            to: self.to.value().cloned().ok_or("no instance is configured")?,
            names: NameMap {
                prefix: self.prefix.value().to_owned(),
                suffix: self.suffix.value().to_owned(),
                ..NameMap::default()
            },
            mode: self.mode.value().copied().unwrap_or_default(),
            skips: Skips::default(),
            force: Vec::new(),
            deep: false,
        }))
    }
}
