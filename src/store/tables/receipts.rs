//! The table `receipt`: which entries of own logs each member has stored, as merged ranges.

use rusqlite::{Connection, params};

use crate::proto::ids::{NodeId, Seq};
use crate::proto::replication::store_api::MemberReceipt;
use crate::store::error::StoreError;
use crate::store::sql::{Blob32, LogColumn, NonNegative, int};

/// Returns the ranges of a member's receipts that overlap or adjoin this one.
pub(crate) fn overlapping_or_adjacent(
    db: &Connection,
    log: i64,
    member: i64,
    first: Seq,
    last: Seq,
) -> Result<Vec<(Seq, Seq)>, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT first_seq, last_seq FROM receipt
         WHERE log = ?1 AND member = ?2 AND first_seq <= ?4 + 1 AND last_seq >= ?3 - 1",
    )?;
    let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, NonNegative>(0)?.0, row.get::<_, NonNegative>(1)?.0));
    let ranges = statement.query_map(params![log, member, int(first), int(last)], read)?;
    Ok(ranges.collect::<Result<_, _>>()?)
}

/// Returns all receipts for own logs.
pub(crate) fn receipts(db: &Connection) -> Result<Vec<MemberReceipt>, StoreError> {
    let mut statement = db.prepare(
        "SELECT a.key, l.id, r.first_seq, r.last_seq FROM receipt r JOIN author a ON a.author = r.member
         JOIN log l ON l.log = r.log ORDER BY r.log, r.member, r.first_seq",
    )?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok(MemberReceipt {
            member: NodeId(row.get::<_, Blob32>(0)?.0),
            log: row.get::<_, LogColumn>(1)?.0,
            first: row.get::<_, NonNegative>(2)?.0,
            last: row.get::<_, NonNegative>(3)?.0,
        })
    };
    Ok(statement.query_map([], read)?.collect::<Result<_, _>>()?)
}
