//! Files of a repository that is a directory: written beside their place, synced, renamed.

use crate::domain::problem::Problem;
use crate::repository::fault;
use crate::repository::layout::PART;
use object_store::Error;
use std::io::Write;
use std::path::PathBuf;

/// What is called like a file that is still written.
pub(in crate::repository) fn part_of(file: &std::path::Path) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_os_string();
    name.push(PART);
    file.with_file_name(name)
}

/// An error of the disk, in the words of [`fault`].
pub(in crate::repository) fn io_problem(error: &std::io::Error, what: &str, on: &str) -> Problem {
    let wrapped = match error.kind() {
        std::io::ErrorKind::PermissionDenied => Error::PermissionDenied { path: String::new(), source: error.to_string().into() },
        std::io::ErrorKind::AlreadyExists => Error::AlreadyExists { path: String::new(), source: error.to_string().into() },
        _ => Error::Generic { store: "directory", source: error.to_string().into() },
    };
    fault::problem(&wrapped, what, on)
}

/// Writes a small file whole, or not at all; `over` replaces the one that is there.
pub(in crate::repository) fn write_whole(file: &std::path::Path, bytes: &[u8], over: bool) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(file);
    std::fs::create_dir_all(folder)?;
    let name = file.file_name().unwrap_or_default();
    let mut builder = tempfile::Builder::new();
    // Others restore from it, too: what this user's mask allows.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut part = builder.prefix(name).suffix(PART).tempfile_in(folder)?;
    part.write_all(bytes)?;
    part.as_file().sync_all()?;
    if over { part.persist(file).map(drop) } else { part.persist_noclobber(file).map(drop) }.map_err(|error| error.error)?;
    sync_folder(folder);
    Ok(())
}

/// A rename is on disk only when its folder is.
pub(in crate::repository) fn sync_folder(folder: &std::path::Path) {
    let _ = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
}
