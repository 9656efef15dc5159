//! Sends beacons to the targets of `--announce-to`: the broadcast address of another subnet, or one
//! machine.
//!
//! Runs as a task of its own: names are looked up each time, which may take long, and beacons to
//! the local networks must not wait for it. The system chooses the route and, unless `--host` is
//! set, the source address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::interfaces::own_address;
use super::udp::send;
use super::{REMOTE_TARGET, Sent};
use crate::proto::limits::LOOKUP_MS_MAX;

/// The results of the last round, reported with the next announcement.
pub(super) type LastRound = Arc<Mutex<Vec<Sent>>>;

/// Sends beacons to the configured targets.
pub(super) struct TargetAnnouncer {
    /// Names or addresses, with ports.
    pub(super) targets: Vec<(String, u16)>,
    /// The only source address (`--host`).
    pub(super) host: Option<IpAddr>,
    pub(super) report: LastRound,
}

impl TargetAnnouncer {
    /// Sends each packet to every target until the node stops.
    pub(super) async fn run(self, mut packets: mpsc::Receiver<Vec<u8>>, stop: CancellationToken) {
        let rounds = async {
            while let Some(packet) = packets.recv().await {
                let mut sent = Vec::new();
                for (name, port) in &self.targets {
                    sent.extend(self.send(name, *port, &packet).await);
                }
                *self.report.lock().unwrap_or_else(PoisonError::into_inner) = sent;
            }
        };
        stop.run_until_cancelled(rounds).await;
    }

    /// Sends to every address of a name. A failed lookup is reported with the unspecified address
    /// as the target.
    async fn send(&self, name: &str, port: u16, packet: &[u8]) -> Vec<Sent> {
        let looked_up = match timeout(Duration::from_millis(LOOKUP_MS_MAX), lookup_host((name, port))).await {
            Ok(Ok(addresses)) => Ok(addresses.filter(|target| self.can_reach(*target)).collect::<Vec<_>>()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("the name lookup timed out".to_owned()),
        };
        let nowhere = |error: String| {
            tracing::debug!(name, %error, "no beacon was sent");
            let target = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
            vec![sent(target.ip(), target, Some(format!("{name}: {error}")))]
        };
        match looked_up {
            Ok(targets) if targets.is_empty() => nowhere("no address that --host can reach".to_owned()),
            Ok(targets) => targets.into_iter().map(|target| self.send_one(target, packet)).collect(),
            Err(error) => nowhere(error),
        }
    }

    fn can_reach(&self, target: SocketAddr) -> bool {
        self.host.is_none_or(|host| host.is_ipv4() == target.is_ipv4())
    }

    fn send_one(&self, target: SocketAddr, packet: &[u8]) -> Sent {
        let source = match (self.host, target) {
            (Some(host), _) => own_address(host),
            (None, SocketAddr::V4(_)) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            (None, SocketAddr::V6(_)) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let error = send(source, target, packet).err().map(|error| error.to_string());
        sent(source.ip(), target, error)
    }
}

fn sent(source: IpAddr, target: SocketAddr, error: Option<String>) -> Sent {
    Sent { interface: REMOTE_TARGET.to_owned(), source, target, error }
}
