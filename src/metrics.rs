//! Measurements of the running node, and their text in the OpenMetrics format.
//!
//! No label contains a name, a text or a full id: scraped metrics end up in systems that others
//! read.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// The media type of [`encode_metrics`].
pub const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds of the buckets of durations, in seconds: from a commit in memory to a disk that
/// hangs.
const BUCKETS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// A histogram of durations. Clones share it.
#[derive(Clone, Debug)]
pub struct DurationHistogram(Histogram);

impl Default for DurationHistogram {
    fn default() -> Self {
        Self(Histogram::new(BUCKETS))
    }
}

impl DurationHistogram {
    /// Adds a duration.
    pub fn observe(&self, duration: Duration) {
        self.0.observe(duration.as_secs_f64());
    }
}

/// The state of the node at one moment.
#[derive(Clone, Debug, Default)]
pub struct MetricsSnapshot {
    /// The start of this run, in milliseconds since 1970.
    pub started_ms: u64,
    /// The number of members in each state.
    pub members: Vec<(&'static str, u64)>,
    /// Open links, and how many there may be.
    pub links: (u64, u64),
    /// Stored entries, and known ones that are missing.
    pub entries: (u64, u64),
    /// Signed bytes of the stored entries of other members.
    pub bytes: u64,
    /// Free bytes of the disk; none if the system does not tell.
    pub disk_free: Option<u64>,
    /// Linked members, at most [`crate::proto::limits::METRICS_PEERS_MAX`].
    pub peers: Vec<PeerMetrics>,
    /// Refused input since the start, by cause.
    pub refused: Vec<(&'static str, u64)>,
    /// The durations of commits.
    pub commits: DurationHistogram,
}

/// Measurements of one linked member.
#[derive(Clone, Debug)]
pub struct PeerMetrics {
    /// Its short id.
    pub short: String,
    /// Bytes that were sent to it and that it has not confirmed.
    pub unconfirmed_bytes: u64,
    /// The error of its clock in milliseconds, if it is known.
    pub clock_error_ms: Option<i64>,
}

type Label = [(&'static str, String); 1];

/// Returns the OpenMetrics text of a snapshot and of the durations of requests.
pub fn encode_metrics(snapshot: &MetricsSnapshot, requests: &DurationHistogram) -> String {
    let mut registry = Registry::with_prefix("roomful");
    // A gauge: the textfile collector of Prometheus knows no type `info`.
    let version = labelled("version", std::iter::once((env!("CARGO_PKG_VERSION").to_owned(), 1)));
    registry.register("build_info", "The version of the program", version);
    let started = Gauge::<f64, AtomicU64>::default();
    started.set(seconds(snapshot.started_ms));
    registry.register_with_unit("start_time", "When the node started, since 1970", Unit::Seconds, started);

    let members = labelled("state", snapshot.members.iter().map(|(state, count)| ((*state).to_owned(), *count)));
    registry.register("members", "Members ever known, by state", members);
    let (open, most) = snapshot.links;
    registry.register("links", "Open links to other nodes", gauge(open));
    registry.register("links_max", "Links that may be open at once", gauge(most));
    let (stored, missing) = snapshot.entries;
    registry.register("entries", "Stored entries of the history", gauge(stored));
    registry.register("entries_missing", "Known entries that are not stored", gauge(missing));
    let help = "Size of the stored history of other members";
    registry.register_with_unit("history", help, Unit::Bytes, gauge(snapshot.bytes));
    if let Some(free) = snapshot.disk_free {
        registry.register_with_unit("disk_free", "Free disk space", Unit::Bytes, gauge(free));
    }

    let lag = snapshot.peers.iter().map(|peer| (peer.short.clone(), peer.unconfirmed_bytes));
    let help = "Sent to a linked member and not confirmed by it";
    registry.register_with_unit("peer_unconfirmed", help, Unit::Bytes, labelled("peer", lag));
    let clocks = Family::<Label, Gauge<f64, AtomicU64>>::default();
    for peer in &snapshot.peers {
        if let Some(error_ms) = peer.clock_error_ms {
            clocks.get_or_create(&[("peer", peer.short.clone())]).set(error_ms as f64 / 1_000.0);
        }
    }
    let help = "How far the clock of a linked member is ahead";
    registry.register_with_unit("peer_clock_error", help, Unit::Seconds, clocks);

    let refused = Family::<Label, Counter>::default();
    for (cause, count) in &snapshot.refused {
        refused.get_or_create(&[("cause", (*cause).to_owned())]).inc_by(*count);
    }
    registry.register("refused", "Refused input from the network, by cause", refused);
    let (commits, requests) = (snapshot.commits.0.clone(), requests.0.clone());
    registry.register_with_unit("commit_duration", "Durations of commits", Unit::Seconds, commits);
    registry.register_with_unit("request_duration", "Durations of HTTP requests", Unit::Seconds, requests);

    let mut text = String::new();
    encode(&mut text, &registry).expect("writing to a string never fails");
    text
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1_000.0
}

fn gauge(value: u64) -> Gauge {
    let gauge = Gauge::default();
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
    gauge
}

fn labelled(label: &'static str, values: impl Iterator<Item = (String, u64)>) -> Family<Label, Gauge> {
    let family = Family::<Label, Gauge>::default();
    for (text, value) in values {
        family.get_or_create(&[(label, text)]).set(i64::try_from(value).unwrap_or(i64::MAX));
    }
    family
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshot_is_written_as_openmetrics() {
        let peer = PeerMetrics { short: "vov2xk5l".to_owned(), unconfirmed_bytes: 7, clock_error_ms: Some(-1_500) };
        let snapshot = MetricsSnapshot {
            started_ms: 1_500,
            members: vec![("online", 2), ("left", 1)],
            links: (1, 696),
            entries: (10, 3),
            bytes: 4_096,
            disk_free: None,
            peers: vec![peer],
            refused: vec![("forged", 4)],
            commits: DurationHistogram::default(),
        };
        snapshot.commits.observe(Duration::from_millis(3));
        let requests = DurationHistogram::default();
        requests.observe(Duration::from_secs(20));
        let text = encode_metrics(&snapshot, &requests);
        for line in [
            "# TYPE roomful_members gauge",
            "roomful_start_time_seconds 1.5",
            "roomful_members{state=\"online\"} 2",
            "roomful_links 1",
            "roomful_links_max 696",
            "roomful_entries 10",
            "roomful_entries_missing 3",
            "roomful_history_bytes 4096",
            "roomful_peer_unconfirmed_bytes{peer=\"vov2xk5l\"} 7",
            "roomful_peer_clock_error_seconds{peer=\"vov2xk5l\"} -1.5",
            "roomful_refused_total{cause=\"forged\"} 4",
            "roomful_commit_duration_seconds_bucket{le=\"0.0025\"} 0",
            "roomful_commit_duration_seconds_bucket{le=\"0.005\"} 1",
            "roomful_request_duration_seconds_bucket{le=\"10.0\"} 0",
            "roomful_request_duration_seconds_count 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}:\n{text}");
        }
        assert!(text.ends_with("# EOF\n") && !text.contains("disk_free"), "{text}");
    }
}
