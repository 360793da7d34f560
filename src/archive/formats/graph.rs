//! The graph of a vector index: `graph.bin` and the file of its links.

use crate::archive::formats::reader::Reader;
use crate::archive::formats::wrong::{Checked, Wrong};

/// Checks a `graph.bin`.
///
/// # Errors
/// What is wrong with it.
pub fn graph(head: &[u8], size: u64) -> Checked {
    let known = head.len() as u64 >= size;
    match entries(&mut Reader(head)) {
        Some(true) => Ok(()),
        Some(false) => Err(Wrong::damage("it says that its queue of entry points has no room")),
        // A list that goes on behind what was read.
        None if !known => Ok(()),
        None => Err(Wrong::damage("it ends before its entry points do")),
    }
}

/// Reads three sizes, the entry points, the further ones, and how many of these there may be, which is never 0.
fn entries(reader: &mut Reader<'_>) -> Option<bool> {
    for _ in 0..3 {
        reader.u64()?;
    }
    for _ in 0..2 {
        for _ in 0..reader.u64()? {
            reader.u32()?;
            reader.u64()?;
        }
    }
    reader.u64().map(|room| room > 0)
}

/// How links are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// `links.bin`
    Plain,
    /// `links_compressed.bin`
    Compressed,
    /// `links_comp_vec.bin`
    WithVectors,
}

/// Most bits of a difference between two offsets, and most offsets of a group, as a power of two.
const MOST_DELTA: u8 = 56;
const MOST_GROUP: u8 = 7;

/// Bytes behind the packed offsets.
const PACKED_END: u64 = 7;

impl Links {
    /// Bytes of the header.
    pub fn header(self) -> u64 {
        match self {
            Self::Plain | Self::Compressed => 64,
            Self::WithVectors => 80,
        }
    }

    fn version(self) -> Option<u64> {
        match self {
            Self::Plain => None,
            Self::Compressed => Some(0xffff_ffff_ffff_ff01),
            Self::WithVectors => Some(0xffff_ffff_ffff_ff02),
        }
    }
}

/// Checks the file of the links.
///
/// # Errors
/// What is wrong with it.
pub fn links(kind: Links, head: &[u8], size: u64) -> Checked {
    let needed = match kind {
        Links::Plain => plain(head),
        _ => compressed(kind, head),
    }?;
    match needed {
        Some(needed) if needed <= u128::from(size) => Ok(()),
        Some(needed) => Err(Wrong::damage(format!("its header tells of {needed} bytes, and there are {size}"))),
        None => Err(Wrong::damage("it ends within its header")),
    }
}

fn no_offsets() -> Wrong {
    Wrong::damage("its header says that it has no offsets")
}

/// Bytes that the header of plain links tells of.
fn plain(head: &[u8]) -> Result<Option<u128>, Wrong> {
    let mut reader = Reader(head);
    let mut field = || reader.u64().map(u128::from);
    let (Some(points), Some(levels), Some(neighbors), Some(offsets), Some(padding)) =
        (field(), field(), field(), field(), field())
    else {
        return Ok(None);
    };
    if offsets == 0 {
        return Err(no_offsets());
    }
    Ok(Some(u128::from(Links::Plain.header()) + 8 * levels + 4 * points + 4 * neighbors + padding + 8 * offsets))
}

/// How offsets are packed.
struct Packed {
    count: u64,
    base: u8,
    delta: u8,
    group: u8,
}

impl Packed {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let count = reader.u64()?;
        let [base, delta, group] = reader.bytes()?;
        Some(Self { count, base, delta, group })
    }

    fn is_sound(&self) -> bool {
        self.base <= 64 && (1..=MOST_DELTA).contains(&self.delta) && self.group <= MOST_GROUP
    }

    fn bytes(&self) -> u128 {
        let in_group = 1_u64 << self.group;
        let group = (u64::from(self.base) + u64::from(self.delta) * (in_group - 1)).div_ceil(8);
        u128::from(self.count.div_ceil(in_group)) * u128::from(group) + u128::from(PACKED_END)
    }
}

/// Bytes that the header of compressed links tells of.
fn compressed(kind: Links, head: &[u8]) -> Result<Option<u128>, Wrong> {
    let mut reader = Reader(head);
    let (Some(points), Some(version), Some(levels), Some(neighbors)) = (reader.u64(), reader.u64(), reader.u64(), reader.u64())
    else {
        return Ok(None);
    };
    let Some(packed) = Packed::read(&mut reader) else { return Ok(None) };
    if kind.version().is_some_and(|known| known != version) {
        return Err(Wrong::damage("its header is of another version"));
    }
    if packed.count == 0 {
        return Err(no_offsets());
    }
    if !packed.is_sound() {
        return Err(Wrong::damage("its header says that offsets are packed in a way that cannot be"));
    }
    if points > 1 << 32 {
        return Err(Wrong::damage("its header tells of more points than there can be"));
    }
    let (mut at, mut alignment) = (u128::from(kind.header()), 1);
    if kind == Links::WithVectors {
        let Some(layouts) = layouts(&mut reader) else { return Ok(None) };
        alignment = layouts?;
    }
    at += 8 * u128::from(levels) + 4 * u128::from(points);
    at = at.next_multiple_of(u128::from(alignment));
    Ok(Some(at + u128::from(neighbors) + packed.bytes()))
}

/// Size and alignment of the vectors beside points and of those beside links; gives the larger alignment.
fn layouts(reader: &mut Reader<'_>) -> Option<Result<u8, Wrong>> {
    let (_m, _m0) = (reader.u64()?, reader.u64()?);
    let mut layout = || Some((reader.u64()?, reader.bytes::<1>()?[0]));
    let (base, link) = (layout()?, layout()?);
    let is_sound = |(size, alignment): (u64, u8)| alignment.is_power_of_two() && size < 1 << 62;
    if !is_sound(base) || !is_sound(link) || link.0 == 0 {
        return Some(Err(Wrong::damage("its header tells of vectors that cannot be")));
    }
    Some(Ok(base.1.max(link.1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(numbers: &[u64]) -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
    }

    #[test]
    fn a_graph_ends_where_its_lists_end() {
        let mut good = numbers(&[16, 32, 100, 1]);
        good.extend([7, 0, 0, 0]);
        good.extend(numbers(&[2, 0, 10]));
        let size = good.len() as u64;
        assert!(graph(&good, size).is_ok());
        assert!(graph(&good[..size as usize - 1], size - 1).is_err());
        for (at, value) in [(24, 9), (44, 1), (52, 0)] {
            let mut bad = good.clone();
            bad[at] = value;
            assert!(graph(&bad, size).is_err(), "{at}");
        }
        good[24..32].fill(0xff);
        assert!(graph(&good, 1 << 20).is_ok(), "the rest was not read");
    }

    #[test]
    fn headers_of_links_tell_of_what_is_there() {
        let mut header = numbers(&[3, 0xffff_ffff_ffff_ff01, 1, 40, 4]);
        header.extend([6, 3, 2]);
        header.extend(numbers(&[16, 32]));
        header.resize(64, 0);
        // Levels, points, neighbors, one group of two bytes, its end.
        let size = 64 + 8 + 12 + 40 + 2 + 7;
        assert!(links(Links::Compressed, &header, size).is_ok());
        assert!(links(Links::Compressed, &header, size - 1).is_err());
        for (at, value) in [(0, 4), (8, 0), (16, 2), (24, 41), (32, 0), (41, 0), (41, 57), (42, 8)] {
            let mut bad = header.clone();
            bad[at] = value;
            assert!(links(Links::Compressed, &bad, size).is_err(), "{at}");
        }
        let mut plain = numbers(&[3, 1, 5, 4, 4]);
        plain.resize(64, 0);
        assert!(links(Links::Plain, &plain, 64 + 8 + 12 + 20 + 4 + 32).is_ok());
        assert!(links(Links::Plain, &plain, 64 + 8 + 12 + 20 + 4 + 31).is_err());
    }
}
