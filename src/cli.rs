//! L4: the headless front end. Data on stdout, progress and prompts on stderr, never a prompt without a
//! terminal. JSON and exit codes are a contract.

pub mod args;
mod backup_requests;
mod backups;
mod check;
pub mod commands;
mod common_args;
pub mod exit;
pub mod generate;
pub mod guard;
pub mod history;
pub mod inspect;
pub mod listing;
pub mod operate;
pub mod printer;
pub mod prompt;
pub mod reporter;
mod requests;
mod restore_requests;
pub mod signals;
pub mod usage;
