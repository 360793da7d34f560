//! From samples to what people read: rate, time left, percent. Pure.

use crate::jobs::progress::Sample;
use std::collections::VecDeque;
use std::time::Duration;

/// How much of the past the rate looks at.
const WINDOW: Duration = Duration::from_secs(5);

/// Watches one job.
#[derive(Debug, Clone, Default)]
pub struct Meter {
    points: VecDeque<(Duration, u64)>,
    phase: String,
}

/// What a row shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Bytes per second over the last seconds; `None` until two samples exist.
    pub rate: Option<f64>,
    /// Time left at this rate; `None` when it cannot be known.
    pub left: Option<Duration>,
    /// 0 to 99 while it runs: 100 is for the outcome to say.
    pub percent: Option<u8>,
}

impl Meter {
    /// Takes a sample at `at`, a monotonic time.
    pub fn read(&mut self, at: Duration, sample: &Sample) -> Reading {
        let restarted = self.points.back().is_some_and(|(_, done)| sample.done < *done);
        if restarted || self.phase != sample.phase {
            self.points.clear();
            self.phase.clone_from(&sample.phase);
        }
        self.points.push_back((at, sample.done));
        while self.points.len() > 2 && at.saturating_sub(self.points[0].0) > WINDOW {
            self.points.pop_front();
        }
        let rate = self.rate();
        let missing = sample.total.map(|total| total.saturating_sub(sample.done));
        let left = match (rate, missing) {
            (Some(rate), Some(missing)) if rate >= 1.0 => Duration::try_from_secs_f64(missing as f64 / rate).ok(),
            _ => None,
        };
        let percent = sample.total.filter(|total| *total > 0).map(|total| {
            let exact = u128::from(sample.done) * 100 / u128::from(total);
            exact.min(99) as u8
        });
        Reading { rate, left, percent }
    }

    fn rate(&self) -> Option<f64> {
        let ((from, before), (to, after)) = (self.points.front()?, self.points.back()?);
        let seconds = to.saturating_sub(*from).as_secs_f64();
        (seconds > 0.05).then(|| after.saturating_sub(*before) as f64 / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::size::Unit;

    fn sample(phase: &str, done: u64, total: Option<u64>) -> Sample {
        Sample {
            unit: Unit::Bytes,
            done,
            total,
            moved: done,
            phase: phase.into(),
            note: String::new(),
            phase_time: Duration::ZERO,
            step: None,
        }
    }

    #[test]
    fn rate_and_time_left_come_from_the_last_seconds() {
        let mut meter = Meter::default();
        let at = Duration::from_secs;
        assert_eq!(meter.read(at(0), &sample("d", 0, Some(1_000))).rate, None);
        for second in 1..=10 {
            meter.read(at(second), &sample("d", second * 10, Some(1_000)));
        }
        let reading = meter.read(at(11), &sample("d", 110, Some(1_000)));
        assert_eq!(reading.rate, Some(10.0));
        assert_eq!(reading.left, Some(at(89)));
        assert_eq!(reading.percent, Some(11));
    }

    #[test]
    fn a_hundred_percent_is_never_claimed_early() {
        let mut meter = Meter::default();
        assert_eq!(meter.read(Duration::ZERO, &sample("d", 10, Some(10))).percent, Some(99));
        assert_eq!(meter.read(Duration::ZERO, &sample("d", 20, Some(10))).percent, Some(99));
        assert_eq!(meter.read(Duration::ZERO, &sample("d", 20, Some(0))).percent, None);
        assert_eq!(meter.read(Duration::ZERO, &sample("d", 20, None)).percent, None);
    }

    #[test]
    fn a_new_phase_starts_a_new_rate() {
        let mut meter = Meter::default();
        meter.read(Duration::from_secs(0), &sample("a", 0, None));
        meter.read(Duration::from_secs(1), &sample("a", 100, None));
        assert_eq!(meter.read(Duration::from_secs(2), &sample("b", 100, None)).rate, None);
    }
}
