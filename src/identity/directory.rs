//! The data directory: created or refused, locked while in use, and cleaned of the files of this
//! run at the end.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use serde::Serialize;

use super::lock::{Lock, LockError};
use super::{Error, Token, file, key, new_token, ownership, socket, token};
use crate::proto::names::name::Name;

/// The file by which commands find the node.
const RUN: &str = "run.json";

/// The file by which `roomful open` redirects a browser to the page. It contains the token.
const REDIRECT: &str = "open.html";

/// The file with the last port of the page.
const SERVED_PORT: &str = "port";

/// The file with the name used last, in any room.
const NAME: &str = "name";

/// The data directory of a running node, locked until this is dropped. The drop removes the files
/// of this run, and the directory itself if it was made for an ephemeral node.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    identity_in_memory: bool,
    made_for_this_run: bool,
    /// The results of [`DataDir::listen`] to remove: the socket, and a directory made for it.
    socket: Option<socket::SocketPath>,
    _lock: Lock,
}

/// The content of `run.json`, by which commands find the running node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunFile {
    /// The process id of the node.
    pub pid: u32,
    /// The absolute path of the Unix socket.
    pub socket: PathBuf,
    /// The address of the page, `http://HOST:PORT/`, without the token. None: only the socket.
    pub web: Option<String>,
    /// The host of every link to the page. A forward, also one to the socket, changes only the
    /// port.
    pub host: String,
    /// The time of the start, in RFC 3339.
    pub started: String,
    /// The settings in force, for `roomful config`.
    pub settings: serde_json::Value,
}

impl DataDir {
    /// Opens the directory `given`, created with mode 0700 if it is missing, and takes its lock.
    ///
    /// An `ephemeral` node keeps its key in memory. Without `given` it gets a fresh directory,
    /// which is removed at the end.
    pub fn open(given: Option<&Path>, ephemeral: bool) -> Result<Self, Error> {
        // JSON tells programs the path, and can only hold text.
        if let Some(path) = given.filter(|path| path.to_str().is_none()) {
            return Err(Error::NotText(path.to_owned()));
        }
        let made_for_this_run = ephemeral && given.is_none();
        let path = match given {
            Some(path) => {
                prepare(path)?;
                path.to_owned()
            }
            None if ephemeral => {
                let parents = runtime_dir().into_iter().chain([std::env::temp_dir(), "/tmp".into()]);
                file::create_private_dir(parents.filter(|parent| parent.to_str().is_some()))?
            }
            None => return Err(Error::NoPlace),
        };
        if let Some(kind) = network_file_system(&path) {
            return Err(Error::NetworkFileSystem { dir: path, kind });
        }
        let lock = Lock::take(&path.join("lock")).map_err(|unlocked| match unlocked {
            LockError::Held(pid) => Error::InUse { dir: path.clone(), pid },
            LockError::NotOurs(reason) => Error::Planted { path: path.join("lock"), reason },
            LockError::Failed(source) => Error::Unusable { dir: path.clone(), source },
        })?;
        // A crash may have left the files of the last run. Until this run is announced, commands
        // must find no node.
        for name in [RUN, REDIRECT] {
            file::remove(&path.join(name)).map_err(|source| Error::File { path: path.join(name), source })?;
        }
        Ok(Self { path, identity_in_memory: ephemeral, made_for_this_run, socket: None, _lock: lock })
    }

    /// Returns the path of the directory, absolute if the given one was.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns true if the history stays in memory as well.
    pub fn is_ephemeral(&self) -> bool {
        self.identity_in_memory
    }

    /// Returns the node's key: the stored one, created at the first start. An ephemeral node gets a
    /// new one.
    pub fn key(&self) -> Result<SigningKey, Error> {
        if self.identity_in_memory { Ok(SigningKey::from_bytes(&*super::random()?)) } else { key(&self.path) }
    }

    /// Returns the token, which is kept over restarts. It is created if there is none that only
    /// this user could read.
    pub fn token(&self) -> Result<Token, Error> {
        token(&self.path)
    }

    /// Replaces the token by a new one.
    pub fn rotate_token(&self) -> Result<Token, Error> {
        new_token(&self.path)
    }

    /// Returns the port of the page in the last run, if any.
    pub fn served_port(&self) -> Option<u16> {
        let text = file::read(&self.path.join(SERVED_PORT)).ok()?;
        std::str::from_utf8(&text).ok()?.trim().parse().ok()
    }

    /// Stores the port of the page. An ephemeral node does not, since it leaves other files of a
    /// given directory unchanged.
    pub fn keep_served_port(&self, port: u16) -> Result<(), Error> {
        if self.identity_in_memory || self.served_port() == Some(port) {
            return Ok(());
        }
        let written = file::write(&self.path, SERVED_PORT, format!("{port}\n").as_bytes());
        written.map_err(|source| Error::File { path: self.path.join(SERVED_PORT), source })
    }

    /// Returns the name used last in any room, for a room without a name of its own. None for an
    /// ephemeral node.
    pub fn name(&self) -> Option<Name> {
        let text = file::read(&self.path.join(NAME)).ok().filter(|_| !self.identity_in_memory)?;
        Name::new(std::str::from_utf8(&text).ok()?).ok()
    }

    /// Stores the name for other rooms.
    pub fn keep_name(&self, name: &Name) -> Result<(), Error> {
        if self.identity_in_memory || self.name().as_ref() == Some(name) {
            return Ok(());
        }
        let written = file::write(&self.path, NAME, format!("{name}\n").as_bytes());
        written.map_err(|source| Error::File { path: self.path.join(NAME), source })
    }

    /// Binds the Unix socket of the page with mode 0600: at `given`, else at `page.sock` in this
    /// directory. If that path is too long, at `roomful-SHORT.sock` in the user's runtime directory
    /// or in a fresh directory.
    pub fn listen(&mut self, given: Option<&Path>, short: &str) -> Result<(UnixListener, PathBuf), Error> {
        let mut place = match given {
            Some(path) => socket::SocketPath::at(path),
            None => socket::SocketPath::usual(&self.path, runtime_dir().as_deref(), short)?,
        };
        let listener = place.listen()?;
        let path = place.path().to_owned();
        self.socket = Some(place);
        Ok((listener, path))
    }

    /// Writes `run.json`, by which commands find this node. The node must be able to answer by now.
    pub fn announce(&self, run: &RunFile) -> Result<(), Error> {
        let path = self.path.join(RUN);
        let written = serde_json::to_vec(run).map_err(io::Error::from).and_then(|mut json| {
            json.push(b'\n');
            file::write(&self.path, RUN, &json)
        });
        written.map_err(|source| Error::File { path, source })
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        for name in [RUN, REDIRECT] {
            _ = fs::remove_file(self.path.join(name));
        }
        self.socket = None;
        if self.made_for_this_run {
            _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Creates the directory, or checks that the existing one and its files belong to this user alone.
fn prepare(dir: &Path) -> Result<(), Error> {
    let unusable = |source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => Error::NotADirectory(dir.to_owned()),
        _ => Error::Unusable { dir: dir.to_owned(), source },
    };
    if let Some(path) = ownership::foreign_link(dir) {
        return Err(Error::Planted { path, reason: "is a symbolic link of another user" });
    }
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(unusable)?;
    let metadata = fs::metadata(dir).map_err(unusable)?;
    if !ownership::is_own(&metadata) {
        return Err(Error::NotOurs(dir.to_owned()));
    }
    // Changing its mode here would hide that others may have put files into it.
    if ownership::is_writable_by_others(&metadata) {
        return Err(Error::WritableByOthers(dir.to_owned()));
    }
    if let Some(path) = ownership::foreign_entry(dir).map_err(unusable)? {
        return Err(Error::Planted { path, reason: "belongs to another user" });
    }
    if metadata.mode() & 0o077 == 0 {
        return Ok(());
    }
    // `mkdir` makes directories that others can enter. An empty one, or one of a node, is closed to
    // others; any other may be a home directory or /tmp.
    let empty = fs::read_dir(dir).map_err(unusable)?.next().is_none();
    let a_nodes = ["lock", "key"].iter().any(|name| dir.join(name).exists());
    if !empty && !a_nodes {
        return Err(Error::OpenToOthers(dir.to_owned()));
    }
    fs::set_permissions(dir, Permissions::from_mode(0o700)).map_err(unusable)
}

/// Returns the system's directory for files that live as long as the login.
fn runtime_dir() -> Option<PathBuf> {
    std::env::var("XDG_RUNTIME_DIR").ok().map(PathBuf::from).filter(|dir| dir.is_absolute())
}

/// Returns the kind of a file system that another machine may write to, or that has no shared
/// memory.
#[cfg(target_os = "linux")]
fn network_file_system(dir: &Path) -> Option<&'static str> {
    // The magic numbers have 32 bits, in a field that is wider and signed on most machines.
    network(rustix::fs::statfs(dir).ok()?.f_type as u32)
}

#[cfg(not(target_os = "linux"))]
fn network_file_system(_: &Path) -> Option<&'static str> {
    None
}

/// Returns the name of a network file system by its number in `statfs`(2) and linux/magic.h. FUSE
/// is accepted: it may be one (sshfs) or not (an encrypted home). 9P is the host's file system in a
/// virtual machine.
#[cfg(target_os = "linux")]
pub(super) fn network(magic: u32) -> Option<&'static str> {
    Some(match magic {
        0x6969 => "NFS",
        0x517b => "SMB",
        0xfe53_4d42 => "SMB2",
        0xff53_4d42 => "CIFS",
        0x0102_1997 => "9P",
        0x5346_414f | 0x6b41_4653 => "AFS",
        0x00c3_6400 => "Ceph",
        0x7375_7245 => "Coda",
        0x0bd0_0bd0 => "Lustre",
        0x564c => "NCP",
        0x0116_1970 | 0x7461_636f => "a cluster file system",
        _ => return None,
    })
}
