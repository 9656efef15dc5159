//! The command line: what may be written, what it means, and a short answer to what may not.
//!
//! It reads nothing but the arguments and the environment it is handed, and starts nothing. Every option of the node has an
//! environment variable by construction: `--web-port` is `ROOMFUL_WEB_PORT`. They are put in front of the arguments as if they
//! had been typed, those only that were not; so they are checked by the same rules, and those that a command has no
//! use for are never looked at.

mod command;
mod environment;

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory as _, FromArgMatches as _, Parser, ValueEnum};
use zeroize::Zeroizing;

use crate::config::{self, Config, Name, NameError, PeerText, RoomKey, RoomKeyFrom, SharedMode, WebPort};
pub use command::{Command, ExportFormat};

/// The variable that holds a room's key itself.
const ROOM_KEY: &str = "ROOMFUL_ROOM_KEY";

// No line over 80 columns: clap would break it in the middle of an example.
const EXAMPLES: &str = "\
Environment:
  Every option above has a variable: --web-port is ROOMFUL_WEB_PORT. Lists are
  separated by commas, switches are 1 or 0. What is written on the command line
  beats it. ROOMFUL_ROOM_KEY is the room's key itself; it is no option, since
  arguments show in `ps`.

Examples:
  roomful                          run a node and print the link to its page
  roomful -n Ana --room attic      under another name, in another room
  roomful --ephemeral              a second node on the same machine, to try it
  roomful --peer 192.0.2.7         where broadcasts do not get through
  make 2>&1 | tail | roomful send  say it without a browser
  roomful tail --follow            and read along
  roomful url --port 9000          the link after ssh -L 9000:…/page.sock";

#[derive(Debug, Parser)]
#[command(
    name = "roomful",
    version,
    about = "Everyone on a local network in one room: a chat without a server, an account or the internet.\n\n\
             Without COMMAND it runs a node until Ctrl-C; with COMMAND it talks to the node that runs on the same data directory.",
    after_help = EXAMPLES,
    subcommand_value_name = "COMMAND",
    disable_help_subcommand = true,
    max_term_width = 120
)]
struct Line {
    #[command(flatten)]
    node: NodeOptions,
    #[command(flatten)]
    common: CommonOptions,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Args)]
struct NodeOptions {
    /// The name shown to others [default: the name used last, else the login name]
    #[arg(short, long, value_name = "NAME", value_parser = name, help_heading = "You and the room")]
    name: Option<Name>,
    /// Which room on this network
    #[arg(long, value_name = "NAME", value_parser = name, default_value = config::ROOM, help_heading = "You and the room")]
    room: Name,
    /// The room's key as `roomful key` made it: only holders get in [default: none, an open room]
    #[arg(long, value_name = "FILE", value_parser = config::absolute, help_heading = "You and the room")]
    room_key_file: Option<PathBuf>,
    /// Identity and history in memory only
    #[arg(long, help_heading = "You and the room")]
    ephemeral: bool,
    /// How much of one other member's history is kept, in MiB: what they say beyond it is not taken
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..), default_value_t = config::QUOTA_MIB, help_heading = "You and the room")]
    quota: u32,
    /// Take part in the mesh on this address only [default: every usable interface]
    #[arg(long, value_name = "IP", help_heading = "Network")]
    host: Option<IpAddr>,
    /// UDP port of the beacons, 1024 and up; the TCP port of the mesh is the same if free
    #[arg(long, value_parser = clap::value_parser!(u16).range(1024..), default_value_t = config::PORT, help_heading = "Network")]
    port: u16,
    /// Dial this node too (repeatable)
    #[arg(long = "peer", value_name = "HOST[:PORT]", help_heading = "Network")]
    peer: Vec<PeerText>,
    /// Send beacons there too (repeatable): another subnet's broadcast address, say
    #[arg(long = "announce-to", value_name = "ADDR[:PORT]", help_heading = "Network")]
    announce_to: Vec<PeerText>,
    /// Port of the page on 127.0.0.1: a number, 0 for any free port, none for only the socket
    /// [default: 7680, or the next free one]
    #[arg(long, value_name = "PORT", help_heading = "Page")]
    web_port: Option<WebPort>,
    /// The Unix socket on which the page is always served as well [default: page.sock in the data directory]
    #[arg(long, value_name = "PATH", value_parser = config::socket_path, help_heading = "Page")]
    web_socket: Option<PathBuf>,
    /// Whether other people work on this machine. If so, each start has a new link
    #[arg(long, value_name = "auto|yes|no", default_value = "auto", help_heading = "Page")]
    shared: SharedMode,
}

#[derive(Debug, Args)]
struct CommonOptions {
    /// Where identity, history and settings live [default: $XDG_DATA_HOME/roomful]
    #[arg(long, value_name = "DIR", value_parser = config::absolute, global = true, help_heading = "Everywhere")]
    data_dir: Option<PathBuf>,
    /// What to report on standard error [default: RUST_LOG, else warn]
    #[arg(
        long,
        value_name = "LEVEL",
        value_enum,
        hide_possible_values = true,
        global = true,
        help_heading = "Everywhere"
    )]
    log: Option<LogLevel>,
    /// Machine-readable lines on standard output
    #[arg(long, global = true, help_heading = "Everywhere")]
    json: bool,
}

/// How much to report on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "the words say it")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl LogLevel {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub struct Invocation {
    /// How much to report; none: as `RUST_LOG` says.
    pub log: Option<LogLevel>,
    /// What to do.
    pub task: Task,
}

/// Run a node, or talk to one.
#[derive(Debug, PartialEq, Eq)]
pub enum Task {
    /// Run a node.
    Node(Config),
    /// Talk to the node that runs on a data directory.
    Command {
        /// That directory, absolute; none: nothing was given, and there is no home directory.
        data_dir: Option<PathBuf>,
        /// Machine-readable lines instead of text.
        json: bool,
        /// What to ask of it.
        command: Command,
    },
}

/// Why there is nothing to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Help or version was asked for: this goes to standard output, and all is well.
    Shown(String),
    /// Wrong usage: one or two lines on what is wrong and what to do.
    Wrong(String),
}

/// Reads the command line. `arguments` begins with the program's name; `variable` looks up the environment.
pub fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<Invocation, Refusal> {
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    let mut parser = Line::command();
    let typed = parser.try_get_matches_from_mut(&arguments).map_err(|error| refusal(&error, &[]))?;
    refuse_node_options_with_command(&parser, &typed)?;

    let (added, from_environment) = environment::arguments(&parser, &typed, &variable)?;
    let program = arguments.len().min(1);
    arguments.splice(program..program, added);
    let matches = parser.try_get_matches_from_mut(&arguments).map_err(|error| refusal(&error, &from_environment))?;
    let line = Line::from_arg_matches(&matches).map_err(|error| refusal(&error, &from_environment))?;
    let mut invocation = Invocation::from(line);
    if let Task::Node(node) = &mut invocation.task {
        let is_typed = typed.value_source("room_key_file") == Some(ValueSource::CommandLine);
        // What is typed beats what is not, as with every option.
        if let Some(words) = variable(ROOM_KEY).filter(|words| !words.is_empty() && !is_typed) {
            node.room_key = Some(room_key(&words, node.room_key.take())?);
        }
    }
    Ok(invocation)
}

/// The key in the environment, unless a file in the environment says another.
fn room_key(words: &OsString, file: Option<RoomKeyFrom>) -> Result<RoomKeyFrom, Refusal> {
    if file.is_some() {
        return Err(Refusal::Wrong(format!(
            "{ROOM_KEY} and ROOMFUL_ROOM_KEY_FILE are both set\nkeep the one that is meant"
        )));
    }
    let words = Zeroizing::new(words.to_string_lossy().into_owned());
    RoomKey::from_words(&words).map(RoomKeyFrom::Given).map_err(|error| {
        Refusal::Wrong(format!("{ROOM_KEY}: {error}\n`roomful key` makes one; give all members of the room the same"))
    })
}

impl From<Line> for Invocation {
    fn from(Line { node, common, command }: Line) -> Self {
        let CommonOptions { data_dir, log, json } = common;
        let task = match command {
            Some(command) => Task::Command { data_dir: data_dir.or_else(config::default_data_dir), json, command },
            None => Task::Node(Config {
                name: node.name,
                host: node.host,
                port: node.port,
                peers: node.peer.into_iter().map(|peer| peer.or_port(node.port)).collect(),
                announce_to: node.announce_to.into_iter().map(|to| to.or_port(node.port)).collect(),
                room: node.room,
                room_key: node.room_key_file.map(RoomKeyFrom::File),
                web_port: node.web_port.unwrap_or(WebPort::Usual),
                web_socket: node.web_socket,
                shared: node.shared,
                data_dir: data_dir.or_else(|| if node.ephemeral { None } else { config::default_data_dir() }),
                ephemeral: node.ephemeral,
                quota: u64::from(node.quota) * config::MIB,
                json,
            }),
        };
        Self { log, task }
    }
}

fn name(text: &str) -> Result<Name, NameError> {
    Name::new(text)
}

/// An option that a command would silently ignore is a mistake somebody should hear about.
fn refuse_node_options_with_command(parser: &clap::Command, typed: &ArgMatches) -> Result<(), Refusal> {
    let Some(command) = typed.subcommand_name() else { return Ok(()) };
    let is_typed = |arg: &&clap::Arg| typed.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine);
    let Some(option) = environment::options(parser).filter(|arg| !arg.is_global_set()).find(is_typed) else {
        return Ok(());
    };
    let option = option.get_long().unwrap_or_default();
    Err(Refusal::Wrong(format!(
        "--{option} is an option of the node and cannot stand with the command '{command}'\n\
         `roomful {command} --help` shows what can"
    )))
}

/// Says in one or two lines what clap says in seven.
fn refusal(error: &clap::Error, from_environment: &[String]) -> Refusal {
    let text = error.render().to_string();
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return Refusal::Shown(text);
    }
    let told = text.lines().take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"));
    let mut lines = told.map(str::trim).filter(|line| !line.is_empty());
    let mut wrong = lines.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    let hint = lines.collect::<Vec<_>>().join("; ");

    // Whoever set a variable looks for its name, not for an option that was never typed.
    if let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg)
        && let Some(long) =
            from_environment.iter().find(|long| argument.split(' ').next() == Some(&format!("--{long}")))
    {
        wrong = wrong.replace(&format!("'{argument}'"), &environment::variable_name(long));
    }
    let hint = if hint.is_empty() { "`roomful --help` shows what there is".to_owned() } else { hint };
    Refusal::Wrong(format!("{wrong}\n{hint}"))
}

#[cfg(test)]
mod tests;
