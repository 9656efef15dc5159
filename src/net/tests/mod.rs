//! Tests of whole network sides with real sockets on loopback: what they share.

mod among;
mod keys;
mod strangers;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::timeout;

use super::*;
use crate::proto::clock::Stamp;
use crate::proto::entries::batch::{HEADER_VERSION, Header, Verified, sign, slot};
use crate::proto::entries::body::Body;
use crate::proto::ids::LogId;
use crate::proto::links::address_book::DialTarget;
use crate::proto::replication::drop_reason::DropReason;

/// Longer than any step takes on a busy machine; only a failure waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

static INSTANCES: AtomicU64 = AtomicU64::new(1);

fn instance() -> Instance {
    Instance(INSTANCES.fetch_add(1, Ordering::Relaxed))
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn id(seed: u8) -> NodeId {
    NodeId(key(seed).verifying_key().to_bytes())
}

fn dial(number: u64, address: SocketAddr, expected: Option<NodeId>) -> Dial {
    Dial { dial: DialId(number), target: DialTarget::Address(address), expected, is_given: false }
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn room_key(seed: u8) -> Option<RoomKey> {
    Some(RoomKey::from_bytes([seed; 16]))
}

struct NetNode {
    net: Net,
    id: NodeId,
    instance: Instance,
    room: RoomTag,
    events: mpsc::Receiver<NetEvent>,
    stop: CancellationToken,
    tracker: TaskTracker,
    _name: watch::Sender<Name>,
}

/// A node on 127.0.0.`seed`, whose key, name and address follow from `seed`.
fn node(seed: u8, port: u16) -> NetNode {
    node_in(seed, port, "lobby", None)
}

fn node_in(seed: u8, port: u16, room: &str, room_key: Option<RoomKey>) -> NetNode {
    try_node(seed, Some(IpAddr::from([127, 0, 0, seed])), port, room, room_key).expect("a network side")
}

fn try_node(
    seed: u8,
    host: Option<IpAddr>,
    port: u16,
    room: &str,
    room_key: Option<RoomKey>,
) -> Result<NetNode, NetError> {
    let instance = instance();
    let announce_to = Vec::new();
    let (key, budget) = (key(seed), LinkBudget::default());
    let settings = NetConfig { host, port, announce_to, room: name(room), room_key, key, instance, budget };
    let (_name, watched) = watch::channel(name(&format!("node {seed}")));
    let (sender, events) = mpsc::channel(64);
    let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
    let net = Net::start(settings, watched, sender, stop.clone(), tracker.clone())?;
    Ok(NetNode { net, id: id(seed), instance, room: RoomTag::new(room), events, stop, tracker, _name })
}

impl Drop for NetNode {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl NetNode {
    fn address(&self) -> SocketAddr {
        self.net.tcp_addresses()[0].parse().expect("an address")
    }

    fn beacon(&self) -> Beacon {
        let (room, name) = (self.room, name("node"));
        Beacon { room, id: self.id, instance: self.instance, port: self.net.tcp_port(), name }
    }

    /// Returns the first result of `pick` and skips the events before it.
    async fn next<T>(&mut self, mut pick: impl FnMut(NetEvent) -> Option<T>) -> T {
        let found = async {
            loop {
                let event = self.events.recv().await.expect("the network side runs");
                if let Some(found) = pick(event) {
                    return found;
                }
            }
        };
        timeout(PATIENCE, found).await.expect("in time")
    }

    async fn up(&mut self) -> (LinkId, Peer) {
        self.next(|event| match event {
            NetEvent::LinkUp { link, peer, .. } => Some((link, peer)),
            NetEvent::LinkDown { .. } | NetEvent::DialFailed { .. } => panic!("no link: {event:?}"),
            _ => None,
        })
        .await
    }

    async fn down(&mut self) -> Option<CloseReason> {
        self.next(|event| match event {
            NetEvent::LinkDown { reason, .. } => Some(reason),
            _ => None,
        })
        .await
    }

    async fn frame(&mut self) -> Frame {
        self.next(|event| match event {
            NetEvent::Frame { frame, .. } => Some(frame),
            NetEvent::LinkDown { .. } => panic!("the link is gone"),
            _ => None,
        })
        .await
    }

    /// Dials `address` and returns the error.
    async fn refused(&mut self, address: SocketAddr, expected: Option<NodeId>) -> String {
        self.net.dial(dial(7, address, expected));
        self.next(|event| match event {
            NetEvent::DialFailed { dial: DialId(7), error, .. } => Some(error),
            NetEvent::LinkUp { .. } => panic!("a link came up"),
            _ => None,
        })
        .await
    }

    /// Waits until exactly these reasons are counted: they are counted after the answer is sent.
    async fn has_refused(&self, expected: &[(DropReason, u64)]) {
        let counted = async {
            while self.net.refused().iter().collect::<Vec<_>>() != expected {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let in_time = timeout(PATIENCE, counted).await;
        in_time.unwrap_or_else(|_| panic!("{:?} instead of {expected:?}", self.net.refused()));
    }

    /// Checks that a member that follows the protocol still gets a link.
    async fn still_works(&mut self) {
        let mut other = node(200, 0);
        other.net.dial(dial(1, self.address(), Some(self.id)));
        other.up().await;
        self.up().await;
    }
}

/// Two nodes on one UDP port with a link between them, dialled by the first.
async fn linked() -> (NetNode, LinkId, NetNode, LinkId) {
    let mut a = node(1, 0);
    let mut b = node(2, a.net.udp_port());
    a.net.dial(dial(1, b.address(), Some(b.id)));
    let (a_link, _) = a.up().await;
    let (b_link, _) = b.up().await;
    (a, a_link, b, b_link)
}

fn batch(text: &str) -> Verified {
    batch_of(text, id(1), "lobby")
}

/// A batch signed with the first node's key, whatever its author and room are.
fn batch_of(text: &str, author: NodeId, room: &str) -> Verified {
    let body = Body::say(text.to_owned(), None, None).encode([1; 16]);
    let header = Header {
        version: HEADER_VERSION,
        room: RoomId::new(room, b""),
        author,
        audience: None,
        log: LogId(5),
        first_seq: 1,
        prev: None,
        after: None,
        entries: vec![slot(Stamp(100), &body)],
    };
    sign(&key(1), header, &[body])
}
