//! One header block of a tar, decoded and mistrusted.

use tar::{EntryType, GnuExtSparseHeader, Header};

/// Bytes of a block.
pub const BLOCK: u64 = 512;

/// Largest file with holes: a petabyte. Offsets inside it must not overflow.
const MAX_SPARSE: u64 = 1 << 50;

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A file.
    File,
    /// A GNU sparse file.
    Sparse,
    /// A directory.
    Directory,
    /// The next entry's name, where it is too long for a header.
    LongName,
    /// The next entry's attributes.
    Pax,
    /// Something that describes other entries and that nothing here depends on.
    Aside,
}

/// A header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// What.
    pub kind: EntryKind,
    /// Name as it stands there.
    pub path: Vec<u8>,
    /// Bytes that follow.
    pub stored: u64,
    /// Bytes of the file; more than are stored where it is sparse.
    pub size: u64,
    /// Where stored bytes of a sparse file belong: offset and length.
    pub spans: Vec<(u64, u64)>,
    /// More spans follow in blocks of their own.
    pub extended: bool,
}

/// Decodes a block.
///
/// # Errors
/// In words, when it is no header, or one of a kind that Qdrant does not unpack (1.18.3: files, directories
/// and GNU sparse files only).
pub fn decode(block: &[u8; BLOCK as usize]) -> Result<Decoded, String> {
    let header = Header::from_byte_slice(block);
    let field = |what: &str, error: &dyn std::fmt::Display| {
        let error = crate::domain::text::one_line(&error.to_string(), 80);
        format!("its header has a bad {what} ({error})")
    };
    let expected = header.cksum().map_err(|_| "there is no tar header".to_owned())?;
    let (before, after) = (&block[..148], &block[156..]);
    let sum = before.iter().chain(after).map(|byte| u32::from(*byte)).sum::<u32>() + 8 * u32::from(b' ');
    if sum != expected {
        return Err("the header's checksum is wrong".into());
    }
    let stored = header.entry_size().map_err(|error| field("size", &error))?;
    let kind = match header.entry_type() {
        EntryType::Regular | EntryType::Continuous => EntryKind::File,
        EntryType::GNUSparse => EntryKind::Sparse,
        EntryType::Directory => EntryKind::Directory,
        EntryType::GNULongName => EntryKind::LongName,
        EntryType::XHeader => EntryKind::Pax,
        EntryType::XGlobalHeader | EntryType::GNULongLink => EntryKind::Aside,
        EntryType::Link => return Err("it is a hard link, which no snapshot holds".into()),
        EntryType::Symlink => return Err("it is a symbolic link, which no snapshot holds".into()),
        other => return Err(format!("it is of kind 0x{:02x}, which no snapshot holds", other.as_byte())),
    };
    let mut decoded =
        Decoded { kind, path: header.path_bytes().into_owned(), stored, size: stored, spans: Vec::new(), extended: false };
    if kind == EntryKind::Sparse {
        let gnu = header.as_gnu().ok_or("it is sparse, but its header is not of the GNU kind")?;
        decoded.size = gnu.real_size().map_err(|error| field("real size", &error))?;
        if decoded.size > MAX_SPARSE {
            return Err("its real size cannot be right".into());
        }
        for span in gnu.sparse.iter().filter(|span| !span.is_empty()) {
            let offset = span.offset().map_err(|error| field("sparse offset", &error))?;
            decoded.spans.push((offset, span.length().map_err(|error| field("sparse length", &error))?));
        }
        decoded.extended = gnu.is_extended();
    }
    Ok(decoded)
}

/// Decodes a block of further spans; says whether yet another follows.
///
/// # Errors
/// In words, when it is none.
pub fn decode_spans(block: &[u8; BLOCK as usize], spans: &mut Vec<(u64, u64)>) -> Result<bool, String> {
    let mut extended = GnuExtSparseHeader::new();
    extended.as_mut_bytes().copy_from_slice(block);
    for span in extended.sparse().iter().filter(|span| !span.is_empty()) {
        let (Ok(offset), Ok(length)) = (span.offset(), span.length()) else {
            return Err("its list of sparse parts cannot be read".into());
        };
        spans.push((offset, length));
    }
    Ok(extended.is_extended())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(edit: impl FnOnce(&mut Header)) -> [u8; 512] {
        let mut header = Header::new_gnu();
        header.set_path("a/b").unwrap();
        header.set_size(700);
        edit(&mut header);
        header.set_cksum();
        *header.as_bytes()
    }

    #[test]
    fn files_and_their_sizes() {
        let decoded = decode(&header(|_| ())).unwrap();
        assert_eq!((decoded.kind, decoded.path.as_slice(), decoded.stored), (EntryKind::File, &b"a/b"[..], 700));
        let huge = decode(&header(|header| header.set_size(1 << 50))).unwrap();
        assert_eq!(huge.stored, 1 << 50, "sizes beyond octal are read too");
    }

    #[test]
    fn what_no_snapshot_holds_is_refused() {
        for kind in [EntryType::Symlink, EntryType::Link, EntryType::Fifo, EntryType::Char, EntryType::new(b'Z')] {
            assert!(decode(&header(|header| header.set_entry_type(kind))).unwrap_err().contains("no snapshot holds"));
        }
    }

    #[test]
    fn a_wrong_checksum_is_seen() {
        let mut block = header(|_| ());
        block[0] ^= 1;
        assert!(decode(&block).unwrap_err().contains("checksum"));
        assert!(decode(&[b'x'; 512]).unwrap_err().contains("no tar header"));
    }
}
