//! The command line: its options, their meaning, and short errors.
//!
//! Parsing reads only the given arguments and environment, and the configuration file. Every option
//! of the node has an environment variable by construction, and a name in the file: `--web-port` is
//! `ROOMFUL_WEB_PORT` and `web-port`. Variables, then lines of the file are inserted as arguments
//! unless the option was given, so the same rules check them. Variables and lines of options that a
//! command does not use are ignored.
//!
//! clap's own `env` does not fit: it reads the environment of the process itself, which tests
//! cannot change without unsafe code; it checks variables that a command does not use; and its
//! errors name the option instead of the variable.

mod command;
mod config_file;
mod environment;
mod generate;
mod settings;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory as _, FromArgMatches as _, Parser};
use zeroize::Zeroizing;

use crate::config::{
    self, Config, ID_PART_CHARS_MIN, LogLevel, Name, NameError, RoomKey, RoomKeyFrom, Setting, SettingSource,
    SharedMode, UnresolvedPeer, WebPort,
};
pub use command::{Command, ExportFormat, ServiceAction};
pub use generate::{CompletionShell, completions, man_pages};

/// The variable with the room's key itself.
const ROOM_KEY: &str = "ROOMFUL_ROOM_KEY";

/// The variable that names the configuration file, for commands as well.
const CONFIG_VARIABLE: &str = "ROOMFUL_CONFIG";

/// The one command that node options may stand before.
const CONFIG_COMMAND: &str = "config";

// Lines have at most 80 columns: clap would break a longer example in the middle.
const EXAMPLES: &str = "\
Environment and configuration file:
  Every option above has a variable: --web-port is ROOMFUL_WEB_PORT. Lists are
  separated by commas, switches are 1 or 0. ROOMFUL_ROOM_KEY is the room's key
  itself; it has no option, since arguments show in `ps`.
  The file has the same names: web-port = 7680, peer = [\"192.0.2.7\", \"box\"],
  ephemeral = true. An option takes precedence over its variable, and a variable
  over the file. SIGHUP makes the node read the file again; `roomful config`
  prints the settings in force.

Examples:
  roomful                          run a node and print your sign-in link
  roomful -n Ana --room attic      use another name and another room
  roomful --ephemeral              run a second node on this computer, to try it
  roomful --peer 192.0.2.7         connect where the network blocks broadcasts
  make 2>&1 | tail | roomful send  send a message without a browser
  roomful tail --follow            follow new messages
  roomful ssh you@server           open the page of the node on a server";

#[derive(Debug, Parser)]
#[command(
    name = "roomful",
    version,
    about = "Everyone on a local network in one room: a chat without a server, an account or the internet.\n\n\
             Without COMMAND, it runs a node until Ctrl-C. With COMMAND, it talks to the node that runs on the same data directory.",
    after_help = EXAMPLES,
    subcommand_value_name = "COMMAND",
    disable_help_subcommand = true,
    max_term_width = 120
)]
struct CommandLine {
    #[command(flatten)]
    node: NodeOptions,
    #[command(flatten)]
    common: CommonOptions,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Args)]
struct NodeOptions {
    /// The name others see [default: the last name, else the login name]
    #[arg(short, long, value_name = "NAME", value_parser = name, help_heading = "You and the room")]
    name: Option<Name>,
    /// The room on this network
    #[arg(long, value_name = "NAME", value_parser = name, default_value = config::ROOM, help_heading = "You and the room")]
    room: Name,
    /// The room's key, from `roomful key`: only members with the key can join [default: none, an
    /// open room]
    #[arg(long, value_name = "FILE", value_parser = config::absolute, help_heading = "You and the room")]
    room_key_file: Option<PathBuf>,
    /// Keep identity and history in memory only
    #[arg(long, help_heading = "You and the room")]
    ephemeral: bool,
    /// How much history of each other member is saved, in MiB; newer messages aren't saved
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..), default_value_t = config::QUOTA_MIB, help_heading = "You and the room")]
    quota: u32,
    /// Fetch files up to this size automatically, in MiB; 0 for none
    #[arg(long, value_name = "MIB", default_value_t = config::AUTO_FETCH_MIB, help_heading = "You and the room")]
    auto_fetch: u32,
    /// How much the files of all other members take on this disk, in GiB
    #[arg(long, value_name = "GIB", default_value_t = config::FILES_QUOTA_GIB, help_heading = "You and the room")]
    files_quota: u32,
    /// Connect to other nodes on this address only [default: every usable interface]
    #[arg(long, value_name = "IP", help_heading = "Network")]
    host: Option<IpAddr>,
    /// UDP port for announcements, 1024 and up; the TCP port for connections is the same if free
    #[arg(long, value_parser = clap::value_parser!(u16).range(1024..), default_value_t = config::PORT, help_heading = "Network")]
    port: u16,
    /// Also connect to this node (repeatable)
    #[arg(long = "peer", value_name = "HOST[:PORT]", help_heading = "Network")]
    peer: Vec<UnresolvedPeer>,
    /// Also send announcements here (repeatable), for example to another subnet's broadcast address
    #[arg(long = "announce-to", value_name = "ADDR[:PORT]", help_heading = "Network")]
    announce_to: Vec<UnresolvedPeer>,
    /// Port of the page on 127.0.0.1: a number, 0 for any free port, none for only the socket
    /// [default: 7680, or the next free one]
    #[arg(long, value_name = "PORT", help_heading = "Page")]
    web_port: Option<WebPort>,
    /// Unix socket on which the page is also served [default: page.sock in the data directory]
    #[arg(long, value_name = "PATH", value_parser = config::socket_path, help_heading = "Page")]
    web_socket: Option<PathBuf>,
    /// Whether other people use this computer; if so, each start has a new sign-in link
    #[arg(long, value_name = "auto|yes|no", default_value = "auto", help_heading = "Page")]
    shared: SharedMode,
    /// Run PROGRAM for each new message of another member, with the message as JSON on standard
    /// input
    #[arg(long, value_name = "PROGRAM", value_parser = config::program, help_heading = "Scripts")]
    on_message: Option<PathBuf>,
    /// The configuration file [default: $XDG_CONFIG_HOME/roomful/config.toml, if it exists]
    #[arg(long, value_name = "FILE", value_parser = config::absolute, help_heading = "Everywhere")]
    config: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct CommonOptions {
    /// Directory for identity, history and settings [default: $XDG_DATA_HOME/roomful]
    #[arg(long, value_name = "DIR", value_parser = config::absolute, global = true, help_heading = "Everywhere")]
    data_dir: Option<PathBuf>,
    /// How much to log on standard error [default: RUST_LOG, else warn]
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

/// The parsed command line.
#[derive(Debug, PartialEq, Eq)]
pub struct Invocation {
    /// The log level; none if neither the option nor its variable is set.
    pub log: Option<LogLevel>,
    /// The task.
    pub task: Task,
    /// The settings of a node that would start now, by option.
    pub settings: Vec<Setting>,
}

/// The task of a run: a node or a command.
#[derive(Debug, PartialEq, Eq)]
pub enum Task {
    /// Run a node.
    Node(Config),
    /// Print the settings in force.
    Config {
        /// The data directory of the node whose settings are in force. None: options were given,
        /// and the settings that they lead to are wanted.
        running_on: Option<PathBuf>,
        /// Print machine-readable lines instead of text.
        json: bool,
    },
    /// Run a command against the node on a data directory.
    Command {
        /// The directory, absolute. None if none was given and there is no home directory.
        data_dir: Option<PathBuf>,
        /// Print machine-readable lines instead of text.
        json: bool,
        /// The command.
        command: Command,
    },
}

/// The reason for which there is no task.
#[derive(Debug, PartialEq, Eq)]
pub enum CliExit {
    /// Help or version was requested. The text goes to standard output, with exit status 0.
    Shown(String),
    /// Wrong usage, with one or two lines: the problem, and what to do.
    Wrong(String),
    /// An error of this machine, in the same form.
    Failed(String),
}

/// The source of an argument that was not on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Origin {
    Environment,
    File { path: PathBuf, line: usize },
}

/// Arguments from the environment or the configuration file, and the options they belong to.
#[derive(Default)]
struct Added {
    arguments: Vec<OsString>,
    origins: BTreeMap<String, Origin>,
}

/// Parses the command line. `arguments` begins with the program's name; `variable` looks up the
/// environment; `usual_file` is the configuration file that is read if it exists and no other is
/// named.
pub fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    variable: impl Fn(&str) -> Option<OsString>,
    usual_file: Option<&Path>,
) -> Result<Invocation, CliExit> {
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    let mut parser = CommandLine::command();
    let typed = parser.try_get_matches_from_mut(&arguments).map_err(|error| refusal(&error, &BTreeMap::new()))?;
    refuse_node_options_with_command(&parser, &typed)?;

    let is_typed = |arg: &clap::Arg| typed.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine);
    let is_node = matches!(typed.subcommand_name(), None | Some(CONFIG_COMMAND));
    let is_free = |arg: &clap::Arg| !is_typed(arg) && (is_node || arg.is_global_set());
    let mut added = environment::arguments(&parser, &variable, is_free)?;
    if let Some(path) = config_path(&typed, &variable, usual_file)? {
        let is_unset = |arg: &clap::Arg| !added.origins.contains_key(arg.get_long().unwrap_or_default());
        let of_file = config_file::arguments(&parser, &path, |arg| is_free(arg) && is_unset(arg))?;
        added.arguments.extend(of_file.arguments);
        added.origins.extend(of_file.origins);
    }
    let program = arguments.len().min(1);
    arguments.splice(program..program, added.arguments.clone());
    let matches = parser.try_get_matches_from_mut(&arguments).map_err(|error| refusal(&error, &added.origins))?;
    let line = CommandLine::from_arg_matches(&matches).map_err(|error| refusal(&error, &added.origins))?;

    let rust_log = variable("RUST_LOG").filter(|level| !level.is_empty());
    let rust_log = rust_log.map(|level| level.to_string_lossy().into_owned());
    let settings = settings::settings(&parser, &typed, &matches, &added, rust_log);
    if let Some(command) = &line.command {
        check_service_options(command)?;
    }
    let has_node_options = environment::options(&parser).any(|arg| !arg.is_global_set() && is_typed(arg));
    let mut invocation = Invocation::new(line, settings, has_node_options);
    // An option takes precedence over a variable, and a variable over the file.
    if is_node
        && typed.value_source("room_key_file") != Some(ValueSource::CommandLine)
        && let Some(words) = variable(ROOM_KEY).filter(|words| !words.is_empty())
    {
        let has_file = added.origins.get("room-key-file") == Some(&Origin::Environment);
        invocation.use_room_key(room_key(&words, has_file)?);
    }
    Ok(invocation)
}

/// Returns the path of the configuration file, if there is one.
fn config_path(
    typed: &ArgMatches,
    variable: impl Fn(&str) -> Option<OsString>,
    usual_file: Option<&Path>,
) -> Result<Option<PathBuf>, CliExit> {
    if let Ok(Some(path)) = typed.try_get_one::<PathBuf>("config") {
        return Ok(Some(path.clone()));
    }
    if let Some(path) = variable(CONFIG_VARIABLE).filter(|path| !path.is_empty()) {
        let path = config::absolute(&path.to_string_lossy());
        return path.map(Some).map_err(|problem| CliExit::Wrong(format!("{CONFIG_VARIABLE}: {problem}")));
    }
    Ok(usual_file.filter(|path| path.exists()).map(Path::to_owned))
}

/// Returns the key in the environment, unless a variable names a file as well.
fn room_key(words: &OsString, has_file: bool) -> Result<RoomKeyFrom, CliExit> {
    if has_file {
        return Err(CliExit::Wrong(format!("{ROOM_KEY} and ROOMFUL_ROOM_KEY_FILE are both set\nunset one of them")));
    }
    let words = Zeroizing::new(words.to_string_lossy().into_owned());
    RoomKey::from_words(&words).map(RoomKeyFrom::Given).map_err(|error| {
        CliExit::Wrong(format!("{ROOM_KEY}: {error}\n`roomful key` makes one; everyone in the room needs the same key"))
    })
}

impl Invocation {
    fn new(line: CommandLine, settings: Vec<Setting>, has_node_options: bool) -> Self {
        let CommandLine { node, common: CommonOptions { data_dir, log, json }, command } = line;
        let task = match command {
            Some(Command::Config) => {
                let running_on = data_dir.or_else(config::default_data_dir).filter(|_| !has_node_options);
                Task::Config { running_on, json }
            }
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
                on_message: node.on_message,
                data_dir: data_dir.or_else(|| if node.ephemeral { None } else { config::default_data_dir() }),
                ephemeral: node.ephemeral,
                quota: u64::from(node.quota) * config::MIB,
                auto_fetch: u64::from(node.auto_fetch) * config::MIB,
                files_quota: u64::from(node.files_quota) * config::GIB,
                json,
            }),
        };
        Self { log, task, settings }
    }

    /// Takes the room's key from the environment. The settings say so without the key.
    fn use_room_key(&mut self, key: RoomKeyFrom) {
        if let Task::Node(node) = &mut self.task {
            node.room_key = Some(key);
        }
        for setting in self.settings.iter_mut().filter(|setting| setting.name == "room-key-file") {
            setting.value = format!("(the key in {ROOM_KEY})");
            setting.source = SettingSource::Environment;
        }
    }
}

fn name(text: &str) -> Result<Name, NameError> {
    Name::new(text)
}

/// Checks a host as ssh takes it. One that begins with a dash would be an option of ssh.
fn ssh_host(text: &str) -> Result<String, &'static str> {
    let parts = text.rsplit_once('@').map_or([None, Some(text)], |(user, host)| [Some(user), Some(host)]);
    let is_plain = |part: &str| {
        !part.is_empty() && !part.starts_with('-') && !part.contains(|c: char| c.is_whitespace() || c.is_control())
    };
    if parts.into_iter().flatten().all(is_plain) { Ok(text.to_owned()) } else { Err("a host is HOST or USER@HOST") }
}

/// Checks the name of a tunnel.
fn tunnel_name(text: &str) -> Result<String, &'static str> {
    let is_name = text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if is_name { Ok(text.to_owned()) } else { Err("32 hex digits") }
}

/// Checks the options that a service will run with, which are those of a node.
fn check_service_options(command: &Command) -> Result<(), CliExit> {
    let Command::Service { action: ServiceAction::Install { options, .. } } = command else { return Ok(()) };
    let arguments = std::iter::once("roomful").chain(options.iter().map(String::as_str));
    let given = CommandLine::command().try_get_matches_from(arguments);
    let given = given.map_err(|error| match refusal(&error, &BTreeMap::new()) {
        CliExit::Shown(_) => {
            CliExit::Wrong("a service has only options of a node\n`roomful --help` lists them".to_owned())
        }
        wrong => wrong,
    })?;
    match given.subcommand_name() {
        Some(name) => Err(CliExit::Wrong(format!("a service runs a node, not '{name}'\ngive options of a node only"))),
        None => Ok(()),
    }
}

/// Checks the form of a MESSAGE.
fn message(text: &str) -> Result<String, String> {
    let is_part = (ID_PART_CHARS_MIN..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if text == "last" || is_part {
        return Ok(text.to_ascii_lowercase());
    }
    Err(format!("a message is named by {ID_PART_CHARS_MIN} or more hex digits of its ID, or by last"))
}

/// Refuses node options together with a command, which would ignore them. `config` does not: it
/// prints where they lead.
fn refuse_node_options_with_command(parser: &clap::Command, typed: &ArgMatches) -> Result<(), CliExit> {
    let Some(command) = typed.subcommand_name().filter(|name| *name != CONFIG_COMMAND) else { return Ok(()) };
    let is_typed = |arg: &&clap::Arg| typed.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine);
    let Some(option) = environment::options(parser).filter(|arg| !arg.is_global_set()).find(is_typed) else {
        return Ok(());
    };
    let option = option.get_long().unwrap_or_default();
    Err(CliExit::Wrong(format!(
        "--{option} is a node option and can't be used with the command '{command}'\n`roomful {command} --help` lists \
         its options"
    )))
}

/// Shortens an error of clap to two lines.
fn refusal(error: &clap::Error, origins: &BTreeMap<String, Origin>) -> CliExit {
    let text = error.render().to_string();
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return CliExit::Shown(text);
    }
    let told = text.lines().take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"));
    let mut lines = told.map(str::trim).filter(|line| !line.is_empty());
    let mut wrong = lines.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    let hint = lines.collect::<Vec<_>>().join("; ");

    // A user who set a variable or wrote a file looks for its name, not for that of an option.
    if let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg)
        && let Some((long, origin)) =
            origins.iter().find(|(long, _)| argument.split(' ').next() == Some(&format!("--{long}")))
    {
        match origin {
            Origin::Environment => {
                wrong = wrong.replace(&format!("'{argument}'"), &environment::variable_name(long));
            }
            Origin::File { path, line } => {
                wrong = wrong.replace(&format!("'{argument}'"), long);
                wrong = format!("{}, line {line}: {wrong}", path.display());
            }
        }
    }
    let hint = if hint.is_empty() { "`roomful --help` lists all options".to_owned() } else { hint };
    CliExit::Wrong(format!("{wrong}\n{hint}"))
}

#[cfg(test)]
mod tests;
