//! What is said of a backup after it was made: notes, holds, and how it was proven. Each is an object of its own and never
//! overwritten, so that two writers lose nothing.

use crate::repository::manifest::FORMAT;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Says {
    /// Words.
    Note,
    /// It must not be removed.
    Hold,
    /// It may be removed again.
    Release,
    /// All its bytes were read and compared.
    Verify,
    /// It was restored to a scratch name and compared.
    Drill,
    /// It was restored and compared.
    Restore,
    /// It shares data with a backup in which damage was found, and which was removed since.
    Doubt,
    /// A newer version writes others.
    #[serde(other)]
    Other,
}

impl Says {
    /// The word in lists.
    pub fn word(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Hold => "hold",
            Self::Release => "release",
            Self::Verify => "verify",
            Self::Drill => "drill",
            Self::Restore => "restore",
            Self::Doubt => "doubt",
            Self::Other => "other",
        }
    }
}

/// What a proof found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// It is good.
    Good,
    /// It is damaged.
    Bad,
    /// It could not be told.
    Unknown,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Format of the layout.
    pub format: u32,
    /// What it says.
    pub says: Says,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub who: String,
    /// In words.
    #[serde(default)]
    pub text: String,
    /// What a proof found.
    #[serde(default)]
    pub found: Option<Found>,
    /// How long each phase took, in seconds.
    #[serde(default)]
    pub phases: Vec<(String, f64)>,
}

/// What all records of a backup amount to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    /// The last note.
    pub note: Option<String>,
    /// It is held, and why.
    pub hold: Option<String>,
    /// When it was last found good, unless it was found bad since.
    pub proven_at: Option<Timestamp>,
    /// Why it is bad, when the last proof found that.
    pub bad: Option<String>,
    /// When that was found.
    pub bad_at: Option<Timestamp>,
    /// Why it may be bad, when nothing looked since.
    pub doubted: Option<String>,
}

impl Standing {
    /// Reads all records, in any order.
    pub fn of(records: &[Record]) -> Self {
        let mut sorted: Vec<&Record> = records.iter().collect();
        sorted.sort_by_key(|record| record.at);
        let mut standing = Self::default();
        for record in sorted {
            if record.format > FORMAT {
                // What it says may be that nothing must remove it.
                standing.hold = Some("a newer qsnap said something of it".into());
                continue;
            }
            match (record.says, record.found) {
                (Says::Note, _) => standing.note = Some(record.text.clone()).filter(|text| !text.is_empty()),
                (Says::Doubt, _) => standing.doubted = Some(record.text.clone()),
                (Says::Hold, _) => standing.hold = Some(record.text.clone()),
                (Says::Release, _) => standing.hold = None,
                (Says::Verify | Says::Drill | Says::Restore, Some(Found::Good)) => {
                    standing.proven_at = Some(record.at);
                    (standing.bad, standing.bad_at, standing.doubted) = (None, None, None);
                }
                // A restore that differs may be the target's fault: only reading the bytes, or a scratch restore, says "bad".
                (Says::Verify | Says::Drill, Some(Found::Bad)) => {
                    (standing.bad, standing.bad_at) = (Some(record.text.clone()), Some(record.at));
                    standing.proven_at = None;
                }
                _ => {}
            }
        }
        standing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(at: i64, says: Says, found: Option<Found>, text: &str) -> Record {
        let at = Timestamp::from_second(at).unwrap();
        Record { format: 1, says, at, who: "ada".into(), text: text.into(), found, phases: vec![] }
    }

    #[test]
    fn the_last_word_of_each_kind_holds_in_any_order() {
        let records = [
            record(3, Says::Release, None, ""),
            record(1, Says::Note, None, "before the migration"),
            record(2, Says::Hold, None, "audit"),
            record(4, Says::Verify, Some(Found::Good), ""),
            record(5, Says::Verify, Some(Found::Bad), "sha256 differs"),
            record(6, Says::Drill, Some(Found::Unknown), "no node"),
            record(7, Says::Restore, Some(Found::Bad), "the target was written to"),
        ];
        let standing = Standing::of(&records);
        assert_eq!(standing.note.as_deref(), Some("before the migration"));
        assert_eq!(standing.hold, None);
        assert_eq!(standing.proven_at, None, "what was found bad since is proven no more");
        assert_eq!(Standing::of(&records[..4]).proven_at, Some(Timestamp::from_second(4).unwrap()));
        assert_eq!(standing.bad.as_deref(), Some("sha256 differs"));
        assert_eq!(Standing::of(&records[..3]).hold, None);
        assert_eq!(Standing::of(&records[1..3]).hold.as_deref(), Some("audit"));
    }

    #[test]
    fn a_kind_of_a_newer_version_is_read() {
        let text = r#"{"format":1,"says":"blessed","at":"2026-11-22T03:00:00Z","who":"x"}"#;
        assert_eq!(serde_json::from_str::<Record>(text).unwrap().says, Says::Other);
    }
}
