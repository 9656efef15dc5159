//! The entry point: parses the command line, runs a node or a command, and sets the exit status.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use roomful::cli::{self, CliExit, Command, ExportFormat, Invocation, ServiceAction, Task};
use roomful::client::{self, Format, NodeClient};
use roomful::config::{Loaded, LogLevel};
use roomful::logging::{self, LogControl};
use roomful::service;
use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, setrlimit, umask};
use tokio::runtime;

/// The exit status of wrong usage.
const WRONG_USAGE: u8 = 2;

fn main() -> ExitCode {
    harden_process();
    let invocation = match parse() {
        Ok(invocation) => invocation,
        Err(CliExit::Shown(text)) => {
            _ = io::stdout().write_all(text.as_bytes());
            return ExitCode::SUCCESS;
        }
        Err(CliExit::Wrong(text)) => {
            print_error(&text);
            return ExitCode::from(WRONG_USAGE);
        }
        Err(CliExit::Failed(text)) => {
            print_error(&text);
            return ExitCode::FAILURE;
        }
    };
    let logging = logging::start(invocation.log.map(LogLevel::as_str));
    match run(invocation, logging) {
        Ok(status) => status,
        // A closed output is not an error: `roomful tail | head -1`.
        Err(error) if matches!(error.downcast_ref(), Some(client::Error::Closed)) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// Parses the command line, the environment and the configuration file.
fn parse() -> Result<Invocation, CliExit> {
    let usual_file = roomful::config::default_config_file();
    cli::parse(std::env::args_os(), |key| std::env::var_os(key), usual_file.as_deref())
}

/// Parses them again for a running node.
fn reload() -> Result<Loaded, String> {
    match parse() {
        Ok(Invocation { task: Task::Node(config), log, settings }) => Ok(Loaded { config, log, settings }),
        Ok(_) => Err("these are not the settings of a node".to_owned()),
        Err(CliExit::Shown(text) | CliExit::Wrong(text) | CliExit::Failed(text)) => Err(text),
    }
}

fn run(invocation: Invocation, logging: LogControl) -> anyhow::Result<ExitCode> {
    let Invocation { task, log, settings } = invocation;
    match task {
        Task::Node(config) => {
            let node = roomful::node::run(Loaded { config, log, settings }, Box::new(reload), logging);
            run_on_worker(&runtime::Builder::new_multi_thread().enable_all().build()?, node)?;
        }
        Task::Config { running_on, json } => {
            let printed = client::config(running_on.as_deref(), settings, json);
            runtime::Builder::new_current_thread().enable_all().build()?.block_on(printed)?;
        }
        Task::Command { data_dir, command: Command::Tunnel { name, start }, .. } => {
            let tunnel = client::tunnel(data_dir.as_deref(), &name, start);
            let status = runtime::Builder::new_current_thread().enable_all().build()?.block_on(tunnel)?;
            return Ok(ExitCode::from(status));
        }
        Task::Command { command: Command::Service { action }, .. } => serve(action)?,
        Task::Command { command: Command::Completions { shell }, .. } => print(&cli::completions(shell))?,
        Task::Command { command: Command::Man { dir }, .. } => man(dir.as_deref())?,
        Task::Command { data_dir, json, command } => {
            let node = || NodeClient::find(data_dir.as_deref());
            runtime::Builder::new_current_thread().enable_all().build()?.block_on(ask(node, json, command))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs a task on a worker of the runtime. On this thread, each of its wake-ups would be a switch
/// between threads.
fn run_on_worker<T: Send + 'static>(runtime: &runtime::Runtime, task: impl Future<Output = T> + Send + 'static) -> T {
    match runtime.block_on(runtime.spawn(task)) {
        Ok(done) => done,
        // The panic was printed where it happened.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Manages the service, and prints what was done.
fn serve(action: ServiceAction) -> anyhow::Result<()> {
    let lines = match action {
        ServiceAction::Install { print: true, options } => return print(service::unit_here(&options)?.as_bytes()),
        ServiceAction::Install { print: false, options } => service::install(&options)?,
        ServiceAction::Remove => service::remove()?,
        ServiceAction::Status => service::status()?,
    };
    print((lines.join("\n") + "\n").as_bytes())
}

/// Prints the manual page, or writes all pages into a directory.
fn man(dir: Option<&Path>) -> anyhow::Result<()> {
    let pages = cli::man_pages()?;
    let Some(dir) = dir else { return pages.first().map_or(Ok(()), |(_, page)| print(page)) };
    std::fs::create_dir_all(dir)?;
    for (name, page) in pages {
        let path = dir.join(name);
        std::fs::write(&path, page).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(())
}

/// Writes to standard output. A reader that has gone is no error.
fn print(text: &[u8]) -> anyhow::Result<()> {
    match io::stdout().write_all(text) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Runs a command; `node` finds the node that it talks to.
async fn ask(
    node: impl FnOnce() -> Result<NodeClient, client::Error>,
    json: bool,
    command: Command,
) -> Result<(), client::Error> {
    match command {
        Command::Key => client::key(json),
        Command::Url { port, rotate } => client::url(&node()?, port, rotate).await,
        Command::Open => client::open(&node()?).await,
        Command::Send { to, channel, reply, lines: true, .. } => {
            let channel = channel.map(|name| name.to_string());
            client::send_lines(node()?, client::SendLines { to, channel, reply, json }).await
        }
        Command::Send { to, channel, reply, wait, timeout, text, file, name, .. } => {
            let channel = channel.map(|name| name.to_string());
            client::send(
                &node()?,
                client::Send {
                    to,
                    channel,
                    reply,
                    text,
                    files: file,
                    file_name: name,
                    wait,
                    timeout_seconds: timeout,
                    json,
                },
            )
            .await
        }
        Command::Get { what, output, force, timeout } => {
            client::get(&node()?, client::Get { what, output, force, timeout_seconds: timeout }).await
        }
        Command::Files => client::files(&node()?, json).await,
        Command::Edit { message, text } => client::edit(&node()?, &message, text, json).await,
        Command::Delete { message } => client::delete(&node()?, &message, json).await,
        Command::React { message, emoji, off } => client::react(&node()?, &message, &emoji, off, json).await,
        Command::Status { text } => client::status(&node()?, text, json).await,
        Command::Tail { count, follow, ids } => client::tail(node()?, client::Tail { count, follow, ids, json }).await,
        Command::Members => client::members(&node()?, json).await,
        Command::Search { words } => client::search(&node()?, &words, json).await,
        Command::Export { format, direct } => {
            let format = match format {
                Some(ExportFormat::Text) => Format::Text,
                Some(ExportFormat::Json) => Format::Json,
                Some(ExportFormat::Html) => Format::Html,
                None if json => Format::Json,
                None => Format::Text,
            };
            client::export(&node()?, format, direct).await
        }
        Command::Ssh { start, no_open, port, host, options } => {
            client::ssh(client::SshOptions { host, port, start, open: !no_open, options }).await
        }
        Command::Config
        | Command::Tunnel { .. }
        | Command::Service { .. }
        | Command::Completions { .. }
        | Command::Man { .. } => unreachable!("these need no node"),
        Command::Doctor { remove_copies: true } => client::remove_copies(&node()?, json).await,
        Command::Doctor { .. } => client::doctor(&node()?, json).await,
        Command::Stop => client::stop(&node()?).await,
    }
}

/// Makes new files readable by this user only, and disables core dumps, which would contain keys.
fn harden_process() {
    umask(Mode::RWXG | Mode::RWXO);
    // Lowering a limit is always allowed. If it fails, the next statement still applies.
    _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    #[cfg(target_os = "linux")]
    {
        _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    }
}

/// Prints an error of one or two lines on standard error. A failure to print is ignored.
fn print_error(text: &str) {
    let mut stderr = io::stderr().lock();
    for (number, line) in text.lines().map(client::sanitize).enumerate() {
        _ = if number == 0 { writeln!(stderr, "roomful: {line}") } else { writeln!(stderr, "{line}") };
    }
}
