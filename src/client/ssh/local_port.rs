//! The local end of the forward.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
use std::time::Duration;

use tokio::task::spawn_blocking;

use crate::client::Error;
use crate::config::WEB_PORTS;

/// Timeout of the first request through the forward.
const CHECK_SECONDS_MAX: u64 = 15;

/// A port of loopback. Browsers try a name under .localhost at `::1` first, so it is bound at both
/// addresses: otherwise another user could serve the page's origin at the other one.
#[derive(Clone, Copy, Debug)]
pub(super) struct LocalPort {
    number: u16,
    has_ipv6: bool,
}

impl LocalPort {
    /// Takes the port that the user gave, else the usual one of the page or the next free one.
    pub(super) fn choose(given: Option<u16>) -> Result<Self, Error> {
        let has_ipv6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
        let mut numbers = match given {
            Some(number) => number..=number,
            None => WEB_PORTS,
        };
        let free = numbers.find(|number| Self { number: *number, has_ipv6 }.is_free());
        let number = free.ok_or(Error::PortTaken(given.unwrap_or(*WEB_PORTS.start())))?;
        Ok(Self { number, has_ipv6 })
    }

    /// Returns true if no program listens on the port.
    pub(super) fn is_free(self) -> bool {
        self.addresses().all(|address| TcpListener::bind((address, self.number)).is_ok())
    }

    pub(super) fn number(self) -> u16 {
        self.number
    }

    /// Returns the forwards to `socket`, as arguments of ssh.
    pub(super) fn forwards(self, socket: &str) -> Vec<String> {
        let bound = |address| match address {
            IpAddr::V4(address) => format!("{address}:{}:{socket}", self.number),
            IpAddr::V6(address) => format!("[{address}]:{}:{socket}", self.number),
        };
        self.addresses().map(bound).flat_map(|forward| ["-L".to_owned(), forward]).collect()
    }

    fn addresses(self) -> impl Iterator<Item = IpAddr> {
        let ipv6 = self.has_ipv6.then_some(IpAddr::V6(Ipv6Addr::LOCALHOST));
        std::iter::once(IpAddr::V4(Ipv4Addr::LOCALHOST)).chain(ipv6)
    }

    /// Checks that a node answers through the forward: the server may not forward to sockets.
    pub(super) async fn check_forward(self, host: &str) -> Result<(), Error> {
        let answer = spawn_blocking(move || self.healthz()).await;
        let is_served = answer.is_ok_and(|answer| answer.is_ok_and(|text| text.ends_with("\r\n\r\nok")));
        if is_served { Ok(()) } else { Err(Error::NoForward(host.to_owned())) }
    }

    fn healthz(self) -> io::Result<String> {
        let timeout = Some(Duration::from_secs(CHECK_SECONDS_MAX));
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.number))?;
        stream.set_read_timeout(timeout)?;
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        // An answer is far shorter; anything else is no node's.
        stream.take(16 * 1024).read_to_string(&mut answer)?;
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taken_port_is_passed_over_or_refused() {
        let squatter = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let taken = squatter.local_addr().unwrap().port();
        assert!(matches!(LocalPort::choose(Some(taken)), Err(Error::PortTaken(port)) if port == taken));
        let chosen = LocalPort::choose(None).unwrap();
        let squatter = TcpListener::bind((Ipv4Addr::LOCALHOST, chosen.number())).unwrap();
        assert_ne!(LocalPort::choose(None).unwrap().number(), chosen.number());
        drop(squatter);
        let port = LocalPort { number: 7, has_ipv6: true };
        assert_eq!(port.forwards("/s"), ["-L", "127.0.0.1:7:/s", "-L", "[::1]:7:/s"]);
    }
}
