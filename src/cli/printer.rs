//! All writes to stdout and stderr go through here.

use crate::cli::args::Output;
use crate::cli::exit::ExitStatus;
use crate::domain::problem::Problem;
use crate::domain::text::is_hostile;
use serde::Serialize;
use serde_json::json;
use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether something could not be written to stdout: a list that was not written is no success.
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

/// JSON for a terminal: what could steer it stands as `\uXXXX`, which reads the same.
fn escape_hostile(text: &str) -> String {
    if !text.chars().any(is_hostile) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 64);
    for c in text.chars() {
        if is_hostile(c) {
            let mut units = [0; 2];
            out.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            out.push(c);
        }
    }
    out
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
            Ok(text) => self.text(&escape_hostile(&text)),
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

/// Prints a problem; gives its exit code.
pub fn fail(printer: Printer, problem: &Problem) -> ExitStatus {
    printer.problem(problem);
    ExitStatus::of_problem(problem.kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_cannot_steer_a_terminal_and_stays_the_same() {
        let value = json!({"a": "\u{9b}31m\u{202e}x\u{e0041}", "b": "日本"});
        let escaped = escape_hostile(&value.to_string());
        assert!(!escaped.chars().any(is_hostile), "{escaped}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&escaped).unwrap(), value);
    }
}
