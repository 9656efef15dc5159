//! The links that are up, and which one is in use with each peer.

use std::collections::BTreeMap;

use crate::proto::ids::{LinkId, NodeId};
use crate::proto::limits::PING_AFTER_MS;
use crate::proto::links::address_group::AddressGroup;
use crate::proto::replication::frame::Peer;

/// A link that is through its handshake.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) peer: Peer,
    pub(crate) up_ms: u64,
    /// When something came in last.
    pub(crate) heard_ms: u64,
    /// When this node asked last whether the peer is there.
    pub(crate) pinged_ms: u64,
    /// True while it has been silent for so long that another way to the peer may be looked for.
    pub(crate) unsure: bool,
}

impl Link {
    pub(crate) fn new(peer: Peer, mono_ms: u64) -> Self {
        Self { peer, up_ms: mono_ms, heard_ms: mono_ms, pinged_ms: mono_ms, unsure: false }
    }

    /// The address of the peer, as addresses share what is limited.
    pub(crate) fn group(&self) -> AddressGroup {
        AddressGroup::of(self.peer.address)
    }

    /// When the peer is to be pinged, unless something comes before.
    pub(crate) fn ping_due_ms(&self) -> u64 {
        self.heard_ms.max(self.pinged_ms) + PING_AFTER_MS
    }

    /// The time for which the peer's program has been running, as it said. A stranger may say any
    /// number.
    pub(crate) fn uptime_ms(&self, mono_ms: u64) -> u64 {
        self.peer.intro.uptime_ms.saturating_add(mono_ms - self.up_ms)
    }
}

/// All links.
#[derive(Debug, Default)]
pub(crate) struct LinkTable {
    by_id: BTreeMap<LinkId, Link>,
    /// The links of each peer that has one, the one in use first.
    of: BTreeMap<NodeId, Vec<LinkId>>,
}

impl LinkTable {
    /// The link in use with a peer.
    pub(crate) fn primary(&self, id: NodeId) -> Option<&Link> {
        self.of.get(&id).and_then(|links| self.by_id.get(links.first()?))
    }

    /// The link in use with a peer, unless it is silent.
    pub(crate) fn responsive(&self, id: NodeId) -> Option<&Link> {
        self.primary(id).filter(|link| !link.unsure)
    }

    /// The number of the link in use with a peer.
    pub(crate) fn primary_id(&self, id: NodeId) -> Option<LinkId> {
        self.of.get(&id)?.first().copied()
    }

    /// Returns true if a link is the one in use with its peer.
    pub(crate) fn is_primary(&self, link: LinkId) -> bool {
        self.get(link).is_some_and(|entry| self.primary_id(entry.peer.id) == Some(link))
    }

    /// The peers with a link, by id.
    pub(crate) fn peers(&self) -> impl DoubleEndedIterator<Item = NodeId> {
        self.of.keys().copied()
    }

    /// The links in use, by the id of their peer.
    pub(crate) fn primaries(&self) -> impl Iterator<Item = LinkId> {
        self.of.values().filter_map(|links| links.first().copied())
    }

    /// The number of peers with a link.
    pub(crate) fn peer_count(&self) -> usize {
        self.of.len()
    }

    /// The number of links.
    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(crate) fn get(&self, link: LinkId) -> Option<&Link> {
        self.by_id.get(&link)
    }

    pub(crate) fn get_mut(&mut self, link: LinkId) -> Option<&mut Link> {
        self.by_id.get_mut(&link)
    }

    /// All links, the oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (LinkId, &Link)> {
        self.by_id.iter().map(|(id, link)| (*id, link))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (LinkId, &mut Link)> {
        self.by_id.iter_mut().map(|(id, link)| (*id, link))
    }

    pub(crate) fn ids(&self) -> Vec<LinkId> {
        self.by_id.keys().copied().collect()
    }

    /// Adds a link that is not yet one of its peer's.
    pub(crate) fn insert(&mut self, link: LinkId, entry: Link) {
        self.by_id.insert(link, entry);
    }

    /// Replaces the links of a peer, the one in use first. Returns those it had.
    pub(crate) fn set_links(&mut self, id: NodeId, links: Vec<LinkId>) -> Vec<LinkId> {
        self.of.insert(id, links).unwrap_or_default()
    }

    /// The links of a peer, the one in use first.
    pub(crate) fn links_of(&self, id: NodeId) -> Vec<LinkId> {
        self.of.get(&id).cloned().unwrap_or_default()
    }

    /// Takes a link out. Returns it and the link that is in use with its peer from now on.
    pub(crate) fn remove(&mut self, link: LinkId) -> Option<(Link, Option<LinkId>)> {
        let gone = self.by_id.remove(&link)?;
        let id = gone.peer.id;
        let Some(links) = self.of.get_mut(&id) else { return Some((gone, None)) };
        links.retain(|other| *other != link);
        let next = links.first().copied();
        if next.is_none() {
            self.of.remove(&id);
        }
        Some((gone, next))
    }
}
