//! Beacons over UDP: sent from each interface's own address to its own network, by broadcast and by multicast.
//!
//! It moves packets and counts them. Which of them matter, and when one is sent, is the engine's business. It never
//! waits: a report that finds its channel full is dropped, and so is a beacon.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;

use super::interfaces::{self, Interface};
use super::link::Links;
use super::sieve::Sieve;
use super::udp::{Ears, send};
use super::warnings::Warnings;
use super::{ELSEWHERE, Event, Refusals, Sent, far};
use crate::proto::frame::Beacon;
use crate::proto::ids::{Instance, NodeId};
use crate::proto::limits::{ACCEPT_BACKOFF_MS_MAX, BEACON_BYTES_MAX, INTERFACES_EVERY_MS};
use crate::proto::refusal::Cause;
use crate::system::said;
use crate::wire::beacon::GROUP;
use crate::wire::{self, WireError};

/// How many beacons came and went on one interface since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets that the system took.
    pub sent: u64,
    /// Beacons of others that were handed to the engine.
    pub heard: u64,
    /// Packets that were none, came from an impossible source, or from another interface than `--host` allows.
    pub refused: u64,
    /// When the last one was handed on.
    pub heard_at: Option<Instant>,
}

/// The counts by the interface's name; a sender on no network of ours counts as "elsewhere".
pub(super) type Counters = Arc<Mutex<BTreeMap<String, Counts>>>;

/// The task around the sockets.
pub(super) struct Driver {
    pub(super) ears: Ears,
    pub(super) host: Option<IpAddr>,
    pub(super) own: (NodeId, Instance),
    pub(super) counters: Counters,
    pub(super) refusals: Refusals,
    pub(super) events: mpsc::Sender<Event>,
    /// Whose links end when their address does.
    pub(super) links: Links,
    /// What goes to `--announce-to`, and what became of it.
    pub(super) far: Option<(mpsc::Sender<Vec<u8>>, far::Report)>,
}

impl Driver {
    /// Runs until `stop`: sends what comes from `announcements`, hands on what is heard, and looks every 2 s whether
    /// the machine's addresses have changed.
    pub(super) async fn run(self, mut announcements: mpsc::Receiver<Beacon>, stop: CancellationToken) {
        let mut warnings = Warnings::default();
        let mut sieve = Sieve::new();
        let mut reported: Option<Vec<IpAddr>> = None;
        // Before anything is heard: what is heard is judged by them.
        let mut interfaces = Vec::new();
        self.look(&mut interfaces, &mut warnings);
        let mut looks = interval(Duration::from_millis(INTERFACES_EVERY_MS));
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // One byte more than a beacon may have, to tell one that is too long.
        let mut packet = [0; BEACON_BYTES_MAX + 1];
        // After a failure to receive: what failed once would fail at once again.
        let mut rests_until: Option<Instant> = None;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep_until(rests_until.unwrap_or_else(Instant::now).into()), if rests_until.is_some() => {
                    rests_until = None;
                }
                _ = looks.tick() => {
                    self.look(&mut interfaces, &mut warnings);
                    reported = self.report(&interfaces, reported);
                }
                beacon = announcements.recv() => {
                    let Some(beacon) = beacon else { return };
                    self.look(&mut interfaces, &mut warnings);
                    self.announce(&beacon, &interfaces, &mut warnings);
                }
                received = self.ears.hear(&mut packet), if rests_until.is_none() => match received {
                    Ok((_, source)) if !sieve.admits(source.ip()) => self.refusals.count(Cause::BeaconFlood),
                    Ok((length, source)) => self.hear(&packet[..length], source, &interfaces),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => {
                        warnings.warn("beacons can't be received", &error);
                        rests_until = Some(Instant::now() + Duration::from_millis(ACCEPT_BACKOFF_MS_MAX));
                    }
                },
            }
        }
    }

    /// Reads the list anew, and hears the group on what is new. Where reading fails, for want of file descriptors say, the
    /// last list is still the best.
    fn look(&self, interfaces: &mut Vec<Interface>, warnings: &mut Warnings) {
        match interfaces::list(self.host) {
            Ok(list) => *interfaces = list,
            Err(error) => return warnings.warn("the network interfaces can't be listed", &error),
        }
        let indexes: BTreeSet<u32> =
            interfaces.iter().filter(|interface| !interface.loopback).filter_map(Interface::ipv6_zone).collect();
        for index in indexes {
            if let Err(error) = self.ears.join(index) {
                warnings.warn("the group of the beacons can't be joined", &error);
            }
        }
    }

    /// Reports the addresses if they changed, and returns those that the node knows of.
    fn report(&self, interfaces: &[Interface], reported: Option<Vec<IpAddr>>) -> Option<Vec<IpAddr>> {
        let addresses: Vec<IpAddr> = interfaces.iter().map(|interface| interface.address).collect();
        if reported.as_ref() == Some(&addresses) {
            return reported;
        }
        self.links.keep_to(&addresses);
        // A report that found no place is tried again at the next look.
        match self.events.try_send(Event::Network { addresses: addresses.clone() }) {
            Ok(()) => Some(addresses),
            Err(_) => reported,
        }
    }

    fn announce(&self, beacon: &Beacon, interfaces: &[Interface], warnings: &mut Warnings) {
        let packet = wire::beacon::encode(beacon);
        let mut report = Vec::new();
        for (interface, source, target) in targets(interfaces, self.host.is_some(), self.ears.port) {
            let result = send(source, target, &packet);
            match &result {
                Ok(()) => self.count(&interface.name, |counts| counts.sent += 1),
                Err(error) => warnings.warn("a beacon could not be sent", error),
            }
            let error = result.err().map(|error| said(&error));
            report.push(Sent { interface: interface.name.clone(), source: source.ip(), target, error });
        }
        if let Some((far, last)) = &self.far {
            report.extend(last.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned());
            // While it still looks up names for the last one, this one is not missed.
            let _ = far.try_send(packet);
        }
        let _ = self.events.try_send(Event::Announced(report));
    }

    fn hear(&self, packet: &[u8], source: SocketAddr, interfaces: &[Interface]) {
        let on = interfaces.iter().find(|interface| interface.hears(source));
        let name = on.map_or(ELSEWHERE, |interface| &interface.name);
        let possible = match source.ip() {
            IpAddr::V4(ip) => !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast(),
            IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_multicast(),
        };
        // With --host there is one interface here, and its network is what may be heard.
        let wanted = self.host.is_none() || on.is_some();
        let beacon = match wire::beacon::decode(packet) {
            _ if !possible => Err(Cause::BeaconSource),
            _ if !wanted => Err(Cause::BeaconElsewhere),
            Err(WireError::Version) => Err(Cause::BeaconVersion),
            Err(WireError::TooLong | WireError::Malformed(_) | WireError::Batch(_)) => Err(Cause::NoBeacon),
            Ok(beacon) => Ok(beacon),
        };
        let beacon = match beacon {
            Ok(beacon) => beacon,
            Err(cause) => {
                self.refusals.count(cause);
                return self.count(name, |counts| counts.refused += 1);
            }
        };
        // Everybody hears themselves, once on each interface.
        if (beacon.id, beacon.instance) == self.own {
            return;
        }
        self.count(name, |counts| (counts.heard, counts.heard_at) = (counts.heard + 1, Some(Instant::now())));
        let _ = self.events.try_send(Event::Beacon { source, beacon });
    }

    fn count(&self, interface: &str, change: impl FnOnce(&mut Counts)) {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        match counters.get_mut(interface) {
            Some(counts) => change(counts),
            None => change(counters.entry(interface.to_owned()).or_default()),
        }
    }
}

/// Where a beacon goes: from each IPv4 address to its network's broadcast address; and, unless the node keeps to one
/// address, to everybody on the same wire, for neighbours whose mask differs from ours. (The system sends the latter
/// out of the interface that has the source address.) And from one IPv6 address of each interface, its link-local one
/// if it has one, to the group.
fn targets(interfaces: &[Interface], one_host: bool, port: u16) -> Vec<(&Interface, SocketAddr, SocketAddr)> {
    let mut targets = Vec::new();
    for interface in interfaces {
        let IpAddr::V4(_) = interface.address else { continue };
        let everybody = (!one_host && !interface.loopback).then_some(Ipv4Addr::BROADCAST);
        let network = interface.broadcast.filter(|network| Some(*network) != everybody);
        for target in network.into_iter().chain(everybody) {
            targets.push((interface, interface.socket_address(0), SocketAddr::from((target, port))));
        }
    }
    let mut by_zone: BTreeMap<u32, &Interface> = BTreeMap::new();
    for interface in interfaces {
        // Loopback carries no multicast; who has IPv6 alone is heard there by its own multicasts on other interfaces.
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
    fn the_group_is_told_once_on_each_interface() {
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
            "link-local before others, since everybody on the wire has one"
        );
    }
}
