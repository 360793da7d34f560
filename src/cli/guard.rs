//! `qsnap guard`: a snapshot, a command with its own input and output, and the collection as it was when it fails.
//! What guard has to say goes to stderr: stdout is the command's.

mod aliases;

use crate::cli::args::{Global, GuardArgs};
use crate::cli::commands::{fail, skipped};
use crate::cli::exit::ExitStatus;
use crate::cli::guard::aliases::Aliases;
use crate::cli::operate::{Watched, watch};
use crate::cli::printer::Printer;
use crate::cli::prompt;
use crate::domain::address::{Address, CollectionAddress, Which};
use crate::domain::ids::SnapshotName;
use crate::domain::problem::{Problem, ProblemKind};
use crate::ops::create::CreateSpec;
use crate::ops::delete::DeleteSpec;
use crate::ops::deliver::Route;
use crate::ops::flow::{self, Consent, Plan, Spec};
use crate::ops::report::{Report, Verdict};
use crate::ops::resolve::{NameUse, name_use};
use crate::ops::restore::{Mode, RestoreSource, RestoreSpec};
use crate::ops::revive::ReviveSpec;
use crate::ops::services::Services;
use std::process::ExitStatus as ProcessStatus;
use std::sync::Arc;
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

/// The variable in which the command finds the address of the snapshot.
const VARIABLE: &str = "QSNAP_GUARD_SNAPSHOT";

struct Guard<'a> {
    services: &'a Arc<Services>,
    global: &'a Global,
    printer: Printer,
    address: CollectionAddress,
    args: GuardArgs,
}

/// Runs it.
pub async fn run(services: &Arc<Services>, global: &Global, printer: Printer, args: GuardArgs) -> ExitStatus {
    let address = CollectionAddress::parse(&args.address)
        .map_err(|why| Problem::new(ProblemKind::Usage, why, "").advise("`qsnap guard --help` shows how it is written"));
    let outcome = match address {
        Ok(address) => Guard { services, global, printer, address, args }.all().await,
        Err(problem) => Err(problem),
    };
    outcome.unwrap_or_else(|problem| fail(printer, &problem))
}

impl Guard<'_> {
    async fn all(&self) -> Result<ExitStatus, Problem> {
        let plan = flow::plan(self.services, Spec::Create(CreateSpec { address: self.address.clone() })).await?;
        if self.global.dry_run {
            self.printer.text(&prompt::plan_text(&plan));
            self.printer.text(&format!("then: run {:?}; when it fails, restore that snapshot in place", self.args.command[0]));
            return Ok(ExitStatus::Done);
        }
        // Consent comes first: when the command has failed nobody may be there to give it.
        let consent = self.consent()?;
        let taken = self.job(plan, &Consent::Yes).await?;
        let [snapshot] = &taken.created[..] else {
            return Err(Problem::new(ProblemKind::Refused, "its shards are on several nodes", self.address.to_string())
                .advise("guard needs a collection that one node holds; nothing was run"));
        };
        self.say(&format!("snapshot {snapshot}"));
        let name = match Address::parse(snapshot) {
            Ok(Address::Snapshot(_, Which::Named(name))) => name,
            _ => return Err(Problem::new(ProblemKind::Failed, "the snapshot has no address", snapshot)),
        };
        // What would keep the rollback from working must be known before anything runs.
        let rollback = flow::plan(self.services, self.rollback(&name)).await?;
        if let Some(finding) = rollback.blocked().first() {
            return Err(Problem::new(
                ProblemKind::Refused,
                format!("it could not be rolled back: {}", finding.message),
                snapshot,
            )
            .advise(format!("nothing was run; {}", finding.advice)));
        }
        let aliases = Aliases::before(self.services, &self.address).await?;
        let failed = match self.command(snapshot).await? {
            0 => self.check(snapshot).await?,
            code => Some((format!("the command ended with {code}"), code)),
        };
        match failed {
            None => self.forget(&name, snapshot).await,
            Some((why, code)) => {
                let rolled = self.roll_back(&name, &why, code, &consent).await;
                self.settle_aliases(rolled, &aliases, &consent).await
            }
        }
    }

    /// Readers come back to data that is proven only; of all else it is told which aliases are missing.
    async fn settle_aliases(
        &self,
        rolled: Result<ExitStatus, Problem>,
        aliases: &Aliases<'_>,
        consent: &Consent,
    ) -> Result<ExitStatus, Problem> {
        if let Ok(ExitStatus::Command(_)) = rolled {
            // When they cannot be listed, that is what is missing.
            for spec in aliases.free().await.unwrap_or_default() {
                let made = match flow::plan(self.services, spec).await {
                    Ok(plan) => self.job(plan, consent).await,
                    Err(problem) => Err(problem),
                };
                match made {
                    Ok(report) => self.say(&format!("made again: {}", report.lines().join("; "))),
                    Err(problem) => self.printer.problem(&problem),
                }
            }
        }
        let Some(missing) = aliases.missing().await else { return rolled };
        match rolled {
            Ok(ExitStatus::Command(_)) => Err(missing),
            // Wrong data is the worse news of the two, and the last one to be read.
            worse => {
                self.printer.problem(&missing);
                worse
            }
        }
    }

    fn say(&self, words: &str) {
        if !self.global.quiet {
            self.printer.note(&format!("guard: {words}"));
        }
    }

    /// The typed address, for a rollback that may become necessary.
    fn consent(&self) -> Result<Consent, Problem> {
        let expected = self.address.to_string();
        let given =
            self.global.confirm.iter().any(|text| {
                *text == expected || CollectionAddress::parse(text).is_ok_and(|parsed| parsed.to_string() == expected)
            });
        if self.global.yes && given {
            return Ok(Consent::Typed(expected));
        }
        let words = format!("when the command fails, {expected} is overwritten with the snapshot: that needs its address");
        Err(Problem::new(ProblemKind::Refused, words, &expected)
            .advise(format!("nothing was run; give --yes --confirm '{expected}'")))
    }

    fn rollback(&self, name: &SnapshotName) -> Spec {
        let source = RestoreSource::Snapshot(self.address.clone(), Which::Named(name.clone()));
        let spec = RestoreSpec::new(source, self.address.clone(), Mode::InPlace, Route::Auto);
        Spec::Restore(RestoreSpec { skips: skipped(&self.args.skip), ..spec })
    }

    async fn job(&self, plan: Plan, consent: &Consent) -> Result<Report, Problem> {
        let handle = flow::start(self.services, plan.approve(consent)?);
        let Watched { result, .. } = watch(self.services, self.global, self.printer, handle).await?;
        result
    }

    /// Its exit code; 128 and the signal when one ended it.
    async fn command(&self, snapshot: &str) -> Result<u8, Problem> {
        let [program, arguments @ ..] = &self.args.command[..] else { return Ok(0) };
        let mut command = Command::new(program);
        command.args(arguments).env(VARIABLE, snapshot);
        self.wait(command, program).await
    }

    async fn check(&self, snapshot: &str) -> Result<Option<(String, u8)>, Problem> {
        let Some(line) = &self.args.check else { return Ok(None) };
        let mut command = Command::new("sh");
        command.arg("-c").arg(line).env(VARIABLE, snapshot);
        let code = self.wait(command, "sh").await?;
        Ok((code != 0).then(|| (format!("the check ended with {code}"), code)))
    }

    /// A signal meant for both reaches the command by itself or is passed on; guard stays to clean up after it.
    async fn wait(&self, mut command: Command, program: &str) -> Result<u8, Problem> {
        let unwatched = |error: std::io::Error| {
            Problem::new(ProblemKind::Failed, format!("signals cannot be watched: {error}"), "").advise("nothing was run")
        };
        let mut interrupt = signal(SignalKind::interrupt()).map_err(unwatched)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(unwatched)?;
        let mut hang_up = signal(SignalKind::hangup()).map_err(unwatched)?;
        let shown = crate::domain::text::one_line(program, 100);
        let mut child = command.spawn().map_err(|error| {
            Problem::new(ProblemKind::Usage, format!("the command cannot be started: {error}"), shown)
                .advise("nothing was run, so that nothing was rolled back; the snapshot is kept")
        })?;
        let status = loop {
            tokio::select! {
                status = child.wait() => break status,
                // The terminal sends it to the command too, which decides.
                _ = interrupt.recv() => {}
                _ = terminate.recv() => pass_on(&child),
                _ = hang_up.recv() => pass_on(&child),
            }
        };
        let status = status.map_err(|error| Problem::new(ProblemKind::Failed, format!("the command was lost: {error}"), ""))?;
        Ok(code_of(status))
    }

    async fn forget(&self, name: &SnapshotName, snapshot: &str) -> Result<ExitStatus, Problem> {
        if !self.args.forget {
            self.say(&format!("the command succeeded; the snapshot is kept: {snapshot}"));
            return Ok(ExitStatus::Done);
        }
        let spec = Spec::Delete(DeleteSpec { address: self.address.clone(), names: vec![name.clone()] });
        let plan = flow::plan(self.services, spec).await?;
        self.job(plan, &Consent::Typed(self.address.to_string())).await?;
        self.say("the command succeeded; the snapshot is deleted");
        Ok(ExitStatus::Done)
    }

    async fn roll_back(&self, name: &SnapshotName, why: &str, code: u8, consent: &Consent) -> Result<ExitStatus, Problem> {
        self.say(&format!("{why}; rolling {} back", self.address));
        let connection = self.services.connection(&self.address.instance).await?;
        let spec = match name_use(&connection, &self.address).await? {
            // The command deleted it: its snapshot is still on the node's disk.
            NameUse::Free => {
                Spec::Revive(ReviveSpec { address: self.address.clone(), snapshot: Some(Which::Named(name.clone())) })
            }
            _ => self.rollback(name),
        };
        let plan = flow::plan(self.services, spec).await?;
        let report = self.job(plan, consent).await.map_err(|problem| {
            let advice = format!("THE ROLLBACK FAILED; {}; the snapshot {}/{name} is kept", problem.advice, self.address);
            problem.advise(advice)
        })?;
        let verdict = report.verdict.clone().unwrap_or(Verdict::CouldNotCheck("nothing was compared".into()));
        match &report.rollback {
            None => self.say(&format!("rolled back; {}", verdict.sentence())),
            // What it then put back is what was there right before: the command's work.
            Some(back) => {
                let message = format!("the snapshot did not come back as it was taken: {}", verdict.reason());
                let advice = format!("{} is as the command left it, as far as is known: {}", self.address, back.sentence());
                self.printer.problem(&Problem::new(ProblemKind::Difference, message, self.address.to_string()).advise(advice));
            }
        }
        for thing in &report.left_behind {
            self.say(&format!("kept: {thing} (what the command left)"));
        }
        Ok(match verdict {
            Verdict::Matches(_) => ExitStatus::Command(code),
            Verdict::Differs(_) => ExitStatus::Difference,
            Verdict::CouldNotCheck(_) => ExitStatus::Failed,
        })
    }
}

fn pass_on(child: &tokio::process::Child) {
    if let Some(pid) = child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
}

fn code_of(status: ProcessStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}
