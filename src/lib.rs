//! qsnap: a terminal UI, with a headless twin, for Qdrant snapshots.
//!
//! # The house
//!
//! Each module may use what stands below it, and in `ops` each room what stands left of it. No file is part of a circle.
//! `tests/it/layers.rs` checks every path, and that this drawing is true. The comment at the top of a module says what lives
//! there and what to read first.
//!
//! ```text
//!  main, lib, compose, demo                                 put everything together
//! ┌──────────────────────────────────────────────────────────────────────────────────────────────┐
//! │ tui: look messages keys panes wizards layers app terminal run                                 │ the terminal UI
//! │ demo:                                                                                         │ the demo
//! │ cli: args check guard                                                                         │ the command line
//! │ sandbox: config                                                                               │ an embedded server
//! ├──────────────────────────────────────────────────────────────────────────────────────────────┤
//! │ ops: request retention report journal plan gates survey proof recovery several verbs          │ what a user can do
//! ├──────────────────────────────────────────────────────────────────────────────────────────────┤
//! │ transfer: landing                                                                             │ bytes from here to there
//! ├──────────────────────────────────────────────────────────────────────────────────────────────┤
//! │ archive: formats inspect                                                                      │ the snapshot format
//! │ qdrant: http                                                                                  │ the server
//! │ repository:                                                                                   │ backups off the server
//! │ config:                                                                                       │ the configuration
//! │ jobs:                                                                                         │ running work
//! ├──────────────────────────────────────────────────────────────────────────────────────────────┤
//! │ domain:                                                                                       │ plain values
//! └──────────────────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! One engine serves both front ends: a [`ops::plan::Plan`] is computed by reading only and shown; only
//! [`ops::plan::Plan::approve`] turns it, with consent, into something that can be started.

#![forbid(unsafe_code)]

pub mod archive;
pub mod cli;
pub mod compose;
pub mod config;
pub mod demo;
pub mod domain;
pub mod jobs;
pub mod ops;
pub mod qdrant;
pub mod repository;
pub mod sandbox;
pub mod transfer;
pub mod tui;

use clap::Parser;
use cli::args::{Cli, Command, ConfigCommand};
use cli::exit::ExitStatus;
use cli::printer::Printer;
use config::environment::Environment;
use config::load;
use domain::problem::{Problem, ProblemKind};
use std::ffi::OsString;
use std::process::ExitCode;

/// The whole program: parses `arguments`, runs, gives the exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return cli::usage::report(&error, &arguments),
    };
    let printer = Printer { output: cli.global.output };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let problem = Problem::new(ProblemKind::Failed, format!("the runtime cannot start: {error}"), "");
            return ExitCode::from(cli::printer::fail(printer, &problem).code());
        }
    };
    // The front end is the root future, on this thread: "am I the UI" is a comparison of thread ids.
    let status = runtime.block_on(run(cli, printer));
    runtime.shutdown_background();
    let status = if status == ExitStatus::Done && cli::printer::output_failed() { ExitStatus::Failed } else { status };
    ExitCode::from(status.code())
}

async fn run(cli: Cli, printer: Printer) -> ExitStatus {
    compose::install_crypto();
    let environment = Environment::of_process();
    match cli.command {
        Some(Command::Sandbox(args)) => return cli::commands::sandbox(printer, args).await,
        Some(Command::Config(ConfigCommand::Path)) => {
            return cli::commands::config_path(printer, &load::file_path(&cli.global.overrides(), &environment));
        }
        Some(Command::Config(ConfigCommand::Init)) => {
            return cli::commands::config_init(printer, &load::file_path(&cli.global.overrides(), &environment));
        }
        Some(Command::Completions { shell }) => return cli::generate::completions(shell),
        Some(Command::Man { to }) => return cli::generate::man(printer, &to),
        Some(Command::Demo) => return demo::run(&cli.global, &environment, printer).await,
        _ => {}
    }
    let config = match load::load(&cli.global.overrides(), &environment) {
        Ok(config) => config,
        Err(problem) => {
            let status = cli::printer::fail(printer, &problem);
            return if matches!(cli.command, Some(Command::Check(_))) { ExitStatus::UNKNOWN } else { status };
        }
    };
    match cli.command {
        Some(Command::Config(ConfigCommand::Check)) => {
            let (services, events) = compose::services(&config);
            drain(events);
            cli::commands::config_check(&services, printer, &config).await
        }
        Some(Command::Config(_)) => cli::commands::config_show(printer, &config),
        Some(command) => {
            let (services, events) = compose::services(&config);
            drain(events);
            cli::commands::run(&services, &cli.global, printer, command).await
        }
        None => {
            let (services, events) = compose::services(&config);
            let ended = match tui::Settings::read(&config, &environment) {
                Ok(settings) => tui::run(services, events, settings, tui::Banner::None, tui::Surroundings::of(&config)).await,
                Err(problem) => Err(problem),
            };
            finish_tui(ended, printer)
        }
    }
}

/// From the UI's end to an exit status.
pub(crate) fn finish_tui(ended: Result<tui::Ended, Problem>, printer: Printer) -> ExitStatus {
    match ended {
        Ok(tui::Ended::Quit) => ExitStatus::Done,
        Ok(tui::Ended::Signal(signal)) => ExitStatus::Stopped(signal),
        Err(problem) => cli::printer::fail(printer, &problem),
    }
}

/// Headless commands sample the job table; its events are read so that the channel never fills.
#[expect(clippy::disallowed_methods, reason = "the composition root")]
fn drain(mut events: tokio::sync::mpsc::Receiver<jobs::row::JobEvent>) {
    tokio::spawn(async move { while events.recv().await.is_some() {} });
}
