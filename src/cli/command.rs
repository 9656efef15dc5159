//! The commands that talk to a running node, with their options.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

use super::generate::CompletionShell;
use super::{message, name, ssh_host, tunnel_name};
use crate::config::Name;

/// The format of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// Plain text
    Text,
    /// One JSON object a line
    Json,
    /// One HTML file
    Html,
}

/// What `service` does.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum ServiceAction {
    /// Install and start the service, with the node options after `--`.
    ///
    /// The unit belongs to your user. systemd stops services of users who log out, unless lingering
    /// is on for them: `loginctl enable-linger` turns it on, and the service starts with the
    /// machine; `loginctl disable-linger` turns it off.
    Install {
        /// Only print the unit
        #[arg(long)]
        print: bool,
        /// Options of the node
        #[arg(last = true, value_name = "OPTIONS")]
        options: Vec<String>,
    },
    /// Stop and remove the service; history and identity are kept
    Remove,
    /// Show whether the service runs, and whether it stays when you log out
    Status,
}

/// A command.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Print the sign-in link to the page
    Url {
        /// Print the link for a forward to this port
        #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
        port: Option<u16>,
        /// Make a new link first; the old one expires at once
        #[arg(long)]
        rotate: bool,
    },
    /// Open the page in the browser
    Open,
    /// Make and print a room key; needs no node
    Key,
    /// Send one message
    Send {
        /// Send to this member only: a short ID, a full ID, at least 4 characters of either, or an
        /// exact name
        #[arg(long, value_name = "MEMBER", conflicts_with = "channel")]
        to: Option<String>,
        /// Send to this channel [default: general]
        #[arg(long, value_name = "NAME", value_parser = name)]
        channel: Option<Name>,
        /// Send it as a reply to this message: its ID, 8 or more characters of its beginning or
        /// end, or `last` for your last message
        #[arg(long, value_name = "MESSAGE", value_parser = message)]
        reply: Option<String>,
        /// Send these files with it, `-` for standard input; a last word that is no file is the
        /// message
        #[arg(long, value_name = "PATH", num_args = 1.., conflicts_with = "lines")]
        file: Vec<String>,
        /// The name of the file from standard input, or of the only file
        #[arg(long, value_name = "NAME", requires = "file")]
        name: Option<String>,
        /// Send each line of standard input as a message, as it comes; empty lines are skipped
        #[arg(long, conflicts_with_all = ["text", "wait"])]
        lines: bool,
        /// Wait until another member has received it
        #[arg(long)]
        wait: bool,
        /// How long to wait, in seconds
        #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..), default_value_t = 10)]
        timeout: u32,
        /// The message; with `-` or nothing, all of standard input less one final newline
        text: Option<String>,
    },
    /// Fetch the files of a message, or one file, and wait for it
    Get {
        /// A message (its ID, 8 or more characters of its beginning or end, or `last`), or the
        /// content of one file, as `roomful files` lists it
        #[arg(value_name = "MESSAGE|CONTENT", value_parser = message)]
        what: String,
        /// Where to write: a path, a directory, or `-` for standard output [default: the current
        /// directory]
        #[arg(short, long, value_name = "PATH|DIR|-")]
        output: Option<String>,
        /// Overwrite an existing file
        #[arg(long)]
        force: bool,
        /// How long to wait while no member sends anything, in seconds
        #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..), default_value_t = 30)]
        timeout: u32,
    },
    /// List the known files, and how much of each is here
    Files,
    /// Change the text of one of your messages
    Edit {
        /// The message: its ID, 8 or more characters of its beginning or end, or `last`
        #[arg(value_name = "MESSAGE", value_parser = message)]
        message: String,
        /// The new text; with `-`, all of standard input less one final newline
        text: String,
    },
    /// Delete one of your messages
    Delete {
        /// The message: its ID, 8 or more characters of its beginning or end, or `last`
        #[arg(value_name = "MESSAGE", value_parser = message)]
        message: String,
    },
    /// React to a message with an emoji
    React {
        /// The message: its ID, 8 or more characters of its beginning or end, or `last`
        #[arg(value_name = "MESSAGE", value_parser = message)]
        message: String,
        /// The emoji, or its name, such as :thumbsup:
        emoji: String,
        /// Take the reaction back
        #[arg(long)]
        off: bool,
    },
    /// Set your status, which others see beside your name
    Status {
        /// The status; an empty text takes it back. Without a text, your status is printed
        text: Option<String>,
    },
    /// Print the last messages of all conversations
    Tail {
        /// How many messages
        #[arg(short = 'n', value_name = "N", default_value_t = 10)]
        count: u32,
        /// Continue with new messages, edits, deletions and reactions
        #[arg(long)]
        follow: bool,
        /// Begin each line with the message's ID
        #[arg(long)]
        ids: bool,
    },
    /// List the members
    Members,
    /// Search messages, newest first
    Search {
        /// Words that must all be in a message; the last may be the start of a word
        #[arg(required = true)]
        words: Vec<String>,
    },
    /// Print the history in its order, which is the same on every node
    Export {
        /// The format [default: text, with --json json]
        #[arg(long, value_enum)]
        format: Option<ExportFormat>,
        /// Include direct conversations
        #[arg(long)]
        direct: bool,
    },
    /// Open the page of the node on another machine, through ssh
    Ssh {
        /// Start a node on HOST if none runs there; it stays when the connection ends
        #[arg(long)]
        start: bool,
        /// Only print the link
        #[arg(long)]
        no_open: bool,
        /// Local port [default: 7680, or the next free one]
        #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
        port: Option<u16>,
        /// The machine, as ssh takes it
        #[arg(value_name = "[USER@]HOST", value_parser = ssh_host)]
        host: String,
        /// Further options of ssh
        #[arg(last = true, value_name = "SSH OPTIONS")]
        options: Vec<String>,
    },
    /// The other side of `ssh`
    #[command(hide = true)]
    Tunnel {
        /// Names the socket that the local side forwards to
        #[arg(value_parser = tunnel_name)]
        name: String,
        /// Start a node if none runs
        #[arg(long)]
        start: bool,
    },
    /// Run the node as a service of systemd: at login, or with the machine
    Service {
        /// What to do
        #[command(subcommand)]
        action: ServiceAction,
    },
    /// Print completions for a shell
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: CompletionShell,
    },
    /// Print the manual page, or write all of them into a directory
    Man {
        /// The directory
        dir: Option<PathBuf>,
    },
    /// Print the settings in force, each with its source: option, environment, file or default.
    /// They are those of the running node, else those that a node would start with
    Config,
    /// Explain why nodes don't see each other
    Doctor {
        /// Remove the copies of the history that repairs and updates set aside. They keep
        /// deleted text
        #[arg(long)]
        remove_copies: bool,
    },
    /// Stop the node and wait until it has stopped
    Stop,
}
