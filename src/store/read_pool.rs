//! The pool of read-only connections.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::connection::{Location, connect_reader};
use super::error::StoreError;
use crate::proto::limits::READERS;

/// The connections that serve reads.
pub(super) enum ReadPool {
    /// Up to [`READERS`] connections of their own.
    Pool {
        /// The database file.
        path: PathBuf,
        /// Open connections that no read uses.
        idle: Mutex<Vec<Connection>>,
        /// One permit for each read that may begin.
        free: Arc<Semaphore>,
    },
    /// The writer's connection, between commits: a database in memory has no other.
    Writer,
}

impl ReadPool {
    /// Returns a pool without connections. Each is opened when it is first needed.
    pub(super) fn new(location: Location) -> Self {
        match location {
            Location::File(path) => {
                Self::Pool { path, idle: Mutex::default(), free: Arc::new(Semaphore::new(READERS)) }
            }
            Location::Memory => Self::Writer,
        }
    }

    /// Reads on an idle connection, or on a new one. Blocks the thread.
    pub(super) fn with_connection<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let Self::Pool { path, idle, .. } = self else { return Err(StoreError::Closed) };
        let waiting = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut db = match waiting {
            Some(db) => db,
            None => connect_reader(path)?,
        };
        let result = in_transaction(&mut db, read);
        idle.lock().unwrap_or_else(PoisonError::into_inner).push(db);
        result
    }

    /// Closes the pool once no read is running. Later reads fail.
    pub(super) async fn close(&self) {
        if let Self::Pool { free, .. } = self
            && let Ok(all) = free.acquire_many(READERS as u32).await
        {
            free.close();
            drop(all);
        }
        self.clear();
    }

    /// Closes the idle connections.
    pub(super) fn clear(&self) {
        if let Self::Pool { idle, .. } = self {
            idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }
}

/// Reads in one transaction, so that all statements see one state of the database.
pub(super) fn in_transaction<T>(
    db: &mut Connection,
    read: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let transaction = db.transaction()?;
    let result = read(&transaction)?;
    transaction.commit()?;
    Ok(result)
}
