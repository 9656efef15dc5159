//! The doctor's report, gathered when it is asked for.

use std::collections::BTreeMap;
use std::time::Instant;

use super::diagnosis;
use super::observations::{HeardNode, Observations};
use crate::api;
use crate::api::doctor::{AddressUsage, Doctor, Files, Heard, InterfaceReport, LinksReport, PortsReport};
use crate::config::MIB;
use crate::net::{InterfaceCounts, Net};
use crate::node::clock::now;
use crate::node::discovery::DiscoveryLog;
use crate::node::free_space::free_bytes;
use crate::node::info::NodeInfo;
use crate::proto::clock::Now;
use crate::proto::engine::Engine;
use crate::proto::ids::NodeId;
use crate::proto::members::member::Member;
use crate::proto::replication::author_limits::LimitReason;
use crate::system::descriptor_limit;

/// Reports everything that this node can tell. It changes nothing, and asks no other machine.
pub(in crate::node) fn report(
    engine: &Engine,
    net: &Net,
    observations: &Observations,
    discovery: &DiscoveryLog,
    info: &NodeInfo,
) -> Doctor {
    let Now { mono_ms, wall_ms } = now();
    let refused = net.refused().merge(engine.refused());
    let knows = |id: NodeId| engine.member(id).is_some_and(|member| member.state.is_here());
    let interfaces = interfaces(net);
    // A node that has ended sent its last beacon before its link broke.
    let has_ended = |heard: &HeardNode| {
        let member = engine.member(heard.id).filter(|member| !member.state.is_here());
        member.is_some_and(|member| wall_ms.saturating_sub(member.since_ms) < heard.ago_ms)
    };
    let deaf: Vec<diagnosis::HeardNotLinked> = observations
        .fresh(mono_ms)
        .filter(|heard| !knows(heard.id) && !has_ended(heard))
        .map(|HeardNode { id, from, .. }| diagnosis::HeardNotLinked {
            short: id.short(),
            from,
            failure: observations.last_dial_failure(from),
        })
        .collect();
    let ports = PortsReport { udp: net.udp_port(), tcp: net.tcp_port(), web: info.web_port };
    let firewall = firewall();
    let others = || engine.members().filter(|member| !member.own && member.state.is_here());
    let clock_error_ms = median(others().filter_map(|member| member.clock_error_ms).collect());
    let discovery = discovery.rows();
    let (crowd, files) = (engine.crowd(now()), files());
    let likely = diagnosis::diagnose(&diagnosis::Observed {
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
        full: members_at_quota(engine).collect(),
        little_disk: engine.members().any(|member| member.closed == Some(LimitReason::Disk)),
    });
    Doctor {
        interfaces,
        ports,
        dials: observations.failures(),
        refused: refused.iter().map(|(cause, count)| (cause.as_str().to_owned(), count)).collect(),
        heard_by: observations
            .fresh(mono_ms)
            .map(|heard| Heard { id: heard.id.to_string(), of_me: knows(heard.id) })
            .collect(),
        clock_error_ms,
        likely,
        discovery,
        firewall: firewall.map(str::to_owned),
        files,
        links: LinksReport {
            open: crowd.open,
            most: crowd.most,
            is_full: crowd.is_full,
            from: crowd
                .from
                .iter()
                .map(|(address, links)| AddressUsage { address: address.to_string(), links: *links })
                .collect(),
        },
        disk_free: free_bytes(&info.data_dir),
    }
}

/// The members at their quota, with the MiB that their logs take.
fn members_at_quota(engine: &Engine) -> impl Iterator<Item = (String, u64)> {
    let full = engine.members().filter(|member| member.closed == Some(LimitReason::Quota));
    full.map(|member| (member.name.to_string(), member.bytes.div_ceil(MIB)))
}

/// Each interface once, with all its addresses. Interfaces that are gone are listed if they sent or
/// received something.
fn interfaces(net: &Net) -> Vec<InterfaceReport> {
    let mut rows: BTreeMap<String, (Vec<String>, InterfaceCounts)> = BTreeMap::new();
    for (name, counts) in net.counters() {
        rows.entry(name).or_default().1 = counts;
    }
    for interface in net.interfaces() {
        rows.entry(interface.name).or_default().0.push(interface.address.to_string());
    }
    let wall_ms = now().wall_ms;
    let ago = |at: Instant| wall_ms.saturating_sub(u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX));
    let row = |(name, (addresses, counts)): (String, (Vec<String>, InterfaceCounts))| {
        let InterfaceCounts { sent, heard, refused, heard_at } = counts;
        let last_heard = heard_at.map(|at| api::time(ago(at)));
        InterfaceReport { name, addresses, sent, heard, refused, last_heard }
    };
    rows.into_iter().map(row).collect()
}

/// The median, which a single wrong clock does not move.
fn median(mut values: Vec<i64>) -> Option<i64> {
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}

/// The firewall that runs here, if any user may find that out.
fn firewall() -> Option<&'static str> {
    let ufw = std::fs::read_to_string("/etc/ufw/ufw.conf").unwrap_or_default();
    if ufw.lines().any(|line| line.trim().eq_ignore_ascii_case("ENABLED=yes")) {
        return Some("ufw");
    }
    std::path::Path::new("/run/firewalld").exists().then_some("firewalld")
}

fn files() -> Files {
    // One of them is the directory being read.
    let open = std::fs::read_dir("/proc/self/fd").ok().map(|files| (files.count() as u64).saturating_sub(1));
    Files { open, most: descriptor_limit() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wrong_peer_clock_is_not_blamed_on_this_node() {
        assert_eq!(median(vec![5, -3, 9_000_000]), Some(5));
        assert_eq!(median(Vec::new()), None);
    }
}
