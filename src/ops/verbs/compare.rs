//! Comparing two collections as an operation of its own: its plan, and its report. It changes nothing; the journal keeps
//! it, because what was equal at which time is what an incident review asks for.

use crate::domain::address::CollectionAddress;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::size::exact;
use crate::ops::plan::finding::Finding;
use crate::ops::plan::{Plan, Recording, Step, Work};
use crate::ops::proof::compare::{SAMPLE, compare};
use crate::ops::report::Report;
use crate::ops::report::comparison::Comparison;
use crate::ops::request::Request;
use crate::ops::request::collections::CompareRequest;
use crate::ops::services::Services;
use crate::ops::steps::Steps;
use crate::ops::survey::locate::{NameUse, name_use};
use crate::qdrant::error::ApiError;
use async_trait::async_trait;
use std::sync::Arc;

/// The operation, and its one step.
pub(in crate::ops) const COMPARE: &str = "compare";

/// From so many points on, reading all of them is said to take long.
const MANY: u64 = 1_000_000;

/// The two to compare.
#[derive(Debug)]
struct Compare {
    request: CompareRequest,
}

/// The plan, computed by reading only.
///
/// # Errors
/// When a side is not there or cannot be read.
pub(in crate::ops) async fn plan(services: &Services, request: CompareRequest) -> Result<Plan, Problem> {
    let (first, second) = (&request.first, &request.second);
    // An alias of a collection is that collection: comparing the two would prove nothing.
    let (one, other) = tokio::try_join!(real(services, first), real(services, second))?;
    if one == other {
        return Err(Problem::new(
            ProblemKind::Usage,
            "both are the same collection, which is always equal to itself",
            one.to_string(),
        )
        .advise("name another collection, or the same one on another instance"));
    }
    let (a, b) = tokio::try_join!(count(services, first), count(services, second))?;
    let mut findings = vec![
        Finding::good("first", format!("{first} has {} points", exact(a))),
        Finding::good("second", format!("{second} has {} points", exact(b))),
    ];
    let text = if request.deep {
        if a.max(b) >= MANY {
            let words = format!("all {} points of both are read, with their vectors", exact(a.max(b)));
            findings.push(Finding::look("load", words, "that takes a while, and both servers work for it; it can be canceled"));
        }
        "vectors, sharding, configuration, payload indexes, exact counts, and every point with payload and vectors".to_owned()
    } else {
        format!(
            "vectors, sharding, configuration, payload indexes, exact counts, and {SAMPLE} random points of each with payload and \
             vectors"
        )
    };
    Ok(Plan {
        title: format!("compare {first} {second}"),
        source: first.to_string(),
        target: second.to_string(),
        steps: vec![Step::new(COMPARE, text)],
        findings,
        // No facts: both may live while they are compared, and what is found is told, whatever it was when this was planned.
        record: Recording::WherePossible,
        ..Plan::of(Request::Compare(request.clone()), Compare { request: request.clone() })
    })
}

/// The collection behind a name.
async fn real(services: &Services, address: &CollectionAddress) -> Result<CollectionAddress, Problem> {
    let connection = services.connection(&address.instance).await?;
    Ok(match name_use(&connection, address).await? {
        NameUse::Alias(name) => CollectionAddress::new(address.instance.clone(), name),
        _ => address.clone(),
    })
}

async fn count(services: &Services, address: &CollectionAddress) -> Result<u64, Problem> {
    let connection = services.connection(&address.instance).await?;
    let problem = |error: ApiError| error.into_problem(address.to_string());
    match connection.whole().count(&address.collection).await {
        // Where the server refuses to count, about as many are good enough for a plan.
        Err(error) if !error.is_damage() => {
            let info = connection.whole().collection(&address.collection).await.map_err(problem)?;
            info.points.ok_or_else(|| problem(error))
        }
        counted => counted.map_err(problem),
    }
}

#[async_trait]
impl Work for Compare {
    async fn again(&self, services: &Services) -> Result<Plan, Problem> {
        plan(services, self.request.clone()).await
    }

    async fn run(&self, services: &Arc<Services>, plan: &Plan, steps: &mut Steps<'_>) -> Result<Report, Problem> {
        let progress = steps.job.progress.clone();
        let words =
            |found: &Result<Comparison, Problem>| found.as_ref().map_or_else(ToString::to_string, |found| found.verdict.record());
        let found = steps.judge(COMPARE, compare(services, &self.request, &progress), words).await?;
        Ok(Report { verdict: Some(found.verdict.clone()), comparison: Some(Box::new(found)), ..plan.report() })
    }
}
