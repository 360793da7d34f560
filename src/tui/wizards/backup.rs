//! The form of a backup: where to, and how the data is copied.

use crate::domain::address::CollectionAddress;
use crate::domain::backup::RepositoryName;
use crate::domain::text::one_line;
use crate::ops::request::Request;
use crate::ops::request::backups::{BackupRequest, BackupSeveralRequest, How, KindChoice, Of};
use crate::tui::messages::surroundings::Surroundings;
use crate::tui::wizards::field::{ChoiceField, Field};
use crate::tui::wizards::form::Form;

/// Of one collection, or of several of one instance.
#[derive(Debug)]
pub struct BackupForm {
    addresses: Vec<CollectionAddress>,
    repository: ChoiceField<RepositoryName>,
    kind: ChoiceField<KindChoice>,
    full: ChoiceField<bool>,
}

impl BackupForm {
    /// With what fits in most cases.
    pub fn new(addresses: Vec<CollectionAddress>, surroundings: &Surroundings) -> Self {
        let repositories = surroundings.repositories.iter();
        Self {
            addresses,
            repository: ChoiceField::new(
                "repository",
                repositories.map(|(name, place)| (name.clone(), name.to_string(), place.clone())).collect(),
                0,
            ),
            kind: ChoiceField::words(
                "kind",
                [
                    (KindChoice::Auto, "what fits", "shards on a cluster, else a snapshot"),
                    (KindChoice::Shards, "shards", "streamed, without the server's disk"),
                    (KindChoice::Snapshot, "snapshot", "needs its size on the server's disk"),
                ],
            ),
            full: ChoiceField::words(
                "streams",
                [
                    (false, "changes", "of shards: only what is new since the last backup"),
                    (true, "whole", "of shards: all of it, as for the first one"),
                ],
            ),
        }
    }
}

impl Form for BackupForm {
    fn title(&self) -> String {
        match self.addresses.as_slice() {
            [one] => format!("Back up {one}"),
            several => format!("Back up {} collections", several.len()),
        }
    }

    fn about(&self) -> String {
        one_line(&self.addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "), 300)
    }

    fn lines(&self) -> Vec<&dyn Field> {
        vec![&self.repository, &self.kind, &self.full]
    }

    fn lines_mut(&mut self) -> Vec<&mut dyn Field> {
        vec![&mut self.repository, &mut self.kind, &mut self.full]
    }

    fn request(&self, _: &Surroundings) -> Result<Request, String> {
        let kind = self.kind.value().copied().unwrap_or_default();
        // A snapshot is whole in any case.
        let full = self.full.value() == Some(&true) && kind != KindChoice::Snapshot;
        let (repository, how) = (self.repository.value().cloned(), How { kind, full, ..How::default() });
        Ok(match self.addresses.as_slice() {
            [address] => Request::Backup(BackupRequest { address: address.clone(), repository, how }),
            several => {
                let of = Of::Collections(several.to_vec());
                Request::BackupSeveral(BackupSeveralRequest { of, repository, how, prune: false })
            }
        })
    }
}
