//! What a node needs to know to start: plain values that were checked on the way in.
//!
//! Nothing here reads the command line, opens a file for writing or touches the network. A [`Config`] can only hold what would
//! be right on some machine; whether it is right on this one (a free port, a writable directory) shows when it is used.

use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;
use std::str::FromStr;

use etcetera::BaseStrategy as _;

use crate::proto::limits::{AUTHOR_BYTES_MAX, SOCKET_PATH_BYTES_MAX};
pub use crate::proto::name::{Name, NameError};
pub use crate::proto::room_key::{RoomKey, RoomKeyError};

/// The UDP port of the beacons when none is given: ROOM on a telephone keypad.
pub const PORT: u16 = 7666;

/// Most that the history of one other member may take when nothing is given, in MiB.
pub const QUOTA_MIB: u32 = (AUTHOR_BYTES_MAX / MIB) as u32;

/// A MiB in bytes.
pub const MIB: u64 = 1024 * 1024;

/// The room when none is given.
pub const ROOM: &str = "lobby";

/// The settings of one run of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The name to show to others; none: the one used last, else [`login_name`].
    pub name: Option<Name>,
    /// The one address to take part on; none: every usable interface.
    pub host: Option<IpAddr>,
    /// UDP port of the beacons, 1024 and up, and the wish for the TCP port of the mesh.
    pub port: u16,
    /// Nodes to dial in any case.
    pub peers: Vec<PeerAddress>,
    /// Where to send beacons beside the own networks.
    pub announce_to: Vec<PeerAddress>,
    /// The room on this network.
    pub room: Name,
    /// The room's key; none: an open room.
    pub room_key: Option<RoomKeyFrom>,
    /// Where on 127.0.0.1 the page is served.
    pub web_port: WebPort,
    /// Where the Unix socket of the page goes, absolute and short enough; none: into the data directory.
    pub web_socket: Option<PathBuf>,
    /// The user's answer to whether other people work on this machine.
    pub shared: SharedMode,
    /// Where identity and history live, absolute. None: nothing was given, and the node is ephemeral or its user has no home.
    pub data_dir: Option<PathBuf>,
    /// Identity and history in memory only.
    pub ephemeral: bool,
    /// Most that the history of one other member may take, in bytes of what they signed.
    pub quota: u64,
    /// Machine-readable lines on standard output instead of the greeting.
    pub json: bool,
}

/// Where the room's key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomKeyFrom {
    /// The environment had it.
    Given(RoomKey),
    /// It stands in this file, absolute; only its user may be able to read it.
    File(PathBuf),
}

/// A node to dial or to announce to, as its user wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerAddress {
    /// A name, an IPv4 address, or an IPv6 address (perhaps with `%zone`) without brackets.
    pub host: String,
    /// Its TCP port; for an announcement its UDP port.
    pub port: u16,
}

/// Where on 127.0.0.1 the page is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebPort {
    /// Nowhere: only on the Unix socket.
    None,
    /// On this port, or not at all.
    Fixed(u16),
    /// On any free port.
    Any,
    /// On the [usual one](crate::proto::limits::WEB_PORT), or the next free one.
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

/// Whether other people work on this machine: decided at the start, or by the user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SharedMode {
    /// Decided from the machine's users and processes.
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

/// `HOST[:PORT]` as it was written; [`PeerText::or_port`] makes the address of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerText {
    host: String,
    port: Option<u16>,
}

impl PeerText {
    /// The address, with `port` where none was written.
    pub fn or_port(self, port: u16) -> PeerAddress {
        PeerAddress { host: self.host, port: self.port.unwrap_or(port) }
    }
}

impl FromStr for PeerText {
    type Err = &'static str;

    /// Takes `name`, `192.0.2.7`, `fe80::1%eth0`, `[fe80::1%eth0]`, and the same with `:PORT` where the colon is no part of the address.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "an address is HOST, HOST:PORT or [IPV6]:PORT";
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (host, after) = rest.split_once(']').ok_or(FORM)?;
            if !is_ipv6(host) {
                return Err(FORM);
            }
            (host, after.is_empty().then_some(None).or_else(|| after.strip_prefix(':').map(Some)).ok_or(FORM)?)
        } else if is_ipv6(text) {
            (text, None)
        } else {
            text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)))
        };
        let plain =
            !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c.is_control() || "/@[]".contains(c));
        if !plain || (host.contains(':') && !is_ipv6(host)) {
            return Err(FORM);
        }
        let port =
            port.map(|port| port.parse().ok().filter(|port| *port != 0).ok_or("a port is a number from 1 to 65535"));
        Ok(Self { host: host.to_owned(), port: port.transpose()? })
    }
}

fn is_ipv6(text: &str) -> bool {
    let address = text.split_once('%').map_or(text, |(address, zone)| if zone.is_empty() { "" } else { address });
    address.parse::<Ipv6Addr>().is_ok()
}

/// Reads a path for a Unix socket: absolute afterwards, and short enough to bind.
pub fn socket_path(text: &str) -> Result<PathBuf, String> {
    let path = absolute(text)?;
    let length = path.as_os_str().len();
    if length > SOCKET_PATH_BYTES_MAX {
        return Err(format!("a socket's path has at most {SOCKET_PATH_BYTES_MAX} bytes, this one {length}"));
    }
    Ok(path)
}

/// Reads a path that must mean the same after a change of directory.
pub fn absolute(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() {
        return Err("a path cannot be empty".to_owned());
    }
    std::path::absolute(text).map_err(|error| error.to_string())
}

/// `$XDG_DATA_HOME/roomful`, or what stands for it on this system; none without a home directory.
pub fn default_data_dir() -> Option<PathBuf> {
    etcetera::choose_base_strategy().ok().map(|home| home.data_dir().join("roomful"))
}

/// The name of the user who runs this: from the environment, the user database, or the machine; else "somebody".
pub fn login_name() -> Name {
    let environment = ["USER", "LOGNAME"].into_iter().filter_map(|key| std::env::var(key).ok());
    let database = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let candidates = environment.chain(passwd_name(&database, rustix::process::getuid().as_raw())).chain([machine]);
    first_name(candidates)
}

/// The first of `candidates` that leaves a name.
fn first_name(candidates: impl Iterator<Item = String>) -> Name {
    const FALLBACK: &str = "somebody";
    let mut visible = candidates.filter(|text| Name::new(text) != Err(NameError::Empty));
    Name::lossy(&visible.next().unwrap_or_default(), FALLBACK)
}

/// The login name of user `uid` in the text of a `passwd` file.
fn passwd_name(database: &str, uid: u32) -> Option<String> {
    database.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, u16)>) {
        let address = text.parse::<PeerText>().ok().map(|peer| peer.or_port(7666));
        assert_eq!(address, expected.map(|(host, port)| PeerAddress { host: host.to_owned(), port }), "{text}");
    }

    #[test]
    fn peers_are_hosts_with_or_without_a_port() {
        check("box", Some(("box", 7666)));
        check("box.local:9000", Some(("box.local", 9000)));
        check("192.0.2.7:1", Some(("192.0.2.7", 1)));
        check("fe80::1", Some(("fe80::1", 7666)));
        check("fe80::1%eth0", Some(("fe80::1%eth0", 7666)));
        check("[fe80::1%eth0]:9000", Some(("fe80::1%eth0", 9000)));
        check("[::1]", Some(("::1", 7666)));
        for wrong in [
            "",
            ":7666",
            "box:",
            "box:0",
            "box:65536",
            "[::1",
            "[box]:1",
            "[::1]9",
            "a:b:c",
            "fe80::1%",
            "a b",
            "http://box",
        ] {
            check(wrong, None);
        }
    }

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

    #[test]
    fn somebody_always_has_a_name() {
        let names = |list: &[&str]| first_name(list.iter().map(|name| (*name).to_owned())).as_str().to_owned();
        assert_eq!(names(&["", "\u{202e}", "ana"]), "ana");
        assert_eq!(names(&[]), "somebody");
        assert_eq!(passwd_name("root:x:0:0::/:\nana:x:1000:1000::/home/ana:/bin/sh\n", 1000).as_deref(), Some("ana"));
        assert_eq!(passwd_name("broken\nana:x", 1000), None);
    }
}
