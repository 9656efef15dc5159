//! Runs the user's program for each new message of another member: `--on-message`.
//!
//! The program runs without a shell and without arguments, and gets the message as JSON on its
//! standard input. One runs at a time, on a thread that waits for it. A queue of messages waits
//! behind it; when that is full, messages are skipped and counted. What the program leaves behind
//! ends with it.

use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::api::MessageJson;
use crate::proto::entries::timeline::Message;
use crate::proto::limits::{HOOK_MS_MAX, HOOKS_WAITING_MAX};

/// Interval of the checks whether the program has ended, and of the reports of skipped messages, in
/// milliseconds.
const CHECK_MS: (u64, u64) = (5, 1_000);

/// The queue of messages for the program.
pub(super) struct MessageHook {
    /// None only while it is dropped.
    queue: Option<SyncSender<Message>>,
    skipped: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl MessageHook {
    /// Starts the thread that runs `program`.
    pub(super) fn start(program: PathBuf) -> io::Result<Self> {
        let (queue, messages) = sync_channel(HOOKS_WAITING_MAX);
        let (skipped, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let runner = HookRunner { program, messages, skipped: skipped.clone(), stop: stop.clone() };
        let thread = thread::Builder::new().name("on-message".to_owned()).spawn(move || runner.run())?;
        Ok(Self { queue: Some(queue), skipped, stop, thread: Some(thread) })
    }

    /// Queues a message, or counts it as skipped.
    pub(super) fn offer(&self, message: &Message) {
        let is_queued = self.queue.as_ref().is_some_and(|queue| queue.try_send(message.clone()).is_ok());
        if !is_queued {
            self.skipped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for MessageHook {
    /// Ends a running program, and waits for the thread.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}

struct HookRunner {
    program: PathBuf,
    messages: Receiver<Message>,
    skipped: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl HookRunner {
    fn run(self) {
        let interval = Duration::from_millis(CHECK_MS.1);
        let mut reported = Instant::now();
        while !self.stop.load(Ordering::Relaxed) {
            match self.messages.recv_timeout(interval) {
                Ok(message) => self.run_program(&message),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if reported.elapsed() > interval {
                reported = Instant::now();
                self.report(0, "it is too slow");
            }
        }
        self.report(self.messages.try_iter().count() as u64, "the node stops");
    }

    /// Logs how many messages were skipped since the last report, and `more` of them.
    fn report(&self, more: u64, reason: &str) {
        let skipped = self.skipped.swap(0, Ordering::Relaxed) + more;
        if skipped > 0 {
            tracing::warn!("{skipped} messages were not passed to {}: {reason}", self.program.display());
        }
    }

    /// Runs the program to its end, or ends its process group after [`HOOK_MS_MAX`].
    fn run_program(&self, message: &Message) {
        let program = self.program.display();
        let mut child = match command(&self.program).spawn() {
            Ok(child) => child,
            Err(error) => {
                tracing::warn!("{program} can't be run for new messages: {error}");
                return;
            }
        };
        // A program may end without reading, or read nothing: that must not hold this thread.
        let stdin = child.stdin.take();
        let json = serde_json::to_string(&MessageJson::from(message)).unwrap_or_default() + "\n";
        thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(json.as_bytes())));
        let deadline = Instant::now() + Duration::from_millis(HOOK_MS_MAX);
        let is_stopping = || self.stop.load(Ordering::Relaxed);
        while !has_ended(&child) && Instant::now() < deadline && !is_stopping() {
            thread::sleep(Duration::from_millis(CHECK_MS.0));
        }
        let is_over = has_ended(&child);
        match end_group(&mut child) {
            Ok(status) if is_over && status.success() => {}
            Ok(status) if is_over => tracing::warn!("{program} failed for a message: {status}"),
            _ if is_stopping() => {}
            _ => tracing::warn!("{program} was ended: it took over {} s for a message", HOOK_MS_MAX / 1_000),
        }
    }
}

/// The program in a process group of its own. What it prints goes to the log, since standard output
/// belongs to the node.
fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    let ours = std::env::vars_os().map(|(key, _)| key);
    let ours = ours.filter(|key| key.to_string_lossy().starts_with("ROOMFUL_") || key == "NOTIFY_SOCKET");
    ours.for_each(|key| _ = command.env_remove(key));
    let output = io::stderr().as_fd().try_clone_to_owned().map_or_else(|_| Stdio::null(), Stdio::from);
    command.stdin(Stdio::piped()).stdout(output).process_group(0);
    command
}

/// Returns true if the program has ended. It is not reaped yet, so that its process group keeps its
/// number.
fn has_ended(child: &Child) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    pid(child).is_none_or(|pid| !matches!(waitid(WaitId::Pid(pid), options), Ok(None)))
}

/// Ends what runs in the program's process group, and returns the program's status.
fn end_group(child: &mut Child) -> io::Result<ExitStatus> {
    if let Some(group) = pid(child) {
        _ = kill_process_group(group, Signal::KILL);
    }
    child.wait()
}

fn pid(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::proto::clock::Stamp;
    use crate::proto::entries::timeline::{Conversation, MessageKind, Order};
    use crate::proto::ids::{EntryId, LogId, NodeId};
    use crate::proto::names::name::Name;

    /// Makes a program of these lines of shell.
    fn program(dir: &Path, lines: &str) -> PathBuf {
        let program = dir.join("program");
        std::fs::write(&program, format!("#!/bin/sh\n{lines}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
        program
    }

    fn message() -> Message {
        Message {
            id: EntryId { log: LogId(1), seq: 1, check: [0; 16] },
            arrival: 1,
            order: Order { place: 1, author: NodeId([1; 32]), log: LogId(1), seq: 1 },
            time: Stamp::from_ms(1),
            name: Name::from_lossy("Ana", "?"),
            conversation: Conversation::general(),
            to: None,
            kind: MessageKind::Say,
            text: "x".to_owned(),
            reply_to: None,
            reply: None,
            changes: Box::default(),
            held: None,
        }
    }

    fn wait_until(mut is_true: impl FnMut() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !is_true() {
            assert!(Instant::now() < deadline);
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn messages_beyond_the_queue_are_skipped() {
        let dir = tempfile::tempdir().unwrap();
        let program = program(dir.path(), ": > \"$0.began\"\nsleep 1000");
        let hook = MessageHook::start(program.clone()).unwrap();
        hook.offer(&message());
        wait_until(|| program.with_extension("began").exists());
        (0..HOOKS_WAITING_MAX).for_each(|_| hook.offer(&message()));
        assert_eq!(hook.skipped.load(Ordering::Relaxed), 0);
        (0..5).for_each(|_| hook.offer(&message()));
        assert_eq!(hook.skipped.load(Ordering::Relaxed), 5);
        // This ends the program, and returns.
        drop(hook);
    }

    #[test]
    fn what_a_program_leaves_behind_ends_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let program = program(dir.path(), "sleep 1000 &\necho $! > \"$0.new\" && mv \"$0.new\" \"$0.child\"");
        let hook = MessageHook::start(program.clone()).unwrap();
        hook.offer(&message());
        let file = program.with_extension("child");
        wait_until(|| file.exists());
        let child = std::fs::read_to_string(file).unwrap();
        // Gone, or a zombie that its new parent has not reaped.
        wait_until(|| match std::fs::read_to_string(format!("/proc/{}/stat", child.trim())) {
            Ok(stat) => stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('Z')),
            Err(_) => true,
        });
        drop(hook);
    }
}
