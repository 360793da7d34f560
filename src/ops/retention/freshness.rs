//! Whether a collection's backups are as young and as well proven as is wanted.

use crate::domain::policy::{Policy, Target};
use crate::domain::time::{age, span};
use crate::ops::retention::keep::is_ahead;
use jiff::Timestamp;
use serde::Serialize;
use std::time::Duration;

/// How bad it is, as monitoring counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be.
    Ok,
    /// It needs a look.
    Warning,
    /// A disaster now would lose more than is allowed.
    Critical,
    /// It could not be told.
    Unknown,
}

impl Level {
    /// The exit code of `check`, as monitoring plugins have it.
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }

    /// The word in lists.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Unknown => "unknown",
        }
    }

    /// How bad, for sorting: what is unknown may be as bad as what is critical, but is not known to be.
    pub fn weight(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Unknown => 2,
            Self::Critical => 3,
        }
    }

    /// The worse of two.
    #[must_use]
    pub fn worst(self, other: Self) -> Self {
        if other.weight() > self.weight() { other } else { self }
    }
}

/// A backup, as far as its age matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// When.
    pub at: Timestamp,
    /// It can be restored.
    pub good: bool,
    /// When it was last proven.
    pub proven_at: Option<Timestamp>,
}

/// What holds for one collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freshness {
    /// The worst of all.
    pub level: Level,
    /// What is not as it should be, in words, the worst first.
    pub words: Vec<String>,
    /// The newest good backup.
    pub newest: Option<Timestamp>,
    /// The newest proof of any good backup.
    pub proven_at: Option<Timestamp>,
}

/// Judges the backups of one collection.
pub fn judge(policy: &Policy, now: Timestamp, backups: &[Taken]) -> Freshness {
    let (ahead, past): (Vec<&Taken>, Vec<&Taken>) = backups.iter().partition(|taken| is_ahead(taken.at, now));
    let good = || past.iter().filter(|taken| taken.good);
    let newest = good().map(|taken| taken.at).max();
    let proven_at = good().filter_map(|taken| taken.proven_at).filter(|at| !is_ahead(*at, now)).max();
    let mut found: Vec<(Level, String)> = Vec::new();
    found.extend(too_old(policy.rpo, now, newest));
    found.extend(unproven(policy.prove_every, now, newest, proven_at));
    if past.iter().any(|taken| !taken.good && newest.is_none_or(|newest| taken.at > newest)) {
        found.push((Level::Warning, "the newest backup is not good".into()));
    }
    if !ahead.is_empty() {
        found.push((Level::Warning, "clock? a backup is dated in the future".into()));
    }
    found.sort_by_key(|(level, _)| std::cmp::Reverse(level.weight()));
    let level = found.first().map_or(Level::Ok, |(level, _)| *level);
    Freshness { level, words: found.into_iter().map(|(_, words)| words).collect(), newest, proven_at }
}

fn older(now: Timestamp, then: Timestamp, most: Duration) -> bool {
    now.as_second().saturating_sub(then.as_second()) > i64::try_from(most.as_secs()).unwrap_or(i64::MAX)
}

fn too_old(rpo: Target, now: Timestamp, newest: Option<Timestamp>) -> Option<(Level, String)> {
    let most = rpo.age()?;
    match newest {
        None => Some((Level::Critical, "there is no good backup".into())),
        Some(at) if older(now, at, most) => {
            Some((Level::Critical, format!("the newest good backup is {} old; the target is {}", age(now, at), span(most))))
        }
        Some(_) => None,
    }
}

fn unproven(every: Target, now: Timestamp, newest: Option<Timestamp>, proven: Option<Timestamp>) -> Option<(Level, String)> {
    let most = every.age()?;
    newest?;
    match proven {
        None => Some((Level::Warning, format!("no backup was ever proven; the target is every {}", span(most)))),
        Some(at) if older(now, at, most) => {
            Some((Level::Warning, format!("the last proof is {} old; the target is every {}", age(now, at), span(most))))
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600;

    fn now() -> Timestamp {
        "2026-11-22T12:00:00Z".parse().unwrap()
    }

    fn ago(seconds: i64) -> Timestamp {
        Timestamp::from_second(now().as_second() - seconds).unwrap()
    }

    fn taken(seconds: i64, good: bool, proven: Option<i64>) -> Taken {
        Taken { at: ago(seconds), good, proven_at: proven.map(ago) }
    }

    fn policy(rpo: u64, prove: u64) -> Policy {
        let target = |hours: u64| if hours == 0 { Target::None } else { Target::AtMost(Duration::from_secs(hours * 3_600)) };
        Policy { rpo: target(rpo), prove_every: target(prove), keep: None }
    }

    #[test]
    fn age_and_proof_are_judged_against_their_targets() {
        let level = |policy: &Policy, backups: &[Taken]| judge(policy, now(), backups).level;
        let hourly = policy(1, 0);
        assert_eq!(level(&hourly, &[]), Level::Critical);
        assert_eq!(level(&hourly, &[taken(2 * HOUR, true, None)]), Level::Critical);
        assert_eq!(level(&hourly, &[taken(HOUR, true, None)]), Level::Ok, "exactly the target is not late");
        assert_eq!(level(&policy(0, 0), &[]), Level::Ok, "nothing is wanted");
        let proven = policy(1, 24);
        assert_eq!(level(&proven, &[taken(60, true, None)]), Level::Warning);
        assert_eq!(level(&proven, &[taken(60, true, None), taken(30 * HOUR, true, Some(20 * HOUR))]), Level::Ok);
        assert_eq!(level(&proven, &[taken(60, true, None), taken(30 * HOUR, true, Some(25 * HOUR))]), Level::Warning);
    }

    #[test]
    fn what_is_not_good_or_of_the_future_moves_no_age() {
        let found = judge(&policy(1, 0), now(), &[taken(60, false, None), taken(5 * HOUR, true, None)]);
        assert_eq!((found.level, found.newest), (Level::Critical, Some(ago(5 * HOUR))));
        assert_eq!(
            found.words,
            [
                "the newest good backup is 5 h old; the target is 3600s".replace("3600s", "60m"),
                "the newest backup is not good".into()
            ]
        );
        let ahead = judge(&policy(1, 0), now(), &[taken(-2 * HOUR, true, None), taken(60, true, None)]);
        assert_eq!((ahead.level, ahead.newest), (Level::Warning, Some(ago(60))));
        assert_eq!(ahead.words, ["clock? a backup is dated in the future"]);
    }
}
