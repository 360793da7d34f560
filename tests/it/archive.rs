//! Reading snapshots: those of a real server, damaged ones, and what pretends to be one.

use proptest::prelude::*;
use qsnap::archive::bytes::{Bytes, FileBytes, StreamBytes};
use qsnap::archive::check::{Check, Severity, check};
use qsnap::archive::contents::{Contents, Kind, Scope};
use qsnap::archive::differences::differences;
use qsnap::archive::inspect::inspect;
use qsnap::archive::tail::inspect_end;
use qsnap::archive::versions::bounds;
use std::path::PathBuf;

pub fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap()
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures")).join(name)
}

fn look(bytes: &[u8]) -> Contents {
    inspect(&mut StreamBytes(bytes), Some("plain-7-2026-11-22-13-59-40.snapshot"), &mut |_, _| Ok(())).unwrap()
}

fn judge(bytes: &[u8]) -> Check {
    check(&look(bytes))
}

const ALL: [(&str, Kind); 9] = [
    ("plain.snapshot", Kind::Collection),
    ("rich-two-shards.snapshot", Kind::Collection),
    ("keyed-node1.snapshot", Kind::Collection),
    ("keyed-node2.snapshot", Kind::Collection),
    ("full-storage.snapshot", Kind::Full),
    ("plain-shard.snapshot", Kind::Shard),
    ("plain-shard-stream.tar", Kind::ShardStream),
    ("plain-partial-full.tar", Kind::Partial),
    ("plain-partial-after-5.tar", Kind::Partial),
];

#[test]
fn every_kind_of_a_real_server_is_known_and_whole() {
    for (name, kind) in ALL {
        let bytes = fixture(name);
        let contents = look(&bytes);
        assert_eq!(contents.kind, kind, "{name}");
        let found = check(&contents);
        assert!(found.whole, "{name}: {found:#?}");
        let mut file = FileBytes::open(&path(name)).unwrap();
        assert_eq!(file.size(), bytes.len() as u64);
        let named = Some("plain-7-2026-11-22-13-59-40.snapshot");
        assert_eq!(inspect(&mut file, named, &mut |_, _| Ok(())).unwrap(), contents, "{name}: a file reads as a stream does");
        let bounds = bounds(&contents);
        assert!(bounds.at_least.unwrap().version.1 <= 18, "{name}: {bounds:?}");
        assert!(bounds.at_most.is_none(), "{name}: {bounds:?}");
    }
}

#[test]
fn a_collection_tells_its_shape() {
    let contents = look(&fixture("rich-two-shards.snapshot"));
    let rich = &contents.collections[0];
    assert_eq!((rich.name.as_deref(), rich.taken_at.as_deref()), (Some("plain"), Some("2026-11-22T13:59:40Z")));
    let shape = rich.shape.as_ref().unwrap();
    assert_eq!(
        shape.vectors_in_words(),
        ["text 8-d Cosine, on disk, scalar int8", "tokens 4-d Dot, multi, scalar int8", "words sparse, idf"]
    );
    assert_eq!((shape.shard_number, shape.custom_sharding, rich.shards.len()), (2, false, 2));
    assert_eq!(rich.payload_schema.len(), 3);
    assert_eq!(rich.ids(), Some(40));
    let segment = rich.shards[&Some(0)].segments.values().next().unwrap();
    let stored = segment.shape.as_ref().unwrap();
    assert_eq!(stored.vectors.len(), 3);
    assert_eq!(stored.payload, "in_ram_mmap");
    assert!(contents.sizes.unpacked > 100 * contents.sizes.stored, "holes are counted: {:?}", contents.sizes);
}

#[test]
fn custom_sharding_stubs_and_full_snapshots() {
    let keyed = look(&fixture("keyed-node2.snapshot"));
    let keys = &keyed.collections[0].keys;
    assert_eq!(keys.iter().map(|key| key.key.as_str()).collect::<Vec<_>>(), ["eu", "us"]);
    assert!(keyed.collections[0].shape.as_ref().unwrap().custom_sharding);
    let full = look(&fixture("full-storage.snapshot"));
    let names: Vec<_> = full.collections.iter().filter_map(|collection| collection.name.as_deref()).collect();
    assert_eq!(names, ["plain", "rich"]);
    assert_eq!(full.aliases.get("live").map(String::as_str), Some("plain"));
    assert_eq!(full.collections[1].ids(), Some(40));
}

#[test]
fn the_end_of_a_file_tells_its_shape() {
    for (name, kind) in ALL.iter().filter(|(name, _)| !name.ends_with(".tar")) {
        let bytes = fixture(name);
        let whole = look(&bytes);
        for size in [3 << 10, 8 << 10, 64 << 10] {
            let tail = &bytes[bytes.len().saturating_sub(size)..];
            let Some(end) = inspect_end(tail, None) else {
                assert!(size < 8 << 10, "{name}: {size} bytes do not tell");
                continue;
            };
            assert_eq!((end.scope, end.kind), (Scope::End, *kind), "{name}");
            if *kind == Kind::Collection {
                assert_eq!(end.collections[0].shape, whole.collections[0].shape, "{name}, {size}");
                assert_eq!(end.collections[0].keys, whole.collections[0].keys);
            }
            assert!(!check(&end).whole, "an end is no proof");
        }
    }
}

#[test]
fn a_cut_is_seen_wherever_it_is() {
    for name in ["plain.snapshot", "plain-shard-stream.tar"] {
        let bytes = fixture(name);
        for at in (0..bytes.len()).step_by(512).chain([1, 511, 513, bytes.len() - 1]) {
            let found = judge(&bytes[..at]);
            assert!(!found.whole, "{name} cut at {at}: {found:?}");
            let first = &found.flaws[0];
            assert!(first.offset.is_some_and(|offset| offset <= at as u64), "{name} cut at {at}: {first:?}");
            assert!(found.flaws.len() <= 2, "{name} cut at {at}: said once: {found:#?}");
        }
    }
}

/// What becomes of an entry: others in its place, or none.
pub type Edit<'a> = dyn Fn(&str, Vec<u8>) -> Vec<(String, Vec<u8>)> + 'a;

/// Copies a tar with every entry passed through `edit`, which may change, drop or double it; nested archives too.
pub fn edited(bytes: &[u8], edit: &Edit<'_>, within: &str) -> Vec<u8> {
    let mut out = tar::Builder::new(Vec::new());
    let mut archive = tar::Archive::new(bytes);
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().display().to_string();
        let size = entry.size();
        let mut content = Vec::new();
        // What is far behind is zeros: it stays a hole.
        let most = if path.ends_with(".tar") { u64::MAX } else { 100_000 };
        std::io::Read::read_to_end(&mut std::io::Read::take(&mut entry, most), &mut content).unwrap();
        let kept = content.len();
        let full = format!("{within}{path}");
        if path.ends_with(".tar") {
            content = edited(&content, edit, &format!("{full}/"));
        }
        for (path, content) in edit(&full, content) {
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o644);
            header.set_size(content.len() as u64);
            if size > most && content.len() == kept {
                header.set_entry_type(tar::EntryType::GNUSparse);
                let gnu = header.as_gnu_mut().unwrap();
                gnu.sparse[0].set_offset(0);
                gnu.sparse[0].set_length(kept as u64);
                gnu.sparse[1].set_offset(size);
                gnu.sparse[1].set_length(0);
                gnu.set_real_size(size);
            }
            out.append_data(&mut header, path.strip_prefix(within).unwrap_or(&path), content.as_slice()).unwrap();
        }
    }
    out.into_inner().unwrap()
}

#[test]
fn what_a_server_would_find_too_late_is_found() {
    let plain = fixture("plain.snapshot");
    let same = edited(&plain, &|path, content| vec![(path.to_owned(), content)], "");
    assert!(judge(&same).whole, "{:#?}", judge(&same));
    for (ending, what) in [
        ("segment.json", "it is not there"),
        ("snapshot/files/version.info", "it is not there"),
        ("mutable_id_tracker.mappings", "no id mappings"),
        ("mutable_id_tracker.versions", "no point versions"),
        ("vector_storage", "its vectors are not there"),
        ("payload_storage", "its payloads are not there"),
        ("shard_config.json", "it is not there"),
        ("replica_state.json", "it is not there"),
        ("wal", "it is not there"),
        ("/segments/", "there are no segments"),
        ("config.json", "it is not there"),
    ] {
        let lacks = |path: &str| match ending {
            "vector_storage" | "payload_storage" => path.contains(&format!("files/{ending}/")),
            "wal" => path.contains("/wal/"),
            "/segments/" => path.contains(ending),
            "config.json" => path == ending,
            _ => path.ends_with(ending),
        };
        let edit = |path: &str, content| if lacks(path) { Vec::new() } else { vec![(path.to_owned(), content)] };
        let found = judge(&edited(&plain, &edit, ""));
        let first = found.flaws.first().unwrap_or_else(|| panic!("{ending} is not missed"));
        assert_eq!(first.severity, Severity::Damage, "{ending}");
        assert!(first.what.contains(what), "{ending}: {first:?}");
        assert!(!found.whole && found.verdict.contains(&first.entry), "{ending}: {}", found.verdict);
    }
}

/// Paths of all files in nested segments of a tar.
fn segment_files(bytes: &[u8]) -> Vec<String> {
    let found = std::cell::RefCell::new(Vec::new());
    edited(
        bytes,
        &|path, content| {
            if path.contains(".tar/") {
                found.borrow_mut().push(path.to_owned());
            }
            vec![(path.to_owned(), content)]
        },
        "",
    );
    found.into_inner()
}

/// Files that a server does without (1.16.3), or makes again.
fn is_dispensable(path: &str) -> bool {
    // A server without it takes the segment and makes the indexes anew.
    path.ends_with("/payload_index/config.json")
}

/// One bit of these made a real 1.16.3 take 23 GB of memory, or refuse what it had begun to restore.
#[test]
fn small_files_that_a_server_reads_are_read() {
    let bytes = fixture("plain.snapshot");
    for (ending, damaged) in [
        ("vector_storage/deleted/status.dat", &[50, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0][..]),
        ("vector_storage/deleted/status.dat", &[50, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0][..]),
        ("payload_index/config.json", &br#"{"indexed_fiends":{}}"#[..]),
        ("payload_storage/config.json", &br#"{"page_sise_bytes":1}"#[..]),
    ] {
        let edit = |path: &str, content: Vec<u8>| {
            let content = if path.ends_with(ending) { damaged.to_vec() } else { content };
            vec![(path.to_owned(), content)]
        };
        let check = judge(&edited(&bytes, &edit, ""));
        assert!(!check.whole && check.flaws[0].entry.ends_with(ending), "{ending}: {check:?}");
    }
}

#[test]
fn every_single_file_of_a_segment_is_missed() {
    for name in ["plain.snapshot", "rich-two-shards.snapshot"] {
        let bytes = fixture(name);
        for lost in segment_files(&bytes).iter().filter(|path| !is_dispensable(path)) {
            let edit = |path: &str, content| if path == lost { Vec::new() } else { vec![(path.to_owned(), content)] };
            assert!(!judge(&edited(&bytes, &edit, "")).whole, "{name}: {lost}");
        }
    }
}

#[test]
fn a_flood_of_remarks_hides_no_damage() {
    let plain = fixture("plain.snapshot");
    let broken = edited(
        &plain,
        &|path, content| if path.ends_with("segment.json") { Vec::new() } else { vec![(path.to_owned(), content)] },
        "",
    );
    let mut out = tar::Builder::new(Vec::new());
    for shard in 10..400 {
        for (name, content) in [("wal/x", "x"), ("shard_config.json", "{\"type\":\"ReplicaSet\"}")] {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            out.append_data(&mut header, format!("{shard}/{name}"), content.as_bytes()).unwrap();
        }
    }
    let mut flood = out.into_inner().unwrap();
    flood.truncate(flood.len() - 1024);
    let found = judge(&[flood, broken].concat());
    assert!(!found.whole && found.damaged > 0, "{}", found.verdict);
    assert!(found.flaws.iter().any(|flaw| flaw.entry.ends_with("segment.json")), "{:?}", found.flaws.first());
}

/// Other words in the files whose path ends so, or all of them others.
fn swapped<'a>(ending: &'a str, from: &'a str, to: &'a str) -> impl Fn(&str, Vec<u8>) -> Vec<(String, Vec<u8>)> + 'a {
    move |path, content| {
        let content = match (path.ends_with(ending), from) {
            (true, "") => to.as_bytes().to_vec(),
            (true, _) => String::from_utf8(content).unwrap().replace(from, to).into_bytes(),
            (false, _) => content,
        };
        vec![(path.to_owned(), content)]
    }
}

/// The same snapshot with the ids of its points in a dump of RocksDB.
pub fn with_rocks(bytes: &[u8]) -> Vec<u8> {
    edited(
        bytes,
        &|path, content| {
            let path =
                path.replace("mutable_id_tracker.mappings", "db_backup/1").replace("mutable_id_tracker.versions", "db_backup/2");
            vec![(path, content)]
        },
        "",
    )
}

/// What follows the end of an archive is ignored by a server (1.16.3), and is no damage.
#[test]
fn what_follows_the_end_is_told_and_no_damage() {
    let plain = fixture("plain.snapshot");
    for junk in [vec![b'x'; 100], vec![b'x'; 512], vec![7; 1 << 20], plain.clone()] {
        let found = judge(&[plain.clone(), junk].concat());
        assert!(found.whole && found.flaws.len() == 1, "{found:#?}");
        assert!(found.flaws[0].what.contains("follow the end of the archive"), "{found:#?}");
    }
    assert!(judge(&[plain, vec![0; 99_999]].concat()).flaws.is_empty(), "zeros are padding");
}

/// What a server makes again is no damage (1.16.3): it restores the same points.
#[test]
fn what_a_server_makes_again_is_no_damage() {
    let plain = fixture("plain.snapshot");
    for (ending, to) in [("vector_storage/vectors/config.json", "{"), ("shard_key_mapping.json", "_]")] {
        let found = judge(&edited(&plain, &swapped(ending, "", to), ""));
        assert!(found.whole && found.flaws.len() == 1 && found.flaws[0].entry.ends_with(ending), "{ending}: {found:#?}");
    }
}

#[test]
fn nonsense_in_small_files_is_damage() {
    let plain = fixture("plain.snapshot");
    let swap = |ending: &'static str, from: &'static str, to: &'static str| edited(&plain, &swapped(ending, from, to), "");
    for (ending, from, to) in [
        ("replica_state.json", "", "null"),
        ("replica_state.json", "Active", "Bogus"),
        ("shard_config.json", "", "{}"),
        ("files/version.info", "", "zzzzz"),
        ("payload_storage/config.json", "", "x"),
        ("payload_index/config.json", "", "x"),
        ("segment.json", "Dot", "Dox"),
        ("segment.json", "\"size\":4", "\"size\":5"),
        ("segment.json", "InRamChunkedMmap", "InRamChuokedMmap"),
        ("mutable_id_tracker.versions", "", ""),
        ("mutable_id_tracker.versions", "", "1234567"),
        ("vectors/chunk_0.mmap", "", ""),
        ("vectors/config.json", "\"dim\":4", "\"dim\":5"),
        ("city-map/config.json", "block_size_bytes", "block_sise_bytes"),
        ("city-map/config.json", "\"block_size_bytes\":16", "\"block_size_bytes\":17"),
        ("city-map/tracker.dat", "", "\u{1}\0\0\0\u{1}\0\0\0\u{9}\0\0\0\0\0\0\0\u{4}\0\0\0"),
        ("payload_index/config.json", "\"mutability\"", "\"mutabilitx\""),
        ("payload_index.json", "keyword", "keyworc"),
        ("config.json", "flush_interval_sec", "flush_interval_see"),
        ("mutable_id_tracker.mappings", "", "\u{1}\0\0\0\0\0\0\0\0\u{7f}\u{7f}\u{7f}\u{7f}"),
        ("mutable_id_tracker.mappings", "", "\u{9}\0\0\0\0\0\0\0\0\0\0\0\0"),
    ] {
        let found = judge(&swap(ending, from, to));
        assert!(!found.whole && found.damaged > 0, "{ending} {to}: {}", found.verdict);
    }
    // Names that people use are no damage.
    let emoji = edited(&plain, &|path, content| vec![(path.replace("0/wal/open", "0/wal/\u{2764}\u{fe0f}"), content)], "");
    let found = judge(&emoji);
    assert!(found.whole, "{found:?}");
}

#[test]
fn what_is_too_large_to_be_judged_is_not_called_damaged() {
    let plain = fixture("plain.snapshot");
    let large = edited(
        &plain,
        &|path, content| {
            if path != "config.json" {
                return vec![(path.to_owned(), content)];
            }
            let mut config: serde_json::Value = serde_json::from_slice(&content).unwrap();
            config["metadata"] = serde_json::json!({"text": "x".repeat(600_000)});
            vec![(path.to_owned(), config.to_string().into_bytes())]
        },
        "",
    );
    let found = judge(&large);
    assert!(!found.whole && found.damaged == 0, "{found:?}");
    assert!(found.verdict.starts_with("could not be judged"), "{}", found.verdict);
}

/// A server that has the bytes of a snapshot with one small change, and what it does with them.
async fn server_takes(server: &crate::support::Server, bytes: Vec<u8>, n: usize) -> bool {
    let name = format!("flip{n}");
    let part = reqwest::multipart::Part::bytes(bytes).file_name("x.snapshot");
    let form = reqwest::multipart::Form::new().part("snapshot", part);
    let url = format!("{}/collections/{name}/snapshots/upload?priority=snapshot", server.url());
    let answer = reqwest::Client::new().post(url).multipart(form).send().await.unwrap();
    let taken = answer.status().is_success();
    server.raw("DELETE", &format!("/collections/{name}"), serde_json::json!({})).await;
    taken
}

/// The point of it all: what a server refuses, or what it cannot read afterwards, is never called whole.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_real_server_refuses_is_called_whole() {
    let Some(server) = crate::support::RealQdrant::start(None).await else { return };
    server.fill("plain", 50).await;
    server.raw("POST", "/collections/plain/snapshots", serde_json::json!({})).await;
    let name = &server.snapshots("plain").await[0];
    let url = format!("{}/collections/plain/snapshots/{name}", server.url());
    let bytes = reqwest::get(url).await.unwrap().bytes().await.unwrap().to_vec();
    assert!(judge(&bytes).whole);
    let files = segment_files(&bytes);
    let mut cases: Vec<(String, Vec<u8>)> = Vec::new();
    for lost in &files {
        let edit = |path: &str, content| if path == lost { Vec::new() } else { vec![(path.to_owned(), content)] };
        cases.push((format!("without {lost}"), edited(&bytes, &edit, "")));
    }
    // One bit of every third byte of each segment.json.
    let length = 232;
    for at in (0..length).step_by(3) {
        let edit = |path: &str, mut content: Vec<u8>| {
            if path.ends_with("/segment.json") && at < content.len() {
                content[at] ^= 1;
            }
            vec![(path.to_owned(), content)]
        };
        cases.push((format!("byte {at} of segment.json"), edited(&bytes, &edit, "")));
    }
    let mut missed = Vec::new();
    let (mut refused, mut damaged) = (0, 0);
    for (n, (what, damage)) in cases.into_iter().enumerate() {
        let whole = judge(&damage).whole;
        damaged += usize::from(!whole);
        if !server_takes(&server, damage, n).await {
            refused += 1;
            if whole {
                missed.push(what);
            }
        }
    }
    assert!(refused > 30 && damaged >= refused, "{refused} refused, {damaged} called damaged");
    assert!(missed.is_empty(), "refused by the server, called whole: {missed:#?}");
}

#[test]
fn a_broken_segment_json_and_a_missing_shard_are_named() {
    let rich = fixture("rich-two-shards.snapshot");
    let broken = edited(
        &rich,
        &|path, content| {
            let content =
                if path.starts_with("1/") && path.ends_with("segment.json") { b"{\"config\":".to_vec() } else { content };
            vec![(path.to_owned(), content)]
        },
        "",
    );
    let found = judge(&broken);
    assert!(found.flaws[0].entry.starts_with("1/segments/") && found.flaws[0].entry.ends_with("snapshot/files/segment.json"));
    assert!(found.flaws[0].offset.is_some_and(|offset| offset > 512), "{found:?}");
    let lacking =
        edited(&rich, &|path, content| if path.starts_with("1/") { Vec::new() } else { vec![(path.to_owned(), content)] }, "");
    let found = judge(&lacking);
    assert!(!found.whole && found.verdict.contains("shard 1 is not there"), "{}", found.verdict);
}

#[test]
fn names_that_lead_elsewhere_and_doubles_are_damage() {
    let one = |name: &[u8], kind: tar::EntryType| {
        let mut header = tar::Header::new_gnu();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name);
        header.set_entry_type(kind);
        header.set_size(2);
        header.set_cksum();
        let mut block = header.as_bytes().to_vec();
        block.extend_from_slice(b"[]");
        block.resize(1024, 0);
        block
    };
    let file = tar::EntryType::Regular;
    for (entry, what) in [
        (one(b"/etc/passwd", file), "absolute"),
        (one(b"0/../../x", file), "`..`"),
        (one(b"a\x1b[2Jb", file), "control characters"),
        (one(b"a\xff", file), "not UTF-8"),
        (one(b"link", tar::EntryType::Symlink), "symbolic link"),
        (one(b"link", tar::EntryType::Link), "hard link"),
        (one(b"pipe", tar::EntryType::Fifo), "no snapshot holds"),
    ] {
        let found = judge(&[entry, vec![0; 1024]].concat());
        assert!(found.verdict.contains(what), "{}", found.verdict);
        assert!(!found.verdict.contains('\u{1b}'));
    }
    let plain = fixture("plain.snapshot");
    let doubled = edited(
        &plain,
        &|path, content| {
            let n = if path.ends_with("payload_index.json") { 2 } else { 1 };
            vec![(path.to_owned(), content); n]
        },
        "",
    );
    assert!(judge(&doubled).verdict.contains("payload_index.json: it appears twice"), "{}", judge(&doubled).verdict);
}

#[test]
fn other_files_are_told_apart() {
    for (bytes, what) in [
        (&b""[..], "empty"),
        (&[0x1f, 0x8b, 8, 0][..], "gzip"),
        (&b"Must provide an API key or an Authorization bearer token"[..], "\u{2018}Must provide an API key"),
        (&b"{\"status\":{\"error\":\"Not found\"}}"[..], "JSON: a server's answer"),
        (&b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n"[..], "git lfs pull"),
        (&b"<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code></Error>"[..], "NoSuchKey"),
        (&[0x28, 0xb5, 0x2f, 0xfd, 4, 0][..], "zstd"),
        (&b"0/segments/4de064cd"[..], "cut in its first header"),
        (&[&[0x1f, 0x8b, 8, 0][..], &[7; 600]].concat()[..], "gzip"),
        (&[&b"<html><h1>502 Bad Gateway"[..], &[b' '; 600]].concat()[..], "HTML"),
        (&[&b"{\"status\":"[..], &[b' '; 600]].concat()[..], "JSON"),
        (&[b'x'; 2000][..], "a text"),
        (&[0xff; 2000][..], "no tar archive"),
        (&[0; 1024][..], "nothing in it is of a Qdrant snapshot"),
    ] {
        let found = judge(bytes);
        assert!(!found.whole && found.verdict.contains(what), "{what}: {}", found.verdict);
    }
}

#[test]
fn layouts_of_old_versions_are_read() {
    let plain = fixture("plain.snapshot");
    // 1.11 and older: folders as entries, names with `./`, any order.
    let mut out = tar::Builder::new(Vec::new());
    let mut archive = tar::Archive::new(plain.as_slice());
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        let path = entry.path().unwrap().display().to_string();
        std::io::Read::read_to_end(&mut entry, &mut content).unwrap();
        files.push((path, content));
    }
    files.sort();
    let folder = |out: &mut tar::Builder<Vec<u8>>, name: &str| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_size(0);
        out.append_data(&mut header, name, std::io::empty()).unwrap();
    };
    folder(&mut out, "./");
    folder(&mut out, "./0/");
    for (path, content) in &files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        out.append_data(&mut header, format!("./{path}"), content.as_slice()).unwrap();
    }
    let contents = look(&out.into_inner().unwrap());
    assert_eq!((contents.kind, contents.collections[0].ids()), (Kind::Collection, Some(50)));
    assert!(check(&contents).whole, "{:#?}", check(&contents));
    assert_eq!(bounds(&contents).at_most.unwrap().version, (1, 11));
    // Segments of 1.15 and older hold RocksDB.
    let rocks = with_rocks(&plain);
    let tells = |bytes: &[u8]| judge(bytes).flaws.iter().any(|flaw| flaw.what.contains("RocksDB"));
    assert!(judge(&rocks).whole && tells(&rocks), "{:#?}", judge(&rocks));
    // So do segments whose storages are of a kind that RocksDB keeps, whatever became of its dump.
    let kept = edited(&plain, &swapped("segment.json", "InRamChunkedMmap", "Memory"), "");
    assert!(tells(&kept) && !tells(&plain), "{:#?}", judge(&kept));
}

#[test]
fn two_snapshots_are_compared() {
    let (a, b) = (look(&fixture("plain.snapshot")), look(&fixture("rich-two-shards.snapshot")));
    assert_eq!(differences(&a, &a), []);
    let found = differences(&a, &b);
    let what: Vec<&str> = found.iter().map(|difference| difference.what.as_str()).collect();
    for expected in ["shards", "payload index note", "params.shard_number", "quantization_config.scalar.type", "size of vectors"]
    {
        assert!(what.contains(&expected), "{expected} of {what:?}");
    }
}

/// Reads, and counts what was not passed over.
struct Counting<'a>(&'a [u8], u64);

impl Bytes for Counting<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = std::io::Read::read(&mut self.0, buffer)?;
        self.1 += n as u64;
        Ok(n)
    }

    fn skip(&mut self, count: u64) -> std::io::Result<u64> {
        let n = count.min(self.0.len() as u64);
        self.0 = &self.0[n as usize..];
        Ok(n)
    }
}

#[test]
fn bodies_are_passed_over() {
    let bytes = fixture("full-storage.snapshot");
    let mut counting = Counting(&bytes, 0);
    inspect(&mut counting, None, &mut |_, _| Ok(())).unwrap();
    assert!(counting.1 < bytes.len() as u64 / 2, "{} of {}", counting.1, bytes.len());
}

#[test]
fn a_failing_source_is_no_damage_and_a_stop_is_obeyed() {
    struct Failing;
    impl Bytes for Failing {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::ConnectionReset.into())
        }
        fn skip(&mut self, _: u64) -> std::io::Result<u64> {
            Err(std::io::ErrorKind::ConnectionReset.into())
        }
    }
    assert!(inspect(&mut Failing, None, &mut |_, _| Ok(())).is_err());
    let bytes = fixture("plain.snapshot");
    let mut stop = |entries: u64, _| if entries > 5 { Err(std::io::ErrorKind::Interrupted.into()) } else { Ok(()) };
    assert!(inspect(&mut StreamBytes(bytes.as_slice()), None, &mut stop).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is in it: an answer, and none of it can move a cursor.
    #[test]
    fn any_flipped_bytes_give_an_answer(
        rich in any::<bool>(),
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 1..20),
    ) {
        thread_local! {
            static FILES: [Vec<u8>; 2] = [fixture("plain.snapshot"), fixture("keyed-node1.snapshot")];
        }
        let mut bytes = FILES.with(|files| files[usize::from(rich)].clone());
        for (at, value, header) in flips {
            // Half of them into headers, where they hurt.
            let at = at.index(bytes.len());
            let at = if header { at / 512 * 512 + at % 345 } else { at };
            let at = at.min(bytes.len() - 1);
            bytes[at] = value;
        }
        let contents = look(&bytes);
        let found = check(&contents);
        prop_assert!(found.whole || !found.flaws.is_empty());
        prop_assert!(!found.verdict.is_empty() && !found.verdict.chars().any(|c| c.is_control()));
        prop_assert!(bounds(&contents).at_least.is_none_or(|bound| bound.version.0 == 1));
        let _ = inspect_end(&bytes[bytes.len() - 8192..], None);
    }
}
