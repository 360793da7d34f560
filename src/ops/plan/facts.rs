//! The state of the server that a plan was computed from.

use std::collections::BTreeMap;

/// State of the server that a plan was computed from, to notice when it changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts(BTreeMap<&'static str, Fact>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Fact {
    Text(String),
    Points(u64),
    /// However many.
    AnyPoints,
}

impl Facts {
    /// A fact that must stay as it is.
    pub fn text(&mut self, name: &'static str, value: impl ToString) {
        self.0.insert(name, Fact::Text(value.to_string()));
    }

    /// A number of points. A live collection never stands still, so that up to 1 % may come or go;
    /// from nothing to something is always a change.
    pub fn points(&mut self, name: &'static str, value: u64) {
        self.0.insert(name, Fact::Points(value));
    }

    /// Points may come and go: the collection is replaced in any case.
    pub fn any_points(&mut self) {
        for fact in self.0.values_mut().filter(|fact| matches!(fact, Fact::Points(_))) {
            *fact = Fact::AnyPoints;
        }
    }

    /// What is different now, in words.
    pub fn drift(&self, now: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        for (name, before) in &self.0 {
            match (before, now.0.get(name)) {
                (Fact::Text(a), Some(Fact::Text(b))) if a == b => {}
                (Fact::Points(a), Some(Fact::Points(b))) if close(*a, *b) => {}
                (Fact::AnyPoints, Some(Fact::Points(_) | Fact::AnyPoints)) => {}
                (Fact::Text(a), Some(Fact::Text(b))) => changes.push(format!("{name}: was {a}, is {b}")),
                (Fact::Points(a), Some(Fact::Points(b))) => changes.push(format!("{name}: was {a}, is {b}")),
                _ => changes.push(format!("{name} is unknown now")),
            }
        }
        let new = now.0.keys().filter(|name| !self.0.contains_key(*name));
        changes.extend(new.map(|name| format!("{name} is new")));
        changes
    }
}

fn close(a: u64, b: u64) -> bool {
    (a == 0) == (b == 0) && a.abs_diff(b) <= a.max(b) / 100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_tolerate_a_living_collection_only() {
        let facts = |exists: &str, points: u64| {
            let mut facts = Facts::default();
            facts.text("target exists", exists);
            facts.points("target points", points);
            facts
        };
        assert!(facts("yes", 10_000).drift(&facts("yes", 10_050)).is_empty());
        assert_eq!(facts("yes", 10_000).drift(&facts("yes", 11_000)), ["target points: was 10000, is 11000"]);
        assert_eq!(facts("yes", 0).drift(&facts("yes", 1)).len(), 1);
        assert_eq!(facts("no", 0).drift(&facts("yes", 0)), ["target exists: was no, is yes"]);
        assert_eq!(facts("no", 0).drift(&Facts::default()).len(), 2);
    }
}
