//! One run of the system's ssh.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::sync::mpsc::{Receiver, channel};
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use super::local_port::LocalPort;
use super::{SshOptions, remote};
use crate::client::node::is_token;
use crate::client::{Error, print};

/// The status with which ssh itself fails.
const SSH_FAILED: i32 = 255;

/// Longest line of the other side or of ssh that is looked at, in bytes.
const LINE_BYTES_MAX: u64 = 8 * 1024;

/// The reason for which a run ended.
#[derive(Debug)]
pub(super) enum SshEnd {
    /// There is no connection, with ssh's own reason.
    Lost(String),
    /// The program of the other side ended with this status.
    Remote(i32),
}

/// A running ssh. It ends when it is dropped.
pub(super) struct SshProcess {
    /// None only while its end is awaited.
    child: Option<Child>,
    /// The other side ends when this is closed.
    stdin: Option<ChildStdin>,
    tokens: Receiver<Zeroizing<String>>,
    /// The last line on standard error.
    reason: Arc<Mutex<String>>,
}

impl SshProcess {
    /// Starts ssh with a forward from `port` to a socket that the other side makes.
    pub(super) fn start(ssh: &SshOptions, port: LocalPort) -> Result<Self, Error> {
        let name = format!("{:032x}", rand::random::<u128>());
        let mut command = ssh_command();
        // The user's options come first: of several values, ssh takes the first.
        command.args(&ssh.options).arg("-T");
        // Without a shared connection, whose forward would outlive this run.
        for option in
            ["ControlPath=none", "ExitOnForwardFailure=yes", "ServerAliveInterval=15", "ServerAliveCountMax=3"]
        {
            command.args(["-o", option]);
        }
        command.args(port.forwards(&remote::socket_path(&name).to_string_lossy()));
        command.args(["--", &ssh.host]).arg(remote::command(&name, ssh.start));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(Error::NoSsh)?;

        let stdin = child.stdin.take();
        let (sender, tokens) = channel(1);
        let stdout = child.stdout.take();
        thread::spawn(move || {
            let Some(stdout) = stdout else { return };
            for_each_line(stdout, |line| {
                let token = Zeroizing::new(line.trim().to_ascii_lowercase());
                !is_token(&token) || sender.blocking_send(token).is_ok()
            });
        });
        let (reason, stderr) = (Arc::new(Mutex::new(String::new())), child.stderr.take());
        let last = reason.clone();
        thread::spawn(move || {
            let Some(stderr) = stderr else { return };
            for_each_line(stderr, |line| {
                let line = print::sanitize(line.trim());
                if !line.is_empty() {
                    // Questions of ssh go to the terminal itself.
                    tracing::debug!("ssh: {line}");
                    *last.lock().unwrap_or_else(PoisonError::into_inner) = line;
                }
                true
            });
        });
        Ok(Self { child: Some(child), stdin, tokens, reason })
    }

    /// Waits for the next token. The other side sends another when it changes.
    pub(super) async fn next_token(&mut self) -> Result<Zeroizing<String>, SshEnd> {
        if let Some(token) = self.tokens.recv().await {
            return Ok(token);
        }
        // Standard output is closed: the program of the other side has ended, or the connection.
        let Some(mut child) = self.child.take() else { return Err(SshEnd::Lost(String::new())) };
        let status = spawn_blocking(move || child.wait()).await;
        let code = status.ok().and_then(Result::ok).and_then(|status| status.code());
        let reason = self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Err(match code {
            Some(code) if code != SSH_FAILED => SshEnd::Remote(code),
            _ => SshEnd::Lost(reason),
        })
    }
}

impl Drop for SshProcess {
    fn drop(&mut self) {
        self.stdin = None;
        if let Some(mut child) = self.child.take() {
            // It has ended already, or ends now.
            _ = child.kill();
            _ = child.wait();
        }
    }
}

/// The system's ssh. It must not get the room's key.
pub(super) fn ssh_command() -> Command {
    let mut command = Command::new("ssh");
    command.env_remove("ROOMFUL_ROOM_KEY");
    command
}

/// Reads lines until the end, or until `handle` returns false. The rest of long lines is dropped.
fn for_each_line(pipe: impl std::io::Read, mut handle: impl FnMut(&str) -> bool) {
    let mut reader = BufReader::new(pipe);
    loop {
        let mut line = Zeroizing::new(Vec::with_capacity(LINE_BYTES_MAX as usize));
        match reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line) {
            Ok(1..) => {}
            _ => return,
        }
        let is_long = line.len() as u64 == LINE_BYTES_MAX && !line.ends_with(b"\n");
        if is_long && reader.skip_until(b'\n').is_err() {
            return;
        }
        if !handle(&String::from_utf8_lossy(&line)) {
            return;
        }
    }
}
