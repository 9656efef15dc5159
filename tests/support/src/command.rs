//! The client commands, run as a user or a script would run them.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::node::{Node, PROGRAM};
use super::wait::PATIENCE;
use super::{Context, Result, Value, bail, ensure};

/// What a program said and how it ended.
#[derive(Debug)]
pub struct Finished {
    /// Its exit status.
    pub status: ExitStatus,
    /// What it wrote on standard output.
    pub stdout: String,
    /// What it wrote on standard error.
    pub stderr: String,
    /// How long it ran.
    pub took: Duration,
}

impl Finished {
    /// Runs a command with `input` on standard input. If it does not end in time, it is killed and
    /// an error returned.
    pub fn run(mut command: Command, input: &str) -> Result<Self> {
        let begun = Instant::now();
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let stdout = read_all(child.stdout.take().context("a pipe")?);
        let stderr = read_all(child.stderr.take().context("a pipe")?);
        // A command that needs no input may have closed it already.
        let _ = child.stdin.take().context("a pipe")?.write_all(input.as_bytes());
        let status = end_of(&mut child)?;
        let took = begun.elapsed();
        let text = |reader: JoinHandle<String>| reader.join().unwrap_or_default();
        Ok(Self { status, stdout: text(stdout), stderr: text(stderr), took })
    }

    /// What it printed, one JSON object a line; an error if it did not succeed.
    pub fn json_lines(&self) -> Result<Vec<Value>> {
        ensure!(self.status.success(), "{}: {}", self.status, self.stderr);
        self.stdout.lines().map(|line| serde_json::from_str(line).with_context(|| line.to_owned())).collect()
    }

    /// Checks that it failed with this exit status, in one or two lines that contain `word`, and
    /// without a panic.
    pub fn refused_with(&self, status: i32, word: &str) -> Result<()> {
        ensure!(self.status.code() == Some(status), "{} instead of {status}: {}", self.status, self.stderr);
        let lines = self.stderr.lines().count();
        ensure!((1..=2).contains(&lines), "an error is one or two lines, this is {lines}:\n{}", self.stderr);
        ensure!(self.stderr.contains(word), "the error does not name {word:?}:\n{}", self.stderr);
        Ok(())
    }
}

impl Node {
    /// Runs `roomful ARGS --data-dir` on this node.
    pub fn run(&self, args: &[&str]) -> Result<Finished> {
        self.run_with(args, "")
    }

    /// The same, with something on standard input.
    pub fn run_with(&self, args: &[&str], input: &str) -> Result<Finished> {
        Finished::run(self.command(args), input)
    }

    /// `roomful ARGS --data-dir` on this node, not started yet.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&*PROGRAM);
        command.args(args).arg("--data-dir").arg(&self.data_dir);
        command
    }
}

/// A program that goes on, and what it says line by line. It is killed when it is dropped.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    /// Starts it.
    pub fn start(mut command: Command) -> Result<Self> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn()?;
        let lines = lines_of(child.stdout.take().context("standard output is a pipe")?);
        Ok(Self { child, lines })
    }

    /// The next line on its standard output.
    pub fn line(&self) -> Result<String> {
        self.lines.recv_timeout(PATIENCE).context("no line in time")
    }

    /// The lines up to the first that contains `word`, that one included.
    pub fn lines_until(&self, word: &str) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        while !lines.last().is_some_and(|line: &String| line.contains(word)) {
            lines.push(self.line().with_context(|| format!("waiting for {word:?}, after {lines:#?}"))?);
        }
        Ok(lines)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of a pipe, read by a thread of their own so that the other side never waits.
pub fn lines_of(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

fn end_of(child: &mut Child) -> Result<ExitStatus> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill()?;
    child.wait()?;
    bail!("it did not end within {} s", PATIENCE.as_secs())
}

fn read_all(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before an error is what the test gets to see.
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
