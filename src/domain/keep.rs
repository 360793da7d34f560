//! The retention rules of a repository, as the configuration says them.

use std::fmt;
use std::time::Duration;

/// How many backups of each collection are kept. All rules hold at once: what one of them keeps stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Keep {
    /// The newest ones.
    pub last: u32,
    /// The newest of each of so many hours that have one.
    pub hourly: u32,
    /// Of each day.
    pub daily: u32,
    /// Of each ISO week.
    pub weekly: u32,
    /// Of each month.
    pub monthly: u32,
    /// Of each year.
    pub yearly: u32,
    /// All that are younger.
    pub within: Option<Duration>,
}

impl Keep {
    /// Whether there is no rule: then everything is kept.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The counting rules with their names, in the order of the configuration.
    pub fn counts(&self) -> [(&'static str, u32); 6] {
        [
            ("last", self.last),
            ("hourly", self.hourly),
            ("daily", self.daily),
            ("weekly", self.weekly),
            ("monthly", self.monthly),
            ("yearly", self.yearly),
        ]
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words: Vec<String> =
            self.counts().iter().filter(|(_, count)| *count > 0).map(|(name, count)| format!("{name} {count}")).collect();
        words.extend(self.within.map(|within| format!("within {}", crate::domain::time::span(within))));
        if words.is_empty() { f.write_str("everything") } else { f.write_str(&words.join(", ")) }
    }
}
