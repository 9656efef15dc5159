//! What a node prints on standard output at its start: a greeting for people, or a line of JSON for
//! programs.
//!
//! This module only builds the texts. The node prints them.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::config::{PORT, ROOM};
use crate::proto::ids::NodeId;
use crate::proto::limits::WEB_PORTS;
use crate::proto::names::name::Name;
use crate::start_command::quote;

/// The local port of the SSH forward in the greeting. Not the page's own port, which a node on the
/// user's computer may already use.
const FORWARD_PORT: u16 = 10_000 + *WEB_PORTS.start();

/// Shown before the links on a shared machine.
const SHARED: &str = "Other people use this computer. The safest way to your page is its socket: while the node is \
     stopped, others can take over the port, but not the socket. Each start has a new sign-in link.";

/// What the greeting says about a node that is ready.
#[derive(Clone, Debug)]
pub struct Banner {
    /// The node's id.
    pub id: NodeId,
    /// The user's name.
    pub name: Name,
    /// The room.
    pub room: Name,
    /// The data directory, as an absolute path.
    pub data_dir: PathBuf,
    /// True if it is the default data directory, where commands look without `--data-dir`.
    pub is_usual_dir: bool,
    /// The page's Unix socket, as an absolute path.
    pub socket: PathBuf,
    /// The host name in links to the page.
    pub host: String,
    /// True if other people use this machine.
    pub is_shared: bool,
    /// The page's address without the token, `http://HOST:PORT/`. `None`: socket only.
    pub web: Option<String>,
    /// The page's token: 64 hex digits.
    pub token: String,
    /// Every address that other nodes can dial: IPv4 first, loopback last.
    pub tcp: Vec<String>,
    /// The UDP port of beacons.
    pub udp: u16,
    /// A warning to show first, as a sentence without its full stop.
    pub news: Option<String>,
    /// The user's SSH connection, if there is one.
    pub ssh: Option<Ssh>,
}

/// The server side of the user's SSH connection, as the client knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ssh {
    user: String,
    host: String,
    port: u16,
}

impl Ssh {
    /// Parses the variable `SSH_CONNECTION`: address and port of the client, then of the server.
    pub fn from_connection(connection: &str, user: &str) -> Option<Self> {
        let mut fields = connection.split_whitespace().skip(2);
        let host: &str = fields.next()?;
        host.split('%').next()?.parse::<IpAddr>().ok()?;
        Some(Self { user: user.to_owned(), host: host.to_owned(), port: fields.next()?.parse().ok()? })
    }

    /// The command that forwards `port` on the client to `socket`.
    fn forward(&self, port: u16, socket: &Path) -> String {
        let port_option = if self.port == 22 { String::new() } else { format!("-p {} ", self.port) };
        let mapping = quote(&format!("{port}:{}", socket.display()));
        format!("ssh -L {mapping} {port_option}{}", quote(&format!("{}@{}", self.user, self.host)))
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

impl Banner {
    /// The `ready` line for programs, without a newline.
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

/// The `stopped` line for programs, without a newline.
pub fn stopped_json() -> &'static str {
    r#"{"event":"stopped"}"#
}

/// The greeting for people: sign-in link, addresses, and the next steps. Ends with a newline.
pub fn greeting(ready: &Banner) -> String {
    let mut lines = vec![format!("You are {} ({}) in the room {}.", ready.name, ready.id.short(), ready.room)];
    lines.extend(ready.news.as_ref().map(|news| format!("Warning: {news}.")));
    if ready.is_shared {
        lines.push(SHARED.to_owned());
    }
    let open_link = format!("and open there:  {}", ready.link(&format!("http://{}:{FORWARD_PORT}", ready.host)));
    let forward = quote(&format!("{FORWARD_PORT}:{}", ready.socket.display()));
    match (&ready.ssh, &ready.web) {
        (Some(ssh), _) => {
            lines.push(format!("On the computer in front of you run:  {}", ssh.forward(FORWARD_PORT, &ready.socket)));
            lines.push(open_link);
        }
        (None, Some(web)) if ready.is_shared => {
            lines.push(format!("On your own computer run:  ssh -L {forward} USER@HOST"));
            lines.push(open_link);
            lines.push(format!("Or, on this computer, open:  {}", ready.link(web)));
        }
        (None, Some(web)) => lines.push(format!("Open your page:  {}", ready.link(web))),
        (None, None) => {
            lines.push(format!("The page is on a socket only. On your own computer run:  ssh -L {forward} USER@HOST"));
            lines.push(open_link);
        }
    }
    let others =
        if ready.tcp.is_empty() { "no address, since there is no network".to_owned() } else { ready.tcp.join(", ") };
    lines.push(format!("Others on this network who run `roomful` connect to you automatically, at {others}."));
    if ready.ssh.is_none() && ready.web.is_some() {
        lines.push(format!("To try it on your own, run in a second terminal:  {}", second_node_command(ready)));
    }
    let again = if ready.is_usual_dir {
        "roomful url".to_owned()
    } else {
        format!("roomful url --data-dir {}", quote(&ready.data_dir.to_string_lossy()))
    };
    lines.push(format!(
        "Press Ctrl-C to stop. `{again}` prints the sign-in link again; `roomful --help` explains \
         the rest."
    ));
    lines.push(String::new());
    lines.join("\n")
}

/// The command that starts a second node on this machine, in the same room.
fn second_node_command(ready: &Banner) -> String {
    let mut command = "roomful --ephemeral --host 127.0.0.2".to_owned();
    if ready.room.as_str() != ROOM {
        command += &format!(" --room {}", quote(ready.room.as_str()));
    }
    if ready.udp != PORT {
        command += &format!(" --port {}", ready.udp);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready() -> Banner {
        Banner {
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
    fn ready_line_matches_the_contract() {
        let expected = format!(
            r#"{{"event":"ready","id":"{}","name":"Ana","room":"lobby","data_dir":"/home/ana/.local/share/roomful","socket":"/home/ana/.local/share/roomful/page.sock","web":"http://127.0.0.1:7680/#token={}","tcp":["192.0.2.7:7666","127.0.0.1:7666"],"udp":7666}}"#,
            "0".repeat(64),
            "ab".repeat(32),
        );
        assert_eq!(ready().json(), expected);
        let without_web = Banner { web: None, ..ready() }.json();
        assert!(without_web.contains(r#""web":null"#) && !without_web.contains("abab"));
        assert_eq!(stopped_json(), r#"{"event":"stopped"}"#);
    }

    #[test]
    fn greeting_has_five_lines() {
        let ssh = Ssh::from_connection("192.0.2.9 50000 192.0.2.7 22", "ana");
        for ready in [ready(), Banner { web: None, ..ready() }, Banner { ssh, ..ready() }] {
            let text = greeting(&ready);
            assert_eq!(text.lines().count(), 5, "{text}");
            assert!(text.contains("#token=abab") && text.contains("192.0.2.7:7666") && text.ends_with('\n'), "{text}");
        }
        assert!(greeting(&ready()).contains("  http://127.0.0.1:7680/#token=abab"));
    }

    #[test]
    fn warning_precedes_the_link() {
        let text = greeting(&Banner { news: Some("the old sign-in link has expired".to_owned()), ..ready() });
        let line = |words: &str| text.lines().position(|line| line.contains(words)).expect("a line");
        assert!(line("Warning: the old sign-in link has expired.") < line("#token="), "{text}");
        assert_eq!(text.lines().count(), 6, "{text}");
    }

    #[test]
    fn shared_machine_shows_the_socket_first() {
        const HOST: &str = "0123456789abcdef.localhost";
        let shared =
            Banner { is_shared: true, host: HOST.to_owned(), web: Some(format!("http://{HOST}:7680/")), ..ready() };
        let text = greeting(&shared);
        let line = |words: &str| text.lines().position(|line| line.contains(words)).expect("a line");
        let socket = "ssh -L 17680:/home/ana/.local/share/roomful/page.sock USER@HOST";
        assert!(line("Other people use this computer.") < line(socket), "{text}");
        assert_eq!(line(socket) + 1, line(&format!("http://{HOST}:17680/#token=abab")), "{text}");
        assert!(line(socket) < line(&format!("http://{HOST}:7680/#token=abab")), "{text}");

        let ssh = Ssh::from_connection("192.0.2.9 50000 192.0.2.7 22", "ana");
        for ready in [Banner { ssh, ..shared.clone() }, Banner { web: None, ..shared }] {
            let text = greeting(&ready);
            assert!(text.contains("Other people") && text.contains(&format!("http://{HOST}:17680/#token=")), "{text}");
            assert!(!text.contains("127.0.0.1:17680"), "{text}");
        }
    }

    #[test]
    fn greeting_shows_commands_for_this_node() {
        let text = greeting(&ready());
        assert!(
            text.contains("`roomful url` prints") && text.contains(":  roomful --ephemeral --host 127.0.0.2\n"),
            "{text}"
        );
        let room = Name::new("ground floor").unwrap();
        let text = greeting(&Banner { is_usual_dir: false, data_dir: "/tmp/a b".into(), room, udp: 9000, ..ready() });
        assert!(text.contains("`roomful url --data-dir '/tmp/a b'` prints"), "{text}");
        assert!(text.contains("--host 127.0.0.2 --room 'ground floor' --port 9000\n"), "{text}");
    }

    #[test]
    fn greeting_over_ssh_shows_the_exact_command() {
        let ssh = |connection| Banner { ssh: Ssh::from_connection(connection, "ana"), ..ready() };
        let text = greeting(&ssh("192.0.2.9 50000 192.0.2.7 22"));
        assert!(text.contains("  ssh -L 17680:/home/ana/.local/share/roomful/page.sock ana@192.0.2.7\n"), "{text}");
        assert!(text.contains("  http://127.0.0.1:17680/#token=abab"), "{text}");
        let text = greeting(&ssh("fe80::2%eth0 50000 fe80::1%eth0 2222"));
        assert!(text.contains("page.sock -p 2222 ana@fe80::1%eth0\n"), "{text}");

        let spaced = Banner { socket: "/data of ana/page.sock".into(), ..ssh("192.0.2.9 5 192.0.2.7 22") };
        assert!(greeting(&spaced).contains("-L '17680:/data of ana/page.sock' ana@"));
        for broken in ["", "192.0.2.9 5", "192.0.2.9 5 box 22", "a b 192.0.2.7 x"] {
            assert_eq!(Ssh::from_connection(broken, "ana"), None);
        }
    }
}
