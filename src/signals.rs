//! SIGINT and SIGTERM: the first asks the node to stop, the second ends the process at once.
//!
//! They are heard on a thread of their own, so that the second one works however stuck the rest is. Some programs send each signal
//! twice, to the process and to its group, as `timeout` does; nobody presses Ctrl-C a second time so soon.

use std::io;
use std::thread;
use std::time::Duration;

use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The exit status after a second signal.
const IMPATIENT: i32 = 1;

/// How soon a second signal still belongs to the first, in milliseconds.
const TWICE_WITHIN_MS: u64 = 100;

/// Begins to listen. The token is cancelled by the first signal, and may be by others; the first signal counts as such even then.
pub fn stop_on_signal() -> io::Result<CancellationToken> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    // Registered before this returns: a signal from here on is never the system's to handle.
    let (mut interrupt, mut terminate) = {
        let _entered = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    let stop = CancellationToken::new();
    let asked = stop.clone();
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            let mut signalled = async || {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
            };
            signalled().await;
            asked.cancel();
            let echoes = async {
                loop {
                    signalled().await;
                }
            };
            _ = tokio::time::timeout(Duration::from_millis(TWICE_WITHIN_MS), echoes).await;
            signalled().await;
            std::process::exit(IMPATIENT);
        });
    })?;
    Ok(stop)
}
