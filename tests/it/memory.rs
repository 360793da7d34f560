//! Memory stays within its budget at any size (design budget: 64 MiB headless).

use crate::support::{Cli, QSNAP, say};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// Budget of a headless transfer, in KiB.
const BUDGET: u64 = 64 << 10;

struct Stopped(Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        // Asked, not killed: it then removes its files.
        if let Some(pid) = rustix::process::Pid::from_raw(self.0.id() as i32) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.0.wait();
    }
}

fn sandbox(arguments: &[&str]) -> (Stopped, String) {
    let mut child = Command::new(QSNAP).arg("sandbox").args(arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let first: serde_json::Value = serde_json::from_str(&line).unwrap();
    (Stopped(child), first["nodes"][0].as_str().unwrap().to_owned())
}

/// Runs to the end; gives the exit code and the peak of resident memory in KiB.
fn peak(mut command: Command) -> (i32, u64) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).and_then(|rest| rest.trim().strip_suffix(" kB"));
        peak = line.and_then(|kib| kib.trim().parse().ok()).unwrap_or(peak);
        if let Some(code) = child.try_wait().unwrap() {
            return (code.code().unwrap_or(-1), peak);
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn a_gigabyte_moves_in_constant_memory() {
    if !std::path::Path::new("/proc/self/status").exists() {
        say("skipped: no /proc");
        return;
    }
    let (_a, source) = sandbox(&["--points", "0", "--snapshot-size", "1GiB"]);
    let (_b, target) = sandbox(&["--points", "0"]);
    let cli = Cli::new(&format!("[instances.a]\nurl = '{source}'\n[instances.b]\nurl = '{target}'\n"));
    let (code, kib) = peak(cli.command(&["snapshots", "download", "a/big@latest"]));
    say(&format!("peak memory of a 1 GiB download: {} MiB", kib >> 10));
    assert_eq!(code, 0);
    assert!(kib > 0 && kib < BUDGET, "{kib} KiB");
    let (code, kib) = peak(cli.command(&["restore", "a/big@latest", "--to", "b/big", "--route", "stream", "--yes"]));
    say(&format!("peak memory of a 1 GiB stream copy: {} MiB", kib >> 10));
    assert_eq!(code, 0);
    assert!(kib > 0 && kib < BUDGET, "{kib} KiB");
}
