//! The result of the last beacons: the state of discovery that a page shows while no other member
//! is here.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::api;
use crate::net::Sent;

/// The last announcement: one row for each interface and target.
#[derive(Debug, Default)]
pub(super) struct DiscoveryLog {
    rows: BTreeMap<(String, SocketAddr), TargetRow>,
}

#[derive(Debug)]
struct TargetRow {
    sent_ms: Option<u64>,
    error: Option<String>,
}

impl DiscoveryLog {
    /// Beacons went out, or did not, at `wall_ms`. Rows of interfaces that are gone go too.
    pub(super) fn announced(&mut self, sent: Vec<Sent>, wall_ms: u64) {
        let mut before = std::mem::take(&mut self.rows);
        for Sent { interface, target, error, .. } in sent {
            let key = (interface, target);
            let last_ms = before.remove(&key).and_then(|row| row.sent_ms);
            let sent_ms = if error.is_none() { Some(wall_ms) } else { last_ms };
            self.rows.insert(key, TargetRow { sent_ms, error });
        }
    }

    /// The rows for pages.
    pub(super) fn rows(&self) -> Vec<api::DiscoveryTarget> {
        let row = |((interface, target), row): (&(String, SocketAddr), &TargetRow)| api::DiscoveryTarget {
            interface: interface.clone(),
            target: target.to_string(),
            sent: row.sent_ms.map(api::time),
            error: row.error.clone(),
        };
        self.rows.iter().map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(interface: &str, error: Option<&str>) -> Sent {
        Sent {
            interface: interface.to_owned(),
            source: [192, 0, 2, 1].into(),
            target: ([192, 0, 2, 255], 7666).into(),
            error: error.map(str::to_owned),
        }
    }

    #[test]
    fn a_failure_keeps_when_it_last_worked() {
        let mut discovery = DiscoveryLog::default();
        discovery.announced(vec![sent("eth0", None), sent("tun0", Some("no"))], 1_000);
        discovery.announced(vec![sent("eth0", Some("down"))], 2_000);
        let rows = discovery.rows();
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].sent.clone(), rows[0].error.as_deref()), (Some(api::time(1_000)), Some("down")));
    }
}
