//! From a request to its verb: the only list of verbs. Each file plans one, by reading only, and has the work that an approved
//! plan does. What several verbs need is in [`crate::ops::recovery`]. To add a verb: a value in [`crate::ops::request`], a file
//! here, a line below; then a subcommand and a form.

mod compare;
mod copy;
mod create;
mod delete;
mod discard;
mod download;
mod drop;
mod fleet;
pub mod guard;
mod restore;
mod revive;
mod settle;
mod switch;

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
        Request::Create(request) => create::plan(services, request).await,
        Request::Download(request) => download::plan(services, request).await,
        Request::Discard(request) => discard::plan(services, request).await,
        Request::Delete(request) => delete::plan(services, request).await,
        Request::Restore(request) => restore::plan(services, request).await,
        Request::Copy(request) => copy::plan(services, request).await,
        Request::Fleet(request) => fleet::plan(services, request).await,
        Request::Switch(request) => switch::plan(services, request).await,
        Request::Drop(request) => drop::plan(services, request).await,
        Request::Revive(request) => revive::plan(services, request).await,
        Request::Settle(request) => settle::plan(services, request).await,
        Request::Compare(request) => compare::plan(services, request).await,
    }
}
