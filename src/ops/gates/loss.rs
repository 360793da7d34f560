//! The loss window: what a restore from this point would not bring back.

use crate::domain::size::exact;
use crate::ops::plan::finding::Finding;

/// What is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// When the recovery point was taken, UTC.
    pub taken: String,
    /// How long ago that is.
    pub ago: String,
    /// Points it holds, where that was recorded.
    pub then: Option<u64>,
    /// Points of its collection now; `None` when there is none, or it cannot be counted.
    pub now: Option<u64>,
    /// A newer recovery point of the same collection.
    pub newer: Option<String>,
    /// Not all places where a newer one could be were seen.
    pub unseen: bool,
}

/// In plain words: since when writes are lost, how much that is, and what would lose less.
pub fn window(window: &Window) -> Finding {
    let Window { taken, ago, then, now, newer, unseen } = window;
    let then_words = then.map_or_else(|| "not recorded".to_owned(), exact);
    let now_words = now.map_or_else(|| "unknown".to_owned(), exact);
    let change = match (then, now) {
        (Some(then), Some(now)) if now > then => format!(" ({} more)", exact(now - then)),
        (Some(then), Some(now)) if then > now => format!(" ({} fewer)", exact(then - now)),
        _ => String::new(),
    };
    let advice = match newer {
        Some(newer) => format!("a newer recovery point loses less: {newer}"),
        None if *unseen => {
            "whether there is a newer recovery point elsewhere was not looked up, or could not all be listed".to_owned()
        }
        None => "no newer recovery point of this collection is listed".to_owned(),
    };
    Finding::look(
        "loss window",
        format!("taken {taken} UTC, {ago}; writes since then are not in it; points then {then_words}, now {now_words}{change}"),
        advice,
    )
}

/// A snapshot that does not tell when it was taken.
pub fn unknown() -> Finding {
    Finding::look("loss window", "when it was taken is not known", "whatever was written after that is not in it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_since_when_how_much_and_what_would_be_better() {
        let base =
            Window { taken: "x".into(), ago: "15 m ago".into(), then: Some(1_000), now: Some(1_500), newer: None, unseen: false };
        for (then, now, newer, words, advice) in [
            (Some(1_000), Some(1_500), None, "points then 1 000, now 1 500 (500 more)", "no newer"),
            (Some(1_500), Some(1_000), Some("a/b/c"), "points then 1 500, now 1 000 (500 fewer)", "loses less: a/b/c"),
            (Some(7), Some(7), None, "points then 7, now 7", "no newer"),
            (None, None, None, "points then not recorded, now unknown", "no newer"),
        ] {
            let finding = window(&Window { then, now, newer: newer.map(str::to_owned), ..base.clone() });
            assert!(finding.message.ends_with(words), "{finding:?}");
            assert!(finding.advice.contains(advice), "{finding:?}");
        }
    }
}
