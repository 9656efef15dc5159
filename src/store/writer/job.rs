//! Jobs of the writer's thread.

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::proto::ids::Arrival;
use crate::proto::limits::HEADER_BYTES_MAX;
use crate::proto::replication::store_api::Write;
use crate::store::error::StoreError;
use crate::store::tables::page_storage::Change;

/// A job for the writer.
pub(crate) enum Job {
    /// Applies a write.
    Write(Write),
    /// Reads on the writer's own connection: a database in memory has no other.
    Read(Box<dyn FnOnce(&mut Connection) + Send>),
    /// Clears a damaged search index. Answered when it is empty.
    Reindex(oneshot::Sender<()>),
    /// Quarantines a batch that a reader found corrupted. Answered when it is done.
    Quarantine(Arrival, oneshot::Sender<Result<(), StoreError>>),
    /// Changes the storage of the user's pages. Answered after the commit: true if the change fits.
    ChangePageStorage(Change, oneshot::Sender<Result<bool, StoreError>>),
    /// Rebuilds the tables, which a reader found to contradict the batches. The number is the count
    /// of rebuilds that the reader had seen. Answered when it is done.
    Rebuild(String, u64, oneshot::Sender<Result<(), StoreError>>),
    /// Ends the writer.
    Close,
}

/// Sends a result to the caller. Returns a failure that must stop the writer.
pub(crate) fn answer<T>(
    result: Result<T, StoreError>,
    done: oneshot::Sender<Result<T, StoreError>>,
) -> Result<(), StoreError> {
    match result {
        Err(error) if !error.is_disk_full() => Err(error),
        result => {
            // The caller may have gone.
            let _ = done.send(result);
            Ok(())
        }
    }
}

/// Estimates the bytes that a write adds to a commit.
pub(crate) fn estimated_bytes(write: &Write) -> usize {
    match write {
        Write::Append { batches, .. } => batches.iter().map(|append| append.batch.bytes().len()).sum(),
        Write::Receipts(receipts) => receipts.len() * 64,
        Write::Fork(_) => 2 * HEADER_BYTES_MAX,
        Write::Notice { .. } | Write::Member(_) | Write::OwnName(_) | Write::Mark { .. } | Write::Read { .. } => 256,
    }
}
