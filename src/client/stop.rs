//! `roomful stop`: stops the node and waits until its process has ended.

use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout_at};

use super::{Error, NodeClient};

/// Timeout of the stop, in seconds. The node needs at most 3 s, more on a slow disk.
const PATIENCE_SECONDS: u64 = 10;

/// Interval of the checks, in milliseconds. Not every system reports the end of a process that is
/// no child.
const LOOK_EVERY_MS: u64 = 20;

/// Stops the node. Returns when its process has ended.
pub async fn stop(node: &NodeClient) -> Result<(), Error> {
    let deadline = Instant::now() + Duration::from_secs(PATIENCE_SECONDS);
    match node.post("/api/v1/stop", &json!({})).await {
        // The node may be stopping already, or end before it answers.
        Ok(_) | Err(Error::Broken(_) | Error::Refused { status: 503, .. }) => {}
        Err(error) => return Err(error),
    }
    let pid = node.run.pid;
    let gone = async {
        while is_running(pid) {
            sleep(Duration::from_millis(LOOK_EVERY_MS)).await;
        }
    };
    timeout_at(deadline, gone).await.map_err(|_| Error::StillRunning { pid, seconds: PATIENCE_SECONDS })
}

fn is_running(pid: u32) -> bool {
    let Some(process) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return false };
    test_kill_process(process) != Err(Errno::SRCH) && !is_zombie(pid)
}

/// Returns true for a zombie: it holds no port, file or lock any more.
fn is_zombie(pid: u32) -> bool {
    // The second field is a name in brackets, which may contain brackets.
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    status.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ended_process_is_gone_even_as_a_zombie() {
        let mut child = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        assert!(is_running(child.id()));
        drop(child.stdin.take());
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        while is_running(child.id()) {
            assert!(std::time::Instant::now() < deadline, "a zombie counts as running");
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert!(!is_running(child.id()));
    }
}
