//! `roomful doctor`: prints the diagnosis of why two nodes do not see each other.

use serde_json::json;

use super::{Error, NodeClient, print};
use crate::api::{self, Doctor, Labels};
use crate::client::members::{all, table};

/// Prints the most likely cause, then all observations; with `json` as one object.
pub async fn doctor(node: &NodeClient, json: bool) -> Result<(), Error> {
    let doctor: Doctor = node.get("/api/v1/doctor").await?;
    if json {
        return print::json(&doctor);
    }
    let members = all(node).await?;
    let about: api::NodeJson = node.get("/api/v1/node").await?;
    text(&doctor, &members, &about).iter().try_for_each(|line| print::line(line))
}

/// Removes the retained copies of the node's database, and prints their names.
pub async fn remove_copies(node: &NodeClient, json: bool) -> Result<(), Error> {
    let answer = node.post("/api/v1/copies/remove", &json!({})).await?;
    let removed: api::RemovedCopies =
        serde_json::from_slice(&answer).map_err(|error| Error::Foreign(error.to_string()))?;
    if json {
        return print::json(&removed);
    }
    removed.removed.iter().try_for_each(|name| print::line(&print::sanitize(name)))
}

fn text(doctor: &Doctor, members: &[api::MemberJson], about: &api::NodeJson) -> Vec<String> {
    let mut lines = vec![print::sanitize(&doctor.likely), String::new()];
    let web = doctor.ports.web.map_or_else(|| "the socket only".to_owned(), |port| port.to_string());
    lines.push(format!(
        "Room {}, announcements on UDP {}, connections on TCP {}, page on {web}",
        print::sanitize(&about.room),
        doctor.ports.udp,
        doctor.ports.tcp
    ));

    let head = ["INTERFACE", "ADDRESSES", "SENT", "HEARD", "LAST HEARD", "REFUSED"].map(str::to_owned);
    let rows = doctor.interfaces.iter().map(|row| {
        let last = row.last_heard.as_deref().map_or_else(|| "never".to_owned(), print::local);
        let addresses = print::sanitize(&row.addresses.join(", "));
        [
            print::sanitize(&row.name),
            addresses,
            row.sent.to_string(),
            row.heard.to_string(),
            last,
            row.refused.to_string(),
        ]
    });
    part(&mut lines, head, rows);

    let head = ["ANNOUNCES ON", "TO", "LAST", "ERROR"].map(str::to_owned);
    let rows = doctor.discovery.iter().map(|row| {
        let sent = row.sent.as_deref().map_or_else(|| "never".to_owned(), print::local);
        let error = row.error.as_deref().unwrap_or("-");
        [print::sanitize(&row.interface), print::sanitize(&row.target), sent, print::sanitize(error)]
    });
    part(&mut lines, head, rows);

    let labels: Labels = members.iter().collect();
    let name = |id: &str| members.iter().find(|member| member.id == id).map_or("", |member| member.name.as_str());
    let head = ["HEARD", "NAME", "KNOWS THIS NODE"].map(str::to_owned);
    let rows = doctor.heard_by.iter().map(|heard| {
        let knows = if heard.of_me { "yes" } else { "no" };
        [api::short(&heard.id), print::sanitize(name(&heard.id)), knows.to_owned()]
    });
    part(&mut lines, head, rows);

    let head = ["NOT CONNECTED", "SINCE", "REASON"].map(str::to_owned);
    let rows = doctor.dials.iter();
    let rows = rows.map(|dial| [print::sanitize(&dial.address), print::local(&dial.at), print::sanitize(&dial.error)]);
    part(&mut lines, head, rows);

    let head = ["REFUSED", "TIMES"].map(str::to_owned);
    part(&mut lines, head, doctor.refused.iter().map(|(cause, count)| [print::sanitize(cause), count.to_string()]));

    let clocks = members.iter().filter(|member| !member.own);
    let label = |id: &str| print::sanitize(&labels.label(id, name(id)));
    let clocks = clocks.filter_map(|member| Some([label(&member.id), format!("{} ms", member.clock_error_ms?)]));
    part(&mut lines, ["CLOCK OF", "AHEAD OF OURS"].map(str::to_owned), clocks);

    lines.push(String::new());
    lines.push(history(&about.history, label));
    lines.extend(about.mended.as_ref().map(|mended| format!("Repaired: {}", print::sanitize(mended))));
    for copy in &about.copies {
        let mebibytes = copy.bytes.div_ceil(1024 * 1024);
        lines.push(format!("Old copy of the history: {} ({mebibytes} MiB)", print::sanitize(&copy.name)));
    }
    if !about.copies.is_empty() {
        lines.push("Copies keep deleted text. `roomful doctor --remove-copies` removes them.".to_owned());
    }
    lines.extend(doctor.firewall.as_ref().map(|firewall| format!("Firewall: {}", print::sanitize(firewall))));
    let from: Vec<_> =
        doctor.links.from.iter().map(|row| format!("{} from {}", row.links, print::sanitize(&row.address))).collect();
    let from = if doctor.links.is_full { format!(": {}", from.join(", ")) } else { String::new() };
    lines.push(format!("Connections: {} of {}{from}", doctor.links.open, doctor.links.most));
    let known = |count: Option<u64>, none: &str| count.map_or_else(|| none.to_owned(), |count| count.to_string());
    let (open, most) = (known(doctor.files.open, "?"), known(doctor.files.most, "any number"));
    lines.push(format!("Open files: {open} of {most}"));
    if let Some(free) = doctor.disk_free {
        lines.push(format!("Free disk space: {} MiB", free / (1024 * 1024)));
    }
    lines
}

/// Returns how complete the history is, and the authors of missing entries.
fn history(held: &api::History, label: impl Fn(&str) -> String) -> String {
    let back = held.oldest.as_deref().map_or_else(String::new, |oldest| format!(" back to {}", print::local(oldest)));
    let whom = held.lacking.iter().map(|author| format!("{} from {}", author.entries, label(&author.id)));
    let whom: Vec<String> = whom.collect();
    let whom = if whom.is_empty() { String::new() } else { format!(": {}", whom.join(", ")) };
    format!("History: {} entries{back}, {} missing{whom}", held.entries, held.missing)
}

/// Appends a table below an empty line, if it has any rows.
fn part<const N: usize>(lines: &mut Vec<String>, head: [String; N], rows: impl Iterator<Item = [String; N]>) {
    let rows: Vec<[String; N]> = std::iter::once(head).chain(rows).collect();
    if rows.len() > 1 {
        lines.push(String::new());
        lines.extend(table(&rows));
    }
}
