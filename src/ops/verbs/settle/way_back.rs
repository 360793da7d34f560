//! The safety snapshot that an operation left: the way back of a roll-back.

use crate::domain::address::{Address, Which};
use crate::domain::problem::Problem;
use crate::ops::journal::past::Past;
use crate::ops::recovery::rollback::Safety;
use crate::ops::request::recovery_point::RecoveryPoint;
use crate::ops::services::Services;
use crate::ops::survey::contents;
use crate::ops::survey::locate::locate;

/// The safety snapshot that the operation left, as it is listed now.
pub(super) async fn safety_of(services: &Services, past: &Past) -> Result<Option<Safety>, Problem> {
    let Some(thing) = past.safety() else { return Ok(None) };
    let Ok(Address::Snapshot(address, which @ Which::Named(_))) = Address::parse(&thing.thing) else { return Ok(None) };
    let connection = services.connection(&address.instance).await?;
    let located = locate(services, &connection, &address.clone().into(), &which).await?;
    let proof = services.proofs.load(located.snapshot.sha256.as_deref());
    let settings = match proof.as_ref().and_then(|proof| proof.settings.clone()) {
        Some(settings) => Some(settings),
        None => {
            let point = RecoveryPoint::Snapshot(address.clone(), which);
            contents::read(services, &point).await.info().map(|info| info.settings)
        }
    };
    Ok(Some(Safety { node: located.node, snapshot: located.snapshot, proof, settings }))
}
