//! Retained copies: files that a repair or a migration set aside beside the database. They keep
//! text that was deleted since.

use std::path::{Path, PathBuf};

use crate::store::error::StoreError;
use crate::store::files::{remove_if_there, sync_dir, with_suffix};
use crate::store::recovery::repair::FILES;
use crate::store::recovery::repair_notes::RepairNotes;

/// The words that begin the names of retained copies, after the database's name and a dot.
const WORDS: [&str; 2] = ["damaged-", "version-"];

/// A retained copy of the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyFile {
    /// The file's name in the data directory.
    pub name: String,
    /// The file's size.
    pub bytes: u64,
}

/// The copies of one database, and the reports that name them.
#[derive(Clone, Debug)]
pub struct RetainedCopies {
    /// The database; none in memory.
    path: Option<PathBuf>,
    reports: RepairNotes,
}

impl RetainedCopies {
    pub(crate) fn new(path: Option<&Path>, reports: RepairNotes) -> Self {
        Self { path: path.map(Into::into), reports }
    }

    /// Lists the copies.
    pub async fn list(&self) -> Result<Vec<CopyFile>, StoreError> {
        let Some(path) = self.path.clone() else { return Ok(Vec::new()) };
        tokio::task::spawn_blocking(move || list(&path)).await.map_err(|_| StoreError::Closed)?
    }

    /// Removes the copies, and their names from the reports. Returns the removed files.
    pub async fn remove(&self) -> Result<Vec<PathBuf>, StoreError> {
        let Self { path: Some(path), reports } = self.clone() else { return Ok(Vec::new()) };
        let remove = move || {
            let removed = remove(&path)?;
            reports.forget_copies(&removed);
            Ok(removed)
        };
        tokio::task::spawn_blocking(remove).await.map_err(|_| StoreError::Closed)?
    }
}

/// Lists the copies beside the database at `path`, sorted by name. Links are no copies.
pub(crate) fn list(path: &Path) -> Result<Vec<CopyFile>, StoreError> {
    let file = |source| StoreError::File { path: path.to_owned(), source };
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    let mut copies = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(file)? {
        let entry = entry.map_err(file)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        // The metadata of an entry is that of a link itself.
        let is_named = is_copy(path, &name);
        if is_named && let Ok(found) = entry.metadata().map(|found| (found.is_file(), found.len())) {
            let (is_file, bytes) = found;
            copies.extend(is_file.then_some(CopyFile { name, bytes }));
        }
    }
    copies.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(copies)
}

/// Removes the copies beside the database at `path`, and returns their paths.
pub(crate) fn remove(path: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let copies: Vec<PathBuf> = list(path)?.into_iter().map(|copy| path.with_file_name(copy.name)).collect();
    copies.iter().try_for_each(|copy| remove_if_there(copy))?;
    sync_dir(path).map_err(|source| StoreError::File { path: path.to_owned(), source })?;
    Ok(copies)
}

/// Returns true if a repair or a migration of the database at `path` gives this name to a file.
fn is_copy(path: &Path, name: &str) -> bool {
    let suffix = WORDS.iter().find_map(|word| {
        let begins = with_suffix(path, word);
        name.strip_prefix(begins.file_name()?.to_str()?)
    });
    let Some(suffix) = suffix else { return false };
    let number = FILES.iter().find_map(|end| suffix.strip_suffix(end)).unwrap_or(suffix);
    number.starts_with(|first: char| first.is_ascii_digit())
        && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_copies_are_removed() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("room.db");
        let copies =
            ["damaged-17", "damaged-17-2-wal", "damaged-17-shm", "version-3"].map(|word| format!("room.db.{word}"));
        let kept = [
            "room.db",
            "room.db-wal",
            "room.db.state",
            "room.db.damaged-",
            "room.db.damaged-mine",
            "room.db.version-3.txt",
            "other.db.damaged-17",
            "aim",
        ];
        for name in kept.into_iter().chain(copies.iter().map(String::as_str)) {
            std::fs::write(dir.path().join(name), name).expect("written");
        }
        std::os::unix::fs::symlink(dir.path().join("aim"), dir.path().join("room.db.damaged-18")).expect("a link");
        std::fs::create_dir(dir.path().join("room.db.damaged-19")).expect("a directory");

        let listed: Vec<_> = list(&path).expect("listed").into_iter().map(|copy| copy.name).collect();
        assert_eq!(listed, copies);
        assert_eq!(remove(&path).expect("removed").len(), copies.len());
        assert_eq!(list(&path).expect("listed"), []);
        let left = std::fs::read_dir(dir.path()).expect("a directory").count();
        assert_eq!(left, kept.len() + 2, "the link and the directory are left too");
    }
}
