//! Measures the state of the node for its metrics.

use std::collections::BTreeMap;

use super::clock::now;
use super::free_space::free_bytes;
use super::info::NodeInfo;
use crate::metrics::{MetricsSnapshot, PeerMetrics};
use crate::net::Net;
use crate::proto::engine::Engine;
use crate::proto::limits::METRICS_PEERS_MAX;
use crate::proto::members::member::Presence;
use crate::store::Store;

/// Measures everything that is not in the database.
pub(super) fn measure(engine: &Engine, net: &Net, store: &Store, info: &NodeInfo) -> MetricsSnapshot {
    let mut members: BTreeMap<&'static str, u64> =
        [Presence::Online, Presence::Unsure, Presence::Lost, Presence::Left].map(|state| (state.as_str(), 0)).into();
    for member in engine.members() {
        *members.entry(member.state.as_str()).or_default() += 1;
    }
    let crowd = engine.crowd(now());
    let peers = crowd.unreceipted.iter().take(METRICS_PEERS_MAX).map(|(id, bytes)| PeerMetrics {
        short: id.short(),
        unconfirmed_bytes: *bytes as u64,
        clock_error_ms: engine.member(*id).and_then(|member| member.clock_error_ms),
    });
    let refused = net.refused().merge(engine.refused());
    MetricsSnapshot {
        started_ms: info.started_ms,
        members: members.into_iter().collect(),
        links: (crowd.open as u64, crowd.most as u64),
        entries: (0, 0),
        bytes: engine.members().map(|member| member.bytes).sum(),
        disk_free: free_bytes(&info.data_dir),
        peers: peers.collect(),
        refused: refused.iter().map(|(cause, count)| (cause.as_str(), count)).collect(),
        commits: store.commit_times(),
    }
}
