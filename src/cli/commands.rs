//! From parsed arguments to what is to be done: one short function a command.

use crate::cli::args::{
    AliasArgs, CareArgs, Command, CompareArgs, CopyArgs, Global, ModeArg, Output, RestoreArgs, ReviveArgs, RouteArg, SandboxArgs,
    SkipArg, Snapshots,
};
use crate::cli::exit::ExitStatus;
use crate::cli::printer::Printer;
use crate::cli::{guard, history, inspect, listing, operate};
use crate::config::load::Overrides;
use crate::config::{Config, show, warnings};
use crate::domain::address::{Address, CollectionAddress, Which};
use crate::domain::ids::InstanceName;
use crate::domain::problem::{Problem, ProblemKind};
use crate::ops::compare::CompareSpec;
use crate::ops::copy::CopySpec;
use crate::ops::create::CreateSpec;
use crate::ops::delete::DeleteSpec;
use crate::ops::deliver::Route;
use crate::ops::download::DownloadSpec;
use crate::ops::drop::DropSpec;
use crate::ops::fleet::{FleetSpec, NameMap};
use crate::ops::flow::Spec;
use crate::ops::overwrite::Skips;
use crate::ops::restore::{Mode, RestoreSource, RestoreSpec};
use crate::ops::revive::ReviveSpec;
use crate::ops::services::Services;
use crate::ops::switch::SwitchSpec;
use crate::sandbox::seed::SeedCollection;
use crate::sandbox::{Sandbox, SandboxOptions};
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

fn usage(message: impl AsRef<str>) -> Problem {
    Problem::new(ProblemKind::Usage, message, "").advise("`qsnap help` and `qsnap COMMAND --help` show how it is written")
}

/// Runs a command that needs servers.
pub async fn run(services: &Arc<Services>, global: &Global, printer: Printer, command: Command) -> ExitStatus {
    match command {
        Command::Instances => listing::instances(services, printer).await,
        Command::Collections { instance: None } => listing::collections(services, printer, None).await,
        Command::Collections { instance: Some(name) } => match InstanceName::new(&name) {
            Ok(name) => listing::collections(services, printer, Some(name)).await,
            Err(why) => fail(printer, &usage(why)),
        },
        Command::Snapshots(Snapshots::List { addresses }) => listing::snapshots(services, printer, &addresses).await,
        Command::Snapshots(Snapshots::Create { addresses }) => {
            let specs = addresses.iter().map(|text| create(text)).collect();
            operate::operate(services, global, printer, specs).await
        }
        Command::Snapshots(Snapshots::Download { addresses, to, overwrite }) => {
            if addresses.len() > 1 && !to.is_dir() {
                return fail(printer, &usage("several snapshots need a folder that exists: --to FOLDER"));
            }
            let specs = addresses.iter().map(|text| download(text, &to, overwrite)).collect();
            operate::operate(services, global, printer, specs).await
        }
        Command::Snapshots(Snapshots::Upload { file, to, mode, care }) => {
            let target = CollectionAddress::parse(&to).map_err(usage);
            let source = RestoreSource::File(file);
            let spec = target.map(|target| careful(RestoreSpec::new(source, target, mode.into(), Route::Upload), care));
            operate::operate(services, global, printer, vec![spec]).await
        }
        Command::Snapshots(Snapshots::Delete { addresses }) => {
            operate::operate(services, global, printer, deletions(&addresses)).await
        }
        Command::Restore(args) => operate::operate(services, global, printer, vec![restore(args)]).await,
        Command::Copy(args) => operate::operate(services, global, printer, vec![copy(args)]).await,
        Command::Alias(args) => operate::operate(services, global, printer, vec![alias(&args)]).await,
        Command::Drop { address } => {
            let spec = CollectionAddress::parse(&address)
                .map_err(usage)
                .map(|address| Spec::Drop(DropSpec { address, with_aliases: false }));
            operate::operate(services, global, printer, vec![spec]).await
        }
        Command::Guard(args) => guard::run(services, global, printer, args).await,
        Command::Revive(args) => operate::operate(services, global, printer, vec![revive(&args)]).await,
        Command::History { command } => history::run(services, global, printer, command).await,
        Command::Compare(args) => operate::operate(services, global, printer, vec![comparison(&args)]).await,
        Command::Inspect(args) => inspect::run(services, global, printer, args).await,
        Command::Demo | Command::Sandbox(_) | Command::Config(_) => fail(printer, &usage("this command needs no server")),
    }
}

/// Prints a problem; gives its exit code.
pub fn fail(printer: Printer, problem: &Problem) -> ExitStatus {
    printer.problem(problem);
    ExitStatus::of_problem(problem.kind)
}

fn comparison(args: &CompareArgs) -> Result<Spec, Problem> {
    let address = |text: &str| CollectionAddress::parse(text).map_err(usage);
    Ok(Spec::Compare(CompareSpec { first: address(&args.first)?, second: address(&args.second)?, deep: args.deep }))
}

fn collection_name(text: &str) -> Result<String, Problem> {
    CollectionAddress::parse(&format!("x/{text}")).map(|address| address.collection.raw().to_owned()).map_err(usage)
}

fn create(text: &str) -> Result<Spec, Problem> {
    CollectionAddress::parse(text).map(|address| Spec::Create(CreateSpec { address })).map_err(usage)
}

fn snapshot_address(text: &str) -> Result<(CollectionAddress, Which), Problem> {
    match Address::parse(text).map_err(usage)? {
        Address::Snapshot(address, which) => Ok((address, which)),
        other => Err(usage(format!(
            "`{other}` does not name a snapshot: write INSTANCE/COLLECTION/SNAPSHOT or INSTANCE/COLLECTION@latest"
        ))),
    }
}

fn download(text: &str, to: &Path, overwrite: bool) -> Result<Spec, Problem> {
    let (address, which) = snapshot_address(text)?;
    Ok(Spec::Download(DownloadSpec { address, which, target: to.to_owned(), overwrite }))
}

/// One deletion for each collection.
fn deletions(texts: &[String]) -> Vec<Result<Spec, Problem>> {
    let mut specs: Vec<Result<Spec, Problem>> = Vec::new();
    for text in texts {
        let (address, name) = match snapshot_address(text) {
            Ok((address, Which::Named(name))) => (address, name),
            Ok((_, Which::Latest)) => {
                specs.push(Err(usage("delete takes names, not @latest: what is latest may change")));
                continue;
            }
            Err(problem) => {
                specs.push(Err(problem));
                continue;
            }
        };
        let same = specs.iter_mut().flatten().find_map(|spec| match spec {
            Spec::Delete(spec) if spec.address == address => Some(&mut spec.names),
            _ => None,
        });
        match same {
            Some(names) => names.push(name),
            None => specs.push(Ok(Spec::Delete(DeleteSpec { address, names: vec![name] }))),
        }
    }
    specs
}

fn restore(args: RestoreArgs) -> Result<Spec, Problem> {
    let source = match Address::parse(&args.point).map_err(usage)? {
        Address::File(path) => RestoreSource::File(path),
        Address::Snapshot(address, which) => RestoreSource::Snapshot(address, which),
        other => {
            return Err(usage(format!(
                "`{other}` is no recovery point: write INSTANCE/COLLECTION/SNAPSHOT, INSTANCE/COLLECTION@latest or a file"
            )));
        }
    };
    let target = CollectionAddress::parse(&args.to).map_err(usage)?;
    let route: Route = args.route.into();
    match (&source, route) {
        (RestoreSource::File(_), Route::Url | Route::Stream) => {
            return Err(usage("a local file can only be uploaded: leave out --route"));
        }
        (RestoreSource::Snapshot(..), Route::Upload) => {
            return Err(usage("a snapshot on a node goes by url or stream; upload is for local files"));
        }
        _ => {}
    }
    Ok(careful(RestoreSpec::new(source, target, args.mode.into(), route), args.care))
}

fn careful(spec: RestoreSpec, care: CareArgs) -> Spec {
    Spec::Restore(RestoreSpec { skips: skips(&care), force: care.force, deep: care.deep, ..spec })
}

fn skips(care: &CareArgs) -> Skips {
    skipped(&care.skip)
}

/// What the command line leaves out.
pub fn skipped(skip: &[SkipArg]) -> Skips {
    Skips { safety: skip.contains(&SkipArg::Safety), proof: skip.contains(&SkipArg::Proof) }
}

fn alias(args: &AliasArgs) -> Result<Spec, Problem> {
    let alias = CollectionAddress::parse(&args.alias).map_err(usage)?;
    // The collection may be written with its instance, which must be the same one.
    let to = match Address::parse(&args.collection) {
        Ok(Address::Collection(address)) if address.instance == alias.instance => address,
        Ok(Address::Collection(_)) => return Err(usage("an alias and its collection are on the same instance")),
        _ => CollectionAddress::parse(&format!("{}/{}", alias.instance, args.collection)).map_err(usage)?,
    };
    Ok(Spec::Switch(SwitchSpec::new(alias.collection.raw(), &to)))
}

fn revive(args: &ReviveArgs) -> Result<Spec, Problem> {
    let address = CollectionAddress::parse(&args.address).map_err(usage)?;
    let snapshot = match args.from.as_deref() {
        None => None,
        Some("latest") => Some(Which::Latest),
        Some(name) => match Address::parse(&format!("{address}/{name}")).map_err(usage)? {
            Address::Snapshot(_, which) => Some(which),
            _ => return Err(usage("--from takes the name of a snapshot, or `latest`")),
        },
    };
    Ok(Spec::Revive(ReviveSpec { address, snapshot }))
}

fn copy(args: CopyArgs) -> Result<Spec, Problem> {
    if args.route == RouteArg::Upload {
        return Err(usage("copy goes by url or stream"));
    }
    let Some((target, sources)) = args.addresses.split_last() else { return Err(usage("copy needs a source and a target")) };
    let renames = !args.prefix.is_empty() || !args.suffix.is_empty() || !args.rename.is_empty();
    if args.all || sources.len() > 1 || renames {
        return fleet(&args, sources, target);
    }
    let source = CollectionAddress::parse(&sources[0]).map_err(usage)?;
    let target = match Address::parse(target).map_err(usage)? {
        Address::Instance(instance) => CollectionAddress::new(instance, source.collection.clone()),
        Address::Collection(address) => address,
        other => return Err(usage(format!("`{other}` is neither INSTANCE nor INSTANCE/COLLECTION"))),
    };
    let spec = CopySpec::new(source, target, args.route.into());
    let (skips, care) = (skips(&args.care), args.care);
    Ok(Spec::Copy(CopySpec { skips, force: care.force, deep: care.deep, aliases: args.aliases, ..spec }))
}

/// Several collections, or all of an instance.
fn fleet(args: &CopyArgs, sources: &[String], target: &str) -> Result<Spec, Problem> {
    let instance = |text: &str| match Address::parse(text).map_err(usage)? {
        Address::Instance(name) => Ok(name),
        other => Err(usage(format!("`{other}` is no INSTANCE: several collections go to an instance, under mapped names"))),
    };
    let to = instance(target)?;
    let (from, collections) = if args.all {
        match sources {
            [one] => (instance(one)?, Vec::new()),
            _ => return Err(usage("--all takes two instances: from and to")),
        }
    } else {
        let addresses =
            sources.iter().map(|text| CollectionAddress::parse(text).map_err(usage)).collect::<Result<Vec<_>, _>>()?;
        let from = addresses[0].instance.clone();
        if addresses.iter().any(|address| address.instance != from) {
            return Err(usage("the collections must be on one instance: copy those of another one by themselves"));
        }
        (from, addresses.into_iter().map(|address| address.collection).collect())
    };
    let mut renames = std::collections::BTreeMap::new();
    for text in &args.rename {
        match text.split_once('=') {
            Some((old, new)) if !old.is_empty() && !new.is_empty() => {
                // As everywhere: what is odd in a name is written as %XX.
                renames.insert(collection_name(old)?, collection_name(new)?)
            }
            _ => return Err(usage("--rename takes OLD=NEW")),
        };
    }
    Ok(Spec::Fleet(FleetSpec {
        from,
        collections,
        to,
        names: NameMap { prefix: args.prefix.clone(), suffix: args.suffix.clone(), renames },
        route: args.route.into(),
        skips: skips(&args.care),
        force: args.care.force.clone(),
        deep: args.care.deep,
        aliases: args.aliases,
    }))
}

impl From<ModeArg> for Mode {
    fn from(arg: ModeArg) -> Self {
        match arg {
            ModeArg::Auto => Self::Auto,
            ModeArg::New => Self::New,
            ModeArg::SideBySide => Self::SideBySide,
            ModeArg::InPlace => Self::InPlace,
        }
    }
}

impl From<RouteArg> for Route {
    fn from(arg: RouteArg) -> Self {
        match arg {
            RouteArg::Auto => Self::Auto,
            RouteArg::Url => Self::Url,
            RouteArg::Stream => Self::Stream,
            RouteArg::Upload => Self::Upload,
        }
    }
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
pub async fn check(services: &Services, printer: Printer, config: &Config) -> ExitStatus {
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
        nodes: usize::from(args.nodes),
        cluster: false,
        rate: args.rate,
        url_recovery: !args.no_url_recovery,
        basic_auth: args.basic_auth.clone(),
        required_header: args.require_header.clone(),
        strict_mode: args.strict_mode.clone(),
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
