//! Names the most likely cause in a sentence or two: the first of a list that fits the findings,
//! from certain ones to those that are only usual.

use std::net::IpAddr;

use super::observations::DialFailure;
use crate::api::DiscoveryTarget;
use crate::api::doctor::{InterfaceReport, PortsReport};
use crate::proto::engine::LinkUsage;
use crate::proto::limits::{CLOCK_AHEAD_MS_MAX, LINKS_MAX};
use crate::proto::replication::drop_reason::{DropCounters, DropReason};

/// A node whose beacons come in, and that has no link with this one.
#[derive(Debug)]
pub(super) struct HeardNotLinked<'a> {
    pub(super) short: String,
    pub(super) from: IpAddr,
    /// The failure of the last dial there, if it failed.
    pub(super) failure: Option<&'a DialFailure>,
}

/// The findings.
pub(super) struct Observed<'a> {
    /// The names of the other members in reach.
    pub(super) here: Vec<String>,
    pub(super) interfaces: &'a [InterfaceReport],
    pub(super) discovery: &'a [DiscoveryTarget],
    pub(super) deaf: &'a [HeardNotLinked<'a>],
    pub(super) refused: &'a DropCounters,
    pub(super) ports: &'a PortsReport,
    pub(super) firewall: Option<&'static str>,
    pub(super) clock_error_ms: Option<i64>,
    pub(super) links: &'a LinkUsage,
    /// The limit of file descriptors, on which the number of links depends.
    pub(super) descriptors: Option<u64>,
    /// The members at their quota, with the MiB that their logs take.
    pub(super) full: Vec<(String, u64)>,
    /// True if the rest of the disk is kept for the own user.
    pub(super) little_disk: bool,
}

/// Returns the diagnosis.
pub(super) fn diagnose(found: &Observed<'_>) -> String {
    let mut told = connectivity(found);
    let links = found.links;
    if links.is_full && links.open < links.most {
        told += &format!(
            " All {} connections were in use within the last minute, so others may have been refused.",
            links.most
        );
    }
    if found.little_disk {
        told += " The disk is almost full. Messages from others aren’t saved until you free up space.";
    }
    if found.refused.of(DropReason::Unmet) > 0 {
        told += " Messages from members this node has never connected to have reached the limit. New ones aren’t \
             saved.";
    }
    if let Some((name, mib)) = found.full.first() {
        told += &format!(
            " {name} has reached the storage limit of {mib} MiB; new messages from them aren’t saved. \
             Change the limit with --quota."
        );
    }
    if let Some(error_ms) = found.clock_error_ms.filter(|error_ms| error_ms.unsigned_abs() > CLOCK_AHEAD_MS_MAX) {
        let (seconds, side) = (error_ms.unsigned_abs() / 1_000, if error_ms > 0 { "behind" } else { "ahead of" });
        told += &format!(" This computer’s clock is {seconds} s {side} those of the others. Correct the wrong one.");
    }
    told
}

fn connectivity(found: &Observed<'_>) -> String {
    let PortsReport { udp, tcp, .. } = found.ports;
    if found.links.open >= found.links.most {
        return crowded(found.links, found.descriptors);
    }
    if let Some(one) = found.deaf.first() {
        let why = match one.failure {
            Some(failure) => format!("the connection failed: {}", failure.error),
            None => "there is no connection yet".to_owned(),
        };
        let then = match one.failure {
            Some(DialFailure { answered: true, .. }) => peer_problem(found),
            Some(_) | None => {
                format!(" A firewall on either side may block TCP port {tcp}{}.", firewall_hint(found))
            }
        };
        return format!("{} at {} announces itself, but {why}.{then}", one.short, one.from);
    }
    if !found.here.is_empty() {
        let (count, are) = (found.here.len(), if found.here.len() == 1 { "other is" } else { "others are" });
        let well = if found.little_disk { "" } else { "Everything works: " };
        return format!("{well}{count} {are} in reach.{}", peer_problem(found));
    }
    let doubtful = peer_problem(found);
    if !doubtful.is_empty() {
        return doubtful.trim_start().to_owned();
    }
    if found.interfaces.iter().all(|interface| interface.addresses.is_empty() || is_loopback(interface)) {
        return "This computer has no network, or --host limits Roomful to this computer. Only nodes on it can \
             connect."
            .to_owned();
    }
    let failing = found.discovery.iter().filter(|row| row.error.is_some()).count();
    if let Some(row) =
        found.discovery.iter().find(|row| row.error.is_some()).filter(|_| failing == found.discovery.len())
    {
        let error = row.error.as_deref().unwrap_or_default();
        return format!("Announcements can’t be sent: {error}. A firewall on this computer may block UDP port {udp}.");
    }
    if found.refused.of(DropReason::BeaconRoom) > 0 {
        return "Only nodes of other rooms are on this network. Check that --room is the same for everyone.".to_owned();
    }
    format!(
        "No other node was found. Either no one else is in this room on this network, or a firewall blocks UDP and \
         TCP port {udp}{}, or the network keeps devices apart, as guest Wi-Fi does. In that case, try --peer ADDRESS \
         on one side.",
        firewall_hint(found)
    )
}

/// All links are in use: names the most crowded addresses, and what to do.
fn crowded(links: &LinkUsage, descriptors: Option<u64>) -> String {
    let from: Vec<_> = links.from.iter().map(|(address, count)| format!("{address} ({count})")).collect();
    let from = if from.is_empty() { String::new() } else { format!(" Most are from {}.", from.join(", ")) };
    let limit = match descriptors.filter(|_| links.most < LINKS_MAX) {
        Some(files) => {
            format!(" If they belong here, raise the limit of open files (ulimit -n), now {files}, and restart.")
        }
        None => String::new(),
    };
    format!(
        "All {} connections are in use, so others may be refused.{from} Members you verified or wrote to keep their \
         connections. If you don’t know these computers, block their addresses in this computer’s firewall.{limit}",
        links.most,
    )
}

/// Names a problem of other nodes that the drop counters show. These nodes may be strangers.
fn peer_problem(found: &Observed<'_>) -> String {
    let count = |cause| found.refused.of(cause) > 0;
    let told = if count(DropReason::WrongKey) {
        "Another node has a different room key, or none. Everyone in this room needs the same key."
    } else if count(DropReason::OwnKey) {
        "This node’s identity is in use on another computer. Give one of them its own data directory."
    } else if count(DropReason::WrongVersion) || count(DropReason::BeaconVersion) {
        "Another node runs an incompatible version. Update the older one."
    } else {
        return String::new();
    };
    format!(" {told}")
}

/// Tells how to open the firewall that runs here.
fn firewall_hint(found: &Observed<'_>) -> String {
    let PortsReport { udp, tcp, .. } = found.ports;
    match found.firewall {
        Some("ufw") => format!(" (to allow it: sudo ufw allow {udp}/udp; sudo ufw allow {tcp}/tcp)"),
        Some("firewalld") => format!(" (to allow it: sudo firewall-cmd --add-port={udp}/udp --add-port={tcp}/tcp)"),
        Some(_) | None => String::new(),
    }
}

fn is_loopback(interface: &InterfaceReport) -> bool {
    interface.addresses.iter().all(|address| address.parse().is_ok_and(|address: IpAddr| address.is_loopback()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(name: &str, address: &str) -> InterfaceReport {
        let addresses = vec![address.to_owned()];
        InterfaceReport { name: name.to_owned(), addresses, sent: 1, heard: 0, refused: 0, last_heard: None }
    }

    /// The diagnosis of findings that differ so from those of a node that is alone.
    fn told(change: impl FnOnce(&mut Observed<'_>)) -> String {
        let interfaces = [interface("eth0", "192.0.2.7"), interface("lo", "127.0.0.1")];
        let mut found = Observed {
            here: Vec::new(),
            interfaces: &interfaces,
            discovery: &[],
            deaf: &[],
            refused: &DropCounters::default(),
            ports: &PortsReport { udp: 7666, tcp: 7667, web: None },
            firewall: None,
            clock_error_ms: None,
            links: &LinkUsage { open: 1, most: 1024, is_full: false, from: Vec::new(), unreceipted: Vec::new() },
            descriptors: Some(256),
            full: Vec::new(),
            little_disk: false,
        };
        change(&mut found);
        diagnose(&found)
    }

    /// Checks that these findings lead to a sentence with these words.
    #[track_caller]
    fn check(change: impl FnOnce(&mut Observed<'_>), words: &[&str]) {
        let told = told(change);
        for word in words {
            assert!(told.contains(word), "{word:?} in {told}");
        }
        assert!(told.ends_with(['.', '?']) && !told.contains("  "), "{told}");
    }

    fn refused(causes: &[DropReason]) -> &'static DropCounters {
        let mut tally = DropCounters::default();
        causes.iter().for_each(|cause| tally.count(*cause));
        Box::leak(Box::new(tally))
    }

    fn deaf(error: &str, answered: bool) -> &'static [HeardNotLinked<'static>] {
        let failure: &DialFailure = Box::leak(Box::new(DialFailure { at_ms: 0, error: error.to_owned(), answered }));
        let one = HeardNotLinked { short: "aaaabbbb".to_owned(), from: [192, 0, 2, 9].into(), failure: Some(failure) };
        Box::leak(Box::new([one]))
    }

    #[test]
    fn answered_dial_blames_no_firewall() {
        let refused = refused(&[DropReason::WrongKey]);
        let told = told(|found| (found.deaf, found.refused) = (deaf("it has a different room key", true), refused));
        assert!(told.contains("a different room key. Another node has") && !told.contains("irewall"), "{told}");
    }

    #[test]
    fn full_links_are_no_firewall() {
        let from = vec![([192, 0, 2, 66].into(), 20), ([192, 0, 2, 67].into(), 7)];
        let crowd = LinkUsage { open: 28, most: 28, is_full: true, from, unreceipted: Vec::new() };
        let more = LinkUsage { most: LINKS_MAX, ..crowd.clone() };
        let deaf = deaf("no answer (timed out)", false);
        let told = told(|found| (found.deaf, found.links) = (deaf, Box::leak(Box::new(crowd))));
        for word in [
            "All 28 connections are in use",
            "Most are from 192.0.2.66 (20), 192.0.2.67 (7).",
            "block their addresses in this computer’s firewall",
            "open files",
            "256",
        ] {
            assert!(told.contains(word), "{word:?} in {told}");
        }
        assert!(!told.contains("TCP port"), "{told}");
        let more = LinkUsage { open: LINKS_MAX, ..more };
        check(|found| found.links = Box::leak(Box::new(more)), &["All 1024 connections", "computer’s firewall."]);
    }

    #[test]
    fn links_that_were_full_hide_no_other_diagnosis() {
        let crowd: &'static LinkUsage = Box::leak(Box::new(LinkUsage {
            open: 0,
            most: 28,
            is_full: true,
            from: Vec::new(),
            unreceipted: Vec::new(),
        }));
        let told = told(|found| found.links = crowd);
        assert!(
            told.starts_with("No other node was found.") && told.contains("All 28 connections were in use"),
            "{told}"
        );
        assert!(!told.contains("Most are from"), "{told}");
        let deaf = deaf("no answer (timed out)", false);
        check(
            |found| (found.deaf, found.links) = (deaf, crowd),
            &["aaaabbbb at 192.0.2.9 announces itself", "were in use"],
        );
        let none = LinkUsage { open: 28, ..crowd.clone() };
        let told = super::crowded(&none, None);
        assert!(!told.contains("Most are from"), "{told}");
    }

    #[test]
    fn each_diagnosis_has_a_sentence() {
        check(|found| found.here = vec!["Ana".to_owned()], &["Everything works", "1 other is in reach"]);
        check(|_| (), &["No other node was found", "7666", "--peer"]);
        check(|found| found.firewall = Some("ufw"), &["sudo ufw allow 7666/udp", "7667/tcp"]);
        check(|found| found.refused = refused(&[DropReason::BeaconRoom]), &["other rooms", "--room"]);
        check(|found| found.refused = refused(&[DropReason::WrongKey]), &["a different room key"]);
        let here = |found: &mut Observed<'_>| found.here = vec!["Ana".to_owned(), "Ben".to_owned()];
        check(
            |found| (here(found), found.refused = refused(&[DropReason::WrongVersion])).1,
            &["2 others", "Update the older"],
        );
        check(|found| (here(found), found.clock_error_ms = Some(90_000)).1, &["90 s behind"]);
        check(|found| (here(found), found.clock_error_ms = Some(-90_000)).1, &["90 s ahead of"]);
        check(
            |found| (here(found), found.full = vec![("Mallory".to_owned(), 256)]).1,
            &["Everything works", "Mallory has reached the storage limit of 256 MiB", "--quota"],
        );
        check(|found| (here(found), found.little_disk = true).1, &["2 others are in reach", "disk", "almost full"]);
        let little = told(|found| (here(found), found.little_disk = true).1);
        assert!(!little.contains("works"), "{little}");
        let unmet = refused(&[DropReason::Unmet]);
        check(|found| (here(found), found.refused = unmet).1, &["Everything works", "never connected to"]);
        let deaf = deaf("no answer (timed out)", false);
        check(|found| found.deaf = deaf, &["aaaabbbb at 192.0.2.9 announces itself", "timed out", "TCP port 7667"]);
        let alone = Box::leak(Box::new([interface("lo", "127.0.0.1")]));
        check(|found| found.interfaces = alone, &["no network"]);
        let target = "192.0.2.255:7666".to_owned();
        let row = DiscoveryTarget {
            interface: "eth0".to_owned(),
            target,
            sent: None,
            error: Some("not permitted".to_owned()),
        };
        let rows = Box::leak(Box::new([row]));
        check(|found| found.discovery = rows, &["Announcements can’t be sent", "not permitted"]);
    }
}
