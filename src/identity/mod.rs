//! Who this node is, and the directory that says so: key, name, token, lock, `run.json`, the page's last port and
//! the place of the Unix socket.
//!
//! A directory belongs to one running node at a time, and to one user: where others can write, or wrote, no node starts.
//! What is damaged or open to others is refused in
//! a sentence, or made anew where nothing is lost by it (the token); a key is never overwritten. What a database is, nobody
//! here knows.

mod directory;
mod file;
mod lock;
mod ownership;
mod socket;

use std::io;
use std::path::{Path, PathBuf};

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use ed25519_dalek::SigningKey;
use rand::TryRng as _;
use zeroize::Zeroizing;

use crate::proto::room_key::{RoomKey, RoomKeyError};
use crate::system::said;

pub use directory::{DataDir, Run};

/// 256 random bits that open the page and the API to whoever shows them.
#[derive(Clone)]
pub struct Token(Zeroizing<[u8; 32]>);

impl Token {
    /// The bits, as the mutual proof of the page uses them.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// 64 hex digits, as in the link, the file and the `Authorization` header.
    pub fn to_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(HEXLOWER.encode(&*self.0))
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Why a node cannot be who it is meant to be here. Each is a sentence for its user; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No directory was given, and the user has no home.
    #[error("there is no home directory to keep data in\nname a directory with --data-dir")]
    NoPlace,
    /// The directory cannot be made, entered or written.
    #[error("{} cannot hold the data: {}\nname another directory with --data-dir", dir.display(), said(source))]
    Unusable {
        /// Which one.
        dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is something, and it is no directory.
    #[error("{} is not a directory\nname another with --data-dir", .0.display())]
    NotADirectory(PathBuf),
    /// Its path is not UTF-8.
    #[error("the path {} is not UTF-8 text\nname another directory with --data-dir", .0.display())]
    NotText(PathBuf),
    /// The directory is another user's.
    #[error("{} belongs to another user\nname a directory of your own with --data-dir", .0.display())]
    NotOurs(PathBuf),
    /// Other users can write to the directory.
    #[error("other users can write to {dir}, and so put files of theirs in the place of the node's\nclose it with: chmod 700 {dir}, or name another directory with --data-dir", dir = .0.display())]
    WritableByOthers(PathBuf),
    /// Something on the path of the directory or in it is not this user's, and could mislead the node.
    #[error("{path} {reason}, so the node does not use it\nremove it if you do not need it, or name another directory with --data-dir", path = path.display())]
    Planted {
        /// Where.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The directory is open to others, and holds what is not ours to close.
    #[error("{dir} is open to other users and holds other things\nname one with --data-dir that is empty, or that only you can enter", dir = .0.display())]
    OpenToOthers(PathBuf),
    /// Its file system belongs to another machine.
    #[error("{} is on a network file system ({kind}), where locks and history are not safe\nname a local directory with --data-dir", dir.display())]
    NetworkFileSystem {
        /// Which directory.
        dir: PathBuf,
        /// What the file system is called.
        kind: &'static str,
    },
    /// Another node runs on it.
    #[error("{} is already in use by {}\n`roomful url --data-dir {0}` prints its link; for a second node name another directory with --data-dir", dir.display(), process(*pid))]
    InUse {
        /// Which directory.
        dir: PathBuf,
        /// The node's process, where it could be read.
        pid: Option<u32>,
    },
    /// The key is there and cannot be read.
    #[error("the key {} cannot be read: {}\nmake it readable, or move it away to become somebody new", path.display(), said(source))]
    KeyUnreadable {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The key is not 64 hex digits and a newline.
    #[error("the key {} is damaged\nput back a copy of it, or move it away to become somebody new", .0.display())]
    KeyDamaged(PathBuf),
    /// Others may have read the key.
    #[error("the key {path} is open to other users, who may have copied it\nrun chmod 600 {path} if you trust them, or move it away to become somebody new", path = .0.display())]
    KeyOpen(PathBuf),
    /// The file of the room's key cannot be read.
    #[error("the room key {} cannot be read: {}\n`roomful key` prints one to put there; give all members of the room the same", path.display(), said(source))]
    RoomKeyUnreadable {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others may have read the room's key.
    #[error("the room key {path} can be read by other users, or belongs to one\nrun chmod 600 {path} if nobody has read it, else make another with roomful key", path = .0.display())]
    RoomKeyOpen(PathBuf),
    /// The file holds no room key.
    #[error("{}: {error}\n`roomful key` prints one to put there; give all members of the room the same", path.display())]
    RoomKeyWrong {
        /// Where.
        path: PathBuf,
        /// What is wrong with it.
        error: RoomKeyError,
    },
    /// A file in the directory cannot be written or read.
    #[error("{} cannot be kept: {}\nmake room or name another directory with --data-dir", path.display(), said(source))]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody answers on the socket.
    #[error("the socket {} is in use by another program\nname another with --web-socket", .0.display())]
    SocketTaken(PathBuf),
    /// The socket cannot be made.
    #[error("the socket {} cannot be made: {}\nname another with --web-socket", path.display(), said(source))]
    Socket {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system has no random bits to give.
    #[error("the system gives no random numbers: {0}\nthere is no safe way to go on")]
    NoRandomness(String),
}

fn process(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

/// The key in `dir`, made if there is none.
fn key(dir: &Path) -> Result<SigningKey, Error> {
    let path = dir.join("key");
    let text = match file::read(&path) {
        Ok(text) => text,
        Err(file::Unread::Missing) => {
            let seed = random()?;
            file::write(dir, "key", line(&seed).as_bytes()).map_err(|source| Error::File { path, source })?;
            return Ok(SigningKey::from_bytes(&seed));
        }
        Err(file::Unread::OpenToOthers) => return Err(Error::KeyOpen(path)),
        Err(file::Unread::NotAFile) => {
            let source = io::Error::other("it is not a regular file");
            return Err(Error::KeyUnreadable { path, source });
        }
        Err(file::Unread::TooLong) => return Err(Error::KeyDamaged(path)),
        Err(file::Unread::Failed(source)) => return Err(Error::KeyUnreadable { path, source }),
    };
    let seed = parse_line(&text).ok_or(Error::KeyDamaged(path))?;
    Ok(SigningKey::from_bytes(&seed))
}

/// The room's key in a file that only this user can read.
pub fn room_key(path: &Path) -> Result<RoomKey, Error> {
    let text = file::read_named(path).map_err(|unread| match unread {
        file::Unread::OpenToOthers => Error::RoomKeyOpen(path.to_owned()),
        file::Unread::NotAFile => {
            Error::RoomKeyUnreadable { path: path.to_owned(), source: io::ErrorKind::InvalidInput.into() }
        }
        file::Unread::Missing => {
            Error::RoomKeyUnreadable { path: path.to_owned(), source: io::ErrorKind::NotFound.into() }
        }
        file::Unread::TooLong => {
            Error::RoomKeyUnreadable { path: path.to_owned(), source: io::ErrorKind::FileTooLarge.into() }
        }
        file::Unread::Failed(source) => Error::RoomKeyUnreadable { path: path.to_owned(), source },
    })?;
    let words = std::str::from_utf8(&text).unwrap_or_default();
    RoomKey::from_words(words).map_err(|error| Error::RoomKeyWrong { path: path.to_owned(), error })
}

/// The token in `dir`; made if there is none, and anew if it is damaged or others could have read it.
fn token(dir: &Path) -> Result<Token, Error> {
    match file::read(&dir.join("token")).ok().and_then(|text| parse_line(&text)) {
        Some(bytes) => Ok(Token(bytes)),
        None => new_token(dir),
    }
}

/// A new token in the place of whatever was there.
fn new_token(dir: &Path) -> Result<Token, Error> {
    let token = Token(random()?);
    file::write(dir, "token", line(&token.0).as_bytes())
        .map_err(|source| Error::File { path: dir.join("token"), source })?;
    Ok(token)
}

fn random() -> Result<Zeroizing<[u8; 32]>, Error> {
    let mut bytes = Zeroizing::new([0; 32]);
    rand::rngs::SysRng.try_fill_bytes(&mut *bytes).map_err(|error| Error::NoRandomness(error.to_string()))?;
    Ok(bytes)
}

/// 32 secret bytes as they stand in a file: hex digits and a newline.
fn line(bytes: &[u8; 32]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(65));
    HEXLOWER.encode_append(bytes, &mut text);
    text.push('\n');
    text
}

/// The reverse of [`line()`]; a lost newline at the end is no damage.
fn parse_line(text: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let digits = text.strip_suffix(b"\n").unwrap_or(text);
    if digits.len() != 64 {
        return None;
    }
    let mut bytes = Zeroizing::new([0; 32]);
    HEXLOWER_PERMISSIVE.decode_mut(digits, &mut *bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests;
