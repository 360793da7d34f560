//! From parsed arguments to what is to be done: one short function a command.

use crate::cli::args::backups::{Backups, PruneArgs};
use crate::cli::args::{Command, Global, HistoryCommand, Output, SandboxArgs, Snapshots};
use crate::cli::exit::ExitStatus;
use crate::cli::printer::{Printer, fail};
use crate::cli::requests::requests;
use crate::cli::usage::usage;
use crate::cli::{backup_requests, backups, check, guard, history, inspect, listing, operate};
use crate::config::load::Overrides;
use crate::config::{Config, show, warnings};
use crate::domain::address::SnapshotsOf;
use crate::domain::problem::{Problem, ProblemKind};
use crate::ops::services::Services;
use crate::sandbox::Sandbox;
use crate::sandbox::options::{Layout, SandboxOptions};
use crate::sandbox::seed::SeedCollection;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;

/// The example configuration, also written by `config init`.
pub const EXAMPLE: &str = include_str!("../../assets/config.example.toml");

impl Global {
    /// The part that concerns the configuration.
    pub fn overrides(&self) -> Overrides {
        Overrides {
            config: self.config.clone(),
            url: self.url.clone(),
            api_key_env: self.api_key_env.clone(),
            read_only: self.read_only,
            color: self.color,
            ascii: self.ascii,
            limit_rate: self.limit_rate,
        }
    }
}

/// Runs a command that needs servers.
pub async fn run(services: &Arc<Services>, global: &Global, printer: Printer, command: Command) -> ExitStatus {
    match command {
        Command::Instances => listing::instances(services, printer).await,
        Command::Collections { address: None } => listing::collections(services, printer, None).await,
        Command::Collections { address: Some(text) } => match SnapshotsOf::parse(&text) {
            Ok(SnapshotsOf::Storage(instance)) => listing::collections(services, printer, Some(instance)).await,
            Ok(SnapshotsOf::Collection(address)) => listing::shards(services, printer, &address).await,
            Err(why) => fail(printer, &usage(why)),
        },
        Command::Snapshots(Snapshots::List { addresses }) => listing::snapshots(services, printer, &addresses).await,
        Command::Backups(command @ (Backups::List { .. } | Backups::Show { .. })) => {
            backups::run(services, printer, command).await
        }
        Command::Prune(args) => prune(services, global, printer, args).await,
        Command::Check(args) => check::run(services, printer, args, global.quiet).await,
        Command::Guard(args) => guard::run(services, global, printer, args).await,
        Command::History { command: None } => history::list(services, printer),
        Command::History { command: Some(HistoryCommand::Show { id, markdown }) } => {
            history::show(services, printer, &id, markdown)
        }
        Command::Inspect(args) => inspect::run(services, global, printer, args).await,
        command => match requests(services.repository(None).map(|repository| repository.name.clone()), command) {
            Some(requests) => operate::operate(services, global, printer, requests).await,
            None => fail(printer, &usage("this command needs no server")),
        },
    }
}

/// `qsnap prune`: without `--apply` only the plan; `--apply` is the consent to it.
async fn prune(services: &Arc<Services>, global: &Global, printer: Printer, args: PruneArgs) -> ExitStatus {
    let mut global = global.clone();
    if args.apply {
        global.yes = true;
        global.confirm.extend(backup_requests::prune_consent(services, &args));
    } else {
        global.dry_run = true;
    }
    let status = operate::operate(services, &global, printer, vec![backup_requests::prune(&args)]).await;
    if !args.apply && status == ExitStatus::Done && printer.output == Output::Table {
        printer.note("note: nothing was removed; --apply removes what the plan says");
    }
    status
}

/// `qsnap config path`
pub fn config_path(printer: Printer, path: &Path) -> ExitStatus {
    let shown = path.display().to_string();
    match printer.output {
        Output::Json => printer.json(&json!({"version": 1, "path": shown, "found": path.is_file()})),
        Output::Table => printer.text(&shown),
    }
    ExitStatus::Done
}

/// `qsnap config show`
pub fn config_show(printer: Printer, config: &Config) -> ExitStatus {
    match printer.output {
        Output::Json => printer.json(&show::document(config)),
        Output::Table => printer.text(&show::show(config)),
    }
    ExitStatus::Done
}

/// `qsnap config init`: never replaces a file.
pub fn config_init(printer: Printer, path: &Path) -> ExitStatus {
    let write = || -> std::io::Result<()> {
        use std::io::Write;
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(path)?.write_all(EXAMPLE.as_bytes())
    };
    match write() {
        Ok(()) => {
            let shown = path.display().to_string();
            match printer.output {
                Output::Json => printer.json(&json!({"version": 1, "written": shown})),
                Output::Table => printer.text(&format!("wrote {shown}")),
            }
            ExitStatus::Done
        }
        Err(error) => {
            let problem = Problem::new(ProblemKind::Usage, format!("cannot be written: {error}"), path.display().to_string());
            fail(printer, &problem.advise("nothing was changed; edit the file that exists, or name another one with --config"))
        }
    }
}

/// `qsnap config check`: connects to every instance, which fetches its secrets and reads its certificates.
pub async fn config_check(services: &Services, printer: Printer, config: &Config) -> ExitStatus {
    listing::checked_instances(services, printer, Some(warnings::warnings(config))).await
}

/// `qsnap sandbox`: serves until stopped.
pub async fn sandbox(printer: Printer, args: SandboxArgs) -> ExitStatus {
    match start_sandbox(&args).await {
        Ok(sandbox) => {
            printer.json(&json!({"nodes": sandbox.urls()}));
            let mut terminate = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
                Ok(signal) => signal,
                Err(_) => return ExitStatus::Failed,
            };
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            ExitStatus::Done
        }
        Err(problem) => fail(printer, &problem),
    }
}

async fn start_sandbox(args: &SandboxArgs) -> Result<Sandbox, Problem> {
    let options = SandboxOptions {
        listen: args.listen,
        api_key: args.api_key.clone(),
        read_only_api_key: args.read_only_api_key.clone(),
        collection_key: args.collection_key.clone(),
        nodes: usize::from(args.nodes),
        cluster: false,
        rate: args.rate,
        url_recovery: !args.no_url_recovery,
        basic_auth: args.basic_auth.clone(),
        required_header: args.require_header.clone(),
        strict_mode: args.strict_mode.clone(),
        layout: Layout::default(),
        faults: crate::sandbox::faults::Faults::default(),
    };
    options.faults.add_all(&args.faults).map_err(usage)?;
    let mut seeds = Vec::new();
    if args.points > 0 {
        seeds.push(SeedCollection::new("products", args.points));
    }
    if let Some(size) = args.snapshot_size {
        let mut big = SeedCollection::new("big", 100);
        big.filler = size.saturating_sub(64 << 10);
        big.snapshot_ages = vec![60];
        seeds.push(big);
    }
    let failed = |error: std::io::Error| {
        Problem::new(ProblemKind::Failed, format!("the sandbox cannot start: {error}"), args.listen.to_string())
            .advise("is the port taken? 127.0.0.1:0 takes a free one")
    };
    Sandbox::start(options, seeds).await.map_err(failed)
}
