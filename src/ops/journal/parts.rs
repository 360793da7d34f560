//! An operation of several, such as the copy of all collections: each part is an operation with a record of its own. The
//! record of the whole names them all before any begins, so that after a kill it can be said which never did.

use crate::ops::journal::event::PartRecord;
use crate::ops::journal::past::Past;

/// Tells the wholes among records what their parts became.
pub(in crate::ops) fn attach(all: &mut [Past]) {
    let records: Vec<(String, String, PartRecord)> = all
        .iter()
        .filter_map(|past| {
            let record = PartRecord { id: past.id.clone(), outcome: past.outcome() };
            Some((past.part_of.clone()?, past.target.clone(), record))
        })
        .collect();
    for whole in all.iter_mut().filter(|past| !past.parts.is_empty()) {
        for part in &mut whole.parts {
            let own = records.iter().find(|(of, target, _)| *of == whole.id && *target == part.target);
            part.record = own.map(|(.., record)| record.clone());
        }
    }
}
