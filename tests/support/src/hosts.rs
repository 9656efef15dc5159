//! Hosts on a switch without hardware: network namespaces, veth pairs as cables, a bridge in a
//! namespace of its own. All of it is removed when the value is dropped, also after a panic. The
//! machine's own network is not touched.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::runtime;
use tokio::sync::oneshot;

use crate::node::Launch;
use crate::{Context, Result, Value, ensure};

/// So that tests of one process that run beside each other have namespaces of their own.
static NETWORKS: AtomicU32 = AtomicU32::new(0);

/// One switch, with hosts on cables.
pub struct Network {
    prefix: String,
    namespaces: Vec<String>,
}

/// A machine with a network of its own.
#[derive(Clone)]
pub struct Host {
    namespace: String,
    /// Its address on the first switch.
    pub address: String,
}

impl Network {
    /// A switch with `hosts` hosts, each with one cable: 10.77.0.1, .2 and so on.
    pub fn new(hosts: u8) -> Result<(Self, Vec<Host>)> {
        let number = NETWORKS.fetch_add(1, Ordering::Relaxed);
        let mut network = Self { prefix: format!("rf{}-{number}", std::process::id()), namespaces: Vec::new() };
        network.switch(0)?;
        let hosts = (1..=hosts).map(|number| network.host(number)).collect::<Result<Vec<_>>>()?;
        Ok((network, hosts))
    }

    /// One more host on the first switch.
    pub fn host(&mut self, number: u8) -> Result<Host> {
        self.host_on(0, number)
    }

    /// One more host, on any switch.
    pub fn host_on(&mut self, switch: u8, number: u8) -> Result<Host> {
        let namespace = self.namespace(&format!("h{number}"))?;
        ip(&["-n", &namespace, "link", "set", "lo", "up"])?;
        let host = Host { namespace, address: format!("10.77.{switch}.{number}") };
        self.cable(switch, &host, number)?;
        Ok(host)
    }

    /// Two subnets with a host on each, 10.77.0.1 and 10.77.1.2, and a router between them that
    /// forwards directed broadcasts.
    pub fn two_subnets() -> Result<(Self, [Host; 2])> {
        let (mut network, mut hosts) = Self::new(1)?;
        network.switch(1)?;
        let hosts = [hosts.remove(0), network.host_on(1, 2)?];
        let router = network.host(254)?;
        network.cable(1, &router, 254)?;
        for setting in ["ip_forward", "conf/all/bc_forwarding", "conf/eth0/bc_forwarding", "conf/eth1/bc_forwarding"] {
            let write = format!("echo 1 > /proc/sys/net/ipv4/{setting}");
            ip(&["netns", "exec", &router.namespace, "sh", "-c", &write])?;
        }
        hosts[0].ip(&["route", "add", "10.77.1.0/24", "via", "10.77.0.254"])?;
        hosts[1].ip(&["route", "add", "10.77.0.0/24", "via", "10.77.1.254"])?;
        Ok((network, hosts))
    }

    /// Another switch, which no host is on yet.
    pub fn switch(&mut self, switch: u8) -> Result<()> {
        let namespace = self.namespace(&format!("s{switch}"))?;
        ip(&["-n", &namespace, "link", "add", "br0", "type", "bridge", "forward_delay", "0", "stp_state", "0"])?;
        ip(&["-n", &namespace, "link", "set", "br0", "up"])
    }

    /// Connects a host to a switch. The host's interface is named after the switch and has the
    /// address 10.77.SWITCH.NUMBER.
    pub fn cable(&self, switch: u8, host: &Host, number: u8) -> Result<()> {
        let (bridge, interface, port) =
            (self.name(&format!("s{switch}")), format!("eth{switch}"), format!("p{number}"));
        let pair = ["link", "add", &interface, "netns", &host.namespace, "type", "veth"];
        ip(&[&pair[..], &["peer", "name", &port, "netns", &bridge]].concat())?;
        ip(&["-n", &bridge, "link", "set", &port, "master", "br0", "up"])?;
        let address = format!("10.77.{switch}.{number}/24");
        ip(&["-n", &host.namespace, "addr", "add", &address, "brd", "+", "dev", &interface])?;
        ip(&["-n", &host.namespace, "link", "set", &interface, "up"])
    }

    /// Takes every IPv4 address from a host, loopback's too.
    pub fn without_ipv4(&self, host: &Host) -> Result<()> {
        for interface in ["eth0", "lo"] {
            host.ip(&["-4", "addr", "flush", "dev", interface])?;
        }
        Ok(())
    }

    /// Pulls the cable of a host out of the first switch, or puts it back.
    pub fn plug(&self, number: u8, plugged: bool) -> Result<()> {
        let state = if plugged { "up" } else { "down" };
        ip(&["-n", &self.name("s0"), "link", "set", &format!("p{number}"), state])
    }

    /// What the names of its namespaces begin with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    fn namespace(&mut self, name: &str) -> Result<String> {
        let name = self.name(name);
        ip(&["netns", "add", &name]).context(
            "network namespaces cannot be made here: run the tests with tests/run, as root or where `unshare -rmn` works",
        )?;
        self.namespaces.push(name.clone());
        Ok(name)
    }

    fn name(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for namespace in &self.namespaces {
            if let Err(error) = ip(&["netns", "del", namespace]) {
                println!("left behind: {error:#}");
            }
        }
    }
}

impl Host {
    /// Runs a node on this host.
    pub fn runs(&self, launch: Launch) -> Launch {
        launch.through(&["ip", "netns", "exec", &self.namespace])
    }

    /// Runs `work` in this host's network namespace, on a thread of its own. Every socket opened
    /// there belongs to this host, wherever it is used.
    pub fn does<T, F>(&self, work: impl FnOnce() -> F + Send + 'static) -> oneshot::Receiver<Result<T>>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>>,
    {
        let path = format!("/run/netns/{}", self.namespace);
        let (sender, receiver) = oneshot::channel();
        std::thread::spawn(move || {
            let enter_and_work = || {
                let namespace = File::open(&path).with_context(|| path.clone())?;
                move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
                runtime::Builder::new_current_thread().enable_all().build()?.block_on(work())
            };
            // A test that has failed already does not listen any more.
            let _ = sender.send(enter_and_work());
        });
        receiver
    }

    /// Runs `ip` in this host's network.
    pub fn ip(&self, args: &[&str]) -> Result<()> {
        ip(&[&["-n", &self.namespace], args].concat())
    }

    /// The packets in the first counter of this host's nft rules.
    pub fn packets(&self) -> Result<u64> {
        let listed: Value = serde_json::from_str(&self.runs_now("nft", &["-j", "list", "ruleset"], "")?)?;
        let rules = listed["nftables"].as_array().context("rules")?;
        let count =
            |rule: &Value| rule["rule"]["expr"].as_array()?.iter().find_map(|part| part["counter"]["packets"].as_u64());
        rules.iter().find_map(count).context("a counter")
    }

    /// Runs another program in this host's network, with something to read; returns what it prints.
    pub fn runs_now(&self, program: &str, args: &[&str], input: &str) -> Result<String> {
        let mut child = Command::new("ip")
            .args(["netns", "exec", &self.namespace, program])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        child.stdin.take().context("standard input is a pipe")?.write_all(input.as_bytes())?;
        let output = child.wait_with_output()?;
        ensure!(output.status.success(), "{program} failed");
        Ok(String::from_utf8(output.stdout)?)
    }
}

fn ip(args: &[&str]) -> Result<()> {
    let Output { status, stderr, .. } = Command::new("ip").args(args).output().context("the program `ip`")?;
    ensure!(status.success(), "ip {}: {}", args.join(" "), String::from_utf8_lossy(&stderr).trim());
    Ok(())
}
