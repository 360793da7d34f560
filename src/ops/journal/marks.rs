//! The index of safety snapshots whose records are over and done: one file, so that planning does not read those records.
//!
//! A mark is written, and synced, before its record moves to `done/`: it is in one of the two at every moment. A line is
//! `+ADDRESS` for a safety snapshot and `-ADDRESS` for one that is gone, both without the instance.

use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::text::sanitise;
use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

/// Bytes that are read: some hundred thousand marks.
const MAX: u64 = 64 << 20;

/// The file, in the folder of records.
pub(super) fn path(folder: &Path) -> PathBuf {
    folder.join("safety-snapshots")
}

/// Adds marks, and takes others away.
///
/// # Errors
/// When they cannot be written: then the record that has them must stay where it is.
pub(super) fn write(folder: &Path, marks: &[(char, &str)]) -> std::io::Result<()> {
    if marks.is_empty() {
        return Ok(());
    }
    let lines: String = marks.iter().map(|(sign, address)| format!("{sign}{address}\n")).collect();
    let mut file = OpenOptions::new().create(true).append(true).open(path(folder))?;
    // A killed process may have left half a line: its record did not move.
    file.write_all(format!("\n{lines}").as_bytes())?;
    file.sync_data()
}

/// All marks.
///
/// # Errors
/// When the file is there and cannot be read, or something else is in it.
pub(super) fn read(folder: &Path) -> Result<BTreeSet<String>, Problem> {
    let path = path(folder);
    let shown = sanitise(&path.display().to_string());
    let failed = |why: String| {
        Err(Problem::new(ProblemKind::Failed, format!("which snapshots are safety snapshots is not known: {why}"), &shown)
            .advise("name the snapshot that you mean; or give the right to read this file, or restore it from a backup"))
    };
    let file = match OpenOptions::new().read(true).open(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return failed(error.to_string()),
        Ok(file) => file,
    };
    let mut text = String::new();
    if let Err(error) = file.take(MAX).read_to_string(&mut text) {
        return failed(error.to_string());
    }
    // Half a line at the end is of a record that did not move.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut marks = BTreeSet::new();
    for line in whole.lines().filter(|line| !line.is_empty()) {
        match line.split_at_checked(1) {
            Some(("+", address)) => drop(marks.insert(address.to_owned())),
            Some(("-", address)) => drop(marks.remove(address)),
            _ => return failed("a line of it is damaged".into()),
        }
    }
    Ok(marks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_read_back_and_damage_is_named() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()), Ok(BTreeSet::new()));
        write(dir.path(), &[('+', "x/a.snapshot"), ('+', "x/b.snapshot")]).unwrap();
        write(dir.path(), &[('-', "x/a.snapshot")]).unwrap();
        assert_eq!(read(dir.path()), Ok(["x/b.snapshot".to_owned()].into()));
        // Killed in the middle of a line: what comes next is whole.
        let mut file = OpenOptions::new().append(true).open(path(dir.path())).unwrap();
        file.write_all(b"+x/c.snap").unwrap();
        assert_eq!(read(dir.path()).unwrap().len(), 1);
        write(dir.path(), &[('+', "x/d.snapshot")]).unwrap();
        assert!(read(dir.path()).unwrap().contains("x/d.snapshot"));
        file.write_all(b"noise\n").unwrap();
        assert!(read(dir.path()).unwrap_err().message.contains("damaged"));
        std::fs::remove_file(path(dir.path())).unwrap();
        std::fs::create_dir(path(dir.path())).unwrap();
        assert!(read(dir.path()).is_err());
    }
}
