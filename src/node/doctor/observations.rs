//! What the event loop saw that the doctor needs: whose beacons came in, which dials failed, and
//! which peers had no room for a link.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use crate::api;
use crate::api::doctor::FailedDial;
use crate::proto::ids::{DialId, LinkId, NodeId};
use crate::proto::limits::{ADDRESSES_MAX, HEARD_FRESH_MS, HEARD_SWEEP_EVERY_MS};
use crate::proto::links::address_book::{Dial, DialTarget};
use crate::proto::replication::frame::CloseReason;

/// Observations of the event loop, which nothing else keeps.
#[derive(Debug, Default)]
pub(in crate::node) struct Observations {
    /// The nodes whose beacons came in, with the address and the time on the monotonic clock.
    heard: BTreeMap<NodeId, (IpAddr, u64)>,
    /// When silent nodes were last removed from `heard`.
    swept_ms: u64,
    dialling: HashMap<DialId, DialTarget>,
    /// The targets whose last dial failed.
    failed: BTreeMap<DialTarget, DialFailure>,
    /// The addresses of the links that are up.
    linked: HashMap<LinkId, IpAddr>,
    /// The addresses that had no room for a link.
    busy: BTreeMap<IpAddr, DialFailure>,
}

/// A node whose beacon came in lately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HeardNode {
    pub(super) id: NodeId,
    /// The address of its last beacon.
    pub(super) from: IpAddr,
    /// Milliseconds since its last beacon.
    pub(super) ago_ms: u64,
}

/// A dial that failed.
#[derive(Debug)]
pub(in crate::node) struct DialFailure {
    /// When it failed, by the wall clock in milliseconds since 1970.
    pub(in crate::node) at_ms: u64,
    /// The cause, as a sentence without its full stop.
    pub(in crate::node) error: String,
    /// True if the other side answered: then no firewall is in the way.
    pub(in crate::node) answered: bool,
}

impl Observations {
    /// A beacon of this room came in. When the table is full of fresh ones, a flood of forged ones
    /// finds no place.
    pub(in crate::node) fn heard(&mut self, id: NodeId, from: IpAddr, mono_ms: u64) {
        if self.heard.len() >= ADDRESSES_MAX && !self.heard.contains_key(&id) {
            if mono_ms < self.swept_ms + HEARD_SWEEP_EVERY_MS {
                return;
            }
            self.swept_ms = mono_ms;
            self.heard.retain(|_, (_, at_ms)| is_fresh(*at_ms, mono_ms));
            if self.heard.len() >= ADDRESSES_MAX {
                return;
            }
        }
        self.heard.insert(id, (from, mono_ms));
    }

    pub(in crate::node) fn dials(&mut self, dial: &Dial) {
        self.dialling.insert(dial.dial, dial.target.clone());
    }

    /// A link is up.
    pub(in crate::node) fn linked(&mut self, link: LinkId, address: IpAddr, dial: Option<DialId>) {
        self.linked.insert(link, address);
        if let Some(target) = dial.and_then(|dial| self.dialling.remove(&dial)) {
            self.failed.remove(&target);
        }
    }

    /// A link is gone, perhaps since the other side had no room for it.
    pub(in crate::node) fn unlinked(&mut self, link: LinkId, reason: Option<CloseReason>, wall_ms: u64) {
        let Some(address) = self.linked.remove(&link).filter(|_| reason == Some(CloseReason::Busy)) else { return };
        if self.busy.len() >= ADDRESSES_MAX && !self.busy.contains_key(&address) {
            let oldest = self.busy.iter().min_by_key(|(_, failure)| failure.at_ms).map(|(address, _)| *address);
            oldest.map(|oldest| self.busy.remove(&oldest));
        }
        let error = "all its connections are in use; run `roomful doctor` on that computer for details".to_owned();
        self.busy.insert(address, DialFailure { at_ms: wall_ms, error, answered: true });
    }

    /// A dial failed.
    pub(in crate::node) fn failed(&mut self, dial: DialId, failure: DialFailure) {
        let Some(target) = self.dialling.remove(&dial) else { return };
        if self.failed.len() >= ADDRESSES_MAX && !self.failed.contains_key(&target) {
            let oldest = self.failed.iter().min_by_key(|(_, failure)| failure.at_ms).map(|(target, _)| target.clone());
            oldest.map(|oldest| self.failed.remove(&oldest));
        }
        self.failed.insert(target, failure);
    }

    /// The nodes that were heard within the last minute.
    pub(super) fn fresh(&self, mono_ms: u64) -> impl Iterator<Item = HeardNode> {
        let fresh = self.heard.iter().filter(move |(_, (_, at_ms))| is_fresh(*at_ms, mono_ms));
        fresh.map(move |(id, (from, at_ms))| HeardNode { id: *id, from: *from, ago_ms: mono_ms.saturating_sub(*at_ms) })
    }

    /// The failure of the last dial to an address.
    pub(super) fn last_dial_failure(&self, address: IpAddr) -> Option<&DialFailure> {
        let mut there = self.failed.iter().filter(|(target, _)| match target {
            DialTarget::Address(target) => target.ip() == address,
            DialTarget::Host(..) => false,
        });
        let failed = there.next().map(|(_, failure)| failure);
        let busy = self.busy.get(&address);
        // The later one of the two.
        failed.into_iter().chain(busy).max_by_key(|failure| failure.at_ms)
    }

    pub(super) fn failures(&self) -> Vec<FailedDial> {
        let row = |(target, failure): (&DialTarget, &DialFailure)| FailedDial {
            address: target.to_string(),
            at: api::time(failure.at_ms),
            error: failure.error.clone(),
        };
        self.failed.iter().map(row).collect()
    }
}

fn is_fresh(at_ms: u64, mono_ms: u64) -> bool {
    mono_ms <= at_ms + HEARD_FRESH_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flood_of_names_evicts_no_fresh_one() {
        let mut notes = Observations::default();
        let id = |number: u16| NodeId(std::array::from_fn(|at| number.to_be_bytes()[at % 2]));
        let from = IpAddr::from([192, 0, 2, 1]);
        (0..2_000).for_each(|number| notes.heard(id(number), from, 5_000));
        assert_eq!(notes.fresh(5_000).count(), ADDRESSES_MAX);
        assert!(notes.fresh(5_000).any(|heard| heard.id == id(0)));
        notes.heard(id(3_000), from, 5_001 + HEARD_FRESH_MS);
        assert_eq!(notes.fresh(5_001 + HEARD_FRESH_MS).map(|heard| heard.id).collect::<Vec<_>>(), [id(3_000)]);
    }

    #[test]
    fn successful_dial_clears_the_failure() {
        let mut notes = Observations::default();
        let target = DialTarget::Address(([192, 0, 2, 1], 7666).into());
        let dial = |number| Dial { dial: DialId(number), target: target.clone(), expected: None, is_given: false };
        notes.dials(&dial(1));
        let failure = DialFailure { at_ms: 0, error: "no answer".to_owned(), answered: false };
        notes.failed(DialId(1), failure);
        assert_eq!(notes.failures()[0].address, "192.0.2.1:7666");
        let last_dial_failure = notes.last_dial_failure([192, 0, 2, 1].into()).map(|failure| failure.error.as_str());
        assert_eq!(last_dial_failure, Some("no answer"));
        notes.dials(&dial(2));
        let address = [192, 0, 2, 1].into();
        notes.linked(LinkId(1), address, Some(DialId(2)));
        assert_eq!(notes.failures(), []);
        assert!(notes.last_dial_failure(address).is_none());
        notes.unlinked(LinkId(1), Some(CloseReason::Busy), 5);
        assert!(
            notes
                .last_dial_failure(address)
                .is_some_and(|failure| failure.answered && failure.error.contains("in use"))
        );
    }
}
