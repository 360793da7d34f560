//! What a package brings besides the program: completions of a shell, and man pages. Both are made from the arguments themselves.

use crate::cli::args::Cli;
use crate::cli::exit::ExitStatus;
use crate::cli::printer::{Printer, fail};
use crate::domain::problem::Problem;
use crate::transfer::disk::disk_problem;
use clap::CommandFactory;
use clap_complete::Shell;
use std::io::Write;
use std::path::Path;

/// `qsnap completions SHELL`: to standard output.
pub fn completions(shell: Shell) -> ExitStatus {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "qsnap", &mut script);
    // A reader that has enough (`| head`) is no failure.
    let _ = std::io::stdout().write_all(&script);
    ExitStatus::Done
}

/// `qsnap man --to FOLDER`: a page for qsnap and for each command.
pub fn man(printer: Printer, folder: &Path) -> ExitStatus {
    match pages(folder) {
        Ok(count) => {
            printer.text(&format!("{count} pages in {}", crate::domain::text::sanitise(&folder.display().to_string())));
            ExitStatus::Done
        }
        Err(problem) => fail(printer, &problem),
    }
}

fn pages(folder: &Path) -> Result<usize, Problem> {
    let failed = |error: std::io::Error| disk_problem("write man pages to", folder, &error);
    std::fs::create_dir_all(folder).map_err(failed)?;
    clap_mangen::generate_to(Cli::command(), folder).map_err(failed)?;
    Ok(std::fs::read_dir(folder).map_err(failed)?.count())
}
