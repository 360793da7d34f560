//! Servers and worlds for tests: the sandbox in this process, a real Qdrant beside it.

use qsnap::config::credentials::Credentials;
use qsnap::config::repositories::ConfiguredRepository;
use qsnap::config::secret_source::SecretSource;
use qsnap::config::values::{ColorChoice, Origin};
use qsnap::config::{Config, ConfiguredInstance};
use qsnap::domain::ids::InstanceName;
use qsnap::domain::instance::{Instance, Protection};
use qsnap::domain::problem::Problem;
use qsnap::domain::secret::{SafeUrl, Secret};
use qsnap::ops::plan::Plan;
use qsnap::ops::plan::consent::{Consent, Need};
use qsnap::ops::report::Report;
use qsnap::ops::request::Request;
use qsnap::ops::services::Services;
use qsnap::ops::{engine, verbs};
use qsnap::sandbox::Sandbox;
use qsnap::sandbox::options::SandboxOptions;
use qsnap::sandbox::seed::SeedCollection;
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The binary under test.
pub const QSNAP: &str = env!("CARGO_BIN_EXE_qsnap");

/// Something that speaks Qdrant's REST.
pub enum Server {
    Sandbox(Sandbox, Option<String>),
    Real(RealQdrant),
}

impl Server {
    pub async fn sandbox(key: Option<&str>, seeds: Vec<SeedCollection>) -> Self {
        let options = SandboxOptions { api_key: key.map(str::to_owned), ..SandboxOptions::default() };
        Self::with(options, seeds).await
    }

    pub async fn with(options: SandboxOptions, seeds: Vec<SeedCollection>) -> Self {
        qsnap::compose::install_crypto();
        let key = options.api_key.clone();
        Self::Sandbox(Sandbox::start(options, seeds).await.unwrap(), key)
    }

    pub fn url(&self) -> String {
        match self {
            Self::Sandbox(sandbox, _) => sandbox.urls()[0].clone(),
            Self::Real(real) => real.url.clone(),
        }
    }

    pub fn urls(&self) -> Vec<String> {
        match self {
            Self::Sandbox(sandbox, _) => sandbox.urls().to_vec(),
            Self::Real(real) => vec![real.url.clone()],
        }
    }

    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Sandbox(_, key) => key.as_deref(),
            Self::Real(real) => real.key.as_deref(),
        }
    }

    pub fn faults(&self) -> &qsnap::sandbox::faults::Faults {
        match self {
            Self::Sandbox(sandbox, _) => sandbox.faults(),
            Self::Real(_) => panic!("a real server has no faults on demand"),
        }
    }

    /// Faults, where there are any.
    pub fn faults_if_any(&self) -> Option<&qsnap::sandbox::faults::Faults> {
        match self {
            Self::Sandbox(sandbox, _) => Some(sandbox.faults()),
            Self::Real(_) => None,
        }
    }

    /// A raw request, beside the client under test.
    pub async fn raw(&self, method: &str, path: &str, body: Value) -> Value {
        qsnap::compose::install_crypto();
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = reqwest::Client::new().request(method, format!("{}{path}", self.url())).json(&body);
        if let Some(key) = self.key() {
            request = request.header("api-key", key);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// A collection with points, in both kinds of server the same.
    pub async fn fill(&self, name: &str, points: u64) {
        self.raw("PUT", &format!("/collections/{name}"), json!({"vectors": {"size": 4, "distance": "Dot"}})).await;
        self.raw(
            "PUT",
            &format!("/collections/{name}/index?wait=true"),
            json!({"field_name": "city", "field_schema": "keyword"}),
        )
        .await;
        let all: Vec<Value> = (1..=points)
            .map(|id| json!({"id": id, "vector": [id as f32, 0.5, -1.25, 2.0], "payload": {"city": "Oslo", "n": id}}))
            .collect();
        for chunk in all.chunks(500) {
            self.raw("PUT", &format!("/collections/{name}/points?wait=true"), json!({"points": chunk})).await;
        }
    }

    pub async fn count(&self, name: &str) -> u64 {
        let answer = self.raw("POST", &format!("/collections/{name}/points/count"), json!({"exact": true})).await;
        answer["result"]["count"].as_u64().unwrap()
    }

    pub async fn snapshots(&self, name: &str) -> Vec<String> {
        let answer = self.raw("GET", &format!("/collections/{name}/snapshots"), json!({})).await;
        let list = answer["result"].as_array().unwrap();
        list.iter().map(|snapshot| snapshot["name"].as_str().unwrap().to_owned()).collect()
    }
}

/// A real Qdrant in a folder of its own, on loopback; ended when dropped.
pub struct RealQdrant {
    child: Child,
    command: Command,
    url: String,
    key: Option<String>,
    home: TempDir,
}

/// Writes past the test harness's capture, so that a skipped test is seen.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// The real server's binary, where there is one.
pub fn real_binary() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("QSNAP_TEST_QDRANT").filter(|path| !path.is_empty()) {
        return Some(PathBuf::from(path));
    }
    let paths = std::env::var_os("PATH")?;
    std::env::split_paths(&paths).map(|folder| folder.join("qdrant")).find(|path| path.is_file())
}

/// A port for a server that cannot be told to take any. It lies below the ports that the system gives to connections and to
/// listeners of port 0, and each call of a process gives another: two servers of tests that run side by side never meet.
pub fn free_port() -> u16 {
    const FIRST: u32 = 12_000;
    const PORTS: u32 = 20_000;
    static CALLS: AtomicU32 = AtomicU32::new(0);
    loop {
        let call = CALLS.fetch_add(1, Ordering::SeqCst);
        let port = u16::try_from(FIRST + (std::process::id().wrapping_mul(977).wrapping_add(call)) % PORTS).unwrap();
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl RealQdrant {
    /// Starts one, or says that there is none.
    pub async fn start(key: Option<&str>) -> Option<Server> {
        Self::start_as(key, false, &[], None).await
    }

    /// The same with settings, as environment variables of the server.
    pub async fn start_with(key: Option<&str>, settings: &[(&str, &str)]) -> Option<Server> {
        Self::start_as(key, false, settings, None).await
    }

    /// Starts one that cannot take more than this many KiB of address space: some damage makes a server take all.
    pub async fn start_bounded(kib: u64) -> Option<Server> {
        Self::start_as(None, false, &[], Some(kib)).await
    }

    /// A cluster of one: shard keys can be made there.
    pub async fn start_cluster() -> Option<Server> {
        Self::start_as(None, true, &[], None).await
    }

    /// Removes the files that were uploaded for a collection: a server keeps them when the collection goes.
    pub fn forget(&self, name: &str) {
        let _ = std::fs::remove_dir_all(self.home.path().join("snapshots").join(name));
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|ended| ended.is_none())
    }

    async fn start_as(key: Option<&str>, cluster: bool, settings: &[(&str, &str)], kib: Option<u64>) -> Option<Server> {
        let Some(binary) = real_binary() else {
            say("skipped: no qdrant");
            return None;
        };
        // One that is bounded restores hundreds of snapshots: in memory, where that can be, no disk is waited for.
        let memory = Path::new("/dev/shm");
        let home = match kib {
            Some(_) if memory.is_dir() => tempfile::tempdir_in(memory).unwrap(),
            _ => tempfile::tempdir().unwrap(),
        };
        let (http, grpc) = (free_port(), free_port());
        let mut command = match kib {
            None => Command::new(binary),
            Some(kib) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", "ulimit -v \"$1\" && exec \"$2\"", "sh"]).arg(kib.to_string()).arg(binary);
                shell
            }
        };
        command
            .current_dir(home.path())
            .env("QDRANT__SERVICE__HOST", "127.0.0.1")
            .env("QDRANT__SERVICE__HTTP_PORT", http.to_string())
            .env("QDRANT__SERVICE__GRPC_PORT", grpc.to_string())
            .env("QDRANT__STORAGE__WAL__WAL_CAPACITY_MB", "1")
            .env("QDRANT__TELEMETRY_DISABLED", "true")
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if let Some(key) = key {
            command.env("QDRANT__SERVICE__API_KEY", key);
        }
        if cluster {
            let peers = free_port();
            command
                .env("QDRANT__CLUSTER__ENABLED", "true")
                .env("QDRANT__CLUSTER__P2P__PORT", peers.to_string())
                .args(["--uri", &format!("http://127.0.0.1:{peers}")]);
        }
        let child = command.spawn().unwrap();
        let url = format!("http://127.0.0.1:{http}");
        let mut real = Self { child, command, url, key: key.map(str::to_owned), home };
        qsnap::compose::install_crypto();
        real.ready().await;
        Some(Server::Real(real))
    }

    async fn ready(&mut self) {
        let client = reqwest::Client::new();
        wait_until("a real qdrant is ready", Duration::from_secs(60), async || {
            client.get(format!("{}/readyz", self.url)).send().await.is_ok_and(|answer| answer.status().is_success())
        })
        .await;
        // What answered is this one, and not another that took its port.
        assert!(self.runs(), "the real qdrant of {} ended at once", self.url);
    }

    /// Kills it, and starts it again over the same data.
    pub async fn restart(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.child = self.command.spawn().unwrap();
        self.ready().await;
    }
}

impl Drop for RealQdrant {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for a condition, never for a time.
pub async fn wait_until(what: &str, deadline: Duration, condition: impl AsyncFn() -> bool) {
    let start = Instant::now();
    while !condition().await {
        assert!(start.elapsed() < deadline, "not within {deadline:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Services over some servers, with a home of their own.
pub struct World {
    pub services: Arc<Services>,
    pub home: TempDir,
}

/// One instance of a world.
pub fn instance(name: &str, urls: &[String], key: Option<&str>, protection: Protection) -> ConfiguredInstance {
    let nodes = urls.iter().map(|url| SafeUrl::parse_node(url).unwrap()).collect();
    let defaults = Instance::new(InstanceName::new(name).unwrap(), nodes);
    let key = key.map_or(SecretSource::None, |key| SecretSource::Inline(Secret::new(key)));
    ConfiguredInstance {
        instance: Instance { protection, timeout: Duration::from_secs(10), ..defaults },
        credentials: Credentials::key(key),
        origin: Origin::File,
    }
}

impl World {
    pub fn new(instances: Vec<ConfiguredInstance>) -> Self {
        Self::with_repositories(instances, Vec::new())
    }

    pub fn with_repositories(instances: Vec<ConfiguredInstance>, repositories: Vec<ConfiguredRepository>) -> Self {
        let home = tempfile::tempdir().unwrap();
        let config = Config {
            file: home.path().join("config.toml"),
            file_found: false,
            repository: repositories.first().map(|configured| configured.repository.name.clone()),
            repositories,
            webhook: None,
            keep_history: Duration::from_secs(90 * 86_400),
            instances,
            color: (ColorChoice::Auto, Origin::Default),
            ascii: (false, Origin::Default),
            terminal: qsnap::config::terminal::TerminalSettings::usual(home.path()),
            state_dir: home.path().join("state"),
            operator: "tester@here".into(),
            guard: None,
        };
        let (services, mut events) = qsnap::compose::services(&config);
        tokio::spawn(async move { while events.recv().await.is_some() {} });
        Self { services, home }
    }

    pub fn open(servers: &[(&str, &Server)]) -> Self {
        Self::new(servers.iter().map(|(name, server)| instance(name, &server.urls(), server.key(), Protection::Open)).collect())
    }

    pub async fn plan(&self, request: Request) -> Result<Plan, Problem> {
        verbs::plan(&self.services, request).await
    }

    /// Plans, consents to whatever is needed, runs.
    pub async fn run(&self, request: Request) -> Result<Report, Problem> {
        let plan = self.plan(request).await?;
        self.run_plan(plan).await
    }

    pub async fn run_plan(&self, plan: Plan) -> Result<Report, Problem> {
        let consent = match plan.need() {
            Need::Nothing => Consent::None,
            Need::Yes => Consent::Yes,
            Need::Typed(address) => Consent::Typed(address),
        };
        engine::start(&self.services, plan.approve(&consent)?).wait().await
    }
}

/// Runs the binary with a configuration; never inherits the user's environment.
pub struct Cli {
    pub home: TempDir,
}

impl Cli {
    pub fn new(config: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("config.toml"), config).unwrap();
        Self { home }
    }

    pub fn for_servers(servers: &[(&str, &Server)]) -> Self {
        let tables = servers.iter().map(|(name, server)| {
            let key = server.key().map(|key| format!("api-key = '{key}'\n")).unwrap_or_default();
            format!("[instances.{name}]\nurl = '{}'\ntimeout = '2s'\n{key}", server.url())
        });
        Self::new(&tables.collect::<String>())
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(QSNAP);
        command
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env("XDG_STATE_HOME", self.home.path().join("state"))
            .env("QSNAP_CONFIG", self.home.path().join("config.toml"))
            .current_dir(self.home.path())
            .stdin(Stdio::null());
        command
    }

    pub async fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = self.command(arguments);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        Ran::new(output)
    }

    /// The records of the journal, the oldest first.
    pub fn records(&self) -> Vec<PathBuf> {
        let journal = self.home.path().join("state/qsnap/journal");
        let days = std::fs::read_dir(journal.join("done")).into_iter().flatten().flatten().map(|entry| entry.path());
        let folders: Vec<PathBuf> = days.chain([journal]).collect();
        let all =
            folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten().map(|entry| entry.path());
        let mut records: Vec<PathBuf> = all.filter(|path| path.extension().is_some_and(|kind| kind == "ndjson")).collect();
        records.sort_by_key(|path| path.file_name().map(std::ffi::OsStr::to_owned));
        records
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }
}

/// What a command said.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    fn new(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// All files below a folder, sorted.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// Names of the files in a folder, sorted.
pub fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
