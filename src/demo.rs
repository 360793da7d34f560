//! `qsnap demo`: the terminal UI on two sandboxes and a repository in a temporary home. Leaving removes it all.

mod backups;

use crate::cli::args::Global;
use crate::cli::exit::ExitStatus;
use crate::cli::printer::Printer;
use crate::config::credentials::Credentials;
use crate::config::environment::Environment;
use crate::config::repositories::{ConfiguredRepository, StoreCredentials};
use crate::config::secret_source::SecretSource;
use crate::config::terminal::TerminalSettings;
use crate::config::values::Origin;
use crate::config::{Config, ConfiguredInstance, load};
use crate::domain::backup::RepositoryName;
use crate::domain::ids::InstanceName;
use crate::domain::instance::{Instance, Protection};
use crate::domain::keep::Keep;
use crate::domain::policy::{Policy, Target};
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::repository::{Place, Repository};
use crate::domain::secret::{SafeUrl, Secret};
use crate::sandbox::Sandbox;
use crate::sandbox::options::SandboxOptions;
use crate::sandbox::seed::{Fate, SeedCollection};
use crate::tui::messages::banner;
use crate::{compose, tui};
use std::path::Path;
use std::time::Duration;

/// Bytes per second and connection: fast enough to be pleasant, slow enough to be seen.
const RATE: u64 = 100_000_000;

/// The key of `prod-eu`, so that the demo shows an instance that needs one.
const PROD_KEY: &str = "demo-key-of-prod-eu";

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

fn seed(name: &str, points: u64, filler: u64, ages: &[i64]) -> SeedCollection {
    SeedCollection { dimensions: 32, filler, snapshot_ages: ages.to_vec(), ..SeedCollection::new(name, points) }
}

/// What `prod-eu` holds.
pub fn prod_collections() -> Vec<SeedCollection> {
    let products = SeedCollection {
        alias: Some("shop".into()),
        shards: 2,
        ..seed("products", 4_000, 100_000_000, &[12 * MINUTE, HOUR, DAY, 7 * DAY])
    };
    vec![
        products,
        seed("users", 2_500, 30_000_000, &[3 * HOUR + 8 * MINUTE, DAY]),
        seed("events", 9_000, 300_000_000, &[41 * MINUTE, DAY]),
        seed("drafts", 12, 0, &[]),
        // For the recovery guide.
        SeedCollection { fate: Fate::Damaged, ..seed("sessions", 1_200, 5_000_000, &[2 * HOUR, DAY]) },
        SeedCollection { fate: Fate::Deleted, ..seed("orders", 1_800, 5_000_000, &[5 * HOUR]) },
    ]
}

/// What `staging` holds.
pub fn staging_collections() -> Vec<SeedCollection> {
    vec![SeedCollection { shards: 2, seed: 7, ..seed("products", 3_200, 80_000_000, &[9 * DAY]) }, seed("scratch", 40, 0, &[])]
}

/// Runs the demo.
pub async fn run(global: &Global, environment: &Environment, printer: Printer) -> ExitStatus {
    let started = start(global, environment).await;
    match started {
        Ok((config, _sandboxes, _home)) => {
            let (services, events) = compose::services(&config);
            let ended = match tui::Settings::read(&config, environment) {
                Ok(settings) => tui::run(services, events, settings, banner::Banner::Demo, tui::Surroundings::here()).await,
                Err(problem) => Err(problem),
            };
            crate::finish_tui(ended, printer)
        }
        Err(problem) => crate::cli::printer::fail(printer, &problem),
    }
}

async fn start(global: &Global, environment: &Environment) -> Result<(Config, [Sandbox; 2], tempfile::TempDir), Problem> {
    let failed = |error: std::io::Error| {
        Problem::new(ProblemKind::Failed, format!("the demo cannot start: {error}"), "")
            .advise("it needs a temporary folder (TMPDIR) with some space and a free port on 127.0.0.1")
    };
    let home = tempfile::Builder::new().prefix("qsnap-demo-").tempdir().map_err(failed)?;
    let options = |api_key: Option<&str>| SandboxOptions {
        rate: Some(RATE),
        api_key: api_key.map(str::to_owned),
        ..SandboxOptions::default()
    };
    let prod = Sandbox::start(options(Some(PROD_KEY)), prod_collections()).await.map_err(failed)?;
    let staging = Sandbox::start(options(None), staging_collections()).await.map_err(failed)?;
    let mut instances = vec![
        configured("prod-eu", &prod, Protection::Protected, SecretSource::Inline(Secret::new(PROD_KEY)))?,
        configured("staging", &staging, Protection::Open, SecretSource::None)?,
    ];
    if global.read_only {
        instances.iter_mut().for_each(|configured| configured.instance.protection = Protection::ReadOnly);
    }
    instances.iter_mut().for_each(|configured| configured.instance.transfers.limit_rate = global.limit_rate);
    let mut config = with_repository(config(global, environment, instances, home.path()), home.path()).await?;
    if global.read_only {
        config.repositories.iter_mut().for_each(|configured| configured.repository.read_only = true);
    }
    Ok((config, [prod, staging], home))
}

/// Adds the repository with its backups, and what is wanted of them.
async fn with_repository(mut config: Config, home: &Path) -> Result<Config, Problem> {
    let usage = |why: String| Problem::new(ProblemKind::Usage, why, "demo");
    let root = home.join("offsite");
    let failed = |error: std::io::Error| {
        Problem::new(ProblemKind::Failed, format!("the demo cannot start: {error}"), "")
            .advise("it needs a temporary folder (TMPDIR) with some space and a free port on 127.0.0.1")
    };
    std::fs::create_dir(&root).map_err(failed)?;
    let keep = Keep { last: 3, daily: 7, ..Keep::default() };
    let name = RepositoryName::new("offsite").map_err(usage)?;
    config.repository = Some(name.clone());
    let repository = Repository { keep, ..Repository::new(name, Place::Directory(root.clone())) };
    config.repositories = vec![ConfiguredRepository { repository, credentials: StoreCredentials::Anonymous }];
    // A server with the same points, small and fast: what a backup holds is there before the first screen is.
    let small = prod_collections().into_iter().map(|seed| SeedCollection {
        filler: 0,
        snapshot_ages: Vec::new(),
        alias: None,
        fate: Fate::Well,
        ..seed
    });
    let twin = Sandbox::start(SandboxOptions::default(), small.collect()).await.map_err(failed)?;
    let instance = configured("prod-eu", &twin, Protection::Open, SecretSource::None)?;
    let (prod, state_dir) = (instance.instance.name.clone(), home.join("twin"));
    let making = Config { instances: vec![instance], state_dir, ..config.clone() };
    backups::fill(&making, &prod, &root).await?;
    for configured in config.instances.iter_mut().filter(|configured| configured.instance.name == prod) {
        let target = |seconds: i64| Target::AtMost(Duration::from_secs(seconds.unsigned_abs()));
        configured.instance.policy = Policy { rpo: target(HOUR), prove_every: target(7 * DAY), keep: None };
    }
    Ok(config)
}

fn config(global: &Global, environment: &Environment, instances: Vec<ConfiguredInstance>, home: &Path) -> Config {
    // Of the user's own configuration only the looks matter here; a broken one must not spoil the demo.
    let own = load::load(&global.overrides(), environment).ok();
    Config {
        file: home.join("config.toml"),
        file_found: false,
        instances,
        repositories: Vec::new(),
        repository: None,
        webhook: None,
        keep_history: Duration::from_secs(86_400),
        color: own.as_ref().map_or((global.color.unwrap_or_default(), Origin::Flag), |own| own.color),
        ascii: own.as_ref().map_or((global.ascii, Origin::Flag), |own| own.ascii),
        terminal: own.map_or_else(|| TerminalSettings::usual(home), |own| own.terminal),
        state_dir: home.join("state"),
        operator: load::operator(environment),
        guard: None,
    }
}

fn configured(name: &str, sandbox: &Sandbox, protection: Protection, key: SecretSource) -> Result<ConfiguredInstance, Problem> {
    let usage = |why: String| Problem::new(ProblemKind::Usage, why, name);
    let nodes = sandbox.urls().iter().map(|url| SafeUrl::parse_node(url).map_err(usage)).collect::<Result<Vec<_>, _>>()?;
    let instance = Instance { protection, ..Instance::new(InstanceName::new(name).map_err(usage)?, nodes) };
    Ok(ConfiguredInstance { instance, credentials: Credentials::key(key), origin: Origin::Default })
}
