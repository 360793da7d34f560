//! Keys and what they mean: [`action`] lists everything a user may intend, [`keymap`] has the one table of keys, from which
//! the footer and the help are made.

pub mod action;
pub mod binding;
pub mod key;
pub mod keymap;
pub mod motion;
pub mod own_keys;
