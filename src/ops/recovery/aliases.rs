//! Aliases that come along with their collections: made where their names are free, and never taken from what has them.

use crate::domain::address::CollectionAddress;
use crate::domain::collection::Alias;
use crate::domain::ids::{CollectionName, InstanceName};
use crate::domain::problem::Problem;
use crate::domain::text::one_line;
use crate::ops::plan::finding::Finding;
use crate::ops::request::Request;
use crate::ops::request::collections::SwitchRequest;
use crate::ops::services::Connection;
use crate::ops::steps::Steps;
use crate::qdrant::api::AliasAction;
use crate::qdrant::error::ApiError;

/// The step that makes aliases on the target.
pub(in crate::ops) const ALIASES: &str = "aliases";

/// Those that can be made on an instance, and what a plan says of each. `there` are its aliases, `names` its collections.
pub(in crate::ops) fn carried(
    wanted: &[Alias],
    instance: &InstanceName,
    there: &[Alias],
    names: &[CollectionName],
) -> (Vec<Alias>, Vec<Finding>) {
    let (mut carried, mut findings) = (Vec::new(), Vec::new());
    for alias in wanted {
        let shown = one_line(&alias.alias, 60);
        let target = CollectionAddress::new(instance.clone(), alias.collection.clone());
        match there.iter().find(|known| known.alias == alias.alias).map(|known| &known.collection) {
            None if names.iter().any(|name| name.raw() == alias.alias) => findings.push(Finding::look(
                "alias",
                format!("{shown} is a collection on {instance}, so that the alias is not carried"),
                "rename one of them",
            )),
            None => {
                findings.push(Finding::good("alias", format!("{shown} is made on {instance}")));
                carried.push(alias.clone());
            }
            Some(name) if *name == target.collection => {
                findings.push(Finding::good("alias", format!("{shown} points at {target} already")));
            }
            Some(name) => findings.push(Finding::look(
                "alias",
                format!("{shown} points at {name} on {instance}: it is left alone"),
                format!("`{} --yes` would switch it", Request::Switch(SwitchRequest::new(&alias.alias, &target)).command()),
            )),
        }
    }
    (carried, findings)
}

/// Makes them, one after the other.
///
/// # Errors
/// Those of the server; what was made stays.
pub(in crate::ops) async fn make(
    steps: &mut Steps<'_>,
    connection: &Connection,
    target: &str,
    aliases: &[Alias],
) -> Result<(), Problem> {
    if aliases.is_empty() {
        return Ok(());
    }
    let node = connection.whole();
    let making = async {
        let problem = |error: ApiError| error.into_problem(target);
        // Looked at once more: somebody may have made one meanwhile, which must not be stolen.
        let there = node.aliases().await.map_err(problem)?;
        for alias in aliases.iter().filter(|alias| !there.iter().any(|known| known.alias == alias.alias)) {
            node.update_aliases(&[AliasAction::Point(alias.clone())]).await.map_err(problem)?;
        }
        Ok(())
    };
    let job = steps.job;
    job.commit(steps.run(ALIASES, target, making)).await
}
