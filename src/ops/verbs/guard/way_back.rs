//! Bringing the snapshot of a guard back, whatever the command left in its place.

use crate::domain::problem::{Problem, ProblemKind};
use crate::ops::plan::Plan;
use crate::ops::report::Report;
use crate::ops::request::Request;
use crate::ops::request::collections::{DropRequest, ReviveRequest};
use crate::ops::request::snapshots::CreateRequest;
use crate::ops::survey::locate::{self, NameUse, name_use};
use crate::ops::verbs;
use crate::ops::verbs::guard::record::Guarded;
use crate::ops::verbs::guard::{Guard, WayBack};

impl Guard<'_> {
    pub(super) async fn bring_back(&self, guarded: &Guarded<'_>, way_back: &WayBack) -> Result<Report, Problem> {
        let mut plan = self.plan_back(guarded, way_back).await?;
        // Consent was given to whatever the command, or anybody else, leaves there.
        plan.whatever_is_written();
        self.later_plan(plan).await
    }

    /// The plan that does it.
    async fn plan_back(&self, guarded: &Guarded<'_>, way_back: &WayBack) -> Result<Plan, Problem> {
        let address = self.address();
        let revive = || Request::Revive(ReviveRequest::from(address, &way_back.name));
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
        let over = verbs::plan(self.services, Request::Restore(self.request.rollback(&way_back.name))).await?;
        if over.other_shape().is_none() {
            return Ok(over);
        }
        // The command made it anew with another shape: nothing can be restored over that.
        if !self.request.skips.safety {
            for snapshot in self.later(Request::Create(CreateRequest { of: address.clone().into() })).await?.created {
                guarded.replaced(&snapshot);
                self.port.say(&format!("kept: {snapshot} (what the command made in its place)"));
            }
        }
        self.later(Request::Drop(DropRequest { address: address.clone(), with_aliases: true })).await?;
        verbs::plan(self.services, revive()).await
    }

    /// The state after a rollback that failed, and how to bring the collection back by hand.
    pub(super) async fn rollback_failed(&self, way_back: &WayBack, problem: Problem) -> Problem {
        let address = self.address();
        let back = match self.services.connection(&address.instance).await {
            Ok(connection) if matches!(name_use(&connection, address).await, Ok(NameUse::Free)) => {
                let revive = Request::Revive(ReviveRequest::from(address, &way_back.name)).consented();
                format!("; {address} does not exist now: `{revive}` brings it back")
            }
            _ => String::new(),
        };
        let snapshot = &way_back.shown;
        let kept = match self.is_there(way_back).await {
            Some(true) => format!("the snapshot {snapshot} is kept"),
            Some(false) => format!("the snapshot {snapshot} is gone: the command, or another client, deleted it"),
            None => format!("whether the snapshot {snapshot} is still there is not known"),
        };
        let advice = format!("THE ROLLBACK FAILED{back}; {kept}; {}", problem.advice);
        problem.advise(advice)
    }

    /// Whether the way back is still there; `None` where that cannot be told.
    async fn is_there(&self, way_back: &WayBack) -> Option<bool> {
        let connection = self.services.connection(&self.address().instance).await.ok()?;
        let (listed, problems) = locate::snapshots(&connection, self.address()).await;
        let there = listed.iter().any(|located| located.snapshot.name == way_back.name);
        (there || problems.is_empty()).then_some(there)
    }
}
