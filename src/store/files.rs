//! Names of the files beside a database, and operations on whole files.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::error::StoreError;

/// Returns the name of a file that SQLite keeps beside a database, such as `-wal` or `-shm`.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Returns the name of a file of this program beside a database: the database's name, a dot and a
/// word.
pub(crate) fn with_suffix(path: &Path, word: &str) -> PathBuf {
    beside(path, &format!(".{word}"))
}

/// Returns true if the last run left a write-ahead log. SQLite removes it at a clean end.
pub(crate) fn has_wal(path: &Path) -> bool {
    beside(path, "-wal").metadata().is_ok_and(|log| log.len() > 0)
}

/// Creates the file if it is missing, readable by this user alone. Files that SQLite puts beside it
/// get the same mode.
pub(crate) fn private(path: &Path) -> Result<(), StoreError> {
    let error = |source| StoreError::File { path: path.to_owned(), source };
    let is_new = !path.exists();
    // Not truncated: it may be a database.
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).map_err(error)?;
    if file.metadata().map_err(error)?.permissions().mode() & 0o777 != 0o600 {
        file.set_permissions(std::fs::Permissions::from_mode(0o600)).map_err(error)?;
    }
    if is_new {
        sync_dir(path).map_err(error)?;
    }
    Ok(())
}

/// Removes a file. A missing file is no error.
pub(crate) fn remove_if_there(path: &Path) -> Result<(), StoreError> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != ErrorKind::NotFound => Err(StoreError::File { path: path.to_owned(), source }),
        _ => Ok(()),
    }
}

/// Syncs the directory of `path`, so that the names in it are on the disk.
pub(crate) fn sync_dir(path: &Path) -> std::io::Result<()> {
    match path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}
