//! From the plans of several parts to what the plan of the whole shows: a step for each, and what needs a look, by collection.

use crate::domain::ids::InstanceName;
use crate::domain::problem::Problem;
use crate::ops::plan::finding::{Finding, Level};
use crate::ops::plan::{Plan, Risk, Step};
use crate::ops::request::Request;
use crate::ops::request::skips::Skips;
use crate::ops::services::Services;
use crate::ops::survey::open_operations::Open;

/// What every plan says, and nobody has to be told of each part again; the whole says it once.
const ROUTINE: [&str; 6] = ["writers", "url recovery", "protection", "key", "loss window", "server disk"];

/// The parts, and what is shown of them.
pub(in crate::ops) struct Planning {
    pub plans: Vec<Plan>,
    pub findings: Vec<Finding>,
    pub steps: Vec<Step>,
}

impl Planning {
    /// Puts them together. `verb` is the name of the step of each part; steps of parts that are called one of `shown` are shown,
    /// too.
    ///
    /// # Errors
    /// When no part can be planned: that is no plan with findings.
    pub(in crate::ops) async fn of(
        services: &Services,
        verb: &'static str,
        planned: Vec<Result<Plan, Problem>>,
        shown: &[&str],
    ) -> Result<Self, Problem> {
        let open = Open::read(services).await;
        let mut planning = Self { plans: Vec::new(), findings: Vec::new(), steps: Vec::new() };
        let mut first_failure = None;
        for result in planned {
            match result {
                Ok(mut plan) => {
                    plan.findings.extend(open.findings(&plan.target));
                    planning.steps.push(step_of(verb, &plan));
                    planning.steps.extend(plan.steps.iter().filter(|step| shown.contains(&step.name)).cloned());
                    planning.findings.extend(notable(&plan));
                    planning.plans.push(plan);
                }
                Err(problem) => {
                    planning.findings.push(Finding::block("source", problem.to_string(), problem.advice.clone()));
                    first_failure.get_or_insert(problem);
                }
            }
        }
        match first_failure {
            Some(problem) if planning.plans.is_empty() => Err(problem),
            _ => Ok(planning),
        }
    }

    /// How many replace what is there.
    pub(in crate::ops) fn replaced(&self) -> usize {
        self.plans.iter().filter(|plan| plan.risk == Risk::Destroys).count()
    }

    /// By name, with what each does: what must not change until it begins.
    pub(in crate::ops) fn fingerprint(&self) -> String {
        let name = |plan: &Plan| match &plan.request {
            // The name beside a taken one has a time in it, which is another one at every look.
            Request::Restore(request) if request.beside.is_some() => format!("beside {}", request.target),
            _ => plan.target.clone(),
        };
        let mut each: Vec<String> = self.plans.iter().map(|plan| format!("{} ({:?})", name(plan), plan.risk)).collect();
        each.sort();
        each.join(", ")
    }
}

/// What a whole replaces on an instance, and which steps it leaves out; `more` stands between. Nothing where it replaces nothing.
pub(in crate::ops) fn consequence(to: &InstanceName, (replaced, all): (usize, usize), more: &str, skips: Skips) -> String {
    if replaced == 0 {
        return String::new();
    }
    format!("{replaced} of {all} collections on {to} are replaced{more}{}", left_out(skips))
}

fn left_out(skips: Skips) -> String {
    let safety = if skips.safety { "; NO safety snapshots, as asked: there is no way back" } else { "" };
    let proof = if skips.proof { "; NO proof restores, as asked" } else { "" };
    format!("{safety}{proof}")
}

fn step_of(verb: &'static str, plan: &Plan) -> Step {
    let what = if plan.risk == Risk::Destroys { "replaces the existing collection" } else { "a free name" };
    Step::new(verb, format!("{} → {}: {what}", plan.source, plan.target))
}

/// Of a plan what is not as it should be, with the collection it concerns.
fn notable(plan: &Plan) -> Vec<Finding> {
    let worth =
        |finding: &&Finding| finding.level == Level::Block || (finding.level == Level::Look && !ROUTINE.contains(&finding.check));
    let named = |finding: &Finding| Finding { message: format!("{}: {}", plan.target, finding.message), ..finding.clone() };
    plan.findings.iter().filter(worth).map(named).collect()
}
