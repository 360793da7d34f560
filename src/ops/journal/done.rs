//! Where records of what is done lie: a folder for each day, so that a list of the newest reads as many as it shows, however many
//! there are. Records of older versions lie in `done/` itself.

use std::path::{Path, PathBuf};

/// The folder of records that are done, in that of all.
pub(super) const DONE: &str = "done";

/// Letters of an id that are its day.
const DAY: usize = 8;

/// Where the record of an id goes.
pub(super) fn place(done: &Path, id: &str) -> PathBuf {
    let day = id.get(..DAY).filter(|day| is_day(day)).unwrap_or_default();
    done.join(day).join(format!("{id}.ndjson"))
}

/// Where the record of an id lies, if it lies here.
pub(super) fn find(done: &Path, id: &str) -> Option<PathBuf> {
    [place(done, id), done.join(format!("{id}.ndjson"))].into_iter().find(|path| path.is_file())
}

/// Days that have a folder, the newest first.
pub(super) fn days(done: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(done).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut days: Vec<PathBuf> =
        entries.filter(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(is_day)).collect();
    days.sort_by(|a, b| b.cmp(a));
    days
}

/// The newest records, at most so many, the newest first.
pub(super) fn newest(done: &Path, most: usize) -> Vec<PathBuf> {
    let mut all = files(done);
    let flat = all.len();
    for day in days(done) {
        if all.len() >= most.saturating_add(flat) {
            break;
        }
        all.extend(files(&day));
    }
    all.sort_by(|a, b| b.file_name().cmp(&a.file_name()));
    all.truncate(most);
    all
}

/// Records whose id begins so.
pub(super) fn beginning_with(done: &Path, id: &str) -> Vec<PathBuf> {
    let day = id.get(..DAY).unwrap_or(id);
    let fits = |path: &PathBuf, text: &str| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(text));
    let days = days(done).into_iter().filter(|path| fits(path, day));
    let all = days.flat_map(|day| files(&day)).chain(files(done));
    all.filter(|path| fits(path, id)).collect()
}

/// The records in a folder.
pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "ndjson")).collect()
}

fn is_day(name: &str) -> bool {
    name.len() == DAY && name.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_found_by_day_and_where_older_versions_put_them() {
        let dir = tempfile::tempdir().unwrap();
        let done = dir.path();
        let ids = ["20261122T030000000Z-1-0", "20261122T040000000Z-1-1", "20261123T030000000Z-1-0"];
        for id in ids {
            let path = place(done, id);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let old = "20261001T030000000Z-1-0";
        std::fs::write(done.join(format!("{old}.ndjson")), "").unwrap();
        let names = |paths: Vec<PathBuf>| {
            paths.iter().map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(newest(done, 2)), [ids[2], ids[1]]);
        assert_eq!(names(newest(done, 9)), [ids[2], ids[1], ids[0], old]);
        assert_eq!(names(beginning_with(done, "20261122T04")), [ids[1]]);
        assert_eq!(names(beginning_with(done, "20261001")), [old]);
        assert_eq!(beginning_with(done, "2026").len(), 4);
        assert!(find(done, ids[0]).is_some() && find(done, old).is_some() && find(done, "20261122T03").is_none());
        assert_eq!(place(done, "strange"), done.join("strange.ndjson"));
    }
}
