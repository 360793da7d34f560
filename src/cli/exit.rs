//! Exit codes: a contract.

use crate::domain::problem::ProblemKind;
use crate::ops::report::Report;
use crate::ops::report::verdict::Verdict;
use crate::ops::request::verb::Verb;

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// 0
    Done,
    /// 1
    Failed,
    /// 2
    Usage,
    /// 3
    Partly,
    /// 4
    Difference,
    /// 5
    NotAllowed,
    /// 6
    Unreachable,
    /// 7
    Refused,
    /// 128 + signal
    Stopped(u8),
    /// What a guarded command ended with.
    Command(u8),
}

impl ExitStatus {
    /// What `check` ends with when it could not look: 3, as monitoring plugins do.
    pub const UNKNOWN: Self = Self::Command(3);

    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Partly => 3,
            Self::Difference => 4,
            Self::NotAllowed => 5,
            Self::Unreachable => 6,
            Self::Refused => 7,
            Self::Stopped(signal) => 128 + signal,
            Self::Command(code) => code,
        }
    }

    /// For a problem.
    pub fn of_problem(kind: ProblemKind) -> Self {
        match kind {
            ProblemKind::Usage => Self::Usage,
            ProblemKind::Failed | ProblemKind::NotFound | ProblemKind::Unknown => Self::Failed,
            ProblemKind::Partly => Self::Partly,
            ProblemKind::Difference => Self::Difference,
            ProblemKind::NotAllowed => Self::NotAllowed,
            ProblemKind::Unreachable => Self::Unreachable,
            ProblemKind::Refused | ProblemKind::PlanStale => Self::Refused,
            ProblemKind::Canceled => Self::Stopped(2),
        }
    }

    /// For a finished operation.
    pub fn of_report(report: &Report) -> Self {
        match report.verdict {
            Some(Verdict::Differs(_)) => Self::Difference,
            // What was there before is not known to be back.
            _ if matches!(report.rollback, Some(Verdict::Differs(_) | Verdict::CouldNotCheck(_))) => Self::Failed,
            // Nothing was brought anywhere; else it is some of it that failed.
            _ if !report.failures.is_empty()
                && report.parts.is_empty()
                && report.points.is_none()
                && report.created.is_empty() =>
            {
                Self::Failed
            }
            _ if !report.failures.is_empty() => Self::Partly,
            Some(Verdict::CouldNotCheck(_)) if Verb::of(report.operation).is_some_and(Verb::proves) => Self::Partly,
            _ => Self::Done,
        }
    }

    /// For several: their common status, or partly.
    pub fn of_all(each: &[Self]) -> Self {
        match each {
            [] => Self::Done,
            [first, rest @ ..] if rest.iter().all(|other| other == first) => *first,
            all => {
                all.iter().copied().find(|status| matches!(status, Self::Stopped(_) | Self::Difference)).unwrap_or(Self::Partly)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_results_become_one() {
        use ExitStatus::{Difference, Done, Failed, Partly, Unreachable};
        assert_eq!(ExitStatus::of_all(&[]), Done);
        assert_eq!(ExitStatus::of_all(&[Unreachable, Unreachable]), Unreachable);
        assert_eq!(ExitStatus::of_all(&[Done, Failed]), Partly);
        assert_eq!(ExitStatus::of_all(&[Done, Difference]), Difference);
    }
}
