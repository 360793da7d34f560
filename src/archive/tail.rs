//! What the end of a snapshot tells: since 1.12 the configuration of a collection comes last, so that some kilobytes
//! of a snapshot of any size tell its shape.

use crate::archive::bytes::StreamBytes;
use crate::archive::contents::{Contents, Kind, Scope};
use crate::archive::header::BLOCK;
use crate::archive::inspect;
use crate::archive::layout::{self, Place};
use crate::archive::walk::{Counters, Walk};

/// Headers that are looked at in search of the beginning: a tail of nothing but headers would take seconds.
const HEADERS: usize = 20_000;

/// Reads the last bytes of a snapshot. `None` when they do not tell what it is: more of them may.
pub fn inspect_end(tail: &[u8], name: Option<&str>) -> Option<Contents> {
    let first = first_entry(tail)?;
    let mut contents = inspect::read(&mut StreamBytes(&tail[first..]), name, &mut |_, _| Ok(()), Scope::End).ok()?;
    // Whether segments were nested cannot be seen from here; what is kept in a file is.
    if contents.kind == Kind::ShardStream {
        contents.kind = Kind::Shard;
    }
    let tells = contents.kind != Kind::Unknown && contents.damage.is_empty();
    tells.then_some(contents)
}

/// Where the first of the outermost entries starts that lie whole in the last bytes of an archive.
fn first_entry(tail: &[u8]) -> Option<usize> {
    let block = BLOCK as usize;
    // Seen from its end, too, everything in a tar starts at steps of a block.
    let steps = (tail.len() % block..tail.len()).step_by(block);
    let zeros = |at: usize| tail.get(at..at + block).is_some_and(|bytes| bytes.iter().all(|byte| *byte == 0));
    let mut patience = HEADERS;
    let mut starts = steps.filter(|at| !zeros(*at));
    starts.find_map(|at| outermost(&tail[at..], &mut patience).map(|first| at + first))
}

/// If headers lead from here to the archive's end: the first that is not of a nested archive. The archive of a segment
/// has no end of its own, so that its last entries lead on to those around it.
fn outermost(rest: &[u8], patience: &mut usize) -> Option<usize> {
    let mut bytes = StreamBytes(rest);
    let mut counters = Counters::default();
    let mut walk = Walk::new(&mut bytes, &mut counters, "", 0);
    let mut first = None;
    while let Some(entry) = walk.next().ok()? {
        *patience = patience.checked_sub(1)?;
        match layout::place(&entry.path) {
            Place::Other => first = None,
            _ => first = first.or(Some(entry.offset)),
        }
    }
    let padding = rest.get(usize::try_from(walk.at()).ok()?..)?;
    padding.iter().all(|byte| *byte == 0).then_some(())?;
    usize::try_from(first?).ok()
}
