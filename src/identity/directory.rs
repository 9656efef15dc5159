//! The data directory: made or refused, locked while it is in use, and left without a trace of this run.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use serde::Serialize;

use super::lock::{Lock, Unlocked};
use super::{Error, Token, file, key, new_token, ownership, socket, token};
use crate::proto::name::Name;

/// By which commands find the node.
const RUN: &str = "run.json";

/// By which `roomful open` leads a browser to the page: it holds what opens it.
const REDIRECT: &str = "open.html";

/// The file that remembers where the page was served last.
const SERVED_PORT: &str = "port";

/// The file that remembers the name used last, in whichever room.
const NAME: &str = "name";

/// The directory of one running node, locked until this is dropped. Dropping it removes what is of this run alone, and the
/// directory itself where it was made for an ephemeral node.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    identity_in_memory: bool,
    made_for_this_run: bool,
    /// What [`DataDir::listen`] made, to be removed: the socket, and a directory for it.
    socket: Option<socket::Place>,
    _lock: Lock,
}

/// What `run.json` says: how commands find the running node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Run {
    /// The node's process.
    pub pid: u32,
    /// Its Unix socket, absolute.
    pub socket: PathBuf,
    /// The address of the page, `http://HOST:PORT/`, without the token; none: only the socket.
    pub web: Option<String>,
    /// The host of every link to the page: after a forward, to the socket as well, only the port is another.
    pub host: String,
    /// When it started, as RFC 3339 text.
    pub started: String,
}

impl DataDir {
    /// Opens the directory `given`, made with mode 0700 if it is missing, and takes its lock.
    ///
    /// An `ephemeral` node keeps its key in memory; without a directory `given` it gets a fresh one, removed at the end.
    pub fn open(given: Option<&Path>, ephemeral: bool) -> Result<Self, Error> {
        // Programs learn from JSON where it is; a path that is no text would be another one there.
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
                file::fresh_dir(parents.filter(|parent| parent.to_str().is_some()))?
            }
            None => return Err(Error::NoPlace),
        };
        if let Some(kind) = network_file_system(&path) {
            return Err(Error::NetworkFileSystem { dir: path, kind });
        }
        let lock = Lock::take(&path.join("lock")).map_err(|unlocked| match unlocked {
            Unlocked::Held(pid) => Error::InUse { dir: path.clone(), pid },
            Unlocked::NotOurs(reason) => Error::Planted { path: path.join("lock"), reason },
            Unlocked::Failed(source) => Error::Unusable { dir: path.clone(), source },
        })?;
        // A crash may have left the last run's; until this one is announced, commands find nobody.
        for name in [RUN, REDIRECT] {
            file::remove(&path.join(name)).map_err(|source| Error::File { path: path.join(name), source })?;
        }
        Ok(Self { path, identity_in_memory: ephemeral, made_for_this_run, socket: None, _lock: lock })
    }

    /// Where it is, absolute if what was given was.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether history belongs into memory too.
    pub fn is_ephemeral(&self) -> bool {
        self.identity_in_memory
    }

    /// The node's key: the one kept here, made at the first start; of an ephemeral node a new one.
    pub fn key(&self) -> Result<SigningKey, Error> {
        if self.identity_in_memory { Ok(SigningKey::from_bytes(&*super::random()?)) } else { key(&self.path) }
    }

    /// The token, kept over restarts; made if there is none that only we could have read.
    pub fn token(&self) -> Result<Token, Error> {
        token(&self.path)
    }

    /// Makes a new token and forgets the old one.
    pub fn rotate_token(&self) -> Result<Token, Error> {
        new_token(&self.path)
    }

    /// The port of 127.0.0.1 on which the page was served last, over restarts; none if it never was.
    pub fn served_port(&self) -> Option<u16> {
        let text = file::read(&self.path.join(SERVED_PORT)).ok()?;
        std::str::from_utf8(&text).ok()?.trim().parse().ok()
    }

    /// Remembers on which port the page is served. An ephemeral node does not: what is in a directory that it was given, and
    /// is not of this run, stays as it is.
    pub fn keep_served_port(&self, port: u16) -> Result<(), Error> {
        if self.identity_in_memory || self.served_port() == Some(port) {
            return Ok(());
        }
        let written = file::write(&self.path, SERVED_PORT, format!("{port}\n").as_bytes());
        written.map_err(|source| Error::File { path: self.path.join(SERVED_PORT), source })
    }

    /// The name used last, in whichever room: what a room begins with that has none of its own. Never of an ephemeral node.
    pub fn name(&self) -> Option<Name> {
        let text = file::read(&self.path.join(NAME)).ok().filter(|_| !self.identity_in_memory)?;
        Name::new(std::str::from_utf8(&text).ok()?).ok()
    }

    /// Remembers the name for rooms to come.
    pub fn keep_name(&self, name: &Name) -> Result<(), Error> {
        if self.identity_in_memory || self.name().as_ref() == Some(name) {
            return Ok(());
        }
        let written = file::write(&self.path, NAME, format!("{name}\n").as_bytes());
        written.map_err(|source| Error::File { path: self.path.join(NAME), source })
    }

    /// Binds the Unix socket of the page, mode 0600: at `given`, else `page.sock` here, else, where that path is too long to
    /// bind, `roomful-SHORT.sock` in the user's runtime directory or in a fresh directory of its own.
    pub fn listen(&mut self, given: Option<&Path>, short: &str) -> Result<(UnixListener, PathBuf), Error> {
        let mut place = match given {
            Some(path) => socket::Place::at(path),
            None => socket::Place::usual(&self.path, runtime_dir().as_deref(), short)?,
        };
        let listener = place.listen()?;
        let path = place.path().to_owned();
        self.socket = Some(place);
        Ok((listener, path))
    }

    /// Writes `run.json`, by which commands find this node. Call it when the node can answer.
    pub fn announce(&self, run: &Run) -> Result<(), Error> {
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

/// Makes the directory, or checks that the one there is ours alone, with nothing in it that others made.
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
    // Closing it here would hide that others may have put something into it.
    if ownership::is_writable_by_others(&metadata) {
        return Err(Error::WritableByOthers(dir.to_owned()));
    }
    if let Some(path) = ownership::foreign_entry(dir).map_err(unusable)? {
        return Err(Error::Planted { path, reason: "belongs to another user" });
    }
    if metadata.mode() & 0o077 == 0 {
        return Ok(());
    }
    // `mkdir` makes directories that others can enter. One that is empty or already a node's is ours to close; what else there
    // is may be somebody's home or /tmp.
    let empty = fs::read_dir(dir).map_err(unusable)?.next().is_none();
    let a_nodes = ["lock", "key"].iter().any(|name| dir.join(name).exists());
    if !empty && !a_nodes {
        return Err(Error::OpenToOthers(dir.to_owned()));
    }
    fs::set_permissions(dir, Permissions::from_mode(0o700)).map_err(unusable)
}

/// Where the system keeps what lives as long as the user is logged in.
fn runtime_dir() -> Option<PathBuf> {
    std::env::var("XDG_RUNTIME_DIR").ok().map(PathBuf::from).filter(|dir| dir.is_absolute())
}

/// The kind of file system, if another machine may write there too, or shared memory is none.
#[cfg(target_os = "linux")]
fn network_file_system(dir: &Path) -> Option<&'static str> {
    // The magic numbers have 32 bits, in a field that is wider, and signed, on most machines.
    network(rustix::fs::statfs(dir).ok()?.f_type as u32)
}

#[cfg(not(target_os = "linux"))]
fn network_file_system(_: &Path) -> Option<&'static str> {
    None
}

/// The name of a network file system by its number in `statfs`(2) and linux/magic.h. FUSE may be one (sshfs) or not (an
/// encrypted home); it is let through. 9P is what a virtual machine sees of its host.
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
