//! A real node as a process: started, watched, stopped, frozen and killed.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::LazyLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::api::Api;
use super::command::{Finished, lines_of};
use super::lab::Lab;
use super::wait::PATIENCE;
use super::{Context, Result, Value, bail, ensure};

/// The program under test: Cargo names it to the tests that it runs.
pub static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| match std::env::var_os("CARGO_BIN_EXE_roomful") {
    Some(program) => program.into(),
    None => built_beside_test(),
});

/// Returns the program that Cargo built beside the running test, `target/PROFILE/roomful`.
fn built_beside_test() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let profile = test.ancestors().nth(2).expect("tests stand in target/PROFILE/deps");
    profile.join("roomful")
}

/// What the environment must not decide in a test.
const ENVIRONMENT_REMOVED: &[&str] = &["RUST_LOG", "SSH_CONNECTION", "XDG_RUNTIME_DIR"];

/// How a node will be started.
#[derive(Clone)]
pub struct Launch {
    name: String,
    home: PathBuf,
    log: PathBuf,
    before: Vec<String>,
    program: PathBuf,
    args: Vec<String>,
}

impl Launch {
    pub fn new(lab: &Lab, name: &str) -> Self {
        let data_dir = lab.data_dir(name);
        let launch = Self {
            name: name.to_owned(),
            home: lab.dir().join("home"),
            log: lab.dir().join(format!("{name}.log")),
            before: Vec::new(),
            program: PROGRAM.clone(),
            args: vec!["--json".to_owned()],
        };
        launch
            .option("--name", name)
            .option("--room", lab.room())
            .option("--port", &lab.port().to_string())
            .option("--web-port", "0")
            .option("--shared", "no")
            .option("--data-dir", &data_dir.display().to_string())
    }

    /// Takes part on this address only.
    #[must_use]
    pub fn host(self, host: &str) -> Self {
        self.option("--host", host)
    }

    /// Sets an option, instead of what it was set to before.
    #[must_use]
    pub fn option(self, name: &str, value: &str) -> Self {
        self.without(name).also(name, value)
    }

    /// Sets an option once more: one that may stand several times.
    #[must_use]
    pub fn also(mut self, name: &str, value: &str) -> Self {
        self.args.extend([name.to_owned(), value.to_owned()]);
        self
    }

    /// Takes an option with its value away again.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        if let Some(at) = self.args.iter().position(|arg| arg == name) {
            self.args.drain(at..at + 2);
        }
        self
    }

    /// Adds a switch.
    #[must_use]
    pub fn switch(mut self, name: &str) -> Self {
        self.args.push(name.to_owned());
        self
    }

    /// Takes a switch away again.
    #[must_use]
    pub fn without_switch(mut self, name: &str) -> Self {
        self.args.retain(|arg| arg != name);
        self
    }

    /// Starts the program through another one (`ip netns exec NAME`), which must exec it rather
    /// than spawn it.
    #[must_use]
    pub fn through(mut self, words: &[&str]) -> Self {
        self.before.extend(words.iter().map(|&word| word.to_owned()));
        self
    }

    /// Starts this copy of the program instead.
    #[must_use]
    pub fn program(mut self, program: &Path) -> Self {
        self.program = program.to_owned();
        self
    }

    /// Starts it, and waits until it is ready.
    pub fn start(&self) -> Result<Node> {
        self.spawn()?.ready()
    }

    /// Starts it without waiting.
    pub fn spawn(&self) -> Result<Starting> {
        std::fs::create_dir_all(&self.home)?;
        let log = File::options().create(true).append(true).open(&self.log)?;
        let mut child = self.command().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn()?;
        let lines = lines_of(child.stdout.take().context("standard output is a pipe")?);
        Ok(Starting {
            launch: self.clone(),
            begun: Instant::now(),
            process: Process { child, log: self.log.clone() },
            lines,
        })
    }

    /// Runs it although it cannot start, and gives what it said.
    pub fn refused(&self) -> Result<Finished> {
        std::fs::create_dir_all(&self.home)?;
        Finished::run(self.command(), "")
    }

    /// The whole command line, to be run in another way than as a node under test.
    pub fn command(&self) -> Command {
        let program = self.program.display().to_string();
        let words: Vec<&str> = self.before.iter().map(String::as_str).chain([program.as_str()]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).args(&self.args);
        for (key, _) in std::env::vars().filter(|(key, _)| key.starts_with("ROOMFUL_")) {
            command.env_remove(key);
        }
        for key in ENVIRONMENT_REMOVED {
            command.env_remove(key);
        }
        command.env("HOME", &self.home).env("XDG_DATA_HOME", self.home.join("share"));
        command
    }
}

/// Starts several at the same moment, and waits until all are ready.
pub fn together(launches: &[Launch]) -> Result<Vec<Node>> {
    let starting = launches.iter().map(Launch::spawn).collect::<Result<Vec<_>>>()?;
    starting.into_iter().map(Starting::ready).collect()
}

/// A node that has not said yet that it is ready.
pub struct Starting {
    launch: Launch,
    begun: Instant,
    process: Process,
    lines: Receiver<String>,
}

impl Starting {
    /// Waits until it is ready, or has ended without: then it gives what it said.
    pub fn ready_or_ended(mut self) -> Result<std::result::Result<Node, Finished>> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => Ok(Ok(self.became(&line)?)),
            Err(RecvTimeoutError::Timeout) => bail!("{} was not ready in time", self.launch.name),
            Err(RecvTimeoutError::Disconnected) => {
                let status = self.process.wait_within(PATIENCE)?;
                let stderr = self.process.said();
                Ok(Err(Finished { status, stdout: String::new(), stderr, took: self.begun.elapsed() }))
            }
        }
    }

    /// Waits for the line that says so.
    pub fn ready(self) -> Result<Node> {
        let name = self.launch.name.clone();
        match self.ready_or_ended()? {
            Ok(node) => Ok(node),
            Err(ended) => bail!("{name} ended at once:\n{}", ended.stderr),
        }
    }

    /// The node that it has become, by its ready line.
    fn became(self, line: &str) -> Result<Node> {
        let ready: Value = serde_json::from_str(line).with_context(|| format!("not a ready line: {line}"))?;
        ensure!(ready["event"] == "ready", "not a ready line: {line}");
        println!("{}: ready after {} ms", self.launch.name, self.begun.elapsed().as_millis());
        let data_dir = PathBuf::from(ready["data_dir"].as_str().context("data_dir")?);
        let token = std::fs::read_to_string(data_dir.join("token")).context("the token's file")?;
        let socket = ready["socket"].as_str().context("socket")?;
        let api = Api::new(socket.into(), token.trim().to_owned());
        Ok(Node { api, ready, data_dir, launch: self.launch, process: self.process, lines: self.lines })
    }
}

/// A node that runs. It is killed when it is dropped.
pub struct Node {
    /// Its HTTP door.
    pub api: Api,
    /// What it said when it was ready.
    pub ready: Value,
    /// Where its files are.
    pub data_dir: PathBuf,
    launch: Launch,
    process: Process,
    lines: Receiver<String>,
}

impl Node {
    /// Its full id.
    pub fn id(&self) -> &str {
        self.ready["id"].as_str().expect("the ready line has an id")
    }

    /// The name it was started with.
    pub fn name(&self) -> &str {
        &self.launch.name
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process.child.id()
    }

    /// How it was started, to start it again.
    pub fn launch(&self) -> Launch {
        self.launch.clone()
    }

    /// The link to its page.
    pub fn web(&self) -> Result<&str> {
        self.ready["web"].as_str().context("this node serves no page on a port")
    }

    /// What it wrote on standard error so far.
    pub fn said(&self) -> String {
        self.process.said()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_raw(self.pid().cast_signed()).context("a process id")?;
        Ok(kill_process(pid, signal)?)
    }

    /// Ends it as a crash would.
    pub fn kill(mut self) -> Result<Launch> {
        self.process.child.kill()?;
        self.process.child.wait()?;
        Ok(self.launch.clone())
    }

    /// Asks it to stop by signal, and returns with which status it did and how long that took.
    pub fn stop_by(self, signal: Signal) -> Result<Stopped> {
        self.signal(signal)?;
        self.stopped()
    }

    /// Stops it as a user's terminal would; anything but a clean stop is an error.
    pub fn stop(self) -> Result<Launch> {
        let launch = self.launch.clone();
        let stopped = self.stop_by(Signal::TERM)?;
        ensure!(stopped.status.success(), "{} stopped with {}", launch.name, stopped.status);
        Ok(launch)
    }

    /// Waits until it has ended by itself.
    pub fn stopped(mut self) -> Result<Stopped> {
        let begun = Instant::now();
        let status = self.process.wait_within(PATIENCE)?;
        let took = begun.elapsed();
        let lines = self.lines.iter().collect();
        Ok(Stopped { status, took, lines, said: self.process.said() })
    }
}

/// How a node ended.
#[derive(Debug)]
pub struct Stopped {
    /// Its exit status.
    pub status: ExitStatus,
    /// How long it took since it was asked.
    pub took: Duration,
    /// What it wrote on standard output after its ready line.
    pub lines: Vec<String>,
    /// What it wrote on standard error in all its runs.
    pub said: String,
}

/// A child that does not outlive the test.
struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn wait_within(&mut self, patience: Duration) -> Result<ExitStatus> {
        let begun = Instant::now();
        while begun.elapsed() < patience {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        bail!("process {} has not ended within {} s", self.child.id(), patience.as_secs())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let said = self.said();
        if !said.is_empty() {
            println!("--- {} ---\n{said}", self.log.display());
        }
        assert!(std::thread::panicking() || !said.contains("panicked at"), "a node panicked:\n{said}");
    }
}
