//! Reports the failure that must stop the node, whichever thread meets it first.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;
use tracing::{debug, error};

use super::error::StoreError;
use super::files::with_suffix;

/// Suffix of the marker file that makes the next start check the database.
pub(super) const SUSPECT: &str = "suspect";

/// The failure of a store. Its threads share it through clones.
#[derive(Clone, Debug)]
pub(super) struct WriterFailure {
    told: Arc<watch::Sender<Option<String>>>,
    path: Option<PathBuf>,
}

impl WriterFailure {
    /// Returns a report without a failure, for the database at `path`. In memory there is no path.
    pub(super) fn new(path: Option<PathBuf>) -> Self {
        Self { told: Arc::new(watch::Sender::new(None)), path }
    }

    /// Reports that the store cannot continue. Only the first report counts.
    pub(super) fn report(&self, error: &StoreError) {
        debug!(%error, "the store stops");
        let sentence = if let StoreError::Damaged(_) = error {
            self.request_integrity_check(error);
            format!("{error}. Restart Roomful: what can still be read is kept, and the rest arrives from others again.")
        } else {
            format!("{error}. Retrying could lose messages. Check the disk, then restart Roomful.")
        };
        self.told.send_if_modified(|told| {
            let first = told.is_none();
            told.get_or_insert(sentence);
            first
        });
    }

    /// Returns true if the store has stopped.
    pub(super) fn has_failed(&self) -> bool {
        self.told.borrow().is_some()
    }

    /// Waits for a failure. Returns a sentence for the user.
    pub(super) async fn wait(&self) -> String {
        let mut told = self.told.subscribe();
        // The borrowed sentence must not live on, or this could not wait on every thread.
        match told.wait_for(Option::is_some).await.map(|sentence| sentence.clone().unwrap_or_default()) {
            Ok(sentence) => sentence,
            // `self` holds the sender, so it is never dropped here.
            Err(_) => std::future::pending().await,
        }
    }

    /// Leaves the marker file, so that the next start checks the database even after a clean end of
    /// this run.
    fn request_integrity_check(&self, found: &StoreError) {
        let Some(path) = &self.path else { return };
        let reason = match found {
            StoreError::Damaged(reason) => reason.as_str(),
            _ => "",
        };
        if let Err(error) = std::fs::write(with_suffix(path, SUSPECT), reason) {
            error!(%error, "could not leave a mark for the next start");
        }
    }
}

/// Reports a failure if its thread panics.
pub(super) struct PanicGuard(pub(super) WriterFailure);

impl Drop for PanicGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.report(&StoreError::Closed);
        }
    }
}
