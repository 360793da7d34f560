//! From a key to a started job: form → plan → review → consent. [`wizard`] is the machine, the same for all; each form is a file
//! of its own, a struct that becomes a request ([`form`]). To add one: a file here, a line in [`kind`] and in `forms`.

pub mod annotate;
pub mod backup;
pub mod compare;
pub mod copy;
pub mod download;
pub mod field;
pub mod form;
mod forms;
pub mod kind;
pub mod offers;
pub mod plan_view;
mod proposals;
pub mod ready;
pub mod restore;
pub mod restore_all;
pub mod revive;
pub mod wizard;
pub mod wizard_view;
