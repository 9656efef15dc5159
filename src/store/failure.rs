//! How a failure that must stop the node is told, whichever thread meets it first.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;
use tracing::{debug, error};

use super::error::StoreError;
use super::schema::beside;

/// The word behind the name of a database that is to be looked through at the next start.
pub(super) const SUSPECT: &str = "suspect";

/// Shared by all threads of a store.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    told: Arc<watch::Sender<Option<String>>>,
    path: Option<PathBuf>,
}

impl Failure {
    /// Of the database at `path`; none: in memory.
    pub(super) fn new(path: Option<PathBuf>) -> Self {
        Self { told: Arc::new(watch::Sender::new(None)), path }
    }

    /// Says that the store can't go on. The first to say so is heard.
    pub(super) fn tell(&self, error: &StoreError) {
        debug!(%error, "the store stops");
        let sentence = if let StoreError::Damaged(_) = error {
            self.suspect(error);
            format!("{error}. Start again: what can still be read is taken over, the rest comes back from others.")
        } else {
            format!(
                "{error}. It was not tried again, since that could lose messages. Check the disk, then start again."
            )
        };
        self.told.send_if_modified(|told| {
            let first = told.is_none();
            told.get_or_insert(sentence);
            first
        });
    }

    /// Whether the store has stopped.
    pub(super) fn is_told(&self) -> bool {
        self.told.borrow().is_some()
    }

    /// Waits until the store can't go on, and says why.
    pub(super) async fn told(&self) -> String {
        let mut told = self.told.subscribe();
        match told.wait_for(Option::is_some).await {
            Ok(sentence) => sentence.clone().unwrap_or_default(),
            // `self` holds the sender.
            Err(_) => std::future::pending().await,
        }
    }

    /// Has the next start rebuild the database, though this run may end cleanly.
    fn suspect(&self, found: &StoreError) {
        let Some(path) = &self.path else { return };
        let reason = match found {
            StoreError::Damaged(reason) => reason.as_str(),
            _ => "",
        };
        if let Err(error) = std::fs::write(beside(path, SUSPECT), reason) {
            error!(%error, "could not leave a mark for the next start");
        }
    }
}

/// Reports a failure if its thread panics.
pub(super) struct PanicGuard(pub(super) Failure);

impl Drop for PanicGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.tell(&StoreError::Closed);
        }
    }
}
