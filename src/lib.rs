//! qsnap: a terminal UI, with a headless twin, for Qdrant snapshots.
//!
//! # Architecture
//!
//! Layers as modules; a module uses those above it in this table, never those below, and `cli` and
//! `tui` never each other. `tests/it/layers.rs` checks every `use crate::` edge.
//!
//! | layer | modules | what |
//! |---|---|---|
//! | L0 | [`domain`] | plain values |
//! | L1 | [`config`], [`qdrant`], [`jobs`] | configuration, the server, running work |
//! | L2 | [`transfer`] | bytes from a source to a sink |
//! | L3 | [`ops`] | plan → approve → execute → verify, one file a verb |
//! | L4 | [`cli`], [`tui`], [`sandbox`] | front ends; an embedded server that shares no types with `qdrant` |
//! | root | [`compose`], [`demo`], this file | puts everything together |
//!
//! One engine serves both front ends: a [`ops::flow::Plan`] is computed by reading only and shown; only
//! [`ops::flow::Plan::approve`] turns it, with consent, into something that can be started.

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
            return ExitCode::from(cli::commands::fail(printer, &problem).code());
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
        Some(Command::Demo) => return demo::run(&cli.global, &environment, printer).await,
        _ => {}
    }
    let config = match load::load(&cli.global.overrides(), &environment) {
        Ok(config) => config,
        Err(problem) => return cli::commands::fail(printer, &problem),
    };
    match cli.command {
        Some(Command::Config(ConfigCommand::Check)) => {
            let (services, events) = compose::services(&config);
            drain(events);
            cli::commands::check(&services, printer, &config).await
        }
        Some(Command::Config(_)) => cli::commands::config_show(printer, &config),
        Some(command) => {
            let (services, events) = compose::services(&config);
            drain(events);
            cli::commands::run(&services, &cli.global, printer, command).await
        }
        None => {
            let (services, events) = compose::services(&config);
            let look = tui::look::caps::Look::decide(&config, &environment);
            let ended = tui::run(services, events, look, tui::Banner::None, tui::Surroundings::of(&config)).await;
            finish_tui(ended, printer)
        }
    }
}

/// From the UI's end to an exit status.
pub(crate) fn finish_tui(ended: Result<tui::Ended, Problem>, printer: Printer) -> ExitStatus {
    match ended {
        Ok(tui::Ended::Quit) => ExitStatus::Done,
        Ok(tui::Ended::Signal(signal)) => ExitStatus::Stopped(signal),
        Err(problem) => cli::commands::fail(printer, &problem),
    }
}

/// Headless commands sample the job table; its events are read so that the channel never fills.
#[expect(clippy::disallowed_methods, reason = "the composition root")]
fn drain(mut events: tokio::sync::mpsc::Receiver<jobs::manager::JobEvent>) {
    tokio::spawn(async move { while events.recv().await.is_some() {} });
}
