//! The commands that talk to the node running on a data directory.
//!
//! They find it by `run.json` and its Unix socket and by nothing else, speak the same HTTP and WebSocket as the page, and show only what
//! the node says. They open no database, read no key, and never start a node.

mod doctor;
mod export;
mod html;
mod key;
mod listen;
mod members;
mod node;
mod open;
mod print;
mod search;
mod send;
mod stop;
mod tail;
mod url;

use std::io;
use std::path::PathBuf;

use crate::system::said;

pub use doctor::doctor;
pub use export::{Format, export};
pub use key::key;
pub use members::members;
pub use node::Node;
pub use open::open;
pub use print::harmless;
pub use search::search;
pub use send::{Send, send};
pub use stop::stop;
pub use tail::tail;
pub use url::url;

/// Why a command failed. Each but [`Error::Closed`] is a sentence or two for its user.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody said where to look, and there is no home directory.
    #[error("there is no home directory to look for a node in\nname the node's directory with --data-dir")]
    NoPlace,
    /// There is no `run.json`, or nobody answers on the socket it names.
    #[error("no node is running on {dir}; start one with: roomful --data-dir {dir}", dir = .0.display())]
    NotRunning(PathBuf),
    /// A file of the node is there and cannot be read.
    #[error("{} cannot be read: {}\ncommands work for the user who runs the node", path.display(), said(source))]
    Unreadable {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file or the socket of the node is not this user's own.
    #[error("{} is not a file of yours alone, so it proves nothing\ncommands work for the user who runs the node", .0.display())]
    Untrusted(PathBuf),
    /// A file of the node holds something else than a node writes.
    #[error("{} is damaged\nstart the node again to have it written anew", .0.display())]
    Damaged(PathBuf),
    /// The node was asked and took too long.
    #[error("the node does not answer\n--log debug on the node may tell why; its process stands in run.json")]
    Silent,
    /// The connection broke before the answer was there.
    #[error("the connection to the node broke: {0}\nask again")]
    Broken(String),
    /// The node refused, in its own words.
    #[error("{message}")]
    Refused {
        /// The status of the answer.
        status: u16,
        /// For a person.
        message: String,
    },
    /// The answer is none that this program understands.
    #[error("the node's answer makes no sense here: {0}\nare node and command the same version?")]
    Foreign(String),
    /// There is no link, since the page is served on the Unix socket alone.
    #[error(
        "this node serves its page on a Unix socket only; from your own machine: ssh -L 9000:{} USER@HOST\n\
         then `roomful url --port 9000` prints the link",
        .0.display()
    )]
    NoWebPort(PathBuf),
    /// The file that leads to the page cannot be written.
    #[error("{} cannot be written: {}\n`roomful url` prints the link to open", path.display(), said(source))]
    NoRedirect {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no browser, or none that starts.
    #[error(
        "no browser could be started\n`roomful url` prints the link to open; BROWSER names the program to open it with"
    )]
    NoBrowser,
    /// No member fits what was written.
    #[error("no member is called {0}\n`roomful members` lists them, with their ids")]
    NoSuchMember(String),
    /// Several members fit it.
    #[error("{written} fits several members: {}\nwrite the id of the one you mean", fits.join(", "))]
    Ambiguous {
        /// What was written.
        written: String,
        /// Name and id of each.
        fits: Vec<String>,
    },
    /// Standard input cannot be read.
    #[error("standard input cannot be read: {0}")]
    Input(io::Error),
    /// Standard input is no text.
    #[error("standard input is not UTF-8 text\nsend text, or encode it first, with base64 for one")]
    NotText,
    /// Standard input is far over what a message may hold.
    #[error("this is too long for a message, which holds 32 KiB")]
    TooLong,
    /// Nobody reported in time that they hold it.
    #[error("no other member holds the message after {0} s\nit is stored, and goes out as soon as somebody is there")]
    NotHeld(u32),
    /// The node stopped while it was followed.
    #[error("the node has stopped")]
    Stopped,
    /// The node agreed to stop and did not.
    #[error("the node (process {pid}) was asked to stop and still runs after {seconds} s\nend it with: kill {pid}")]
    StillRunning {
        /// Its process.
        pid: u32,
        /// How long it was given.
        seconds: u64,
    },
    /// There are no random bits for a key.
    #[error("the system gives no random numbers: {0}\nthere is no safe way to make a key")]
    NoRandomness(String),
    /// Nobody reads standard output any more: nothing to tell anybody.
    #[error("standard output is closed")]
    Closed,
    /// Standard output cannot be written.
    #[error("standard output cannot be written: {0}")]
    Output(io::Error),
}
