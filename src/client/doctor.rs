//! `roomful doctor`: why two nodes don't see each other, for people in a page of text.

use super::{Error, Node, print};
use crate::api::{self, Doctor, Labels};
use crate::client::members::{all, table};

/// Prints what is most likely the matter, then everything that was looked at; with `json` as one object.
pub async fn doctor(node: &Node, json: bool) -> Result<(), Error> {
    let doctor: Doctor = node.get("/api/v1/doctor").await?;
    if json {
        return print::json(&doctor);
    }
    let members = all(node).await?;
    let about: api::Node = node.get("/api/v1/node").await?;
    text(&doctor, &members, &about).iter().try_for_each(|line| print::line(line))
}

fn text(doctor: &Doctor, members: &[api::Member], about: &api::Node) -> Vec<String> {
    let mut lines = vec![print::harmless(&doctor.likely), String::new()];
    let web = doctor.ports.web.map_or_else(|| "none, only the socket".to_owned(), |port| port.to_string());
    lines.push(format!(
        "Room {}, beacons on UDP {}, links on TCP {}, page on {web}",
        print::harmless(&about.room),
        doctor.ports.udp,
        doctor.ports.tcp
    ));

    let head = ["INTERFACE", "ADDRESSES", "SENT", "HEARD", "LAST HEARD", "REFUSED"].map(str::to_owned);
    let rows = doctor.interfaces.iter().map(|row| {
        let last = row.last_heard.as_deref().map_or_else(|| "never".to_owned(), print::local);
        let addresses = print::harmless(&row.addresses.join(", "));
        [
            print::harmless(&row.name),
            addresses,
            row.sent.to_string(),
            row.heard.to_string(),
            last,
            row.refused.to_string(),
        ]
    });
    part(&mut lines, head, rows);

    let head = ["CALLS ON", "AT", "LAST", "WENT WRONG"].map(str::to_owned);
    let rows = doctor.discovery.iter().map(|row| {
        let sent = row.sent.as_deref().map_or_else(|| "never".to_owned(), print::local);
        let error = row.error.as_deref().unwrap_or("-");
        [print::harmless(&row.interface), print::harmless(&row.target), sent, print::harmless(error)]
    });
    part(&mut lines, head, rows);

    let labels: Labels = members.iter().collect();
    let name = |id: &str| members.iter().find(|member| member.id == id).map_or("", |member| member.name.as_str());
    let head = ["HEARD", "NAME", "KNOWS OF THIS NODE"].map(str::to_owned);
    let rows = doctor.heard_by.iter().map(|heard| {
        let knows = if heard.of_me { "yes" } else { "no" };
        [api::short(&heard.id), print::harmless(name(&heard.id)), knows.to_owned()]
    });
    part(&mut lines, head, rows);

    let head = ["NOT REACHED", "SINCE", "WHY"].map(str::to_owned);
    let rows = doctor.dials.iter();
    let rows = rows.map(|dial| [print::harmless(&dial.address), print::local(&dial.at), print::harmless(&dial.error)]);
    part(&mut lines, head, rows);

    let head = ["REFUSED", "TIMES"].map(str::to_owned);
    part(&mut lines, head, doctor.refused.iter().map(|(cause, count)| [print::harmless(cause), count.to_string()]));

    let clocks = members.iter().filter(|member| !member.own);
    let label = |id: &str| print::harmless(&labels.label(id, name(id)));
    let clocks = clocks.filter_map(|member| Some([label(&member.id), format!("{} ms", member.clock_error_ms?)]));
    part(&mut lines, ["CLOCK OF", "AHEAD OF OURS"].map(str::to_owned), clocks);

    lines.push(String::new());
    lines.push(history(&about.history, label));
    lines.extend(about.mended.as_ref().map(|mended| format!("Repaired: {}", print::harmless(mended))));
    lines.extend(doctor.firewall.as_ref().map(|firewall| format!("Firewall here: {}", print::harmless(firewall))));
    let from: Vec<_> =
        doctor.links.from.iter().map(|row| format!("{} from {}", row.links, print::harmless(&row.address))).collect();
    let from = if doctor.links.is_full { format!(": {}", from.join(", ")) } else { String::new() };
    lines.push(format!("Links: {} of {}{from}", doctor.links.open, doctor.links.most));
    let known = |count: Option<u64>, none: &str| count.map_or_else(|| none.to_owned(), |count| count.to_string());
    let (open, most) = (known(doctor.files.open, "?"), known(doctor.files.most, "any number"));
    lines.push(format!("Files open: {open} of {most}"));
    if let Some(free) = doctor.disk_free {
        lines.push(format!("Free on the disk with the data: {} MiB", free / (1024 * 1024)));
    }
    lines
}

/// How far the history is complete, as far as the node knows, and of whom something is missing.
fn history(held: &api::History, label: impl Fn(&str) -> String) -> String {
    let back = held.oldest.as_deref().map_or_else(String::new, |oldest| format!(" back to {}", print::local(oldest)));
    let whom = held.lacking.iter().map(|author| format!("{} of {}", author.entries, label(&author.id)));
    let whom: Vec<String> = whom.collect();
    let whom = if whom.is_empty() { String::new() } else { format!(": {}", whom.join(", ")) };
    format!("History: {} entries{back}, {} missing{whom}", held.entries, held.missing)
}

/// A table under an empty line, if it has any rows.
fn part<const N: usize>(lines: &mut Vec<String>, head: [String; N], rows: impl Iterator<Item = [String; N]>) {
    let rows: Vec<[String; N]> = std::iter::once(head).chain(rows).collect();
    if rows.len() > 1 {
        lines.push(String::new());
        lines.extend(table(&rows));
    }
}
