//! A test's own part of the machine: a directory, a room and a port that no other test uses.

use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rand::RngExt;
use tempfile::TempDir;

use super::node::Launch;
use super::{Context, Result, bail};

/// The directory of its nodes, and what separates its beacons from those of parallel tests. The
/// directory is removed with it.
pub struct Lab {
    dir: TempDir,
    room: String,
    port: u16,
}

impl Lab {
    /// A lab on a random port of loopback that is free for UDP and TCP, with a room of its own.
    pub fn new() -> Result<Self> {
        Self::with_port(free_port()?)
    }

    /// A lab whose nodes use `port`: for hosts with their own network, where every port is free.
    pub fn with_port(port: u16) -> Result<Self> {
        let dir = TempDir::with_prefix("roomful-").context("a directory for the test")?;
        let room = format!("test-{:08x}", rand::rng().random::<u32>());
        Ok(Self { dir, room, port })
    }

    /// The directory of this lab.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The data directory of the node called `name`.
    pub fn data_dir(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The name of the room.
    pub fn room(&self) -> &str {
        &self.room
    }

    /// The UDP port of the beacons.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Writes a room key, or what shall be taken for one, to a file of this name. Answers its path.
    pub fn key_file(&self, name: &str, words: &str, mode: u32) -> Result<String> {
        let path = self.dir.path().join(name);
        fs::write(&path, format!("{words}\n"))?;
        fs::set_permissions(&path, Permissions::from_mode(mode))?;
        Ok(path.display().to_string())
    }

    /// A node of this lab, not started yet. The same name is the same data directory.
    pub fn node(&self, name: &str) -> Launch {
        Launch::new(self, name)
    }
}

/// An unused port below the range that the system assigns automatically.
pub fn free_port() -> Result<u16> {
    for _ in 0..100 {
        let port = rand::rng().random_range(20_000..32_000);
        let udp = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port));
        let tcp = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port));
        if udp.is_ok() && tcp.is_ok() {
            return Ok(port);
        }
    }
    bail!("no free port between 20000 and 32000 in 100 tries")
}
