//! What can be done after an operation: the questions in which it ends.

use crate::domain::address::CollectionAddress;
use crate::domain::text::one_line;
use crate::ops::report::verdict::Verdict;
use crate::ops::request::Request;
use crate::ops::request::collections::{DropRequest, SwitchRequest};
use crate::ops::request::restore::{Mode, RestoreRequest};

/// What can be done after an operation, to choose from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// In words, such as `switch the alias shop to it`.
    pub words: String,
    /// What it would do.
    pub request: Request,
}

impl Offer {
    /// The same on the command line, as it works on any instance.
    pub fn command(&self) -> String {
        self.request.consented()
    }
}

/// Pointing an alias at a collection.
pub fn switch(alias: &str, to: &CollectionAddress, from: &str) -> Offer {
    Offer {
        words: format!("switch the alias {} from {from} to {}, in one step", one_line(alias, 60), to.collection),
        request: Request::Switch(SwitchRequest::new(alias, to)),
    }
}

/// Deleting a collection.
pub fn delete(address: &CollectionAddress) -> Offer {
    Offer {
        words: format!("delete {address}"),
        request: Request::Drop(DropRequest { address: address.clone(), with_aliases: false }),
    }
}

/// After a restore.
pub fn after_restore(request: &RestoreRequest, aliases: &[String], verdict: &Verdict) -> Vec<Offer> {
    let landing = request.landing();
    let bad = matches!(verdict, Verdict::Differs(_));
    match request.mode {
        Mode::SideBySide => {
            let from = request.target.collection.to_string();
            let mut next: Vec<Offer> =
                if bad { Vec::new() } else { aliases.iter().map(|alias| switch(alias, &landing, &from)).collect() };
            next.push(delete(&landing));
            next
        }
        Mode::InPlace => Vec::new(),
        _ if bad => vec![delete(&landing)],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::CollectionName;
    use crate::ops::request::recovery_point::RecoveryPoint;
    use crate::ops::request::route::Route;

    #[test]
    fn damaged_data_is_never_offered_an_alias() {
        let address = CollectionAddress::parse("a/products").unwrap();
        let mut request = RestoreRequest::new(RecoveryPoint::File("/x".into()), address, Mode::SideBySide, Route::Auto);
        request.beside = Some(CollectionName::new("products-restored"));
        let words = |verdict| {
            let next = after_restore(&request, &["shop".into()], &verdict);
            next.into_iter().map(|next| next.command()).collect::<Vec<_>>()
        };
        let good = words(Verdict::Matches(String::new()));
        assert_eq!(good[0], "qsnap alias a/shop products-restored --yes --confirm 'a/shop'");
        assert_eq!(good[1], "qsnap drop a/products-restored --yes --confirm 'a/products-restored'");
        assert_eq!(words(Verdict::Differs(String::new())), [good[1].clone()]);
    }
}
