//! Meeting others: the own beacons, those of others, and whom to dial when.

use std::net::{IpAddr, SocketAddr};

use super::{Action, Engine};
use crate::proto::book::{Source, Target};
use crate::proto::clock::Now;
use crate::proto::frame::{Beacon, Peer};
use crate::proto::ids::DialId;
use crate::proto::limits::{DIAL_SPREAD_MS, PORT_MIN, SAID_MAX, YOUNG_MS, YOUNG_WAIT_MS};
use crate::proto::record::MemberRecord;
use crate::proto::refusal::Cause;

impl Engine {
    /// A beacon of this room from an id without a link makes a row in the book; all others cost nothing.
    pub(super) fn heard_beacon(&mut self, now: Now, source: SocketAddr, beacon: Beacon) {
        let ip = source.ip();
        // Another instance of ourselves is dialled like anybody: only so can both prove that the key is in use twice.
        let is_us = beacon.id == self.own && beacon.instance == self.instance;
        if beacon.room != self.tag {
            return self.refused.count(Cause::BeaconRoom);
        }
        if is_us || beacon.port < PORT_MIN || !is_dialable(ip) {
            return;
        }
        let linked = self.links.well(beacon.id);
        if linked.is_some_and(|link| link.instance == beacon.instance) {
            return;
        }
        if !self.book.admits_beacon(ip, now.mono_ms) {
            return self.refused.count(Cause::BeaconFlood);
        }
        let mut address = source;
        address.set_port(beacon.port);
        let wait_ms = self.patience_ms(now, beacon.id < self.own);
        let target = Target::Address(address);
        self.book.add(target, Some(beacon.id), Source::Beacon, Some(beacon.instance), now.mono_ms, wait_ms);
        self.wake_at(now.mono_ms + wait_ms);
    }

    /// A peer said where it listens: where to look for it if this link should end.
    pub(super) fn said_where(&mut self, now: Now, peer: &Peer) {
        for listens in worth_a_dial(&peer.intro.listens, peer.address) {
            self.book.add(Target::Address(listens), Some(peer.id), Source::Said, None, now.mono_ms, 0);
        }
        for listens in &peer.intro.listens {
            self.book.found(peer.id, SocketAddr::new(peer.address, listens.port()));
        }
    }

    /// How long to wait before dialling somebody new, so that not everybody does at once.
    fn patience_ms(&mut self, now: Now, smaller: bool) -> u64 {
        let young = now.mono_ms - self.started_ms < YOUNG_MS;
        let politeness_ms = if young && smaller { YOUNG_WAIT_MS } else { 0 };
        politeness_ms + self.random() % (self.links.count() as u64 * DIAL_SPREAD_MS + 1)
    }

    /// A dial failed. Perhaps a firewall passes only the other direction: an early beacon lets the other side dial.
    pub(super) fn dial_failed(&mut self, now: Now, dial: DialId) {
        let jitter = self.random();
        self.book.failed(dial, now.mono_ms, jitter);
        self.announcer.hurry(now.mono_ms);
        self.wake_at(now.mono_ms);
    }

    pub(super) fn network_changed(&mut self, now: Now, addresses: Vec<IpAddr>, out: &mut Vec<Action>) {
        self.announcer.restart(now.mono_ms);
        self.book.network_changed(now.mono_ms);
        let changes = self.roster.own_addresses(addresses);
        self.changed(now, changes, out);
        self.wake_at(now.mono_ms);
    }

    pub(super) fn find_turn(&mut self, now: Now, out: &mut Vec<Action>) {
        let jitter = self.random();
        if self.announcer.is_due(now.mono_ms, jitter) {
            out.push(Action::Announce(self.beacon()));
        }
        self.wake_at(self.announcer.next_ms());
        let links = &self.links;
        let is_linked = |id| links.well(id).is_some();
        out.extend(self.book.due(now.mono_ms, is_linked).into_iter().map(Action::Dial));
        if let Some(next_ms) = self.book.next_ms(is_linked) {
            // A row that is due but over its budget waits for the next turn.
            let soon_ms = now.mono_ms + 100;
            self.wake_at(next_ms.max(soon_ms));
        }
    }

    fn beacon(&self) -> Beacon {
        Beacon { room: self.tag, id: self.own, instance: self.instance, port: self.port, name: self.name.clone() }
    }
}

/// Where a dial may find a member of an earlier run. The first address is the one that its link came from; all others, and
/// the port, are what it said.
pub(super) fn remembered(member: &MemberRecord) -> Vec<SocketAddr> {
    let said: Vec<_> = member.addresses.iter().map(|ip| SocketAddr::new(*ip, member.port)).collect();
    said.first().map_or_else(Vec::new, |first| worth_a_dial(&said, first.ip()).collect())
}

/// Where a dial may find somebody, of the addresses that somebody with the address `near` said: loopback leads nowhere
/// but to ourselves unless they are there too, and a link-local address without its zone nowhere at all.
pub(super) fn worth_a_dial(said: &[SocketAddr], near: IpAddr) -> impl Iterator<Item = SocketAddr> {
    let leads_there = move |address: &SocketAddr| match address.ip().to_canonical() {
        IpAddr::V6(ip) if ip.is_unicast_link_local() => false,
        ip => address.port() >= PORT_MIN && is_dialable(ip) && ip.is_loopback() == near.is_loopback(),
    };
    said.iter().copied().filter(leads_there).take(SAID_MAX)
}

fn is_dialable(ip: IpAddr) -> bool {
    !ip.is_unspecified() && !ip.is_multicast() && ip != IpAddr::from([255; 4])
}
