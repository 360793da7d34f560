//! Command lines that cannot be parsed: in clap's words for people, as a document for programs.

use crate::cli::args::Output;
use crate::cli::printer::Printer;
use crate::domain::problem::{Problem, ProblemKind};
use clap::error::ErrorKind;
use std::ffi::OsString;
use std::process::ExitCode;

/// Prints the error. Help and version come as errors too: they go to stdout and are no failure.
pub fn report(error: &clap::Error, arguments: &[OsString]) -> ExitCode {
    let helps = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if !helps && wants_json(arguments) {
        Printer { output: Output::Json }.problem(&problem(error));
    } else {
        let _ = error.print();
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// Whether JSON was asked for. The command line as a whole could not be parsed, so that its words are looked at; those
/// behind `--` belong to another program.
fn wants_json(arguments: &[OsString]) -> bool {
    let own: Vec<&OsString> = arguments.iter().take_while(|argument| *argument != "--").collect();
    own.iter().any(|argument| *argument == "--output=json")
        || own.windows(2).any(|pair| pair[0] == "--output" && pair[1] == "json")
}

fn problem(error: &clap::Error) -> Problem {
    let rendered = error.render().to_string();
    let mut parts = rendered.split("\n\n").map(str::trim).filter(|part| !part.is_empty());
    let message = if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        "a command or an argument is missing"
    } else {
        parts.next().unwrap_or_default().trim_start_matches("error: ")
    };
    // The usage line and the tips; what clap says last is how to get help.
    let tips = parts.filter(|part| part.starts_with("tip:")).map(|tip| tip.trim_start_matches("tip:").trim());
    let advice = tips.chain(["`qsnap help` and `qsnap COMMAND --help` show how it is written"]).collect::<Vec<_>>().join("; ");
    Problem::new(ProblemKind::Usage, message, "").advise(advice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Cli;
    use clap::Parser;

    fn parsed(text: &str) -> (clap::Error, Vec<OsString>) {
        let arguments: Vec<OsString> = text.split(' ').map(OsString::from).collect();
        (Cli::try_parse_from(&arguments).unwrap_err(), arguments)
    }

    #[test]
    fn json_is_found_wherever_it_stands_but_not_behind_the_dashes() {
        for (text, json) in [
            ("qsnap explode --output json", true),
            ("qsnap --output=json explode", true),
            ("qsnap explode", false),
            ("qsnap explode --output table", false),
            ("qsnap guard --bad a/x -- tool --output json", false),
        ] {
            assert_eq!(wants_json(&parsed(text).1), json, "{text}");
        }
    }

    #[test]
    fn the_message_is_claps_and_the_advice_has_its_tip() {
        let found = problem(&parsed("qsnap instanses --output json").0);
        assert_eq!(found.message, "unrecognized subcommand 'instanses'");
        assert!(found.advice.contains("'instances'"), "{found:?}");
        assert_eq!(problem(&parsed("qsnap config").0).message, "a command or an argument is missing");
        assert!(problem(&parsed("qsnap restore a/x").0).message.contains("--to"));
    }
}
