//! What a form proposes: the instance that something goes to, and the name it gets there. A proposed name follows the
//! other fields until the user edits it.

use crate::domain::address::{CollectionAddress, encode};
use crate::domain::ids::{CollectionName, InstanceName};
use crate::domain::instance::Protection;
use crate::tui::form::Field;
use crate::tui::model::{InstanceState, Model};
use crate::tui::wizard::Kind;

/// The label of the fields that hold a collection's name.
pub(super) const COLLECTION: &str = "collection";

/// The label of the fields that choose the target.
pub(super) const TARGET: &str = "to instance";

/// Proposes the name again after another field changed.
pub(super) fn follow(kind: &Kind, fields: &mut [Field], model: &Model) {
    let Some(name) = name(kind, fields, model) else { return };
    if let Some(field) = fields.iter_mut().find(|field| field.label() == COLLECTION) {
        field.propose(&name);
    }
}

/// The name that the other fields ask for: only *new* needs a free one. In place and side by side are about the collection
/// that has the name, and *auto* looks itself.
fn name(kind: &Kind, fields: &[Field], model: &Model) -> Option<String> {
    let value = |label: &str| fields.iter().find(|field| field.label() == label).map_or("", Field::value);
    let of_mode = |address: &CollectionAddress| match value("mode") {
        "new" => free_name(model, value(TARGET), &address.collection, "restored"),
        _ => encode(address.collection.raw()),
    };
    match kind {
        Kind::Restore(address, _) | Kind::Upload(Some(address)) => Some(of_mode(address)),
        Kind::Migrate(address) if value(TARGET) == address.instance.as_str() => {
            Some(free_name(model, value(TARGET), &address.collection, "copy"))
        }
        Kind::Migrate(address) => Some(encode(address.collection.raw())),
        _ => None,
    }
}

/// The collection's own name, or a variation when the instance is known to have it.
fn free_name(model: &Model, instance: &str, collection: &CollectionName, what: &str) -> String {
    let state = model.instances.iter().find(|state| state.name.as_str() == instance);
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

/// Whether an instance answered when it was last asked; `None` when nobody asked yet.
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
pub(super) fn choice(label: &'static str, model: &Model, at: Option<&InstanceName>) -> Field {
    let options = model.instances.iter().map(|state| (state.name.to_string(), about_instance(state)));
    let at = model.instances.iter().position(|state| Some(&state.name) == at).unwrap_or(0);
    Field::choice(label, options.collect(), at)
}

/// The choice of a target; `other` begins with one that is not `own`. One that can be written and answers comes first.
pub(super) fn target(model: &Model, own: Option<&InstanceName>, other: bool) -> Field {
    let rank = |state: &&InstanceState| {
        let writable = state.protection != Protection::ReadOnly;
        let dead = answers(state) == Some(false);
        (!writable, dead, (Some(&state.name) == own) == other)
    };
    let preferred = model.instances.iter().min_by_key(rank).map(|state| &state.name);
    choice(TARGET, model, preferred)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::problem::{Problem, ProblemKind};
    use crate::tui::event::{Now, Ticket};
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
        assert_eq!(target(&model, Some(&own), true).value(), "gone", "nobody knows yet that it is dead");
        assert_eq!(target(&model, Some(&own), false).value(), "prod-eu");
        dies(&mut model, 1);
        assert_eq!(target(&model, Some(&own), true).value(), "staging");
        dies(&mut model, 3);
        assert_eq!(target(&model, Some(&own), true).value(), "prod-eu", "the only one that answers");
        dies(&mut model, 0);
        assert_eq!(target(&model, Some(&own), true).value(), "gone", "among dead ones another one");
    }
}
