//! Qdrant's version number, and the rule that says where a snapshot may go.

use serde::{Serialize, Serializer};
use std::fmt;

/// `major.minor.patch`; a suffix such as `-dev` is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServerVersion {
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
    /// Patch number.
    pub patch: u32,
}

impl ServerVersion {
    /// Reads `1.18.3` or `1.18.3-dev`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim_start_matches('v').splitn(3, '.');
        let major = parts.next()?.parse().ok()?;
        let minor = parts.next()?.parse().ok()?;
        let patch_text = parts.next().unwrap_or("0");
        let digits = patch_text.find(|c: char| !c.is_ascii_digit()).unwrap_or(patch_text.len());
        Some(Self { major, minor, patch: patch_text[..digits].parse().unwrap_or(0) })
    }

    /// Whether the server is of this minor version or newer.
    pub fn at_least(self, major: u32, minor: u32) -> bool {
        (self.major, self.minor) >= (major, minor)
    }
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl Serialize for ServerVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What the version rule says of moving a snapshot from one server to another. The server itself
/// checks nothing before live data is gone, so this is the only gate (maintainers: same or next minor).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionStep {
    /// Same minor version, or the next one: supported.
    Supported,
    /// More than one minor version ahead: may work, not supported.
    FarAhead,
    /// The target is older than the source.
    Downgrade,
}

/// Applies the rule.
pub fn version_step(source: ServerVersion, target: ServerVersion) -> VersionStep {
    let from = (source.major, source.minor);
    let to = (target.major, target.minor);
    if to < from {
        VersionStep::Downgrade
    } else if to == from || (source.major == target.major && target.minor == source.minor + 1) {
        VersionStep::Supported
    } else {
        VersionStep::FarAhead
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_parse_leniently() {
        assert_eq!(ServerVersion::parse("1.18.3").unwrap().to_string(), "1.18.3");
        assert_eq!(ServerVersion::parse("1.20.0-dev").unwrap().minor, 20);
        assert_eq!(ServerVersion::parse("1.9").unwrap().patch, 0);
        assert!(ServerVersion::parse("unknown").is_none());
    }

    #[test]
    fn the_version_rule() {
        let v = |text| ServerVersion::parse(text).unwrap();
        for (from, to, step) in [
            ("1.16.3", "1.16.0", VersionStep::Supported),
            ("1.16.3", "1.17.0", VersionStep::Supported),
            ("1.16.3", "1.18.3", VersionStep::FarAhead),
            ("1.18.3", "1.16.3", VersionStep::Downgrade),
            ("1.20.0", "2.0.0", VersionStep::FarAhead),
        ] {
            assert_eq!(version_step(v(from), v(to)), step, "{from} -> {to}");
        }
    }
}
