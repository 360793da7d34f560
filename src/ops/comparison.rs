//! Comparing two collections as an operation of its own: its plan, and its report. It changes nothing; the journal keeps
//! it, because what was equal at which time is what an incident review asks for.

use crate::domain::address::CollectionAddress;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::size::exact;
use crate::ops::compare::{CompareSpec, Comparison, SAMPLE, compare};
use crate::ops::flow::{self, Facts, Finding, Plan, Risk, Spec, Step};
use crate::ops::report::Report;
use crate::ops::resolve::{NameUse, name_use};
use crate::ops::services::Services;
use crate::ops::steps::Steps;
use crate::ops::unread::is_damage;
use crate::qdrant::error::ApiError;

/// The operation, and its one step.
pub(in crate::ops) const COMPARE: &str = "compare";

/// From so many points on, reading all of them is said to take long.
const MANY: u64 = 1_000_000;

/// Reads what is needed.
///
/// # Errors
/// When a side is not there or cannot be read.
pub(in crate::ops) async fn plan(services: &Services, spec: CompareSpec) -> Result<Plan, Problem> {
    let (first, second) = (&spec.first, &spec.second);
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
    let text = if spec.deep {
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
    let command = format!("qsnap compare {first} {second}{}", if spec.deep { " --deep" } else { "" });
    Ok(Plan {
        operation: COMPARE,
        title: format!("compare {first} {second}"),
        risk: Risk::Safe,
        consequence: String::new(),
        changes: None,
        source: first.to_string(),
        target: second.to_string(),
        steps: vec![Step::new(COMPARE, text)],
        findings,
        command,
        // Both may live while they are compared: what is found is told, whatever it was when this was planned.
        facts: Facts::default(),
        needs: Vec::new(),
        resolved: flow::Resolved::Compare,
        spec: Spec::Compare(spec),
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
        Err(error) if !is_damage(&error) => {
            let info = connection.whole().collection(&address.collection).await.map_err(problem)?;
            info.points.ok_or_else(|| problem(error))
        }
        counted => counted.map_err(problem),
    }
}

/// Compares the two.
pub(in crate::ops) async fn execute(services: &Services, plan: &Plan, steps: &mut Steps<'_>) -> Result<Report, Problem> {
    let Spec::Compare(spec) = &plan.spec else {
        return Err(Problem::new(ProblemKind::Failed, "the plan is not a comparison", ""));
    };
    let progress = steps.job.progress.clone();
    let words =
        |found: &Result<Comparison, Problem>| found.as_ref().map_or_else(ToString::to_string, |found| found.verdict.record());
    let found = steps.judge(COMPARE, compare(services, spec, &progress), words).await?;
    Ok(Report { verdict: Some(found.verdict.clone()), comparison: Some(Box::new(found)), ..Report::of(plan) })
}
