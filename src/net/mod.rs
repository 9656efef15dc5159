//! Network I/O on tokio: beacons over UDP, links between nodes over TCP and TLS.
//!
//! This module makes no decisions. It carries out commands ([`Net::announce`], [`Net::dial`],
//! [`Net::send`], [`Net::close`]) and reports what happens ([`NetEvent`]). Every frame that it
//! reports is well-formed, and every batch in it has a valid signature.
//!
//! The encoding is in [`crate::wire`]. The engine ([`crate::proto::engine`]) decides what follows
//! from an event.

mod announce_targets;
mod auth_failures;
mod beacon;
mod drop_counters;
mod error;
mod handshake;
pub mod interfaces;
mod link;
mod mesh;
mod packet_rate_limit;
mod pending_handshakes;
pub mod port_owner;
mod slots;
#[cfg(test)]
mod tests;
mod tls;
mod udp;
mod warnings;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use zeroize::Zeroizing;

use crate::proto::ids::{DialId, Instance, LinkId, NodeId, RoomId, RoomTag};
use crate::proto::limits::ANNOUNCEMENTS_WAITING_MAX;
use crate::proto::links::address_book::Dial;
use crate::proto::links::link_budget::LinkBudget;
use crate::proto::links::room_key::RoomKey;
use crate::proto::links::version_range::PROTOCOL_VERSIONS;
use crate::proto::names::name::Name;
use crate::proto::replication::drop_reason::DropCounters;
use crate::proto::replication::frame::{Beacon, CloseReason, Frame, Hello, Peer};

pub use beacon::InterfaceCounts;
use drop_counters::DropCounts;
pub use error::NetError;
pub use tls::TlsError;

/// The counter of beacons that came from no network of this machine, or went to an `--announce-to`
/// target.
const REMOTE_TARGET: &str = "elsewhere";

/// The configuration of the network side.
pub struct NetConfig {
    /// The only address to use (`--host`). `None`: every usable address.
    pub host: Option<IpAddr>,
    /// The UDP port of beacons. The TCP port is the same if it is free.
    pub port: u16,
    /// Extra targets of beacons (`--announce-to`): names or addresses, with ports.
    pub announce_to: Vec<(String, u16)>,
    /// The room's name, normalised.
    pub room: Name,
    /// The room's key. `None`: an open room.
    pub room_key: Option<RoomKey>,
    /// The node's identity.
    pub key: SigningKey,
    /// This start of the program.
    pub instance: Instance,
    /// The limits of links and handshakes.
    pub budget: LinkBudget,
}

/// Why the node that answered a dial cannot be linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerMismatch {
    /// It uses this node's own key.
    OwnKey,
    /// It is in a room of the same name, with another key.
    OtherRoomKey,
    /// Its id is not the expected one.
    UnexpectedId,
}

/// An event of the network.
///
/// Each [`NetEvent::LinkUp`] is followed by exactly one [`NetEvent::LinkDown`], after all frames of
/// the link.
#[derive(Clone, Debug)]
pub enum NetEvent {
    /// A beacon arrived. Dropped when the channel is full.
    Beacon {
        /// The sender's address.
        source: SocketAddr,
        /// The beacon.
        beacon: Beacon,
    },
    /// The usable addresses of this machine, IPv4 first and loopback last. Sent at the start and
    /// after each change.
    Network {
        /// All of them. With `--host`, only that address, or none while it is gone.
        addresses: Vec<IpAddr>,
    },
    /// The results of an announcement. Dropped when the channel is full.
    Announced(Vec<Sent>),
    /// A dial failed.
    DialFailed {
        /// The dial's number.
        dial: DialId,
        /// The reason, as a sentence for the user.
        error: String,
        /// What the peer proved about itself, if it did.
        proved: Option<PeerMismatch>,
        /// True if a peer answered, so no firewall blocks the way.
        answered: bool,
    },
    /// A link is up: each side has proved its key and its knowledge of the room key.
    LinkUp {
        /// The link's number, never reused.
        link: LinkId,
        /// The dial that made it. `None`: the peer dialled.
        dial: Option<DialId>,
        /// The peer.
        peer: Peer,
    },
    /// A link has ended, closed by either side.
    LinkDown {
        /// The link's number.
        link: LinkId,
        /// The peer's reason, or [`CloseReason::Protocol`] if the peer broke the protocol. `None`
        /// if this side closed the link or the peer gave no reason.
        reason: Option<CloseReason>,
    },
    /// Part of a long frame arrived. A sign of life, at most once a second. Dropped when the
    /// channel is full.
    Heard {
        /// The link's number.
        link: LinkId,
    },
    /// A frame arrived.
    Frame {
        /// The link's number.
        link: LinkId,
        /// The frame; never [`Frame::Close`], which ends the link.
        frame: Frame,
        /// Its length on the link, in bytes.
        bytes: usize,
        /// Its share of the memory for frames that wait for the engine, released with the last
        /// clone of this event.
        permit: link::FramePermit,
    },
}

/// One packet of an announcement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The interface's name.
    pub interface: String,
    /// The source address.
    pub source: IpAddr,
    /// The target.
    pub target: SocketAddr,
    /// Why it could not be sent.
    pub error: Option<String>,
}

/// The network side of a running node. Cancelling its token stops it, with a goodbye on every link.
#[derive(Clone)]
pub struct Net {
    mesh: Arc<mesh::Mesh>,
    announcements: mpsc::Sender<Beacon>,
    counters: beacon::InterfaceCounters,
    drop_counts: DropCounts,
    has_room_key: bool,
}

impl Net {
    /// Opens the sockets and starts the tasks. Must be called within a tokio runtime.
    ///
    /// `name` holds the node's current name. A link tells the name that is current when it is made.
    pub fn start(
        settings: NetConfig,
        name: watch::Receiver<Name>,
        events: mpsc::Sender<NetEvent>,
        stop: CancellationToken,
        tracker: TaskTracker,
    ) -> Result<Self, NetError> {
        check_host(settings.host)?;
        let (port, budget) = (settings.port, settings.budget);
        let sockets = udp::BeaconSockets::open(settings.host, port).map_err(|error| NetError::Udp { port, error })?;
        let port = sockets.port;
        let (listeners, ports) = mesh::listen(settings.host, port).map_err(|error| {
            let address = settings.host.map_or("any address".to_owned(), |host| host.to_string());
            NetError::Tcp { address, error }
        })?;
        let own = NodeId(settings.key.verifying_key().to_bytes());
        let room = settings.room.as_str();
        let key: &[u8] = settings.room_key.as_ref().map_or(&[], |key| key.bytes());
        let secret = Zeroizing::new(if key.is_empty() { room.into() } else { key.to_vec() });
        let hello = Hello { versions: PROTOCOL_VERSIONS, room: RoomTag::new(room), instance: settings.instance };
        let drop_counts = DropCounts::default();
        let mesh = Arc::new(mesh::Mesh {
            own,
            room: RoomId::new(room, key),
            hello,
            secret,
            tls: tls::Tls::new(&settings.key)?,
            host: settings.host,
            started: Instant::now(),
            name,
            ports,
            pending: pending_handshakes::PendingHandshakes::new(budget.handshakes),
            wrong_keys: auth_failures::AuthFailures::default(),
            version_told: AtomicBool::new(false),
            links: link::LinkRegistry::new(budget.links + budget.closing),
            drop_counts: drop_counts.clone(),
            events: events.clone(),
            stop: stop.clone(),
            tracker: tracker.clone(),
        });
        for listener in listeners {
            tracker.spawn(mesh.clone().accept_all(listener));
        }
        let counters = beacon::InterfaceCounters::default();
        let (announcements, receiver) = mpsc::channel(ANNOUNCEMENTS_WAITING_MAX);
        let target_announcer = (!settings.announce_to.is_empty()).then(|| {
            let (packets, receiver) = mpsc::channel(1);
            let report = announce_targets::LastRound::default();
            let target_announcer = announce_targets::TargetAnnouncer {
                targets: settings.announce_to,
                host: settings.host,
                report: report.clone(),
            };
            tracker.spawn(target_announcer.run(receiver, stop.clone()));
            (packets, report)
        });
        let beacon_task = beacon::BeaconTask {
            sockets,
            host: settings.host,
            own: (own, settings.instance),
            counters: counters.clone(),
            drop_counts: drop_counts.clone(),
            events,
            links: mesh.links.clone(),
            target_announcer,
        };
        tracker.spawn(beacon_task.run(receiver, stop));
        Ok(Self { mesh, announcements, counters, drop_counts, has_room_key: settings.room_key.is_some() })
    }

    /// The UDP port of beacons.
    pub fn udp_port(&self) -> u16 {
        self.mesh.ports.udp
    }

    /// The TCP port that a beacon must contain.
    pub fn tcp_port(&self) -> u16 {
        self.mesh.ports.tcp
    }

    /// Every address at which other nodes can dial this one now, as `address:port`: IPv4 first,
    /// loopback last. A link-local IPv6 address carries its interface, `[address%zone]:port`.
    pub fn tcp_addresses(&self) -> Vec<String> {
        let print = |(address, zone): (SocketAddr, Option<String>)| match zone {
            Some(zone) => format!("[{}%{zone}]:{}", address.ip(), address.port()),
            None => address.to_string(),
        };
        self.mesh.listens().into_iter().map(print).collect()
    }

    /// Sends a beacon on every interface. [`NetEvent::Announced`] reports the result.
    pub fn announce(&self, mut beacon: Beacon) {
        if self.has_room_key {
            // Every host on the network can read a beacon. In a room with a key, only members may
            // learn names.
            beacon.name = Name::from_lossy(&beacon.id.short(), &beacon.id.short());
        }
        // A full queue loses nothing: the beacons that wait say the same.
        let _ = self.announcements.try_send(beacon);
    }

    /// Dials a target. [`NetEvent::LinkUp`] or [`NetEvent::DialFailed`] reports the result with the
    /// same number.
    ///
    /// If the dial names an expected node, only that node is linked.
    pub fn dial(&self, dial: Dial) {
        self.mesh.tracker.spawn(self.mesh.clone().dial(dial));
    }

    /// Queues a frame on a link. Never waits: a full queue ends the link.
    ///
    /// The frame comes encoded ([`crate::wire::frame::encode`]), so that a frame for all links is
    /// encoded once.
    pub fn send(&self, link: LinkId, frame: Bytes) {
        self.mesh.links.send(link, frame);
    }

    /// Returns the way for frames that wait while a link has others to send; none if the link has
    /// ended.
    pub fn bulk(&self, link: LinkId) -> Option<mpsc::Sender<Bytes>> {
        self.mesh.links.bulk(link)
    }

    /// Ends a link after sending its queued frames and the reason, within about a second.
    pub fn close(&self, link: LinkId, reason: CloseReason) {
        self.mesh.links.close(link, reason);
    }

    /// Counts of what was dropped or refused since the start: beacons, connections, frames.
    pub fn refused(&self) -> DropCounters {
        self.drop_counts.tally()
    }

    /// The usable addresses of this machine now, with their interfaces. With `--host`, only that
    /// address.
    pub fn interfaces(&self) -> Vec<interfaces::Interface> {
        interfaces::list(self.mesh.host).unwrap_or_default()
    }

    /// Beacons sent, received and refused since the start, by the interface's name.
    pub fn counters(&self) -> BTreeMap<String, InterfaceCounts> {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn check_host(host: Option<IpAddr>) -> Result<(), NetError> {
    let usable = interfaces::list(None).map_err(NetError::Interfaces)?;
    let addresses: Vec<IpAddr> = usable.into_iter().map(|interface| interface.address).collect();
    let Some(host) = host else {
        return if addresses.is_empty() { Err(NetError::NoNetwork) } else { Ok(()) };
    };
    // An address whose cable is unplugged now may become usable later.
    let ours = interfaces::is_ours(host).map_err(NetError::Interfaces)?;
    if ours { Ok(()) } else { Err(NetError::HostNotOurs { host, addresses }) }
}
