//! The local disk: its room, and what its errors mean.

use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::text::sanitise;
use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

/// Bytes that this user may still write to the file system of `folder`; `None` where it does not say.
pub fn free(folder: &Path) -> Option<u64> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let stat = rustix::fs::statvfs(folder).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Whether an error says that there is no room.
pub fn is_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

/// Reserves room for a whole file, so that a full disk shows before the transfer and not in its midst. File
/// systems that cannot reserve are left alone.
pub fn reserve(file: &File, size: u64) -> std::io::Result<()> {
    if size == 0 {
        return Ok(());
    }
    match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::KEEP_SIZE, 0, size) {
        Err(rustix::io::Errno::NOSPC) => Err(ErrorKind::StorageFull.into()),
        Err(rustix::io::Errno::DQUOT) => Err(ErrorKind::QuotaExceeded.into()),
        Err(rustix::io::Errno::FBIG) => Err(ErrorKind::FileTooLarge.into()),
        _ => Ok(()),
    }
}

/// Makes a rename in the folder of `path` survive a power failure.
pub fn sync_folder(path: &Path) {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

/// A problem with a local file, with what to do about the usual causes.
pub fn disk_problem(what: &str, path: &Path, error: &std::io::Error) -> Problem {
    let words = error.to_string();
    let words = words.split(" (os error").next().unwrap_or(&words).to_lowercase();
    let advice = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "free some space, or choose another folder; nothing was left under the final name"
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => "choose a folder that you may write to",
        ErrorKind::NotFound => "check the path: the folder must exist",
        ErrorKind::AlreadyExists => "choose another name or folder, or say that it may be overwritten (--overwrite)",
        ErrorKind::FileTooLarge => "this file system cannot hold so large a file; choose another folder",
        _ => "check the disk and the path",
    };
    Problem::new(ProblemKind::Failed, format!("cannot {what} the file: {words}"), sanitise(&path.display().to_string()))
        .advise(advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_known_and_reserved() {
        let dir = tempfile::tempdir().unwrap();
        assert!(free(dir.path()).unwrap() > 0);
        assert!(free(Path::new("/no/such/folder")).is_none());
        let file = File::create(dir.path().join("f")).unwrap();
        reserve(&file, 1 << 20).unwrap();
        assert!(reserve(&file, 1 << 60).is_err(), "no disk has that");
    }
}
