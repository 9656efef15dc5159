//! Handles SIGINT and SIGTERM: the first signal stops the node gracefully, the second ends the
//! process at once.
//!
//! A dedicated thread waits for signals, so that the second one works even if the runtime hangs.
//! Some programs, `timeout` for example, send each signal twice, to the process and to its group.
//! So signals that follow the first within 100 ms are ignored.

use std::io;
use std::thread;
use std::time::Duration;

use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The exit status after a second signal.
const IMPATIENT: i32 = 1;

/// Signals within this time after the first count as the same one, in milliseconds.
const TWICE_WITHIN_MS: u64 = 100;

/// Starts the signal thread. Returns a token that the first signal cancels.
///
/// The token may be cancelled by others as well. The next signal still counts as the first.
pub fn stop_on_signal() -> io::Result<CancellationToken> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    // Registered before this function returns, so that the default action never applies afterwards.
    let (mut interrupt, mut terminate) = {
        let _entered = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    let stop = CancellationToken::new();
    let stop_token = stop.clone();
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            let mut signalled = async || {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
            };
            signalled().await;
            stop_token.cancel();
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
