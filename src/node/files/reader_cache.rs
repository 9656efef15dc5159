//! The readers of content, remembered, since each request of a peer asks for them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::proto::ids::{Hash, NodeId};
use crate::proto::limits::FILE_WANTS_MAX;

/// The readers of content, as the database and the records last said. Emptied when it is full.
#[derive(Default)]
pub(super) struct ReaderCache(Mutex<Cached>);

#[derive(Default)]
struct Cached {
    readers: BTreeMap<Hash, BTreeSet<Option<NodeId>>>,
    /// Grows with each call of [`ReaderCache::forget`].
    forgotten: u64,
}

impl ReaderCache {
    /// Forgets the readers of some content: a message that names it came, or was deleted, or its
    /// record changed.
    pub(super) fn forget(&self, content: &Hash) {
        let mut cached = self.lock();
        cached.readers.remove(content);
        cached.forgotten += 1;
    }

    /// Returns the readers of some content; otherwise the point in time for [`ReaderCache::put`].
    pub(super) fn get(&self, content: &Hash) -> Result<BTreeSet<Option<NodeId>>, u64> {
        let cached = self.lock();
        cached.readers.get(content).cloned().ok_or(cached.forgotten)
    }

    /// Keeps what was read, unless anything was forgotten since the reading began.
    pub(super) fn put(&self, began: u64, content: Hash, readers: BTreeSet<Option<NodeId>>) {
        let mut cached = self.lock();
        if cached.forgotten != began {
            return;
        }
        if cached.readers.len() >= FILE_WANTS_MAX {
            cached.readers.clear();
        }
        cached.readers.insert(content, readers);
    }

    fn lock(&self) -> MutexGuard<'_, Cached> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_older_than_a_change_is_dropped() {
        let (cache, content) = (ReaderCache::default(), Hash([1; 32]));
        let began = cache.get(&content).expect_err("nothing is known");
        cache.forget(&content);
        cache.put(began, content, [].into());
        let began = cache.get(&content).expect_err("the result was old");
        cache.put(began, content, [None].into());
        assert_eq!(cache.get(&content), Ok([None].into()));
    }
}
