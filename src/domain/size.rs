//! Sizes, rates and counts as people read them. Decimal units everywhere: 1 GB = 10⁹ bytes.

use humansize::{DECIMAL, FormatSizeOptions, format_size};

fn options() -> FormatSizeOptions {
    FormatSizeOptions::from(DECIMAL).decimal_places(1).decimal_zeroes(1)
}

/// `18.0 GB`
pub fn bytes(n: u64) -> String {
    if n < 1_000 { format!("{n} B") } else { format_size(n, options()) }
}

/// `118.0 MB/s`
pub fn rate(bytes_per_second: f64) -> String {
    let whole = if bytes_per_second.is_finite() && bytes_per_second > 0.0 { bytes_per_second as u64 } else { 0 };
    format!("{}/s", bytes(whole))
}

/// What is counted while something goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unit {
    /// Bytes.
    #[default]
    Bytes,
    /// Points of a collection.
    Points,
    /// Whole collections.
    Collections,
}

impl Unit {
    /// The word in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Points => "points",
            Self::Collections => "collections",
        }
    }

    /// `9.2 GB/18.0 GB`, `640 K/1.0 M points`
    pub fn share(self, done: u64, total: u64) -> String {
        match self {
            Self::Bytes => format!("{}/{}", bytes(done), bytes(total)),
            Self::Points | Self::Collections => format!("{}/{} {}", count(done), count(total), self.word()),
        }
    }

    /// `118.0 MB/s`, `64 K points/s`; `None` where a rate says nothing.
    pub fn rate(self, per_second: f64) -> Option<String> {
        match self {
            _ if per_second.is_nan() || per_second <= 0.0 => None,
            Self::Bytes => Some(rate(per_second)),
            Self::Points => Some(format!("{} points/s", count(per_second as u64))),
            Self::Collections => None,
        }
    }
}

/// `12`, `910 K`, `4.2 M`
pub fn count(n: u64) -> String {
    match n {
        0..10_000 => n.to_string(),
        10_000..1_000_000 => format!("{} K", n / 1_000),
        1_000_000..1_000_000_000 => format!("{:.1} M", n as f64 / 1e6),
        _ => format!("{:.1} G", n as f64 / 1e9),
    }
}

/// `1 000 000`: exact numbers where people compare them.
pub fn exact(n: u64) -> String {
    let digits = n.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(' ');
        }
        grouped.push(c);
    }
    grouped
}

/// Reads `500MB`, `1GiB`, `2 k`, `100`. A trailing `/s` is allowed, so that rates read the same way.
pub fn parse(text: &str) -> Result<u64, String> {
    let trimmed = text.trim().trim_end_matches("/s").trim();
    let split = trimmed.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(split);
    let wrong = || format!("`{}` is not a size: write for example 500MB or 1GiB", crate::domain::text::sanitise(text));
    let value: f64 = number.parse().map_err(|_| wrong())?;
    let factor: f64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "t" | "tb" => 1e12,
        "kib" => 1024.0,
        "mib" => 1024.0 * 1024.0,
        "gib" => 1024.0 * 1024.0 * 1024.0,
        "tib" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return Err(wrong()),
    };
    let total = value * factor;
    if total.is_finite() && total < 9e18 { Ok(total as u64) } else { Err(wrong()) }
}

/// A rate in bytes per second: at least 1 kB/s, below which nothing ever arrives.
pub fn parse_rate(text: &str) -> Result<u64, String> {
    let rate = parse(text)?;
    if rate >= 1_000 { Ok(rate) } else { Err(format!("a limit of {rate} B/s is too small; write for example 50MB")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_people_write_them() {
        assert_eq!(bytes(18_000_000_000), "18.0 GB");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(rate(f64::NAN), "0 B/s");
        assert_eq!(count(9_999), "9999");
        assert_eq!(count(910_400), "910 K");
        assert_eq!(count(4_200_000), "4.2 M");
        assert_eq!(exact(1_005_000), "1 005 000");
        assert_eq!(exact(12), "12");
    }

    #[test]
    fn what_goes_on_is_told_in_its_unit() {
        assert_eq!(Unit::Bytes.share(9_200_000_000, 18_000_000_000), "9.2 GB/18.0 GB");
        assert_eq!(Unit::Points.share(640_000, 1_000_000), "640 K/1.0 M points");
        assert_eq!(Unit::Points.rate(64_321.5).as_deref(), Some("64 K points/s"));
        assert_eq!(Unit::Bytes.rate(118e6).as_deref(), Some("118.0 MB/s"));
        assert_eq!((Unit::Collections.rate(0.1), Unit::Bytes.rate(f64::NAN), Unit::Points.rate(0.0)), (None, None, None));
    }

    #[test]
    fn sizes_parse_or_explain() {
        assert_eq!(parse("1GiB"), Ok(1 << 30));
        assert_eq!(parse("100MB/s"), Ok(100_000_000));
        assert_eq!(parse("1.5 k"), Ok(1_500));
        for bad in ["", "x", "5 parsecs", "-1", "1e400", "999999999999TiB"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
