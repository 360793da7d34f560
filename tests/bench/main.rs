//! `cargo bench`: transfers beside curl, in one run on one machine.
//!
//! The figures mean something as ratios only. Each pair runs in turns; the best of each counts, so that what
//! else the machine does weighs less. `QSNAP_BENCH_SIZE` (default 1GiB) is the size on loopback, where the page
//! cache takes a whole file; `QSNAP_BENCH_LARGE` (default 8GiB) is one where the disk has to keep up.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a benchmark that cannot run should stop"
)]

mod measure;
#[path = "../it/s3_server.rs"]
mod s3_server;

use comfy_table::Table;
use measure::{Run, Sandbox, run};
use qsnap::domain::size;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

const QSNAP: &str = env!("CARGO_BIN_EXE_qsnap");

/// Rounds of what is quick enough for several.
const ROUNDS: usize = 3;

/// A long line: delay of each request, bytes per second of each connection, bytes of the file.
const LINK: (&str, &str, u64) = ("50ms", "10MB", 256 << 20);

struct Bench {
    home: tempfile::TempDir,
    rows: Vec<Row>,
}

struct Row {
    what: &'static str,
    bytes: u64,
    beside: &'static str,
    theirs: Run,
    ours: Run,
    /// Our rate over theirs.
    ratio: f64,
    budget: f64,
}

fn main() {
    // `cargo test --benches` and filters hand arguments over; there is one benchmark, and it takes none.
    if !measure::possible() || Command::new("curl").arg("--version").output().is_err() {
        println!("skipped: needs /proc and curl");
        return;
    }
    let sized = |name: &str, default| std::env::var(name).ok().map_or(default, |text| size::parse(&text).unwrap());
    let (size, large) = (sized("QSNAP_BENCH_SIZE", 1 << 30), sized("QSNAP_BENCH_LARGE", 8 << 30));
    let mut bench = Bench { home: tempfile::tempdir().unwrap(), rows: Vec::new() };
    bench.loopback(large, 1);
    bench.loopback(size, ROUNDS);
    bench.link();
    bench.backup(size, ROUNDS);
    bench.copy(size, &[], ROUNDS, "stream copy, loopback, verified");
    let (delay, rate, bytes) = LINK;
    let faults = format!("download:delay={delay},upload:delay={delay}");
    bench.copy(bytes, &["--rate", rate, "--faults", &faults], 1, "stream copy, 50 ms, 10 MB/s, verified");
    bench.print();
}

/// How long a step of the only operation in a state folder took.
fn step_seconds(state: &Path, step: &str) -> f64 {
    let journal = state.join("qsnap/journal");
    let days = std::fs::read_dir(journal.join("done")).into_iter().flatten().flatten().map(|entry| entry.path());
    let all = days
        .chain([journal])
        .collect::<Vec<_>>()
        .into_iter()
        .filter_map(|folder| std::fs::read_dir(folder).ok())
        .flatten()
        .flatten();
    let record = all.map(|entry| entry.path()).find(|path| path.extension().is_some_and(|kind| kind == "ndjson")).unwrap();
    let text = std::fs::read_to_string(record).unwrap();
    let end: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let steps = end["report"]["steps"].as_array().unwrap();
    steps.iter().find(|found| found["name"] == step).unwrap()["seconds"].as_f64().unwrap()
}

fn best(runs: &[Run]) -> Run {
    let quickest = runs.iter().copied().min_by(|a, b| a.seconds.total_cmp(&b.seconds)).unwrap();
    Run { peak_kib: runs.iter().map(|run| run.peak_kib).max().unwrap(), ..quickest }
}

fn checked(what: &str, command: Command) -> Run {
    let run = run(command);
    assert_eq!(run.code, 0, "{what} failed");
    run
}

fn shell(script: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).args(arguments);
    command
}

impl Bench {
    fn fresh(&self, name: &str) -> PathBuf {
        let folder = self.home.path().join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir(&folder).unwrap();
        folder
    }

    fn qsnap(&self, url: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(QSNAP);
        command.args(["--url", url, "--quiet"]).args(arguments);
        self.alone(command)
    }

    /// Nothing of the user's own configuration and state.
    fn alone(&self, mut command: Command) -> Command {
        command.env_remove("QSNAP_CONFIG").env("XDG_CONFIG_HOME", self.home.path()).env("XDG_STATE_HOME", self.home.path());
        command
    }

    /// Beside `curl -o`, which leaves the file to the page cache, and beside curl and sync, which does what qsnap
    /// does: a file that is there after a power failure.
    fn loopback(&mut self, size: u64, rounds: usize) {
        let server = Sandbox::start(QSNAP, &["--points", "0", "--snapshot-size", &size.to_string()]);
        let url = snapshot_url(&server.url);
        let (mut plain, mut synced, mut ours) = (Vec::new(), Vec::new(), Vec::new());
        // The first file of a machine is slow to write: memory must be found for it.
        let warm = self.fresh("warm");
        checked("curl", shell("curl -sf -o \"$1/f\" \"$2\" && sync \"$1/f\"", &[path(&warm), &url]));
        std::fs::remove_dir_all(&warm).unwrap();
        for _ in 0..rounds {
            let folder = self.fresh("a");
            plain.push(checked("curl", shell("exec curl -sf -o \"$1/f\" \"$2\"", &[path(&folder), &url])));
            checked("sync", shell("sync \"$1/f\"", &[path(&folder)]));
            let folder = self.fresh("a");
            synced.push(checked("curl", shell("curl -sf -o \"$1/f\" \"$2\" && sync \"$1/f\"", &[path(&folder), &url])));
            let folder = self.fresh("a");
            let download = ["snapshots", "download", "default/big@latest", "--to", path(&folder)];
            ours.push(checked("qsnap", self.qsnap(&server.url, &download)));
        }
        let ours = best(&ours);
        self.row("download, loopback, sha256, synced", size, "curl -o", best(&plain), ours, 0.95);
        self.row("download, loopback, sha256, synced", size, "curl -o && sync", best(&synced), ours, 0.95);
    }

    fn link(&mut self) {
        let (delay, rate, bytes) = LINK;
        let faults = format!("download:delay={delay}");
        let server =
            Sandbox::start(QSNAP, &["--points", "0", "--snapshot-size", &bytes.to_string(), "--rate", rate, "--faults", &faults]);
        let url = snapshot_url(&server.url);
        let folder = self.fresh("a");
        let theirs = checked("curl", shell("exec curl -sf -o \"$1/f\" \"$2\"", &[path(&folder), &url]));
        let folder = self.fresh("a");
        let download = ["snapshots", "download", "default/big@latest", "--to", path(&folder)];
        let ours = checked("qsnap", self.qsnap(&server.url, &download));
        self.row("download, 50 ms, 10 MB/s a connection", bytes, "curl -o", theirs, ours, 4.0);
    }

    fn copy(&mut self, size: u64, line: &[&str], rounds: usize, what: &'static str) {
        let source = Sandbox::start(QSNAP, &[&["--points", "0", "--snapshot-size", &size.to_string()], line].concat());
        let url = snapshot_url(&source.url);
        let (mut theirs, mut ours) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let target = Sandbox::start(QSNAP, &[&["--points", "0"], line].concat());
            let folder = self.fresh("a");
            let upload = format!("{}/collections/big/snapshots/upload?priority=snapshot", target.url);
            let script = "curl -sf -o \"$1/f\" \"$2\" && curl -sf -X POST -F \"snapshot=@$1/f\" \"$3\"";
            theirs.push(checked("curl", shell(script, &[path(&folder), &url, &upload])));
            let target = Sandbox::start(QSNAP, &[&["--points", "0"], line].concat());
            let folder = self.fresh("a");
            let config = folder.join("config.toml");
            let text = format!("[instances.a]\nurl = '{}'\n[instances.b]\nurl = '{}'\n", source.url, target.url);
            std::fs::write(&config, text).unwrap();
            let mut command = Command::new(QSNAP);
            command.args(["--config", path(&config), "--quiet"]);
            command.args(["restore", "a/big@latest", "--to", "b/big", "--route", "stream", "--yes"]);
            ours.push(checked("qsnap", self.alone(command)));
        }
        self.row(what, size, "curl down, then up", best(&theirs), best(&ours), 1.0 / 0.65);
    }

    /// Beside `rclone`, which copies a file of the same size to the same server. Of a backup only the step counts that moves the
    /// bytes, from the node to the store, hashed: taking the snapshot is the server's work.
    fn backup(&mut self, size: u64, rounds: usize) {
        if Command::new("rclone").arg("version").output().is_err() {
            println!("skipped: no rclone");
            return;
        }
        let store = s3_server::S3Server::start();
        let server = Sandbox::start(QSNAP, &["--points", "0", "--snapshot-size", &size.to_string()]);
        let folder = self.fresh("file");
        let url = snapshot_url(&server.url);
        checked("curl", shell("curl -sf -o \"$1/f\" \"$2\" && sync \"$1/f\"", &[path(&folder), &url]));
        let (id, secret, bucket) = (s3_server::KEY, s3_server::SECRET, s3_server::BUCKET);
        let config = folder.join("config.toml");
        let text = format!(
            "[instances.a]\nurl = '{}'\n[repositories.offsite]\nurl = 's3://{bucket}/qdrant'\nendpoint = '{}'\n\
             region = 'us-east-1'\naccess-key-id = '{id}'\nsecret-access-key = '{secret}'\n",
            server.url, store.url
        );
        std::fs::write(&config, text).unwrap();
        let remote = format!(
            ":s3,provider=Other,endpoint='{}',access_key_id={id},secret_access_key={secret},force_path_style=true:{bucket}/theirs",
            store.url
        );
        let (mut theirs, mut ours) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let mut command = Command::new("rclone");
            // It cannot load one.
            command.env_remove("AWS_CA_BUNDLE");
            command.args(["copyto", "--no-check-dest", "--s3-no-check-bucket", "--config", "/dev/null"]);
            command.args([path(&folder.join("f")), &remote]);
            theirs.push(checked("rclone", command));
            let state = self.fresh("backup-state");
            let mut command = Command::new(QSNAP);
            command.args(["--config", path(&config), "--quiet", "backup", "a/big", "--yes"]);
            let mut command = self.alone(command);
            command.env("XDG_STATE_HOME", &state);
            let run = checked("qsnap", command);
            ours.push(Run { seconds: step_seconds(&state, "store"), ..run });
            let _ = std::fs::remove_dir_all(store.bucket().join("qdrant"));
            let _ = std::fs::remove_file(store.bucket().join("theirs"));
        }
        self.row("backup to S3, loopback, sha256", size, "rclone copyto", best(&theirs), best(&ours), 0.9);
    }

    fn row(&mut self, what: &'static str, bytes: u64, beside: &'static str, theirs: Run, ours: Run, budget: f64) {
        self.rows.push(Row { what, bytes, beside, theirs, ours, ratio: theirs.seconds / ours.seconds, budget });
    }

    fn print(&self) {
        let mut table = Table::new();
        table.set_header([
            "what",
            "size",
            "beside",
            "theirs",
            "qsnap",
            "ratio",
            "budget",
            "peak memory",
            "CPU s/GiB (theirs)",
            "CPU s/GiB",
        ]);
        for row in &self.rows {
            let rate = |run: &Run| format!("{:.2} s, {}", run.seconds, size::rate(row.bytes as f64 / run.seconds));
            let met = if row.ratio >= row.budget { "" } else { "  MISSED" };
            table.add_row([
                row.what.to_owned(),
                size::bytes(row.bytes),
                row.beside.to_owned(),
                rate(&row.theirs),
                rate(&row.ours),
                format!("{:.2}", row.ratio),
                format!("≥ {:.2}{met}", row.budget),
                format!("{} MiB", row.ours.peak_kib >> 10),
                format!("{:.2}", cpu_per_gib(&row.theirs, row.bytes)),
                format!("{:.2}", cpu_per_gib(&row.ours, row.bytes)),
            ]);
        }
        println!("{table}");
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("transfers.json");
        let rows: Vec<Value> = self.rows.iter().map(Row::json).collect();
        std::fs::write(&file, serde_json::to_string_pretty(&json!({"version": 1, "rows": rows})).unwrap()).unwrap();
        println!("written to {}", file.display());
    }
}

impl Row {
    fn json(&self) -> Value {
        let run = |run: &Run| {
            json!({"seconds": run.seconds, "bytes_per_second": self.bytes as f64 / run.seconds, "peak_memory": run.peak_kib * 1024,
                "cpu_seconds_per_gib": cpu_per_gib(run, self.bytes)})
        };
        json!({"what": self.what, "bytes": self.bytes, "beside": self.beside, "theirs": run(&self.theirs), "qsnap": run(&self.ours),
            "ratio": self.ratio, "budget": self.budget, "met": self.ratio >= self.budget})
    }
}

fn cpu_per_gib(run: &Run, bytes: u64) -> f64 {
    run.cpu_seconds * (1_u64 << 30) as f64 / bytes as f64
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Where curl finds the only snapshot of the sandbox's large collection.
fn snapshot_url(server: &str) -> String {
    let list = format!("{server}/collections/big/snapshots");
    let output = Command::new("curl").args(["-sf", &list]).output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    format!("{list}/{}", answer["result"][0]["name"].as_str().unwrap())
}
