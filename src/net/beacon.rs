//! Sends and receives beacons over UDP, by broadcast and multicast on every interface.
//!
//! The task moves packets and counts them. The engine decides when to send and which beacons
//! matter. The task never waits for the engine: if its channel is full, beacons and reports are
//! dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;

use super::interfaces::{self, Interface};
use super::link::LinkRegistry;
use super::packet_rate_limit::PacketRateLimit;
use super::udp::{BeaconSockets, send};
use super::warnings::NetWarnings;
use super::{DropCounts, NetEvent, REMOTE_TARGET, Sent, announce_targets};
use crate::proto::ids::{Instance, NodeId};
use crate::proto::limits::{ACCEPT_BACKOFF_MS_MAX, BEACON_BYTES_MAX, INTERFACES_EVERY_MS};
use crate::proto::replication::drop_reason::DropReason;
use crate::proto::replication::frame::Beacon;
use crate::system::io_error_text;
use crate::wire::beacon::GROUP;
use crate::wire::{self, WireError};

/// Counts of beacons on one interface since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InterfaceCounts {
    /// Packets that the system accepted for sending.
    pub sent: u64,
    /// Beacons of other nodes that were passed to the engine.
    pub heard: u64,
    /// Packets that were no valid beacon, had an impossible source, or came from another network
    /// than that of `--host`.
    pub refused: u64,
    /// When the last beacon was passed to the engine.
    pub heard_at: Option<Instant>,
}

/// The counts by interface name. Senders outside this machine's networks count as
/// [`REMOTE_TARGET`].
pub(super) type InterfaceCounters = Arc<Mutex<BTreeMap<String, InterfaceCounts>>>;

/// The task that owns the beacon sockets.
pub(super) struct BeaconTask {
    pub(super) sockets: BeaconSockets,
    pub(super) host: Option<IpAddr>,
    pub(super) own: (NodeId, Instance),
    pub(super) counters: InterfaceCounters,
    pub(super) drop_counts: DropCounts,
    pub(super) events: mpsc::Sender<NetEvent>,
    /// Links are closed when their local address disappears.
    pub(super) links: LinkRegistry,
    /// The queue of the task for `--announce-to`, and its last results.
    pub(super) target_announcer: Option<(mpsc::Sender<Vec<u8>>, announce_targets::LastRound)>,
}

impl BeaconTask {
    /// Runs until `stop`: sends the beacons from `announcements`, passes received ones on, and
    /// checks every 2 s whether the machine's addresses have changed.
    pub(super) async fn run(self, mut announcements: mpsc::Receiver<Beacon>, stop: CancellationToken) {
        let mut throttle = NetWarnings::default();
        let mut rate_limit = PacketRateLimit::new();
        let mut reported: Option<Vec<IpAddr>> = None;
        // Needed before the first packet: its source is checked against them.
        let mut interfaces = Vec::new();
        self.refresh(&mut interfaces, &mut throttle);
        let mut refresh = interval(Duration::from_millis(INTERFACES_EVERY_MS));
        refresh.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // One byte more than the limit, so that an oversized packet is detected.
        let mut packet = [0; BEACON_BYTES_MAX + 1];
        // Set after a receive error, which would otherwise repeat at once.
        let mut paused_until: Option<Instant> = None;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep_until(paused_until.unwrap_or_else(Instant::now).into()), if paused_until.is_some() => {
                    paused_until = None;
                }
                _ = refresh.tick() => {
                    self.refresh(&mut interfaces, &mut throttle);
                    reported = self.report(&interfaces, reported);
                }
                beacon = announcements.recv() => {
                    let Some(beacon) = beacon else { return };
                    self.refresh(&mut interfaces, &mut throttle);
                    self.announce(&beacon, &interfaces, &mut throttle);
                }
                received = self.sockets.recv(&mut packet), if paused_until.is_none() => match received {
                    Ok((_, source)) if !rate_limit.admits(source.ip()) => self.drop_counts.count(DropReason::BeaconFlood),
                    Ok((length, source)) => self.on_packet(&packet[..length], source, &interfaces),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => {
                        throttle.warn("beacons can't be received", &error);
                        paused_until = Some(Instant::now() + Duration::from_millis(ACCEPT_BACKOFF_MS_MAX));
                    }
                },
            }
        }
    }

    /// Refreshes the interface list and joins the multicast group on new interfaces.
    ///
    /// If listing fails, for lack of file descriptors for example, the last list stays in use.
    fn refresh(&self, interfaces: &mut Vec<Interface>, throttle: &mut NetWarnings) {
        match interfaces::list(self.host) {
            Ok(list) => *interfaces = list,
            Err(error) => return throttle.warn("the network interfaces can't be listed", &error),
        }
        let indexes: BTreeSet<u32> =
            interfaces.iter().filter(|interface| !interface.loopback).filter_map(Interface::ipv6_zone).collect();
        for index in indexes {
            if let Err(error) = self.sockets.join(index) {
                throttle.warn("the group of the beacons can't be joined", &error);
            }
        }
    }

    /// Reports the addresses if they changed. Returns those that the node knows.
    fn report(&self, interfaces: &[Interface], reported: Option<Vec<IpAddr>>) -> Option<Vec<IpAddr>> {
        let addresses: Vec<IpAddr> = interfaces.iter().map(|interface| interface.address).collect();
        if reported.as_ref() == Some(&addresses) {
            return reported;
        }
        self.links.close_others(&addresses);
        // If the channel is full, the next refresh tries again.
        match self.events.try_send(NetEvent::Network { addresses: addresses.clone() }) {
            Ok(()) => Some(addresses),
            Err(_) => reported,
        }
    }

    fn announce(&self, beacon: &Beacon, interfaces: &[Interface], throttle: &mut NetWarnings) {
        let packet = wire::beacon::encode(beacon);
        let mut report = Vec::new();
        for (interface, source, target) in targets(interfaces, self.host.is_some(), self.sockets.port) {
            let result = send(source, target, &packet);
            match &result {
                Ok(()) => self.count(&interface.name, |counts| counts.sent += 1),
                Err(error) => throttle.warn("a beacon could not be sent", error),
            }
            let error = result.err().map(|error| io_error_text(&error));
            report.push(Sent { interface: interface.name.clone(), source: source.ip(), target, error });
        }
        if let Some((target_announcer, last)) = &self.target_announcer {
            report.extend(last.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned());
            // While the last beacon's names are being looked up, skipping this one loses nothing.
            let _ = target_announcer.try_send(packet);
        }
        let _ = self.events.try_send(NetEvent::Announced(report));
    }

    fn on_packet(&self, packet: &[u8], source: SocketAddr, interfaces: &[Interface]) {
        let on = interfaces.iter().find(|interface| interface.hears(source));
        let name = on.map_or(REMOTE_TARGET, |interface| &interface.name);
        let is_possible = match source.ip() {
            IpAddr::V4(ip) => !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast(),
            IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_multicast(),
        };
        // With --host there is only one interface in the list, and only its network is accepted.
        let is_accepted = self.host.is_none() || on.is_some();
        let beacon = match wire::beacon::decode(packet) {
            _ if !is_possible => Err(DropReason::BeaconSource),
            _ if !is_accepted => Err(DropReason::BeaconElsewhere),
            Err(WireError::Version) => Err(DropReason::BeaconVersion),
            Err(WireError::TooLong | WireError::Malformed(_) | WireError::Batch(_)) => Err(DropReason::NoBeacon),
            Ok(beacon) => Ok(beacon),
        };
        let beacon = match beacon {
            Ok(beacon) => beacon,
            Err(cause) => {
                self.drop_counts.count(cause);
                return self.count(name, |counts| counts.refused += 1);
            }
        };
        // A node receives its own beacons, once on each interface.
        if (beacon.id, beacon.instance) == self.own {
            return;
        }
        self.count(name, |counts| (counts.heard, counts.heard_at) = (counts.heard + 1, Some(Instant::now())));
        let _ = self.events.try_send(NetEvent::Beacon { source, beacon });
    }

    fn count(&self, interface: &str, change: impl FnOnce(&mut InterfaceCounts)) {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        match counters.get_mut(interface) {
            Some(counts) => change(counts),
            None => change(counters.entry(interface.to_owned()).or_default()),
        }
    }
}

/// The packets of one announcement: interface, source and target of each.
///
/// - From each IPv4 address to its network's broadcast address.
/// - From each IPv4 address to 255.255.255.255, for neighbours with another netmask. Not with
///   `--host`. The system sends it out of the interface that has the source address.
/// - From one IPv6 address of each interface, link-local if possible, to the multicast group.
fn targets(interfaces: &[Interface], one_host: bool, port: u16) -> Vec<(&Interface, SocketAddr, SocketAddr)> {
    let mut targets = Vec::new();
    for interface in interfaces {
        let IpAddr::V4(_) = interface.address else { continue };
        let limited_broadcast = (!one_host && !interface.loopback).then_some(Ipv4Addr::BROADCAST);
        let network = interface.broadcast.filter(|network| Some(*network) != limited_broadcast);
        for target in network.into_iter().chain(limited_broadcast) {
            targets.push((interface, interface.socket_address(0), SocketAddr::from((target, port))));
        }
    }
    let mut by_zone: BTreeMap<u32, &Interface> = BTreeMap::new();
    for interface in interfaces {
        // Loopback carries no multicast. A node on this machine with IPv6 alone receives the
        // multicasts of the other interfaces.
        let Some(zone) = interface.ipv6_zone().filter(|_| !interface.loopback) else { continue };
        if interface.is_link_local() || !by_zone.contains_key(&zone) {
            by_zone.insert(zone, interface);
        }
    }
    for (zone, interface) in by_zone {
        targets.push((interface, interface.socket_address(0), SocketAddrV6::new(GROUP, port, 0, zone).into()));
    }
    targets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(name: &str, address: [u8; 4], broadcast: Option<[u8; 4]>) -> Interface {
        let address = Ipv4Addr::from(address);
        let (broadcast, loopback) = (broadcast.map(Ipv4Addr::from), address.is_loopback());
        Interface { name: name.to_owned(), index: None, address: address.into(), prefix: 24, broadcast, loopback }
    }

    #[track_caller]
    fn check(one_host: bool, interface: Interface, expected: &[[u8; 4]]) {
        let own = interface.address;
        let interfaces = [interface];
        let found = targets(&interfaces, one_host, 7666);
        assert!(found.iter().all(|(_, source, target)| source.ip() == own && target.port() == 7666));
        let ips: Vec<IpAddr> = found.iter().map(|(_, _, target)| target.ip()).collect();
        assert_eq!(ips, expected.iter().map(|ip| IpAddr::from(*ip)).collect::<Vec<_>>());
    }

    #[test]
    fn each_network_gets_its_own_broadcast() {
        check(false, interface("eth0", [10, 0, 0, 5], Some([10, 0, 0, 255])), &[[10, 0, 0, 255], [255; 4]]);
        check(false, interface("lo", [127, 0, 0, 1], Some([127, 255, 255, 255])), &[[127, 255, 255, 255]]);
        check(false, interface("tun0", [10, 8, 0, 2], None), &[[255; 4]]);
        check(true, interface("eth0", [10, 0, 0, 5], Some([10, 0, 0, 255])), &[[10, 0, 0, 255]]);
        check(true, interface("lo", [127, 0, 0, 2], Some([127, 255, 255, 255])), &[[127, 255, 255, 255]]);
    }

    #[test]
    fn group_is_announced_once_per_interface() {
        let ipv6 = |index, address: &str| Interface {
            index: Some(index),
            address: address.parse().expect("an address"),
            prefix: 64,
            ..interface("eth", [0; 4], None)
        };
        let interfaces = [ipv6(2, "2001:db8::1"), ipv6(2, "fe80::2"), ipv6(2, "2001:db8::2"), ipv6(3, "2001:db8::3")];
        let found = targets(&interfaces, false, 7666);
        let found: Vec<String> = found.iter().map(|(_, source, target)| format!("{source} {target}")).collect();
        assert_eq!(
            found,
            ["[fe80::2%2]:0 [ff12::8000:7666%2]:7666", "[2001:db8::3]:0 [ff12::8000:7666%3]:7666"],
            "link-local before others, since every host on the wire has one"
        );
    }
}
