//! `instance/collection[/snapshot]`, `instance/collection@latest`, or a local file.
//!
//! Whatever a shell or a keyboard cannot type (control and bidirectional characters, `/`, `@`, `%`,
//! white space) is written `%XX`, so that every collection has an address that can be typed back.

use crate::domain::ids::{CollectionName, InstanceName, SnapshotName};
use crate::domain::text::is_hostile;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;

/// A collection on an instance. Kept in files as it is typed: `instance/collection`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct CollectionAddress {
    /// The instance.
    pub instance: InstanceName,
    /// The collection.
    pub collection: CollectionName,
}

impl CollectionAddress {
    /// Address of one of its snapshots, as it is typed.
    pub fn snapshot(&self, name: &SnapshotName) -> String {
        format!("{self}/{}", encode(name.raw()))
    }

    /// Joins the two.
    pub fn new(instance: InstanceName, collection: CollectionName) -> Self {
        Self { instance, collection }
    }

    /// Reads `instance/collection`.
    pub fn parse(text: &str) -> Result<Self, String> {
        match Address::parse(text)? {
            Address::Collection(address) => Ok(address),
            other => Err(format!("`{other}` does not name a collection: write instance/collection")),
        }
    }
}

impl fmt::Display for CollectionAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.instance, encode(self.collection.raw()))
    }
}

impl From<CollectionAddress> for String {
    fn from(address: CollectionAddress) -> Self {
        address.to_string()
    }
}

impl TryFrom<String> for CollectionAddress {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

/// Which snapshot of a collection is meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// The newest one.
    Latest,
    /// The one of this name.
    Named(SnapshotName),
}

/// Anything a command line may point at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// `instance`
    Instance(InstanceName),
    /// `instance/collection`
    Collection(CollectionAddress),
    /// `instance/collection/snapshot` or `instance/collection@latest`
    Snapshot(CollectionAddress, Which),
    /// A path: starts with `/`, `./`, `../` or `~`, or ends in `.snapshot` without being an address.
    File(PathBuf),
}

impl Address {
    /// Reads an address; the error says what is wrong and how it should look.
    pub fn parse(text: &str) -> Result<Self, String> {
        let is_path = text.starts_with('/') || text.starts_with("./") || text.starts_with("../") || text.starts_with('~');
        let slashes = text.matches('/').count();
        if is_path || (slashes < 2 && text.ends_with(".snapshot")) {
            return Ok(Self::File(PathBuf::from(text)));
        }
        let mut parts = text.splitn(4, '/');
        let instance = InstanceName::new(parts.next().unwrap_or_default())?;
        let Some(second) = parts.next() else { return Ok(Self::Instance(instance)) };
        let third = parts.next();
        if parts.next().is_some() {
            return Err(format!(
                "`{}` has too many parts: write instance/collection/snapshot",
                crate::domain::text::sanitise(text)
            ));
        }
        let (collection_text, latest) = match second.strip_suffix("@latest") {
            Some(rest) => (rest, true),
            None if second.contains('@') => {
                return Err(format!("`{}`: only @latest may follow a collection", crate::domain::text::sanitise(text)));
            }
            None => (second, false),
        };
        let collection = CollectionName::new(decode(collection_text)?);
        if collection.raw().is_empty() {
            return Err(format!("`{}` names no collection: write instance/collection", crate::domain::text::sanitise(text)));
        }
        if matches!(collection.raw(), "." | "..") {
            return Err("a collection cannot be called `.` or `..`: in an address they mean folders".into());
        }
        let address = CollectionAddress::new(instance, collection);
        match (third, latest) {
            (None, false) => Ok(Self::Collection(address)),
            (None, true) => Ok(Self::Snapshot(address, Which::Latest)),
            (Some("." | ".."), _) => Err("a snapshot cannot be called `.` or `..`: in an address they mean folders".into()),
            (Some(""), _) => Err(format!("`{}` names no snapshot", crate::domain::text::sanitise(text))),
            (Some(_), true) => Err("give either @latest or a snapshot's name, not both".into()),
            (Some(name), false) => Ok(Self::Snapshot(address, Which::Named(SnapshotName::new(decode(name)?)))),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance(name) => write!(f, "{name}"),
            Self::Collection(address) => write!(f, "{address}"),
            Self::Snapshot(address, Which::Latest) => write!(f, "{address}@latest"),
            Self::Snapshot(address, Which::Named(name)) => write!(f, "{address}/{}", encode(name.raw())),
            Self::File(path) => f.write_str(&crate::domain::text::sanitise(&path.display().to_string())),
        }
    }
}

/// Encodes one part of an address so that it can be typed on one line.
pub fn encode(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    for c in raw.chars() {
        // All of ASCII that a shell or an address could take for something else; letters of any script stay.
        let plain = c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | ',' | ':' | '=');
        let awkward = is_hostile(c) || c.is_whitespace() || (c.is_ascii() && !plain);
        if awkward {
            let mut buffer = [0; 4];
            for byte in c.encode_utf8(&mut buffer).bytes() {
                out.push_str(&format!("%{byte:02X}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

fn decode(text: &str) -> Result<String, String> {
    percent_encoding::percent_decode_str(text)
        .decode_utf8()
        .map(|decoded| decoded.into_owned())
        .map_err(|_| format!("`{}` has a %XX sequence that is not UTF-8", crate::domain::text::sanitise(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_collection_name_can_be_typed_back() {
        for raw in [
            "products",
            "a/b",
            "a@b",
            "50%",
            "tab\tx",
            "\u{202e}abc",
            "日本 語",
            "x'y\"z",
            "e\u{1b}[2J",
            "x;{curl,-O,evil};&|<>*?#!~()",
        ] {
            let address = CollectionAddress::new(InstanceName::new("prod").unwrap(), CollectionName::new(raw));
            let shown = address.to_string();
            assert!(!shown.chars().any(is_hostile), "{shown:?}");
            assert!(!shown.contains(|c: char| "'\"`$;&|<>*?#!~(){}[]\\ ".contains(c)), "nothing for a shell: {shown}");
            assert_eq!(CollectionAddress::parse(&shown).unwrap(), address);
        }
    }

    #[test]
    fn addresses_are_told_from_files() {
        let file = |text: &str| matches!(Address::parse(text).unwrap(), Address::File(_));
        assert!(file("./x") && file("/tmp/a") && file("products-1.snapshot") && file("backups/products-1.snapshot"));
        assert!(matches!(Address::parse("prod").unwrap(), Address::Instance(_)));
        assert!(matches!(Address::parse("prod/c@latest").unwrap(), Address::Snapshot(_, Which::Latest)));
        assert!(matches!(Address::parse("prod/c/c-1.snapshot").unwrap(), Address::Snapshot(_, Which::Named(_))));
    }

    #[test]
    fn wrong_addresses_say_how_they_should_look() {
        for bad in ["", "prod/", "prod/c/", "prod/c/d/e", "prod/c@yesterday", "pr od/c", "prod/%FF"] {
            assert!(Address::parse(bad).is_err(), "{bad}");
        }
    }
}
