//! Files that are called a snapshot and are something else.

use crate::domain::text::one_line;

/// Characters of it that are shown.
const SHOWN: usize = 60;

/// Bytes that other kinds of files begin with, and what they are.
const BEGINNINGS: [(&[u8], &str); 6] = [
    (&[0x1f, 0x8b], "a gzip file: unpack it first (gunzip)"),
    (&[0x28, 0xb5, 0x2f, 0xfd], "a zstd file: unpack it first (unzstd)"),
    (&[0xfd, b'7', b'z', b'X', b'Z', 0], "an xz file: unpack it first (unxz)"),
    (b"BZh", "a bzip2 file: unpack it first (bunzip2)"),
    (&[0x04, 0x22, 0x4d, 0x18], "an lz4 file: unpack it first (lz4 -d)"),
    (b"PK\x03\x04", "a zip file: unpack it first (unzip)"),
];

/// Says what a file is that begins with these bytes, if they tell. `whole` says that these are all of its bytes, or enough
/// for a header.
pub fn words(first: &[u8], whole: bool) -> Option<String> {
    if let Some((_, what)) = BEGINNINGS.iter().find(|(beginning, _)| first.starts_with(beginning)) {
        return Some(format!("this is no snapshot but {what}"));
    }
    let text = text(first)?;
    let what = of_text(text);
    // The beginning of a tar is a path: without more of it, it is not told from a text.
    if what == TEXT && !whole && !text.contains(char::is_whitespace) {
        return None;
    }
    Some(format!("this is no snapshot but {what}; it begins with \u{2018}{}\u{2019}", one_line(text, SHOWN)))
}

const TEXT: &str = "a text";

/// The first bytes as text, without what is before its first sign; a character that is cut at the end does not matter.
fn text(first: &[u8]) -> Option<&str> {
    let text = match std::str::from_utf8(first) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&first[..error.valid_up_to()]).ok()?,
        Err(_) => return None,
    };
    let text = text.trim_start_matches(|c: char| c == '\u{feff}' || c.is_whitespace()).trim_end();
    let plain = |c: char| !c.is_control() || c.is_ascii_whitespace();
    (!text.is_empty() && text.chars().all(plain)).then_some(text)
}

fn of_text(text: &str) -> &'static str {
    let lower = text.to_ascii_lowercase();
    if text.starts_with("version https://git-lfs") {
        "a pointer of Git LFS: the file itself was not fetched (git lfs pull)"
    } else if lower.starts_with("<!doctype html") || lower.starts_with("<html") {
        "an HTML page: a proxy answered instead of the server"
    } else if text.starts_with('<') {
        "XML: a bucket answered with an error instead of the file"
    } else if text.starts_with(['{', '[']) {
        "JSON: a server's answer was stored instead of the file"
    } else {
        TEXT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_named_and_quoted() {
        for (bytes, what) in [
            (&b"Must provide an API key or an Authorization bearer token"[..], "a text; it begins with \u{2018}Must provide"),
            (
                br#"{"status":{"error":"Not found"}}"#,
                "JSON: a server's answer was stored instead of the file; it begins with \u{2018}{\"status\"",
            ),
            (b"\n\xef\xbb\xbf<html><h1>502", "HTML"),
            (b"<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code>", "NoSuchKey"),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a", "git lfs pull"),
            (&[0x1f, 0x8b, 8, 0], "gunzip"),
            (&[0x28, 0xb5, 0x2f, 0xfd, 0], "unzstd"),
        ] {
            let said = words(bytes, false).unwrap_or_default();
            assert!(said.contains(what), "{what}: {said}");
            assert!(said.chars().count() < 200 && !said.contains('\n'), "{said}");
        }
        assert_eq!(words(b"0/segments/abc", false), None, "the beginning of a tar");
        assert_eq!(words(b"0/segments/abc\0\0\0", true), None);
        assert_eq!(words(&[0xff, 0xfe, 1, 2], true), None);
        assert!(words(b"hush \x1b[2J", true).is_none(), "nothing that moves a cursor is text");
    }
}
