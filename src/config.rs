//! The settings of a node, as values that are already checked.
//!
//! Nothing here reads the command line, writes a file or uses the network. A [`Config`] is valid on
//! some machine. Whether it is valid on this one (a free port, a writable directory) shows in use.

mod login_name;
mod peer_address;

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;
use etcetera::BaseStrategy as _;
use serde::{Deserialize, Serialize};

use crate::proto::limits::{AUTHOR_BYTES_MAX, SOCKET_PATH_BYTES_MAX};
pub use crate::proto::limits::{
    AUTO_FETCH_MIB, DEFAULT_PORT as PORT, DEFAULT_ROOM as ROOM, FILES_QUOTA_GIB, ID_PART_CHARS_MIN, WEB_PORTS,
};
pub use crate::proto::links::room_key::{RoomKey, RoomKeyError};
pub use crate::proto::names::name::{Name, NameError};
pub use login_name::login_name;
pub use peer_address::{PeerAddress, UnresolvedPeer};

/// Default limit of the history of one other member, in MiB.
pub const QUOTA_MIB: u32 = (AUTHOR_BYTES_MAX / MIB) as u32;

/// Bytes of one MiB.
pub const MIB: u64 = 1024 * 1024;

/// Bytes of one GiB.
pub const GIB: u64 = 1024 * MIB;

/// Largest configuration file: hundreds of peers fit.
pub const CONFIG_BYTES_MAX: u64 = 64 * 1024;

/// The log level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "the words say it")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl LogLevel {
    /// Returns the level's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// An option with the value that is in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// The option's name, without dashes.
    pub name: String,
    /// The value as text. Lists are separated by commas.
    pub value: String,
    /// Where the value comes from.
    pub source: SettingSource,
}

/// The source of a value, the one with the highest precedence first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the words say it")]
pub enum SettingSource {
    Option,
    Environment,
    File,
    Default,
}

impl SettingSource {
    /// Returns the name of the source.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Option => "option",
            Self::Environment => "environment",
            Self::File => "file",
            Self::Default => "default",
        }
    }
}

/// Everything that a node starts with, or reads again.
#[derive(Debug)]
pub struct Loaded {
    /// The settings, checked.
    pub config: Config,
    /// The log level; none if neither the option nor its variable is set.
    pub log: Option<LogLevel>,
    /// The same settings as texts with their sources.
    pub settings: Vec<Setting>,
}

/// Reads options, environment and configuration file again. An error is one or two lines.
pub type Reload = Box<dyn Fn() -> Result<Loaded, String> + Send>;

/// The settings of one run of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The name shown to others. None: the name used last, else [`login_name()`].
    pub name: Option<Name>,
    /// The one address to take part on. None: every usable interface.
    pub host: Option<IpAddr>,
    /// The UDP port of the beacons, 1024 and up, and the preferred TCP port of the mesh.
    pub port: u16,
    /// The nodes to dial in any case.
    pub peers: Vec<PeerAddress>,
    /// Further destinations of beacons.
    pub announce_to: Vec<PeerAddress>,
    /// The room on this network.
    pub room: Name,
    /// The room's key. None: an open room.
    pub room_key: Option<RoomKeyFrom>,
    /// The port of the page on 127.0.0.1.
    pub web_port: WebPort,
    /// The path of the page's Unix socket, absolute and short enough. None: in the data directory.
    pub web_socket: Option<PathBuf>,
    /// Whether other people use this machine.
    pub shared: SharedMode,
    /// The program to run for each new message of another member.
    pub on_message: Option<PathBuf>,
    /// The data directory, absolute. None: none was given, and the node is ephemeral or the user
    /// has no home directory.
    pub data_dir: Option<PathBuf>,
    /// True if identity and history stay in memory only.
    pub ephemeral: bool,
    /// Limit of the history of one other member, in signed bytes.
    pub quota: u64,
    /// Files up to this size are fetched automatically, in bytes.
    pub auto_fetch: u64,
    /// Limit of the files of all other members together, in bytes.
    pub files_quota: u64,
    /// True if standard output gets machine-readable lines instead of the greeting.
    pub json: bool,
}

/// The source of the room's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomKeyFrom {
    /// The key itself, from the environment.
    Given(RoomKey),
    /// An absolute path of a file that only its user can read.
    File(PathBuf),
}

/// The port of the page on 127.0.0.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebPort {
    /// No port: only the Unix socket.
    None,
    /// This port; an error if it is taken.
    Fixed(u16),
    /// Any free port.
    Any,
    /// The [usual port](crate::proto::limits::WEB_PORTS), or the next free one.
    Usual,
}

impl FromStr for WebPort {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "none" => Ok(Self::None),
            "0" => Ok(Self::Any),
            _ => text.parse().map(Self::Fixed).map_err(|_| "a port number, 0 for any free port, or none"),
        }
    }
}

/// Whether other people use this machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SharedMode {
    /// Detected from the machine's users and processes.
    #[default]
    Auto,
    /// They do.
    Yes,
    /// They do not.
    No,
}

impl FromStr for SharedMode {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "yes" => Ok(Self::Yes),
            "no" => Ok(Self::No),
            _ => Err("auto, yes or no"),
        }
    }
}

/// Parses the path of a Unix socket: makes it absolute, and checks its length.
pub fn socket_path(text: &str) -> Result<PathBuf, String> {
    let path = absolute(text)?;
    let length = path.as_os_str().len();
    if length > SOCKET_PATH_BYTES_MAX {
        return Err(format!("a socket's path has at most {SOCKET_PATH_BYTES_MAX} bytes, this one {length}"));
    }
    Ok(path)
}

/// Makes a path absolute, so that it stays valid after a change of directory.
pub fn absolute(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() {
        return Err("a path cannot be empty".to_owned());
    }
    std::path::absolute(text).map_err(|error| error.to_string())
}

/// Parses a program: a path, made absolute, or a name to look up in `PATH`.
pub fn program(text: &str) -> Result<PathBuf, String> {
    if text.contains('/') || text.is_empty() { absolute(text) } else { Ok(text.into()) }
}

/// Returns `$XDG_DATA_HOME/roomful`, or its counterpart on this system. None without a home
/// directory.
pub fn default_data_dir() -> Option<PathBuf> {
    etcetera::choose_base_strategy().ok().map(|home| home.data_dir().join("roomful"))
}

/// Returns `$XDG_CONFIG_HOME/roomful/config.toml`, or its counterpart on this system. None without
/// a home directory.
pub fn default_config_file() -> Option<PathBuf> {
    etcetera::choose_base_strategy().ok().map(|home| home.config_dir().join("roomful/config.toml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn web_ports_are_numbers_or_words() {
        assert_eq!("none".parse(), Ok(WebPort::None));
        assert_eq!("0".parse(), Ok(WebPort::Any));
        assert_eq!("7680".parse(), Ok(WebPort::Fixed(7680)));
        for wrong in ["", "None", "-1", "65536", "7680 "] {
            assert!(wrong.parse::<WebPort>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn socket_paths_end_at_what_the_system_can_bind() {
        let longest = format!("/{}", "x".repeat(SOCKET_PATH_BYTES_MAX - 1));
        assert_eq!(socket_path(&longest), Ok(PathBuf::from(&longest)));
        assert!(socket_path(&format!("{longest}x")).is_err());
        assert!(socket_path("page.sock").is_ok_and(|path| path.is_absolute()));
        assert!(socket_path("").is_err());
    }
}
