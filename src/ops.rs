//! L3: what a user can do. Every operation is plan → approve → execute → verify; both front ends call it.

pub mod compare;
pub mod content;
pub mod copy;
pub mod create;
pub mod delete;
pub mod deliver;
pub mod discard;
pub mod download;
pub mod flow;
pub mod follow;
pub mod gates;
pub mod inspect;
pub mod interrupted;
pub mod journal;
pub mod list;
pub mod proof;
pub mod report;
pub mod resolve;
pub mod restore;
pub mod services;
pub mod steps;
pub mod verify;
