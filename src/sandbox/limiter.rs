//! Rate limits: a token bucket per shard replica. It starts full and regains a sixtieth of its capacity each second
//! (1.16.3).

use crate::sandbox::answer::Refusal;
use serde_json::Value;
use std::time::{Duration, Instant};

/// One bucket.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    capacity: f64,
    tokens: f64,
    checked: Instant,
}

/// What a bucket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Counting, scrolling, retrieving, querying.
    Read,
    /// Changing points and payload indexes.
    Write,
}

/// The buckets of a replica; none where there is no limit.
#[derive(Debug, Clone, Default)]
pub struct Buckets {
    read: Option<Bucket>,
    write: Option<Bucket>,
}

impl Buckets {
    /// Buckets of a replica that was just created or restored. Like the real server, this ignores `enabled`.
    pub fn of_new_replica(config: &Value) -> Self {
        let bucket = |key: &str| config["strict_mode_config"][key].as_u64().map(Bucket::per_minute);
        Self { read: bucket("read_rate_limit"), write: bucket("write_rate_limit") }
    }

    /// Buckets after a change of strict mode: full again, and none if it is not enabled.
    pub fn of_changed_config(config: &Value) -> Self {
        if config["strict_mode_config"]["enabled"] == true { Self::of_new_replica(config) } else { Self::default() }
    }

    /// Takes tokens, or refuses with 429 and takes none.
    pub fn take(&mut self, side: Side, cost: u64) -> Result<(), Refusal> {
        let (bucket, name) = match side {
            Side::Read => (&mut self.read, "Read"),
            Side::Write => (&mut self.write, "Write"),
        };
        let Some(bucket) = bucket else { return Ok(()) };
        bucket.take(cost, Instant::now()).map_err(|lack| lack.refusal(name, cost))
    }
}

/// Why a bucket refuses.
#[derive(Debug, PartialEq)]
enum Lack {
    /// The request costs more than the capacity.
    TooLarge,
    /// Tokens available now, and how long until there are enough.
    Later(f64, Duration),
}

impl Lack {
    fn refusal(&self, side: &str, cost: u64) -> Refusal {
        let start = format!("Rate limiting exceeded: {side} rate limit exceeded");
        match self {
            Self::TooLarge => {
                let words = "request larger than rate limiter capacity, please try to split your request";
                Refusal::new(429, format!("{start}, {words}"))
            }
            Self::Later(held, after) => {
                let seconds = after.as_secs_f32().ceil() as u64;
                let words = format!(
                    "{start}: Operation requires {cost} tokens but only {held:.1} were available. Retry after {seconds}s"
                );
                Refusal { retry_after: Some(seconds), ..Refusal::new(429, words) }
            }
        }
    }
}

impl Bucket {
    fn per_minute(tokens: u64) -> Self {
        Self { capacity: tokens as f64, tokens: tokens as f64, checked: Instant::now() }
    }

    fn take(&mut self, cost: u64, now: Instant) -> Result<(), Lack> {
        let cost = cost as f64;
        if cost > self.capacity {
            return Err(Lack::TooLarge);
        }
        let per_second = self.capacity / 60.0;
        let passed = now.saturating_duration_since(self.checked).as_secs_f64();
        self.checked = now;
        self.tokens = (self.tokens + per_second * passed).min(self.capacity);
        if self.tokens < cost {
            return Err(Lack::Later(self.tokens, Duration::from_secs_f64((cost - self.tokens) / per_second)));
        }
        self.tokens -= cost;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_emptied_and_refilled() {
        let mut bucket = Bucket::per_minute(5);
        let start = bucket.checked;
        for _ in 0..5 {
            assert_eq!(bucket.take(1, start), Ok(()));
        }
        assert_eq!(bucket.take(1, start), Err(Lack::Later(0.0, Duration::from_secs(12))));
        assert_eq!(bucket.take(6, start), Err(Lack::TooLarge));
        assert_eq!(bucket.take(1, start + Duration::from_secs(13)), Ok(()));
        assert_eq!(bucket.take(5, start + Duration::from_secs(600)), Ok(()), "it never holds more than its capacity");
        assert!(bucket.take(1, start + Duration::from_secs(600)).is_err());
    }

    #[test]
    fn refusals_name_the_delay_where_there_is_one() {
        let refusal = Lack::Later(0.0, Duration::from_millis(11_990)).refusal("Read", 1);
        assert_eq!((refusal.status, refusal.retry_after), (429, Some(12)));
        assert!(refusal.words.ends_with("requires 1 tokens but only 0.0 were available. Retry after 12s"), "{}", refusal.words);
        assert_eq!(Lack::TooLarge.refusal("Write", 9).retry_after, None);
    }
}
