//! From the arguments of `qsnap restore` to a request.

use crate::cli::args::{ModeArg, RestoreArgs};
use crate::cli::common_args::{careful, collection_name, names, skips};
use crate::cli::usage::usage;
use crate::domain::address::{Address, CollectionAddress};
use crate::domain::ids::CollectionName;
use crate::domain::problem::Problem;
use crate::ops::request::Request;
use crate::ops::request::copy::NameMap;
use crate::ops::request::recovery_point::RecoveryPoint;
use crate::ops::request::restore::{RestoreAllRequest, RestoreRequest, Set};
use crate::ops::request::route::Route;

/// One collection, or with --all those of a set.
pub(super) fn restore(args: RestoreArgs) -> Result<Request, Problem> {
    if args.all {
        return restore_all(&args);
    }
    if names(&args.names)? != NameMap::default() {
        return Err(usage("--prefix, --suffix and --rename are for --all; --to names the collection of a single restore"));
    }
    let address = Address::parse(&args.point).map_err(usage)?;
    let Some(source) = RecoveryPoint::of(address) else {
        return Err(usage(format!(
            "`{}` is no recovery point: write INSTANCE/COLLECTION/SNAPSHOT, INSTANCE/COLLECTION@latest, a backup or a file",
            crate::domain::text::sanitise(&args.point)
        )));
    };
    if let RecoveryPoint::Storage(..) = source {
        return Err(usage(format!(
            "`{source}` holds a whole instance: --all with --to INSTANCE restores all of it, {source}#COLLECTION one collection"
        )));
    }
    let target = CollectionAddress::parse(&args.to).map_err(usage)?;
    let route: Route = args.route.into();
    match (&source, route) {
        (RecoveryPoint::File(_), Route::Url | Route::Stream) => {
            return Err(usage("a local file can only be uploaded: leave out --route"));
        }
        (RecoveryPoint::Member(..), Route::Url | Route::Upload) => {
            return Err(usage("a part of a larger file goes through qsnap: leave out --route"));
        }
        (RecoveryPoint::Snapshot(..) | RecoveryPoint::Backup(_), Route::Upload) => {
            return Err(usage("a snapshot or a backup goes by url or stream; upload is for local files"));
        }
        _ => {}
    }
    let beside = args.beside.as_deref().map(collection_name).transpose()?.map(CollectionName::new);
    if beside.is_some() && args.mode != ModeArg::SideBySide {
        return Err(usage("--beside names the collection of a side-by-side restore: give --mode side-by-side"));
    }
    let replicas = args.replicas;
    Ok(careful(RestoreRequest { beside, replicas, ..RestoreRequest::new(source, target, args.mode.into(), route) }, args.care))
}

fn restore_all(args: &RestoreArgs) -> Result<Request, Problem> {
    if args.replicas.is_some() {
        return Err(usage("--replicas is for one collection: restore them one by one"));
    }
    let set = Set::parse(&args.point).map_err(usage)?;
    let to = match Address::parse(&args.to).map_err(usage)? {
        Address::Instance(name) => name,
        other => return Err(usage(format!("`{other}` is no INSTANCE: --all restores to an instance, under mapped names"))),
    };
    if args.beside.is_some() || Route::from(args.route) != Route::Auto {
        return Err(usage("--beside and --route are for a single collection"));
    }
    Ok(Request::RestoreAll(RestoreAllRequest {
        set,
        to,
        names: names(&args.names)?,
        mode: args.mode.into(),
        skips: skips(&args.care),
        force: args.care.force.clone(),
        deep: args.care.deep,
    }))
}
