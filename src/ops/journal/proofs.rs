//! Recorded proofs: what collections looked like when their snapshots were taken.

use crate::domain::hex::hex;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::proof::Proof;
use sha2::{Digest, Sha256};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Proofs on disk, by the sha256 of the snapshot's bytes: a downloaded file finds its proof again.
#[derive(Debug)]
pub struct ProofStore {
    folder: PathBuf,
}

impl ProofStore {
    /// Proofs go to `<state>/proofs`.
    pub fn new(state_dir: &Path) -> Self {
        Self { folder: state_dir.join("proofs") }
    }

    /// Keeps one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, sha256: &str, proof: &Proof) -> Result<(), Problem> {
        let Some(path) = self.path(sha256) else { return Ok(()) };
        let text = serde_json::to_vec(proof).unwrap_or_default();
        let named = proof.snapshot.as_deref().map(|name| (self.name_path(name), sha256.as_bytes()));
        let write = || -> std::io::Result<()> {
            put(&path, &text)?;
            named.map_or(Ok(()), |(path, sha256)| put(&path, sha256))
        };
        write().map_err(|error| {
            Problem::new(ProblemKind::Failed, format!("the proof cannot be kept: {error}"), path.display().to_string())
                .advise("free some space or set XDG_STATE_HOME; without it a restore of this snapshot can only be counted")
        })
    }

    /// The sha256 and the proof of the last snapshot of this name.
    pub fn by_name(&self, name: &str) -> Option<(String, Proof)> {
        let sha256 = std::fs::read_to_string(self.name_path(name)).ok()?;
        let proof = self.load(Some(&sha256))?;
        Some((sha256, proof))
    }

    /// All records of a collection, given as `instance/collection`.
    pub fn of_source(&self, source: &str) -> Vec<Proof> {
        self.all().into_iter().filter(|proof| proof.source == source).collect()
    }

    /// All records that can be read.
    pub fn all(&self) -> Vec<Proof> {
        let Ok(folder) = std::fs::read_dir(&self.folder) else { return Vec::new() };
        let texts = folder.flatten().filter_map(|entry| std::fs::read(entry.path()).ok());
        texts.filter_map(|text| serde_json::from_slice::<Proof>(&text).ok()).collect()
    }

    /// Names come from servers: only their hash becomes a file name.
    fn name_path(&self, name: &str) -> PathBuf {
        self.folder.join("names").join(&hex(&Sha256::digest(name.as_bytes()))[..32])
    }

    /// Finds one.
    pub fn load(&self, sha256: Option<&str>) -> Option<Proof> {
        let text = std::fs::read(self.path(sha256?)?).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// A file name only out of what is a hash: the text comes from a server.
    fn path(&self, sha256: &str) -> Option<PathBuf> {
        let valid = sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
        valid.then(|| self.folder.join(format!("{sha256}.json")))
    }
}

/// Writes a file whole, or not at all.
fn put(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::point::PointId;
    use crate::domain::settings::Settings;
    use jiff::Timestamp;

    #[test]
    fn proofs_are_found_by_the_bytes_they_belong_to() {
        let dir = tempfile::tempdir().unwrap();
        let store = ProofStore::new(dir.path());
        let sha256 = "a".repeat(64);
        let proof = Proof {
            source: "prod/x".into(),
            taken_at: Timestamp::UNIX_EPOCH,
            points_min: 1,
            points_max: 2,
            payload_schema: vec![("city".into(), "keyword".into())],
            settings: Some(Settings::default()),
            qdrant_version: Some("1.18.3".into()),
            samples: vec![(PointId::Number(1), "d".into()), (PointId::Uuid("u".into()), "e".into())],
            proven_at: None,
            quiet: None,
            snapshot: Some("x-1-2026-11-22-03-00-00.snapshot".into()),
        };
        store.save(&sha256, &proof).unwrap();
        assert_eq!(store.by_name("x-1-2026-11-22-03-00-00.snapshot"), Some((sha256.clone(), proof.clone())));
        assert_eq!(store.by_name("../x"), None);
        assert_eq!(store.load(Some(&sha256)), Some(proof));
        assert_eq!(store.load(Some("../../etc/passwd")), None);
        assert_eq!(store.load(None), None);
    }
}
