//! The form of a comparison: by default with the collection of the same name on another instance.

use crate::domain::address::{CollectionAddress, encode};
use crate::domain::ids::InstanceName;
use crate::ops::request::Request;
use crate::ops::request::collections::CompareRequest;
use crate::tui::messages::surroundings::Surroundings;
use crate::tui::panes::model::{InstanceState, Model};
use crate::tui::wizards::field::{ChoiceField, Field, TextField};
use crate::tui::wizards::form::Form;
use crate::tui::wizards::proposals::{answers, instances, on};

/// A collection, and what it is compared with.
#[derive(Debug)]
pub struct CompareForm {
    first: CollectionAddress,
    with: ChoiceField<InstanceName>,
    collection: TextField,
    deep: ChoiceField<bool>,
}

impl CompareForm {
    /// With what is proposed for it; the other one may be chosen already.
    pub fn new(first: CollectionAddress, second: Option<&CollectionAddress>, model: &Model) -> Self {
        let fits = |state: &&InstanceState| match second {
            Some(second) => state.name == second.instance,
            None => state.name != first.instance,
        };
        let has_it = |state: &&InstanceState| {
            let known = state.collections.value();
            fits(state) && known.is_some_and(|known| known.items.iter().any(|view| view.address.collection == first.collection))
        };
        let rank = |state: &&InstanceState| (!fits(state), answers(state) == Some(false), !has_it(state));
        let preferred = model.instances.iter().min_by_key(rank).map(|state| &state.name);
        let depths =
            [(false, "sample", "counts, and random points of both"), (true, "deep", "every point with payload and vectors")];
        Self {
            with: instances("with instance", model, preferred),
            collection: TextField::new("collection", &encode(second.unwrap_or(&first).collection.raw())),
            deep: ChoiceField::words("depth", depths),
            first,
        }
    }
}

impl Form for CompareForm {
    fn title(&self) -> String {
        format!("Compare {}", self.first)
    }

    fn about(&self) -> String {
        self.first.to_string()
    }

    fn lines(&self) -> Vec<&dyn Field> {
        vec![&self.with, &self.collection, &self.deep]
    }

    fn lines_mut(&mut self) -> Vec<&mut dyn Field> {
        vec![&mut self.with, &mut self.collection, &mut self.deep]
    }

    fn request(&self, _: &Surroundings) -> Result<Request, String> {
        let (first, second) = (self.first.clone(), on(&self.with, &self.collection)?);
        if second == first {
            return Err(format!("{first} is always equal to itself: choose another instance or collection"));
        }
        Ok(Request::Compare(CompareRequest { first, second, deep: self.deep.value() == Some(&true) }))
    }
}
