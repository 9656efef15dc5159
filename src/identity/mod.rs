//! The identity of a node and its data directory: key, name, token, lock, `run.json`, the last port
//! of the page and the path of the Unix socket.
//!
//! A directory belongs to one running node and one user. A node does not start in a directory in
//! which other users can write or have written. Damaged files, and files open to others, are
//! refused with a sentence. Only the token is made anew; a key is never overwritten. The database
//! is not part of this module.

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

use crate::proto::links::room_key::{RoomKey, RoomKeyError};
use crate::system::io_error_text;

pub use directory::{DataDir, RunFile};

/// The token of page and API: 256 random bits.
#[derive(Clone)]
pub struct Token(Zeroizing<[u8; 32]>);

impl Token {
    /// Returns the bits, for the mutual proof of the page.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns 64 hex digits, as in the link, the file and the `Authorization` header.
    pub fn to_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(HEXLOWER.encode(&*self.0))
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

/// The reason for which a node cannot have its identity. Each is a sentence for the user, and
/// nothing was changed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the sentences say what the fields are")]
pub enum Error {
    /// No directory was given, and the user has no home directory.
    #[error("there is no home directory for the data\nchoose a directory with --data-dir")]
    NoPlace,
    /// The directory cannot be created, entered or written.
    #[error("{} can't hold the data: {}\nchoose another directory with --data-dir", dir.display(), io_error_text(source))]
    Unusable { dir: PathBuf, source: io::Error },
    /// The path is no directory.
    #[error("{} is not a directory\nchoose another with --data-dir", .0.display())]
    NotADirectory(PathBuf),
    /// Its path is not UTF-8.
    #[error("the path {} is not UTF-8 text\nchoose another directory with --data-dir", .0.display())]
    NotText(PathBuf),
    /// The directory belongs to another user.
    #[error("{} belongs to another user\nchoose a directory of your own with --data-dir", .0.display())]
    NotOurs(PathBuf),
    /// Other users can write to the directory.
    #[error("other users can write to {dir} and replace the node's files\nrun chmod 700 {dir}, or choose another directory with --data-dir", dir = .0.display())]
    WritableByOthers(PathBuf),
    /// A file or link on the path of the directory or in it belongs to another user and could
    /// mislead the node.
    #[error("{path} {reason}, so it is not used\nremove it if you don't need it, or choose another directory with --data-dir", path = path.display())]
    Planted { path: PathBuf, reason: &'static str },
    /// The directory is open to others, and contains files of other programs.
    #[error("{dir} is open to other users and not empty\nwith --data-dir, choose a directory that is empty or that only you can enter", dir = .0.display())]
    OpenToOthers(PathBuf),
    /// The file system belongs to another machine.
    #[error("{} is on a network file system ({kind}), where the history is not safe\nchoose a local directory with --data-dir", dir.display())]
    NetworkFileSystem { dir: PathBuf, kind: &'static str },
    /// Another node runs on the directory.
    #[error("{} is already in use by {}\n`roomful url --data-dir {0}` prints its sign-in link; for a second node choose another directory with --data-dir", dir.display(), process(*pid))]
    InUse { dir: PathBuf, pid: Option<u32> },
    /// The key cannot be read.
    #[error("the key {} cannot be read: {}\nmake it readable, or move it away to start with a new identity", path.display(), io_error_text(source))]
    KeyUnreadable { path: PathBuf, source: io::Error },
    /// The key is not 64 hex digits and a newline.
    #[error("the key {} is damaged\nrestore a copy of it, or move it away to start with a new identity", .0.display())]
    KeyDamaged(PathBuf),
    /// Other users may have read the key.
    #[error("the key {path} is open to other users, who may have copied it\nrun chmod 600 {path} if you trust them, or move it away to start with a new identity", path = .0.display())]
    KeyOpen(PathBuf),
    /// The file of the room's key cannot be read.
    #[error("the room key {} cannot be read: {}\n`roomful key` prints a new one; everyone in the room needs the same key", path.display(), io_error_text(source))]
    RoomKeyUnreadable { path: PathBuf, source: io::Error },
    /// Other users may have read the room's key.
    #[error("the room key {path} can be read by other users, or belongs to one\nrun chmod 600 {path} if no one has read it, else make a new one with roomful key", path = .0.display())]
    RoomKeyOpen(PathBuf),
    /// The file holds no room key.
    #[error("{}: {error}\n`roomful key` prints a new one; everyone in the room needs the same key", path.display())]
    RoomKeyWrong { path: PathBuf, error: RoomKeyError },
    /// A file in the directory cannot be written or read.
    #[error("{} can't be saved: {}\nfree up space or choose another directory with --data-dir", path.display(), io_error_text(source))]
    File { path: PathBuf, source: io::Error },
    /// Another process listens on the socket.
    #[error("the socket {} is in use by another program\nchoose another with --web-socket", .0.display())]
    SocketTaken(PathBuf),
    /// The socket cannot be created.
    #[error("the socket {} can't be created: {}\nchoose another with --web-socket", path.display(), io_error_text(source))]
    Socket { path: PathBuf, source: io::Error },
    /// The system has no random numbers.
    #[error("the system provides no random numbers: {0}\nRoomful can't run safely without them")]
    NoRandomness(String),
}

fn process(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

/// Returns the key in `dir`, created if there is none.
fn key(dir: &Path) -> Result<SigningKey, Error> {
    let path = dir.join("key");
    let text = match file::read(&path) {
        Ok(text) => text,
        Err(file::ReadError::Missing) => {
            let seed = random()?;
            file::write(dir, "key", line(&seed).as_bytes()).map_err(|source| Error::File { path, source })?;
            return Ok(SigningKey::from_bytes(&seed));
        }
        Err(file::ReadError::OpenToOthers) => return Err(Error::KeyOpen(path)),
        Err(file::ReadError::NotAFile) => {
            let source = io::Error::other("it is not a regular file");
            return Err(Error::KeyUnreadable { path, source });
        }
        Err(file::ReadError::TooLong) => return Err(Error::KeyDamaged(path)),
        Err(file::ReadError::Failed(source)) => return Err(Error::KeyUnreadable { path, source }),
    };
    let seed = parse_line(&text).ok_or(Error::KeyDamaged(path))?;
    Ok(SigningKey::from_bytes(&seed))
}

/// Returns the room's key from a file that only this user can read.
pub fn room_key(path: &Path) -> Result<RoomKey, Error> {
    let text = file::read_named(path).map_err(|unread| match unread {
        file::ReadError::OpenToOthers => Error::RoomKeyOpen(path.to_owned()),
        file::ReadError::NotAFile => {
            Error::RoomKeyUnreadable { path: path.to_owned(), source: io::ErrorKind::InvalidInput.into() }
        }
        file::ReadError::Missing => {
            Error::RoomKeyUnreadable { path: path.to_owned(), source: io::ErrorKind::NotFound.into() }
        }
        file::ReadError::TooLong => {
            Error::RoomKeyUnreadable { path: path.to_owned(), source: io::ErrorKind::FileTooLarge.into() }
        }
        file::ReadError::Failed(source) => Error::RoomKeyUnreadable { path: path.to_owned(), source },
    })?;
    let words = std::str::from_utf8(&text).unwrap_or_default();
    RoomKey::from_words(words).map_err(|error| Error::RoomKeyWrong { path: path.to_owned(), error })
}

/// Returns the token in `dir`. It is created if there is none, and replaced if it is damaged or
/// others could have read it.
fn token(dir: &Path) -> Result<Token, Error> {
    match file::read(&dir.join("token")).ok().and_then(|text| parse_line(&text)) {
        Some(bytes) => Ok(Token(bytes)),
        None => new_token(dir),
    }
}

/// Replaces the token.
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

/// Formats 32 secret bytes as in a file: hex digits and a newline.
fn line(bytes: &[u8; 32]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(65));
    HEXLOWER.encode_append(bytes, &mut text);
    text.push('\n');
    text
}

/// Parses the output of [`line()`]. A missing newline at the end is accepted.
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
