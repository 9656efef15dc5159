//! Limits sockets that have not authenticated. At the limit, the oldest one is evicted.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::proto::limits::HELLOS_WAITING_MAX;

/// The sockets that have not sent a valid hello, oldest first.
#[derive(Default)]
pub(super) struct PendingHellos(Mutex<VecDeque<CancellationToken>>);

impl PendingHellos {
    /// Registers a socket, evicting the oldest one at the limit.
    pub(super) fn enter(&self) -> PendingGuard {
        let displaced = CancellationToken::new();
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Authenticated and closed sockets cancelled their token.
        waiting.retain(|other| !other.is_cancelled());
        if waiting.len() >= HELLOS_WAITING_MAX
            && let Some(oldest) = waiting.pop_front()
        {
            oldest.cancel();
        }
        waiting.push_back(displaced.clone());
        PendingGuard { displaced }
    }
}

/// A registered socket, removed when this is dropped.
pub(super) struct PendingGuard {
    pub(super) displaced: CancellationToken,
}

impl Drop for PendingGuard {
    fn drop(&mut self) {
        self.displaced.cancel();
    }
}
