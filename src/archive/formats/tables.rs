//! Binary files of payload indexes and sparse indexes: their headers, and where these say that things are.

use crate::archive::facts::{Fact, Facts};
use crate::archive::formats::reader::Reader;
use crate::archive::formats::wrong::{Checked, Wrong};

/// Bytes of the header of a hash table: the type of its keys, where its buckets are, how many.
pub const TABLE_HEADER: u64 = 24;

/// Types of keys.
const KEYS: [&[u8; 8]; 3] = [b"str\0\0\0\0\0", b"i64\0\0\0\0\0", b"u128\0\0\0\0"];

/// Buckets start at such a step, or some bytes behind it.
const PAGE: u64 = 4096;

/// Checks the header of `values_to_points.bin` or `vocab.dat`.
///
/// # Errors
/// What is wrong with it.
pub fn hash_table(head: &[u8], size: u64) -> Checked {
    let mut reader = Reader(head);
    let (Some(keys), Some(at), Some(buckets)) = (reader.bytes::<8>(), reader.u64(), reader.u64()) else {
        return Err(Wrong::mendable("it is too short"));
    };
    if !KEYS.contains(&&keys) {
        return Err(Wrong::mendable("it has keys of a type that is not known"));
    }
    if at < TABLE_HEADER || at > size {
        return Err(Wrong::mendable("its buckets are outside of it"));
    }
    if at % PAGE > 8 {
        return Err(Wrong::misleading("its buckets are not where they should be"));
    }
    if buckets.checked_mul(8).and_then(|bytes| bytes.checked_add(at)).is_none_or(|end| end > size) {
        return Err(Wrong::endless(format!("it counts {buckets} keys, and does not have as many")));
    }
    Ok(())
}

/// Bytes of the header of `point_to_values.bin`: where its ranges are, and how many.
pub const VALUES_HEADER: u64 = 16;

/// Checks the header of a `point_to_values.bin`.
///
/// # Errors
/// What is wrong with it.
pub fn point_values(head: &[u8], size: u64) -> Checked {
    let mut reader = Reader(head);
    let (Some(at), Some(points)) = (reader.u64(), reader.u64()) else {
        return Err(Wrong::mendable("it is too short"));
    };
    if points > size / 16 {
        return Err(Wrong::endless(format!("it counts {points} points, and does not have as many")));
    }
    if points.checked_mul(16).and_then(|bytes| bytes.checked_add(at)).is_none_or(|end| end > size) {
        return Err(Wrong::misleading("its ranges are outside of it"));
    }
    Ok(())
}

/// Bytes of the header of `postings.dat`, and of that of one list.
const TEXT_HEADER: u64 = 40;
const TEXT_LIST: u64 = 24;

/// Checks the header of a `postings.dat`.
///
/// # Errors
/// What is wrong with it.
pub fn text_postings(head: &[u8], size: u64) -> Checked {
    let Some(lists) = Reader(head).u64() else { return Err(Wrong::mendable("it is too short")) };
    if lists.checked_mul(TEXT_LIST).and_then(|bytes| bytes.checked_add(TEXT_HEADER)).is_none_or(|end| end > size) {
        return Err(Wrong::misleading(format!("it counts {lists} words, and does not have as many")));
    }
    Ok(())
}

/// Checks the ranges of a `points_map.bin`: a hash, a start and an end each.
///
/// # Errors
/// What is wrong with it.
pub fn geo_ranges(head: &[u8], _size: u64, facts: &mut Facts) -> Checked {
    let mut reader = Reader(head);
    while let (Some(_hash), Some(start), Some(end)) = (reader.u64(), reader.u32(), reader.u32()) {
        if start > end {
            return Err(Wrong::misleading("a range of points ends before it starts"));
        }
        let last = facts.entry(Fact::RangeEnd).or_default();
        *last = (*last).max(u64::from(end));
    }
    Ok(())
}

/// Bytes of the header of one list of a sparse index: without, and with what its weights are scaled by.
const LISTS: [u64; 2] = [24, 32];

/// Bytes of a chunk of a list whose weights take one byte each.
const SMALLEST_CHUNK: u64 = 136;

/// Notes whether the headers of the lists of an `inverted_index.dat` are right. The first one says where they end.
pub fn posting_lists(head: &[u8], size: u64, facts: &mut Facts) {
    // Which of the two it is stands in another file.
    let [plain, scaled] = LISTS.map(|header| lists_of(head, size, header));
    match (plain, scaled) {
        (Ok(lists), _) | (_, Ok(lists)) => facts.insert(Fact::SoundPostingLists, lists),
        (Err(plain), Err(scaled)) => facts.insert(Fact::UnsoundPostingLists, plain.max(scaled)),
    };
}

/// A server notices that the index is wrong, and builds it anew; or it does not.
const NOTICED: u64 = 1;
const UNNOTICED: u64 = 2;

/// How many lists there are, if their headers have so many bytes.
fn lists_of(head: &[u8], size: u64, header: u64) -> Result<u64, u64> {
    let mut headers = head.chunks_exact(header as usize).map(|bytes| {
        let mut reader = Reader(bytes);
        let (start, _last_id) = (reader.u64().unwrap_or_default(), reader.u32());
        (start, u64::from(reader.u32().unwrap_or_default()), u64::from(reader.u32().unwrap_or_default()))
    });
    let Some(mut list) = headers.next() else { return Err(NOTICED) };
    let lists = list.0 / header;
    if list.0 % header != 0 || list.0 > size {
        return Err(UNNOTICED);
    }
    for n in 0..lists {
        let (start, ids, chunks) = list;
        let end = match headers.next() {
            _ if n + 1 == lists => size,
            Some(next) => {
                list = next;
                next.0
            }
            // The rest was not read.
            None => break,
        };
        let least = u128::from(start) + u128::from(ids) + u128::from(chunks) * u128::from(SMALLEST_CHUNK);
        if end > size || least > u128::from(end) {
            return Err(UNNOTICED);
        }
        if chunks == 0 && (end - start - ids) % 8 != 0 {
            return Err(NOTICED);
        }
    }
    Ok(lists)
}

/// What does not fit among the files of an index.
pub fn consistent(facts: &Facts) -> Option<(&'static str, Wrong)> {
    let fact = |fact| facts.get(&fact).copied();
    if fact(Fact::OtherVersion).is_none() {
        let what = "a list is not where it should be";
        match fact(Fact::UnsoundPostingLists) {
            Some(NOTICED) => return Some(("inverted_index.dat", Wrong::mendable(what))),
            Some(_) => return Some(("inverted_index.dat", Wrong::misleading(what))),
            None => {}
        }
        if let (Some(said), Some(there)) = (fact(Fact::PostingLists), fact(Fact::SoundPostingLists))
            && said != there
        {
            let what = format!("it counts {said} lists, and `inverted_index.dat` has {there}");
            return Some(("inverted_index_config.json", Wrong::misleading(what)));
        }
    }
    if let (Some(end), Some(bytes)) = (fact(Fact::RangeEnd), fact(Fact::RangeBytes))
        && end > bytes / 4
    {
        return Some(("points_map.bin", Wrong::misleading("a range of points ends where there are none")));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_fit_into_the_file() {
        let table = |at: u64, buckets: u64| [&b"str\0\0\0\0\0"[..], &at.to_le_bytes(), &buckets.to_le_bytes()].concat();
        assert!(hash_table(&table(4096, 5), 5000).is_ok());
        for (at, buckets) in [(4096, 200), (4096, u64::MAX), (4100 + 9, 5), (9000, 5), (1, 5)] {
            assert!(hash_table(&table(at, buckets), 5000).is_err(), "{at} {buckets}");
        }
        let values = |at: u64, points: u64| [at.to_le_bytes(), points.to_le_bytes()].concat();
        assert!(point_values(&values(4096, 10), 4256).is_ok());
        assert!(point_values(&values(4096, 11), 4256).is_err() && point_values(&values(u64::MAX, 1), 4256).is_err());
        assert!(text_postings(&3_u64.to_le_bytes(), 112).is_ok() && text_postings(&4_u64.to_le_bytes(), 112).is_err());
    }

    #[test]
    fn sparse_lists_follow_each_other() {
        let list = |start: u64, ids: u32, chunks: u32| {
            let numbers = [0_u32, ids, chunks, 0];
            [&start.to_le_bytes()[..], &numbers.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<u8>>()].concat()
        };
        let judge = |first: Vec<u8>, second: Vec<u8>| {
            let mut facts = Facts::new();
            posting_lists(&[first, second].concat(), 128, &mut facts);
            consistent(&facts)
        };
        assert_eq!(judge(list(48, 0, 0), list(88, 0, 0)), None);
        for (first, second) in [
            (list(49, 0, 0), list(88, 0, 0)),
            (list(48, 0, 0), list(1 << 40, 0, 0)),
            (list(48, 99, 0), list(88, 0, 0)),
            (list(48, 0, 1), list(88, 0, 0)),
            (list(48, 0, 0), list(89, 0, 0)),
        ] {
            assert!(judge(first, second).is_some());
        }
        let mut old = Facts::from([(Fact::OtherVersion, 1)]);
        posting_lists(&list(49, 0, 0), 128, &mut old);
        assert_eq!(consistent(&old), None, "another version is built anew");
    }
}
