//! The node as a process: start, a second node beside it, stop.

use std::io::{BufRead as _, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{Ended, roomful, run};

/// A node, killed should a test fail.
struct Node {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    ready: Value,
}

/// Starts a node without peers: on a loopback address and in a room of its own.
fn start(host: &str, arguments: &[&str]) -> Node {
    let room = format!("{host}-{}", std::process::id());
    let mut command = roomful(&["--json", "--host", host, "--room", &room, "--web-port", "none"]);
    let mut process = command.args(arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let ready = serde_json::from_str(&lines.next().expect("a line when it is ready").unwrap()).unwrap();
    Node { process, lines, ready }
}

impl Node {
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    fn ended(&mut self) -> (Option<i32>, Vec<String>) {
        let rest = self.lines.by_ref().map(Result::unwrap).collect();
        (self.process.wait().unwrap().code(), rest)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

#[test]
fn second_node_names_the_first_in_its_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    let mut node = start("127.0.0.41", &["--data-dir", path]);
    assert_eq!((node.ready["event"].as_str(), node.ready["data_dir"].as_str()), (Some("ready"), Some(path)));

    let second = run(&["--data-dir", path, "--host", "127.0.0.42"]);
    assert_eq!((second.status, second.out.as_str()), (1, ""));
    assert!(second.err.contains(&format!("in use by process {}", node.process.id())), "{}", second.err);

    let link = run(&["url", "--data-dir", path, "--port", "9000"]);
    assert!(link.out.starts_with("http://127.0.0.1:9000/#token="), "{link:?}");

    // After a crash the next start works, as the same node.
    let id = node.ready["id"].clone();
    node.process.kill().unwrap();
    node.process.wait().unwrap();
    assert!(run(&["members", "--data-dir", path]).err.contains("no node is running"));
    assert_eq!(start("127.0.0.41", &["--data-dir", path]).ready["id"], id);
}

#[test]
fn signal_stops_the_node_with_status_0() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut node = start("127.0.0.43", &["--ephemeral"]);
        let dir = node.ready["data_dir"].as_str().unwrap().to_owned();
        assert!(Path::new(&dir).join("run.json").exists());
        node.signal(signal);
        assert_eq!(node.ended(), (Some(0), vec![r#"{"event":"stopped"}"#.to_owned()]));
        assert!(!Path::new(&dir).exists());
    }
}

#[test]
fn duplicate_signal_counts_once() {
    let mut node = start("127.0.0.45", &["--ephemeral"]);
    node.signal(Signal::TERM);
    node.signal(Signal::INT);
    assert_eq!(node.ended(), (Some(0), vec![r#"{"event":"stopped"}"#.to_owned()]));
}

#[test]
fn a_closed_standard_output_does_not_stop_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    let mut command = roomful(&["--data-dir", path, "--host", "127.0.0.44", "--web-port", "none"]);
    let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
    drop(process.stdout.take());
    let deadline = Instant::now() + Duration::from_secs(60);
    while run(&["url", "--data-dir", path, "--port", "9"]).status != 0 {
        assert!(Instant::now() < deadline && process.try_wait().unwrap().is_none());
    }
    kill_process(Pid::from_child(&process), Signal::TERM).unwrap();
    assert_eq!(process.wait().unwrap().code(), Some(0));
}

#[test]
fn unusable_setting_is_reported_in_two_lines() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let refused = run(&["--data-dir", file.to_str().unwrap()]);
    assert_eq!(refused, Ended { status: 1, out: String::new(), err: refused.err.clone() });
    assert_eq!(refused.err.lines().count(), 2);
    assert!(refused.err.contains("not a directory") && refused.err.contains("--data-dir"), "{}", refused.err);

    let kept = dir.path().join("kept");
    std::fs::create_dir(&kept).unwrap();
    std::fs::write(kept.join("key"), "damaged").unwrap();
    let refused = run(&["--data-dir", kept.to_str().unwrap()]);
    assert_eq!((refused.status, refused.err.lines().count()), (1, 2), "{}", refused.err);
    assert_eq!(std::fs::read_to_string(kept.join("key")).unwrap(), "damaged");
}

#[test]
fn closed_standard_error_does_not_stop_it() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config.toml");
    std::fs::write(&config, "log = \"trace\"\n").unwrap();
    let path = dir.path().join("node").display().to_string();
    let mut command =
        roomful(&["--json", "--host", "127.0.0.46", "--web-port", "none", "--data-dir", &path, "--config"]);
    let mut process = command.arg(&config).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("ready"));
    drop(process.stderr.take());
    // The node logs what is wrong with the file, into a pipe without a reader.
    std::fs::write(&config, "nonsense = 1\n").unwrap();
    kill_process(Pid::from_child(&process), Signal::HUP).unwrap();
    assert_eq!(run(&["members", "--data-dir", &path]).status, 0);
    kill_process(Pid::from_child(&process), Signal::TERM).unwrap();
    assert_eq!(process.wait().unwrap().code(), Some(0));
    assert_eq!(lines.next().unwrap().unwrap(), "{\"event\":\"stopped\"}");
}
