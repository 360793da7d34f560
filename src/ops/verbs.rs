//! From a request to its verb: the only list of verbs. Each file plans one, by reading only, and has the work that an approved
//! plan does. What several verbs need is in [`crate::ops::recovery`]. To add a verb: a value in [`crate::ops::request`], a file
//! here, a line below; then a subcommand and a form.

mod annotate;
mod backup;
mod backup_several;
mod compare;
mod copy;
mod create;
mod create_storage;
mod delete;
mod delete_backups;
mod discard;
mod download;
mod drill;
mod drop;
mod fleet;
pub mod guard;
mod prune;
mod restore;
mod restore_all;
mod revive;
mod save;
mod settle;
mod switch;
mod verify;

use crate::domain::address::SnapshotsOf;
use crate::domain::problem::Problem;
use crate::ops::plan::{Plan, Risk};
use crate::ops::request::Request;
use crate::ops::services::Services;
use crate::ops::survey::open_operations::Open;

/// Computes the plan of an operation, by reading only.
pub async fn plan(services: &Services, request: Request) -> Result<Plan, Problem> {
    let mut plan = plan_of(services, request).await?;
    if !plan.settles && plan.risk != Risk::Safe {
        let open = Open::read(services).await;
        plan.findings.extend(open.findings(&plan.target));
    }
    Ok(plan)
}

async fn plan_of(services: &Services, request: Request) -> Result<Plan, Problem> {
    match request {
        Request::Create(request) => match request.of {
            SnapshotsOf::Collection(address) => create::plan(services, address).await,
            SnapshotsOf::Storage(instance) => create_storage::plan(services, instance).await,
        },
        Request::Download(request) => download::plan(services, request).await,
        Request::Discard(request) => discard::plan(services, request).await,
        Request::Delete(request) => delete::plan(services, request).await,
        Request::Restore(request) => restore::plan(services, request).await,
        Request::RestoreAll(request) => restore_all::plan(services, request).await,
        Request::Copy(request) => copy::plan(services, request).await,
        Request::Fleet(request) => fleet::plan(services, request).await,
        Request::Switch(request) => switch::plan(services, request).await,
        Request::Drop(request) => drop::plan(services, request).await,
        Request::Revive(request) => revive::plan(services, request).await,
        Request::Settle(request) => settle::plan(services, request).await,
        Request::Backup(request) => backup::plan(services, request).await,
        Request::BackupSeveral(request) => backup_several::plan(services, request).await,
        Request::Prune(request) => prune::plan(services, request).await,
        Request::Verify(request) => verify::plan(services, request).await,
        Request::Drill(request) => drill::plan(services, request).await,
        Request::DeleteBackups(request) => delete_backups::plan(services, request).await,
        Request::Save(request) => save::plan(services, request).await,
        Request::Annotate(request) => annotate::plan(services, request).await,
        Request::Compare(request) => compare::plan(services, request).await,
    }
}
