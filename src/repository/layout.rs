//! Where what lies. Keys are written in one way: of each part of an address all but ASCII letters, digits, `.`, `_` and `-`
//! becomes `%XX` of its UTF-8 bytes, so that any name is legal in any store and on any file system. A part whose key would be
//! longer than 180 bytes is cut, and ends in `~` and 16 hex digits of the sha256 of the name; the manifest has the whole name.
//!
//! ```text
//! qsnap-repository.json                        marks the repository
//! <instance>/<collection>/<backup-id>/
//!     started.json                             while it is written, or removed
//!     <peer>-<name of the snapshot>            what Qdrant made, of kind "snapshot"
//!     shard-<n>.tar                            what a node streamed, of kind "shards": all of it, or what changed
//!     shard-<n>.files.json                     where each file of the shard lies, also in older backups
//!     backup.json                              the manifest, written last
//!     notes/<time>-<who>-<random>.json         notes, holds, proofs
//! ```

use crate::domain::address::CollectionAddress;
use crate::domain::backup::BackupId;
use crate::domain::hex::hex;
use crate::domain::ids::{CollectionName, InstanceName, PeerId, ShardId};
use sha2::{Digest, Sha256};

/// The mark at the root.
pub const MARK: &str = "qsnap-repository.json";

/// The manifest in the folder of a backup.
pub const MANIFEST: &str = "backup.json";

/// What says that a backup is written, or removed.
pub const STARTED: &str = "started.json";

/// The folder of notes in that of a backup.
pub const NOTES: &str = "notes";

/// What a directory writes before an object is whole.
pub const PART: &str = ".part";

/// Longest part of a key.
const LONGEST: usize = 180;

/// A name as one part of a key.
pub fn part(name: &str) -> String {
    let mut key = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' => key.push(char::from(byte)),
            _ => key.push_str(&format!("%{byte:02X}")),
        }
    }
    if key.bytes().all(|byte| byte == b'.') {
        key = key.replace('.', "%2E");
    }
    if key.len() > LONGEST {
        let digest = hex(&Sha256::digest(name.as_bytes()));
        let mut end = LONGEST - 17;
        // A `%XX` is not cut in two.
        if let Some(at) = key[end - 2..end].find('%') {
            end = end - 2 + at;
        }
        key = format!("{}~{}", &key[..end], &digest[..16]);
    }
    key
}

/// The name that a part of a key stands for; `None` where it was cut, or is not written as [`part`] does.
pub fn name(key: &str) -> Option<String> {
    let decoded = percent_encoding::percent_decode_str(key).decode_utf8().ok()?.into_owned();
    (part(&decoded) == key).then_some(decoded)
}

/// The folder of the backups of a collection, without a slash at its end.
pub fn group(collection: &CollectionAddress) -> String {
    format!("{}/{}", part(collection.instance.as_str()), part(collection.collection.raw()))
}

/// The folder of a backup.
pub fn folder(collection: &CollectionAddress, id: &BackupId) -> String {
    format!("{}/{id}", group(collection))
}

/// The folder of all backups of the collection that the backup in a folder is of.
pub fn group_of(folder: &str) -> &str {
    folder.rsplit_once('/').map_or("", |(group, _)| group)
}

/// The folder of another backup of the same collection.
pub fn beside(folder: &str, id: &BackupId) -> String {
    format!("{}/{id}", group_of(folder))
}

/// The name of the object of a snapshot.
pub fn object(peer: Option<PeerId>, original: &str) -> String {
    let peer = peer.map_or_else(|| "node".to_owned(), |peer| peer.to_string());
    let stem = original.strip_suffix(".snapshot").unwrap_or(original);
    format!("{peer}-{}.snapshot", part(stem))
}

/// The name of the object of a shard's stream.
pub fn shard_object(shard: ShardId) -> String {
    format!("shard-{shard}.tar")
}

/// The name of the list of a shard's files.
pub fn index_object(shard: ShardId) -> String {
    format!("shard-{shard}.files.json")
}

/// Whether a name in the folder of a backup is that of a small file of ours that was still written: a directory writes it beside
/// its place, with a few random letters.
pub fn is_unwritten(name: &str) -> bool {
    let Some(stem) = name.strip_suffix(PART) else { return false };
    let random = [STARTED, MANIFEST].iter().find_map(|own| stem.strip_prefix(own));
    random.is_some_and(|random| random.len() <= 8 && random.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// Whether a key is that of a note: a name that begins with a time, in the folder of notes.
pub fn is_note(folder: &str, key: &str) -> bool {
    let name = key.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')?.strip_prefix(NOTES)?.strip_prefix('/'));
    name.is_some_and(|name| {
        let time = name.get(..17).unwrap_or_default().as_bytes();
        let digits = time.iter().enumerate().all(|(at, byte)| match at {
            8 => *byte == b'T',
            15 => *byte == b'Z',
            16 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        });
        time.len() == 17 && digits && name.ends_with(".json") && !name.contains('/')
    })
}

/// What a key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key<'a> {
    /// The mark of the repository.
    Mark,
    /// A file of a backup.
    OfBackup {
        /// The part of the instance.
        instance: &'a str,
        /// The part of the collection.
        collection: &'a str,
        /// Which backup.
        id: BackupId,
        /// What remains of the key.
        file: &'a str,
    },
    /// Nothing of ours.
    Stranger,
}

/// Reads a key below the root of the repository.
pub fn read(key: &str) -> Key<'_> {
    if key == MARK {
        return Key::Mark;
    }
    let mut parts = key.splitn(4, '/');
    let (Some(instance), Some(collection), Some(id), Some(file)) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Key::Stranger;
    };
    let ours = InstanceName::new(instance).is_ok() && !collection.is_empty() && !file.is_empty() && !file.contains("//");
    match BackupId::new(id) {
        Ok(id) if ours => Key::OfBackup { instance, collection, id, file },
        _ => Key::Stranger,
    }
}

/// The collection of two parts, where the key says its whole name.
pub fn collection(instance: &str, collection: &str) -> Option<CollectionAddress> {
    Some(CollectionAddress::new(InstanceName::new(instance).ok()?, CollectionName::new(name(collection)?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_become_keys_in_one_way() {
        for (name, key) in [
            ("products", "products"),
            ("mäggi", "m%C3%A4ggi"),
            ("100% sure", "100%25%20sure"),
            ("a/b", "a%2Fb"),
            ("..", "%2E%2E"),
            ("a~b", "a%7Eb"),
            ("-x", "-x"),
        ] {
            assert_eq!(part(name), key);
            assert_eq!(super::name(key).as_deref(), Some(name));
        }
        for other in ["m%c3%a4ggi", "a b", "%2e%2e", "x%", "%FF"] {
            assert_eq!(super::name(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn any_name_is_one_legal_part(name in "\\PC{1,255}") {
            let key = part(&name);
            prop_assert!(key.len() <= 180 && !key.contains('/'));
            if key.contains('~') {
                prop_assert_eq!(super::name(&key), None);
            } else {
                prop_assert_eq!(super::name(&key), Some(name));
            }
        }

        #[test]
        fn any_key_is_read_without_a_panic(key in "[a-z0-9/.%~Z-]{0,60}|\\PC{0,40}") {
            let _ = read(&key);
        }
    }

    #[test]
    fn only_notes_are_notes() {
        let folder = "a/x/20261122T031500Z-9f3c";
        let note = |name: &str| is_note(folder, &format!("{folder}/notes/{name}"));
        assert!(note("20261122T031500Z-ada-0001.json"));
        for other in ["readme.json", "20261122T031500Z-ada-0001.txt", "20261122T031500Z/x.json", "", "20261122T03150äZ-.json"] {
            assert!(!note(other), "{other}");
        }
        assert!(!is_note(folder, "a/x/20261122T031500Z-9f3d/notes/20261122T031500Z-ada-0001.json"));
    }

    #[test]
    fn what_a_kill_left_of_a_small_file_is_ours() {
        for own in ["started.json0BsQ1s.part", "backup.jsonV3Rjyd.part", "started.json.part"] {
            assert!(is_unwritten(own), "{own}");
        }
        for other in ["started.json", "x.part", "started.json/x.part", "started.jsonabcdefghi.part", "backup.json.part.part"] {
            assert!(!is_unwritten(other), "{other}");
        }
    }

    #[test]
    fn keys_are_told_from_those_of_others() {
        let id = "20261122T031500Z-9f3c";
        assert_eq!(read(MARK), Key::Mark);
        let key = format!("prod/a%2Fb/{id}/backup.json");
        let Key::OfBackup { instance, collection, file, .. } = read(&key) else { panic!() };
        assert_eq!((instance, collection, file), ("prod", "a%2Fb", "backup.json"));
        assert_eq!(super::collection(instance, collection).unwrap().to_string(), "prod/a%2Fb");
        for stranger in ["x", "README.md", "a/b/c", "prod/x/2026/backup.json", &format!("prod//{id}/backup.json"), "//", ""] {
            assert_eq!(read(stranger), Key::Stranger, "{stranger}");
        }
    }
}
