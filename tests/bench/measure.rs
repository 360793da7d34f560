//! Running a program and measuring it, and the sandbox as a process of its own: shared by the benchmark and by
//! the test that holds memory to its budget.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What a run took.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// Exit code; -1 when a signal ended it.
    pub code: i32,
    /// From start to end.
    pub seconds: f64,
    /// CPU of the program alone, user and system.
    pub cpu_seconds: f64,
    /// Peak of resident memory, in KiB.
    pub peak_kib: u64,
}

/// A sandbox in a process of its own; asked to stop when dropped, so that it removes its files.
pub struct Sandbox {
    child: Child,
    /// Its address.
    pub url: String,
}

impl Sandbox {
    /// Starts one.
    pub fn start(qsnap: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(qsnap).arg("sandbox").args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let first: serde_json::Value = serde_json::from_str(&line).unwrap();
        let url = first["nodes"][0].as_str().unwrap().to_owned();
        Self { child, url }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if let Some(pid) = rustix::process::Pid::from_raw(self.child.id() as i32) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.child.wait();
    }
}

/// Whether this machine tells what a process used.
pub fn possible() -> bool {
    Path::new("/proc/self/status").exists()
}

/// Runs a program to its end.
pub fn run(mut command: Command) -> Run {
    let begun = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let pid = rustix::process::Pid::from_raw(child.id() as i32).unwrap();
    let mut peak_kib = 0;
    loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).and_then(|rest| rest.trim().strip_suffix(" kB"));
        peak_kib = line.and_then(|kib| kib.trim().parse().ok()).unwrap_or(peak_kib);
        // Looked at without reaping: only then the CPU time of the dead can still be read.
        use rustix::process::{WaitId, WaitIdOptions, waitid};
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        if waitid(WaitId::Pid(pid), options).unwrap().is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let seconds = begun.elapsed().as_secs_f64();
    let cpu_seconds = cpu(child.id());
    let code = child.wait().unwrap().code().unwrap_or(-1);
    Run { code, seconds, cpu_seconds, peak_kib }
}

/// User and system time of a process, from its line in `/proc`.
fn cpu(pid: u32) -> f64 {
    let line = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after_name = line.rsplit(')').next().unwrap_or_default();
    let ticks: u64 = after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    ticks as f64 / rustix::param::clock_ticks_per_second() as f64
}
