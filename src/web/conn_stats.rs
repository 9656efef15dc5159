//! Counters of one connection to the page, shared by its reader and its socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counters and wishes of one connection. Clones share their state.
#[derive(Clone, Default)]
pub(super) struct ConnStats(Arc<ConnCounts>);

#[derive(Default)]
struct ConnCounts {
    read: AtomicU64,
    last_words: AtomicBool,
}

impl ConnStats {
    /// Returns the number of bytes read so far.
    pub(super) fn read(&self) -> u64 {
        self.0.read.load(Ordering::Relaxed)
    }

    /// Enlarges the send buffer at the next write, so that the last frames reach the system even if
    /// the client is stalled.
    pub(super) fn enlarge_send_buffer(&self) {
        self.0.last_words.store(true, Ordering::Relaxed);
    }

    /// Counts bytes that were read.
    pub(super) fn add_read(&self, count: usize) {
        self.0.read.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// Returns true if a larger buffer was asked for since the last call.
    pub(super) fn take_enlarge(&self) -> bool {
        self.0.last_words.swap(false, Ordering::Relaxed)
    }
}
