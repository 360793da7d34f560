//! Asking on a terminal, and only there.

use crate::cli::args::{Global, Output};
use crate::cli::printer::Printer;
use crate::ops::plan::Plan;
use crate::ops::plan::consent::{Consent, Need};
use crate::ops::plan::finding::{Finding, Level, checks_passed};
use crate::ops::request::Request;
use std::io::{IsTerminal, Write};

/// Gathers consent for a plan: from flags, else by asking when a person is there.
pub fn consent(printer: Printer, global: &Global, plan: &Plan) -> Consent {
    let need = plan.need();
    if global.yes || need == Need::Nothing || !plan.blocked().is_empty() {
        return from_flags(global, &need);
    }
    let person = std::io::stdin().is_terminal() && std::io::stderr().is_terminal() && global.output == Output::Table;
    if !person {
        return Consent::None;
    }
    printer.note(&plan_text(plan, global.verbose));
    match need {
        Need::Nothing => Consent::None,
        Need::Yes => match ask("Continue? [y/N] ").trim() {
            "y" | "Y" | "yes" => Consent::Yes,
            _ => Consent::None,
        },
        Need::Typed(address) => {
            Consent::Typed(ask(&format!("Type {address} to continue: ")).trim_end_matches(['\r', '\n']).to_owned())
        }
    }
}

fn from_flags(global: &Global, need: &Need) -> Consent {
    if !global.yes {
        return Consent::None;
    }
    match need {
        // An address may be written with or without %XX; it is the same collection.
        Need::Typed(address) if global.confirm.iter().any(|text| same_address(text, address)) => Consent::Typed(address.clone()),
        Need::Typed(_) => global.confirm.first().map_or(Consent::Yes, |other| Consent::Typed(other.clone())),
        Need::Nothing | Need::Yes => Consent::Yes,
    }
}

fn same_address(text: &str, address: &str) -> bool {
    text == address || crate::domain::address::CollectionAddress::parse(text).is_ok_and(|parsed| parsed.to_string() == address)
}

fn ask(question: &str) -> String {
    let mut err = std::io::stderr().lock();
    let _ = write!(err, "{question}").and_then(|()| err.flush());
    let mut answer = String::new();
    let _ = std::io::stdin().read_line(&mut answer);
    answer
}

/// A plan for people: what changes, what can be lost, what blocks or needs a look, the steps; the checks that passed are
/// counted, and listed with `--verbose`.
pub fn plan_text(plan: &Plan, verbose: bool) -> String {
    let mut lines = vec![plan.title.clone()];
    if !plan.consequence.is_empty() {
        lines.push(format!("  ! {}", plan.consequence));
    }
    let (open, passed) = plan.sorted_findings();
    open.iter().for_each(|finding| lines.extend(finding_lines(finding)));
    lines.push("steps".into());
    lines.extend(plan.steps.iter().map(|step| format!("  {}: {}", step.name, step.text)));
    match passed.len() {
        0 => {}
        count if verbose => {
            lines.push(checks_passed(count));
            passed.iter().for_each(|finding| lines.extend(finding_lines(finding)));
        }
        count => lines.push(format!("{} (-v lists them)", checks_passed(count))),
    }
    match plan.need() {
        _ if !plan.blocked().is_empty() => lines.push("cannot be done as it is".into()),
        Need::Nothing => {}
        Need::Yes => lines.push("needs: --yes".into()),
        // The rules were written down before: what they say is agreed to with one word, by a timer too.
        Need::Typed(_) if matches!(plan.request, Request::Prune(_)) => lines.push("needs: --apply".into()),
        Need::Typed(address) => lines.push(format!("needs: --yes --confirm '{address}'")),
    }
    lines.join("\n")
}

fn finding_lines(finding: &Finding) -> Vec<String> {
    let sign = match finding.level {
        Level::Good => "ok   ",
        Level::Look => "look ",
        Level::Block => "BLOCK",
    };
    let mut lines = vec![format!("  {sign} {}: {}", finding.check, finding.message)];
    if !finding.advice.is_empty() {
        lines.push(format!("        {}", finding.advice));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::plan::tests::plan_of;
    use crate::ops::plan::{Risk, Step};

    #[test]
    fn a_plan_begins_with_what_matters_and_counts_the_rest() {
        let mut plan = plan_of(Risk::Changes, None);
        plan.title = "restore → a/x".into();
        plan.consequence = "the 5 points of a/x are replaced".into();
        plan.steps = vec![Step::new("restore", "5 MB into a/x")];
        plan.findings = vec![
            Finding::good("version", "1.18.3 to 1.18.3"),
            Finding::look("last", "it is the last one", "take another one"),
            Finding::block("room", "the disk is full", ""),
        ];
        let lines = [
            "restore → a/x",
            "  ! the 5 points of a/x are replaced",
            "  BLOCK room: the disk is full",
            "  look  last: it is the last one",
            "        take another one",
            "steps",
            "  restore: 5 MB into a/x",
            "1 check passed (-v lists them)",
            "cannot be done as it is",
        ];
        assert_eq!(plan_text(&plan, false), lines.join("\n"));
        assert!(plan_text(&plan, true).contains("1 check passed\n  ok    version: 1.18.3 to 1.18.3"));
    }
}
