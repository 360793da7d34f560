//! L1: backups in a directory or a bucket, in a layout that can be read without qsnap. Read [`layout`] for the keys and
//! [`manifest`] for what a backup says of itself; [`bucket`] is the door to the store, [`open`] makes one of the
//! configuration, [`upload`] writes large objects, [`records`] has notes, holds and proofs, [`index`] lists all of it. Increments
//! take bytes from older backups: [`shard_index`] says which, [`needs`] keeps them there, [`removal`] asks it.
//!
//! Nothing is overwritten but `started.json`, nothing is deleted but by its exact key, and a backup exists when its manifest
//! does. What restores from a backup, and what decides which ones go, is in `ops`.

pub mod bucket;
pub mod cache;
pub mod credentials;
pub mod entry;
pub mod fault;
pub mod folder;
pub mod index;
pub mod layout;
pub mod listing;
pub mod manifest;
pub mod needs;
pub mod open;
pub mod records;
pub mod removal;
pub mod shard_index;
pub mod upload;
mod walk;
