//! The commands that talk to the node running on a data directory.
//!
//! They find the node by `run.json` and its Unix socket only. They use the same HTTP and WebSocket
//! as the page, and show only what the node tells. They open no database, read no key and never
//! start a node.

mod config;
mod doctor;
mod files;
mod key;
mod listen;
mod members;
mod messages;
mod node;
mod open;
mod print;
mod selection;
mod ssh;
mod stop;
mod url;

use std::io;
use std::path::PathBuf;

use crate::system::io_error_text;

pub use config::config;
pub use doctor::{doctor, remove_copies};
pub use files::{Get, files, get};
pub use key::key;
pub use members::members;
pub use messages::{
    Format, Send, SendLines, Tail, delete, edit, export, react, search, send, send_lines, status, tail,
};
pub use node::NodeClient;
pub use open::open;
pub use print::sanitize;
pub use ssh::remote::tunnel;
pub use ssh::{SshOptions, ssh};
pub use stop::stop;
pub use url::url;

/// The failure of a command. Each but [`Error::Closed`] has one or two sentences for the user.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the sentences say what the fields are")]
pub enum Error {
    /// No directory was given, and the user has no home directory.
    #[error("there is no home directory\nchoose the node's data directory with --data-dir")]
    NoPlace,
    /// There is no `run.json`, or its socket does not answer.
    #[error("no node is running on {dir}; start one with: roomful --data-dir {dir}", dir = .0.display())]
    NotRunning(PathBuf),
    /// A file of the node cannot be read.
    #[error("{} cannot be read: {}\ncommands work for the user who runs the node", path.display(), io_error_text(source))]
    Unreadable { path: PathBuf, source: io::Error },
    /// A file or the socket of the node belongs to another user.
    #[error("{} may have been written by another user\ncommands work for the user who runs the node", .0.display())]
    Untrusted(PathBuf),
    /// A file of the node is malformed.
    #[error("{} is damaged\nrestart the node to write it again", .0.display())]
    Damaged(PathBuf),
    /// The node did not answer in time.
    #[error("the node does not answer\nrun the node with --log debug to find out why; run.json has its process ID")]
    Silent,
    /// The connection broke before the answer.
    #[error("the connection to the node was lost: {0}\ntry again")]
    Broken(String),
    /// The node refused the request, in its own words.
    #[error("{message}")]
    Refused { status: u16, message: String },
    /// The answer is malformed.
    #[error("the node's answer is not valid: {0}\ncheck that the node and this command are the same version")]
    Foreign(String),
    /// There is no link, since the page is on the Unix socket only.
    #[error(
        "this node serves its page on a Unix socket only; on your own computer run: ssh -L 9000:{} USER@HOST\nthen \
         `roomful url --port 9000` prints the sign-in link",
        .0.display()
    )]
    NoWebPort(PathBuf),
    /// The redirect file cannot be written.
    #[error("{} cannot be written: {}\n`roomful url` prints the sign-in link", path.display(), io_error_text(source))]
    NoRedirect { path: PathBuf, source: io::Error },
    /// No browser could be started.
    #[error("no browser could be started\n`roomful url` prints the sign-in link; set BROWSER to choose a browser")]
    NoBrowser,
    /// No member matches.
    #[error("no member is called {0}\n`roomful members` lists all members with their IDs")]
    NoSuchMember(String),
    /// Several members match.
    #[error("{written} matches several members: {}\nuse the ID of the one you mean", fits.join(", "))]
    Ambiguous { written: String, fits: Vec<String> },
    /// No message matches.
    #[error("no message has an ID with {0}\n`roomful tail --ids` prints the IDs of the last messages")]
    NoSuchMessage(String),
    /// This node's member has sent no message.
    #[error("you have not sent a message in this room")]
    NoOwnMessage,
    /// Several messages match.
    #[error("{written} matches several messages: {}\nuse more characters of the one you mean", fits.join(", "))]
    AmbiguousMessage { written: String, fits: Vec<String> },
    /// A file to send cannot be read.
    #[error("{} cannot be read: {}", path.display(), io_error_text(source))]
    UnreadableFile { path: PathBuf, source: io::Error },
    /// A directory cannot be sent.
    #[error("{} is a directory\nsend its files, or an archive of them", .0.display())]
    NotAFile(PathBuf),
    /// A file cannot be written.
    #[error("{} cannot be written: {}", path.display(), io_error_text(source))]
    UnwrittenFile { path: PathBuf, source: io::Error },
    /// A file exists where another one would go.
    #[error("{} exists already\n--force overwrites it, and -o chooses another path", .0.display())]
    FileExists(PathBuf),
    /// Several files go into a directory only.
    #[error("{} is no directory, and the message has several files\nname a directory with -o", .0.display())]
    NotADirectory(PathBuf),
    /// The message has no files.
    #[error("this message has no files\n`roomful files` lists all files")]
    NoFiles,
    /// No message names the file any more.
    #[error("no message names {0} any more")]
    NoSuchFile(String),
    /// No member sends the file.
    #[error("no member sent {name} within {seconds} s\nthe node keeps trying; run the command again later")]
    NotFetched { name: String, seconds: u32 },
    /// ssh cannot be started.
    #[error("ssh can't be started: {}\ninstall OpenSSH's client", io_error_text(.0))]
    NoSsh(io::Error),
    /// The local port of a forward is taken.
    #[error("port {0} of this computer is taken\nchoose another one with --port")]
    PortTaken(u16),
    /// ssh does not get to the host.
    #[error("no connection to {}: {}\ntry: ssh {}", sanitize(host), if reason.is_empty() { "ssh ended" } else { reason }, sanitize(host))]
    NoConnection { host: String, reason: String },
    /// The forward does not lead to a node.
    #[error("the page on {} can't be reached through ssh\nits SSH server must allow forwards to sockets (AllowStreamLocalForwarding)", sanitize(.0))]
    NoForward(String),
    /// The other side has no roomful.
    #[error("roomful is not installed on {}, or not where ssh finds programs\ninstall it there, for example into ~/.local/bin", sanitize(.0))]
    NoRoomfulThere(String),
    /// No node runs on the other side.
    #[error("no node is running on {host}\nstart one with: roomful ssh --start {host}", host = sanitize(.0))]
    NoNodeThere(String),
    /// The node on the other side does not start.
    #[error("the node on {host} does not start\nfind out why with: ssh {host} roomful", host = sanitize(.0))]
    NotStartedThere(String),
    /// The node on the other side has stopped.
    #[error("the node on {} has stopped", sanitize(.0))]
    NodeGoneThere(String),
    /// The other side ended in another way.
    #[error("roomful on {} ended with status {status}\ncheck that both sides have the same version", sanitize(host))]
    OddThere { host: String, status: i32 },
    /// Standard input cannot be read.
    #[error("standard input cannot be read: {0}")]
    Input(io::Error),
    /// Standard input is not UTF-8.
    #[error("standard input is not UTF-8 text\nsend text, or encode it first, for example with base64")]
    NotText,
    /// Standard input is longer than any message.
    #[error("the message is too long; it can have up to 32 KiB")]
    TooLong,
    /// Some lines were refused; the others were sent.
    #[error("line {line} was not sent: {message}{}", more_lines(*.refused))]
    LinesRefused { line: u64, message: String, refused: u64 },
    /// No other member reported in time that it holds the message.
    #[error("no other member received the message within {0} s\nit is saved and will be sent when someone is in reach")]
    NotHeld(u32),
    /// The node stopped while `tail` followed it.
    #[error("the node has stopped")]
    Stopped,
    /// The node agreed to stop, but its process still runs.
    #[error(
        "the node (process {pid}) is still running {seconds} s after it was asked to stop\nend it with: kill {pid}"
    )]
    StillRunning { pid: u32, seconds: u64 },
    /// The system has no random numbers.
    #[error("the system provides no random numbers: {0}\na key can't be made safely without them")]
    NoRandomness(String),
    /// Standard output is closed, so there is nothing to report.
    #[error("standard output is closed")]
    Closed,
    /// Standard output cannot be written.
    #[error("standard output cannot be written: {0}")]
    Output(io::Error),
}

/// Returns the end of the sentence about the first refused line.
fn more_lines(refused: u64) -> String {
    if refused > 1 { format!("\n{refused} lines in all were not sent") } else { String::new() }
}
