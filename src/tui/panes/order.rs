//! In which order lists are shown. Names are compared as people read them: `v9` comes before `v10`.

use crate::domain::address::CollectionAddress;
use crate::ops::survey::listing::{CollectionView, RecoveryPointView};
use jiff::Timestamp;
use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

/// When the newest backup of each collection was taken.
pub type Stored<'a> = BTreeMap<&'a CollectionAddress, Timestamp>;

/// The order of the collections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CollectionOrder {
    /// By name.
    #[default]
    Name,
    /// Those with the most points first.
    Points,
    /// Those without a recovery point first, then those whose newest one is the oldest.
    Age,
}

impl CollectionOrder {
    /// The order after this one.
    pub fn next(self) -> Self {
        match self {
            Self::Name => Self::Age,
            Self::Age => Self::Points,
            Self::Points => Self::Name,
        }
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Name => "by name",
            Self::Points => "most points first",
            Self::Age => "oldest first",
        }
    }

    /// Puts collections in this order; `stored` are the newest backups in repositories, as far as they are known.
    pub fn sort(self, views: &mut [CollectionView], stored: &Stored<'_>) {
        // The age that a row shows: of the newest recovery point, wherever it is.
        let newest = |view: &CollectionView| view.newest.max(stored.get(&view.address).copied());
        views.sort_by(|a, b| {
            let by_name = || natural(a.address.collection.raw(), b.address.collection.raw());
            match self {
                Self::Name => by_name(),
                Self::Points => Reverse(a.points).cmp(&Reverse(b.points)).then_with(by_name),
                // What was not read may be of any age.
                Self::Age => (!a.read, newest(a)).cmp(&(!b.read, newest(b))).then_with(by_name),
            }
        });
    }
}

/// The order of the recovery points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PointOrder {
    /// The newest first.
    #[default]
    Newest,
    /// The oldest first.
    Oldest,
    /// The largest first.
    Largest,
}

impl PointOrder {
    /// The order after this one.
    pub fn next(self) -> Self {
        match self {
            Self::Newest => Self::Largest,
            Self::Largest => Self::Oldest,
            Self::Oldest => Self::Newest,
        }
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Newest => "newest first",
            Self::Oldest => "oldest first",
            Self::Largest => "largest first",
        }
    }

    /// Puts recovery points that are listed newest first in this order.
    pub fn sort(self, points: &mut [&RecoveryPointView]) {
        match self {
            Self::Newest => {}
            Self::Oldest => points.reverse(),
            Self::Largest => points.sort_by_key(|point| Reverse(point.snapshot.size)),
        }
    }
}

/// Compares as people read: digits that follow each other are one number.
pub fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a.chars().peekable(), b.chars().peekable());
    loop {
        let order = match (left.peek(), right.peek()) {
            (Some(x), Some(y)) if x.is_ascii_digit() && y.is_ascii_digit() => number(&mut left).cmp(&number(&mut right)),
            (Some(x), Some(y)) => {
                let order = x.to_lowercase().cmp(y.to_lowercase());
                left.next();
                right.next();
                order
            }
            // What reads the same still has one order.
            (None, None) => return a.cmp(b),
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// A number of any length: more digits are more, once leading zeros are gone.
fn number(from: &mut Peekable<Chars<'_>>) -> (usize, String) {
    let mut digits = String::new();
    while let Some(digit) = from.next_if(char::is_ascii_digit) {
        if digit != '0' || !digits.is_empty() {
            digits.push(digit);
        }
    }
    (digits.len(), digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_ordered_as_people_read_them() {
        let mut names = ["v10", "v9", "Users", "users-2", "users", "v09", "a", "v9b", "日本", "v100000000000000000000000"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["a", "Users", "users", "users-2", "v09", "v9", "v9b", "v10", "v100000000000000000000000", "日本"]);
    }

    proptest! {
        #[test]
        fn it_is_an_order(a in "[a-c0-2A]{0,6}", b in "[a-c0-2A]{0,6}", c in "[a-c0-2A]{0,6}") {
            prop_assert_eq!(natural(&a, &b), natural(&b, &a).reverse());
            if natural(&a, &b).is_le() && natural(&b, &c).is_le() {
                prop_assert!(natural(&a, &c).is_le());
            }
            prop_assert_eq!(natural(&a, &b) == Ordering::Equal, a == b);
        }
    }
}
