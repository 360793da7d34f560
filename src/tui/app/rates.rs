//! The steps of the rate limit that `+` and `-` go through. Pure.

/// Steps in bytes per second.
const STEPS: [u64; 13] = [
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    20_000_000,
    50_000_000,
    100_000_000,
    200_000_000,
    500_000_000,
    1_000_000_000,
];

/// The limit after one step. Without a limit slower begins below what `running` shows; faster than the last
/// step is no limit.
pub fn next(limit: Option<u64>, running: Option<f64>, faster: bool) -> Option<u64> {
    let slower_than = |rate: u64| STEPS.iter().rev().copied().find(|step| *step < rate).unwrap_or(STEPS[0]);
    match (limit, faster) {
        (None, true) => None,
        (None, false) => Some(slower_than(running.filter(|rate| *rate >= 1.0).map_or(u64::MAX, |rate| rate as u64))),
        (Some(rate), false) => Some(slower_than(rate).min(rate)),
        (Some(rate), true) => STEPS.iter().copied().find(|step| *step > rate),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_lead_down_to_the_slowest_and_up_to_no_limit() {
        assert_eq!(next(None, Some(118e6), false), Some(100_000_000));
        assert_eq!(next(Some(100_000_000), None, false), Some(50_000_000));
        assert_eq!(next(Some(30_000_000), None, true), Some(50_000_000));
        assert_eq!(next(Some(100_000), None, false), Some(100_000));
        assert_eq!(next(Some(7_000), None, false), Some(7_000));
        assert_eq!(next(Some(1_000_000_000), None, true), None);
        assert_eq!(next(None, None, true), None);
        assert_eq!(next(None, None, false), Some(1_000_000_000));
    }
}
