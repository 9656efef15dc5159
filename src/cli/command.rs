//! What can be asked of the node that is running, with what each takes.

use clap::{Subcommand, ValueEnum};

use super::name;
use crate::config::Name;

/// As what the history is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// Lines for people
    Text,
    /// One object a line
    Json,
    /// One file for a browser
    Html,
}

/// What to ask of the node that is running.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Print the link to the page, with its token
    Url {
        /// The link as it is after a forward to this port
        #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
        port: Option<u16>,
        /// Make a new token first; the old one is worthless at once
        #[arg(long)]
        rotate: bool,
    },
    /// Open the page in the browser
    Open,
    /// Make and print a room key; needs no node
    Key,
    /// Send one message
    Send {
        /// To this member alone: a short id, a full id, at least 4 characters of either, or an exact name
        #[arg(long, value_name = "MEMBER", conflicts_with = "channel")]
        to: Option<String>,
        /// In this channel [default: general]
        #[arg(long, value_name = "NAME", value_parser = name)]
        channel: Option<Name>,
        /// Return only when another member holds it
        #[arg(long)]
        wait: bool,
        /// How long to wait, in seconds
        #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..), default_value_t = 10)]
        timeout: u32,
        /// What to say; with `-` or nothing, standard input to its end less one final newline
        text: Option<String>,
    },
    /// Print the last messages of all conversations
    Tail {
        /// How many
        #[arg(short = 'n', value_name = "N", default_value_t = 10)]
        count: u32,
        /// Go on with what arrives
        #[arg(long)]
        follow: bool,
    },
    /// Print who is here
    Members,
    /// Print the newest messages with these words, newest first
    Search {
        /// Words that are all in a message; the last may be the beginning of one
        #[arg(required = true)]
        words: Vec<String>,
    },
    /// Print the history in its order, the same from every node that holds the same
    Export {
        /// As what [default: text, with --json json]
        #[arg(long, value_enum)]
        format: Option<ExportFormat>,
        /// With the direct conversations
        #[arg(long)]
        direct: bool,
    },
    /// Say why others are not seen, as far as this node can tell
    Doctor,
    /// Stop the node; returns when its process is gone
    Stop,
}
