//! What forms propose: the instance that something goes to, and the name it gets there. A proposed name follows the other lines
//! until the user edits it.

use crate::domain::address::{CollectionAddress, encode};
use crate::domain::ids::{CollectionName, InstanceName};
use crate::domain::instance::Protection;
use crate::ops::request::route::Route;
use crate::tui::panes::model::{InstanceState, Model};
use crate::tui::wizards::field::{ChoiceField, TextField};
use std::num::NonZeroU32;

/// The collection that is named, on the instance that is chosen.
///
/// # Errors
/// When there is none, in words.
pub(super) fn on(instance: &ChoiceField<InstanceName>, name: &TextField) -> Result<CollectionAddress, String> {
    let instance = instance.value().ok_or("no instance is configured")?;
    match name.value() {
        "" => Err("the collection's name is missing".to_owned()),
        name => CollectionAddress::parse(&format!("{instance}/{name}")),
    }
}

/// Which way the bytes of a snapshot on a node may go.
pub(super) fn routes() -> ChoiceField<Route> {
    let all = [
        (Route::Auto, "url, else stream"),
        (Route::Url, "the target fetches itself"),
        (Route::Stream, "through qsnap, without a file"),
    ];
    ChoiceField::words("route", all.map(|(route, meaning)| (route, route.word(), meaning)))
}

/// How many replicas each shard gets, where a cluster makes the collection anew.
pub(super) fn replicas() -> ChoiceField<Option<NonZeroU32>> {
    let options = (0..=5).map(|n| match NonZeroU32::new(n) {
        None => (None, "as it was".to_owned(), "as many of each shard".to_owned()),
        Some(n) => (Some(n), n.to_string(), "of each shard, where it goes shard by shard".to_owned()),
    });
    ChoiceField::new("replicas", options.collect(), 0)
}

/// Whether the chosen instance has several nodes.
pub(super) fn has_several_nodes(model: &Model, instance: &ChoiceField<InstanceName>) -> bool {
    let state = model.instances.iter().find(|state| Some(&state.name) == instance.value());
    state.and_then(|state| state.view.value()).is_some_and(|view| view.nodes.len() > 1)
}

/// The collection's own name, or a variation when the instance is known to have it.
pub(super) fn free_name(model: &Model, instance: &InstanceName, collection: &CollectionName, what: &str) -> String {
    let state = model.instances.iter().find(|state| state.name == *instance);
    let known = state.and_then(|state| state.collections.value());
    let has = |view: &crate::ops::survey::listing::CollectionView, name: &str| {
        view.address.collection.raw() == name || view.aliases.iter().any(|alias| alias == name)
    };
    let taken = |name: &str| known.is_some_and(|listing| listing.items.iter().any(|view| has(view, name)));
    let own = collection.raw();
    let candidates = std::iter::once(own.to_owned())
        .chain((1..100).map(|n| if n == 1 { format!("{own}-{what}") } else { format!("{own}-{what}-{n}") }));
    let free = candidates.into_iter().find(|name| !taken(name)).unwrap_or_else(|| own.to_owned());
    encode(&free)
}

/// Whether an instance answered when it was last asked; `None` when it was not asked yet.
pub(super) fn answers(state: &InstanceState) -> Option<bool> {
    if state.view.problem().is_some() {
        return Some(false);
    }
    state.view.value().map(|view| view.problem.is_none())
}

/// What a choice says of an instance.
pub(super) fn about_instance(state: &InstanceState) -> String {
    let protection = state.protection.word();
    if answers(state) == Some(false) { format!("{protection}; does not answer") } else { protection.to_owned() }
}

/// All instances as a choice, `at` marked.
pub(super) fn instances(label: &'static str, model: &Model, at: Option<&InstanceName>) -> ChoiceField<InstanceName> {
    let options = model.instances.iter().map(|state| (state.name.clone(), state.name.to_string(), about_instance(state)));
    let at = model.instances.iter().position(|state| Some(&state.name) == at).unwrap_or(0);
    ChoiceField::new(label, options.collect(), at)
}

/// The choice of a target; `other` begins with one that is not `own`. One that can be written and answers comes first.
pub(super) fn target(model: &Model, own: Option<&InstanceName>, other: bool) -> ChoiceField<InstanceName> {
    let rank = |state: &&InstanceState| {
        let writable = state.protection != Protection::ReadOnly;
        let dead = answers(state) == Some(false);
        (!writable, dead, (Some(&state.name) == own) == other)
    };
    let preferred = model.instances.iter().min_by_key(rank).map(|state| &state.name);
    instances("to instance", model, preferred)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::problem::{Problem, ProblemKind};
    use crate::tui::messages::event::{Now, Ticket};
    use crate::tui::screens::instance;

    fn model() -> Model {
        let all = [
            instance("prod-eu", Protection::Protected),
            instance("gone", Protection::Open),
            instance("lab", Protection::ReadOnly),
            instance("staging", Protection::Open),
        ];
        Model::new(&all, Now { mono: std::time::Duration::ZERO, wall: jiff::Timestamp::UNIX_EPOCH })
    }

    fn dies(model: &mut Model, index: usize) {
        let now = model.now;
        model.instances[index].view.ask(Ticket(1));
        model.instances[index].view.answer(Ticket(1), Err(Problem::new(ProblemKind::Unreachable, "refused", "")), now);
    }

    #[test]
    fn a_target_that_is_dead_or_read_only_is_not_proposed() {
        let own = InstanceName::new("prod-eu").unwrap();
        let mut model = model();
        assert_eq!(target(&model, Some(&own), true).value().unwrap().as_str(), "gone", "it is not known yet that it is dead");
        assert_eq!(target(&model, Some(&own), false).value().unwrap().as_str(), "prod-eu");
        dies(&mut model, 1);
        assert_eq!(target(&model, Some(&own), true).value().unwrap().as_str(), "staging");
        dies(&mut model, 3);
        assert_eq!(target(&model, Some(&own), true).value().unwrap().as_str(), "prod-eu", "the only one that answers");
        dies(&mut model, 0);
        assert_eq!(target(&model, Some(&own), true).value().unwrap().as_str(), "gone", "among dead ones another one");
    }
}
