//! When a broken range is tried again: exponential waits with jitter, bounded. Pure.

use crate::qdrant::error::{ApiError, ApiErrorKind};
use std::time::Duration;

/// Tries in a row that may bring nothing before a transfer gives up. With a first wait of half a second that
/// is a good minute of a dead line.
pub const MAX_FRUITLESS: u32 = 8;

/// Bytes that make a try worth it: a server that gives a byte and hangs gets nowhere.
const WORTH: u64 = 64 << 10;

const LONGEST: Duration = Duration::from_secs(30);

/// Whether the same bytes may come when they are asked for again. What the client did wrong (4xx) stays wrong;
/// a server that is overloaded (429, 5xx) or a proxy that lost its way may recover.
pub fn may_recover(error: &ApiError) -> bool {
    match error.kind {
        _ if error.refuses() => false,
        ApiErrorKind::Server => true,
        ApiErrorKind::Timeout => true,
        _ => error.is_temporary(),
    }
}

/// Counts tries without progress and says how long to wait.
#[derive(Debug)]
pub struct Backoff {
    first: Duration,
    fruitless: u32,
    /// Bytes since the last fault.
    came: u64,
    jitter: u64,
}

impl Backoff {
    /// Waits `first` and then twice as long each time; `seed` spreads the waits of ranges that broke together.
    pub fn new(first: Duration, seed: u64) -> Self {
        Self { first, fruitless: 0, came: 0, jitter: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 }
    }

    /// Bytes came: once they are worth a request, the next fault is the first again.
    pub fn progressed(&mut self, bytes: u64) {
        self.came = self.came.saturating_add(bytes);
        if self.came >= WORTH {
            self.fruitless = 0;
        }
    }

    /// Tries in a row that brought nothing.
    pub fn tries(&self) -> u32 {
        self.fruitless
    }

    /// How long to wait after `error`; `None` to give up.
    pub fn next_wait(&mut self, error: &ApiError) -> Option<Duration> {
        if !may_recover(error) || self.fruitless >= MAX_FRUITLESS {
            return None;
        }
        self.fruitless += 1;
        self.came = 0;
        let full = self.first.saturating_mul(1 << (self.fruitless - 1).min(16)).min(LONGEST);
        // Half of it is fixed, half is drawn.
        let half = full / 2;
        let drawn = half.mul_f64(self.draw());
        let wait = half + drawn;
        Some(error.retry_after.map_or(wait, |asked| asked.min(LONGEST * 2).max(wait)))
    }

    /// xorshift: 0 to 1.
    fn draw(&mut self) -> f64 {
        self.jitter ^= self.jitter << 13;
        self.jitter ^= self.jitter >> 7;
        self.jitter ^= self.jitter << 17;
        (self.jitter >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_millis(500);

    fn error(kind: ApiErrorKind, status: Option<u16>) -> ApiError {
        let mut error = ApiError::new(kind, "download", "http://h", "x");
        error.status = status;
        error
    }

    #[test]
    fn what_a_client_did_wrong_is_never_tried_again() {
        for (kind, status, again) in [
            (ApiErrorKind::Proxy, 502, true),
            (ApiErrorKind::Proxy, 403, false),
            (ApiErrorKind::Timeout, 408, false),
            (ApiErrorKind::RateLimited, 429, true),
            (ApiErrorKind::Server, 500, true),
            (ApiErrorKind::NotFound, 404, false),
        ] {
            let mut error = ApiError::new(kind, "x", "http://h", "y");
            error.status = Some(status);
            assert_eq!(may_recover(&error), again, "{status}");
        }
    }

    #[test]
    fn waits_double_within_their_jitter_and_end() {
        let cut = error(ApiErrorKind::Cut, None);
        let mut backoff = Backoff::new(FIRST, 7);
        let mut expected = FIRST;
        for _ in 0..MAX_FRUITLESS {
            let wait = backoff.next_wait(&cut).unwrap();
            assert!(wait >= expected / 2 && wait <= expected, "{wait:?} for {expected:?}");
            expected = (expected * 2).min(LONGEST);
        }
        assert_eq!(backoff.next_wait(&cut), None);
        backoff.progressed(1);
        assert_eq!(backoff.next_wait(&cut), None, "a single byte is no progress");
        backoff.progressed(WORTH);
        assert!(backoff.next_wait(&cut).unwrap() <= FIRST);
    }

    #[test]
    fn ranges_that_broke_together_do_not_come_back_together() {
        let cut = error(ApiErrorKind::Cut, None);
        let waits: std::collections::BTreeSet<_> =
            (0..8).map(|seed| Backoff::new(FIRST, seed).next_wait(&cut).unwrap()).collect();
        assert!(waits.len() >= 7, "{waits:?}");
    }

    #[test]
    fn refusals_are_final_and_overload_is_not() {
        for kind in [ApiErrorKind::NotFound, ApiErrorKind::Forbidden, ApiErrorKind::Unauthorized, ApiErrorKind::Changed] {
            assert_eq!(Backoff::new(FIRST, 1).next_wait(&error(kind, None)), None, "{kind:?}");
        }
        for (kind, status) in [(ApiErrorKind::RateLimited, 429), (ApiErrorKind::Server, 500), (ApiErrorKind::Proxy, 502)] {
            assert!(Backoff::new(FIRST, 1).next_wait(&error(kind, Some(status))).is_some(), "{status}");
        }
    }

    #[test]
    fn a_server_may_ask_for_patience_within_reason() {
        let mut limited = error(ApiErrorKind::RateLimited, Some(429));
        limited.retry_after = Some(Duration::from_secs(9));
        assert_eq!(Backoff::new(FIRST, 1).next_wait(&limited), Some(Duration::from_secs(9)));
        limited.retry_after = Some(Duration::from_secs(86_400));
        assert_eq!(Backoff::new(FIRST, 1).next_wait(&limited), Some(Duration::from_secs(60)));
    }
}
