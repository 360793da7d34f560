//! What can be done after a restore: the questions in which it ends.

use crate::domain::address::CollectionAddress;
use crate::domain::text::one_line;
use crate::ops::drop::DropSpec;
use crate::ops::flow::{Spec, consent_flags};
use crate::ops::report::{Next, Verdict};
use crate::ops::restore::{Mode, RestoreSpec};
use crate::ops::switch::SwitchSpec;

/// Pointing an alias at a collection.
pub fn switch(alias: &str, to: &CollectionAddress, from: &str) -> Next {
    let spec = SwitchSpec::new(alias, to);
    Next {
        words: format!("switch the alias {} from {from} to {}, in one step", one_line(alias, 60), to.collection),
        command: format!("{}{}", spec.command(), consent_flags(true, &format!("{}/{alias}", to.instance))),
        spec: Spec::Switch(spec),
    }
}

/// Deleting a collection.
pub fn delete(address: &CollectionAddress) -> Next {
    Next {
        words: format!("delete {address}"),
        command: format!("qsnap drop {address} --yes --confirm '{address}'"),
        spec: Spec::Drop(DropSpec { address: address.clone(), with_aliases: false }),
    }
}

/// After a restore.
pub fn after_restore(spec: &RestoreSpec, aliases: &[String], verdict: &Verdict) -> Vec<Next> {
    let landing = spec.landing();
    let bad = matches!(verdict, Verdict::Differs(_));
    match spec.mode {
        Mode::SideBySide => {
            let from = spec.target.collection.to_string();
            let mut next: Vec<Next> =
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
    use crate::ops::deliver::Route;
    use crate::ops::restore::RestoreSource;

    #[test]
    fn damaged_data_is_never_offered_an_alias() {
        let address = CollectionAddress::parse("a/products").unwrap();
        let mut spec = RestoreSpec::new(RestoreSource::File("/x".into()), address, Mode::SideBySide, Route::Auto);
        spec.beside = Some(CollectionName::new("products-restored"));
        let words = |verdict| {
            let next = after_restore(&spec, &["shop".into()], &verdict);
            next.into_iter().map(|next| next.command).collect::<Vec<_>>()
        };
        let good = words(Verdict::Matches(String::new()));
        assert_eq!(good[0], "qsnap alias a/shop products-restored --yes --confirm 'a/shop'");
        assert_eq!(good[1], "qsnap drop a/products-restored --yes --confirm 'a/products-restored'");
        assert_eq!(words(Verdict::Differs(String::new())), [good[1].clone()]);
    }
}
