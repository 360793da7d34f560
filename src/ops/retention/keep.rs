//! Which backups of one collection stay, and why. All times are UTC; a week is an ISO week.

use crate::domain::keep::Keep;
use crate::domain::time::span;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use std::collections::HashSet;
use std::time::Duration;

/// What is not good stays for so long, so that somebody can look at it.
const GRACE: Duration = Duration::from_secs(86_400);

/// Clocks of two machines differ: only what is dated further ahead is called a wrong clock.
pub const CLOCKS_DIFFER: Duration = Duration::from_secs(300);

/// What a candidate is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worth {
    /// It can be restored.
    Good,
    /// Something is missing in it, or it is damaged.
    NotGood,
    /// What it is worth is not known.
    Unknown,
}

/// A recovery point of a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// When it was taken.
    pub at: Timestamp,
    /// What it is worth.
    pub worth: Worth,
    /// Somebody holds it, and why.
    pub hold: Option<String>,
}

/// What becomes of a candidate, and why in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It stays.
    Keep(String),
    /// It goes.
    Remove(String),
}

impl Decision {
    /// Whether it stays.
    pub fn keeps(&self) -> bool {
        matches!(self, Self::Keep(_))
    }

    /// Why.
    pub fn reason(&self) -> &str {
        match self {
            Self::Keep(why) | Self::Remove(why) => why,
        }
    }
}

/// Whether a moment is dated ahead of the clock by more than clocks differ.
pub fn is_ahead(at: Timestamp, now: Timestamp) -> bool {
    at > now.saturating_add(CLOCKS_DIFFER).unwrap_or(Timestamp::MAX)
}

/// Decides about all candidates of one collection; the decisions are in their order.
///
/// What cannot be restored takes no place of what can. The newest good one stays whatever the rules say, and so does what is
/// held, unknown, or dated in the future.
pub fn decide(keep: &Keep, now: Timestamp, candidates: &[Candidate]) -> Vec<Decision> {
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.sort_by_key(|index| (std::cmp::Reverse(candidates[*index].at), *index));
    let mut counting = Counting::new(keep, now);
    let mut decisions = vec![Decision::Keep(String::new()); candidates.len()];
    let mut newer_good = false;
    for index in order {
        let candidate = &candidates[index];
        let good = candidate.worth == Worth::Good;
        decisions[index] = if is_ahead(candidate.at, now) {
            Decision::Keep("clock? it is dated in the future".into())
        } else if good {
            let reasons = counting.reasons(candidate.at);
            let first = !std::mem::replace(&mut newer_good, true);
            of_good(candidate, reasons, first, keep.is_empty())
        } else {
            of_other(candidate, now, newer_good, keep.is_empty())
        };
    }
    decisions
}

fn of_good(candidate: &Candidate, mut reasons: Vec<String>, newest: bool, no_rules: bool) -> Decision {
    if let Some(why) = &candidate.hold {
        reasons.insert(0, held(why));
    }
    if no_rules {
        reasons.push("there are no rules".into());
    }
    if newest && reasons.is_empty() {
        reasons.push("the last good one".into());
    }
    if reasons.is_empty() { Decision::Remove("no rule keeps it".into()) } else { Decision::Keep(reasons.join(", ")) }
}

fn of_other(candidate: &Candidate, now: Timestamp, newer_good: bool, no_rules: bool) -> Decision {
    let young = candidate.at > now.saturating_sub(GRACE).unwrap_or(Timestamp::MIN);
    let keep = |why: &str| Decision::Keep(why.to_owned());
    match (&candidate.hold, candidate.worth) {
        (Some(why), _) => keep(&held(why)),
        (None, Worth::Unknown) => keep("what it is worth is not known"),
        _ if no_rules => keep("there are no rules"),
        _ if !newer_good => keep("no newer one is good"),
        _ if young => keep("not good, but younger than a day"),
        _ => Decision::Remove("not good, and a newer one is".into()),
    }
}

fn held(why: &str) -> String {
    if why.is_empty() { "held".to_owned() } else { format!("held: {why}") }
}

/// Goes through the good ones, the newest first, and counts places.
struct Counting<'a> {
    keep: &'a Keep,
    now: Timestamp,
    last: u32,
    /// Of each rule the spans that have one, as numbers that are the same within a span.
    taken: [HashSet<(i16, i16)>; 5],
}

impl<'a> Counting<'a> {
    fn new(keep: &'a Keep, now: Timestamp) -> Self {
        Self { keep, now, last: 0, taken: Default::default() }
    }

    fn reasons(&mut self, at: Timestamp) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.last < self.keep.last {
            self.last += 1;
            reasons.push("last".to_owned());
        }
        let moment = at.to_zoned(TimeZone::UTC);
        for (slot, (name, wanted)) in self.keep.counts().into_iter().skip(1).enumerate() {
            let taken = &mut self.taken[slot];
            if (taken.len() as u64) < u64::from(wanted) && taken.insert(spanned(slot, &moment)) {
                reasons.push(name.to_owned());
            }
        }
        if let Some(within) = self.keep.within
            && at >= self.now.saturating_sub(within).unwrap_or(Timestamp::MIN)
        {
            reasons.push(format!("within {}", span(within)));
        }
        reasons
    }
}

/// The hour, day, week, month or year of a moment.
fn spanned(slot: usize, at: &Zoned) -> (i16, i16) {
    let week = at.date().iso_week_date();
    match slot {
        0 => (at.year(), at.day_of_year() * 24 + i16::from(at.hour())),
        1 => (at.year(), at.day_of_year()),
        2 => (week.year(), i16::from(week.week())),
        3 => (at.year(), i16::from(at.month())),
        _ => (at.year(), 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: &str = "2026-11-22T12:00:00Z";

    fn now() -> Timestamp {
        NOW.parse().unwrap()
    }

    fn good(at: &str) -> Candidate {
        Candidate { at: at.parse().unwrap(), worth: Worth::Good, hold: None }
    }

    fn kept(keep: &Keep, candidates: &[Candidate]) -> Vec<bool> {
        decide(keep, now(), candidates).iter().map(Decision::keeps).collect()
    }

    #[test]
    fn each_rule_keeps_the_newest_of_its_span() {
        let all = [
            good("2026-11-22T11:50:00Z"),
            good("2026-11-22T11:10:00Z"),
            good("2026-11-22T10:10:00Z"),
            good("2026-11-21T23:00:00Z"),
            good("2026-11-21T22:00:00Z"),
            good("2026-11-14T22:00:00Z"),
            good("2026-10-31T22:00:00Z"),
            good("2025-12-31T22:00:00Z"),
        ];
        let rule = |keep: Keep| kept(&keep, &all).iter().map(|keeps| if *keeps { 'k' } else { '-' }).collect::<String>();
        let none = Keep::default();
        assert_eq!(rule(none), "kkkkkkkk", "without rules nothing goes");
        assert_eq!(rule(Keep { last: 2, ..none }), "kk------");
        assert_eq!(rule(Keep { hourly: 2, ..none }), "k-k-----");
        assert_eq!(rule(Keep { daily: 2, ..none }), "k--k----");
        assert_eq!(rule(Keep { weekly: 2, ..none }), "k----k--", "the 21st and the 22nd are in one ISO week");
        assert_eq!(rule(Keep { monthly: 9, ..none }), "k-----kk");
        assert_eq!(rule(Keep { yearly: 9, ..none }), "k------k");
        assert_eq!(rule(Keep { within: Some(Duration::from_secs(86_400)), ..none }), "kkkkk---");
        assert_eq!(rule(Keep { last: 1, daily: 2, ..none }), "k--k----");
    }

    #[test]
    fn what_is_not_good_takes_no_place_and_waits_for_a_good_one() {
        let bad = |at: &str| Candidate { worth: Worth::NotGood, ..good(at) };
        let all = [
            bad("2026-11-22T11:00:00Z"),
            good("2026-11-22T10:00:00Z"),
            bad("2026-11-22T09:00:00Z"),
            good("2026-11-20T10:00:00Z"),
            bad("2026-11-20T09:00:00Z"),
            Candidate { worth: Worth::Unknown, ..good("2026-11-01T09:00:00Z") },
            Candidate { hold: Some("audit".into()), ..bad("2026-11-01T09:00:00Z") },
            good("2027-01-01T00:00:00Z"),
        ];
        let keep = Keep { last: 1, ..Keep::default() };
        let decisions = decide(&keep, now(), &all);
        let words: Vec<String> = decisions
            .iter()
            .map(|decision| format!("{}: {}", if decision.keeps() { "keep" } else { "remove" }, decision.reason()))
            .collect();
        assert_eq!(
            words,
            [
                "keep: no newer one is good",
                "keep: last",
                "keep: not good, but younger than a day",
                "remove: no rule keeps it",
                "remove: not good, and a newer one is",
                "keep: what it is worth is not known",
                "keep: held: audit",
                "keep: clock? it is dated in the future",
            ]
        );
    }

    fn candidates() -> impl Strategy<Value = Vec<Candidate>> {
        let worth = prop_oneof![4 => Just(Worth::Good), 1 => Just(Worth::NotGood), 1 => Just(Worth::Unknown)];
        let hold = proptest::option::weighted(0.1, Just("x".to_owned()));
        let one = (-100_000_i64..40_000_000, worth, hold).prop_map(|(ago, worth, hold)| Candidate {
            at: Timestamp::from_second(now().as_second() - ago).unwrap(),
            worth,
            hold,
        });
        proptest::collection::vec(one, 0..40)
    }

    fn rules() -> impl Strategy<Value = Keep> {
        let within = proptest::option::of((1_u64..5_000_000).prop_map(Duration::from_secs));
        (0_u32..5, 0_u32..5, 0_u32..5, 0_u32..5, 0_u32..5, 0_u32..3, within).prop_map(
            |(last, hourly, daily, weekly, monthly, yearly, within)| Keep {
                last,
                hourly,
                daily,
                weekly,
                monthly,
                yearly,
                within,
            },
        )
    }

    proptest! {
        #[test]
        fn the_newest_good_one_and_held_ones_stay(keep in rules(), all in candidates()) {
            let decisions = decide(&keep, now(), &all);
            let past = |c: &&(usize, &Candidate)| c.1.worth == Worth::Good && !is_ahead(c.1.at, now());
            let listed: Vec<(usize, &Candidate)> = all.iter().enumerate().collect();
            if let Some((newest, _)) = listed.iter().filter(past).max_by_key(|(index, c)| (c.at, std::cmp::Reverse(*index))) {
                prop_assert!(decisions[*newest].keeps());
            }
            for (candidate, decision) in all.iter().zip(&decisions) {
                if candidate.hold.is_some() || candidate.worth == Worth::Unknown || is_ahead(candidate.at, now()) {
                    prop_assert!(decision.keeps());
                }
                prop_assert!(!decision.reason().is_empty());
            }
        }

        #[test]
        fn what_is_not_good_changes_nothing_for_the_good_ones(keep in rules(), all in candidates()) {
            let alone: Vec<Candidate> = all.iter().filter(|c| c.worth == Worth::Good).cloned().collect();
            let mixed: Vec<bool> = all.iter().zip(kept(&keep, &all)).filter(|(c, _)| c.worth == Worth::Good).map(|(_, k)| k).collect();
            prop_assert_eq!(mixed, kept(&keep, &alone));
        }

        #[test]
        fn a_second_run_removes_nothing_more(keep in rules(), all in candidates()) {
            let left: Vec<Candidate> = all.iter().zip(kept(&keep, &all)).filter(|(_, keeps)| *keeps).map(|(c, _)| c.clone()).collect();
            prop_assert!(kept(&keep, &left).into_iter().all(|keeps| keeps));
        }

        #[test]
        fn more_places_never_keep_less(keep in rules(), all in candidates()) {
            prop_assume!(!keep.is_empty());
            let more = Keep { last: keep.last + 1, daily: keep.daily + 2, ..keep };
            for (less, more) in kept(&keep, &all).into_iter().zip(kept(&more, &all)) {
                prop_assert!(more || !less);
            }
        }
    }
}
