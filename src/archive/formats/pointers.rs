//! `tracker.dat` of a page storage: where the value of each point is. A server that reads values while it loads (payload
//! indexes, sparse vectors) panics where a pointer leads out of the pages.

use crate::archive::facts::{Fact, Facts};
use crate::archive::formats::reader::Reader;
use crate::archive::formats::wrong::{Checked, Wrong};

/// Bytes before the first pointer: how many pointers there are.
pub const HEADER: u64 = 4;

/// Bytes of a pointer: whether there is a value, its page, its block, its length.
pub const SLOT: u64 = 16;

/// Checks as many pointers as were read. What they lead to is known once all files of the storage were seen.
///
/// # Errors
/// What is wrong with them.
pub fn pointers(head: &[u8], size: u64, facts: &mut Facts) -> Checked {
    let mut reader = Reader(head);
    let Some(count) = reader.u32() else { return Err(Wrong::damage("it is too short")) };
    if u64::from(count) > (size - HEADER) / SLOT {
        return Err(Wrong::endless(format!("it counts {count} values, and has no room for as many")));
    }
    let mut most = |fact, value: u32| {
        let known: &mut u64 = facts.entry(fact).or_default();
        *known = (*known).max(u64::from(value));
    };
    for _ in 0..count {
        let (Some(present), Some(page), Some(block), Some(length)) = (reader.u32(), reader.u32(), reader.u32(), reader.u32())
        else {
            break;
        };
        match present {
            0 => {}
            1 => {
                most(Fact::PointerPage, page);
                most(Fact::PointerBlock, block);
                most(Fact::PointerLength, length);
            }
            _ => return Err(Wrong::damage("a pointer is neither there nor absent")),
        }
    }
    Ok(())
}

/// What does not fit among the files of a page storage.
pub fn consistent(facts: &Facts) -> Option<(&'static str, Wrong)> {
    let fact = |fact| facts.get(&fact).copied();
    let (page, block, region) = (fact(Fact::PageSize)?, fact(Fact::BlockSize)?, fact(Fact::RegionBlocks)?);
    let config = |what: String| Some(("config.json", Wrong::damage(what)));
    let pages = fact(Fact::Pages).unwrap_or_default();
    if page == 0 || block == 0 || region == 0 {
        return config("it says that a page, a block or a region has no size".into());
    }
    if let Some(bytes) = fact(Fact::PageBytes).filter(|bytes| *bytes != page) {
        return config(format!("it says that a page has {page} bytes, and one has {bytes}"));
    }
    let blocks = (page / block).saturating_mul(pages);
    if let Some(bits) = fact(Fact::BitmaskBytes).map(|bytes| bytes.saturating_mul(8)).filter(|bits| *bits != blocks) {
        return config(format!("its pages have {blocks} blocks, and `bitmask.dat` tells of {bits}"));
    }
    if let Some(in_regions) = fact(Fact::GapBytes).map(|bytes| (bytes / GAP).saturating_mul(region)).filter(|n| *n != blocks) {
        return config(format!("its pages have {blocks} blocks, and its regions {in_regions}"));
    }
    let out = fact(Fact::PointerPage).is_some_and(|last| last >= pages)
        || fact(Fact::PointerBlock).is_some_and(|last| last >= page / block)
        || fact(Fact::PointerLength).is_some_and(|length| length > page.saturating_mul(pages));
    out.then(|| ("tracker.dat", Wrong::damage("a pointer leads to where no page is")))
}

/// Bytes that tell of the gaps of a region.
const GAP: u64 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    fn tracker(pointers: &[[u32; 4]]) -> Vec<u8> {
        let count = [pointers.len() as u32];
        let mut bytes: Vec<u8> = count.iter().chain(pointers.iter().flatten()).flat_map(|n| n.to_le_bytes()).collect();
        bytes.resize(1 << 10, 0);
        bytes
    }

    fn storage() -> Facts {
        let facts = [
            (Fact::PageSize, 32 << 20),
            (Fact::BlockSize, 128),
            (Fact::RegionBlocks, 8192),
            (Fact::Pages, 1),
            (Fact::PageBytes, 32 << 20),
            (Fact::BitmaskBytes, 32 << 10),
            (Fact::GapBytes, 192),
        ];
        facts.into_iter().collect()
    }

    #[test]
    fn pointers_lead_to_pages() {
        let judge = |pointers_of: &[[u32; 4]]| {
            let mut facts = storage();
            pointers(&tracker(pointers_of), 1 << 10, &mut facts)
                .and_then(|()| consistent(&facts).map_or(Ok(()), |(_, wrong)| Err(wrong)))
        };
        assert!(judge(&[[1, 0, 0, 7], [0, 0, 0, 0], [1, 0, 262_143, 128]]).is_ok());
        for bad in [[1, 1, 0, 7], [1, 0, 262_144, 7], [1, 0, 0, u32::MAX], [2, 0, 0, 7]] {
            assert!(judge(&[[1, 0, 0, 7], bad]).is_err(), "{bad:?}");
        }
        let mut many = tracker(&[]);
        many[3] = 1;
        assert!(pointers(&many, 1 << 10, &mut Facts::new()).is_err());
    }

    #[test]
    fn sizes_fit_each_other() {
        assert!(consistent(&storage()).is_none());
        for (fact, wrong) in [
            (Fact::PageSize, 16 << 20),
            (Fact::PageSize, 0),
            (Fact::BlockSize, 129),
            (Fact::RegionBlocks, 8193),
            (Fact::RegionBlocks, 0),
            (Fact::Pages, 2),
            (Fact::BitmaskBytes, 64 << 10),
        ] {
            let mut facts = storage();
            facts.insert(fact, wrong);
            assert!(consistent(&facts).is_some(), "{fact:?} {wrong}");
        }
    }
}
