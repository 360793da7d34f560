//! Ways to settle an operation that did not end well. Pure: what they do is for the verb `settle`.

use crate::ops::journal::past::Past;
use crate::ops::request::settle::Way;
use crate::ops::request::verb::Verb;

/// Ways that make sense for an operation, the safest first.
pub fn ways(past: &Past) -> Vec<Way> {
    let mut ways = Vec::new();
    if past.is_between() && past.safety().is_some() {
        ways.push(Way::RollBack);
    }
    if past.request.is_some() && !past.is_done() && !past.is_proven() && !past.repaired {
        ways.push(Way::Continue);
    }
    // What a guarded command did may be what was wanted.
    if past.is_open() && (!past.is_between() || Verb::of(&past.operation) == Some(Verb::Guard)) {
        ways.push(Way::CleanUp);
    }
    ways
}
