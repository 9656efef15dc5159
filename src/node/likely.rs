//! What most likely is the matter, in a sentence or two: the first of a list of causes that the findings fit, from what is
//! certain to what is only usual.

use std::net::IpAddr;

use super::doctor::Failure;
use crate::api::Discovery;
use crate::api::doctor::{Interface, Ports};
use crate::proto::engine::Crowd;
use crate::proto::limits::{CLOCK_AHEAD_MS_MAX, LINKS_MAX};
use crate::proto::refusal::{Cause, Tally};

/// Somebody whose beacons come in, and with whom there is no link.
#[derive(Debug)]
pub(super) struct OneSided<'a> {
    pub(super) short: String,
    pub(super) from: IpAddr,
    /// How the last dial there failed, if it did.
    pub(super) failure: Option<&'a Failure>,
}

/// What was found.
pub(super) struct Findings<'a> {
    /// The names of those in reach.
    pub(super) here: Vec<String>,
    pub(super) interfaces: &'a [Interface],
    pub(super) discovery: &'a [Discovery],
    pub(super) deaf: &'a [OneSided<'a>],
    pub(super) refused: &'a Tally,
    pub(super) ports: &'a Ports,
    pub(super) firewall: Option<&'static str>,
    pub(super) clock_error_ms: Option<i64>,
    pub(super) links: &'a Crowd,
    /// The limit of file descriptors, on which the number of links depends.
    pub(super) descriptors: Option<u64>,
    /// Whose history is full: name, and how many MiB it takes.
    pub(super) full: Vec<(String, u64)>,
    /// Whether the rest of the disk is kept for this node's own user.
    pub(super) little_disk: bool,
}

/// The sentence.
pub(super) fn likely(found: &Findings<'_>) -> String {
    let mut told = reach(found);
    let links = found.links;
    if links.is_full && links.open < links.most {
        told += &format!(
            " All {} links of this node were in use within the last minute, so others may have been refused.",
            links.most
        );
    }
    if found.little_disk {
        told += " The disk with the data is almost full: nothing of others is taken until there is room.";
    }
    if found.refused.of(Cause::Unmet) > 0 {
        told += " Somebody passes on what very many have written whom this node never met: no more of such is taken.";
    }
    if let Some((name, mib)) = found.full.first() {
        told += &format!(" {name} has written {mib} MiB, all that is kept here of one member: --quota sets how much.");
    }
    if let Some(error_ms) = found.clock_error_ms.filter(|error_ms| error_ms.unsigned_abs() > CLOCK_AHEAD_MS_MAX) {
        let (seconds, side) = (error_ms.unsigned_abs() / 1_000, if error_ms > 0 { "behind" } else { "ahead of" });
        told +=
            &format!(" The clock of this machine is {seconds} s {side} those of the others: set one of them right.");
    }
    told
}

fn reach(found: &Findings<'_>) -> String {
    let Ports { udp, tcp, .. } = found.ports;
    if found.links.open >= found.links.most {
        return crowded(found.links, found.descriptors);
    }
    if let Some(one) = found.deaf.first() {
        let why = match one.failure {
            Some(failure) => format!("the dial there failed: {}", failure.error),
            None => "no link has come up yet".to_owned(),
        };
        let then = match one.failure {
            Some(Failure { answered: true, .. }) => doubtful(found),
            Some(_) | None => {
                format!(" A firewall may keep TCP port {tcp} out on one side or the other{}.", opening(found))
            }
        };
        return format!("{} at {} is heard, but {why}.{then}", one.short, one.from);
    }
    if !found.here.is_empty() {
        let (count, are) = (found.here.len(), if found.here.len() == 1 { "other is" } else { "others are" });
        let well = if found.little_disk { "" } else { "All is well: " };
        return format!("{well}{count} {are} in reach.{}", doubtful(found));
    }
    let doubtful = doubtful(found);
    if !doubtful.is_empty() {
        return doubtful.trim_start().to_owned();
    }
    if found.interfaces.iter().all(|interface| interface.addresses.is_empty() || is_loopback(interface)) {
        return "This machine has no network at the moment, or --host keeps to this machine: only nodes on it can be met.".to_owned();
    }
    let failing = found.discovery.iter().filter(|row| row.error.is_some()).count();
    if let Some(row) =
        found.discovery.iter().find(|row| row.error.is_some()).filter(|_| failing == found.discovery.len())
    {
        let error = row.error.as_deref().unwrap_or_default();
        return format!("No beacon leaves this machine: {error}. A firewall here may keep UDP port {udp} in.");
    }
    if found.refused.of(Cause::BeaconRoom) > 0 {
        return "Nodes of another room are heard, none of this one: is --room the same for all?".to_owned();
    }
    format!(
        "Nobody is heard. Nobody else runs in this room on this network; or a firewall keeps out UDP and TCP port {udp}{}; or the \
         network keeps its devices apart, as guest Wi-Fi does: then --peer ADDRESS on one side helps, if anything can.",
        opening(found)
    )
}

/// All links are in use: by whom, and what to do.
fn crowded(links: &Crowd, descriptors: Option<u64>) -> String {
    let from: Vec<_> = links.from.iter().map(|(address, count)| format!("{address} ({count})")).collect();
    let from = if from.is_empty() { String::new() } else { format!(" Most are from {}.", from.join(", ")) };
    let limit = match descriptors.filter(|_| links.most < LINKS_MAX) {
        Some(files) => format!(
            " If they belong here, raise the limit of open files (ulimit -n), which is {files}, and start again."
        ),
        None => String::new(),
    };
    format!(
        "All {} links of this node are in use, so others may be refused.{from} Members that you verified or wrote to keep their \
         links. If you don't know these machines, block their addresses in the firewall of this machine.{limit}",
        links.most,
    )
}

/// What speaks against somebody else, though perhaps against nobody who belongs here.
fn doubtful(found: &Findings<'_>) -> String {
    let count = |cause| found.refused.of(cause) > 0;
    let told = if count(Cause::WrongKey) {
        "Somebody has another room key, or one of you has none: whoever belongs to this room needs the same."
    } else if count(Cause::OwnKey) {
        "The key of this node is in use on another machine: give one of them a data directory of its own."
    } else if count(Cause::WrongVersion) || count(Cause::BeaconVersion) {
        "Somebody runs a version that this one does not understand: update the older one."
    } else {
        return String::new();
    };
    format!(" {told}")
}

/// How to open the firewall that runs here.
fn opening(found: &Findings<'_>) -> String {
    let Ports { udp, tcp, .. } = found.ports;
    match found.firewall {
        Some("ufw") => format!(" (here: sudo ufw allow {udp}/udp; sudo ufw allow {tcp}/tcp)"),
        Some("firewalld") => format!(" (here: sudo firewall-cmd --add-port={udp}/udp --add-port={tcp}/tcp)"),
        Some(_) | None => String::new(),
    }
}

fn is_loopback(interface: &Interface) -> bool {
    interface.addresses.iter().all(|address| address.parse().is_ok_and(|address: IpAddr| address.is_loopback()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(name: &str, address: &str) -> Interface {
        let addresses = vec![address.to_owned()];
        Interface { name: name.to_owned(), addresses, sent: 1, heard: 0, refused: 0, last_heard: None }
    }

    /// What is told of findings that differ so from those of a node that is alone.
    fn told(change: impl FnOnce(&mut Findings<'_>)) -> String {
        let interfaces = [interface("eth0", "192.0.2.7"), interface("lo", "127.0.0.1")];
        let mut found = Findings {
            here: Vec::new(),
            interfaces: &interfaces,
            discovery: &[],
            deaf: &[],
            refused: &Tally::default(),
            ports: &Ports { udp: 7666, tcp: 7667, web: None },
            firewall: None,
            clock_error_ms: None,
            links: &Crowd { open: 1, most: 1024, is_full: false, from: Vec::new() },
            descriptors: Some(256),
            full: Vec::new(),
            little_disk: false,
        };
        change(&mut found);
        likely(&found)
    }

    /// That these findings lead to a sentence with these words.
    #[track_caller]
    fn check(change: impl FnOnce(&mut Findings<'_>), words: &[&str]) {
        let told = told(change);
        for word in words {
            assert!(told.contains(word), "{word:?} in {told}");
        }
        assert!(told.ends_with(['.', '?']) && !told.contains("  "), "{told}");
    }

    fn refused(causes: &[Cause]) -> &'static Tally {
        let mut tally = Tally::default();
        causes.iter().for_each(|cause| tally.count(*cause));
        Box::leak(Box::new(tally))
    }

    fn deaf(error: &str, answered: bool) -> &'static [OneSided<'static>] {
        let failure: &Failure = Box::leak(Box::new(Failure { at_ms: 0, error: error.to_owned(), answered }));
        let one = OneSided { short: "aaaabbbb".to_owned(), from: [192, 0, 2, 9].into(), failure: Some(failure) };
        Box::leak(Box::new([one]))
    }

    #[test]
    fn no_firewall_is_blamed_for_what_somebody_answered() {
        let refused = refused(&[Cause::WrongKey]);
        let told = told(|found| (found.deaf, found.refused) = (deaf("it has another room key", true), refused));
        assert!(told.contains("another room key. Somebody has") && !told.contains("irewall"), "{told}");
    }

    #[test]
    fn full_links_are_no_firewall() {
        let from = vec![([192, 0, 2, 66].into(), 20), ([192, 0, 2, 67].into(), 7)];
        let crowd = Crowd { open: 28, most: 28, is_full: true, from };
        let more = Crowd { most: LINKS_MAX, ..crowd.clone() };
        let deaf = deaf("nobody answers there (timed out)", false);
        let told = told(|found| (found.deaf, found.links) = (deaf, Box::leak(Box::new(crowd))));
        for word in [
            "All 28 links of this node are in use",
            "Most are from 192.0.2.66 (20), 192.0.2.67 (7).",
            "block their addresses in the firewall of this machine",
            "open files",
            "256",
        ] {
            assert!(told.contains(word), "{word:?} in {told}");
        }
        assert!(!told.contains("TCP port"), "{told}");
        let more = Crowd { open: LINKS_MAX, ..more };
        check(|found| found.links = Box::leak(Box::new(more)), &["All 1024 links", "firewall of this machine."]);
    }

    #[test]
    fn links_that_were_full_hide_no_other_diagnosis() {
        let crowd: &'static Crowd = Box::leak(Box::new(Crowd { open: 0, most: 28, is_full: true, from: Vec::new() }));
        let told = told(|found| found.links = crowd);
        assert!(
            told.starts_with("Nobody is heard.") && told.contains("All 28 links of this node were in use"),
            "{told}"
        );
        assert!(!told.contains("Most are from"), "{told}");
        let deaf = deaf("nobody answers there (timed out)", false);
        check(|found| (found.deaf, found.links) = (deaf, crowd), &["aaaabbbb at 192.0.2.9 is heard", "were in use"]);
        let none = Crowd { open: 28, ..crowd.clone() };
        let told = super::crowded(&none, None);
        assert!(!told.contains("Most are from"), "{told}");
    }

    #[test]
    fn each_finding_has_its_sentence() {
        check(|found| found.here = vec!["Ana".to_owned()], &["All is well", "1 other is in reach"]);
        check(|_| (), &["Nobody is heard", "7666", "--peer"]);
        check(|found| found.firewall = Some("ufw"), &["sudo ufw allow 7666/udp", "7667/tcp"]);
        check(|found| found.refused = refused(&[Cause::BeaconRoom]), &["another room", "--room"]);
        check(|found| found.refused = refused(&[Cause::WrongKey]), &["another room key"]);
        let here = |found: &mut Findings<'_>| found.here = vec!["Ana".to_owned(), "Ben".to_owned()];
        check(
            |found| (here(found), found.refused = refused(&[Cause::WrongVersion])).1,
            &["2 others", "update the older"],
        );
        check(|found| (here(found), found.clock_error_ms = Some(90_000)).1, &["90 s behind"]);
        check(|found| (here(found), found.clock_error_ms = Some(-90_000)).1, &["90 s ahead of"]);
        check(
            |found| (here(found), found.full = vec![("Mallory".to_owned(), 256)]).1,
            &["All is well", "Mallory has written 256 MiB", "--quota"],
        );
        check(|found| (here(found), found.little_disk = true).1, &["2 others are in reach", "disk", "almost full"]);
        let little = told(|found| (here(found), found.little_disk = true).1);
        assert!(!little.contains("well"), "{little}");
        let unmet = refused(&[Cause::Unmet]);
        check(|found| (here(found), found.refused = unmet).1, &["All is well", "never met"]);
        let deaf = deaf("nobody answers there (timed out)", false);
        check(|found| found.deaf = deaf, &["aaaabbbb at 192.0.2.9 is heard", "timed out", "TCP port 7667"]);
        let alone = Box::leak(Box::new([interface("lo", "127.0.0.1")]));
        check(|found| found.interfaces = alone, &["no network"]);
        let target = "192.0.2.255:7666".to_owned();
        let row =
            Discovery { interface: "eth0".to_owned(), target, sent: None, error: Some("not permitted".to_owned()) };
        let rows = Box::leak(Box::new([row]));
        check(|found| found.discovery = rows, &["No beacon leaves", "not permitted"]);
    }
}
