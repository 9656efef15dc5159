//! What a node says on standard output: a greeting for people, or two lines for programs.
//!
//! Texts alone, made from what is known once the node is ready; printing them is the node's business, and so is that it goes on when nobody
//! reads.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::config::{PORT, ROOM};
use crate::proto::ids::NodeId;
use crate::proto::limits::WEB_PORT;
use crate::proto::name::Name;

/// Which port of the reader's own machine the forward of the greeting uses. Not the page's own, since a node of theirs may
/// well be there already.
const FORWARD_PORT: u16 = 10_000 + WEB_PORT.0;

/// What the user of a shared machine is told before the links.
const SHARED: &str = "Other people use this machine. The safest way to your page is its socket: \
                      others can take the port while the node is stopped, but not the socket. Each start has a new \
                      link.";

/// A node that can be seen and spoken to.
#[derive(Clone, Debug)]
pub struct Ready {
    /// Who it is.
    pub id: NodeId,
    /// How it is called.
    pub name: Name,
    /// Its room.
    pub room: Name,
    /// Where its data lives, absolute.
    pub data_dir: PathBuf,
    /// Whether commands look there without being told.
    pub is_usual_dir: bool,
    /// The Unix socket of its page, absolute.
    pub socket: PathBuf,
    /// The host of every link to its page.
    pub host: String,
    /// True if other people work on this machine.
    pub is_shared: bool,
    /// The address of its page without the token, `http://HOST:PORT/`; none: only the socket.
    pub web: Option<String>,
    /// 64 hex digits that open the page.
    pub token: String,
    /// Every address that others can dial: IPv4 first, loopback last.
    pub tcp: Vec<String>,
    /// The port of its beacons.
    pub udp: u16,
    /// What its user has to know before anything else, as a sentence without its full stop.
    pub news: Option<String>,
    /// How its user got here, if over SSH.
    pub ssh: Option<Ssh>,
}

/// The other end of the user's SSH connection, as seen from there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ssh {
    user: String,
    host: String,
    port: u16,
}

impl Ssh {
    /// Reads the variable `SSH_CONNECTION`: address and port of the client, then of the server.
    pub fn from_connection(connection: &str, user: &str) -> Option<Self> {
        let mut fields = connection.split_whitespace().skip(2);
        let host: &str = fields.next()?;
        host.split('%').next()?.parse::<IpAddr>().ok()?;
        Some(Self { user: user.to_owned(), host: host.to_owned(), port: fields.next()?.parse().ok()? })
    }

    /// The command that brings `socket` to `port` of the machine at the other end.
    fn forward(&self, port: u16, socket: &Path) -> String {
        let door = if self.port == 22 { String::new() } else { format!("-p {} ", self.port) };
        let place = quote(&format!("{port}:{}", socket.display()));
        format!("ssh -L {place} {door}{}", quote(&format!("{}@{}", self.user, self.host)))
    }
}

#[derive(Serialize)]
struct ReadyLine<'a> {
    event: &'static str,
    id: String,
    name: &'a str,
    room: &'a str,
    data_dir: &'a Path,
    socket: &'a Path,
    web: Option<String>,
    tcp: &'a [String],
    udp: u16,
}

impl Ready {
    /// The first line for programs, without a newline.
    pub fn json(&self) -> String {
        let line = ReadyLine {
            event: "ready",
            id: self.id.to_string(),
            name: self.name.as_str(),
            room: self.room.as_str(),
            data_dir: &self.data_dir,
            socket: &self.socket,
            web: self.web.as_deref().map(|web| self.link(web)),
            tcp: &self.tcp,
            udp: self.udp,
        };
        serde_json::to_string(&line)
            .expect("a data directory with another path is refused, and run.json said the socket before")
    }

    fn link(&self, web: &str) -> String {
        format!("{}/#token={}", web.trim_end_matches('/'), self.token)
    }
}

/// The last line for programs, without a newline.
pub fn stopped_json() -> &'static str {
    r#"{"event":"stopped"}"#
}

/// The greeting for people: where the page is, who and where this node is, what to do. Ends with a newline.
pub fn greeting(ready: &Ready) -> String {
    let mut lines = vec![format!("You are {} ({}) in the room {}.", ready.name, ready.id.short(), ready.room)];
    lines.extend(ready.news.as_ref().map(|news| format!("Beware: {news}.")));
    if ready.is_shared {
        lines.push(SHARED.to_owned());
    }
    let there = format!("and open there:  {}", ready.link(&format!("http://{}:{FORWARD_PORT}", ready.host)));
    let forward = quote(&format!("{FORWARD_PORT}:{}", ready.socket.display()));
    match (&ready.ssh, &ready.web) {
        (Some(ssh), _) => {
            lines.push(format!("On the machine in front of you run:  {}", ssh.forward(FORWARD_PORT, &ready.socket)));
            lines.push(there);
        }
        (None, Some(web)) if ready.is_shared => {
            lines.push(format!("From your own machine run:  ssh -L {forward} USER@HOST"));
            lines.push(there);
            lines.push(format!("If you sit at this machine, open:  {}", ready.link(web)));
        }
        (None, Some(web)) => lines.push(format!("Open your page:  {}", ready.link(web))),
        (None, None) => {
            lines.push(format!("The page is on a socket only. From your own machine run:  ssh -L {forward} USER@HOST"));
            lines.push(there);
        }
    }
    let others = if ready.tcp.is_empty() { "nobody, there is no network".to_owned() } else { ready.tcp.join(", ") };
    lines.push(format!("Others on this network who run `roomful` meet you by themselves, at {others}."));
    if ready.ssh.is_none() && ready.web.is_some() {
        lines.push(format!("To try it alone, in a second terminal:  {}", another(ready)));
    }
    let again = if ready.is_usual_dir {
        "roomful url".to_owned()
    } else {
        format!("roomful url --data-dir {}", quote(&ready.data_dir.to_string_lossy()))
    };
    lines.push(format!("Ctrl-C stops the node; `{again}` prints the link again, `roomful --help` tells the rest."));
    lines.push(String::new());
    lines.join("\n")
}

/// The command that starts a second node on this machine, in the same room.
fn another(ready: &Ready) -> String {
    let mut command = "roomful --ephemeral --host 127.0.0.2".to_owned();
    if ready.room.as_str() != ROOM {
        command += &format!(" --room {}", quote(ready.room.as_str()));
    }
    if ready.udp != PORT {
        command += &format!(" --port {}", ready.udp);
    }
    command
}

/// `text` as one word for a shell.
fn quote(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/:._-@%+=,".contains(c);
    if text.chars().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready() -> Ready {
        Ready {
            id: NodeId([0; 32]),
            name: Name::new("Ana").unwrap(),
            room: Name::new("lobby").unwrap(),
            data_dir: "/home/ana/.local/share/roomful".into(),
            is_usual_dir: true,
            socket: "/home/ana/.local/share/roomful/page.sock".into(),
            host: "127.0.0.1".to_owned(),
            is_shared: false,
            web: Some("http://127.0.0.1:7680/".to_owned()),
            token: "ab".repeat(32),
            tcp: vec!["192.0.2.7:7666".to_owned(), "127.0.0.1:7666".to_owned()],
            udp: 7666,
            news: None,
            ssh: None,
        }
    }

    #[test]
    fn the_line_for_programs_is_that_of_the_contract() {
        let expected = format!(
            r#"{{"event":"ready","id":"{}","name":"Ana","room":"lobby","data_dir":"/home/ana/.local/share/roomful","socket":"/home/ana/.local/share/roomful/page.sock","web":"http://127.0.0.1:7680/#token={}","tcp":["192.0.2.7:7666","127.0.0.1:7666"],"udp":7666}}"#,
            "0".repeat(64),
            "ab".repeat(32),
        );
        assert_eq!(ready().json(), expected);
        let without_web = Ready { web: None, ..ready() }.json();
        assert!(without_web.contains(r#""web":null"#) && !without_web.contains("abab"));
        assert_eq!(stopped_json(), r#"{"event":"stopped"}"#);
    }

    #[test]
    fn people_are_told_in_five_lines() {
        let ssh = Ssh::from_connection("192.0.2.9 50000 192.0.2.7 22", "ana");
        for ready in [ready(), Ready { web: None, ..ready() }, Ready { ssh, ..ready() }] {
            let text = greeting(&ready);
            assert_eq!(text.lines().count(), 5, "{text}");
            assert!(text.contains("#token=abab") && text.contains("192.0.2.7:7666") && text.ends_with('\n'), "{text}");
        }
        assert!(greeting(&ready()).contains("  http://127.0.0.1:7680/#token=abab"));
    }

    #[test]
    fn what_one_has_to_know_comes_before_the_link() {
        let text = greeting(&Ready { news: Some("the old link is worthless now".to_owned()), ..ready() });
        let line = |words: &str| text.lines().position(|line| line.contains(words)).expect("a line");
        assert!(line("Beware: the old link is worthless now.") < line("#token="), "{text}");
        assert_eq!(text.lines().count(), 6, "{text}");
    }

    #[test]
    fn shared_machines_are_told_the_socket_first() {
        const HOST: &str = "0123456789abcdef.localhost";
        let shared =
            Ready { is_shared: true, host: HOST.to_owned(), web: Some(format!("http://{HOST}:7680/")), ..ready() };
        let text = greeting(&shared);
        let line = |words: &str| text.lines().position(|line| line.contains(words)).expect("a line");
        let socket = "ssh -L 17680:/home/ana/.local/share/roomful/page.sock USER@HOST";
        assert!(line("Other people use this machine.") < line(socket), "{text}");
        assert_eq!(line(socket) + 1, line(&format!("http://{HOST}:17680/#token=abab")), "{text}");
        assert!(line(socket) < line(&format!("http://{HOST}:7680/#token=abab")), "{text}");

        let ssh = Ssh::from_connection("192.0.2.9 50000 192.0.2.7 22", "ana");
        for ready in [Ready { ssh, ..shared.clone() }, Ready { web: None, ..shared }] {
            let text = greeting(&ready);
            assert!(text.contains("Other people") && text.contains(&format!("http://{HOST}:17680/#token=")), "{text}");
            assert!(!text.contains("127.0.0.1:17680"), "{text}");
        }
    }

    #[test]
    fn the_commands_it_tells_are_those_that_work_for_this_node() {
        let text = greeting(&ready());
        assert!(
            text.contains("`roomful url` prints") && text.contains(":  roomful --ephemeral --host 127.0.0.2\n"),
            "{text}"
        );
        let room = Name::new("ground floor").unwrap();
        let text = greeting(&Ready { is_usual_dir: false, data_dir: "/tmp/a b".into(), room, udp: 9000, ..ready() });
        assert!(text.contains("`roomful url --data-dir '/tmp/a b'` prints"), "{text}");
        assert!(text.contains("--host 127.0.0.2 --room 'ground floor' --port 9000\n"), "{text}");
    }

    #[test]
    fn over_ssh_the_exact_command_is_told() {
        let ssh = |connection| Ready { ssh: Ssh::from_connection(connection, "ana"), ..ready() };
        let text = greeting(&ssh("192.0.2.9 50000 192.0.2.7 22"));
        assert!(text.contains("  ssh -L 17680:/home/ana/.local/share/roomful/page.sock ana@192.0.2.7\n"), "{text}");
        assert!(text.contains("  http://127.0.0.1:17680/#token=abab"), "{text}");
        let text = greeting(&ssh("fe80::2%eth0 50000 fe80::1%eth0 2222"));
        assert!(text.contains("page.sock -p 2222 ana@fe80::1%eth0\n"), "{text}");

        let spaced = Ready { socket: "/data of ana/page.sock".into(), ..ssh("192.0.2.9 5 192.0.2.7 22") };
        assert!(greeting(&spaced).contains("-L '17680:/data of ana/page.sock' ana@"));
        for broken in ["", "192.0.2.9 5", "192.0.2.9 5 box 22", "a b 192.0.2.7 x"] {
            assert_eq!(Ssh::from_connection(broken, "ana"), None);
        }
    }
}
