//! The aliases of a guarded collection. They are no part of a snapshot, and a collection without the alias that its readers
//! use is not as it was.

use crate::domain::address::CollectionAddress;
use crate::domain::ids::CollectionName;
use crate::domain::instance::Protection;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::text::one_line;
use crate::ops::request::Request;
use crate::ops::request::collections::SwitchRequest;
use crate::ops::request::command::consent_flags;
use crate::ops::services::Services;
use std::collections::BTreeSet;

/// Where an alias is that does not point at the collection any more.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Nowhere,
    Elsewhere(CollectionName),
    /// A collection has its name now.
    Taken,
}

/// What pointed at the collection before the command ran.
pub(super) struct Aliases<'a> {
    services: &'a Services,
    address: &'a CollectionAddress,
    before: BTreeSet<String>,
}

impl<'a> Aliases<'a> {
    /// Lists them.
    ///
    /// # Errors
    /// When they cannot be listed: what is not known cannot come back, and that must be known before anything runs.
    pub(super) async fn before(services: &'a Services, address: &'a CollectionAddress) -> Result<Self, Problem> {
        let connection = services.connection(&address.instance).await?;
        let listed = connection.whole().aliases().await.map_err(|error| {
            let problem = error.into_problem(address.to_string());
            let advice = format!("nothing was run: aliases that the command takes could not come back; {}", problem.advice);
            problem.advise(advice)
        })?;
        let own = listed.into_iter().filter(|alias| alias.collection == address.collection);
        Ok(Self { services, address, before: own.map(|alias| alias.alias).collect() })
    }

    /// All of them, for the record.
    pub(super) fn words(&self) -> String {
        self.before.iter().map(|alias| one_line(alias, 100)).collect::<Vec<_>>().join(", ")
    }

    /// Those that do not point at the collection now.
    async fn lost(&self) -> Result<Vec<(&str, Place)>, Problem> {
        if self.before.is_empty() {
            return Ok(Vec::new());
        }
        let connection = self.services.connection(&self.address.instance).await?;
        let (aliases, names) = tokio::join!(connection.whole().aliases(), connection.whole().collections());
        let aliases = aliases.map_err(|error| error.into_problem(self.address.to_string()))?;
        let names = names.map_err(|error| error.into_problem(self.address.to_string()))?;
        let place = |name: &str| match aliases.iter().find(|known| known.alias == name) {
            Some(known) if known.collection == self.address.collection => None,
            Some(known) => Some(Place::Elsewhere(known.collection.clone())),
            None if names.iter().any(|known| known.raw() == name) => Some(Place::Taken),
            None => Some(Place::Nowhere),
        };
        Ok(self.before.iter().filter_map(|name| Some((name.as_str(), place(name)?))).collect())
    }

    /// What makes those again whose names are free. One that points elsewhere now may be needed there, and is not taken.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub(super) async fn free(&self) -> Result<Vec<Request>, Problem> {
        let lost = self.lost().await?;
        let free = lost.into_iter().filter(|(_, place)| *place == Place::Nowhere);
        Ok(free.map(|(alias, _)| Request::Switch(SwitchRequest::of_free(alias, self.address))).collect())
    }

    /// What is still missing, as a problem; `None` when all point at the collection.
    pub(super) async fn missing(&self) -> Option<Problem> {
        let lost = match self.lost().await {
            Ok(lost) => lost,
            Err(problem) => {
                let advice =
                    format!("whether its aliases point at it is not known; they were: {}; {}", self.words(), problem.advice);
                return Some(problem.advise(advice));
            }
        };
        let shown = |(alias, place): &(&str, Place)| {
            let alias = one_line(alias, 100);
            match place {
                Place::Nowhere => format!("{alias} (is gone)"),
                Place::Elsewhere(name) => format!("{alias} (points at {name})"),
                Place::Taken => format!("{alias} (is a collection now)"),
            }
        };
        let words: Vec<String> = lost.iter().map(shown).collect();
        let advice = match lost.iter().find(|(_, place)| *place != Place::Taken) {
            Some((alias, _)) => format!("`{}` points one at it again", self.command(alias)),
            None if lost.is_empty() => return None,
            None => "delete that collection, or let the readers use another name".to_owned(),
        };
        let message = format!("aliases that pointed at it do not: {}", one_line(&words.join(", "), 300));
        Some(Problem::new(ProblemKind::Failed, message, self.address.to_string()).advise(advice))
    }

    fn command(&self, alias: &str) -> String {
        let instance = self.services.instance(&self.address.instance);
        let typed = instance.is_ok_and(|instance| instance.protection == Protection::Protected);
        let request = SwitchRequest::new(alias, self.address);
        let consent = consent_flags(typed, &request.shown());
        Request::Switch(request).command() + &consent
    }
}
