//! L3: what a user can do. Every operation is plan → approve → execute → verify; both front ends call it.
//!
//! Rooms, each using those above it only (`tests/it/layers.rs` has the table):
//!
//! * [`request`]: what is asked for, and its command line. [`retention`]: the rules about backups. [`report`]: what came of it.
//! * [`journal`]: what is kept on disk about operations. [`services`]: what they need from outside. [`steps`]: running them.
//! * [`plan`]: what would happen, and what agrees to it. [`engine`]: from an approved plan to a running job.
//! * [`gates`]: pure rules. [`survey`]: what is known, by reading. [`proof`]: whether data is right.
//! * [`recovery`]: what restoring verbs are made of. [`several`]: several plans as one. [`verbs`]: one file a verb; start here to add one.

pub mod engine;
pub mod gates;
pub mod journal;
pub mod plan;
pub mod proof;
pub mod recovery;
pub mod report;
pub mod request;
pub mod retention;
pub mod services;
pub(in crate::ops) mod several;
pub mod steps;
pub mod survey;
pub mod verbs;
