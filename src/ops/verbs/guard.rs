//! Guarding a command: a snapshot, the command, and the collection as it was when that fails.
//!
//! The command itself, and how jobs are watched, are a [`Port`] that the front end supplies: the same guard works for a shell, a
//! terminal UI and a drill. [`record`] keeps what a kill must not lose; [`way_back`] brings the collection back; [`aliases`] are no
//! part of a snapshot and come back by themselves.

mod aliases;
pub(super) mod record;
mod way_back;

use crate::domain::address::{Address, CollectionAddress, Which};
use crate::domain::ids::SnapshotName;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::time;
use crate::ops::plan::Plan;
use crate::ops::plan::consent::{Approved, Consent, Need};
use crate::ops::report::Report;
use crate::ops::report::verdict::Verdict;
use crate::ops::request::Request;
use crate::ops::request::collections::ReviveRequest;
use crate::ops::request::guard::GuardRequest;
use crate::ops::request::snapshots::{CreateRequest, DeleteRequest};
use crate::ops::services::Services;
use crate::ops::survey::locate::{NameUse, name_use};
use crate::ops::verbs;
use crate::ops::verbs::guard::aliases::Aliases;
use crate::ops::verbs::guard::record::Guarded;
use async_trait::async_trait;
use futures_util::FutureExt;
use std::sync::Arc;

/// What a guard needs from the front end.
#[async_trait]
pub trait Port: Sync {
    /// What the command is called, for the record.
    fn program(&self) -> &str;

    /// Runs the command; `snapshot` is the address of the way back. Gives its exit code.
    ///
    /// # Errors
    /// When it could not be started: then nothing was run.
    async fn command(&self, snapshot: &str) -> Result<u8, Problem>;

    /// Runs the check after a command that succeeded, where there is one.
    async fn check(&self, snapshot: &str) -> Option<Result<u8, Problem>>;

    /// Starts a job and waits for it. Before the command a wish to stop cancels it; what was heard while the command ran was
    /// meant for that.
    async fn job(&self, approved: Approved, when: When) -> Result<Report, Problem>;

    /// Ends when somebody wants to stop, whether that was wished before or is only now.
    async fn stopped(&self);

    /// Tells a person.
    fn say(&self, words: &str);

    /// Tells what went wrong, where that is not the end.
    fn problem(&self, problem: &Problem);
}

/// When a job is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Before the command.
    Before,
    /// After it.
    After,
}

/// How a guard ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// The command succeeded.
    Well,
    /// The command failed with this code, and the collection is as it was, proven.
    RolledBack(u8),
    /// It was rolled back, and differs from what it was.
    Differs,
    /// It was rolled back and that could not be checked, or something is missing that was there.
    NotProven,
}

struct Guard<'a> {
    services: &'a Arc<Services>,
    port: &'a dyn Port,
    request: &'a GuardRequest,
}

/// The way back, before anything is run.
struct WayBack {
    name: SnapshotName,
    /// Its address.
    shown: String,
}

/// The plan of the snapshot that a guard begins with.
///
/// # Errors
/// Those of planning a snapshot.
pub async fn plan(services: &Services, request: &GuardRequest) -> Result<Plan, Problem> {
    verbs::plan(services, Request::Create(CreateRequest { of: request.address.clone().into() })).await
}

/// Guards a command. Consent to the rollback comes first: when the command fails the user may be away.
///
/// # Errors
/// When nothing was run, when the rollback failed, and when the state of the collection is unknown.
pub async fn guard(
    services: &Arc<Services>,
    port: &dyn Port,
    request: &GuardRequest,
    consent: &Consent,
) -> Result<Ended, Problem> {
    let expected = request.address.to_string();
    if *consent != Consent::Typed(expected.clone()) {
        let words = format!("when the command fails, {expected} is overwritten with the snapshot: that needs its address");
        return Err(Problem::new(ProblemKind::Refused, words, &expected)
            .advise(format!("nothing was run; give --yes --confirm '{expected}'")));
    }
    let guard = Guard { services, port, request };
    let way_back = guard.secure().await?;
    let aliases = guard.ready(&way_back).await?;
    guard.run(&way_back, &aliases).await
}

impl Guard<'_> {
    fn address(&self) -> &CollectionAddress {
        &self.request.address
    }

    /// Takes the snapshot.
    async fn secure(&self) -> Result<WayBack, Problem> {
        let address = self.address().to_string();
        let plan = self.unless_stopped(plan(self.services, self.request)).await?;
        drop(self.services.journal.claim(&address)?);
        for open in self.services.journal.open().into_iter().filter(|past| past.target == address) {
            self.port.say(&format!(
                "{} of {} is open since {}: `qsnap history show {}` tells what may be half done",
                open.operation,
                open.target,
                time::second(open.at),
                open.id
            ));
        }
        let taken = self.port.job(plan.approve(&Consent::Yes)?, When::Before).await?;
        let [snapshot] = &taken.created[..] else {
            return Err(Problem::new(ProblemKind::Refused, "its shards are on several nodes", address).advise(format!(
                "guard needs a collection that one node holds; nothing was run; kept: {}",
                taken.created.join(", ")
            )));
        };
        self.port.say(&format!("snapshot {snapshot}"));
        match Address::parse(snapshot) {
            Ok(Address::Snapshot(_, Which::Named(name))) => Ok(WayBack { name, shown: snapshot.clone() }),
            _ => Err(Problem::new(ProblemKind::Failed, "the snapshot has no address", snapshot)),
        }
    }

    /// What would keep the rollback from working must be known before anything runs.
    async fn ready(&self, way_back: &WayBack) -> Result<Aliases<'_>, Problem> {
        self.provable(way_back)?;
        let kept = |problem: Problem| {
            let advice = format!("nothing was run; the snapshot {} is kept; {}", way_back.shown, problem.advice);
            problem.advise(advice)
        };
        let rollback = Request::Restore(self.request.rollback(&way_back.name));
        let rollback = self.unless_stopped(verbs::plan(self.services, rollback)).await.map_err(kept)?;
        if let Some(finding) = rollback.blocked().first() {
            let message = format!("it could not be rolled back: {}", finding.message);
            return Err(Problem::new(ProblemKind::Refused, message, &way_back.shown)
                .advise(format!("nothing was run; the snapshot is kept; {}", finding.advice)));
        }
        self.unless_stopped(Aliases::before(self.services, self.address())).await.map_err(kept)
    }

    /// A snapshot whose whole sample changed while it was taken cannot be proven, and a rollback wants a proof.
    fn provable(&self, way_back: &WayBack) -> Result<(), Problem> {
        let proof = self.services.proofs.by_name(way_back.name.raw());
        let moving = proof.is_some_and(|(_, proof)| proof.samples.is_empty() && proof.points_max > 0);
        if !moving || self.request.skips.proof {
            return Ok(());
        }
        let message = "it could not be rolled back: every sampled point changed while the snapshot was taken";
        Err(Problem::new(ProblemKind::Refused, message, &way_back.shown)
            .advise("nothing was run; the snapshot is kept; try again when less is written, or give --skip proof"))
    }

    /// Runs the command, and rolls back when it fails.
    async fn run(&self, way_back: &WayBack, aliases: &Aliases<'_>) -> Result<Ended, Problem> {
        // A wish to stop that came before the command is meant for guard: nothing is run any more.
        if self.port.stopped().now_or_never().is_some() {
            return Err(Problem::new(ProblemKind::Canceled, "stopped by a signal", self.address().to_string())
                .advise(format!("nothing was run; the snapshot is kept: {}", way_back.shown)));
        }
        let program = self.port.program();
        let guarded = Guarded::begin(self.services, self.address(), &way_back.shown, (program, &aliases.words()))?;
        let failed = match self.port.command(&way_back.shown).await {
            Ok(0) => self.check(way_back).await,
            Ok(code) => Some((format!("the command ended with {code}"), code)),
            Err(problem) => {
                guarded.never_ran();
                return Err(problem);
            }
        };
        let Some((why, code)) = failed else { return self.ended_well(&guarded, way_back, aliases).await };
        let rolled = self.roll_back(&guarded, way_back, &why, code).await;
        match &rolled {
            Ok(Ended::RolledBack(_)) => self.written(guarded.settled("rolled back")),
            Ok(_) => guarded.failed("the rollback is not proven"),
            Err(problem) => guarded.failed(&problem.message),
        }
        self.settle_aliases(rolled, aliases).await
    }

    /// Reads what is needed before the command is run; a wish to stop ends it at once.
    async fn unless_stopped<T>(&self, work: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
        tokio::select! {
            biased;
            () = self.port.stopped() => {
                Err(Problem::new(ProblemKind::Canceled, "stopped by a signal", self.address().to_string()).advise("nothing was run"))
            }
            done = work => done,
        }
    }

    /// Whether the check, if there is one, failed: why, and with which code.
    async fn check(&self, way_back: &WayBack) -> Option<(String, u8)> {
        match self.port.check(&way_back.shown).await? {
            Ok(0) => None,
            Ok(code) => Some((format!("the check ended with {code}"), code)),
            Err(problem) => Some((format!("the check could not be made: {}", problem.message), 1)),
        }
    }

    /// Readers come back to data that is proven only; of all else it is told which aliases are missing.
    async fn settle_aliases(&self, rolled: Result<Ended, Problem>, aliases: &Aliases<'_>) -> Result<Ended, Problem> {
        if let Ok(Ended::RolledBack(_)) = rolled {
            // When they cannot be listed, that is what is missing.
            for request in aliases.free().await.unwrap_or_default() {
                match self.later(request).await {
                    Ok(report) => self.port.say(&format!("made again: {}", report.lines().join("; "))),
                    Err(problem) => self.port.problem(&problem),
                }
            }
        }
        let missing = aliases.missing().await;
        // Wrong data is the worse news of the two, and the last one to be read.
        if let Some(missing) = &missing {
            self.port.problem(missing);
        }
        match rolled {
            Ok(Ended::RolledBack(_)) if missing.is_some() => Ok(Ended::NotProven),
            Ok(ended) => Ok(ended),
            Err(problem) => {
                self.port.problem(&problem);
                Ok(Ended::NotProven)
            }
        }
    }

    /// Plans and runs something after the command. Consent was given to whatever the command, or anybody else, leaves there.
    async fn later(&self, request: Request) -> Result<Report, Problem> {
        self.later_plan(verbs::plan(self.services, request).await?).await
    }

    async fn later_plan(&self, plan: Plan) -> Result<Report, Problem> {
        let consent = match plan.need() {
            Need::Typed(text) => Consent::Typed(text),
            _ => Consent::Yes,
        };
        self.port.job(plan.approve(&consent)?, When::After).await
    }

    /// A record whose end is missing invites to roll back what is right.
    fn written(&self, written: bool) {
        if !written {
            let message = "the journal could not be written: the record of this guard stays open";
            self.port.problem(
                &Problem::new(ProblemKind::Failed, message, self.address().to_string())
                    .advise("it came to its end: do not roll it back; `qsnap history clean-up` takes it off the list"),
            );
        }
    }

    /// A command with exit code 0 may still have done damage.
    async fn ended_well(&self, guarded: &Guarded<'_>, way_back: &WayBack, aliases: &Aliases<'_>) -> Result<Ended, Problem> {
        let address = self.address();
        let connection = self.services.connection(&address.instance).await?;
        // What cannot be told leaves the record open.
        let there = name_use(&connection, address).await.map_err(|problem| {
            let advice = format!("the command ended well, but whether the collection is there is not known; {}", problem.advice);
            problem.advise(advice)
        })?;
        if let NameUse::Free | NameUse::Alias(_) = there {
            self.written(guarded.settled("the collection is gone"));
            let message = "the command ended well, but the collection is gone";
            return Err(Problem::new(ProblemKind::Failed, message, address.to_string()).advise(format!(
                "its snapshots are on the node's disk: while nothing has its name, `{}` brings it back",
                Request::Revive(ReviveRequest::from(address, &way_back.name)).consented()
            )));
        }
        self.written(guarded.settled("done"));
        if let Some(missing) = aliases.missing().await {
            self.port.say(&format!("{} ({})", missing.message, missing.advice));
        }
        if !self.request.forget {
            self.port.say(&format!("the command succeeded; the snapshot is kept: {}", way_back.shown));
            return Ok(Ended::Well);
        }
        self.later(Request::Delete(DeleteRequest { of: address.clone().into(), names: vec![way_back.name.clone()] })).await?;
        self.port.say("the command succeeded; the snapshot is deleted");
        Ok(Ended::Well)
    }

    async fn roll_back(&self, guarded: &Guarded<'_>, way_back: &WayBack, why: &str, code: u8) -> Result<Ended, Problem> {
        let address = self.address();
        self.port.say(&format!("{why}; rolling {address} back"));
        let report = match self.bring_back(guarded, way_back).await {
            Ok(report) => report,
            Err(problem) => return Err(self.rollback_failed(way_back, problem).await),
        };
        let verdict = report.verdict.clone().unwrap_or(Verdict::CouldNotCheck("nothing was compared".into()));
        match &report.rollback {
            None => self.port.say(&format!("rolled back; {}", verdict.sentence())),
            // What it then put back is what was there right before: the command's work.
            Some(back) => {
                let message = format!("the snapshot did not come back as it was taken: {}", verdict.reason());
                let advice = format!("{address} is as the command left it, as far as is known: {}", back.sentence());
                self.port.problem(&Problem::new(ProblemKind::Difference, message, address.to_string()).advise(advice));
            }
        }
        for thing in &report.left_behind {
            self.port.say(&format!("kept: {thing} (what the command left)"));
        }
        Ok(match verdict {
            Verdict::Matches(_) => Ended::RolledBack(code),
            Verdict::Differs(_) => Ended::Differs,
            Verdict::CouldNotCheck(_) => Ended::NotProven,
        })
    }
}
