//! Which point is where: `id_tracker.mappings` and `mutable_id_tracker.mappings`. A number out of place makes a server
//! panic, or take memory for as many points as it names.

use crate::archive::formats::reader::Reader;
use crate::archive::formats::wrong::{Checked, Wrong};

/// Bytes of an entry whose id is a number, and of one whose id is a UUID.
const NUMBER: u64 = 13;
const UUID: u64 = 21;

/// Bytes of the number that a list of mappings begins with.
const COUNT: u64 = 8;

/// Checks as much of an `id_tracker.mappings` as was read.
///
/// # Errors
/// What is wrong with it.
pub fn mappings(head: &[u8], size: u64) -> Checked {
    let mut reader = Reader(head);
    let Some(count) = reader.u64() else { return Err(Wrong::damage("it is too short")) };
    let room = size - COUNT;
    if count > room / NUMBER || count.saturating_mul(UUID) < room {
        return Err(Wrong::endless(format!("it counts {count} points, and does not have as many")));
    }
    let whole = head.len() as u64 >= size;
    for place in 0..count {
        let Some(kind) = reader.bytes::<1>() else { return cut(whole) };
        let id = match kind {
            [0] => reader.bytes::<8>().map(drop),
            [1] => reader.bytes::<16>().map(drop),
            _ => return Err(Wrong::damage(format!("the id of point {place} is neither a number nor a UUID"))),
        };
        let (Some(()), Some(internal)) = (id, reader.u32()) else { return cut(whole) };
        if u64::from(internal) != place {
            return Err(Wrong::damage(format!("point {place} says that it is point {internal}")));
        }
    }
    if whole && !reader.0.is_empty() {
        return Err(Wrong::damage(format!("it counts {count} points, and has more")));
    }
    Ok(())
}

/// What ends before its entries do is cut only if all of it was read.
fn cut(whole: bool) -> Checked {
    if whole { Err(Wrong::damage("it ends before its points do")) } else { Ok(()) }
}

/// Checks as much of a `mutable_id_tracker.mappings` as was read. An entry that is not complete at its end is what a
/// server leaves when it is killed, and takes off.
///
/// # Errors
/// What is wrong with it.
pub fn changes(head: &[u8], size: u64) -> Checked {
    let mut reader = Reader(head);
    // Points are numbered in the order in which they came.
    let most = size / NUMBER;
    while let Some([kind]) = reader.bytes::<1>() {
        let inserted = match kind {
            1 => reader.bytes::<8>().map(|_| true),
            2 => reader.bytes::<16>().map(|_| true),
            3 => reader.bytes::<8>().map(|_| false),
            4 => reader.bytes::<16>().map(|_| false),
            _ => return Err(Wrong::damage(format!("it has a change of kind {kind}, which no Qdrant up to 1.19 knows"))),
        };
        let internal = match inserted {
            Some(true) => reader.u32(),
            Some(false) => continue,
            None => None,
        };
        match internal {
            Some(internal) if u64::from(internal) > most => {
                return Err(Wrong::endless(format!("it has a point {internal}, and there are not as many")));
            }
            Some(_) => {}
            None => break,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: u8, id: u64, internal: u32) -> Vec<u8> {
        [&[kind][..], &id.to_le_bytes(), &internal.to_le_bytes()].concat()
    }

    #[test]
    fn mappings_are_in_order() {
        let list = |count: u64, entries: &[Vec<u8>]| [&count.to_le_bytes()[..], &entries.concat()].concat();
        let check = |bytes: &[u8]| mappings(bytes, bytes.len() as u64);
        let entries = [entry(0, 7, 0), entry(0, 9, 1)];
        let good = list(2, &entries);
        assert!(check(&good).is_ok());
        assert!(mappings(&good[..30], good.len() as u64).is_ok(), "the rest was not read");
        assert!(check(&list(1, &entries)).is_err() && check(&list(3, &entries)).is_err());
        assert!(check(&list(2, &[entry(0, 7, 0), entry(2, 9, 1)])).is_err());
        assert!(check(&list(2, &[entry(0, 7, 0), entry(0, 9, 262_145)])).is_err());
        assert!(check(&list(u64::MAX, &entries)).is_err());
    }

    #[test]
    fn changes_name_points_that_can_be() {
        let check = |bytes: &[u8]| changes(bytes, bytes.len() as u64);
        let good = [entry(1, 7, 0), entry(1, 9, 1), entry(3, 7, 0)[..9].to_vec()].concat();
        assert!(check(&good).is_ok());
        assert!(check(&good[..good.len() - 3]).is_ok(), "a server takes off what is not complete");
        assert!(check(&[entry(1, 7, 0), entry(5, 9, 1)].concat()).is_err());
        assert!(check(&[entry(1, 7, 0), entry(1, 9, u32::MAX)].concat()).is_err());
    }
}
