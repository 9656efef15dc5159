//! The table `fork`: proofs that an author signed two batches for the same place of a log.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::proto::ids::RoomId;
use crate::proto::replication::fork::{Fork, SignedHeader};
use crate::store::error::StoreError;
use crate::store::sql::Blob32;

/// Returns the fork of a log, if there is one. A corrupted proof counts as none, since peers send
/// it again.
pub(crate) fn fork(db: &Connection, log: i64) -> Result<Option<Fork>, StoreError> {
    let mut statement = db.prepare_cached("SELECT one, other, (SELECT room FROM node) FROM fork WHERE log = ?1")?;
    let read =
        |row: &rusqlite::Row<'_>| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, Blob32>(2)?));
    let Some((one, other, room)) = statement.query_row([log], read).optional()? else { return Ok(None) };
    let signed = |bytes: Vec<u8>| SignedHeader::verify(&Bytes::from(bytes), &RoomId(room.0)).ok();
    Ok(signed(one).zip(signed(other)).and_then(|(one, other)| Fork::new(one, other)))
}

/// Stores the proof of a fork. A later proof for the same log replaces it.
pub(crate) fn put_fork(db: &Connection, log: i64, fork: &Fork) -> Result<(), StoreError> {
    let [one, other] = fork.proof();
    db.prepare_cached("INSERT OR REPLACE INTO fork (log, one, other) VALUES (?1, ?2, ?3)")?.execute(params![
        log,
        one.bytes().as_ref(),
        other.bytes().as_ref()
    ])?;
    Ok(())
}
