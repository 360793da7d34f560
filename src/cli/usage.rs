//! Command lines that cannot be parsed: in clap's words for people, as a document for programs.

use crate::cli::args::Output;
use crate::cli::exit::ExitStatus;
use crate::cli::printer::Printer;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::text::sanitise;
use clap::error::ErrorKind;
use std::ffi::OsString;
use std::process::ExitCode;

/// Prints the error. Help and version come as errors too: they go to stdout and are no failure.
pub fn report(error: &clap::Error, arguments: &[OsString]) -> ExitCode {
    let helps = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if !helps && wants_json(arguments) {
        Printer { output: Output::Json }.problem(&problem(error, arguments));
    } else {
        let _ = error.print();
        if let (false, Some(tip)) = (helps, hyphen_tip(error, arguments)) {
            Printer { output: Output::Table }.note(&format!("\n  tip: {tip}"));
        }
    }
    match u8::try_from(error.exit_code()).unwrap_or(2) {
        // A monitoring system takes 2 for "critical"; that something is wrong with the question is "unknown".
        2 if is_check(arguments) => ExitCode::from(ExitStatus::UNKNOWN.code()),
        code => ExitCode::from(code),
    }
}

/// Whether the command is `check`, and not `config check`.
fn is_check(arguments: &[OsString]) -> bool {
    let own: Vec<&OsString> = arguments.iter().take_while(|argument| *argument != "--").collect();
    own.windows(2).any(|pair| pair[1] == "check" && pair[0] != "config")
}

/// Whether JSON was asked for. The command line as a whole could not be parsed, so that its words are looked at; those
/// behind `--` belong to another program.
fn wants_json(arguments: &[OsString]) -> bool {
    let own: Vec<&OsString> = arguments.iter().take_while(|argument| *argument != "--").collect();
    own.iter().any(|argument| *argument == "--output=json")
        || own.windows(2).any(|pair| pair[0] == "--output" && pair[1] == "json")
}

/// How a name that begins with a hyphen is written, where one was taken for a flag.
fn hyphen_tip(error: &clap::Error, arguments: &[OsString]) -> Option<String> {
    if !matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::UnknownArgument) {
        return None;
    }
    let own = arguments.iter().skip(1).take_while(|argument| *argument != "--").filter_map(|argument| argument.to_str());
    let name = own.filter_map(|argument| argument.strip_prefix('-')).find(|rest| rest.len() > 1 && !rest.starts_with('-'))?;
    Some(format!("a name that begins with a hyphen is written with %2D: '%2D{}'", sanitise(name)))
}

fn problem(error: &clap::Error, arguments: &[OsString]) -> Problem {
    let rendered = error.render().to_string();
    let mut parts = rendered.split("\n\n").map(str::trim).filter(|part| !part.is_empty());
    let message = if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        "a command or an argument is missing"
    } else {
        parts.next().unwrap_or_default().trim_start_matches("error: ")
    };
    // The usage line and the tips; what clap says last is how to get help.
    let tips = parts.filter(|part| part.starts_with("tip:")).map(|tip| tip.trim_start_matches("tip:").trim().to_owned());
    let tips = tips.chain(hyphen_tip(error, arguments));
    let advice =
        tips.chain(["`qsnap help` and `qsnap COMMAND --help` show how it is written".to_owned()]).collect::<Vec<_>>().join("; ");
    Problem::new(ProblemKind::Usage, message, "").advise(advice)
}

/// What is written wrongly on the command line.
pub(super) fn usage(message: impl AsRef<str>) -> Problem {
    Problem::new(ProblemKind::Usage, message, "").advise("`qsnap help` and `qsnap COMMAND --help` show how it is written")
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
        let problem = |text: &str| {
            let (error, arguments) = parsed(text);
            problem(&error, &arguments)
        };
        let found = problem("qsnap instanses --output json");
        assert_eq!(found.message, "unrecognized subcommand 'instanses'");
        assert!(found.advice.contains("'instances'"), "{found:?}");
        assert_eq!(problem("qsnap config").message, "a command or an argument is missing");
        assert!(problem("qsnap restore a/x").message.contains("--to"));
        let hyphen = problem("qsnap restore a/x --to b/y --beside -odd");
        assert!(hyphen.advice.contains("'%2Dodd'"), "{hyphen:?}");
        assert!(!problem("qsnap restore a/x --bad").advice.contains("%2D"));
    }
}
