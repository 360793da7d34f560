//! What a plan says of an overwrite.

use crate::domain::address::CollectionAddress;
use crate::domain::size::exact;
use crate::ops::journal::step_names::{self, SAFETY};
use crate::ops::request::skips::Skips;

/// How many things about as large as the snapshot come to the server's disk besides: safety snapshot, proof restore.
pub(in crate::ops) fn extra(overwrites: bool, skips: Skips) -> u64 {
    if overwrites { u64::from(!skips.safety) + u64::from(!skips.proof) } else { 0 }
}

/// Steps of a plan that overwrites.
pub(in crate::ops) fn plan_steps(target: &CollectionAddress, skips: Skips, restore: String) -> Vec<crate::ops::plan::Step> {
    use crate::ops::plan::Step;
    let mut steps = Vec::new();
    if !skips.safety {
        steps.push(Step::new(SAFETY, format!("take a snapshot of {target} as it is now, and keep it")));
    }
    if !skips.proof {
        steps.push(Step::new(
            step_names::PROOF.restore,
            "restore to a scratch collection beside it, and verify that: nothing live is touched yet",
        ));
    }
    steps.push(Step::new("restore", restore));
    steps.push(Step::new(
        "verify",
        format!(
            "count {target}, compare schema and sample{}",
            if skips.proof { "" } else { ", and compare it with the proof restore" }
        ),
    ));
    if !skips.safety {
        steps.push(Step::new("roll back", "only if that fails: bring the safety snapshot back, and verify it"));
    }
    steps.push(Step::new("tidy", "remove the scratch collection, and the uploaded files once the verdict is good"));
    steps
}

/// What the confirmation names: what is lost, and what was left out by choice.
pub(in crate::ops) fn consequence(target: &CollectionAddress, points: Option<u64>, skips: Skips) -> String {
    let data = points.map_or_else(|| "data (it cannot be read now)".to_owned(), |points| format!("{} points", exact(points)));
    let mut words = format!("the {data} of {target} are replaced");
    match (skips.safety, points) {
        (true, _) => words.push_str("; NO safety snapshot, as asked: there is no way back"),
        (false, None) => words.push_str("; NO safety snapshot is possible: there is no way back"),
        (false, Some(_)) => words.push_str("; a safety snapshot is taken first and kept"),
    }
    if skips.proof {
        words.push_str("; NO proof restore, as asked: damage shows only after the live data is gone");
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_confirmation_names_what_is_left_out() {
        let address = CollectionAddress::parse("a/x").unwrap();
        let words = |points, safety, proof| consequence(&address, points, Skips { safety, proof });
        assert!(words(Some(5), false, false).contains("safety snapshot is taken first"));
        assert!(words(Some(5), true, false).contains("NO safety snapshot, as asked"));
        assert!(words(None, false, false).contains("NO safety snapshot is possible"));
        assert!(words(Some(5), false, true).contains("NO proof restore"));
    }
}
