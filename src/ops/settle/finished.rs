//! The snapshot that was being taken when an operation broke off: a server that is asked goes on when its client dies.

use crate::domain::address::CollectionAddress;
use crate::domain::problem::Problem;
use crate::ops::create::shown;
use crate::ops::flow::Finding;
use crate::ops::history::Past;
use crate::ops::journal::Thing;
use crate::ops::resolve::snapshots;
use crate::ops::safeties::taken_by;
use crate::ops::services::Services;

/// The snapshot that was being taken when the operation broke off, if the server finished it. Were there several new ones,
/// nobody could tell which is ours: they stay, and are named.
pub(super) async fn finished(services: &Services, past: &Past, findings: &mut Vec<Finding>) -> Result<Option<Thing>, Problem> {
    let Some(taking) = &past.taking else { return Ok(None) };
    let Ok(address) = CollectionAddress::parse(&taking.collection) else { return Ok(None) };
    let connection = services.connection(&address.instance).await?;
    let (listed, problems) = snapshots(&connection, &address).await;
    if let Some(problem) = problems.into_iter().next() {
        return Err(problem);
    }
    let new =
        listed.iter().map(|located| &located.snapshot.name).filter(|name| !taking.known.iter().any(|known| known == name.raw()));
    let ours = taken_by(taking, &address, listed.iter().map(|located| &located.snapshot.name));
    Ok(match ours {
        None => {
            findings.push(Finding::good(
                "left behind",
                format!("the {} is not finished; it is looked for once more", taking.kind.words()),
            ));
            None
        }
        Some(name) if new.count() == 1 => {
            let thing = Thing { kind: taking.kind, thing: shown(&address, name) };
            let words = format!("{} {}: the server finished it after the operation broke off", thing.kind.words(), thing.thing);
            findings.push(Finding::look("left behind", words, "clean-up removes it; the collection itself is not touched"));
            Some(thing)
        }
        Some(name) => {
            let words = format!(
                "{} may be the {} of this operation; others appeared since, too",
                shown(&address, name),
                taking.kind.words()
            );
            findings.push(Finding::look("left behind", words, "it is left alone: look at it, and delete it by hand"));
            None
        }
    })
}
