//! The program: reads its command line, runs a node or a command, and says with its exit status how that went.

use std::io::{self, Write as _};
use std::process::ExitCode;

use roomful::cli::{self, Command, ExportFormat, LogLevel, Refusal, Task};
use roomful::client::{self, Format, Node};
use roomful::report;
use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, setrlimit, umask};
use tokio::runtime;

/// Wrong on any machine.
const WRONG_USAGE: u8 = 2;

fn main() -> ExitCode {
    keep_to_ourselves();
    let invocation = match cli::parse(std::env::args_os(), |key| std::env::var_os(key)) {
        Ok(invocation) => invocation,
        Err(Refusal::Shown(text)) => {
            _ = io::stdout().write_all(text.as_bytes());
            return ExitCode::SUCCESS;
        }
        Err(Refusal::Wrong(text)) => {
            complain(&text);
            return ExitCode::from(WRONG_USAGE);
        }
    };
    report::start(invocation.log.map(LogLevel::as_str));
    match run(invocation.task) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever closed our output has seen enough: `roomful tail | head -1`.
        Err(error) if matches!(error.downcast_ref(), Some(client::Error::Closed)) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> anyhow::Result<()> {
    match task {
        Task::Node(config) => {
            runtime::Builder::new_multi_thread().enable_all().build()?.block_on(roomful::node::run(config))?;
        }
        Task::Command { data_dir, json, command } => {
            let node = || Node::find(data_dir.as_deref());
            runtime::Builder::new_current_thread().enable_all().build()?.block_on(ask(node, json, command))?;
        }
    }
    Ok(())
}

/// Carries out a command; `node` finds the one that it is for.
async fn ask(
    node: impl FnOnce() -> Result<Node, client::Error>,
    json: bool,
    command: Command,
) -> Result<(), client::Error> {
    match command {
        Command::Key => client::key(json),
        Command::Url { port, rotate } => client::url(&node()?, port, rotate).await,
        Command::Open => client::open(&node()?).await,
        Command::Send { to, channel, wait, timeout, text } => {
            let channel = channel.map(|name| name.to_string());
            client::send(&node()?, client::Send { to, channel, text, wait, timeout_seconds: timeout, json }).await
        }
        Command::Tail { count, follow } => client::tail(node()?, count, follow, json).await,
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
        Command::Doctor => client::doctor(&node()?, json).await,
        Command::Stop => client::stop(&node()?).await,
    }
}

/// What this process makes is for its user alone, and what it holds in memory for nobody: a core dump would hold keys.
fn keep_to_ourselves() {
    umask(Mode::RWXG | Mode::RWXO);
    // Lowering a limit is always allowed; should it fail, there is still the next line.
    _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    #[cfg(target_os = "linux")]
    {
        _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    }
}

/// One or two lines on standard error; that nobody reads them is no reason to fail differently.
fn complain(text: &str) {
    let mut stderr = io::stderr().lock();
    for (number, line) in text.lines().map(client::harmless).enumerate() {
        _ = if number == 0 { writeln!(stderr, "roomful: {line}") } else { writeln!(stderr, "{line}") };
    }
}
