//! Beacons to where the user said (`--announce-to`): another subnet's broadcast address, or one machine.
//!
//! A task of its own, since names are looked up each time and that may take long: the beacons of this machine's own
//! networks never wait for it. The system chooses the way and, unless the node keeps to one address, the source.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::interfaces::own_address;
use super::udp::send;
use super::{ELSEWHERE, Sent};
use crate::proto::limits::LOOKUP_MS_MAX;

/// What became of the last round, for the report of the next announcement.
pub(super) type Report = Arc<Mutex<Vec<Sent>>>;

/// Where beacons go beside the own networks.
pub(super) struct Far {
    /// Names or addresses, and ports.
    pub(super) targets: Vec<(String, u16)>,
    /// Send from this address only.
    pub(super) host: Option<IpAddr>,
    pub(super) report: Report,
}

impl Far {
    /// Sends each packet to every target, until the stop.
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

    /// Sends to every address of a name. Where it has none, that is told of the unspecified one.
    async fn send(&self, name: &str, port: u16, packet: &[u8]) -> Vec<Sent> {
        let looked_up = match timeout(Duration::from_millis(LOOKUP_MS_MAX), lookup_host((name, port))).await {
            Ok(Ok(addresses)) => Ok(addresses.filter(|target| self.can_reach(*target)).collect::<Vec<_>>()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("the name was not found in time".to_owned()),
        };
        let nowhere = |error: String| {
            tracing::debug!(name, %error, "no beacon was sent");
            let target = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
            vec![sent(target.ip(), target, Some(format!("{name}: {error}")))]
        };
        match looked_up {
            Ok(targets) if targets.is_empty() => nowhere("no address that --host can send to".to_owned()),
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
    Sent { interface: ELSEWHERE.to_owned(), source, target, error }
}
