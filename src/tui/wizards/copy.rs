//! The forms of a copy: of one collection, and of several.

use crate::domain::address::{CollectionAddress, encode};
use crate::domain::ids::{CollectionName, InstanceName};
use crate::domain::text::one_line;
use crate::ops::request::Request;
use crate::ops::request::copy::{CopyRequest, FleetRequest, NameMap};
use crate::ops::request::route::Route;
use crate::ops::request::skips::Skips;
use crate::tui::messages::surroundings::Surroundings;
use crate::tui::panes::model::Model;
use crate::tui::wizards::field::{ChoiceField, Field, TextField};
use crate::tui::wizards::form::Form;
use crate::tui::wizards::proposals::{free_name, has_several_nodes, on, replicas, routes, target};
use std::num::NonZeroU32;

/// One collection.
#[derive(Debug)]
pub struct CopyForm {
    source: CollectionAddress,
    to: ChoiceField<InstanceName>,
    collection: TextField,
    route: ChoiceField<Route>,
    replicas: ChoiceField<Option<NonZeroU32>>,
    /// The target is a cluster: how many replicas is asked.
    spread: bool,
}

impl CopyForm {
    /// With what is proposed for it.
    pub fn new(source: CollectionAddress, model: &Model) -> Self {
        let mut form = Self {
            to: target(model, Some(&source.instance), true),
            collection: TextField::new("collection", &encode(source.collection.raw())),
            route: routes(),
            replicas: replicas(),
            spread: false,
            source,
        };
        form.follow(model);
        form
    }
}

impl Form for CopyForm {
    fn title(&self) -> String {
        format!("Migrate {}", self.source)
    }

    fn about(&self) -> String {
        self.source.to_string()
    }

    fn lines(&self) -> Vec<&dyn Field> {
        let mut lines: Vec<&dyn Field> = vec![&self.to, &self.collection, &self.route];
        if self.spread {
            lines.push(&self.replicas);
        }
        lines
    }

    fn lines_mut(&mut self) -> Vec<&mut dyn Field> {
        let mut lines: Vec<&mut dyn Field> = vec![&mut self.to, &mut self.collection, &mut self.route];
        if self.spread {
            lines.push(&mut self.replicas);
        }
        lines
    }

    fn follow(&mut self, model: &Model) {
        let name = match self.to.value() {
            Some(to) if *to == self.source.instance => free_name(model, to, &self.source.collection, "copy"),
            _ => encode(self.source.collection.raw()),
        };
        self.collection.propose(&name);
        self.spread = has_several_nodes(model, &self.to);
    }

    fn request(&self, _: &Surroundings) -> Result<Request, String> {
        let route = self.route.value().copied().unwrap_or_default();
        let replicas = self.replicas.value().copied().flatten().filter(|_| self.spread);
        let plain = CopyRequest::new(self.source.clone(), on(&self.to, &self.collection)?, route);
        Ok(Request::Copy(CopyRequest { replicas, ..plain }))
    }
}

/// Several collections of an instance.
#[derive(Debug)]
pub struct FleetForm {
    from: InstanceName,
    names: Vec<CollectionName>,
    to: ChoiceField<InstanceName>,
    prefix: TextField,
    suffix: TextField,
    /// Carry them.
    aliases: ChoiceField<bool>,
    /// Take no safety snapshots.
    unsafely: ChoiceField<bool>,
}

impl FleetForm {
    /// With what is proposed for it.
    pub fn new(from: InstanceName, names: Vec<CollectionName>, model: &Model) -> Self {
        Self {
            to: target(model, Some(&from), true),
            prefix: TextField::new("prefix", ""),
            suffix: TextField::new("suffix", ""),
            aliases: ChoiceField::words(
                "aliases",
                [(false, "leave", "make none on the target"), (true, "carry", "make them too, where their names are free")],
            ),
            unsafely: ChoiceField::words(
                "existing data",
                [(false, "secure", "a safety snapshot of each first"), (true, "no-safety", "NO safety snapshots: no way back")],
            ),
            from,
            names,
        }
    }
}

impl Form for FleetForm {
    fn title(&self) -> String {
        format!("Migrate {} collections of {}", self.names.len(), self.from)
    }

    fn about(&self) -> String {
        one_line(&self.names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "), 300)
    }

    fn lines(&self) -> Vec<&dyn Field> {
        vec![&self.to, &self.prefix, &self.suffix, &self.aliases, &self.unsafely]
    }

    fn lines_mut(&mut self) -> Vec<&mut dyn Field> {
        vec![&mut self.to, &mut self.prefix, &mut self.suffix, &mut self.aliases, &mut self.unsafely]
    }

    fn request(&self, _: &Surroundings) -> Result<Request, String> {
        let chosen = |field: &ChoiceField<bool>| field.value() == Some(&true);
        Ok(Request::Fleet(FleetRequest {
            from: self.from.clone(),
            collections: self.names.clone(),
            to: self.to.value().cloned().ok_or("no instance is configured")?,
            names: NameMap {
                prefix: self.prefix.value().to_owned(),
                suffix: self.suffix.value().to_owned(),
                ..NameMap::default()
            },
            route: Route::Auto,
            skips: Skips { safety: chosen(&self.unsafely), proof: false },
            force: Vec::new(),
            deep: false,
            aliases: chosen(&self.aliases),
        }))
    }
}
