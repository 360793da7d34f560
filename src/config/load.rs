//! Putting the sources together.

use crate::config::credentials::Credentials;
use crate::config::environment::{Environment, GUARD_SNAPSHOT};
use crate::config::file::{self, FileConfig, FileInstance};
use crate::config::repositories::{ConfiguredRepository, FileKeep};
use crate::config::secret_source::{SecretSource, from_environment};
use crate::config::terminal::TerminalSettings;
use crate::config::values::{ColorChoice, Origin, UNNAMED};
use crate::config::{Config, ConfiguredInstance, paths};
use crate::domain::backup::RepositoryName;
use crate::domain::ids::{CollectionName, InstanceName};
use crate::domain::instance::{Instance, Protection, Tls, Transfers};
use crate::domain::policy::{Policy, Target};
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::secret::SafeUrl;
use crate::domain::size::parse_rate;
use crate::domain::text::one_line;
use crate::domain::time::parse_span;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Closed records are kept so long, unless the configuration says otherwise.
const KEEP_HISTORY: Duration = Duration::from_secs(90 * 86_400);

const DEFAULT_URL: &str = "http://localhost:6333";

/// What the command line says about the configuration.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--url`
    pub url: Option<String>,
    /// `--api-key-env`
    pub api_key_env: Option<String>,
    /// `--read-only`
    pub read_only: bool,
    /// `--color`
    pub color: Option<ColorChoice>,
    /// `--ascii`
    pub ascii: bool,
    /// `--limit-rate`, bytes per second; for every instance
    pub limit_rate: Option<u64>,
}

/// The configuration file that is read, or would be.
pub fn file_path(overrides: &Overrides, environment: &Environment) -> PathBuf {
    overrides.config.clone().unwrap_or_else(|| paths::config_file(environment))
}

/// Loads and validates everything; reads the configuration file, and no other.
pub fn load(overrides: &Overrides, environment: &Environment) -> Result<Config, Problem> {
    let path = file_path(overrides, environment);
    let explicit = overrides.config.is_some() || environment.get("QSNAP_CONFIG").is_some();
    let (parsed, file_found) = read(&path, explicit)?;
    let mut instances = instances(overrides, environment, &parsed, &path)?;
    if overrides.read_only {
        for configured in &mut instances {
            configured.instance.protection = Protection::ReadOnly;
        }
    }
    if let Some(rate) = overrides.limit_rate {
        for configured in &mut instances {
            configured.instance.transfers.limit_rate = Some(rate);
        }
    }
    let color = match (overrides.color, parsed.color) {
        (Some(choice), _) => (choice, Origin::Flag),
        (None, Some(choice)) => (choice, Origin::File),
        (None, None) if environment.get("NO_COLOR").is_some() => (ColorChoice::Never, Origin::Environment),
        (None, None) => (ColorChoice::Auto, Origin::Default),
    };
    let ascii = match parsed.ascii {
        _ if overrides.ascii => (true, Origin::Flag),
        Some(value) => (value, Origin::File),
        None => (false, Origin::Default),
    };
    let wider = policy((&parsed.rpo, &parsed.prove_every, &None)).map_err(|why| wrong_at(&path, why))?;
    for configured in &mut instances {
        configured.instance.policy = configured.instance.policy.or(wider);
    }
    let (mut repositories, repository) = repositories(&parsed, environment, &path)?;
    if overrides.read_only {
        for configured in &mut repositories {
            configured.repository.read_only = true;
        }
    }
    let webhook = parsed.webhook.as_deref().map(webhook).transpose().map_err(|why| wrong_at(&path, why))?;
    let keep_history = parsed.keep_history.as_deref().map_or(Ok(KEEP_HISTORY), parse_span);
    let keep_history = keep_history.map_err(|why| wrong_at(&path, format!("keep-history: {why}")))?;
    let terminal = TerminalSettings::from_file(&parsed.terminal, &path).map_err(|why| wrong_at(&path, why))?;
    let guard = environment.get(GUARD_SNAPSHOT).map(str::to_owned);
    let (state_dir, operator) = (paths::state_dir(environment), operator(environment));
    Ok(Config {
        file: path,
        file_found,
        instances,
        repositories,
        repository,
        webhook,
        keep_history,
        color,
        ascii,
        terminal,
        state_dir,
        operator,
        guard,
    })
}

/// Who works here. With sudo it is who called it: an incident review wants the person.
pub fn operator(environment: &Environment) -> String {
    let user = ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(|name| environment.get(name));
    let user = user.map_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()), |user| one_line(user, 60));
    let host = rustix::system::uname();
    format!("{user}@{}", one_line(&host.nodename().to_string_lossy(), 60))
}

fn read(path: &Path, explicit: bool) -> Result<(FileConfig, bool), Problem> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok((file::parse(path, &text)?, true)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !explicit => Ok((FileConfig::default(), false)),
        Err(error) => Err(Problem::new(
            ProblemKind::Usage,
            format!("the configuration cannot be read: {error}"),
            path.display().to_string(),
        )
        .advise("check the path and its permissions (`ls -l`), or leave out --config and QSNAP_CONFIG")),
    }
}

fn wrong_at(path: &Path, why: String) -> Problem {
    Problem::new(ProblemKind::Usage, why, path.display().to_string()).advise("correct the file")
}

/// All repositories, and the one that is meant where none is named: the only one, or the one that is said.
fn repositories(
    parsed: &FileConfig,
    environment: &Environment,
    path: &Path,
) -> Result<(Vec<ConfiguredRepository>, Option<RepositoryName>), Problem> {
    let mut all = Vec::new();
    for (name, file) in &parsed.repositories {
        let found = ConfiguredRepository::from_file(name, file, environment);
        all.push(found.map_err(|why| wrong_at(path, format!("[repositories.{}]: {why}", one_line(name, 60))))?);
    }
    let names: Vec<&str> = all.iter().map(|configured| configured.repository.name.as_str()).collect();
    let chosen = match &parsed.repository {
        Some(name) if names.contains(&name.as_str()) => Some(name.clone()),
        Some(name) => {
            let hint = file::nearest(name, &names).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            return Err(wrong_at(path, format!("repository: no repository is called `{}`{hint}", one_line(name, 60))));
        }
        None => names.first().filter(|_| names.len() == 1).map(|name| (*name).to_owned()),
    };
    let chosen = chosen.and_then(|name| RepositoryName::new(&name).ok());
    Ok((all, chosen))
}

/// The address of a webhook. Messages do not show it: it may hold a token.
fn webhook(text: &str) -> Result<SafeUrl, String> {
    match url::Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.host_str().is_some() => Ok(SafeUrl::new(url)),
        _ => Err("webhook is not an http(s) address".into()),
    }
}

type FilePolicyParts<'a> = (&'a Option<String>, &'a Option<String>, &'a Option<FileKeep>);

fn policy((rpo, prove_every, keep): FilePolicyParts<'_>) -> Result<Policy, String> {
    let target = |key: &str, text: &Option<String>| match text.as_deref() {
        None => Ok(Target::Inherit),
        Some("none") => Ok(Target::None),
        Some(text) => parse_span(text).map(Target::AtMost).map_err(|why| format!("{key}: {why}, or \"none\"")),
    };
    Ok(Policy {
        rpo: target("rpo", rpo)?,
        prove_every: target("prove-every", prove_every)?,
        keep: keep.as_ref().map(FileKeep::read).transpose()?,
    })
}

fn instances(
    overrides: &Overrides,
    environment: &Environment,
    parsed: &FileConfig,
    path: &Path,
) -> Result<Vec<ConfiguredInstance>, Problem> {
    if let Some(url) = &overrides.url {
        return Ok(vec![unnamed(url, "--url", Origin::Flag, overrides, environment)?]);
    }
    if !parsed.instances.is_empty() {
        let each = parsed.instances.iter();
        return each.map(|(name, instance)| named(name, instance, environment, path)).collect();
    }
    let (url, place, origin) = match environment.get("QDRANT_URL") {
        Some(url) => (url, "QDRANT_URL", Origin::Environment),
        None => (DEFAULT_URL, "the default", Origin::Default),
    };
    let mut only = unnamed(url, place, origin, overrides, environment)?;
    only.instance.if_unreachable = Some(nothing_configured(path, origin));
    Ok(vec![only])
}

/// Most likely the server is fine and qsnap was not told where it is.
fn nothing_configured(path: &Path, origin: Origin) -> String {
    let address = match origin {
        Origin::Environment => "the address comes from QDRANT_URL",
        _ => "the address is a guess",
    };
    format!(
        "{address}: no instance is configured in {}. Write one with `qsnap config init`, set QDRANT_URL or give --url; \
         `qsnap demo` needs no server",
        path.display()
    )
}

fn unnamed(
    url: &str,
    place: &str,
    origin: Origin,
    overrides: &Overrides,
    environment: &Environment,
) -> Result<ConfiguredInstance, Problem> {
    let node = SafeUrl::parse_node(url)
        .map_err(|why| Problem::new(ProblemKind::Usage, why, place).advise(format!("correct {place}; REST is on port 6333")))?;
    let key = match &overrides.api_key_env {
        Some(variable) => from_environment(variable, environment),
        None => match environment.get("QDRANT_API_KEY") {
            Some(_) => from_environment("QDRANT_API_KEY", environment),
            None => SecretSource::None,
        },
    };
    let name = InstanceName::new(UNNAMED).map_err(|why| Problem::new(ProblemKind::Usage, why, UNNAMED))?;
    let instance = Instance::new(name, vec![node]);
    Ok(ConfiguredInstance { instance, credentials: Credentials::key(key), origin })
}

fn named(name: &str, file: &FileInstance, environment: &Environment, path: &Path) -> Result<ConfiguredInstance, Problem> {
    let place = format!("{} [instances.{}]", path.display(), crate::domain::text::sanitise(name));
    let wrong = |why: String| Problem::new(ProblemKind::Usage, why, &place).advise("correct the configuration file");
    let name = InstanceName::new(name).map_err(wrong)?;
    let addresses = match (&file.url, &file.nodes) {
        (Some(url), None) => vec![url.clone()],
        (None, Some(nodes)) if !nodes.is_empty() => nodes.clone(),
        (Some(_), Some(_)) => return Err(wrong("give either url or nodes, not both".into())),
        _ => return Err(wrong("url is missing (or nodes, for a cluster)".into())),
    };
    let parse = |texts: &[String]| texts.iter().map(|text| SafeUrl::parse_node(text)).collect::<Result<Vec<_>, _>>();
    let nodes = parse(&addresses).map_err(wrong)?;
    let reachable_as = parse(file.reachable_as.as_deref().unwrap_or_default());
    let reachable_as = reachable_as.map_err(|why| wrong(format!("reachable-as: {why}")))?;
    if file.reachable_as.is_some() && reachable_as.len() != nodes.len() {
        let (there, given) = (nodes.len(), reachable_as.len());
        return Err(wrong(format!("reachable-as needs one address for each node, in the same order: {there}, not {given}")));
    }
    if file.ca_certificate.is_some() && file.certificate_pin.is_some() {
        return Err(wrong("give either ca-certificate or certificate-pin, not both: a pin accepts its certificate only".into()));
    }
    if file.client_certificate.is_some() != file.client_key.is_some() {
        return Err(wrong("client-certificate and client-key belong together".into()));
    }
    let credentials = Credentials::from_file(file, environment).map_err(wrong)?;
    let mut collections = BTreeMap::new();
    for (collection, file) in &file.collections {
        let policy = policy((&file.rpo, &file.prove_every, &file.keep)).map_err(wrong)?;
        collections.insert(CollectionName::new(collection), policy);
    }
    let default = Instance::new(name, nodes);
    let instance = Instance {
        reachable_as,
        needs_headers: credentials.need_headers(),
        tls: Tls {
            ca_certificate: file.ca_certificate.clone(),
            certificate_pin: file.certificate_pin.clone(),
            client_certificate: file.client_certificate.clone(),
            client_key: file.client_key.clone(),
        },
        protection: file.protection.unwrap_or_default(),
        timeout: file.timeout.as_deref().map_or(Ok(default.timeout), |text| duration("timeout", text)).map_err(wrong)?,
        transfers: transfers(file).map_err(wrong)?,
        policy: policy((&file.rpo, &file.prove_every, &file.keep)).map_err(wrong)?,
        collections,
        ..default
    };
    Ok(ConfiguredInstance { instance, credentials, origin: Origin::File })
}

fn transfers(file: &FileInstance) -> Result<Transfers, String> {
    let default = Transfers::default();
    let within = |key: &str, value: Option<usize>, default: usize, most: usize| match value.unwrap_or(default) {
        value if (1..=most).contains(&value) => Ok(value),
        _ => Err(format!("{key} must be between 1 and {most}")),
    };
    Ok(Transfers {
        at_once: within("transfers", file.transfers, default.at_once, 64)?,
        streams: within("streams", file.streams, default.streams, 32)?,
        stall: file.stall.as_deref().map_or(Ok(default.stall), |text| duration("stall", text))?,
        first_wait: default.first_wait,
        limit_rate: file.limit_rate.as_deref().map(parse_rate).transpose()?,
    })
}

fn duration(key: &str, text: &str) -> Result<Duration, String> {
    let wrong = || {
        format!("{key} `{}` is not a duration between 1s and 10m; write for example \"15s\"", crate::domain::text::sanitise(text))
    };
    let span: jiff::SignedDuration = text.parse().map_err(|_| wrong())?;
    let length = Duration::try_from(span).map_err(|_| wrong())?;
    let range = Duration::from_secs(1)..=Duration::from_secs(600);
    if range.contains(&length) { Ok(length) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_text(text: &str, environment: &[(&str, &str)]) -> Result<Config, Problem> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.toml");
        std::fs::write(&file, text).unwrap();
        let overrides = Overrides { config: Some(file), ..Overrides::default() };
        load(&overrides, &Environment::of(environment))
    }

    #[test]
    fn no_configuration_at_all_works() {
        let home = tempfile::tempdir().unwrap();
        let environment = Environment::of(&[("XDG_CONFIG_HOME", home.path().to_str().unwrap())]);
        let config = load(&Overrides::default(), &environment).unwrap();
        assert_eq!(config.instances[0].instance.nodes[0].to_string(), "http://localhost:6333");
        assert!(!config.file_found);
        let advice = config.instances[0].instance.if_unreachable.clone().unwrap();
        let file = home.path().join("qsnap/config.toml").display().to_string();
        for words in [file.as_str(), "qsnap config init", "QDRANT_URL", "qsnap demo"] {
            assert!(advice.contains(words), "{words}: {advice}");
        }
        let configured = load_text("[instances.a]\nurl = 'http://h:1'", &[]).unwrap();
        assert_eq!(configured.instances[0].instance.if_unreachable, None);
    }

    #[test]
    fn flag_beats_environment_beats_default() {
        let home = tempfile::tempdir().unwrap();
        let environment = Environment::of(&[
            ("XDG_CONFIG_HOME", home.path().to_str().unwrap()),
            ("QDRANT_URL", "http://from-env:1"),
            ("QDRANT_API_KEY", "k"),
        ]);
        let config = load(&Overrides::default(), &environment).unwrap();
        assert_eq!(config.instances[0].origin, Origin::Environment);
        assert_eq!(config.instances[0].credentials.api_key.describe(), "*** (from $QDRANT_API_KEY)");
        let overrides = Overrides { url: Some("http://from-flag:1".into()), ..Overrides::default() };
        let config = load(&overrides, &environment).unwrap();
        assert_eq!(config.instances[0].instance.nodes[0].to_string(), "http://from-flag:1");
    }

    #[test]
    fn files_win_over_the_unnamed_instance_and_kubernetes_variables_are_ignored() {
        let config = load_text(
            "[instances.prod]\nnodes = ['http://a:1', 'http://b:1']\nprotection = 'protected'\ntimeout = '3s'",
            &[("QDRANT_URL", "http://x"), ("QDRANT_HOST", "y"), ("QDRANT_PORT", "tcp://10.0.0.1:6333")],
        )
        .unwrap();
        assert_eq!(config.instances.len(), 1);
        let prod = &config.instances[0].instance;
        assert_eq!((prod.nodes.len(), prod.protection, prod.timeout.as_secs()), (2, Protection::Protected, 3));
    }

    #[test]
    fn wrong_values_are_refused_with_their_place() {
        for (text, words) in [
            ("[instances.prod]\nurl = 'nonsense'", "not a URL"),
            ("[instances.prod]\nurl = 'http://a'\nnodes = ['http://b']", "not both"),
            ("[instances.prod]\nprotection = 'open'", "url is missing"),
            ("[instances.'p d']\nurl = 'http://a'", "not an instance name"),
            ("[instances.prod]\nurl = 'http://a'\napi-key = 'a'\napi-key-env = 'B'", "not several"),
            ("[instances.prod]\nurl = 'http://a'\ntimeout = '3 weeks'", "not a duration"),
            ("[instances.prod]\nurl = 'http://a'\ntransfers = 0", "between 1 and 64"),
            ("[instances.prod]\nurl = 'http://a'\nclient-key = 'x'", "belong together"),
            ("[instances.prod]\nurl = 'http://a'\nca-certificate = 'x'\ncertificate-pin = 'y'", "not both"),
            ("[instances.prod]\nurl = 'http://a'\nreachable-as = []", "one address for each node"),
            ("[instances.prod]\nnodes = ['http://a', 'http://b']\nreachable-as = ['http://c']", "2, not 1"),
            ("[instances.prod]\nurl = 'http://a'\nreachable-as = ['c:1']", "reachable-as: "),
            ("[instances.prod]\nurl = 'http://a'\nbasic-auth = { user = 'u' }", "no password"),
            ("[instances.prod]\nurl = 'http://a'\nstreams = 99", "between 1 and 32"),
            ("[instances.prod]\nurl = 'http://a'\nstall = 'soon'", "stall `soon` is not a duration"),
            ("[instances.prod]\nurl = 'http://a'\nlimit-rate = 'fast'", "not a size"),
            ("[instances.prod]\nurl = 'http://a'\nlimit-rate = '5'", "too small"),
        ] {
            let problem = load_text(text, &[]).unwrap_err();
            assert!(problem.message.contains(words), "{text}: {problem}");
            assert!(problem.on.contains("config.toml"), "{problem}");
        }
    }

    #[test]
    fn instances_keep_the_order_of_the_file() {
        let text =
            "[instances.prod]\nurl = 'http://a:1'\n[instances.archive]\nurl = 'http://b:1'\n[instances.lab]\nurl = 'http://c:1'";
        let config = load_text(text, &[]).unwrap();
        let names: Vec<&str> = config.instances.iter().map(|configured| configured.instance.name.as_str()).collect();
        assert_eq!(names, ["prod", "archive", "lab"]);
    }

    #[test]
    fn a_named_file_that_is_missing_is_an_error() {
        let overrides = Overrides { config: Some("/no/such/config.toml".into()), ..Overrides::default() };
        assert!(load(&overrides, &Environment::default()).is_err());
    }
}
