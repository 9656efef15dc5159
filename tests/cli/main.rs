//! The real program from outside: its output, its requests to a node, its exit status.

#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod changes;
mod commands;
mod fake;
mod lines;
mod process;
mod usage;

use std::ffi::OsStr;
use std::process::{Command, Output, Stdio};

/// The program, in an environment without any variable that could change its mind.
fn roomful<S: AsRef<OsStr>>(arguments: &[S]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roomful"));
    let ours = std::env::vars_os().filter(|(key, _)| key.to_string_lossy().starts_with("ROOMFUL_"));
    ours.for_each(|(key, _)| _ = command.env_remove(key));
    // The users of the machine under test change the greeting.
    command.env("ROOMFUL_SHARED", "no");
    command.env_remove("RUST_LOG").env_remove("SSH_CONNECTION").env("TZ", "UTC").args(arguments);
    command.stdin(Stdio::null());
    command
}

/// What a run came to.
#[derive(Debug, PartialEq, Eq)]
struct Ended {
    status: i32,
    out: String,
    err: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            status: output.status.code().expect("it ended by itself"),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

fn run<S: AsRef<OsStr>>(arguments: &[S]) -> Ended {
    roomful(arguments).output().unwrap().into()
}
