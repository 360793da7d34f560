//! The one integration binary.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::too_many_lines, reason = "tests")]

mod archive;
mod assets;
mod bad_input;
mod compare;
mod conformance;
mod exchanges;
mod fleet;
mod flows;
mod guard;
mod inspect;
mod keyed;
mod killed;
mod layers;
mod line;
#[path = "../bench/measure.rs"]
mod measure;
mod memory;
mod mutations;
mod pty;
mod recovery;
mod support;
mod transfers;
