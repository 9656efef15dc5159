//! Limits sockets that have not authenticated. At the limit, the oldest one is evicted.

use tokio_util::sync::CancellationToken;

use crate::bounded_slots::{BoundedSlots, Slot};
use crate::proto::limits::HELLOS_WAITING_MAX;

/// The sockets that have not sent a valid hello.
pub(super) struct PendingHellos(BoundedSlots<()>);

impl Default for PendingHellos {
    fn default() -> Self {
        Self(BoundedSlots::new(HELLOS_WAITING_MAX))
    }
}

impl PendingHellos {
    /// Registers a socket, evicting the oldest one at the limit.
    pub(super) fn enter(&self) -> Slot<()> {
        self.0.take((), CancellationToken::new(), |_| 0)
    }
}
