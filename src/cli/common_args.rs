//! What arguments mean that several commands have: how careful they are, where they go, and what names become.

use crate::cli::args::{CareArgs, ModeArg, NamesArgs, RouteArg, SkipArg};
use crate::cli::usage::usage;
use crate::domain::address::CollectionAddress;
use crate::domain::problem::Problem;
use crate::ops::request::Request;
use crate::ops::request::copy::NameMap;
use crate::ops::request::restore::{Mode, RestoreRequest};
use crate::ops::request::route::Route;
use crate::ops::request::skips::Skips;

/// The name of a collection as it is typed: what is odd in it is written as %XX.
pub(super) fn collection_name(text: &str) -> Result<String, Problem> {
    CollectionAddress::parse(&format!("x/{text}")).map(|address| address.collection.raw().to_owned()).map_err(usage)
}

/// What names become.
pub(super) fn names(args: &NamesArgs) -> Result<NameMap, Problem> {
    let mut renames = std::collections::BTreeMap::new();
    for text in &args.rename {
        match text.split_once('=') {
            Some((old, new)) if !old.is_empty() && !new.is_empty() => {
                // As everywhere: what is odd in a name is written as %XX.
                renames.insert(collection_name(old)?, collection_name(new)?)
            }
            _ => return Err(usage("--rename takes OLD=NEW")),
        };
    }
    Ok(NameMap { prefix: args.prefix.clone(), suffix: args.suffix.clone(), renames })
}

/// A restore with its care.
pub(super) fn careful(request: RestoreRequest, care: CareArgs) -> Request {
    Request::Restore(RestoreRequest { skips: skips(&care), force: care.force, deep: care.deep, ..request })
}

/// What an operation leaves out.
pub(super) fn skips(care: &CareArgs) -> Skips {
    skipped(&care.skip)
}

/// What the command line leaves out.
pub(super) fn skipped(skip: &[SkipArg]) -> Skips {
    Skips { safety: skip.contains(&SkipArg::Safety), proof: skip.contains(&SkipArg::Proof) }
}

impl From<ModeArg> for Mode {
    fn from(arg: ModeArg) -> Self {
        match arg {
            ModeArg::Auto => Self::Auto,
            ModeArg::New => Self::New,
            ModeArg::SideBySide => Self::SideBySide,
            ModeArg::InPlace => Self::InPlace,
        }
    }
}

impl From<RouteArg> for Route {
    fn from(arg: RouteArg) -> Self {
        match arg {
            RouteArg::Auto => Self::Auto,
            RouteArg::Url => Self::Url,
            RouteArg::Stream => Self::Stream,
            RouteArg::Upload => Self::Upload,
        }
    }
}
