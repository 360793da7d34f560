//! The `qsnap` binary: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    // color-eyre first: the terminal's own hook, which restores the screen, wraps it.
    let _ = color_eyre::install();
    qsnap::main(std::env::args_os())
}
