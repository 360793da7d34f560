//! Which collections a snapshot of the full storage holds, and where in it: their snapshots lie in it as they are, so that each
//! can be taken out as a range of bytes. Only the outer headers are read.

use crate::archive::bytes::Bytes;
use crate::archive::damage::{Damage, Stop};
use crate::archive::layout::{self, Place};
use crate::archive::walk::{Counters, Walk};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io;

/// A configuration larger than this is none: a name and a file for each collection.
const LARGEST: u64 = 8 << 20;

/// Pieces of all files: a million of them take 24 MB.
const MOST_PIECES: usize = 1 << 20;

type Layout = (u64, Vec<(u64, Option<u64>)>);

/// One collection's snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The collection, its whole name.
    pub collection: String,
    /// The name of its file, which tells peer and time.
    pub file: String,
    /// Bytes.
    pub size: u64,
    /// Where they are: so many from this offset on, or a hole.
    pub layout: Vec<(u64, Option<u64>)>,
}

/// What is in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Members {
    /// By collection.
    pub all: Vec<Member>,
    /// Aliases, and the collections at which they point.
    pub aliases: BTreeMap<String, String>,
}

/// Why it has no members.
#[derive(Debug)]
pub enum Unfit {
    /// Damaged, or no snapshot of the full storage.
    Damage(Damage),
    /// It could not be read.
    Source(io::Error),
}

impl From<Stop> for Unfit {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Damage(damage) => Self::Damage(damage),
            Stop::Source(error) => Self::Source(error),
        }
    }
}

/// Reads the headers.
///
/// # Errors
/// When it is damaged, when its configuration names a file that is not in it, and when it cannot be read.
pub fn members(bytes: &mut dyn Bytes) -> Result<Members, Unfit> {
    let mut counters = Counters::default();
    let mut walk = Walk::new(bytes, &mut counters, "", 0);
    let mut files: BTreeMap<String, Layout> = BTreeMap::new();
    let (mut config, mut doubled, mut pieces) = (None, None, 0);
    while let Some(entry) = walk.next()? {
        match layout::place(&entry.path) {
            Place::Collection(_) if !entry.directory => {
                // The header was read; what follows is the file.
                let layout = entry.layout(walk.at());
                pieces += layout.len();
                if pieces > MOST_PIECES {
                    return Err(flaw(&entry.path, entry.offset, "it has more files and holes than are held in memory"));
                }
                let known = files.insert(entry.path.clone(), (entry.size, layout));
                doubled = doubled.or(known.map(|_| flaw(&entry.path, entry.offset, "it appears twice")));
            }
            Place::Config if !entry.directory => {
                let text = walk.read(&entry, LARGEST)?;
                config = serde_json::from_slice::<Value>(&text).ok();
            }
            _ => {}
        }
    }
    if let Some(doubled) = doubled {
        return Err(doubled);
    }
    let Some(mapping) = config.as_ref().and_then(|config| config.get("collections_mapping")).and_then(Value::as_object) else {
        return Err(flaw(
            "config.json",
            0,
            "it does not say which collection is in which file: this is no snapshot of a full storage",
        ));
    };
    let mut found = Members::default();
    for (collection, file) in mapping {
        let file = file.as_str().unwrap_or_default();
        let Some((size, layout)) = files.get(file) else {
            return Err(flaw(file, 0, &format!("`config.json` names it for the collection {collection}, and it is not there")));
        };
        found.all.push(Member { collection: collection.clone(), file: file.to_owned(), size: *size, layout: layout.clone() });
    }
    let aliases = config.as_ref().and_then(|config| config.get("collections_aliases")).and_then(Value::as_object);
    let read = |(alias, of): (&String, &Value)| Some((alias.clone(), of.as_str()?.to_owned()));
    found.aliases = aliases.into_iter().flatten().filter_map(read).collect();
    Ok(found)
}

fn flaw(entry: &str, offset: u64, what: &str) -> Unfit {
    let (entry, what) = (crate::domain::text::one_line(entry, 120), crate::domain::text::one_line(what, 200));
    Unfit::Damage(Damage { entry, offset, what, limit: false })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::bytes::StreamBytes;

    fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            builder.append_data(&mut header, name, *content).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn read(bytes: &[u8]) -> Result<Members, String> {
        members(&mut StreamBytes(bytes)).map_err(|unfit| match unfit {
            Unfit::Damage(damage) => damage.what,
            Unfit::Source(error) => error.to_string(),
        })
    }

    #[test]
    fn each_collection_is_found_where_its_bytes_are() {
        let long = format!("{}-1-2026-11-22-03-00-05.snapshot", "n".repeat(150));
        let config = format!(
            r#"{{"collections_mapping":{{"a":"a-1-2026-11-22-03-00-05.snapshot","n":"{long}"}},"collections_aliases":{{"shop":"a"}}}}"#
        );
        let bytes = archive(&[
            ("a-1-2026-11-22-03-00-05.snapshot", &[7; 700]),
            (&long, b"the second"),
            ("config.json", config.as_bytes()),
        ]);
        let found = read(&bytes).unwrap();
        let of = |at: usize| {
            let member: &Member = &found.all[at];
            let start = member.layout[0].1.unwrap() as usize;
            &bytes[start..start + member.size as usize]
        };
        assert_eq!((of(0), of(1)), (&[7; 700][..], &b"the second"[..]));
        assert_eq!(found.aliases, BTreeMap::from([("shop".to_owned(), "a".to_owned())]));
    }

    #[test]
    fn what_is_none_or_is_not_whole_says_so() {
        let named = r#"{"collections_mapping":{"a":"a-1-2026-11-22-03-00-05.snapshot"}}"#;
        let missing = archive(&[("config.json", named.as_bytes())]);
        assert!(read(&missing).unwrap_err().contains("it is not there"));
        assert!(read(&archive(&[("config.json", b"{}")])).unwrap_err().contains("no snapshot of a full storage"));
        let whole = archive(&[("a-1-2026-11-22-03-00-05.snapshot", &[7; 700]), ("config.json", named.as_bytes())]);
        assert!(read(&whole[..900]).unwrap_err().contains("cut"));
        assert!(read(b"junk").is_err());
    }
}
