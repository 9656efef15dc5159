//! A host in the middle that all traffic passes through. The nodes receive no beacons of each
//! other, and are told to dial each other at this host. The test decides what happens to a
//! connection. (The kernel's `netem` is not available everywhere.)

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::network::{Hosts, PORT};
use support::Result;
use support::hosts::Host;
use support::node::Launch;

/// The last number of its address.
const NUMBER: u8 = 100;

/// The host in the middle. Dropping it closes all its connections.
pub(crate) struct Middle {
    pub(crate) host: Host,
    /// The nodes on the other hosts, not started yet.
    pub(crate) launches: Vec<Launch>,
    done: CancellationToken,
    _ends: DropGuard,
}

impl Middle {
    /// Puts one between the first `count` hosts.
    pub(crate) fn between(hosts: &mut Hosts, count: usize) -> Result<Self> {
        let host = hosts.network.host(NUMBER)?;
        let launches = (1..=count).map(|host| through(hosts, host, count)).collect::<Result<_>>()?;
        let done = CancellationToken::new();
        let _ends = done.clone().drop_guard();
        Ok(Self { host, launches, done, _ends })
    }

    /// Listens for every host, at the port plus the host's number, and forwards each connection
    /// with `pass`, which gets the target.
    pub(crate) async fn passes_on<P, F>(&self, pass: P) -> Result<()>
    where
        P: Fn(TcpStream, SocketAddr) -> F + Clone + Send + 'static,
        F: Future<Output = std::io::Result<()>> + Send + 'static,
    {
        let (listens, ready) = tokio::sync::oneshot::channel();
        let (count, done) = (self.launches.len(), self.done.clone());
        self.host.does(move || async move {
            let mut doors = Vec::new();
            for host in 1..=count as u8 {
                doors.push((TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT + u16::from(host))).await?, at(host)));
            }
            let _ = listens.send(());
            let serve = doors.into_iter().map(|(door, host)| open(door, SocketAddr::from((host, PORT)), pass.clone()));
            done.run_until_cancelled(futures::future::try_join_all(serve)).await.transpose()?;
            Ok(())
        });
        Ok(ready.await?)
    }
}

/// Its address, which is all that the others see of each other.
pub(crate) fn address() -> Ipv4Addr {
    at(NUMBER)
}

fn at(host: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, host)
}

/// A node on a host that hears of the others only through the one in the middle.
fn through(hosts: &Hosts, host: usize, count: usize) -> Result<Launch> {
    let middle = address();
    let rules = [format!("ip saddr 10.77.0.0/24 ip saddr != {middle} drop"), "meta nfproto ipv6 drop".to_owned()];
    hosts.rule(host, &rules)?;
    let others = (1..=count).filter(|other| *other != host);
    Ok(others.fold(hosts.launches[host - 1].clone(), |launch, other| {
        launch.also("--peer", &format!("{middle}:{}", PORT + other as u16))
    }))
}

/// Passes every connection on to a host.
async fn open<P, F>(door: TcpListener, to: SocketAddr, pass: P) -> Result<()>
where
    P: Fn(TcpStream, SocketAddr) -> F,
    F: Future<Output = std::io::Result<()>> + Send + 'static,
{
    loop {
        let (from, _) = door.accept().await?;
        tokio::spawn(pass(from, to));
    }
}
