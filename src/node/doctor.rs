//! Why two nodes don't see each other: what this one can tell of it, gathered when somebody asks.
//!
//! It remembers two small things that nobody else does, whose beacons came in and which dials failed; everything else is
//! asked of those who know. It changes nothing, and asks nobody else's machine.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::Instant;

use super::turn::Turns;
use super::{likely, now};
use crate::api;
use crate::api::doctor::{Crowded, Doctor, FailedDial, Files, Heard, Interface, Links, Ports};
use crate::config::MIB;
use crate::net::Counts;
use crate::proto::book::{Dial, Target};
use crate::proto::closed::Closed;
use crate::proto::frame::CloseReason;
use crate::proto::ids::{DialId, LinkId, NodeId};
use crate::proto::limits::{ADDRESSES_MAX, HEARD_FRESH_MS, HEARD_SWEEP_EVERY_MS};
use crate::proto::roster::Member;
use crate::system::descriptors;

/// What only the loop sees pass by.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Whose beacons came in, from where and when, on the monotonic clock.
    heard: BTreeMap<NodeId, (IpAddr, u64)>,
    /// When those who fell silent were last forgotten.
    swept_ms: u64,
    dialling: HashMap<DialId, Target>,
    /// Where the last dial failed.
    failed: BTreeMap<Target, Failure>,
    /// Where the links that are up lead.
    linked: HashMap<LinkId, IpAddr>,
    /// Who had no room for a link, and when that was.
    busy: BTreeMap<IpAddr, Failure>,
}

/// A dial that came to nothing.
#[derive(Debug)]
pub(super) struct Failure {
    /// When, by the wall clock.
    pub(super) at_ms: u64,
    /// Why, as a sentence without its full stop.
    pub(super) error: String,
    /// Whether anybody answered: then no firewall is in the way.
    pub(super) answered: bool,
}

impl Notes {
    /// A beacon of this room came in. A flood of made-up ones finds no place here once the table is full of fresh ones.
    pub(super) fn heard(&mut self, id: NodeId, from: IpAddr, mono_ms: u64) {
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

    pub(super) fn dials(&mut self, dial: &Dial) {
        self.dialling.insert(dial.dial, dial.target.clone());
    }

    /// A link is up.
    pub(super) fn linked(&mut self, link: LinkId, address: IpAddr, dial: Option<DialId>) {
        self.linked.insert(link, address);
        if let Some(target) = dial.and_then(|dial| self.dialling.remove(&dial)) {
            self.failed.remove(&target);
        }
    }

    /// A link is gone, perhaps since the other side had no room for it.
    pub(super) fn unlinked(&mut self, link: LinkId, reason: Option<CloseReason>, wall_ms: u64) {
        let Some(address) = self.linked.remove(&link).filter(|_| reason == Some(CloseReason::Busy)) else { return };
        if self.busy.len() >= ADDRESSES_MAX && !self.busy.contains_key(&address) {
            let oldest = self.busy.iter().min_by_key(|(_, failure)| failure.at_ms).map(|(address, _)| *address);
            oldest.map(|oldest| self.busy.remove(&oldest));
        }
        let error = "all links there are in use; `roomful doctor` on that machine says by whom".to_owned();
        self.busy.insert(address, Failure { at_ms: wall_ms, error, answered: true });
    }

    /// A dial came to nothing.
    pub(super) fn failed(&mut self, dial: DialId, failure: Failure) {
        let Some(target) = self.dialling.remove(&dial) else { return };
        if self.failed.len() >= ADDRESSES_MAX && !self.failed.contains_key(&target) {
            let oldest = self.failed.iter().min_by_key(|(_, failure)| failure.at_ms).map(|(target, _)| target.clone());
            oldest.map(|oldest| self.failed.remove(&oldest));
        }
        self.failed.insert(target, failure);
    }

    /// Who was heard within the last minute, and from where.
    fn fresh(&self, mono_ms: u64) -> impl Iterator<Item = (NodeId, IpAddr)> {
        let fresh = self.heard.iter().filter(move |(_, (_, at_ms))| is_fresh(*at_ms, mono_ms));
        fresh.map(|(id, (from, _))| (*id, *from))
    }

    /// Why the last dial to an address failed.
    fn why(&self, address: IpAddr) -> Option<&Failure> {
        let mut there = self.failed.iter().filter(|(target, _)| match target {
            Target::Address(target) => target.ip() == address,
            Target::Host(..) => false,
        });
        let failed = there.next().map(|(_, failure)| failure);
        let busy = self.busy.get(&address);
        // What happened last.
        failed.into_iter().chain(busy).max_by_key(|failure| failure.at_ms)
    }

    fn failures(&self) -> Vec<FailedDial> {
        let row = |(target, failure): (&Target, &Failure)| FailedDial {
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

impl Turns {
    /// Everything that can be told.
    pub(super) fn doctor(&self) -> Doctor {
        let mono_ms = now().mono_ms;
        let refused = self.net.refused().and(self.engine.refused());
        let knows = |id: NodeId| self.engine.member(id).is_some_and(|member| member.state.is_here());
        let interfaces = self.interfaces();
        let deaf: Vec<likely::OneSided> = self
            .notes
            .fresh(mono_ms)
            .filter(|(id, _)| !knows(*id))
            .map(|(id, from)| likely::OneSided { short: id.short(), from, failure: self.notes.why(from) })
            .collect();
        let ports = Ports { udp: self.net.udp_port(), tcp: self.net.tcp_port(), web: self.about.web_port };
        let firewall = firewall();
        let others = || self.engine.members().filter(|member| !member.own && member.state.is_here());
        let clock_error_ms = middle(others().filter_map(|member| member.clock_error_ms).collect());
        let discovery = self.discovery.rows();
        let (crowd, files) = (self.engine.crowd(now()), files());
        let likely = likely::likely(&likely::Findings {
            here: others().map(|member: &Member| member.name.to_string()).collect(),
            interfaces: &interfaces,
            discovery: &discovery,
            deaf: &deaf,
            refused: &refused,
            ports: &ports,
            firewall,
            clock_error_ms,
            links: &crowd,
            descriptors: files.most,
            full: self.filled().collect(),
            little_disk: self.engine.members().any(|member| member.closed == Some(Closed::Disk)),
        });
        Doctor {
            interfaces,
            ports,
            dials: self.notes.failures(),
            refused: refused.iter().map(|(cause, count)| (cause.as_str().to_owned(), count)).collect(),
            heard_by: self.notes.fresh(mono_ms).map(|(id, _)| Heard { id: id.to_string(), of_me: knows(id) }).collect(),
            clock_error_ms,
            likely,
            discovery,
            firewall: firewall.map(str::to_owned),
            files,
            links: Links {
                open: crowd.open,
                most: crowd.most,
                is_full: crowd.is_full,
                from: crowd
                    .from
                    .iter()
                    .map(|(address, links)| Crowded { address: address.to_string(), links: *links })
                    .collect(),
            },
            disk_free: super::disk::free(&self.about.data_dir),
        }
    }

    /// Whose history takes all that is kept of one member, and how many MiB that is.
    fn filled(&self) -> impl Iterator<Item = (String, u64)> {
        let full = self.engine.members().filter(|member| member.closed == Some(Closed::Quota));
        full.map(|member| (member.name.to_string(), member.bytes.div_ceil(MIB)))
    }

    /// Each interface once, with all its addresses; those that are gone too, if something came or went there.
    fn interfaces(&self) -> Vec<Interface> {
        let mut rows: BTreeMap<String, (Vec<String>, Counts)> = BTreeMap::new();
        for (name, counts) in self.net.counters() {
            rows.entry(name).or_default().1 = counts;
        }
        for interface in self.net.interfaces() {
            rows.entry(interface.name).or_default().0.push(interface.address.to_string());
        }
        let wall_ms = now().wall_ms;
        let ago = |at: Instant| wall_ms.saturating_sub(u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX));
        let row = |(name, (addresses, counts)): (String, (Vec<String>, Counts))| {
            let Counts { sent, heard, refused, heard_at } = counts;
            let last_heard = heard_at.map(|at| api::time(ago(at)));
            Interface { name, addresses, sent, heard, refused, last_heard }
        };
        rows.into_iter().map(row).collect()
    }
}

/// The one in the middle, which a single wrong clock does not move.
fn middle(mut values: Vec<i64>) -> Option<i64> {
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}

/// A firewall that runs here, as far as everybody may know.
fn firewall() -> Option<&'static str> {
    let ufw = std::fs::read_to_string("/etc/ufw/ufw.conf").unwrap_or_default();
    if ufw.lines().any(|line| line.trim().eq_ignore_ascii_case("ENABLED=yes")) {
        return Some("ufw");
    }
    std::path::Path::new("/run/firewalld").exists().then_some("firewalld")
}

fn files() -> Files {
    // The directory that is being read is one of them.
    let open = std::fs::read_dir("/proc/self/fd").ok().map(|files| (files.count() as u64).saturating_sub(1));
    Files { open, most: descriptors() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_names_pushes_out_none_that_is_fresh() {
        let mut notes = Notes::default();
        let id = |number: u16| NodeId(std::array::from_fn(|at| number.to_be_bytes()[at % 2]));
        let from = IpAddr::from([192, 0, 2, 1]);
        (0..2_000).for_each(|number| notes.heard(id(number), from, 5_000));
        assert_eq!(notes.fresh(5_000).count(), ADDRESSES_MAX);
        assert!(notes.fresh(5_000).any(|(known, _)| known == id(0)));
        notes.heard(id(3_000), from, 5_001 + HEARD_FRESH_MS);
        assert_eq!(notes.fresh(5_001 + HEARD_FRESH_MS).map(|(id, _)| id).collect::<Vec<_>>(), [id(3_000)]);
    }

    #[test]
    fn a_dial_that_succeeds_takes_the_failure_back() {
        let mut notes = Notes::default();
        let target = Target::Address(([192, 0, 2, 1], 7666).into());
        let dial = |number| Dial { dial: DialId(number), target: target.clone(), expected: None, is_given: false };
        notes.dials(&dial(1));
        let failure = Failure { at_ms: 0, error: "nobody answers there".to_owned(), answered: false };
        notes.failed(DialId(1), failure);
        assert_eq!(notes.failures()[0].address, "192.0.2.1:7666");
        let why = notes.why([192, 0, 2, 1].into()).map(|failure| failure.error.as_str());
        assert_eq!(why, Some("nobody answers there"));
        notes.dials(&dial(2));
        let address = [192, 0, 2, 1].into();
        notes.linked(LinkId(1), address, Some(DialId(2)));
        assert_eq!(notes.failures(), []);
        assert!(notes.why(address).is_none());
        notes.unlinked(LinkId(1), Some(CloseReason::Busy), 5);
        assert!(notes.why(address).is_some_and(|failure| failure.answered && failure.error.contains("in use")));
    }

    #[test]
    fn one_wrong_clock_among_others_is_not_ours() {
        assert_eq!(middle(vec![5, -3, 9_000_000]), Some(5));
        assert_eq!(middle(Vec::new()), None);
    }
}
