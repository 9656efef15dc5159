//! Copies the local rows of a damaged database that are legible into a new one, in the caller's
//! transaction.

use std::net::IpAddr;

use bytes::Bytes;
use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, Params, Row, params};

use crate::proto::ids::{NodeId, RoomId};
use crate::proto::names::name::Name;
use crate::proto::replication::fork::{Fork, SignedHeader};
use crate::proto::replication::store_api::MemberReceipt;
use crate::store::error::StoreError;
use crate::store::sql::{Blob32, LogColumn, NonNegative};
use crate::store::tables::node::{last_name, own_name};
use crate::store::tables::page_storage;
use crate::store::write::apply::put_receipt;
use crate::store::write::fork::apply_remote_fork;
use crate::store::write::state::WriteState;
use crate::store::write::truncate::{TruncationResult, collect_changes};

/// Returns the legible rows of `sql`, a query without an order.
///
/// Reads forwards in the order of `by` up to the damage, and backwards up to it. A row may be
/// returned twice.
pub(crate) fn legible<T>(
    old: &Connection,
    sql: &str,
    by: &[&str],
    mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
) -> Vec<T> {
    let mut all = Vec::new();
    for (before_next, end) in [(", ", ""), (" DESC, ", " DESC")] {
        let complete = rows(old, &format!("{sql} ORDER BY {}{end}", by.join(before_next)), [], |row| {
            all.extend(read(row).ok());
            Ok(())
        });
        if matches!(complete, Ok(true)) {
            break;
        }
    }
    all
}

/// Passes rows to `take` until one is unreadable. Returns true at the end of the rows. Fails only
/// if `take` does.
pub(crate) fn rows(
    old: &Connection,
    sql: &str,
    params: impl Params,
    mut take: impl FnMut(&Row<'_>) -> Result<(), StoreError>,
) -> Result<bool, StoreError> {
    let Ok(mut statement) = old.prepare_cached(sql) else { return Ok(false) };
    let Ok(mut rows) = statement.query(params) else { return Ok(false) };
    loop {
        match rows.next() {
            Ok(Some(row)) => take(row)?,
            Ok(None) => return Ok(true),
            Err(_) => return Ok(false),
        }
    }
}

/// Copies this node's own name.
pub(crate) fn name(old: &Connection, db: &Connection) -> Result<(), StoreError> {
    match last_name(old) {
        Ok(Some(name)) => own_name(db, &name),
        _ => Ok(()),
    }
}

/// A legible row of the old table of authors.
pub(crate) struct LegibleAuthor {
    key: [u8; 32],
    name: Option<Name>,
    name_time: Option<i64>,
    addresses: Option<String>,
    port: Option<u16>,
    since_ms: Option<i64>,
    lost: Option<bool>,
    /// The flags verified, muted and blocked.
    marks: [bool; 3],
}

impl LegibleAuthor {
    /// Returns all legible authors.
    pub(crate) fn all(old: &Connection) -> Vec<Self> {
        let sql = "SELECT key, name, name_time, addresses, port, since_ms, lost, verified, muted, blocked FROM author";
        let is_address = |one: &str| one.is_empty() || one.parse::<IpAddr>().is_ok();
        legible(old, sql, &["author"], |row| {
            Ok(Self {
                key: row.get::<_, Blob32>(0)?.0,
                name: row.get::<_, Option<String>>(1)?.and_then(|name| Name::new(&name).ok()),
                name_time: row.get(2)?,
                addresses: row.get::<_, Option<String>>(3)?.filter(|all| all.split(',').all(is_address)),
                port: row.get(4)?,
                since_ms: row.get(5)?,
                lost: row.get(6)?,
                marks: [row.get(7)?, row.get(8)?, row.get(9)?],
            })
        })
    }

    /// Copies the user's flags.
    pub(crate) fn put_marks(&self, db: &Connection, appender: &mut WriteState) -> Result<(), StoreError> {
        let [verified, muted, blocked] = self.marks;
        let author = appender.numbers.author(db, NodeId(self.key))?;
        db.prepare_cached("UPDATE author SET verified = ?2, muted = ?3, blocked = ?4 WHERE author = ?1")?
            .execute(params![author, verified, muted, blocked])?;
        Ok(())
    }

    /// Copies addresses and presence. Copies the name only if no batch gives one, since a batch is
    /// signed.
    pub(crate) fn put_rest(&self, db: &Connection, appender: &mut WriteState) -> Result<(), StoreError> {
        let author = appender.numbers.author(db, NodeId(self.key))?;
        db.prepare_cached("UPDATE author SET addresses = ?2, port = ?3, since_ms = ?4, lost = ?5 WHERE author = ?1")?
            .execute(params![author, self.addresses, self.port, self.since_ms, self.lost])?;
        if let Some(name) = &self.name {
            db.prepare_cached("UPDATE author SET name = ?2, name_time = ?3 WHERE author = ?1 AND name IS NULL")?
                .execute(params![author, name.as_str(), self.name_time.unwrap_or(0)])?;
        }
        Ok(())
    }
}

/// Copies own entries that a fork cut off. Republished ones are copied too, so that none is
/// published twice.
pub(crate) fn fallen(old: &Connection, db: &Connection) -> Result<(), StoreError> {
    const COLUMNS: usize = 6;
    let sql = "SELECT hash, place, audience, body, name, content FROM fallen";
    let all = legible(old, sql, &["fallen"], |row| {
        let mut values = [const { Value::Null }; COLUMNS];
        for (index, value) in values.iter_mut().enumerate() {
            *value = row.get(index)?;
        }
        Ok(values)
    });
    let mut insert = db.prepare(
        "INSERT INTO fallen (hash, place, audience, body, name, content) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT DO NOTHING",
    )?;
    for row in all {
        match insert.execute(row) {
            // A row read from a page of another table.
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {}
            inserted => _ = inserted?,
        }
    }
    Ok(())
}

/// Copies the proofs of forks that verify.
pub(crate) fn forks(
    old: &Connection,
    db: &Connection,
    appender: &mut WriteState,
    room: &RoomId,
) -> Result<(), StoreError> {
    let all = legible(old, "SELECT one, other FROM fork", &["log"], |row| {
        let signed = |bytes: Vec<u8>| SignedHeader::verify(&Bytes::from(bytes), room).ok();
        Ok(signed(row.get(0)?).zip(signed(row.get(1)?)).and_then(|(one, other)| Fork::new(one, other)))
    });
    let mut truncation = TruncationResult::default();
    for fork in all.into_iter().flatten() {
        apply_remote_fork(appender, db, &fork, &mut truncation)?;
    }
    collect_changes(appender, db, truncation)?;
    Ok(())
}

/// Copies receipts for entries of own logs that were salvaged.
pub(crate) fn receipts(old: &Connection, db: &Connection, appender: &mut WriteState) -> Result<(), StoreError> {
    const ALL: &str =
        "SELECT a.key, l.id, r.first_seq, r.last_seq FROM receipt r CROSS JOIN author a ON a.author = r.member
                       CROSS JOIN log l ON l.log = r.log";
    let all = legible(old, ALL, &["r.log", "r.member", "r.first_seq"], |row| {
        Ok(MemberReceipt {
            member: NodeId(row.get::<_, Blob32>(0)?.0),
            log: row.get::<_, LogColumn>(1)?.0,
            first: row.get::<_, NonNegative>(2)?.0,
            last: row.get::<_, NonNegative>(3)?.0,
        })
    });
    all.iter().try_for_each(|receipt| put_receipt(appender, db, receipt))
}

/// Copies the page storage.
pub(crate) fn page_items(old: &Connection, db: &Connection) -> Result<(), StoreError> {
    let items = legible(old, "SELECT key, value FROM page_storage", &["item"], |row| Ok((row.get(0)?, row.get(1)?)));
    for (key, value) in items {
        page_storage::apply(db, &page_storage::Change { key, value: Some(value) })?;
    }
    Ok(())
}
