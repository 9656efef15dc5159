//! One count of what is refused, shared by everything that listens.

use std::sync::{Arc, Mutex, PoisonError};

use crate::proto::refusal::{Cause, Tally};

/// The shared count. All clones are one.
#[derive(Clone, Default)]
pub(super) struct Refusals(Arc<Mutex<Tally>>);

impl Refusals {
    /// One more.
    pub(super) fn count(&self, cause: Cause) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).count(cause);
    }

    /// One more, if there is a cause.
    pub(super) fn count_some(&self, cause: Option<Cause>) {
        if let Some(cause) = cause {
            self.count(cause);
        }
    }

    /// All so far.
    pub(super) fn tally(&self) -> Tally {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
