//! The form of a restore, from a recovery point or from a local file that is uploaded.

use crate::domain::address::{CollectionAddress, encode};
use crate::domain::ids::InstanceName;
use crate::ops::request::Request;
use crate::ops::request::recovery_point::RecoveryPoint;
use crate::ops::request::restore::{Mode, RestoreRequest};
use crate::ops::request::route::Route;
use crate::tui::messages::surroundings::Surroundings;
use crate::tui::panes::model::Model;
use crate::tui::wizards::field::{ChoiceField, Field, TextField, typed_path};
use crate::tui::wizards::form::Form;
use crate::tui::wizards::proposals::{free_name, has_several_nodes, on, replicas, routes, target};
use std::num::NonZeroU32;

/// A recovery point of a collection.
#[derive(Debug)]
pub struct RestoreForm {
    source: RecoveryPoint,
    /// Of which collection it is.
    of: Option<CollectionAddress>,
    to: ChoiceField<InstanceName>,
    collection: TextField,
    mode: ChoiceField<Mode>,
    route: ChoiceField<Route>,
    replicas: ChoiceField<Option<NonZeroU32>>,
    /// A backup goes to a cluster: how many replicas is asked.
    spread: bool,
}

impl RestoreForm {
    /// With what is proposed for it.
    pub fn new(source: RecoveryPoint, model: &Model) -> Self {
        let of = source.collection().cloned();
        let name = of.as_ref().map_or_else(String::new, |of| encode(of.collection.raw()));
        let mut form = Self {
            to: target(model, of.as_ref().map(|of| &of.instance), true),
            collection: TextField::new("collection", &name),
            mode: modes(),
            route: routes(),
            replicas: replicas(),
            spread: false,
            of,
            source,
        };
        form.follow(model);
        form
    }
}

impl Form for RestoreForm {
    fn title(&self) -> String {
        self.of.as_ref().map_or_else(|| "Restore".to_owned(), |of| format!("Restore {of}"))
    }

    fn about(&self) -> String {
        self.source.to_string()
    }

    fn lines(&self) -> Vec<&dyn Field> {
        let mut lines: Vec<&dyn Field> = vec![&self.to, &self.collection, &self.mode, &self.route];
        if self.spread {
            lines.push(&self.replicas);
        }
        lines
    }

    fn lines_mut(&mut self) -> Vec<&mut dyn Field> {
        let mut lines: Vec<&mut dyn Field> = vec![&mut self.to, &mut self.collection, &mut self.mode, &mut self.route];
        if self.spread {
            lines.push(&mut self.replicas);
        }
        lines
    }

    fn follow(&mut self, model: &Model) {
        if let Some(of) = &self.of {
            self.collection.propose(&name(of, &self.to, &self.mode, model));
        }
        self.spread = matches!(self.source, RecoveryPoint::Backup(_)) && has_several_nodes(model, &self.to);
    }

    fn request(&self, _: &Surroundings) -> Result<Request, String> {
        let target = on(&self.to, &self.collection)?;
        let replicas = chosen(&self.replicas).filter(|_| self.spread);
        let plain = RestoreRequest::new(self.source.clone(), target, chosen(&self.mode), chosen(&self.route));
        Ok(Request::Restore(RestoreRequest { replicas, ..plain }))
    }
}

/// A local file.
#[derive(Debug)]
pub struct UploadForm {
    /// The collection that it is for, where that is known.
    known: Option<CollectionAddress>,
    file: TextField,
    to: ChoiceField<InstanceName>,
    collection: TextField,
    mode: ChoiceField<Mode>,
}

impl UploadForm {
    /// With what is proposed for it.
    pub fn new(known: Option<CollectionAddress>, model: &Model) -> Self {
        let current = model.instance().map(|state| &state.name);
        let name = known.as_ref().map_or_else(String::new, |known| encode(known.collection.raw()));
        let mut form = Self {
            file: TextField::new("file", ""),
            to: target(model, known.as_ref().map(|known| &known.instance).or(current), false),
            collection: TextField::new("collection", &name),
            mode: modes(),
            known,
        };
        form.follow(model);
        form
    }
}

impl Form for UploadForm {
    fn title(&self) -> String {
        "Upload a file and restore it".into()
    }

    fn about(&self) -> String {
        "Qdrant restores what is uploaded at once: give the collection it should become".into()
    }

    fn lines(&self) -> Vec<&dyn Field> {
        vec![&self.file, &self.to, &self.collection, &self.mode]
    }

    fn lines_mut(&mut self) -> Vec<&mut dyn Field> {
        vec![&mut self.file, &mut self.to, &mut self.collection, &mut self.mode]
    }

    fn follow(&mut self, model: &Model) {
        if let Some(known) = &self.known {
            self.collection.propose(&name(known, &self.to, &self.mode, model));
        }
    }

    fn request(&self, surroundings: &Surroundings) -> Result<Request, String> {
        if self.file.value().is_empty() {
            return Err("the file is missing".into());
        }
        let source = RecoveryPoint::File(surroundings.absolute(&typed_path(self.file.value())));
        let target = on(&self.to, &self.collection)?;
        Ok(Request::Restore(RestoreRequest::new(source, target, chosen(&self.mode), Route::Upload)))
    }
}

fn modes() -> ChoiceField<Mode> {
    let all = [
        (Mode::Auto, "to a free name, or beside a taken one"),
        (Mode::New, "only to a free name"),
        (Mode::SideBySide, "beside the collection, which is not touched"),
        (Mode::InPlace, "over the collection: saved and proven first"),
    ];
    ChoiceField::words("mode", all.map(|(mode, meaning)| (mode, mode.word(), meaning)))
}

fn chosen<T: Copy + Default>(field: &ChoiceField<T>) -> T {
    field.value().copied().unwrap_or_default()
}

/// The name that the other lines ask for: only *new* needs a free one. In place and side by side are about the collection that
/// has the name, and *auto* looks itself.
fn name(address: &CollectionAddress, to: &ChoiceField<InstanceName>, mode: &ChoiceField<Mode>, model: &Model) -> String {
    match (mode.value(), to.value()) {
        (Some(Mode::New), Some(to)) => free_name(model, to, &address.collection, "restored"),
        _ => encode(address.collection.raw()),
    }
}
