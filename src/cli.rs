//! L4: the headless front end. Data on stdout, progress and prompts on stderr, never a prompt without a
//! terminal. JSON and exit codes are a contract.

pub mod args;
pub mod commands;
pub mod exit;
pub mod guard;
pub mod history;
pub mod inspect;
pub mod listing;
pub mod operate;
pub mod printer;
pub mod prompt;
pub mod reporter;
mod requests;
pub mod signals;
pub mod usage;
