//! Finds other nodes: the own beacons, those of others, and which addresses are dialled when.

use std::net::{IpAddr, SocketAddr};

use super::link_table::LinkTable;
use crate::proto::clock::Now;
use crate::proto::engine::ctx::{Ctx, DialEvent};
use crate::proto::engine::io::Action;
use crate::proto::engine::members::MemberTable;
use crate::proto::ids::{DialId, Instance, NodeId, RoomTag};
use crate::proto::limits::{DIAL_SPREAD_MS, PORT_MIN, SAID_MAX, YOUNG_MS, YOUNG_WAIT_MS};
use crate::proto::links::address_book::{AddressBook, DialTarget, Source};
use crate::proto::links::beacon_schedule::BeaconSchedule;
use crate::proto::names::name::Name;
use crate::proto::replication::drop_reason::{DropCounters, DropReason};
use crate::proto::replication::frame::{Beacon, Peer};
use crate::proto::replication::store_api::MemberRecord;

/// The content of this node's beacons, except for its name.
#[derive(Debug)]
pub(crate) struct BeaconIdentity {
    pub(crate) room: RoomTag,
    pub(crate) instance: Instance,
    pub(crate) port: u16,
}

/// The schedule of own beacons, and the addresses to dial.
#[derive(Debug)]
pub(crate) struct Discovery {
    identity: BeaconIdentity,
    started_ms: u64,
    announcer: BeaconSchedule,
    book: AddressBook,
}

impl Discovery {
    pub(crate) fn new(now: Now, identity: BeaconIdentity, dials_max: usize, known: &[MemberRecord]) -> Self {
        let mut book = AddressBook::new();
        book.limit_dials(dials_max);
        for member in known {
            for address in remembered(member) {
                book.add(DialTarget::Address(address), Some(member.id), Source::Persisted, None, now.mono_ms, 0);
            }
        }
        Self { identity, started_ms: now.mono_ms, announcer: BeaconSchedule::new(now.mono_ms), book }
    }

    /// A beacon of this room from an id without a link makes a row in the book. All others cost
    /// nothing.
    pub(crate) fn on_beacon(
        &mut self,
        ctx: &mut Ctx,
        links: &LinkTable,
        drops: &mut DropCounters,
        source: SocketAddr,
        beacon: &Beacon,
    ) {
        let ip = source.ip();
        // Another instance of this node is dialled like any other: only so can both prove that the
        // key is in use twice.
        let is_us = beacon.id == ctx.own && beacon.instance == self.identity.instance;
        if beacon.room != self.identity.room {
            return drops.count(DropReason::BeaconRoom);
        }
        if is_us || beacon.port < PORT_MIN || !is_dialable(ip) {
            return;
        }
        let linked = links.responsive(beacon.id);
        if linked.is_some_and(|link| link.peer.instance == beacon.instance) {
            return;
        }
        if !self.book.admits_beacon(ip, ctx.mono_ms()) {
            return drops.count(DropReason::BeaconFlood);
        }
        let mut address = source;
        address.set_port(beacon.port);
        let wait_ms = self.dial_delay_ms(ctx, links, beacon.id < ctx.own);
        let (id, instance) = (Some(beacon.id), Some(beacon.instance));
        self.book.add(DialTarget::Address(address), id, Source::Beacon, instance, ctx.mono_ms(), wait_ms);
        ctx.wake_at(ctx.mono_ms() + wait_ms);
    }

    /// The user names an address to dial, or names it no longer. A link to it stays.
    pub(crate) fn on_configured(&mut self, ctx: &mut Ctx, target: DialTarget, is_wanted: bool) {
        if is_wanted {
            self.book.add(target, None, Source::Configured, None, ctx.mono_ms(), 0);
            ctx.wake_now();
        } else {
            self.book.unconfigure(target);
        }
    }

    /// A peer said where it listens: where to look for it if this link should end.
    pub(crate) fn on_peer_addresses(&mut self, ctx: &Ctx, peer: &Peer) {
        for listens in dialable(&peer.intro.listens, peer.address) {
            let target = DialTarget::Address(listens);
            self.book.add(target, Some(peer.id), Source::SelfReported, None, ctx.mono_ms(), 0);
        }
        for listens in &peer.intro.listens {
            self.book.on_verified(peer.id, SocketAddr::new(peer.address, listens.port()));
        }
    }

    /// The time to wait before a new node is dialled, so that not all dial it at once.
    fn dial_delay_ms(&self, ctx: &mut Ctx, links: &LinkTable, is_smaller: bool) -> u64 {
        let is_young = ctx.mono_ms() - self.started_ms < YOUNG_MS;
        let politeness_ms = if is_young && is_smaller { YOUNG_WAIT_MS } else { 0 };
        politeness_ms + ctx.random() % (links.peer_count() as u64 * DIAL_SPREAD_MS + 1)
    }

    pub(crate) fn on_dial_event(&mut self, ctx: &mut Ctx, event: DialEvent) {
        let mono_ms = ctx.mono_ms();
        match event {
            DialEvent::Succeeded { dial, id } => self.book.succeeded(dial, id),
            // The next dial would end alike: there is as little reason for it as if there had been
            // no answer.
            DialEvent::Wasted(dial) => _ = self.book.failed(dial, mono_ms, ctx.random()),
            DialEvent::LinkLost { id, address, wait_ms } => self.book.on_link_lost(id, address, mono_ms, wait_ms),
            DialEvent::Suspended { id, until_ms } => self.book.suspend_until(id, until_ms),
            DialEvent::Ended(id) => self.book.on_goodbye(id),
            DialEvent::Reported { member, addresses } => {
                for address in addresses {
                    let target = DialTarget::Address(address);
                    self.book.add(target, Some(member), Source::PeerReported, None, mono_ms, 0);
                }
                ctx.wake_now();
            }
        }
    }

    /// A dial failed. Perhaps a firewall passes only the other direction: an early beacon lets the
    /// other side dial.
    pub(crate) fn on_dial_failed(&mut self, ctx: &mut Ctx, dial: DialId) {
        self.book.failed(dial, ctx.mono_ms(), ctx.random());
        self.announce_soon(ctx);
    }

    /// A dial led to another room key, or to another node.
    pub(crate) fn on_wrong_key(&mut self, ctx: &Ctx, dial: DialId) {
        self.book.on_wrong_key(dial, ctx.mono_ms());
    }

    pub(crate) fn on_network_changed(&mut self, ctx: &mut Ctx, members: &mut MemberTable, addresses: Vec<IpAddr>) {
        self.announcer.restart(ctx.mono_ms());
        self.book.network_changed(ctx.mono_ms());
        members.change(ctx, |_, roster| roster.own_addresses(addresses));
        ctx.wake_now();
    }

    pub(crate) fn announce_soon(&mut self, ctx: &mut Ctx) {
        self.announcer.announce_soon(ctx.mono_ms());
        ctx.wake_now();
    }

    /// Announces this node, as `name`, and dials those whose time has come.
    pub(crate) fn poll(&mut self, ctx: &mut Ctx, links: &LinkTable, name: &Name) {
        let (mono_ms, jitter) = (ctx.mono_ms(), ctx.random());
        if self.announcer.is_due(mono_ms, jitter) {
            let BeaconIdentity { room, instance, port } = self.identity;
            ctx.out.push(Action::Announce(Beacon { room, id: ctx.own, instance, port, name: name.clone() }));
        }
        ctx.wake_at(self.announcer.next_ms());
        let is_linked = |id: NodeId| links.responsive(id).is_some();
        ctx.out.extend(self.book.due(mono_ms, is_linked).into_iter().map(Action::Dial));
        if let Some(next_ms) = self.book.next_ms(is_linked) {
            // A row that is due but over its budget waits for the next turn.
            ctx.wake_at(next_ms.max(mono_ms + 100));
        }
    }
}

/// The addresses at which a member of an earlier run may be dialled. The first is the one that its
/// link came from; all others, and the port, are what it said.
fn remembered(member: &MemberRecord) -> Vec<SocketAddr> {
    let said: Vec<_> = member.addresses.iter().map(|ip| SocketAddr::new(*ip, member.port)).collect();
    said.first().map_or_else(Vec::new, |first| dialable(&said, first.ip()).collect())
}

/// The addresses worth a dial, of those that a node with the address `near` told:
/// loopback leads nowhere but to ourselves unless they are there too, and a link-local address
/// without its zone nowhere at all.
pub(crate) fn dialable(said: &[SocketAddr], near: IpAddr) -> impl Iterator<Item = SocketAddr> {
    let leads_there = move |address: &SocketAddr| match address.ip().to_canonical() {
        IpAddr::V6(ip) if ip.is_unicast_link_local() => false,
        ip => address.port() >= PORT_MIN && is_dialable(ip) && ip.is_loopback() == near.is_loopback(),
    };
    said.iter().copied().filter(leads_there).take(SAID_MAX)
}

fn is_dialable(ip: IpAddr) -> bool {
    !ip.is_unspecified() && !ip.is_multicast() && ip != IpAddr::from([255; 4])
}
