//! The record of a guarded command: only it knows what the command does to the collection, so that a guard that
//! is killed leaves an operation behind that can be rolled back to its snapshot.

use crate::domain::address::CollectionAddress;
use crate::domain::problem::Problem;
use crate::ops::journal::claim::{Claim, Holder};
use crate::ops::journal::event::Made;
use crate::ops::journal::record::{Opening, Record};
use crate::ops::journal::step_names::{ALIASES_BEFORE, GUARDED_COMMAND};
use crate::ops::request::verb::Verb;
use crate::ops::services::Services;
use serde_json::json;

fn command_of(target: &str) -> String {
    format!("command of guard of {target}")
}

/// Whether something that a guarded command started is still alive.
pub(in crate::ops) fn command_lives(services: &Services, target: &str) -> bool {
    services.journal.is_claimed(&command_of(target))
}

/// A command that is about to run, or runs.
pub(crate) struct Guarded<'a> {
    services: &'a Services,
    record: Record,
    _claim: Claim,
    _command: Option<Claim>,
}

impl<'a> Guarded<'a> {
    /// Begins the record, with the way back.
    ///
    /// # Errors
    /// When the journal cannot be written: then nothing should be run.
    pub(crate) fn begin(
        services: &'a Services,
        address: &CollectionAddress,
        snapshot: &str,
        (program, aliases): (&str, &str),
    ) -> Result<Self, Problem> {
        let target = address.to_string();
        // Not the claim on the target: what the command does may well be an operation of ours.
        let claim = services.journal.claim(&format!("guard of {target}")).map_err(|problem| {
            Problem { on: target.clone(), ..problem }
                .advise("nothing was run: a rollback of one would take the work of the other away")
        })?;
        // The command outlives a guard that is killed.
        let command = services.journal.claim(&command_of(&target)).ok();
        command.iter().for_each(Claim::inherit);
        let opening = Opening::new(Verb::Guard.word(), snapshot, &target);
        let now = services.clock.now();
        let record = services.journal.begin(now, &opening)?;
        record.made(now, Made::Before, snapshot)?;
        if !aliases.is_empty() {
            record.step_begins(now, ALIASES_BEFORE, aliases)?;
            record.step_ends(now, ALIASES_BEFORE, "ok")?;
        }
        record.step_begins(now, GUARDED_COMMAND, program)?;
        record.handed_over(now)?;
        claim.name(&Holder {
            operation: Verb::Guard.word().into(),
            id: record.id(),
            who: services.journal.operator().to_owned(),
        });
        Ok(Self { services, record, _claim: claim, _command: command })
    }

    /// Notes one more snapshot that is no recovery point: of what a rollback replaces.
    pub(crate) fn replaced(&self, snapshot: &str) {
        let _ = self.record.made(self.services.clock.now(), Made::Safety, snapshot);
    }

    /// The collection is what it should be, or what the command meant: `result` in a word or two. Tells whether that could be
    /// written: else the record reads as if guard had been killed.
    pub(crate) fn settled(&self, result: &str) -> bool {
        let now = self.services.clock.now();
        let stepped = self.record.step_ends(now, GUARDED_COMMAND, "ok");
        stepped.and_then(|()| self.record.end(now, result, json!({}))).is_ok()
    }

    /// Nothing was run.
    pub(crate) fn never_ran(&self) {
        let _ = self.record.handed_back(self.services.clock.now());
        self.settled("nothing was run");
    }

    /// The collection is not what it was: the record stays open.
    pub(crate) fn failed(&self, why: &str) {
        let now = self.services.clock.now();
        let _ = self.record.step_ends(now, GUARDED_COMMAND, why);
        let _ = self.record.end(now, "failed", json!({"problem": {"on": "the rollback", "message": why, "advice": ""}}));
    }
}
