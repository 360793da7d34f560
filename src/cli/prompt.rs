//! Asking on a terminal, and only there.

use crate::cli::args::{Global, Output};
use crate::cli::printer::Printer;
use crate::ops::flow::{Consent, Level, Need, Plan};
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
    printer.note(&plan_text(plan));
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

/// A plan for people.
pub fn plan_text(plan: &Plan) -> String {
    let mut lines = vec![plan.title.clone()];
    if !plan.consequence.is_empty() {
        lines.push(format!("  ! {}", plan.consequence));
    }
    lines.push("steps".into());
    lines.extend(plan.steps.iter().map(|step| format!("  {}: {}", step.name, step.text)));
    lines.push("checks".into());
    for finding in &plan.findings {
        let sign = match finding.level {
            Level::Good => "ok   ",
            Level::Look => "look ",
            Level::Block => "BLOCK",
        };
        lines.push(format!("  {sign} {}: {}", finding.check, finding.message));
        if !finding.advice.is_empty() {
            lines.push(format!("        {}", finding.advice));
        }
    }
    match plan.need() {
        _ if !plan.blocked().is_empty() => lines.push("cannot be done as it is".into()),
        Need::Nothing => {}
        Need::Yes => lines.push("needs: --yes".into()),
        Need::Typed(address) => lines.push(format!("needs: --yes --confirm '{address}'")),
    }
    lines.join("\n")
}
