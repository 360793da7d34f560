//! The guarded command, and the check after it.

use crate::cli::signals::Signals;
use crate::config::environment::GUARD_SNAPSHOT;
use crate::domain::problem::{Problem, ProblemKind};
use std::process::ExitStatus;
use tokio::process::{Child, Command};

/// Runs a program with its own input and output. Gives its exit code; 128 and the signal when one ended it.
///
/// A signal meant for both reaches the command by itself or is passed on; guard stays to clean up after it.
///
/// # Errors
/// When it could not be started: then nothing was run.
pub(super) async fn run(program: &str, arguments: &[String], snapshot: &str, mut signals: Signals) -> Result<u8, Problem> {
    let mut child = Command::new(program).args(arguments).env(GUARD_SNAPSHOT, snapshot).spawn().map_err(|error| {
        let shown = crate::domain::text::one_line(program, 100);
        Problem::new(ProblemKind::Usage, format!("the command cannot be started: {error}"), shown)
            .advise("nothing was run, so that nothing was rolled back; the snapshot is kept")
    })?;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status,
            signal = signals.next() => match signal {
                // The terminal sends it to the command too, which decides.
                2 => {}
                _ => pass_on(&child),
            },
        }
    };
    // How it ended is not known: that is no success.
    Ok(status.map_or(1, code_of))
}

fn pass_on(child: &Child) {
    if let Some(pid) = child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
}

fn code_of(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}
