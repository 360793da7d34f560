//! `qsnap guard`: what the operation in [`crate::ops::verbs::guard`] needs from a shell. What guard has to say goes to stderr:
//! stdout is the command's.

mod command;

use crate::cli::args::{Global, GuardArgs, Output};
use crate::cli::common_args::skipped;
use crate::cli::exit::ExitStatus;
use crate::cli::operate::{Watched, watch};
use crate::cli::printer::{Printer, fail};
use crate::cli::prompt;
use crate::cli::signals::Signals;
use crate::domain::address::CollectionAddress;
use crate::domain::problem::{Problem, ProblemKind};
use crate::ops::engine;
use crate::ops::plan::consent::{Approved, Consent};
use crate::ops::report::Report;
use crate::ops::request::command::consent_flags;
use crate::ops::request::guard::GuardRequest;
use crate::ops::services::Services;
use crate::ops::verbs::guard::{self, Ended, Port, When};
use async_trait::async_trait;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

struct Shell<'a> {
    services: &'a Arc<Services>,
    global: &'a Global,
    printer: Printer,
    args: &'a GuardArgs,
    signals: Signals,
    /// The signal that stopped it; 0 for none.
    stopped: AtomicU8,
}

/// `qsnap guard`
pub async fn run(services: &Arc<Services>, global: &Global, printer: Printer, args: GuardArgs) -> ExitStatus {
    let signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(problem) => return fail(printer, &problem),
    };
    let shell = Shell { services, global, printer, args: &args, signals, stopped: AtomicU8::new(0) };
    match shell.guard().await {
        Ok(status) => status,
        Err(problem) => {
            let status = fail(printer, &problem);
            match shell.stopped.load(Ordering::Relaxed) {
                signal if signal > 0 && problem.kind == ProblemKind::Canceled => ExitStatus::Stopped(signal),
                _ => status,
            }
        }
    }
}

impl Shell<'_> {
    async fn guard(&self) -> Result<ExitStatus, Problem> {
        let address = CollectionAddress::parse(&self.args.address)
            .map_err(|why| Problem::new(ProblemKind::Usage, why, "").advise("`qsnap guard --help` shows how it is written"))?;
        let request = GuardRequest { address, skips: skipped(&self.args.skip), forget: self.args.forget };
        if self.global.dry_run {
            let plan = tokio::select! {
                plan = guard::plan(self.services, &request) => plan?,
                () = self.stopped() => {
                    return Err(Problem::new(ProblemKind::Canceled, "stopped by a signal", request.address.to_string()));
                }
            };
            self.printer.text(&prompt::plan_text(&plan, self.global.verbose));
            self.printer.text(&format!(
                "then: run {:?}; when it fails, restore that snapshot in place\nneeds:{}",
                self.program(),
                consent_flags(true, &request.address)
            ));
            return Ok(ExitStatus::Done);
        }
        let consent = self.consent(&request.address.to_string());
        Ok(match guard::guard(self.services, self, &request, &consent).await? {
            Ended::Well => ExitStatus::Done,
            Ended::RolledBack(code) => ExitStatus::Command(code),
            Ended::Differs => ExitStatus::Difference,
            Ended::NotProven => ExitStatus::Failed,
        })
    }

    /// The typed address, for a rollback that may become necessary.
    fn consent(&self, expected: &str) -> Consent {
        let same =
            |text: &String| text == expected || CollectionAddress::parse(text).is_ok_and(|parsed| parsed.to_string() == expected);
        match self.global.yes {
            true if self.global.confirm.iter().any(same) => Consent::Typed(expected.to_owned()),
            true => Consent::Yes,
            false => Consent::None,
        }
    }
}

#[async_trait]
impl Port for Shell<'_> {
    fn program(&self) -> &str {
        self.args.command.first().map_or("", String::as_str)
    }

    async fn command(&self, snapshot: &str) -> Result<u8, Problem> {
        let arguments = self.args.command.get(1..).unwrap_or_default();
        command::run(self.program(), arguments, snapshot, self.signals.from_now()).await
    }

    async fn check(&self, snapshot: &str) -> Option<Result<u8, Problem>> {
        let line = self.args.check.clone()?;
        Some(command::run("sh", &["-c".to_owned(), line], snapshot, self.signals.from_now()).await)
    }

    async fn job(&self, approved: Approved, when: When) -> Result<Report, Problem> {
        let signals = match when {
            When::Before => self.signals.clone(),
            When::After => self.signals.from_now(),
        };
        let handle = engine::start(self.services, approved);
        let Watched { result, stopped } = watch(self.services, self.global, self.printer, handle, signals).await;
        if let (Err(_), Some(signal)) = (&result, stopped) {
            self.stopped.store(signal, Ordering::Relaxed);
        }
        result
    }

    async fn stopped(&self) {
        let signal = self.signals.clone().next().await;
        self.stopped.store(signal, Ordering::Relaxed);
    }

    fn say(&self, words: &str) {
        match self.printer.output {
            _ if self.global.quiet => {}
            Output::Json => self.printer.note(&json!({"version": 1, "guard": words}).to_string()),
            Output::Table => self.printer.note(&format!("guard: {words}")),
        }
    }

    fn problem(&self, problem: &Problem) {
        self.printer.problem(problem);
    }
}
