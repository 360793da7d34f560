//! When to draw. Pure: a limiter that merges wishes and never draws without one.

use std::time::Duration;

/// Decides from times it is given.
#[derive(Debug, Clone, Copy)]
pub struct FrameClock {
    gap: Duration,
    last: Option<Duration>,
    dirty: bool,
}

impl FrameClock {
    /// Frames are at least `gap` apart.
    pub fn new(gap: Duration) -> Self {
        Self { gap, last: None, dirty: true }
    }

    /// Something visible changed.
    pub fn wish(&mut self) {
        self.dirty = true;
    }

    /// How long until the next frame; `None` when nothing is to be drawn.
    pub fn wait(&self, now: Duration) -> Option<Duration> {
        let due = self.last.map_or(now, |last| last + self.gap);
        self.dirty.then(|| due.saturating_sub(now))
    }

    /// A frame was drawn, and writing it took `cost`: a slow line pushes the next one away by as much.
    pub fn drawn(&mut self, now: Duration, cost: Duration) {
        self.dirty = false;
        self.last = Some(now + cost);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn idle_draws_nothing_and_bursts_draw_once() {
        let mut clock = FrameClock::new(MS(16));
        assert_eq!(clock.wait(MS(0)), Some(MS(0)));
        clock.drawn(MS(0), MS(0));
        assert_eq!(clock.wait(MS(1_000)), None);
        clock.wish();
        clock.wish();
        assert_eq!(clock.wait(MS(4)), Some(MS(12)));
        assert_eq!(clock.wait(MS(40)), Some(MS(0)));
    }

    #[test]
    fn a_slow_line_gets_fewer_frames() {
        let mut clock = FrameClock::new(MS(16));
        clock.drawn(MS(0), MS(200));
        clock.wish();
        assert_eq!(clock.wait(MS(200)), Some(MS(16)));
    }
}
