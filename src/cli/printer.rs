//! All writes to stdout and stderr go through here.

use crate::cli::args::Output;
use crate::domain::problem::Problem;
use serde::Serialize;
use serde_json::json;
use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether something could not be written to stdout: a list that nobody got is no success.
static OUTPUT_FAILED: AtomicBool = AtomicBool::new(false);

/// Whether all output was written.
pub fn output_failed() -> bool {
    OUTPUT_FAILED.load(Ordering::Relaxed)
}

/// Writes what the command has to say.
#[derive(Debug, Clone, Copy)]
pub struct Printer {
    /// Form of the output.
    pub output: Output,
}

impl Printer {
    /// Text on stdout. A reader that has gone away is no error.
    pub fn text(self, text: &str) {
        let mut out = std::io::stdout().lock();
        let newline = if text.ends_with('\n') || text.is_empty() { "" } else { "\n" };
        let written = write!(out, "{text}{newline}").and_then(|()| out.flush());
        if let Err(error) = written
            && error.kind() != ErrorKind::BrokenPipe
        {
            self.note(&format!("error: the output cannot be written: {error}"));
            OUTPUT_FAILED.store(true, Ordering::Relaxed);
        }
    }

    /// A JSON document on stdout.
    pub fn json(self, document: &impl Serialize) {
        match serde_json::to_string(document) {
            Ok(text) => self.text(&text),
            Err(error) => self.note(&format!("qsnap: {error}")),
        }
    }

    /// A line on stderr.
    pub fn note(self, line: &str) {
        let mut err = std::io::stderr().lock();
        let _ = writeln!(err, "{line}");
    }

    /// A problem on stderr, in the form of the output.
    pub fn problem(self, problem: &Problem) {
        match self.output {
            Output::Json => self.note(&json!({"version": 1, "error": problem}).to_string()),
            Output::Table => {
                self.note(&format!("error: {problem}"));
                if !problem.advice.is_empty() {
                    self.note(&format!("hint: {}", problem.advice));
                }
            }
        }
    }
}
