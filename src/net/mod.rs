//! The network's edge: beacons over UDP, links over TCP and TLS, driven by tokio.
//!
//! Nothing here decides: it does what it is told ([`Net::announce`], [`Net::dial`], [`Net::send`], [`Net::close`]) and
//! reports what happens ([`Event`]). What is handed on was checked for its form, and every batch for its signature.
//! The bytes are the business of [`crate::wire`]; what follows from them is the engine's.

mod beacon;
mod far;
mod handshake;
pub mod holder;
pub mod interfaces;
mod link;
mod mesh;
mod pending;
mod refusals;
mod sieve;
mod slots;
#[cfg(test)]
mod tests;
mod tls;
mod udp;
mod warnings;
mod wrong_keys;

use std::collections::BTreeMap;
use std::io;
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

use crate::proto::book::Dial;
use crate::proto::frame::{Beacon, CloseReason, Frame, Hello, Peer};
use crate::proto::ids::{DialId, Instance, LinkId, NodeId, RoomId, RoomTag};
use crate::proto::limits::{ANNOUNCEMENTS_WAITING_MAX, PROTOCOL_VERSIONS};
use crate::proto::link_budget::LinkBudget;
use crate::proto::name::Name;
use crate::proto::refusal::Tally;
use crate::proto::room_key::RoomKey;
use crate::system::said;

pub use beacon::Counts;
use refusals::Refusals;
pub use tls::TlsError;

/// Under which name beacons are counted that belong to no network of ours.
const ELSEWHERE: &str = "elsewhere";

/// What a node's network side is started with.
pub struct Settings {
    /// Take part on this address only; none: on every usable one.
    pub host: Option<IpAddr>,
    /// UDP port of the beacons; the TCP port is the same if free.
    pub port: u16,
    /// Where beacons go beside the own networks: names or addresses, and ports.
    pub announce_to: Vec<(String, u16)>,
    /// The room's name, cleaned.
    pub room: Name,
    /// The room's key; none: an open room.
    pub room_key: Option<RoomKey>,
    /// Who this node is.
    pub key: SigningKey,
    /// Which start of the program.
    pub instance: Instance,
    /// How many connections there may be.
    pub budget: LinkBudget,
}

/// Why whoever answers a dial is not the one to talk to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proved {
    /// It has our own key.
    OwnKey,
    /// It is of a room of this name, with another key.
    OtherRoomKey,
    /// It has another id than the one that was to be there.
    SomebodyElse,
}

/// What happens on the network. For each [`Event::LinkUp`] comes exactly one [`Event::LinkDown`], after all frames.
#[derive(Clone, Debug)]
pub enum Event {
    /// A beacon came in. Dropped when the channel is full.
    Beacon {
        /// Where it came from.
        source: SocketAddr,
        /// What it says.
        beacon: Beacon,
    },
    /// The usable addresses of this machine, IPv4 first and loopback last: at the start and whenever they change.
    Network {
        /// All of them; with `--host` that one, or none while it is gone.
        addresses: Vec<IpAddr>,
    },
    /// What became of an announcement. Dropped when the channel is full.
    Announced(Vec<Sent>),
    /// A dial came to nothing.
    DialFailed {
        /// Which.
        dial: DialId,
        /// Why, as a sentence for a person.
        error: String,
        /// What somebody who answered proved of itself.
        proved: Option<Proved>,
        /// Whether anybody answered: then no firewall is in the way.
        answered: bool,
    },
    /// There is a link: both sides have proved who they are and that they know the room.
    LinkUp {
        /// Its number, never used again.
        link: LinkId,
        /// The dial that made it; none: the other side dialled.
        dial: Option<DialId>,
        /// Who is at the other end.
        peer: Peer,
    },
    /// A link is gone, whoever ended it.
    LinkDown {
        /// Which.
        link: LinkId,
        /// What the other side gave as its reason, or that it broke the protocol; none if it said nothing, and where this
        /// side ended the link.
        reason: Option<CloseReason>,
    },
    /// Bytes of a long frame came in: a sign of life, at most one a second. Dropped when the channel is full.
    Heard {
        /// On which link.
        link: LinkId,
    },
    /// A frame came in.
    Frame {
        /// On which link.
        link: LinkId,
        /// What it says; never [`Frame::Close`], which ends the link.
        frame: Frame,
        /// How many bytes it had on the link.
        bytes: usize,
        /// Its share of the memory for frames that wait: free again once all clones of this event are gone.
        place: link::Place,
    },
}

/// One packet of an announcement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The interface's name.
    pub interface: String,
    /// The address it was sent from.
    pub source: IpAddr,
    /// Where it went.
    pub target: SocketAddr,
    /// Why it did not leave.
    pub error: Option<String>,
}

/// Why the network side can't start; each is a sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// `--host` names an address that this machine does not have.
    #[error("{host} is not an address of this machine; --host takes one of these: {}", list(.addresses))]
    HostNotOurs {
        /// What was asked for.
        host: IpAddr,
        /// What there is.
        addresses: Vec<IpAddr>,
    },
    /// There is no address at all.
    #[error("no network interface is up, not even loopback; bring one up (`ip link set lo up`) and start again")]
    NoNetwork,
    /// The interfaces can't be listed.
    #[error("the network interfaces can't be listed ({})", said(.0))]
    Interfaces(#[source] io::Error),
    /// Another program has the UDP port for itself.
    #[error("UDP port {port} {}\nend that program, or choose another port with --port on all nodes", held(*port, error))]
    Udp {
        /// Which port.
        port: u16,
        /// What the system says.
        error: io::Error,
    },
    /// No TCP port can be opened.
    #[error("no TCP port can be opened on {address} ({}); check the address and the limit of open files", said(error))]
    Tcp {
        /// Where.
        address: String,
        /// What the system says.
        error: io::Error,
    },
    /// TLS can't be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// What is wrong with a UDP port, and who has it where that can be found out.
fn held(port: u16, error: &io::Error) -> String {
    match holder::of_udp_port(port).filter(|_| error.kind() == io::ErrorKind::AddrInUse) {
        Some(holder) => format!("is taken {holder}, which shares it with nobody"),
        None => format!("can't be used: {}", said(error)),
    }
}

fn list(addresses: &[IpAddr]) -> String {
    addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ")
}

/// The network side of a running node. It stops, with a goodbye on every link, when its token is cancelled.
#[derive(Clone)]
pub struct Net {
    mesh: Arc<mesh::Mesh>,
    announcements: mpsc::Sender<Beacon>,
    counters: beacon::Counters,
    refusals: Refusals,
    has_room_key: bool,
}

impl Net {
    /// Opens the sockets and starts the tasks. `name` is what the node is called now; a new one is told from the next
    /// link on. Must be called within a tokio runtime.
    pub fn start(
        settings: Settings,
        name: watch::Receiver<Name>,
        events: mpsc::Sender<Event>,
        stop: CancellationToken,
        tracker: TaskTracker,
    ) -> Result<Self, NetError> {
        check_host(settings.host)?;
        let (port, budget) = (settings.port, settings.budget);
        let ears = udp::Ears::open(settings.host, port).map_err(|error| NetError::Udp { port, error })?;
        let port = ears.port;
        let (listeners, ports) = mesh::listen(settings.host, port).map_err(|error| {
            let address = settings.host.map_or("any address".to_owned(), |host| host.to_string());
            NetError::Tcp { address, error }
        })?;
        let own = NodeId(settings.key.verifying_key().to_bytes());
        let room = settings.room.as_str();
        let key: &[u8] = settings.room_key.as_ref().map_or(&[], |key| key.bytes());
        let secret = Zeroizing::new(if key.is_empty() { room.into() } else { key.to_vec() });
        let hello = Hello { versions: PROTOCOL_VERSIONS, room: RoomTag::new(room), instance: settings.instance };
        let refusals = Refusals::default();
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
            pending: pending::Pending::new(budget.handshakes),
            wrong_keys: wrong_keys::WrongKeys::default(),
            version_told: AtomicBool::new(false),
            links: link::Links::new(budget.links + budget.closing),
            refusals: refusals.clone(),
            events: events.clone(),
            stop: stop.clone(),
            tracker: tracker.clone(),
        });
        for listener in listeners {
            tracker.spawn(mesh.clone().accept_all(listener));
        }
        let counters = beacon::Counters::default();
        let (announcements, receiver) = mpsc::channel(ANNOUNCEMENTS_WAITING_MAX);
        let far = (!settings.announce_to.is_empty()).then(|| {
            let (packets, receiver) = mpsc::channel(1);
            let report = far::Report::default();
            let far = far::Far { targets: settings.announce_to, host: settings.host, report: report.clone() };
            tracker.spawn(far.run(receiver, stop.clone()));
            (packets, report)
        });
        let driver = beacon::Driver {
            ears,
            host: settings.host,
            own: (own, settings.instance),
            counters: counters.clone(),
            refusals: refusals.clone(),
            events,
            links: mesh.links.clone(),
            far,
        };
        tracker.spawn(driver.run(receiver, stop));
        Ok(Self { mesh, announcements, counters, refusals, has_room_key: settings.room_key.is_some() })
    }

    /// The UDP port of the beacons.
    pub fn udp_port(&self) -> u16 {
        self.mesh.ports.udp
    }

    /// The TCP port that a beacon has to name.
    pub fn tcp_port(&self) -> u16 {
        self.mesh.ports.tcp
    }

    /// Every address that others can dial now, as `address:port`: IPv4 first, loopback last, and link-local ones of
    /// IPv6 with the interface they belong to, `[address%zone]:port`.
    pub fn tcp_addresses(&self) -> Vec<String> {
        let print = |(address, zone): (SocketAddr, Option<String>)| match zone {
            Some(zone) => format!("[{}%{zone}]:{}", address.ip(), address.port()),
            None => address.to_string(),
        };
        self.mesh.listens().into_iter().map(print).collect()
    }

    /// Sends a beacon on every interface; answered by [`Event::Announced`].
    pub fn announce(&self, mut beacon: Beacon) {
        if self.has_room_key {
            // A beacon is heard by everybody on the wire; names are for those who hold the key.
            beacon.name = Name::lossy(&beacon.id.short(), &beacon.id.short());
        }
        // One that waits already says the same.
        let _ = self.announcements.try_send(beacon);
    }

    /// Dials; answered by [`Event::LinkUp`] or [`Event::DialFailed`] with the same number. A link is made only with
    /// the node that is expected, if one is.
    pub fn dial(&self, dial: Dial) {
        self.mesh.tracker.spawn(self.mesh.clone().dial(dial));
    }

    /// Puts a frame into a link's queue, encoded by [`crate::wire::frame::encode`], once for all links. Never waits: a
    /// queue that is full ends its link.
    pub fn send(&self, link: LinkId, frame: Bytes) {
        self.mesh.links.send(link, frame);
    }

    /// Ends a link: what is queued goes out, then the reason, for at most a second.
    pub fn close(&self, link: LinkId, reason: CloseReason) {
        self.mesh.links.close(link, reason);
    }

    /// What was refused since the start, on either side of a link: beacons, connections, frames.
    pub fn refused(&self) -> Tally {
        self.refusals.tally()
    }

    /// The usable addresses of this machine now, with the interfaces that have them; with `--host` that one.
    pub fn interfaces(&self) -> Vec<interfaces::Interface> {
        interfaces::list(self.mesh.host).unwrap_or_default()
    }

    /// Beacons sent, heard and refused on each interface since the start, by its name.
    pub fn counters(&self) -> BTreeMap<String, Counts> {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn check_host(host: Option<IpAddr>) -> Result<(), NetError> {
    let usable = interfaces::list(None).map_err(NetError::Interfaces)?;
    let addresses: Vec<IpAddr> = usable.into_iter().map(|interface| interface.address).collect();
    let Some(host) = host else {
        return if addresses.is_empty() { Err(NetError::NoNetwork) } else { Ok(()) };
    };
    // One whose cable is out now may be plugged in later.
    let ours = interfaces::is_ours(host).map_err(NetError::Interfaces)?;
    if ours { Ok(()) } else { Err(NetError::HostNotOurs { host, addresses }) }
}
