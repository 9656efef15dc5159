//! Waits for conditions instead of sleeping, with generous deadlines.

use std::time::{Duration, Instant};

use super::{Result, bail, ensure};

/// Timeout of every wait. Far above what is promised: a busy machine is not a defect.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How long what takes a time of its own (lost after 15 s of silence) may take.
pub const LONG_PATIENCE: Duration = Duration::from_secs(120);

/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(15);

/// How long what rests does not move.
const REST: Duration = Duration::from_millis(200);

/// Waits until `check` succeeds. Its errors mean "not yet"; the last one is reported on timeout.
pub async fn until<T>(what: &str, check: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    until_within(PATIENCE, what, check).await
}

/// As [`until`], with a patience of its own.
pub async fn until_within<T>(patience: Duration, what: &str, mut check: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    let begun = Instant::now();
    loop {
        match check().await {
            Ok(value) => {
                println!("{what}: after {} ms", begun.elapsed().as_millis());
                return Ok(value);
            }
            Err(not_yet) if begun.elapsed() > patience => {
                bail!("{what}: not within {} s. Last seen: {not_yet:#}", patience.as_secs())
            }
            Err(_) => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}

/// Runs `check` repeatedly for `span` and fails as soon as it fails: for conditions that must keep
/// holding.
pub async fn stays(what: &str, span: Duration, mut check: impl AsyncFnMut() -> Result<()>) -> Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < span {
        if let Err(error) = check().await {
            bail!("{what}: no longer so after {} ms: {error:#}", begun.elapsed().as_millis());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// Waits until what `probe` finds is the same twice: what moved has come to rest.
pub async fn at_rest<T: PartialEq + std::fmt::Debug>(probe: impl AsyncFn() -> Result<T>) -> Result<T> {
    until("it has come to rest", async || {
        let before = probe().await?;
        tokio::time::sleep(REST).await;
        let after = probe().await?;
        ensure!(before == after, "{before:?}, then {after:?}");
        Ok(after)
    })
    .await
}
