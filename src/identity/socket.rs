//! The path of the Unix socket. It replaces a socket left by a crash, but never one that is in use.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use super::ownership::{is_own, is_replaceable_in, is_writable_by_others};
use super::{Error, file};
use crate::proto::limits::SOCKET_PATH_BYTES_MAX;

/// A path for a socket. The drop removes what was created there.
#[derive(Debug)]
pub(super) struct SocketPath {
    path: PathBuf,
    /// A directory created for the socket alone.
    directory: Option<PathBuf>,
    bound: bool,
}

impl SocketPath {
    /// Returns the path that the user chose.
    pub(super) fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), directory: None, bound: false }
    }

    /// Returns a path in the data directory `dir`, or elsewhere if that is too long to bind.
    pub(super) fn usual(dir: &Path, runtime: Option<&Path>, short: &str) -> Result<Self, Error> {
        let here = dir.join("page.sock");
        if fits(&here) {
            return Ok(Self::at(&here));
        }
        let there = runtime.filter(|dir| is_private(dir)).map(|dir| dir.join(format!("roomful-{short}.sock")));
        if let Some(path) = there.filter(|path| fits(path)) {
            return Ok(Self::at(&path));
        }
        // The temporary directory of the environment may itself be too long.
        let directory = file::create_private_dir(["/tmp".into()])?;
        Ok(Self { path: directory.join("page.sock"), directory: Some(directory), bound: false })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Binds the socket for this user alone.
    pub(super) fn listen(&mut self) -> Result<UnixListener, Error> {
        let path = self.path.clone();
        let failed = |source| Error::Socket { path: path.clone(), source };
        let dir = self.path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Commands send the token to this socket.
        if is_replaceable_in(dir).map_err(failed)? {
            return Err(failed(io::Error::other("other users can replace what is in its directory")));
        }
        match fs::symlink_metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
            Ok(metadata) if !metadata.file_type().is_socket() => {
                return Err(failed(io::Error::other("there is a file of that name")));
            }
            // A socket without a listener was left by a crash.
            Ok(_) => match UnixStream::connect(&self.path) {
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    file::remove(&self.path).map_err(failed)?;
                }
                Err(error) => return Err(failed(error)),
                Ok(_) => return Err(Error::SocketTaken(self.path.clone())),
            },
        }
        let listener = UnixListener::bind(&self.path).map_err(failed)?;
        self.bound = true;
        // The umask has kept other users out until here. The contract promises 0600.
        fs::set_permissions(&self.path, Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(listener)
    }
}

impl Drop for SocketPath {
    fn drop(&mut self) {
        if self.bound {
            _ = fs::remove_file(&self.path);
        }
        if let Some(directory) = &self.directory {
            _ = fs::remove_dir(directory);
        }
    }
}

fn fits(path: &Path) -> bool {
    path.as_os_str().len() <= SOCKET_PATH_BYTES_MAX
}

/// Returns true if no other user can create a socket of the same name there.
fn is_private(dir: &Path) -> bool {
    let ours = |metadata: fs::Metadata| metadata.is_dir() && !is_writable_by_others(&metadata) && is_own(&metadata);
    dir.is_absolute() && fs::metadata(dir).is_ok_and(ours)
}
