//! `qsnap guard`: a snapshot, a command with its own input and output, and the collection as it was when it fails.
//! What guard has to say goes to stderr: stdout is the command's.

mod aliases;
mod command;

use crate::cli::args::{Global, GuardArgs, Output};
use crate::cli::commands::fail;
use crate::cli::exit::ExitStatus;
use crate::cli::guard::aliases::Aliases;
use crate::cli::operate::{Watched, watch};
use crate::cli::printer::Printer;
use crate::cli::prompt;
use crate::cli::requests::skipped;
use crate::cli::signals::Signals;
use crate::domain::address::{Address, CollectionAddress, Which};
use crate::domain::ids::SnapshotName;
use crate::domain::problem::{Problem, ProblemKind};
use crate::ops::plan::Plan;
use crate::ops::plan::consent::Consent;
use crate::ops::report::Report;
use crate::ops::report::verdict::Verdict;
use crate::ops::request::Request;
use crate::ops::request::collections::DropRequest;
use crate::ops::request::collections::ReviveRequest;
use crate::ops::request::command::consent_flags;
use crate::ops::request::recovery_point::RecoveryPoint;
use crate::ops::request::restore::{Mode, RestoreRequest};
use crate::ops::request::route::Route;
use crate::ops::request::snapshots::CreateRequest;
use crate::ops::request::snapshots::DeleteRequest;
use crate::ops::services::Services;
use crate::ops::survey::locate::{self, NameUse, name_use};
use crate::ops::verbs::guarded::Guarded;
use crate::ops::{engine, verbs};
use serde_json::json;
use std::cell::Cell;
use std::sync::Arc;

struct Guard<'a> {
    services: &'a Arc<Services>,
    signals: Signals,
    /// The signal that canceled one of its jobs.
    stopped: Cell<Option<u8>>,
    global: &'a Global,
    printer: Printer,
    address: CollectionAddress,
    args: GuardArgs,
}

/// Runs it.
pub async fn run(services: &Arc<Services>, global: &Global, printer: Printer, args: GuardArgs) -> ExitStatus {
    let address = CollectionAddress::parse(&args.address)
        .map_err(|why| Problem::new(ProblemKind::Usage, why, "").advise("`qsnap guard --help` shows how it is written"));
    let outcome = match (address, Signals::listen()) {
        (Ok(address), Ok(signals)) => {
            let guard = Guard { services, signals, stopped: Cell::new(None), global, printer, address, args };
            let outcome = guard.all().await;
            match (outcome, guard.stopped.get()) {
                (Err(problem), Some(signal)) if problem.kind == ProblemKind::Canceled => {
                    printer.problem(&problem);
                    Ok(ExitStatus::Stopped(signal))
                }
                (outcome, _) => outcome,
            }
        }
        (Err(problem), _) | (_, Err(problem)) => Err(problem),
    };
    outcome.unwrap_or_else(|problem| fail(printer, &problem))
}

impl Guard<'_> {
    async fn all(&self) -> Result<ExitStatus, Problem> {
        let plan = self
            .unless_stopped(verbs::plan(self.services, Request::Create(CreateRequest { address: self.address.clone() })))
            .await?;
        if self.global.dry_run {
            self.printer.text(&prompt::plan_text(&plan, self.global.verbose));
            self.printer.text(&format!(
                "then: run {:?}; when it fails, restore that snapshot in place\nneeds:{}",
                self.args.command[0],
                consent_flags(true, &self.address)
            ));
            return Ok(ExitStatus::Done);
        }
        // Consent comes first: when the command has failed nobody may be there to give it.
        let consent = self.consent()?;
        drop(self.services.journal.claim(&self.address.to_string())?);
        for open in self.services.journal.open().into_iter().filter(|past| past.target == self.address.to_string()) {
            self.say(&format!(
                "{} of {} is open since {}: `qsnap history show {}` tells what may be half done",
                open.operation,
                open.target,
                crate::domain::time::second(open.at),
                open.id
            ));
        }
        let taken = self.job(plan, &Consent::Yes, &self.signals).await?;
        let [snapshot] = &taken.created[..] else {
            return Err(Problem::new(ProblemKind::Refused, "its shards are on several nodes", self.address.to_string()).advise(
                format!("guard needs a collection that one node holds; nothing was run; kept: {}", taken.created.join(", ")),
            ));
        };
        self.say(&format!("snapshot {snapshot}"));
        let name = match Address::parse(snapshot) {
            Ok(Address::Snapshot(_, Which::Named(name))) => name,
            _ => return Err(Problem::new(ProblemKind::Failed, "the snapshot has no address", snapshot)),
        };
        self.provable(&name, snapshot)?;
        // What would keep the rollback from working must be known before anything runs.
        let kept = |problem: Problem| {
            let advice = format!("nothing was run; the snapshot {snapshot} is kept; {}", problem.advice);
            problem.advise(advice)
        };
        let rollback = self.unless_stopped(verbs::plan(self.services, self.rollback(&name))).await.map_err(kept)?;
        if let Some(finding) = rollback.blocked().first() {
            return Err(Problem::new(
                ProblemKind::Refused,
                format!("it could not be rolled back: {}", finding.message),
                snapshot,
            )
            .advise(format!("nothing was run; the snapshot is kept; {}", finding.advice)));
        }
        let aliases = self.unless_stopped(Aliases::before(self.services, &self.address)).await.map_err(kept)?;
        // One that came before the command is meant for guard: nothing is run any more.
        if let Some(signal) = self.signals.heard() {
            self.say(&format!("stopped by a signal; nothing was run; the snapshot is kept: {snapshot}"));
            return Ok(ExitStatus::Stopped(signal));
        }
        let program = self.args.command.first().map_or("", String::as_str);
        let guarded = Guarded::begin(self.services, &self.address, snapshot, (program, &aliases.words()))?;
        let failed = match command::run(
            program,
            self.args.command.get(1..).unwrap_or_default(),
            snapshot,
            self.signals.from_now(),
        )
        .await
        {
            Ok(0) => self.check(snapshot).await,
            Ok(code) => Some((format!("the command ended with {code}"), code)),
            Err(problem) => {
                guarded.never_ran();
                return Err(problem);
            }
        };
        let Some((why, code)) = failed else { return self.ended_well(&guarded, &name, snapshot, &aliases).await };
        let rolled = self.roll_back(&guarded, (&name, snapshot), &why, code, &consent).await;
        match &rolled {
            Ok(ExitStatus::Command(_)) => self.written(guarded.settled("rolled back")),
            Ok(_) => guarded.failed("the rollback is not proven"),
            Err(problem) => guarded.failed(&problem.message),
        }
        self.settle_aliases(rolled, &aliases, &consent).await
    }

    /// A snapshot whose whole sample changed while it was taken cannot be proven, and a rollback wants a proof.
    fn provable(&self, name: &SnapshotName, snapshot: &str) -> Result<(), Problem> {
        let proof = self.services.proofs.by_name(name.raw());
        let moving = proof.is_some_and(|(_, proof)| proof.samples.is_empty() && proof.points_max > 0);
        if !moving || skipped(&self.args.skip).proof {
            return Ok(());
        }
        Err(Problem::new(
            ProblemKind::Refused,
            "it could not be rolled back: every sampled point changed while the snapshot was taken",
            snapshot,
        )
        .advise("nothing was run; the snapshot is kept; try again when less is written, or give --skip proof"))
    }

    /// Reads what is needed before the command is run; a signal ends it at once.
    async fn unless_stopped<T>(&self, work: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
        let mut signals = self.signals.clone();
        tokio::select! {
            done = work => done,
            signal = signals.next() => {
                self.stopped.set(Some(signal));
                Err(Problem::new(ProblemKind::Canceled, "stopped by a signal", self.address.to_string()).advise("nothing was run"))
            }
        }
    }

    /// Whether the check, if there is one, failed: why, and with which code.
    async fn check(&self, snapshot: &str) -> Option<(String, u8)> {
        let line = self.args.check.clone()?;
        match command::run("sh", &["-c".to_owned(), line], snapshot, self.signals.from_now()).await {
            Ok(0) => None,
            Ok(code) => Some((format!("the check ended with {code}"), code)),
            Err(problem) => Some((format!("the check could not be made: {}", problem.message), 1)),
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
            for request in aliases.free().await.unwrap_or_default() {
                let made = match verbs::plan(self.services, request).await {
                    Ok(plan) => self.later_job(plan, consent).await,
                    Err(problem) => Err(problem),
                };
                match made {
                    Ok(report) => self.say(&format!("made again: {}", report.lines().join("; "))),
                    Err(problem) => self.printer.problem(&problem),
                }
            }
        }
        let missing = aliases.missing().await;
        // Wrong data is the worse news of the two, and the last one to be read.
        if let Some(missing) = &missing {
            self.printer.problem(missing);
        }
        match rolled {
            Ok(ExitStatus::Command(_)) if missing.is_some() => Ok(ExitStatus::Failed),
            Ok(status) => Ok(status),
            Err(problem) => {
                self.printer.problem(&problem);
                Ok(ExitStatus::Failed)
            }
        }
    }

    /// A record whose end is missing invites to roll back what is right.
    fn written(&self, written: bool) {
        if !written {
            let message = "the journal could not be written: the record of this guard stays open";
            self.printer.problem(
                &Problem::new(ProblemKind::Failed, message, self.address.to_string())
                    .advise("it came to its end: do not roll it back; `qsnap history clean-up` takes it off the list"),
            );
        }
    }

    fn say(&self, words: &str) {
        match self.printer.output {
            _ if self.global.quiet => {}
            Output::Json => self.printer.note(&json!({"version": 1, "guard": words}).to_string()),
            Output::Table => self.printer.note(&format!("guard: {words}")),
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

    fn rollback(&self, name: &SnapshotName) -> Request {
        let source = RecoveryPoint::Snapshot(self.address.clone(), Which::Named(name.clone()));
        let request = RestoreRequest::new(source, self.address.clone(), Mode::InPlace, Route::Auto);
        Request::Restore(RestoreRequest { skips: skipped(&self.args.skip), ..request })
    }

    async fn job(&self, plan: Plan, consent: &Consent, signals: &Signals) -> Result<Report, Problem> {
        let handle = engine::start(self.services, plan.approve(consent)?);
        let Watched { result, stopped } = watch(self.services, self.global, self.printer, handle, signals.clone()).await;
        if let (Err(_), Some(signal)) = (&result, stopped) {
            self.stopped.set(Some(signal));
        }
        result
    }

    /// A job after the command: what was heard while that ran was meant for it.
    async fn later_job(&self, plan: Plan, consent: &Consent) -> Result<Report, Problem> {
        self.job(plan, consent, &self.signals.from_now()).await
    }

    /// A command that says it ended well may still have done what nobody meant.
    async fn ended_well(
        &self,
        guarded: &Guarded<'_>,
        name: &SnapshotName,
        snapshot: &str,
        aliases: &Aliases<'_>,
    ) -> Result<ExitStatus, Problem> {
        let connection = self.services.connection(&self.address.instance).await?;
        // What cannot be told leaves the record open.
        let there = name_use(&connection, &self.address).await.map_err(|problem| {
            let advice = format!("the command ended well, but whether the collection is there is not known; {}", problem.advice);
            problem.advise(advice)
        })?;
        if let NameUse::Free | NameUse::Alias(_) = there {
            self.written(guarded.settled("the collection is gone"));
            let message = "the command ended well, but the collection is gone";
            return Err(Problem::new(ProblemKind::Failed, message, self.address.to_string()).advise(format!(
                "its snapshots are on the node's disk: while nothing has its name, `{}` brings it back",
                Request::Revive(ReviveRequest::from(&self.address, name)).consented()
            )));
        }
        self.written(guarded.settled("done"));
        if let Some(missing) = aliases.missing().await {
            self.say(&format!("{} ({})", missing.message, missing.advice));
        }
        self.forget(name, snapshot).await
    }

    async fn forget(&self, name: &SnapshotName, snapshot: &str) -> Result<ExitStatus, Problem> {
        if !self.args.forget {
            self.say(&format!("the command succeeded; the snapshot is kept: {snapshot}"));
            return Ok(ExitStatus::Done);
        }
        let request = Request::Delete(DeleteRequest { address: self.address.clone(), names: vec![name.clone()] });
        let plan = verbs::plan(self.services, request).await?;
        self.later_job(plan, &Consent::Typed(self.address.to_string())).await?;
        self.say("the command succeeded; the snapshot is deleted");
        Ok(ExitStatus::Done)
    }

    /// What brings the snapshot back, whatever the command left in its place.
    async fn way_back(&self, guarded: &Guarded<'_>, name: &SnapshotName, consent: &Consent) -> Result<Plan, Problem> {
        let address = &self.address;
        let revive = || Request::Revive(ReviveRequest::from(address, name));
        let connection = self.services.connection(&address.instance).await?;
        match name_use(&connection, address).await? {
            // The command deleted it: its snapshot is still on the node's disk.
            NameUse::Free => return verbs::plan(self.services, revive()).await,
            NameUse::Alias(real) => {
                let message = format!("the command deleted it and made its name an alias of {real}");
                return Err(Problem::new(ProblemKind::Refused, message, address.to_string())
                    .advise(format!("remove that alias, then `{}`", revive().consented())));
            }
            NameUse::Collection => {}
        }
        let over = verbs::plan(self.services, self.rollback(name)).await?;
        if over.other_shape().is_none() {
            return Ok(over);
        }
        // The command made it anew with another shape: nothing can be restored over that.
        if !skipped(&self.args.skip).safety {
            let plan = verbs::plan(self.services, Request::Create(CreateRequest { address: address.clone() })).await?;
            for snapshot in self.later_job(plan, consent).await?.created {
                guarded.replaced(&snapshot);
                self.say(&format!("kept: {snapshot} (what the command made in its place)"));
            }
        }
        let plan =
            verbs::plan(self.services, Request::Drop(DropRequest { address: address.clone(), with_aliases: true })).await?;
        self.later_job(plan, consent).await?;
        verbs::plan(self.services, revive()).await
    }

    /// Whether the way back is still there; `None` where that cannot be told.
    async fn snapshot_is_there(&self, name: &SnapshotName) -> Option<bool> {
        let connection = self.services.connection(&self.address.instance).await.ok()?;
        let (listed, problems) = locate::snapshots(&connection, &self.address).await;
        let there = listed.iter().any(|located| located.snapshot.name == *name);
        (there || problems.is_empty()).then_some(there)
    }

    async fn roll_back(
        &self,
        guarded: &Guarded<'_>,
        (name, snapshot): (&SnapshotName, &str),
        why: &str,
        code: u8,
        consent: &Consent,
    ) -> Result<ExitStatus, Problem> {
        self.say(&format!("{why}; rolling {} back", self.address));
        let rolling = async {
            let mut plan = self.way_back(guarded, name, consent).await?;
            // Consent was given to whatever the command, or anybody else, leaves there.
            plan.whatever_is_written();
            self.later_job(plan, consent).await
        };
        let report = match rolling.await {
            Ok(report) => report,
            Err(problem) => {
                let back = match self.services.connection(&self.address.instance).await {
                    Ok(connection) if matches!(name_use(&connection, &self.address).await, Ok(NameUse::Free)) => {
                        let revive = Request::Revive(ReviveRequest::from(&self.address, name)).consented();
                        format!("; {} does not exist now: `{revive}` brings it back", self.address)
                    }
                    _ => String::new(),
                };
                let kept = match self.snapshot_is_there(name).await {
                    Some(true) => format!("the snapshot {snapshot} is kept"),
                    Some(false) => format!("the snapshot {snapshot} is gone: the command, or somebody else, deleted it"),
                    None => format!("whether the snapshot {snapshot} is still there is not known"),
                };
                let advice = format!("THE ROLLBACK FAILED{back}; {kept}; {}", problem.advice);
                return Err(problem.advise(advice));
            }
        };
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
