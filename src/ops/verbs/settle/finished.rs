//! The snapshot that was being taken when an operation broke off: a server that is asked goes on when its client dies.

use crate::domain::address::CollectionAddress;
use crate::domain::ids::SnapshotName;
use crate::domain::problem::Problem;
use crate::ops::journal::event::Thing;
use crate::ops::journal::past::Past;
use crate::ops::journal::safeties::taken_by;
use crate::ops::plan::finding::Finding;
use crate::ops::services::Services;
use crate::ops::survey::locate::snapshots;
use jiff::SignedDuration;

/// A server names a snapshot by the second in which it was asked. One that is further from that belongs to another
/// client, or the server's clock is wrong: then it is unknown.
const SAME_MOMENT: SignedDuration = SignedDuration::from_secs(2);

/// The snapshot that was being taken when the operation broke off, if the server finished it. Only one that cannot be
/// another client's: others that appeared since are recovery points, stay, and are named.
pub(super) async fn finished(services: &Services, past: &Past, findings: &mut Vec<Finding>) -> Result<Option<Thing>, Problem> {
    let Some(taking) = &past.taking else { return Ok(None) };
    let Ok(address) = CollectionAddress::parse(&taking.collection) else { return Ok(None) };
    let connection = services.connection(&address.instance).await?;
    let (listed, problems) = snapshots(&connection, &address).await;
    if let Some(problem) = problems.into_iter().next() {
        return Err(problem);
    }
    // What is recorded was finished by somebody who lived on.
    let recorded = |name: &SnapshotName| services.proofs.by_name(name.raw()).is_some();
    let names = listed.iter().map(|located| &located.snapshot.name);
    let own: Vec<&SnapshotName> =
        taken_by(taking, &address, names.clone(), SAME_MOMENT).into_iter().filter(|name| !recorded(name)).collect();
    if let [name] = own[..] {
        let thing = Thing { kind: taking.kind, thing: address.snapshot(name) };
        let words = format!("{} {}: the server finished it after the operation broke off", thing.kind.words(), thing.thing);
        findings.push(Finding::look("left behind", words, "clean-up removes it; the collection itself is not touched"));
        return Ok(Some(thing));
    }
    let new: Vec<String> =
        names.filter(|name| !taking.known.iter().any(|known| known == name.raw())).map(|name| address.snapshot(name)).collect();
    findings.push(if new.is_empty() {
        Finding::good("left behind", format!("the {} is not finished; qsnap will look for it again", taking.kind.words()))
    } else {
        let words = format!("the {} may be among those that appeared since: {}", taking.kind.words(), new.join(", "));
        Finding::look("left behind", words, "they are not touched: check them, and delete those that you do not need")
    });
    Ok(None)
}
