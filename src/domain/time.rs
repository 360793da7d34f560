//! Moments and durations. Only [`SystemClock`] reads the real clock.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::time::Duration;

/// Where "now" comes from. Everything that needs a time takes one of these, so that tests can hold it still.
pub trait Clock: Send + Sync {
    /// The present moment, UTC.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// `2026-11-22 03:00`, UTC.
pub fn minute(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M").to_string()
}

/// `2026-11-22 03:00:05`, UTC.
pub fn second(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// `11-22 03:00:05`, UTC: the time of one among others of the same minute, as wide as they are.
pub fn within_minute(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%m-%d %H:%M:%S").to_string()
}

/// `03:00:05`, UTC.
pub fn clock(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%H:%M:%S").to_string()
}

/// `20261122T030005Z`: sorts by time and is legal in file names.
pub fn compact(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// How long ago, in one unit: `now`, `12 m`, `3 h`, `5 d`. A moment in the future reads `now`.
pub fn age(now: Timestamp, then: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(then.as_second());
    match seconds {
        i64::MIN..60 => "now".into(),
        60..3_600 => format!("{} m", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// [`age`] in a sentence: `just now`, `12 m ago`.
pub fn ago(now: Timestamp, then: Timestamp) -> String {
    match age(now, then).as_str() {
        "now" => "just now".into(),
        text => format!("{text} ago"),
    }
}

/// A running or finished duration: `8s`, `4m10s`, `2h05m`.
pub fn duration(length: Duration) -> String {
    let seconds = length.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3_600, seconds % 3_600 / 60),
    }
}

/// A span in its largest whole unit, as the configuration writes it: `90m`, `36h`, `7d`.
pub fn span(length: Duration) -> String {
    let seconds = length.as_secs();
    match seconds {
        _ if seconds >= 172_800 && seconds.is_multiple_of(86_400) => format!("{}d", seconds / 86_400),
        _ if seconds >= 7_200 && seconds.is_multiple_of(3_600) => format!("{}h", seconds / 3_600),
        _ if seconds >= 60 && seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    }
}

/// Reads a span such as `90m`, `36h`, `7d`, `2w` or `1h30m`.
///
/// # Errors
/// When it is none, or not positive.
pub fn parse_span(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{}` is not a duration: write for example 90m, 36h, 7d or 2w", crate::domain::text::sanitise(text));
    let (mut seconds, mut number) = (0_u64, String::new());
    for c in text.trim().chars() {
        if c.is_ascii_digit() {
            number.push(c);
            continue;
        }
        let unit = match c {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return Err(wrong()),
        };
        let count: u64 = number.parse().map_err(|_| wrong())?;
        number.clear();
        seconds = count.checked_mul(unit).and_then(|more| seconds.checked_add(more)).ok_or_else(wrong)?;
    }
    // Ten thousand years are as good as for ever, and still fit into a timestamp's arithmetic.
    if !number.is_empty() || seconds == 0 || seconds > 315_360_000_000 { Err(wrong()) } else { Ok(Duration::from_secs(seconds)) }
}

/// Reads the naive UTC time of a snapshot listing (`2026-11-22T03:00:05`), or RFC 3339.
pub fn parse_server_time(text: &str) -> Option<Timestamp> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    let naive: jiff::civil::DateTime = text.parse().ok()?;
    naive.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_one_unit() {
        let now: Timestamp = "2026-11-22T03:00:00Z".parse().unwrap();
        for (then, text) in [
            ("2026-11-22T02:59:30Z", "now"),
            ("2026-11-23T00:00:00Z", "now"),
            ("2026-11-22T02:48:00Z", "12 m"),
            ("2026-11-22T00:00:00Z", "3 h"),
            ("2026-11-17T03:00:00Z", "5 d"),
        ] {
            assert_eq!(age(now, then.parse().unwrap()), text);
        }
    }

    #[test]
    fn server_times_are_utc_with_or_without_a_zone() {
        let expected: Timestamp = "2026-11-22T03:00:05Z".parse().unwrap();
        assert_eq!(parse_server_time("2026-11-22T03:00:05"), Some(expected));
        assert_eq!(parse_server_time("2026-11-22T03:00:05Z"), Some(expected));
        assert_eq!(parse_server_time("yesterday"), None);
    }

    #[test]
    fn spans_are_read_as_they_are_written() {
        for text in ["45s", "90m", "36h", "7d"] {
            assert_eq!(span(parse_span(text).unwrap()), text);
        }
        assert_eq!(parse_span("1h30m").unwrap(), Duration::from_secs(5_400));
        assert_eq!(span(parse_span("2w").unwrap()), "14d");
        for bad in ["", "h", "5", "0s", "-1h", "1 h", "1y", "99999999999999999999d"] {
            assert!(parse_span(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn durations_grow_their_unit() {
        assert_eq!(duration(Duration::from_secs(8)), "8s");
        assert_eq!(duration(Duration::from_secs(250)), "4m10s");
        assert_eq!(duration(Duration::from_secs(7_500)), "2h05m");
    }
}
