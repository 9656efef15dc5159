//! Recording of a node's system calls by strace, and injection of faults into them.

use std::collections::HashMap;
use std::path::PathBuf;

use support::lab::Lab;
use support::node::Launch;
use support::wait::until;
use support::{Context, Result, ensure};

/// How much of each buffer is recorded, in bytes.
const BYTES_SHOWN: &str = "256";

/// A recording of one run of a node.
pub(crate) struct Trace {
    path: PathBuf,
}

/// One call of the system.
#[derive(Debug)]
pub(crate) struct Call {
    /// Its name: `fsync`.
    pub(crate) name: String,
    /// Its arguments as strace writes them, with what a descriptor is: `9</tmp/x/room.db-wal>`.
    pub(crate) args: String,
    /// What came back: `0`, `-1 EIO (Input/output error) (INJECTED)`. Empty if it never did.
    pub(crate) result: String,
    /// Which thread called.
    pub(crate) thread: u32,
    /// The line at which it began: whatever ended at a smaller one was over.
    pub(crate) begun: usize,
    /// The line at which it had ended.
    pub(crate) ended: usize,
    /// When it had ended, in seconds since 1970.
    pub(crate) ended_s: f64,
}

impl Call {
    /// Whether it waits until a file is on the disk.
    pub(crate) fn is_sync(&self) -> bool {
        self.name == "fsync" || self.name == "fdatasync"
    }

    /// Whether it is about the write-ahead log of a database.
    pub(crate) fn is_on_log(&self) -> bool {
        self.args.split(',').next().is_some_and(|file| file.ends_with(".db-wal>"))
    }

    /// Whether it is about a database or what stands beside it.
    pub(crate) fn is_on_database(&self) -> bool {
        self.args.split(',').next().is_some_and(|file| file.contains(".db"))
    }

    /// Whether it returned zero: `0`, or `0 (DELAYED)`.
    pub(crate) fn succeeded(&self) -> bool {
        self.result.split(' ').next() == Some("0")
    }

    /// Whether strace answered instead of the system.
    pub(crate) fn is_injected(&self) -> bool {
        self.result.contains("INJECTED")
    }
}

impl Trace {
    /// A recording called `name`.
    pub(crate) fn new(lab: &Lab, name: &str) -> Self {
        Self { path: lab.dir().join(format!("{name}.strace")) }
    }

    /// The node, recorded: these calls, with these faults (`fsync:error=EIO:when=3`).
    pub(crate) fn of(&self, launch: Launch, calls: &str, faults: &[&str]) -> Launch {
        let path = self.path.display().to_string();
        let calls = format!("trace={calls}");
        // With -D the node is the child that was started, and strace stands beside it.
        let mut words = vec![
            "strace",
            "-D",
            "-f",
            "-yy",
            "-ttt",
            "-T",
            "-s",
            BYTES_SHOWN,
            "-o",
            &path,
            "-e",
            &calls,
            "-e",
            "signal=none",
        ];
        let faults: Vec<String> = faults.iter().map(|fault| format!("inject={fault}")).collect();
        for fault in &faults {
            words.extend(["-e", fault]);
        }
        launch.through(&words)
    }

    /// All calls in the order in which they began, once the node has ended.
    pub(crate) async fn calls(&self) -> Result<Vec<Call>> {
        let ended = async || {
            let text = std::fs::read_to_string(&self.path).with_context(|| {
                format!("{}: is there a strace that may trace? tests/run installs it", self.path.display())
            })?;
            let last = text.lines().last().unwrap_or_default();
            ensure!(last.contains("+++ exited with") || last.contains("+++ killed by"), "the last line is {last:?}");
            Ok(parse(&text))
        };
        until("the recording is complete", ended).await
    }
}

/// Reads what strace wrote: a call on one line, or begun on one and ended on another.
fn parse(text: &str) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    let mut unfinished: HashMap<u32, usize> = HashMap::new();
    for (at, line) in text.lines().enumerate() {
        let mut words = line.splitn(2, ' ').flat_map(|rest| rest.trim_start().splitn(2, ' '));
        let (Some(thread), Some(time_s), Some(rest)) = (words.next(), words.next(), words.next()) else { continue };
        let (Ok(thread), Ok(time_s)) = (thread.parse(), time_s.parse::<f64>()) else { continue };
        if rest.starts_with("<... ") {
            let Some(number) = unfinished.remove(&thread) else { continue };
            let Some((_, more)) = rest.split_once("resumed>") else { continue };
            let (args, result, _) = parts(more);
            let call = &mut calls[number];
            call.args.push_str(args);
            call.result = result.to_owned();
            (call.ended, call.ended_s) = (at, time_s);
            continue;
        }
        let Some((name, more)) = rest.split_once('(') else { continue };
        let (args, result, took_s) = match more.strip_suffix("<unfinished ...>") {
            Some(args) => (args.trim_end(), "", f64::INFINITY),
            None => parts(more),
        };
        let ended = if took_s.is_finite() { at } else { usize::MAX };
        if ended > at {
            unfinished.insert(thread, calls.len());
        }
        let (name, args, result) = (name.to_owned(), args.to_owned(), result.to_owned());
        calls.push(Call { name, args, result, thread, begun: at, ended, ended_s: time_s + took_s });
    }
    calls
}

/// `arguments) = result <seconds>` in its parts. A call that never returns has `?` and no seconds.
fn parts(text: &str) -> (&str, &str, f64) {
    let Some((args, result)) = text.rsplit_once(" = ") else { return (text, "", f64::INFINITY) };
    let (result, took) = result.rsplit_once(" <").unwrap_or((result, ""));
    let took_s = took.trim_end_matches('>').parse().unwrap_or(f64::INFINITY);
    (args.trim_end().trim_end_matches(')'), result.trim(), took_s)
}

#[test]
fn recordings_are_read() {
    let text = "12 1.5 fsync(9</x/room.db-wal> <unfinished ...>\n\
                13 1.6 sendto(7<TCP:[127.0.0.1:1->127.0.0.2:2]>, \"a = b\", 5, MSG_NOSIGNAL, NULL, 0) = 5 <0.5>\n\
                12 1.7 <... fsync resumed>)                = -1 EIO (Input/output error) (INJECTED) <0.2>\n\
                12 1.8 +++ exited with 1 +++\n";
    let calls = parse(text);
    assert_eq!(calls.len(), 2, "{calls:?}");
    assert!(calls[0].is_sync() && calls[0].is_on_log() && calls[0].is_injected(), "{calls:?}");
    assert_eq!((calls[0].begun, calls[1].begun, calls[1].ended, calls[0].ended), (0, 1, 1, 2));
    assert_eq!((calls[0].ended_s, calls[1].ended_s), (1.7, 2.1));
    assert!(calls[1].result == "5" && calls[1].thread == 13 && calls[1].args.contains("a = b"), "{calls:?}");
}
