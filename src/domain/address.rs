//! `instance/collection[/snapshot]`, `instance/collection@latest`, `repository:instance/collection@id`, or a local file. A snapshot
//! of a whole instance is `instance@snapshot` or `instance@latest`, and one collection in it has `#collection` behind that.
//!
//! Whatever a shell or a keyboard cannot type (control and bidirectional characters, `/`, `@`, `%`,
//! white space) is written `%XX`, so that every collection has an address that can be typed back.

use crate::domain::backup::{BackupId, RepositoryName};
use crate::domain::ids::{CollectionName, InstanceName, SnapshotName};
use crate::domain::snapshot::SnapshotScope;
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
        let collection = encode(self.collection.raw());
        // Else it would be read as the name of a file.
        match collection.strip_suffix(".snapshot") {
            Some(stem) => write!(f, "{}/{stem}%2Esnapshot", self.instance),
            None => write!(f, "{}/{collection}", self.instance),
        }
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

/// What snapshots are of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SnapshotsOf {
    /// A collection.
    Collection(CollectionAddress),
    /// The full storage of a node of this instance: all its collections and aliases.
    Storage(InstanceName),
}

impl SnapshotsOf {
    /// Reads `instance/collection` or `instance`.
    pub fn parse(text: &str) -> Result<Self, String> {
        match Address::parse(text)? {
            Address::Collection(address) => Ok(Self::Collection(address)),
            Address::Instance(instance) => Ok(Self::Storage(instance)),
            other => Err(format!("`{other}` names neither an instance nor a collection: write instance or instance/collection")),
        }
    }

    /// The instance.
    pub fn instance(&self) -> &InstanceName {
        match self {
            Self::Collection(address) => &address.instance,
            Self::Storage(instance) => instance,
        }
    }

    /// The collection, where it is one.
    pub fn collection(&self) -> Option<&CollectionAddress> {
        match self {
            Self::Collection(address) => Some(address),
            Self::Storage(_) => None,
        }
    }

    /// What a server calls it.
    pub fn scope(&self) -> SnapshotScope {
        match self {
            Self::Collection(address) => SnapshotScope::Collection(address.collection.clone()),
            Self::Storage(_) => SnapshotScope::Storage,
        }
    }

    /// Address of one of its snapshots, as it is typed.
    pub fn snapshot(&self, name: &SnapshotName) -> String {
        match self {
            Self::Collection(address) => address.snapshot(name),
            Self::Storage(instance) => format!("{instance}@{}", encode(name.raw())),
        }
    }
}

impl From<CollectionAddress> for SnapshotsOf {
    fn from(address: CollectionAddress) -> Self {
        Self::Collection(address)
    }
}

impl fmt::Display for SnapshotsOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Collection(address) => write!(f, "{address}"),
            Self::Storage(instance) => write!(f, "{instance}"),
        }
    }
}

/// Which backup of a collection is meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhichBackup {
    /// The newest good one.
    Latest,
    /// The one with this id.
    Id(BackupId),
}

/// The address of a backup: `repository:instance/collection@id`, or `@latest`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupAddress {
    /// Where it is kept.
    pub repository: RepositoryName,
    /// Of what; the instance need not be configured any more.
    pub collection: CollectionAddress,
    /// Which.
    pub which: WhichBackup,
}

impl BackupAddress {
    /// The address of one backup.
    pub fn id(repository: &RepositoryName, collection: &CollectionAddress, id: &BackupId) -> Self {
        Self { repository: repository.clone(), collection: collection.clone(), which: WhichBackup::Id(id.clone()) }
    }
}

impl fmt::Display for BackupAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.which {
            WhichBackup::Latest => write!(f, "{}:{}@latest", self.repository, self.collection),
            WhichBackup::Id(id) => write!(f, "{}:{}@{id}", self.repository, self.collection),
        }
    }
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
    /// `repository:instance/collection@id` or `…@latest`
    Backup(BackupAddress),
    /// `instance@snapshot` or `instance@latest`: of the full storage
    Storage(InstanceName, Which),
    /// `…#collection`: one collection in a snapshot of the full storage, on a node or in a file
    Member(Box<Address>, CollectionName),
    /// A path: starts with `/`, `./`, `../` or `~`, or ends in `.snapshot` without being an address.
    File(PathBuf),
}

impl Address {
    /// Reads an address; the error says what is wrong and how it should look.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(member) = member(text) {
            return member;
        }
        if let Some(storage) = storage(text) {
            return storage;
        }
        let is_path = text.starts_with('/') || text.starts_with("./") || text.starts_with("../") || text.starts_with('~');
        let slashes = text.matches('/').count();
        if is_path || (slashes < 2 && text.ends_with(".snapshot")) {
            return Ok(Self::File(PathBuf::from(text)));
        }
        if let Some((repository, rest)) = repository_of(text) {
            return backup(repository, rest).map(Self::Backup);
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
            Self::Backup(address) => write!(f, "{address}"),
            Self::Storage(instance, Which::Latest) => write!(f, "{instance}@latest"),
            Self::Storage(instance, Which::Named(name)) => write!(f, "{instance}@{}", encode(name.raw())),
            Self::Member(whole, collection) => write!(f, "{whole}#{}", encode(collection.raw())),
            Self::File(path) => f.write_str(&crate::domain::text::sanitise(&path.display().to_string())),
        }
    }
}

/// `instance@latest` or `instance@name.snapshot`, without a slash.
fn storage(text: &str) -> Option<Result<Address, String>> {
    let (instance, which) = text.split_once('@').filter(|_| !text.contains('/'))?;
    let instance = InstanceName::new(instance).ok()?;
    let which = match which {
        "latest" => Which::Latest,
        name if name.ends_with(".snapshot") => match decode(name) {
            Ok(name) => Which::Named(SnapshotName::new(name)),
            Err(wrong) => return Some(Err(wrong)),
        },
        _ => return None,
    };
    Some(Ok(Address::Storage(instance, which)))
}

/// One collection in a snapshot of the full storage. A `#` elsewhere is a part of a name.
fn member(text: &str) -> Option<Result<Address, String>> {
    let (whole, collection) = text.rsplit_once('#')?;
    if !(whole.ends_with(".snapshot") || whole.ends_with("@latest")) {
        return None;
    }
    let whole = Address::parse(whole).ok().filter(|whole| matches!(whole, Address::File(_) | Address::Storage(..)))?;
    Some(match decode(collection) {
        Ok(name) if name.is_empty() => Err(format!("`{whole}#` names no collection: write {whole}#collection")),
        Ok(name) => Ok(Address::Member(Box::new(whole), CollectionName::new(name))),
        Err(wrong) => Err(wrong),
    })
}

/// The name of a repository in front of an address, if there is one: a colon before the first slash.
pub fn repository_of(text: &str) -> Option<(&str, &str)> {
    let (repository, rest) = text.split_once(':')?;
    (!repository.contains('/')).then_some((repository, rest))
}

fn backup(repository: &str, rest: &str) -> Result<BackupAddress, String> {
    let repository = RepositoryName::new(repository)?;
    let (collection, which) = match rest.rsplit_once('@') {
        Some((collection, "latest")) => (collection, WhichBackup::Latest),
        Some((collection, id)) => (collection, WhichBackup::Id(BackupId::new(id)?)),
        None => {
            return Err(format!(
                "`{repository}:{}` names no backup: write {repository}:instance/collection@latest or @id",
                crate::domain::text::sanitise(rest)
            ));
        }
    };
    Ok(BackupAddress { repository, collection: CollectionAddress::parse(collection)?, which })
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
            "docs.snapshot",
            ".snapshot",
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
        for text in ["offsite:prod/c@latest", "offsite:prod/a%2Fb@20261122T031500Z-9f3c"] {
            let address = Address::parse(text).unwrap();
            assert!(matches!(address, Address::Backup(_)), "{text}");
            assert_eq!(address.to_string(), text);
        }
        assert!(matches!(Address::parse("prod/a:b").unwrap(), Address::Collection(_)), "a colon in the name of a collection");
        assert!(matches!(Address::parse("prod").unwrap(), Address::Instance(_)));
        assert!(matches!(Address::parse("prod/c@latest").unwrap(), Address::Snapshot(_, Which::Latest)));
        assert!(matches!(Address::parse("prod/c/c-1.snapshot").unwrap(), Address::Snapshot(_, Which::Named(_))));
    }

    #[test]
    fn the_full_storage_and_what_is_in_it_have_addresses() {
        for text in [
            "prod@latest",
            "prod@full-snapshot-2026-11-22-03-00-05.snapshot",
            "prod@latest#products",
            "prod@full-snapshot-2026-11-22-03-00-05.snapshot#a%2Fb",
            "./full.snapshot#products",
        ] {
            let address = Address::parse(text).unwrap();
            assert!(matches!(address, Address::Storage(..) | Address::Member(..)), "{text}");
            assert_eq!(address.to_string(), text);
        }
        assert!(matches!(Address::parse("./a#b.snapshot").unwrap(), Address::File(_)), "a sign in the name of a file");
        assert!(matches!(Address::parse("./a@b.snapshot").unwrap(), Address::File(_)));
        assert!(matches!(Address::parse("prod/a#b").unwrap(), Address::Collection(_)), "a sign in the name of a collection");
        assert!(Address::parse("prod@latest#").is_err());
        assert!(Address::parse("prod@yesterday").is_err());
    }

    #[test]
    fn wrong_addresses_say_how_they_should_look() {
        for bad in
            ["", "prod/", "prod/c/", "prod/c/d/e", "prod/c@yesterday", "pr od/c", "prod/%FF", "r:a/b", "r:a@latest", "r:a/b@x"]
        {
            assert!(Address::parse(bad).is_err(), "{bad}");
        }
    }
}
