//! What the fields of a wizard are, and the specification that they make.

use crate::domain::address::{Address, CollectionAddress, Which, encode};
use crate::domain::ids::InstanceName;
use crate::ops::request::Request;
use crate::ops::request::collections::CompareRequest;
use crate::ops::request::collections::ReviveRequest;
use crate::ops::request::copy::CopyRequest;
use crate::ops::request::copy::{FleetRequest, NameMap};
use crate::ops::request::recovery_point::RecoveryPoint;
use crate::ops::request::restore::{Mode, RestoreRequest};
use crate::ops::request::route::Route;
use crate::ops::request::skips::Skips;
use crate::ops::request::snapshots::CreateRequest;
use crate::ops::request::snapshots::DeleteRequest;
use crate::ops::request::snapshots::DiscardRequest;
use crate::ops::request::snapshots::DownloadRequest;
use crate::tui::form::{self, Field};
use crate::tui::model::{InstanceState, Model};
use crate::tui::proposals;
use crate::tui::surroundings::Surroundings;
use crate::tui::wizard::Kind;

/// The label of the field that says where a download goes.
const PLACE: &str = "folder or file";

/// The fields, with what is proposed for them.
pub(super) fn fields_of(kind: &Kind, model: &Model) -> Vec<Field> {
    let mut fields = plain_fields(kind, model);
    proposals::follow(kind, &mut fields, model);
    fields
}

fn plain_fields(kind: &Kind, model: &Model) -> Vec<Field> {
    let current = model.instance().map(|state| state.name.clone());
    match kind {
        Kind::Snapshot(_) | Kind::Delete(..) | Kind::Resume(_) | Kind::Discard(_) | Kind::Chosen(_) => Vec::new(),
        Kind::Download(..) => vec![
            Field::text(PLACE, model.surroundings.folder_text()),
            Field::choice(
                "if it exists",
                words(&[("keep", "stop, and keep what is there"), ("overwrite", "replace it when the new one is whole")]),
                0,
            ),
        ],
        Kind::Upload(known) => vec![
            Field::text("file", ""),
            proposals::target(model, known.as_ref().map(|known| &known.instance).or(current.as_ref()), false),
            Field::text("collection", &known.as_ref().map_or_else(String::new, |known| encode(known.collection.raw()))),
            mode_field(),
        ],
        Kind::Restore(address, _) => {
            let instance = proposals::target(model, Some(&address.instance), true);
            let routes = words(&[
                ("auto", "url, else stream"),
                ("url", "the target fetches itself"),
                ("stream", "through qsnap, without a file"),
            ]);
            let name = Field::text("collection", &encode(address.collection.raw()));
            vec![instance, name, mode_field(), Field::choice("route", routes, 0)]
        }
        Kind::Revive(instance) => {
            vec![proposals::target(model, instance.as_ref(), false), Field::text("collection", "")]
        }
        Kind::Fleet(from, _) => vec![
            proposals::target(model, Some(from), true),
            Field::text("prefix", ""),
            Field::text("suffix", ""),
            Field::choice(
                "aliases",
                words(&[("leave", "make none on the target"), ("carry", "make them too, where their names are free")]),
                0,
            ),
            Field::choice(
                "what is there",
                words(&[("secure", "a safety snapshot of each first"), ("no-safety", "NO safety snapshots: no way back")]),
                0,
            ),
        ],
        Kind::Migrate(address) => {
            let routes = words(&[
                ("auto", "url, else stream"),
                ("url", "the target fetches itself"),
                ("stream", "through qsnap, without a file"),
            ]);
            vec![
                proposals::target(model, Some(&address.instance), true),
                Field::text("collection", &encode(address.collection.raw())),
                Field::choice("route", routes, 0),
            ]
        }
        Kind::Compare(first, second) => compared_fields(model, first, second.as_ref()),
    }
}

/// What a collection is compared with: by default the one of the same name on another instance.
fn compared_fields(model: &Model, first: &CollectionAddress, second: Option<&CollectionAddress>) -> Vec<Field> {
    let fits = |state: &&InstanceState| match second {
        Some(second) => state.name == second.instance,
        None => state.name != first.instance,
    };
    let has_it = |state: &&InstanceState| {
        let known = state.collections.value();
        fits(state) && known.is_some_and(|known| known.items.iter().any(|view| view.address.collection == first.collection))
    };
    let rank = |state: &&InstanceState| (!fits(state), proposals::answers(state) == Some(false), !has_it(state));
    let preferred = model.instances.iter().min_by_key(rank).map(|state| &state.name);
    let depth = words(&[("sample", "counts, and random points of both"), ("deep", "every point with payload and vectors")]);
    vec![
        proposals::choice("with instance", model, preferred),
        Field::text("collection", &encode(second.unwrap_or(first).collection.raw())),
        Field::choice("depth", depth, 0),
    ]
}

fn words(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(word, meaning)| ((*word).to_owned(), (*meaning).to_owned())).collect()
}

fn mode_field() -> Field {
    Field::choice(
        "mode",
        words(&[
            ("auto", "a free name: there; a taken one: beside it"),
            ("new", "only to a free name"),
            ("side-by-side", "beside what is there, which is not touched"),
            ("in-place", "over what is there: secured and proven first"),
        ]),
        0,
    )
}

/// What the fields say.
///
/// # Errors
/// What is wrong with them, in words.
pub(super) fn spec_of(kind: &Kind, fields: &[Field], surroundings: &Surroundings) -> Result<Request, String> {
    let value = |label: &str| fields.iter().find(|field| field.label() == label).map_or("", Field::value);
    let address_on = |label: &str| {
        let name = value("collection").trim();
        if name.is_empty() {
            return Err("the collection's name is missing".to_owned());
        }
        CollectionAddress::parse(&format!("{}/{name}", value(label)))
    };
    let target = || address_on("to instance");
    let mode = || match value("mode") {
        "in-place" => Mode::InPlace,
        "side-by-side" => Mode::SideBySide,
        "new" => Mode::New,
        _ => Mode::Auto,
    };
    let route = || match value("route") {
        "url" => Route::Url,
        "stream" => Route::Stream,
        _ => Route::Auto,
    };
    Ok(match kind {
        Kind::Snapshot(address) => Request::Create(CreateRequest { address: address.clone() }),
        Kind::Delete(address, names) => Request::Delete(DeleteRequest { address: address.clone(), names: names.clone() }),
        Kind::Download(address, name) => {
            let place = value(PLACE).trim();
            if place.is_empty() {
                return Err("the folder or file is missing; `.` is the current folder".into());
            }
            Request::Download(DownloadRequest {
                address: address.clone(),
                which: Which::Named(name.clone()),
                target: surroundings.absolute(&form::typed_path(place)),
                overwrite: value("if it exists") == "overwrite",
            })
        }
        Kind::Upload(_) => {
            let file = value("file").trim();
            if file.is_empty() {
                return Err("the file is missing".into());
            }
            let source = RecoveryPoint::File(surroundings.absolute(&form::typed_path(file)));
            Request::Restore(RestoreRequest::new(source, target()?, mode(), Route::Upload))
        }
        Kind::Restore(address, which) => {
            let source = RecoveryPoint::Snapshot(address.clone(), which.clone());
            Request::Restore(RestoreRequest::new(source, target()?, mode(), route()))
        }
        Kind::Resume(request) => Request::Download(request.clone()),
        Kind::Discard(file) => Request::Discard(DiscardRequest { file: file.clone() }),
        Kind::Chosen(request) => request.as_ref().clone(),
        Kind::Revive(_) => Request::Revive(ReviveRequest { address: target()?, snapshot: None }),
        Kind::Fleet(from, names) => Request::Fleet(FleetRequest {
            from: from.clone(),
            collections: names.clone(),
            to: InstanceName::new(value("to instance"))?,
            names: NameMap {
                prefix: value("prefix").trim().to_owned(),
                suffix: value("suffix").trim().to_owned(),
                ..NameMap::default()
            },
            route: Route::Auto,
            skips: Skips { safety: value("what is there") == "no-safety", proof: false },
            force: Vec::new(),
            deep: false,
            aliases: value("aliases") == "carry",
        }),
        Kind::Migrate(address) => Request::Copy(CopyRequest::new(address.clone(), target()?, route())),
        Kind::Compare(first, _) => {
            let second = address_on("with instance")?;
            if second == *first {
                return Err(format!("{first} is always equal to itself: choose another instance or collection"));
            }
            Request::Compare(CompareRequest { first: first.clone(), second, deep: value("depth") == "deep" })
        }
    })
}

/// What a wizard would be for, to plan a specification again.
pub fn kind_of(request: &Request) -> Kind {
    match request {
        Request::Create(request) => Kind::Snapshot(request.address.clone()),
        Request::Download(request) => match &request.which {
            Which::Named(name) => Kind::Download(request.address.clone(), name.clone()),
            Which::Latest => Kind::Resume(request.clone()),
        },
        Request::Discard(request) => Kind::Discard(request.file.clone()),
        Request::Delete(request) => Kind::Delete(request.address.clone(), request.names.clone()),
        Request::Restore(request) => match &request.source {
            RecoveryPoint::Snapshot(address, which) => Kind::Restore(address.clone(), which.clone()),
            _ => Kind::Upload(Some(request.target.clone())),
        },
        Request::Copy(request) => Kind::Migrate(request.source.clone()),
        Request::Compare(request) => Kind::Compare(request.first.clone(), Some(request.second.clone())),
        Request::Fleet(_) | Request::Switch(_) | Request::Drop(_) | Request::Revive(_) | Request::Settle(_) => {
            Kind::Chosen(Box::new(request.clone()))
        }
    }
}

/// What a wizard without a form is called.
pub(super) fn title_of(request: &Request) -> String {
    match request {
        Request::Switch(request) => format!("Switch the alias {}", crate::domain::text::one_line(&request.alias, 60)),
        Request::Drop(request) => format!("Delete {}", request.address),
        Request::Revive(request) => format!("Bring back {}", request.address),
        Request::Settle(request) => format!("{} {}", request.way.word(), request.id),
        Request::Restore(request) => format!("Restore → {}", request.target),
        Request::Copy(request) => format!("Migrate {}", request.source),
        Request::Fleet(request) => format!("Migrate collections of {}", request.from),
        Request::Create(request) => format!("Snapshot {}", request.address),
        Request::Download(request) => format!("Download from {}", request.address),
        Request::Delete(request) => format!("Delete a recovery point of {}", request.address),
        Request::Discard(_) => "Discard an interrupted download".into(),
        Request::Compare(request) => format!("Compare {}", request.first),
    }
}

/// The recovery point in words, for the form.
pub fn about(kind: &Kind) -> String {
    match kind {
        Kind::Delete(address, names) => {
            let each = names.iter().map(|name| Address::Snapshot(address.clone(), Which::Named(name.clone())).to_string());
            each.collect::<Vec<_>>().join(", ")
        }
        Kind::Download(address, name) => Address::Snapshot(address.clone(), Which::Named(name.clone())).to_string(),
        Kind::Restore(address, which) => Address::Snapshot(address.clone(), which.clone()).to_string(),
        Kind::Snapshot(address) | Kind::Migrate(address) | Kind::Compare(address, _) => address.to_string(),
        Kind::Resume(request) => Address::Snapshot(request.address.clone(), request.which.clone()).to_string(),
        Kind::Discard(file) => crate::domain::text::sanitise(&file.display().to_string()),
        Kind::Chosen(_) => String::new(),
        Kind::Fleet(_, names) => {
            crate::domain::text::one_line(&names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "), 300)
        }
        Kind::Revive(_) => {
            "Its snapshots may still be on the node's disk. Give its name: an empty collection of that name is made for a \
             moment, because only then they can be listed"
                .into()
        }
        Kind::Upload(_) => "Qdrant restores what is uploaded at once: give the collection it should become".into(),
    }
}
