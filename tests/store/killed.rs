//! A repair killed at each of its steps. A child of this program repairs a database under strace,
//! which kills it at one of its calls. The next start then has everything, keeps the damaged files
//! unchanged, and reports the repair.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use roomful::store::Store;

use crate::fixtures::Bed;
use crate::past::{Files, Past, database, files, path, placed, shown};

/// Names the directory to a child.
const DIRECTORY: &str = "ROOMFUL_TEST_DIRECTORY";

/// The calls that change what the next start finds.
const CALLS: [&str; 8] =
    ["rename", "unlink", "ftruncate", "fsync", "fdatasync", "pwrite64", "copy_file_range", "openat"];

/// Calls of one kind at most at which a repair is killed, unless `ALL` is set.
const POINTS: usize = 7;

/// What a child does, and nothing in any other run.
#[tokio::test]
async fn child_opens_the_given_store() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let location = roomful::store::Location::in_dir(Path::new(&directory), &crate::fixtures::room());
    match Store::open(location, crate::fixtures::room(), crate::fixtures::me().id(), crate::fixtures::NOON) {
        Ok((store, _)) => {
            println!("opened");
            store.close().await;
        }
        Err(error) => println!("refused: {error}"),
    }
}

/// Has a child open a directory, recorded. True if it lived, and what it said.
fn child(directory: &Path, record: &Path, fault: Option<&str>) -> (bool, String) {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-e", "signal=none", "-e", &format!("trace={}", CALLS.join(","))]).arg("-o").arg(record);
    if let Some(fault) = fault {
        strace.args(["-e", &format!("inject={fault}")]);
    }
    strace.arg(std::env::current_exe().expect("this program"));
    strace.args(["--exact", "killed::child_opens_the_given_store", "--nocapture", "--test-threads=1"]);
    let output = strace.env(DIRECTORY, directory).output().expect("strace; tests/run installs it");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(fault.is_some() || said.contains("opened"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    (output.status.success(), said)
}

/// For each call, how often the thread that repairs makes it: strace counts for each thread.
fn points(record: &Path) -> Vec<(String, usize)> {
    let text = std::fs::read_to_string(record).expect("a recording");
    let repairs = text.lines().find(|line| line.contains("rename(")).and_then(|line| line.split(' ').next());
    let repairs = repairs.expect("a repair renames");
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for line in text.lines().filter(|line| line.split(' ').next() == Some(repairs)) {
        let call = line[repairs.len()..].trim_start().split('(').next().unwrap_or_default();
        *counts.entry(CALLS.iter().find(|known| **known == call).copied().unwrap_or_default()).or_default() += 1;
    }
    counts.remove("");
    let is_all = std::env::var_os("ALL").is_some();
    let mut points = Vec::new();
    for (call, count) in counts {
        let step = if is_all || call == "rename" { 1 } else { count.div_ceil(POINTS) };
        points.extend((1..=count).step_by(step).map(|nth| (call.to_owned(), nth)));
    }
    points
}

/// A history whose database and log are both damaged.
fn damaged(past: &Past) -> Files {
    let mut damaged = past.killed.clone();
    let name = database();
    let pages = damaged[&name].len() / 4096;
    damaged.get_mut(&name).expect("a database")[pages / 2 * 4096..(pages / 2 + 1) * 4096].fill(0x5a);
    let log = damaged.get_mut(&format!("{name}-wal")).expect("a log");
    let middle = log.len() / 2;
    log[middle] ^= 1;
    damaged
}

#[tokio::test]
async fn repair_killed_at_any_call_is_resumed() {
    let past = Past::new(60).await;
    let damaged = damaged(&past);
    let record = tempfile::NamedTempFile::new().expect("a file");
    let whole = placed(&damaged);
    assert!(child(whole.path(), record.path(), None).0);
    let whole = Bed::at(&whole);
    let expected: Vec<_> = shown(&whole.store).await.expect("readable").into_iter().map(|line| line.id).collect();
    assert!(expected.len() > 50, "most can be salvaged: {}", expected.len());

    let points = points(record.path());
    println!("{} points at which a repair may end", points.len());
    let mut killed = 0;
    for (call, nth) in points {
        let dir = placed(&damaged);
        let fault = format!("{call}:signal=SIGKILL:when={nth}");
        let (lived, _) = child(dir.path(), record.path(), Some(&fault));
        killed += usize::from(!lived);
        let bed = Bed::at(&dir);
        let lines = shown(&bed.store).await.expect("readable");
        let ids: Vec<_> = lines.iter().map(|line| line.id).collect();
        assert_eq!(ids, expected, "killed at {fault}");
        past.check(&lines).expect("as it was signed");
        let told = bed.store.mended().expect("told").0;
        assert_eq!(told.matches("was damaged").count(), 1, "killed at {fault}: {told}");
        let left = files(dir.path());
        for suffix in ["", "-wal"] {
            let kept = path(dir.path()).with_extension(format!("db.damaged-{}{suffix}", crate::fixtures::NOON));
            let kept = std::fs::read(kept).expect("kept");
            assert!(kept == damaged[&format!("{}{suffix}", database())], "killed at {fault}: it is not as it was");
        }
        let stray = left.keys().find(|name| [".new", ".copy", ".part"].iter().any(|part| name.contains(part)));
        assert_eq!(stray, None, "killed at {fault}");
    }
    assert!(killed > 20, "only {killed} were killed");
}

#[tokio::test]
async fn repair_without_space_is_reported_and_resumed() {
    let past = Past::new(30).await;
    let damaged = damaged(&past);
    let record = tempfile::NamedTempFile::new().expect("a file");
    assert!(child(placed(&damaged).path(), record.path(), None).0);
    let text = std::fs::read_to_string(&record).expect("a recording");
    let thread = text.lines().find(|line| line.contains("rename(")).and_then(|line| line.split(' ').next());
    let thread = thread.expect("a repair renames");
    let before = text.lines().filter(|line| line.split(' ').next() == Some(thread));
    let before =
        before.take_while(|line| !line.contains(".damaged-")).filter(|line| line.contains("pwrite64(")).count();
    // While it is copied, and while the new one is written.
    for fault in ["copy_file_range:error=ENOSPC".to_owned(), format!("pwrite64:error=ENOSPC:when={}+", before + 20)] {
        let dir = placed(&damaged);
        let (_, said) = child(dir.path(), record.path(), Some(&fault));
        let kept = path(dir.path()).with_extension(format!("db.damaged-{}", crate::fixtures::NOON));
        assert!(
            said.contains("free up") && said.contains(" MiB") && said.contains(&kept.display().to_string()),
            "{fault}: {said}"
        );
        let left = files(dir.path());
        let stray = left.keys().find(|name| [".new", ".copy"].iter().any(|part| name.contains(part)));
        assert_eq!(stray, None, "{fault}");
        assert!(left[&format!("{}.damaged-{}", database(), crate::fixtures::NOON)] == damaged[&database()]);
        let bed = Bed::at(&dir);
        assert!(shown(&bed.store).await.expect("readable").len() > 20, "{fault}");
    }
}
